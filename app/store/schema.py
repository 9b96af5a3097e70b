"""The database's schema: brought to this program's revision, or refused."""

from __future__ import annotations

import re
import sqlite3
import time
from functools import cache
from typing import Final

from sqlalchemy import Connection, Engine, column, inspect, select, table
from sqlalchemy.exc import DBAPIError

from app.paths import MIGRATIONS
from app.store import postgresql
from app.store.engine import taking
from app.store.errors import StoreUnusable
from app.store.takes import Takes
from app.store.url import without_secrets

# How long a starting process waits for another one that migrates.
LOCK_SECONDS: Final = 60.0

SAID: Final = re.compile(r'^(revision|down_revision) = ("\w+"|None)$', re.MULTILINE)

# Alembic's: where the database's revision stands.
VERSION: Final = table("alembic_version", column("version_num"))
CURRENT: Final = select(VERSION.c.version_num)


@cache
def revisions() -> tuple[str, ...]:
    """Every revision that this program has, from the first to the last: a file says which one it follows."""
    follower: dict[str, str] = {}
    for file in (MIGRATIONS / "versions").glob("*.py"):
        said = dict(SAID.findall(file.read_text("utf-8")))
        follower[said["down_revision"]] = said["revision"]
    found = [follower["None"]]
    while found[-1] in follower:
        found.append(follower[found[-1]])
    return tuple(name.strip('"') for name in found)


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to the given revision, creating it where there is none. Raises StoreUnusable.

    Safe when several processes start at once: the lock is taken before the revision is read.
    """
    try:
        with engine.connect() as connection, connection.begin():
            known(connection)  # before anything is changed in a file that may be another program's
        with engine.connect().execution_options(**taking(Takes.ROWS)) as connection:
            if engine.dialect.name == "sqlite":
                _prepare_sqlite(connection)
            with connection.begin():
                if engine.dialect.name == postgresql.NAME:
                    postgresql.lock_for_migration(connection)
                before = known(connection)
                if before != (revisions()[-1] if revision == "head" else revision):
                    from app.store.upgrade import upgrade  # noqa: PLC0415  # not in every start

                    upgrade(connection, revision)
                if known(connection) != before:  # it reads everything: too long for each start
                    _check_foreign_keys(connection)
            connection.invalidate()  # its foreign keys are off
    except DBAPIError as error:
        raise unusable(engine, error) from error


def check(engine: Engine) -> None:
    """Raise StoreUnusable unless the database is at this program's revision."""
    try:
        with engine.connect() as connection, connection.begin():
            current = known(connection)
    except DBAPIError as error:
        raise unusable(engine, error) from error
    if current != revisions()[-1]:
        raise StoreUnusable(
            f"{name_of(engine)}: its schema is older than this program's: run `kmemlab migrate`"
        )


def touch(connection: Connection) -> None:
    """Write, and change nothing: fails at the latest when it is committed, where nothing can be written."""
    connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")


def known(connection: Connection) -> str | None:
    """The database's revision, None where it is empty; StoreUnusable where this program knows it not."""
    tables = inspect(connection).get_table_names()
    current = connection.execute(CURRENT).scalar() if VERSION.name in tables else None
    where = name_of(connection.engine)
    if current is None and tables:
        raise StoreUnusable(f"{where}: a database of another program; give kmemlab a file of its own")
    if current is not None and current not in revisions():
        raise StoreUnusable(f"{where}: written by a newer kmemlab (schema {current}); start that version")
    return current


def name_of(engine: Engine) -> str:
    """The database as a person knows it: a file's name, or a URL without its password."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        return engine.url.database
    return without_secrets(engine.url)


def unusable(engine: Engine, error: DBAPIError) -> StoreUnusable:
    """A driver's error at start, as a sentence about the database."""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    why = {
        sqlite3.SQLITE_CANTOPEN: "cannot be opened: does its directory exist, and may this user write there?",
        sqlite3.SQLITE_NOTADB: "is not a database, or is damaged; restore it from a backup or move it away",
        sqlite3.SQLITE_CORRUPT: "is damaged; restore it from a backup or move it away",
        sqlite3.SQLITE_READONLY: "is read-only for this user",
        sqlite3.SQLITE_BUSY: "is held by another process",
        sqlite3.SQLITE_FULL: "has no room left on its file system",
    }.get(code, f"cannot be used: {error.orig}")
    return StoreUnusable(f"{name_of(engine)}: {why}")


def _prepare_sqlite(connection: Connection) -> None:
    """Outside any transaction: the write-ahead log on, foreign keys off.

    Rebuilding a table drops the old one; with foreign keys on that would delete every row that refers to it.
    """
    # Not through the Core connection, which would begin a transaction.
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    raw.execute(f"PRAGMA busy_timeout = {int(LOCK_SECONDS * 1000)}")
    raw.execute("PRAGMA foreign_keys = OFF")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            # Kept in the file. It needs a lock that another starting process may hold; SQLite does not wait.
            raw.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise DBAPIError("PRAGMA journal_mode", None, error) from error
            time.sleep(0.02)
        except sqlite3.DatabaseError as error:
            raise DBAPIError("PRAGMA journal_mode", None, error) from error
        else:
            return


def _check_foreign_keys(connection: Connection) -> None:
    """With foreign keys off, a mistake in a revision would show only much later."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise StoreUnusable(
                f"{name_of(connection.engine)}: {len(broken)} rows refer to missing ones; nothing was changed"
            )
