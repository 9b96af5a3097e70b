"""Sessions on a real database file, and what goes wrong with them on purpose."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import LOCAL, BatchItem, Sessions
from app.settings import Settings
from app.store import Store
from tests.support import postgresql
from tests.support.patience import PATIENCE

TINY = {"profile": "tiny-16m"}


def settings_for(path: Path, **more: Any) -> Settings:
    """Settings with the database in a directory."""
    return Settings(database_url=url_of(path), **more)


def url_of(path: Path) -> str:
    """The URL of a directory's database; one of PostgreSQL's where the tests run on that."""
    if not postgresql.ON:
        return f"sqlite:///{path}/kmemlab.db"
    url = postgresql.url_of(path)
    folders[url] = path
    return url


# The directories of databases that are not in them.
folders: dict[str, Path] = {}


def database(settings: Settings) -> Path:
    return Path(settings.database_url.removeprefix("sqlite:///"))


@cache
def empty_database() -> bytes:
    """The file of a database that has just been migrated, made once in each test process."""
    with TemporaryDirectory() as folder:
        settings = settings_for(Path(folder))
        store = Store.of(settings)
        store.migrate()
        store.dispose()
        return database(settings).read_bytes()


def migrated(settings: Settings) -> None:
    """See that the database is there, at this program's revision."""
    if settings.database_url in folders:
        postgresql.migrated(folders[settings.database_url])
        return
    file = database(settings)
    if not file.exists():
        file.write_bytes(empty_database())
        return
    if revision(file) == revision_of_program():
        return
    store = Store.of(settings)
    store.migrate()
    store.dispose()


def revision(file: Path) -> str | None:
    """That of a database's schema; None where it has none."""
    with closing(sqlite3.connect(file, timeout=PATIENCE)) as db:
        try:
            (found,) = db.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.DatabaseError:
            return None
    return str(found)


@cache
def revision_of_program() -> str | None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "empty.db")
        file.write_bytes(empty_database())
        return revision(file)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[Sessions]:
    """What one server process does, from its start to its end."""
    migrated(settings)
    sessions = Sessions(settings, Store.of(settings))
    await sessions.start()
    try:
        yield sessions
    finally:
        await sessions.stop()


@contextmanager
def raw(settings: Settings) -> Iterator[Any]:
    """The database as another program sees it."""
    connection: Any = (
        postgresql.raw(folders[settings.database_url])
        if settings.database_url in folders
        else sqlite3.connect(database(settings), isolation_level=None, timeout=0.1)
    )
    try:
        yield connection
    finally:
        connection.close()


def tables(db: Any) -> list[str]:
    """The names of all tables."""
    if postgresql.ON:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    return [name for (name,) in db.execute(query).fetchall()]


@contextmanager
def no_rows(db: Any, table: str, condition: str) -> Iterator[None]:
    """Have the database refuse new rows of a table. condition: which, with `new` for the row."""
    refuse = f"CREATE TRIGGER refuse BEFORE INSERT ON {table} "
    if postgresql.ON:
        db.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no more rows'; END $$"
        )
        db.execute(f"{refuse} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION refuse()")
    else:
        db.execute(f"{refuse} WHEN {condition} BEGIN SELECT raise(ABORT, 'no more rows'); END")
    yield
    db.execute(f"DROP TRIGGER refuse ON {table}" if postgresql.ON else "DROP TRIGGER refuse")


async def seqs(sessions: Sessions, session_id: str) -> list[int]:
    """Every seq of a session's journal."""
    found: list[int] = []
    while rows := await sessions.events(LOCAL, session_id, after=found[-1] if found else 0, limit=1000):
        found += [row.seq for row in rows]
    return found


def alloc(order: int = 0, name: str | None = None, **more: Any) -> BatchItem:
    return BatchItem("alloc_pages", {"gfp": "GFP_KERNEL", "order": order, **more}, name)


def free(page: str, order: int = 0, **more: Any) -> BatchItem:
    return BatchItem("__free_pages", {"page": page, "order": order, **more})


POISON = BatchItem("insmod", {"name": "poison", "size": 4096})


def spread_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every machine of this process break, half-way through, at an `insmod` of `poison`."""
    sound = Machine.apply

    def apply(machine: Machine, call: Call, seq: int) -> Outcome:
        if call.name == "insmod" and call.args["name"] == "poison":
            machine.tasks.clear()
            raise RuntimeError("poison")
        return sound(machine, call, seq)

    monkeypatch.setattr(Machine, "apply", apply)
