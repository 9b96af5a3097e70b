"""A session as a file system: live, of one moment for each open file, and in the past."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from app import procmount
from app.__main__ import cli
from app.commands import mount as command
from app.procdirectory import Source
from tests.api.test_tree import called
from tests.support.patience import PATIENCE
from tests.support.served import BASE, build, listening
from tests.support.tools import tool


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with listening(build(tmp_path_factory.mktemp("mount"))) as address:
        yield address


@pytest.fixture
def at(address: str) -> str:
    return called(address)


def tree_of(at: str, seq: int | None = None) -> procmount.Tree:
    return procmount.Tree(Source(*at.split(f"{BASE}/sessions/")), seq)


def read(tree: procmount.Tree, path: str) -> bytes:
    """As a program does: open, read to the end, close."""
    handle, text = tree.open_file(path), b""
    while part := tree.part(handle, 10_000, len(text)):
        text += part
    tree.close_file(handle)
    return text


def allocate(at: str) -> None:
    assert httpx2.post(f"{at}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 0}).status_code == 201


# -- without a kernel ----------------------------------------------------------------------------------------


def test_an_open_file_is_of_one_moment_and_the_next_one_of_the_next(at: str) -> None:
    tree = tree_of(at)
    before = httpx2.get(f"{at}/proc/buddyinfo").content
    handle = tree.open_file("/proc/buddyinfo")
    allocate(at)
    assert tree.part(handle, 1 << 16, 0) == before
    now = httpx2.get(f"{at}/proc/buddyinfo").content
    assert read(tree, "/proc/buddyinfo") == now != before
    tree.close_file(handle)
    assert not tree.opened


def test_the_past_stays(at: str) -> None:
    tree = tree_of(at, 1)
    allocate(at)
    assert read(tree, "/proc/buddyinfo") == httpx2.get(f"{at}/proc/buddyinfo?at=1").content


def test_a_task_comes_with_its_directory_and_goes(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procmount, "FRESH", 0.0)
    tree = tree_of(at)
    [pid] = [
        name for name in tree.names("/proc") if name.isdigit() and read(tree, f"/proc/{name}/comm") == b"a\n"
    ]
    assert {"maps", "smaps", "pagemap", "comm"} <= set(tree.names(f"/proc/{pid}"))
    assert httpx2.post(f"{at}/kill_task", json={"task": "a"}).status_code == 201
    assert pid not in tree.names("/proc")
    for ask in (tree.names, tree.open_file, tree.attributes):
        with pytest.raises(OSError, match=pid) as refused:
            ask(f"/proc/{pid}")
        assert refused.value.errno == errno.ENOENT


def test_words_are_asked_for_where_they_are_read(at: str) -> None:
    tree = tree_of(at)
    assert read(tree, "/proc/kpageflags") == httpx2.get(f"{at}/proc/kpageflags").content
    area = next(vma for vma in httpx2.get(f"{at}/tasks/a/maps").json()["vmas"] if vma["resident"])
    place = int(area["start"], 16) >> 12
    span = {"range": f"bytes={place * 8}-{place * 8 + 7}"}
    word = httpx2.get(f"{at}/tasks/a/proc/pagemap", headers=span).content
    [path] = [path for path, words in tree.moment.words.items() if "/tasks/a/" in words]
    handle = tree.open_file(path)
    assert tree.part(handle, 8, place * 8) == word != bytes(8)
    assert tree.part(handle, 3, place * 8 + 1) == word[1:4]


def test_a_server_that_is_gone_is_an_error_of_reading(at: str) -> None:
    tree = tree_of(at)
    assert httpx2.delete(at).status_code < 300
    with pytest.raises(OSError, match="404") as refused:
        tree.open_file("/proc/meminfo")
    assert refused.value.errno == errno.ENOENT
    tree.source.base = "http://127.0.0.1:1"
    with pytest.raises(OSError, match="refused") as refused:
        tree.open_file("/proc/meminfo")
    assert refused.value.errno == errno.EIO


def test_what_is_missing_is_said(at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server, _, sid = at.partition(f"{BASE}/sessions/")
    monkeypatch.setattr(command, "DEVICE", tmp_path / "fuse")
    said = CliRunner().invoke(cli, ["mount", sid, str(tmp_path / "m"), "--server", server])
    assert (said.exit_code, "has no FUSE" in said.output) == (1, True)
    monkeypatch.setattr(command, "DEVICE", tmp_path)
    monkeypatch.delitem(sys.modules, "app.fuse", raising=False)
    monkeypatch.setitem(sys.modules, "mfusepy", None)
    said = CliRunner().invoke(cli, ["mount", sid, str(tmp_path / "m"), "--server", server])
    assert "pip install 'kmemlab[mount]'" in said.output


# -- mounted -------------------------------------------------------------------------------------------------


@contextmanager
def mounted(at: str, folder: Path, *more: str) -> Iterator[Path]:
    """A session's files, mounted by a process of its own. Where FUSE cannot be used the test says so."""
    if not command.DEVICE.exists():
        pytest.skip("there is no /dev/fuse here")
    if os.geteuid() != 0:
        assert os.environ.get("CI") != "true", "CI mounts as root, and is not"
        pytest.skip("only root mounts in the tests")
    tool("fusermount3", "fuse3")
    server, _, sid = at.partition(f"{BASE}/sessions/")
    command_line = [sys.executable, "-m", "app", "mount", sid, str(folder), "--server", server, *more]
    with subprocess.Popen(
        command_line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            end = time.monotonic() + PATIENCE
            while not os.path.ismount(folder):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < end
                time.sleep(0.02)
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=False)
            assert process.wait(PATIENCE) == 0


def test_a_mounted_session_is_live_and_cannot_be_written(at: str, tmp_path: Path) -> None:
    with mounted(at, tmp_path / "m") as folder:
        for name in ("buddyinfo", "meminfo", "slabinfo", "zoneinfo", "vmallocinfo", "vmstat", "kpageflags"):
            assert (folder / "proc" / name).read_bytes() == httpx2.get(f"{at}/proc/{name}").content, name
        for _ in range(20):
            allocate(at)
            assert (folder / "proc/buddyinfo").read_bytes() == httpx2.get(f"{at}/proc/buddyinfo").content
        slab = folder / "sys/kernel/slab/kmalloc-128"
        assert (slab / "objects").read_text().startswith("40 ")
        assert len(list(slab.iterdir())) > 20
        with pytest.raises(OSError, match="Read-only"):
            (folder / "proc/meminfo").write_text("x")
        with pytest.raises(OSError, match="Read-only"):
            (folder / "proc/new").touch()


def test_a_past_moment_is_mounted(at: str, tmp_path: Path) -> None:
    with mounted(at, tmp_path / "m", "--at", "2") as folder:
        allocate(at)
        assert (folder / "proc/buddyinfo").read_bytes() == httpx2.get(f"{at}/proc/buddyinfo?at=2").content
