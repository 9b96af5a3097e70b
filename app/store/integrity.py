"""Checks the database's integrity, as far as the database itself can."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

MOST_FAULTS: Final = 10


def faults(db: Connection) -> list[str]:
    """What SQLite finds wrong with its file, and rows that refer to missing ones. Others check themselves."""
    if db.dialect.name != "sqlite":
        return []
    lines = db.exec_driver_sql(f"PRAGMA integrity_check({MOST_FAULTS})").scalars()
    found = [line for line in lines if line != "ok"]
    broken = db.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FAULTS)
    return [*found, *(f"a row of {row[0]} refers to a missing one of {row[2]}" for row in broken)]
