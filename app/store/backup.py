"""Copies the database, as it is at one moment, to a file, also while it is served.

SQLite's own online backup, so no writer waits. What it copies is what one reading transaction sees; were
there none, every commit of another connection would make it begin again.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from app.store.errors import StoreUnusable, translated

PAGES_AT_ONCE: Final = 2_000  # copied at a time; progress is reported between them

# What SQLite keeps beside a database's file, by the ends of their names: to write over one destroys it.
BESIDE: Final = ("-wal", "-shm", "-journal")

OnProgress = Callable[[int, int], None]


def backup(engine: Engine, to: Path, *, force: bool, on_progress: OnProgress) -> None:
    """Copy the database to a file that appears when it is complete, checked and on the disk.

    force: whether to replace a file. told: how many of how many pages have been copied. Raises StoreUnusable,
    Busy and StorageFull.
    """
    if engine.dialect.name != "sqlite":
        raise StoreUnusable(
            f"this database is {engine.dialect.name}'s; back it up with its own tool (PostgreSQL: pg_dump)"
        )
    source = Path(engine.url.database or "")
    refuse_to_replace(to, source, force=force)
    part = to.with_name(f"{to.name}.part")
    try:
        part.unlink(missing_ok=True)
        copy(engine, part, on_progress)
        refuse_to_replace(to, source, force=force)
        on_disk(part)
        part.replace(to)
        on_disk(to.parent)
    except OSError as error:
        raise StoreUnusable(f"{to}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def refuse_to_replace(to: Path, source: Path, *, force: bool) -> None:
    """Raise StoreUnusable where there is something that would be lost."""
    if to.is_dir():
        raise StoreUnusable(f"{to} is a directory; name a file")
    if not to.parent.is_dir():
        raise StoreUnusable(f"{to.parent} is no directory")
    if to.exists() and source.exists() and to.samefile(source):
        raise StoreUnusable(f"{to} is the database itself")
    if to.resolve() in (Path(f"{source.resolve()}{end}") for end in BESIDE):
        raise StoreUnusable(f"{to} is a part of the database itself")
    if to.exists() and not force:
        raise StoreUnusable(f"{to} is there already; --force replaces it")


def copy(engine: Engine, part: Path, on_progress: OnProgress) -> None:
    """Everything that one transaction sees, and whether it is sound."""
    with translated(), engine.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema")  # the transaction begins by reading
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        try:
            with closing(sqlite3.connect(part, isolation_level=None)) as target:
                raw.backup(
                    target, pages=PAGES_AT_ONCE, progress=lambda _, left, all_: on_progress(all_ - left, all_)
                )
                # One file: nothing beside it is needed to read it, and serving it turns the log on again.
                target.execute("PRAGMA journal_mode = DELETE")
                found = [line for (line,) in target.execute("PRAGMA integrity_check(10)")]
        except sqlite3.Error as error:
            raise StoreUnusable(f"{part}: the copy cannot be written ({error})") from error
    if found != ["ok"]:
        raise StoreUnusable(f"the database is damaged, and so would be its copy: {'; '.join(found)}")


def on_disk(path: Path) -> None:
    """See that a file, or a directory's entries, would survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
