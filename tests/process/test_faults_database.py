"""Databases that are held, damaged, another program's or a later one's; and what an answer waits for."""

import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.support.faults import PAGE, Writers, alloc, dense, eventually, readiness, refused
from tests.support.patience import SOON
from tests.support.served_process import kmemlab, served, told

pytestmark = pytest.mark.timeout(600)

HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
"""


def held(database: Path) -> subprocess.Popen[str]:
    """Another process, with the lock until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(database)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.mark.parametrize("patience", [0.3, pytest.param(5.0, marks=pytest.mark.soak)])
def test_another_process_holds_the_lock(patience: float, tmp_path: Path) -> None:
    with served(tmp_path, KMEMLAB_BUSY_TIMEOUT=str(patience)) as server:
        session = server.create()
        writers = Writers([server.base + session])
        eventually(lambda: writers.answered)
        with held(tmp_path / "kmemlab.db") as holder:
            answer = alloc(server, session)
            assert "held by another process" in refused(answer, 503)
            # Behind calls that wait already, and no longer than if there were none.
            assert patience <= answer.elapsed.total_seconds() < patience + 4
            assert readiness(server) == 503
            for page in ("", "/zones", "/events", "/dump"):
                read = httpx2.get(f"{server.base}{session}{page}")
                assert read.status_code == 200
                assert read.elapsed.total_seconds() < SOON
            holder.communicate("end\n")
        assert eventually(lambda: readiness(server) == 200)
        assert eventually(lambda: alloc(server, session).status_code == 201)
        writers.stop()
        assert writers.statuses == {201, 503}
        server.end()
    dense(tmp_path / "kmemlab.db", **writers.answered)


def garbage(file: Path) -> None:
    file.write_bytes(b"this is not a database, it is text\n" * 500)


def empty_header(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(bytes(100) + whole[100:])


def half(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2 // 4096 * 4096])


def torn_schema(file: Path) -> None:
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + b"\xff" * 3996 + whole[4096:])


def of_another_program(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE theirs (id INTEGER)")
    db.close()


def newer(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    db.close()


def a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (garbage, "is not a database, or is damaged"),
    (empty_header, "is not a database, or is damaged"),
    (half, "damaged"),
    (torn_schema, "damaged"),
    (of_another_program, "a database of another program"),
    (newer, "written by a newer kmemlab"),
    (a_directory, "cannot be opened"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=[damage.__name__ for damage, _ in DAMAGES])
def test_a_file_that_cannot_be_served(damage: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    assert told(tmp_path, "migrate").returncode == 0
    file = tmp_path / "kmemlab.db"
    damage(file)
    before = None if file.is_dir() else file.read_bytes()
    done = kmemlab(tmp_path, "serve", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(rf"^kmemlab: kmemlab\.db: .*{said}", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    # Neither repaired nor replaced, and nothing new beside it.
    assert [path.name for path in tmp_path.iterdir()] == ["kmemlab.db"]
    assert before is None or before == file.read_bytes()


@pytest.mark.slow
def test_a_damaged_page_in_the_middle(tmp_path: Path) -> None:
    """What it held cannot be read any more, and that is said; everything else is served."""
    with served(tmp_path) as server:
        sessions = [server.create() for _ in range(3)]
        for session in sessions:
            calls = {"calls": [{"call": "alloc_pages", "order": 0, **PAGE}] * 300}
            assert httpx2.post(f"{server.base}{session}/calls", json=calls).status_code == 201
        server.end()
    file = tmp_path / "kmemlab.db"
    sid = sessions[1].rpartition("/")[2]
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("DELETE FROM snapshots")
        query = "SELECT outcome FROM journal WHERE session_id = ? AND seq = 150"
        found = db.execute(query, (sid,)).fetchone()
    db.close()
    whole = file.read_bytes()
    at = whole.index(found[0]) // 4096 * 4096
    file.write_bytes(whole[:at] + b"\xa5" * 4096 + whole[at + 4096 :])
    with served(tmp_path) as server:
        assert "damaged" in refused(alloc(server, sessions[1]), 507)
        assert "damaged" in refused(httpx2.get(f"{server.base}{sessions[1]}/dump"), 507)
        # One session's damage is not another's.
        for session in (sessions[0], sessions[2]):
            answer = alloc(server, session)
            assert (answer.status_code, answer.json()["seq"]) == (201, 301)
        assert readiness(server) == 200
        server.end()


TRACED = "trace=fsync,fdatasync,read,recvfrom,write,writev,sendto,sendmsg"


def test_synced_before_answered(tmp_path: Path) -> None:
    """The kernel is asked to put a call's row on the disk before the answer is sent."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    traced = tmp_path / "trace"
    with served(tmp_path) as server:
        session = server.create()
        command = ["strace", "-f", "-s", "64", "-o", str(traced), "-p", str(server.process.pid)]
        with subprocess.Popen([*command, "-e", TRACED], stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline()
            if "attached" not in said:
                pytest.skip(f"may not trace: {said}")
            try:
                for seq in range(1, 6):
                    assert alloc(server, session).json()["seq"] == seq
            finally:
                tracer.send_signal(signal.SIGINT)
    happened = [
        name
        for line in traced.read_text("utf-8", "replace").splitlines()
        if (name := what_happened(line)) is not None
    ]
    answers = [place for place, name in enumerate(happened) if name == "answer"]
    assert len(answers) == 5
    for begun, ended in zip([0, *answers], answers, strict=False):
        assert "request" in happened[begun:ended]
        asked = begun + happened[begun:ended].index("request")
        assert "sync" in happened[asked:ended], happened


def what_happened(line: str) -> str | None:
    """A line of strace as one of three words; unfinished syncs count when they have returned."""
    if re.search(r"(fdatasync|fsync)(\(\d+\)| resumed>\)) += 0", line):
        return "sync"
    if "POST /api" in line:
        return "request"
    return "answer" if "HTTP/1.1 201" in line else None


@pytest.mark.slow
def test_one_of_two_servers_is_killed_again_and_again(tmp_path: Path) -> None:
    two_servers(tmp_path, rounds=2)


@pytest.mark.soak
def test_one_of_two_servers_is_killed_twenty_times(tmp_path: Path) -> None:
    two_servers(tmp_path, rounds=20)


def two_servers(folder: Path, rounds: int) -> None:
    """Both write to the same sessions; one dies at any moment, and another takes its place."""
    draw = random.Random(rounds)
    with served(folder) as steady:
        sessions = [steady.create("x86_64-8g") for _ in range(2)]
        kept = Writers([steady.base + session for session in sessions], 4)
        lost: list[Writers] = []
        for _ in range(rounds):
            with served(folder) as other:
                lost.append(Writers([other.base + session for session in sessions], 4))
                enough = draw.randrange(5, 60)
                eventually(lambda: sum(lost[-1].answered.values()) > enough)  # noqa: B023 - asked at once
                other.end(signal.SIGKILL)
                lost[-1].stop()
        kept.stop()
        assert kept.statuses <= {201, 503}
        for writers in lost:
            for sid, seq in writers.answered.items():
                assert httpx2.get(f"{steady.base}/sessions/{sid}").json()["seq"] >= seq
        dumps = [httpx2.get(f"{steady.base}{session}/dump").json() for session in sessions]
        steady.end()
    dense(folder / "kmemlab.db", **kept.answered)
    with served(folder) as server:
        assert [httpx2.get(f"{server.base}{session}/dump").json() for session in sessions] == dumps
