"""A disk that is full, read-only or gone while a real server works on it.

What cannot be kept is refused, what was kept stays whole, and when that is over the same process goes on.
"""

import contextlib
import os
import re
import resource
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.faults import Writers, alloc, dense, eventually, mounted, readiness, refused, remount
from tests.support.rings import slow
from tests.support.served_process import Served, kmemlab, served

pytestmark = pytest.mark.timeout(600)

LARGE = {"calls": [{"call": "alloc_pages", "gfp": "GFP_KERNEL", "order": 0}] * 1000}


def fill(server: Served, session: str) -> httpx2.Response:
    """Calls until there is no room; the answer that says so."""
    for _ in range(200):
        answer = httpx2.post(f"{server.base}{session}/calls", json=LARGE)
        if answer.status_code != 201:
            return answer
    raise AssertionError("the disk is not small")


def head_of(server: Served, session: str) -> int:
    answer = httpx2.get(server.base + session)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["seq"])


@pytest.mark.slow
def test_a_full_file_system(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "16m") as folder, served(folder) as server:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(12 << 20))
        sessions = [server.create("x86_64-1g"), server.create()]
        assert alloc(server, sessions[1]).json()["seq"] == 1
        assert "no room" in refused(fill(server, sessions[0]), 507)
        # What is there can be read, and what cannot be kept is not done.
        bases = [server.base + session for session in sessions]
        heads = [httpx2.get(base).json()["seq"] for base in bases]
        before = httpx2.get(f"{bases[0]}/dump").json()
        assert refused(fill(server, sessions[0]), 507)
        assert httpx2.get(f"{bases[0]}/dump").json() == before
        assert [httpx2.get(base).json()["seq"] for base in bases] == heads
        assert httpx2.get(f"{server.address}/").status_code == 200
        assert httpx2.get(f"{server.address}/healthz").status_code == 200
        # Room again: the same process goes on where it was.
        ballast.unlink()
        assert alloc(server, sessions[0]).json()["seq"] == heads[0] + 1
        assert httpx2.post(f"{bases[1]}/calls", json=LARGE).status_code == 201
        assert readiness(server) == 200
        server.end()
        dense(folder / "kmemlab.db", **{sessions[0].rpartition("/")[2]: heads[0] + 1})


@pytest.mark.slow
def test_a_disk_without_one_free_byte(tmp_path: Path) -> None:
    with mounted(tmp_path / "small") as folder, served(folder) as server:
        session = server.create()
        ballast = folder / "ballast"
        writers = Writers([server.base + session])
        eventually(lambda: writers.answered)
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(4096)):
                pass
        # The write-ahead log may have room within itself for a while.
        eventually(lambda: 507 in writers.statuses)
        assert eventually(lambda: readiness(server) == 503)
        for page in ("", "/zones", "/events", "/dump"):
            assert httpx2.get(f"{server.base}{session}{page}").status_code == 200
        ballast.unlink()
        assert eventually(lambda: readiness(server) == 200)
        assert eventually(lambda: alloc(server, session).status_code == 201)
        writers.stop()
        assert writers.statuses == {201, 507}
        server.end()
        dense(folder / "kmemlab.db", **writers.answered)


@pytest.mark.slow
def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """As a full disk, and nobody needs to be root."""
    with served(tmp_path) as server:
        session = server.create()
        assert alloc(server, session).json()["seq"] == 1
        pid, size = server.process.pid, 1 << 18
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        assert refused(fill(server, session), 507)
        head = head_of(server, session)
        assert len(httpx2.get(f"{server.base}{session}/dump").json()["pages"]) == head
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        answer = alloc(server, session)
        assert answer.json().get("seq") == head + 1, answer.text
        assert readiness(server) == 200
        server.end()
        dense(tmp_path / "kmemlab.db")


@contextmanager
def immutable(*files: Path) -> Iterator[None]:
    """Files that nobody can write any more, not even who has them open: as on a disk that fails."""
    if any(
        subprocess.run(["chattr", "+i", file], capture_output=True, check=False).returncode for file in files
    ):
        subprocess.run(["chattr", "-i", *files], capture_output=True, check=False)
        pytest.skip("needs root, and a file system that has immutable files")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


def test_files_that_turn_read_only(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        session = server.create()
        assert alloc(server, session).json()["seq"] == 1
        with immutable(tmp_path / "kmemlab.db", tmp_path / "kmemlab.db-wal"):
            for _ in range(3):
                assert refused(alloc(server, session), 507)
                assert httpx2.get(server.base + session).json()["seq"] == 1
            assert readiness(server) == 503
            assert httpx2.get(f"{server.base}{session}/zones").status_code == 200
        assert alloc(server, session).json()["seq"] == 2
        assert readiness(server) == 200
        server.end()
        dense(tmp_path / "kmemlab.db")


@pytest.mark.slow
def test_a_read_only_file_system_is_refused_at_the_start(tmp_path: Path) -> None:
    with mounted(tmp_path / "small") as folder:
        with served(folder) as server:
            session = server.create()
            assert alloc(server, session).json()["seq"] == 1
            server.end()
        before = (folder / "kmemlab.db").read_bytes()
        remount(folder, "ro")
        said = kmemlab(folder, "serve", "--port", "0")
        assert (said.returncode, said.stdout) == (1, "")
        assert re.search(r"kmemlab\.db: (is read-only|cannot be opened)", said.stderr)
        assert "Traceback" not in said.stderr
        remount(folder, "rw")
        assert (folder / "kmemlab.db").read_bytes() == before
        with served(folder) as server:
            assert alloc(server, session).json()["seq"] == 2


@pytest.mark.parametrize("how", ["deleted", *slow("moved", "replaced", "directory moved")])
def test_a_file_that_goes_away_while_it_is_served(how: str, tmp_path: Path) -> None:
    folder, away = tmp_path / "here", tmp_path / "away"
    folder.mkdir()
    away.mkdir()
    file = folder / "kmemlab.db"
    with served(folder, KMEMLAB_DATABASE_URL=f"sqlite:///{file}") as server:
        session = server.create()
        assert alloc(server, session).json()["seq"] == 1
        match how:
            case "deleted":
                os.link(file, away / "kmemlab.db")  # to bring it back
                file.unlink()
            case "directory moved":
                folder.rename(away / "folder")
            case _:
                file.rename(away / "kmemlab.db")
        if how == "replaced":
            with sqlite3.connect(file) as other:
                other.execute("CREATE TABLE theirs (id)")
            other.close()
        there = sorted(tmp_path.rglob("*.db"))
        for _ in range(3):
            assert "moved, deleted or replaced" in refused(alloc(server, session), 507)
            assert "moved, deleted or replaced" in refused(httpx2.get(server.base + session), 507)
        assert readiness(server) == 503
        # Nothing has been made in its place.
        assert sorted(tmp_path.rglob("*.db")) == there
        if how == "replaced":
            return
        if how == "directory moved":
            (away / "folder").rename(folder)
        else:
            (away / "kmemlab.db").rename(file)
        assert alloc(server, session).json()["seq"] == 2
        assert readiness(server) == 200
        server.end()
    dense(file)


def test_files_of_a_killed_server_are_taken_up(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        session = server.create()
        for seq in range(1, 20):
            assert alloc(server, session).json()["seq"] == seq
        server.end(signal.SIGKILL)
    # All of it is in the write-ahead log still.
    assert (tmp_path / "kmemlab.db-wal").stat().st_size > 0
    with served(tmp_path) as server:
        assert alloc(server, session).json()["seq"] == 20
        server.end()
    dense(tmp_path / "kmemlab.db")
