"""Rows and statements, on a real file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store import Busy, StorageFull, Store, StoreUnusable, access, bound_names, journal, sessions, states
from app.store.journal import Row
from app.store.sessions import Head, SessionRow
from app.store.states import State
from app.store.takes import Takes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "k.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{path}", busy_timeout=0.1)
    store.migrate()
    yield store
    store.dispose()


def session(sid: str, owner: str = "local", created: str = "2026-01-01T00:00:00.000Z") -> SessionRow:
    return SessionRow(sid, owner, sid, created, 1, "{}", "{}", None, None, 0, 0, 0)


def row(sid: str, seq: int) -> Row:
    return Row(
        sid, seq, seq, "alloc_pages", b'{"order":0}', b'{"seq":%d}' % seq, None, "2026-01-01T00:00:00.000Z"
    )


def test_every_connection_is_durable_and_checks(store: Store) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 100}
    kept = store.writer_connection(0.1)
    for transaction in (store.reading(), store.writing(), kept.transaction(Takes.ALL)):
        with transaction as db:
            for pragma, value in wanted.items():
                assert db.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value, pragma
    kept.close()


def test_rows_move_the_head(store: Store) -> None:
    with store.writing() as db:
        sessions.create(db, session("a"))
        sessions.create(db, session("b"))
        journal.append(db, [row("a", 1), row("b", 1), row("a", 2)])
    with store.reading() as db:
        assert sessions.heads(db, ["a", "b", "c"]) == {"a": Head(2, 2, bytes=40), "b": Head(1, 1, bytes=20)}
        assert [r.seq for r in journal.tail(db, "a", 0, 2)] == [1, 2]
        assert [r.seq for r in journal.tail(db, "a", 1, 9)] == [2]
        assert next(journal.tail(db, "b", 0, 1)) == row("b", 1)
        assert journal.page(db, "a", 0, 1) == [(1, b'{"seq":1}')]
        assert journal.one(db, "a", 2) == b'{"seq":2}'
        assert journal.one(db, "a", 3) is None


def test_a_seq_is_taken_once(store: Store) -> None:
    with store.writing() as db:
        sessions.create(db, session("a"))
        journal.append(db, [row("a", 1)])
    with pytest.raises(Exception, match="UNIQUE"), store.writing() as db:
        journal.append(db, [row("a", 1)])
    with store.reading() as db:
        assert sessions.heads(db, ["a"]) == {"a": Head(1, 1, bytes=20)}


def test_a_row_needs_its_session(store: Store) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"), store.writing() as db:
        journal.append(db, [row("nobody", 1)])


def test_states_are_shared_and_forgotten_last(store: Store) -> None:
    one, two = State("1" * 64, 2, b"one"), State("2" * 64, 2, b"two")
    with store.writing() as db:
        for sid in ("a", "b"):
            sessions.create(db, session(sid))
            states.put(db, sid, 0, one, keep=True)
        states.put(db, "a", 5, two)
        states.put(db, "a", 5, one)  # has one there
    with store.reading() as db:
        assert [(seq, state) for seq, state in states.nearest(db, "a", 9)] == [(5, two), (0, one)]
        assert [seq for seq, _ in states.nearest(db, "a", 4)] == [0]
        assert db.exec_driver_sql("SELECT count(*) FROM states").scalar() == 2
    for sid, left in (("a", [one.sha256]), ("b", [])):
        with store.writing() as db:
            sessions.remove(db, sid)
            assert list(db.exec_driver_sql("SELECT sha256 FROM states").scalars()) == left


def test_names_are_per_person(store: Store) -> None:
    with store.writing() as db:
        sessions.create(db, session("a"))
        bound_names.put(db, "a", "ann", {"p": "1", "q": "2"})
        bound_names.put(db, "a", "bob", {"p": "3"})
        bound_names.put(db, "a", "ann", {"p": "4", "q": None, "never": None})
        assert bound_names.of(db, "a") == {"ann": {"p": "4"}, "bob": {"p": "3"}}


def test_visible_are_owned_and_granted_newest_first(store: Store) -> None:
    with store.writing() as db:
        for number, owner in enumerate(["ann", "bob", "ann", "bob"]):
            sessions.create(db, session(f"s{number}", owner, f"2026-01-01T00:00:0{number // 2}.000Z"))
        db.exec_driver_sql("INSERT INTO access VALUES ('s1', 'ann', 'watcher')")
        assert access.role(db, "s1", "ann") == "watcher"
        assert access.role(db, "s3", "ann") is None
        listed = sessions.visible(db, "ann", 10)
        assert [row.id for row in listed] == ["s2", "s1", "s0"]
        after = (listed[0].created, listed[0].id)
        assert [row.id for row in sessions.visible(db, "ann", 1, after)] == ["s1"]
        assert sessions.owned(db, "ann") == 2


def test_removing_leaves_nothing(store: Store) -> None:
    with store.writing() as db:
        for sid in ("a", "b"):
            sessions.create(db, session(sid))
            journal.append(db, [row(sid, 1)])
            bound_names.put(db, sid, "local", {"p": "1"})
            db.exec_driver_sql("INSERT INTO access VALUES (?, 'ann', 'watcher')", (sid,))
        sessions.remove(db, "a")
    with store.reading() as db:
        for table, column in (
            ("sessions", "id"),
            *((t, "session_id") for t in ("journal", "names", "access")),
        ):
            assert list(db.exec_driver_sql(f"SELECT {column} FROM {table}").scalars()) == ["b"]


def test_a_held_lock_is_busy(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy) as caught, store.writing():
        pass
    assert caught.value.retry_after >= 1
    with store.reading() as db:
        assert sessions.owned(db, "local") == 0
    other.execute("ROLLBACK")
    other.close()
    with store.writing() as db:
        sessions.create(db, session("a"))


def test_no_room_is_storage_full(store: Store) -> None:
    kept = store.writer_connection(0.1)

    def fill() -> None:
        with kept.transaction(Takes.ALL) as db:
            pages = db.exec_driver_sql("PRAGMA page_count").scalar()
            db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            sessions.create(db, session("a"))
            journal.append(db, [row("a", seq)._replace(outcome=b"x" * 4000) for seq in range(1, 100)])

    with pytest.raises(StorageFull, match="no room"):
        fill()
    # The connection that failed is not used again; the next one finds everything as it was.
    with kept.transaction(Takes.ALL) as db:
        assert sessions.get(db, "a") is None
        sessions.create(db, session("a"))
    kept.close()


def test_an_unknown_kind_of_database_is_refused() -> None:
    with pytest.raises(StoreUnusable, match="no such kind"):
        Store("oracleofdelphi://localhost/x")
    with pytest.raises(StoreUnusable, match="no such kind"):
        Store("no url")


def test_names_are_copied_but_for_those_of_lists(store: Store) -> None:
    with store.writing() as db:
        for sid in ("origin", "fork"):
            sessions.create(db, session(sid))
        given = {"p": '{"kind": "page", "pfn": 5}', "l": '{"kind": "pages", "blocks": 9, "sha256": "ab"}'}
        bound_names.put(db, "origin", "me", given)
        bound_names.put(db, "origin", "you", {"q": "{}"})
        assert bound_names.copy(db, "origin", "fork", "me") == {"l": given["l"]}
        assert bound_names.of(db, "fork") == {"me": {"p": given["p"]}}
