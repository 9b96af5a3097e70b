"""A session as files: the tar has what the API says, and the directory is safe."""

import array
import io
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx2
import pytest
from typer.testing import CliRunner

from app import procdirectory
from app.__main__ import cli
from app.api import tree
from app.machine.proctree import PATH
from app.mm import proc
from app.procdirectory import Source
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening, problem

CALLS = """
p = alloc_pages(GFP_KERNEL, 3)
o = kmalloc(100, GFP_KERNEL) * 40
v = vmalloc(100K)
c = kmem_cache_create("..", 100, 8, 0)
a: execve()
a: x = mmap(0, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)
a: store(x)
"""
TEXT = {"content-type": "text/plain"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("tree"))) as address:
        yield address


@pytest.fixture
def at(address: str) -> str:
    return called(address)


def called(address: str) -> str:
    """A session with some calls; its address."""
    made = httpx2.post(f"{address}{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()
    here = f"{address}{BASE}/sessions/{made['id']}"
    assert httpx2.post(f"{here}/calls", content=CALLS, headers=TEXT).status_code == 201
    return here


def run(at: str, folder: Path, *more: str) -> str:
    """What `kmemlab proc` says."""
    server, _, sid = at.partition(f"{BASE}/sessions/")
    done = CliRunner().invoke(cli, ["proc", sid, str(folder), "--server", server, *more])
    return done.output


def test_the_tar_has_what_the_api_says(at: str) -> None:
    answer = httpx2.get(f"{at}/tree.tar?frames=1")
    assert answer.headers["content-type"] == "application/x-tar"
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tree:
        entries = {entry.name: entry for entry in tree}
    assert all(entry.isreg() and PATH.fullmatch(name) for name, entry in entries.items())
    files = procdirectory.Source(*at.split(f"{BASE}/sessions/")).files(7, frames=True)
    assert files.keys() == entries.keys()
    for name in proc.FILES:
        assert files[f"proc/{name}"] == httpx2.get(f"{at}/proc/{name}").content, name
    for name in ("kpageflags", "kpagecount"):
        assert files[f"proc/{name}"] == httpx2.get(f"{at}/proc/{name}").content, name
    pid = next(task["pid"] for task in httpx2.get(f"{at}/tasks").json()["tasks"] if task["name"] == "a")
    for name in proc.OF_TASKS:
        assert files[f"proc/{pid}/{name}"] == httpx2.get(f"{at}/tasks/a/proc/{name}").content, name
    cache = httpx2.get(f"{at}/caches/kmalloc-128").json()
    assert files["sys/kernel/slab/kmalloc-128/objs_per_slab"] == f"{cache['objs_per_slab']}\n".encode()
    assert files["sys/kernel/slab/kmalloc-128/objects"].startswith(b"40 ")
    # The cache whose name would lead out of the directory.
    assert "sys/kernel/slab/../order" not in files
    assert sum(data == b"100\n" for name, data in files.items() if "/cache-" in name) >= 1
    assert files["sys/kernel/debug/page_owner"].startswith(
        b"Page allocated via order 3, mask 0xcc0(GFP_KERNEL)"
    )


def test_headers_are_those_of_tarfile() -> None:
    header = tree.Header(1_700_000_000)
    for path, size in (
        ("proc/meminfo", 1_234),
        ("sys/kernel/slab/a/order", 0),
        (f"sys/{'a' * 60}/{'b' * 60}", 8**9),
    ):
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode, entry.mtime = size, 0o444, 1_700_000_000
        assert header.of(path, size) == entry.tobuf(tarfile.USTAR_FORMAT)


def test_an_earlier_moment_and_what_is_refused(at: str) -> None:
    assert b"seq_1+0x0" not in httpx2.get(f"{at}/tree.tar?at=0").content
    problem(httpx2.get(f"{at}/tree.tar?at=100"), 422, "query", "at")
    problem(httpx2.get(f"{at}/tree.tar?frames=2"), 422, "query", "frames")


def test_a_tar_is_bounded(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_BYTES", 1_000)
    assert "read them one by one" in problem(httpx2.get(f"{at}/tree.tar"), 507)["detail"]
    monkeypatch.setattr(tree, "MOST_FRAMES", 1_000)
    problem(httpx2.get(f"{at}/tree.tar?frames=1"), 422, "query", "frames")


def test_a_directory_is_written_and_follows(at: str, tmp_path: Path) -> None:
    folder = tmp_path / "machine"
    assert run(at, folder) == f"#7 is in {folder}\n"
    inode = (folder / "proc/buddyinfo").stat().st_ino
    [pid] = [path.parent.name for path in folder.glob("proc/*/comm") if path.read_text() == "a\n"]
    page_map = folder / f"proc/{pid}/pagemap"
    assert page_map.stat().st_blocks * 512 < 100_000 < page_map.stat().st_size
    area = next(vma for vma in httpx2.get(f"{at}/tasks/a/maps").json()["vmas"] if vma["resident"])
    place = int(area["start"], 16) >> 12
    span = {"range": f"bytes={place * 8}-{place * 8 + 7}"}
    with page_map.open("rb") as file:
        file.seek(place * 8)
        assert file.read(8) == httpx2.get(f"{at}/tasks/a/proc/pagemap", headers=span).content
    assert httpx2.post(f"{at}/kill_task", json={"task": "a"}).status_code == 201
    assert run(at, folder) == f"#8 is in {folder}\n"
    assert not page_map.exists()
    assert (folder / "proc/buddyinfo").stat().st_ino == inode
    source = Source(*at.split(f"{BASE}/sessions/"))
    follower = threading.Thread(target=followed, args=(source, folder, 8, 11), daemon=True)
    follower.start()
    for _ in range(3):
        httpx2.post(f"{at}/alloc_page", json={"gfp": "GFP_KERNEL"})
    follower.join(PATIENCE)
    assert not follower.is_alive()
    assert (folder / "proc/buddyinfo").read_text() == httpx2.get(f"{at}/proc/buddyinfo").text


def followed(source: Source, folder: Path, after: int, last: int) -> None:
    """As the command does, up to a row."""
    for seq in procdirectory.follow(source, folder, after, frames=False):
        if seq >= last:
            return


def test_many_rows_at_once_are_one_state(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stream tells of rows that were written already is passed over without waiting."""
    source = Source(*at.split(f"{BASE}/sessions/"))
    monkeypatch.setattr(source, "rows", lambda after: iter(range(after + 1, 8)))
    slept: list[float] = []
    monkeypatch.setattr(procdirectory, "time", SimpleNamespace(sleep=slept.append, monotonic=time.monotonic))
    assert list(procdirectory.follow(source, tmp_path, 0, frames=False)) == [7]
    assert len(slept) == 1


def test_only_what_has_changed_is_written_again(
    at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, standing = procdirectory.Source(*at.split(f"{BASE}/sessions/")), dict[str, bytes]()
    procdirectory.write(source, tmp_path, 0, frames=False, standing=standing)
    put, names = procdirectory.put, list[str]()

    def noted(directory: Path, name: str, parts: list[tuple[int, bytes]]) -> None:
        names.append(name)
        put(directory, name, parts)

    monkeypatch.setattr(procdirectory, "put", noted)
    procdirectory.write(source, tmp_path, 1, frames=False, standing=standing)
    assert "proc/buddyinfo" in names
    assert not [name for name in names if name.startswith("sys/kernel/slab/")]
    assert (tmp_path / "proc/buddyinfo").read_text() == httpx2.get(f"{at}/proc/buddyinfo?at=1").text


def test_words_of_pages_that_are_gone_do_not_stay(at: str, tmp_path: Path) -> None:
    run(at, tmp_path)
    [pid] = [path.parent.name for path in tmp_path.glob("proc/*/comm") if path.read_text() == "a\n"]
    page_map = tmp_path / f"proc/{pid}/pagemap"
    before = words_of(page_map, at)
    assert any(before)
    assert httpx2.post(f"{at}/calls", content="a: munmap(x, 64K)", headers=TEXT).status_code == 201
    run(at, tmp_path)
    assert not any(words_of(page_map, at))


def words_of(page_map: Path, at: str) -> bytes:
    """The words of the area x."""
    name = next(one for one in httpx2.get(f"{at}/names").json()["names"] if one["name"] == "x")
    with page_map.open("rb") as file:
        file.seek((int(name["addr"], 16) >> 12) * 8)
        return file.read(16 * 8)


def test_only_what_was_written_is_deleted(at: str, tmp_path: Path) -> None:
    (tmp_path / "proc/99").mkdir(parents=True)
    (tmp_path / "proc/99/notes").write_text("mine")
    run(at, tmp_path)
    run(at, tmp_path, "--at", "0")
    assert (tmp_path / "proc/99/notes").read_text() == "mine"
    assert not list(tmp_path.glob("proc/100*"))


def test_a_pipe_is_no_file(at: str, tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    os.mkfifo(tmp_path / "proc/meminfo")
    assert "stands there" in run(at, tmp_path)


@pytest.mark.parametrize("linked", ["proc/meminfo", "proc", "sys/kernel"])
def test_no_link_is_followed(at: str, tmp_path: Path, linked: str) -> None:
    folder, elsewhere = tmp_path / "machine", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine")
    (folder / linked).parent.mkdir(parents=True)
    (folder / linked).symlink_to(elsewhere / "file" if linked.endswith("meminfo") else elsewhere)
    assert "a link or something else stands there" in run(at, folder)
    assert [path.name for path in elsewhere.iterdir()] == ["file"]
    assert (elsewhere / "file").read_text() == "mine"


def test_refusals_are_said(at: str, tmp_path: Path) -> None:
    assert "there is no session" in run(f"{at}x", tmp_path / "a")
    assert "a seq from 0 to 7" in run(at, tmp_path / "a", "--at", "99")
    assert "give one of the two" in run(at, tmp_path / "a", "--at", "1", "--follow")
    done = CliRunner().invoke(cli, ["proc", "x", str(tmp_path / "a"), "--server", "file:///etc"])
    assert "begins with http:// or https://" in done.output
    assert not (tmp_path / "a").exists()


def test_frames_are_counted_as_in_the_texts(at: str, tmp_path: Path) -> None:
    """What page-types counts as `buddy` are the free pages, and as `slab` those of slabs."""
    run(at, tmp_path, "--frames")
    words = array.array("Q", (tmp_path / "proc/kpageflags").read_bytes())
    lines = (tmp_path / "proc/buddyinfo").read_text().splitlines()
    free = sum(int(count) << order for line in lines for order, count in enumerate(line.split()[4:]))
    assert sum(word >> 10 & 1 for word in words) == free
    meminfo = dict(line.split()[:2] for line in (tmp_path / "proc/meminfo").read_text().splitlines())
    assert sum(word >> 7 & 1 for word in words) == int(meminfo["Slab:"]) // 4
