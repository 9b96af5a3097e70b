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
from tests.support.patience import PATIENCE

TINY = {"profile": "tiny-16m"}


def settings_for(path: Path, **more: Any) -> Settings:
    """Settings with the database in a directory."""
    return Settings(database_url=f"sqlite:///{path}/kmemlab.db", **more)


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
def raw(settings: Settings) -> Iterator[sqlite3.Connection]:
    """The database as another program sees it."""
    connection = sqlite3.connect(database(settings), isolation_level=None, timeout=0.1)
    try:
        yield connection
    finally:
        connection.close()


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
