"""Rows of failed sign-ins."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from app.store.tables import failures


class FailuresRow(NamedTuple):
    """The failures under one key."""

    # A hash of what was tried.
    key: str
    times: int
    # Until when further attempts are refused.
    until: str


_ROW: Final = select(*(failures.c[name] for name in FailuresRow._fields))


def get(db: Connection, key: str) -> FailuresRow | None:
    """The failures under a key; None where there are none."""
    row = db.execute(_ROW.where(failures.c.key == key)).first()
    return None if row is None else FailuresRow._make(row)


def put(db: Connection, row: FailuresRow) -> None:
    """Replace what is kept under a key."""
    remove(db, row.key)
    db.execute(insert(failures), row._asdict())


def remove(db: Connection, key: str) -> None:
    """Forget what is kept under a key."""
    db.execute(delete(failures).where(failures.c.key == key))


def sweep(db: Connection, before: str) -> None:
    """Forget those whose wait was over before a time."""
    db.execute(delete(failures).where(failures.c.until < before))
