"""`kmemlab export`, `import`, `backup` and `verify`: on the database itself, also while it is served."""

import itertools
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from app.sessions import verifying
from app.store import Store, StoreUnusable
from tests.support.exported import exported, filled
from tests.support.factories import raw, settings_for
from tests.support.served import BASE, build, client_of
from tests.support.served_process import Served, kmemlab, served, told


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    """A server with a session in its database."""
    folder = tmp_path_factory.mktemp("lab")
    with client_of(build(folder)) as client:
        yield client, folder


# -- export and import ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_from_one_database_to_another(lab: tuple[TestClient, Path], tmp_path: Path) -> None:
    client, here = lab
    sid = filled(client)
    said = kmemlab(here, "export", sid, str(tmp_path / "s.ndjson"))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    file = (tmp_path / "s.ndjson").read_bytes()
    assert file == exported(client, sid)
    assert kmemlab(here, "export", sid).stdout.encode() == file
    kept = kmemlab(here, "export", sid, str(tmp_path / "s.ndjson"))
    assert (kept.returncode, kept.stderr.strip()) == (
        1,
        f"kmemlab: {tmp_path}/s.ndjson is there already; --force replaces it",
    )
    assert kmemlab(here, "export", "--force", sid, str(tmp_path / "s.ndjson")).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["s.ndjson"]

    # Into the database of a server that runs, which sees it at once.
    with served(tmp_path) as process:
        done = kmemlab(tmp_path, "import", "s.ndjson")
        assert (done.returncode, done.stderr) == (0, "")
        copy = done.stdout.strip()
        base = f"{process.base}/sessions/{copy}"
        there = httpx2.get(f"{base}/dump").json()
        assert there == client.get(f"{BASE}/sessions/{sid}/dump").json()
        assert httpx2.post(f"{base}/undo", json={}).status_code == 201
        assert kmemlab(tmp_path, "verify").returncode == 0


def test_what_cannot_be_imported(lab: tuple[TestClient, Path], tmp_path: Path) -> None:
    client, here = lab
    before = client.get(f"{BASE}/sessions").json()
    (tmp_path / "cut").write_bytes(exported(client, filled(client))[:-5])
    before = client.get(f"{BASE}/sessions").json()
    for name, why in (("cut", "line "), ("nothing", "No such file"), ("", "Is a directory")):
        done = told(here, "import", str(tmp_path / name))
        assert done.returncode == 1
        assert why in done.stderr
        assert "Traceback" not in done.stderr
    assert client.get(f"{BASE}/sessions").json() == before
    done = told(here, "export", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no session 'nobody'" in done.stderr


@pytest.mark.parametrize("command", [("export", "x"), ("import", "x"), ("backup", "x"), ("verify",)])
def test_no_database_is_made_by_looking_for_one(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"")
    done = told(tmp_path, *command)
    assert done.returncode == 1
    assert "kmemlab.db" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


# -- backup --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_backup_under_load(tmp_path: Path) -> None:
    """Eight writers never stop, and each session in the copy is what the original was at that seq."""
    with served(tmp_path) as process:
        sids = [process.create().rpartition("/")[2] for _ in range(8)]
        stop = threading.Event()
        answers = [[0] for _ in sids]
        writers = [
            threading.Thread(target=write, args=(process, sid, stop, made))
            for sid, made in zip(sids, answers, strict=True)
        ]
        for writer in writers:
            writer.start()
        try:
            wait_for(lambda: all(made[-1] >= 20 for made in answers))
            begun = [made[-1] for made in answers]
            done = kmemlab(tmp_path, "backup", "copy.db")
            ended = [made[-1] for made in answers]
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert (done.returncode, done.stderr) == (0, "")
        assert not (tmp_path / "copy.db.part").exists()
        assert sum(ended) > sum(begun)  # nobody waited for it
        restored = tmp_path / "restored"
        restored.mkdir()
        (tmp_path / "copy.db").rename(restored / "kmemlab.db")
        assert kmemlab(restored, "verify").returncode == 0
        with served(restored) as other:
            for sid, at_begin in zip(sids, begun, strict=True):
                one = f"/sessions/{sid}"
                seq = httpx2.get(other.base + one).json()["seq"]
                assert seq >= at_begin
                assert (
                    httpx2.get(f"{other.base}{one}/dump").json()
                    == httpx2.get(f"{process.base}{one}/dump?at={seq}").json()
                )


def write(process: Served, sid: str, stop: threading.Event, made: list[int]) -> None:
    with httpx2.Client() as client:
        for number in itertools.count():
            if stop.is_set():
                return
            call = ("alloc_page", {"gfp": "GFP_KERNEL"}) if number % 4 else ("drain_all_pages", {})
            answer = client.post(f"{process.base}/sessions/{sid}/{call[0]}", json=call[1])
            assert answer.status_code == 201, answer.text
            made.append(answer.json()["seq"])


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(3000):
        if true():
            return
        threading.Event().wait(0.01)
    raise AssertionError


def test_what_a_backup_refuses(lab: tuple[TestClient, Path], tmp_path: Path) -> None:
    _, here = lab
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"something dear")
    (tmp_path / "copy.db.part").write_bytes(b"left by one that was interrupted")
    refusals = (
        (copy, "--force replaces it"),
        (tmp_path, "is a directory"),
        (tmp_path / "no" / "copy.db", "is no directory"),
        (here / "kmemlab.db", "is the database itself"),
        (here / "kmemlab.db-wal", "is a part of the database itself"),
        (here / "kmemlab.db-journal", "is a part of the database itself"),
    )
    for file, why in refusals:
        done = told(here, "backup", *(("--force",) if file != copy else ()), str(file))
        assert done.returncode == 1
        assert why in done.stderr
        assert "Traceback" not in done.stderr
    assert copy.read_bytes() == b"something dear"
    assert told(here, "backup", "--force", str(copy)).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA journal_mode").fetchall() == [("delete",)]


