"""The one row of the table `clock`: which time was trusted last."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from app.store.tables import clock

_ONLY: Final = 1


class ClockRow(NamedTuple):
    """What is known of the clock."""

    # The latest time that was believed.
    trusted: str
    # What the clock showed last.
    seen: str
    # For how many seconds servers have run since it jumped ahead of `trusted`.
    ran: float


def get(db: Connection) -> ClockRow | None:
    """The row; None in a new database."""
    row = db.execute(select(clock.c.trusted, clock.c.seen, clock.c.ran)).first()
    return None if row is None else ClockRow._make(row)


def put(db: Connection, row: ClockRow) -> None:
    """Replace it."""
    db.execute(delete(clock))
    db.execute(insert(clock), {"id": _ONLY, **row._asdict()})
