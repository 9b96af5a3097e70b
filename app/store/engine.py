"""Connections to the database, and when its transactions begin."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from app.store import postgresql
from app.store.database_file import DatabaseFile
from app.store.errors import StoreUnusable
from app.store.takes import Takes

# The write-ahead log is cut back to this after a large transaction.
WAL_LIMIT: Final = 64 << 20


def connect(url: str, busy_timeout: float, *, create: bool = False, reads: bool = False) -> Engine:
    """An engine for the URL; nothing is opened yet. busy_timeout: seconds to wait for another's lock.

    create: whether an SQLite file that is not there may be made. reads: whether it is only read. Raises
    StoreUnusable where the URL names no kind of database that can be used here.
    """
    try:
        # A server can end connections that wait in the pool: each is tried before it is used again.
        distant = make_url(url).get_backend_name() != "sqlite"
        engine = create_engine(url, pool_size=8, max_overflow=24, pool_pre_ping=distant, hide_parameters=True)
    except (ArgumentError, ImportError) as error:
        raise StoreUnusable(f"{url.partition(':')[0]}: no such kind of database here ({error})") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _Pragmas(busy_timeout))
        file = DatabaseFile(engine.url.database or "", create=create)
        event.listen(engine, "do_connect", file.connect)
        event.listen(engine, "begin", _Begins(file))
    elif engine.dialect.name == postgresql.NAME:
        event.listen(engine, "connect", postgresql.ConnectionSettings(busy_timeout, reads=reads))
        event.listen(engine, "begin", postgresql.begin)
    else:
        raise StoreUnusable(f"{engine.dialect.name}: no such kind of database here: SQLite or PostgreSQL")
    return engine


def taking(takes: Takes) -> dict[str, Any]:
    """Execution options of transactions that take so much.

    A transaction that starts by reading and then writes cannot wait for another writer: SQLite answers
    "locked" at once. So it is said when they begin.
    """
    return {"kmemlab_takes": takes}


def wait_at_most(connection: Connection, seconds: float) -> None:
    """Have one connection wait for another's lock no longer than this, for as long as it is open."""
    # Past SQLAlchemy, which would begin a transaction for it.
    raw = connection.connection
    if connection.dialect.name == "sqlite":
        raw.cursor().execute(_busy_timeout(seconds))
    else:
        raw.cursor().execute(f"SET lock_timeout = {postgresql.milliseconds(seconds)}")
        raw.commit()


def _busy_timeout(seconds: float) -> str:
    return f"PRAGMA busy_timeout = {int(seconds * 1000)}"


class _Pragmas:
    """What SQLite forgets between connections."""

    def __init__(self, busy_timeout: float) -> None:
        self.statements = (
            _busy_timeout(busy_timeout),
            "PRAGMA foreign_keys = ON",
            "PRAGMA synchronous = FULL",
            "PRAGMA secure_delete = ON",  # what is deleted is not left to be read in the file
            f"PRAGMA journal_size_limit = {WAL_LIMIT}",
        )

    def __call__(self, connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions by itself, and too late
        for statement in self.statements:
            connection.execute(statement)


class _Begins:
    """Begins transactions as they were asked for, in the file that was asked for."""

    def __init__(self, file: DatabaseFile) -> None:
        self.file = file

    def __call__(self, connection: Connection) -> None:
        self.file.check()
        takes = connection.get_execution_options().get("kmemlab_takes", Takes.NOTHING)
        connection.exec_driver_sql("BEGIN" if takes is Takes.NOTHING else "BEGIN IMMEDIATE")