def test_a_damaged_database_is_not_backed_up_as_a_sound_one(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        filled(client)
    damage(tmp_path / "kmemlab.db")
    done = told(tmp_path, "backup", "copy.db")
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert not (tmp_path / "copy.db").exists()
    assert told(tmp_path, "verify").returncode == 1


def damage(database: Path) -> None:
    """Cross two entries of an index, as a bad disk might."""
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE name = 'snapshots'")
        db.commit()


def test_postgresql_has_its_own_tool(tmp_path: Path) -> None:
    class Dialect:
        name = "postgresql"

    class Engine:
        dialect = Dialect()

    from app.store import backup  # noqa: PLC0415

    with pytest.raises(StoreUnusable, match="pg_dump"):
        backup.backup(Engine(), tmp_path / "x", force=False, on_progress=lambda _done, _of: None)  # type: ignore[arg-type]


# -- verify --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A database that nobody serves, with a session of all kinds of rows and with states."""
    folder = tmp_path_factory.mktemp("made")
    with client_of(build(folder)) as client:
        sid = filled(client)
        one = f"{BASE}/sessions/{sid}"
        calls = [{"call": "alloc_page", "gfp": "GFP_KERNEL"}, {"call": "drain_all_pages"}] * 600
        assert client.post(f"{one}/calls", json={"calls": calls}).status_code == 201
        fork = client.post(f"{one}/fork", json={"at": 700}).json()["id"]
        assert client.post(f"{BASE}/sessions/{fork}/alloc_page", json={"gfp": "GFP_KERNEL"}).is_success
    return folder, sid


@pytest.fixture
def kept(made: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    """A copy of it."""
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    return tmp_path, made[1]


def faults(folder: Path, sid: str) -> list[str]:
    store = Store.of(settings_for(folder))
    try:
        return verifying.verify(store, sid, lambda _done, _of: None).faults
    finally:
        store.dispose()


def test_all_is_well(kept: tuple[Path, str]) -> None:
    folder, sid = kept
    done = told(folder, "verify")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"{sid}  ")
    assert all(line.endswith(": ok") for line in lines[:2])
    assert lines[2].startswith("2 sessions, ")
    assert told(folder, "verify", sid).stdout.count("\n") == 2
    unknown = told(folder, "verify", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "there is no session 'nobody'" in unknown.stderr


def outcome(db: sqlite3.Connection, sid: str, seq: int, change: Callable[[dict[str, Any]], object]) -> None:
    (body,) = db.execute("SELECT outcome FROM journal WHERE session_id=? AND seq=?", (sid, seq)).fetchone()
    document = json.loads(body)
    change(document)
    text = json.dumps(document, separators=(",", ":")).encode()
    db.execute("UPDATE journal SET outcome=? WHERE session_id=? AND seq=?", (text, sid, seq))


WRONG: dict[str, tuple[str | Callable[[sqlite3.Connection, str], object], str]] = {
    "a log line": (
        lambda db, sid: outcome(db, sid, 9, lambda row: row["log"].append("x")),
        "seq 9: insmod: `log` is [] now and was ['x']",
    ),
    "a return": (
        lambda db, sid: outcome(db, sid, 1, lambda row: row.update(ret="0x1")),
        "seq 1: alloc_pages: `ret` is '0xffff",
    ),
    "an undone row": (
        lambda db, sid: outcome(db, sid, 25, lambda row: row.update(verdict="hang")),
        "seq 25: alloc_pages: `verdict` is 'ok' now and was 'hang'",
    ),
    "a time": (
        "UPDATE journal SET time = '2026-01-01T00:00:00.000Z' WHERE session_id = :sid AND seq = 3",
        "seq 3: __free_pages: `time` is '2026-01-01T00:00:00.000Z' now",
    ),
    "arguments": (
        "UPDATE journal SET args = replace(args, '100', '99') WHERE session_id = :sid AND seq = 4",
        "seq 4: kmalloc: `args` is ",
    ),
    "arguments of nothing": (
        "UPDATE journal SET args = '{' WHERE session_id = :sid AND seq = 4",
        "seq 4: kmalloc: its arguments are no JSON",
    ),
    "an outcome of nothing": (
        "UPDATE journal SET outcome = '[]' WHERE session_id = :sid AND seq = 4",
        "seq 4: kmalloc: the outcome is ",
    ),
    "a call": (
        "UPDATE journal SET call = 'kzalloc' WHERE session_id = :sid AND seq = 4",
        "seq 4: kzalloc: `call` is 'kzalloc' now and was 'kmalloc'",
    ),
    "a missing row": (
        "DELETE FROM journal WHERE session_id = :sid AND seq = 20",
        "seq 20: the row is missing; the next is 21",
    ),
    "missing last rows": (
        "DELETE FROM journal WHERE session_id = :sid AND seq > 1000",
        "seq 1001: the row is missing; the session's last is ",
    ),
    "where a rewind went": (
        "UPDATE journal SET effective = 6 WHERE session_id = :sid AND effective = 5",
        "its effective seq is 6 and should be 5",
    ),
    "a rewind to a state of nobody": (
        "UPDATE journal SET effective = 3 WHERE session_id = :sid AND call IN ('rewind', 'undo')",
        "its effective seq is 3 and should be ",
    ),
    "a row too many": (
        "UPDATE sessions SET (seq, effective) = (seq - 1, seq - 1) WHERE id = :sid",
        ": the row stands behind the session's last, ",
    ),
    "a rewind that was none": (
        "UPDATE journal SET effective = 6 WHERE session_id = :sid AND seq = 7",
        "seq 7: ",
    ),
    "the head's state": (
        "UPDATE sessions SET effective = 3 WHERE id = :sid",
        "the session's effective seq is 3 and should be ",
    ),
    "what it starts from": (
        'UPDATE sessions SET boot = \'{"profile": "vax"}\' WHERE id = :sid',
        "what it starts from cannot be read: BadArgument(",
    ),
    "another start": (
        'UPDATE sessions SET boot = \'{"profile": "x86_64-1g"}\' WHERE id = :sid',
        "seq 1: alloc_pages: ",
    ),
    "a state": (
        "UPDATE snapshots SET sha256 = (SELECT max(sha256) FROM states WHERE sha256 != snapshots.sha256)",
        " is another: `",
    ),
    "a broken state": (
        "UPDATE states SET body = x'00'",
        " cannot be read: ",
    ),
    "a name": (
        "UPDATE names SET named = '{}' WHERE session_id = :sid AND name = 'p'",
        "the name 'p' of local: ",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_found(kept: tuple[Path, str], what: str) -> None:
    folder, sid = kept
    change, said = WRONG[what]
    with raw(settings_for(folder)) as db:
        if isinstance(change, str):
            assert db.execute(change, {"sid": sid}).rowcount > 0
        else:
            change(db, sid)
    assert any(said in fault for fault in faults(folder, sid)), faults(folder, sid)


def test_the_command_says_what_is_wrong(kept: tuple[Path, str]) -> None:
    folder, sid = kept
    with raw(settings_for(folder)) as db:
        db.execute("DELETE FROM journal WHERE session_id = ? AND seq = 20", (sid,))
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("INSERT INTO names VALUES ('nobody', 'local', 'p', '{}')")
    done = kmemlab(folder, "verify")
    assert done.returncode == 1
    assert "  seq 20: the row is missing" in done.stdout
    assert "database: a row of names refers to a missing one of sessions" in done.stdout
    assert "2 things not as they should be" in done.stderr
    assert "DIFFERS" in done.stdout.splitlines()[1]
    assert ": ok" in done.stdout


def test_where_there_is_no_database_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    for command in (("verify",), ("import", "x.ndjson"), ("password", "Ada")):
        said = told(tmp_path, *command)
        assert said.returncode == 1
        assert "`kmemlab migrate` makes one" in said.stderr
    assert list(tmp_path.iterdir()) == []
