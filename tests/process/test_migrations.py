"""The schema: from nothing, from an older one with rows in it, and when it is not ours."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.store import Store, StoreUnusable, schema, tables, upgrade
from tests.support.patience import PATIENCE

COLUMNS = {
    table: [column.name for column in tables.metadata.tables[table].columns]
    for table in tables.metadata.tables
}


def store_at(path: Path) -> Store:
    return Store(f"sqlite:///{path}")


def columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def test_from_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path / "k.db")
    store.migrate()
    store.check()
    with store.reading() as db:
        differences = compare_metadata(MigrationContext.configure(db), tables.metadata)
    assert differences == []
    store.dispose()
    with sqlite3.connect(tmp_path / "k.db") as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        for table, names in COLUMNS.items():
            assert columns(raw, table) == set(names)
    raw.close()


def test_the_revisions_are_those_of_alembic() -> None:
    script = ScriptDirectory.from_config(upgrade.config())
    assert schema.revisions() == tuple(reversed([one.revision for one in script.walk_revisions()]))


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    store = store_at(tmp_path / "k.db")
    store.migrate()
    before = dump(tmp_path / "k.db")
    store.migrate()
    store.dispose()
    assert dump(tmp_path / "k.db") == before


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_from_the_first_schema_with_rows(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate("0001")
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA foreign_keys = ON")
    sessions = [("s1", "local", "one", "2026-01-01T00:00:00.000Z", 1, "{}", "{}", None, None, 0, 3)]
    sessions += [("s2", "local", "two", "2026-01-02T00:00:00.000Z", 1, "{}", None, "s1", 2, 2, 2)]
    raw.executemany("INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?,?,?,?)", sessions)
    rows = [
        ("s1", seq, "alloc_pages", b"{}", b'{"seq":%d}' % seq, None, "2026-01-01T00:00:00.000Z")
        for seq in (1, 2, 3)
    ]
    raw.executemany("INSERT INTO journal VALUES (?,?,?,?,?,?,?)", rows)
    raw.execute("INSERT INTO states VALUES ('abc', 2, x'00')")
    raw.execute("INSERT INTO snapshots VALUES ('s2', 2, 'abc', 1)")
    raw.execute("INSERT INTO access VALUES ('s1', 'somebody', 'watcher')")
    raw.commit()

    store.migrate()
    store.check()
    store.dispose()

    # Rebuilding a table drops the old one: nothing that referred to it may have gone with it.
    found = raw.execute(
        "SELECT session_id, seq, call, args, outcome, by, time, effective FROM journal ORDER BY seq"
    )
    assert found.fetchall() == [(*row, row[1]) for row in rows]
    found = raw.execute("SELECT id, owner, name, origin_id, start, seq, effective FROM sessions ORDER BY id")
    assert found.fetchall() == [("s1", "local", "one", None, 0, 3, 3), ("s2", "local", "two", "s1", 2, 2, 2)]
    for table, count in {"states": 1, "snapshots": 1, "access": 1, "names": 0}.items():
        assert raw.execute(f"SELECT count(*) FROM {table}").fetchone() == (count,), table
    assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    (journal,) = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'journal'").fetchone()
    assert "WITHOUT ROWID" in journal
    # The rebuilt tables still refer to each other.
    raw.execute("DELETE FROM sessions WHERE id = 's1'")
    assert raw.execute("SELECT count(*) FROM journal").fetchone() == (0,)
    raw.close()


def test_a_lab_expects_at_least_the_members_that_it_has(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate("0005")
    raw = sqlite3.connect(path)
    when = "2026-01-01T00:00:00.000Z"
    raw.execute("INSERT INTO accounts VALUES ('i', 1, 'Ada', 'ada', 'x', ?)", (when,))
    for lab, members in (("few", 3), ("many", 150)):
        raw.execute(
            "INSERT INTO labs (id, owner, title, text, created) VALUES (?, 'i', 't', '', ?)", (lab, when)
        )
        rows = [(f"{lab}{n}", lab, n, f"n{n}", f"n{n}", when) for n in range(1, members + 1)]
        raw.executemany("INSERT INTO members VALUES (?,?,?,?,?,?)", rows)
    raw.commit()
    store.migrate()
    store.check()
    store.dispose()
    assert raw.execute("SELECT id, expected FROM labs ORDER BY id").fetchall() == [
        ("few", 120),
        ("many", 150),
    ]
    assert raw.execute("SELECT count(*) FROM members WHERE waiting IS NULL").fetchone() == (153,)
    raw.close()


def test_older_labs_are_open_and_their_machines_of_no_demo(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate("0008")
    raw = sqlite3.connect(path)
    when = "2026-01-01T00:00:00.000Z"
    raw.execute("INSERT INTO accounts VALUES ('i', 1, 'Ada', 'ada', 'x', ?)", (when,))
    raw.execute("INSERT INTO labs (id, owner, title, text, created) VALUES ('l', 'i', 't', '', ?)", (when,))
    raw.execute(
        "INSERT INTO sessions (id, owner, name, created, engine, machine, start, seq, effective) "
        "VALUES ('s', 'i', 'n', ?, 1, '{}', 0, 3, 3)",
        (when,),
    )
    raw.execute("INSERT INTO lab_machines VALUES ('m', 'l', 's', 'prepared', 't', 1, '{}', ?)", (when,))
    raw.execute("INSERT INTO checkpoints VALUES ('c', 'm', 2, 't', '{}')")
    for number, how in ((1, "done"), (2, "caught up")):
        values = (f"p{number}", number, f"n{number}", f"n{number}", when)
        raw.execute("INSERT INTO members VALUES (?, 'l', ?, ?, ?, ?, NULL)", values)
        raw.execute("INSERT INTO progress VALUES (?, 'c', ?, ?)", (f"p{number}", how, when))
    raw.commit()
    store.migrate()
    store.check()
    store.dispose()
    assert raw.execute("SELECT id, kind, demo, part FROM lab_machines").fetchall() == [
        ("m", "prepared", None, None)
    ]
    ways = raw.execute("SELECT member_id, how FROM progress ORDER BY 1").fetchall()
    assert ways == [("p1", "said"), ("p2", "caught up")]
    assert raw.execute("SELECT draft FROM labs").fetchall() == [(0,)]
    raw.close()


def test_older_schema_is_not_served(tmp_path: Path) -> None:
    store = store_at(tmp_path / "k.db")
    store.migrate("0001")
    with pytest.raises(StoreUnusable, match="kmemlab migrate"):
        store.check()
    store.dispose()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    before = dump(path)
    for attempt in (store.migrate, store.check):
        with pytest.raises(StoreUnusable, match="newer kmemlab"):
            attempt()
    store.dispose()
    assert dump(path) == before


def test_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE theirs (id INTEGER)")
    raw.close()
    store = store_at(path)
    with pytest.raises(StoreUnusable, match="another program"):
        store.migrate()
    store.dispose()
    assert dump(path) == ["BEGIN TRANSACTION;", "CREATE TABLE theirs (id INTEGER);", "COMMIT;"]


@pytest.mark.parametrize("damage", [b"no database, but a letter\n" * 100, None], ids=["text", "torn"])
def test_damaged_file_is_refused_and_kept(damage: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    if damage is None:
        store.migrate()
        store.dispose()
        whole = path.read_bytes()
        damage = whole[:100] + b"\xff" * 4000 + whole[4100:]
    path.write_bytes(damage)
    with pytest.raises(StoreUnusable, match="damaged"):
        store.migrate()
    store.dispose()
    assert path.read_bytes() == damage
    assert [file.name for file in tmp_path.iterdir() if not file.name.startswith("k.db")] == []


def test_missing_directory_is_named(tmp_path: Path) -> None:
    store = store_at(tmp_path / "nowhere" / "k.db")
    with pytest.raises(StoreUnusable, match=r"nowhere/k\.db.*directory"):
        store.migrate()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.sampled(3)
@pytest.mark.parametrize("revision", [None, "0001"])
def test_processes_that_start_at_once(revision: str | None, tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    if revision is not None:
        store = store_at(path)
        store.migrate(revision)
        store.dispose()
    script = f"from app.store import Store; s = Store('sqlite:///{path}'); s.migrate(); s.check()"
    processes = [
        subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    errors = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, errors
    assert [file.name for file in tmp_path.iterdir()] == ["k.db"]


def test_a_failing_revision_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate("0001")
    before = dump(path)

    def fail(_: object) -> None:
        raise StoreUnusable("rows refer to missing ones")

    monkeypatch.setattr(schema, "_check_foreign_keys", fail)
    with pytest.raises(StoreUnusable):
        store.migrate()
    store.dispose()
    assert dump(path) == before


def test_orphans_stop_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "k.db"
    store = store_at(path)
    store.migrate("0001")
    with sqlite3.connect(path) as raw:
        raw.execute("INSERT INTO access VALUES ('nobody', 'somebody', 'watcher')")
    raw.close()
    before = dump(path)
    with pytest.raises(StoreUnusable, match="1 rows refer to missing ones"):
        store.migrate()
    store.dispose()
    assert dump(path) == before
