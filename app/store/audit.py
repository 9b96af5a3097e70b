"""The audit log: acts of instructors and of the server, written once."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, or_, select

from app.store.tables import audit


class Act(NamedTuple):
    """An entry of the audit log: an act of an instructor or of the server."""

    time: str
    # The id of the person who did it; `server` for the server.
    actor: str
    act: str
    lab_id: str | None
    # The id of what it was done to.
    target: str
    # What is not in the ids.
    detail: str


class Noted(NamedTuple):
    """An act with its place in the log."""

    id: int
    act: Act


_ACTS: Final = select(audit.c.id, *(audit.c[name] for name in Act._fields))


def note(db: Connection, act: Act) -> None:
    """Add one."""
    db.execute(insert(audit), act._asdict())


def concerning(db: Connection, actor: str, made: str, most: int, before: int | None = None) -> list[Noted]:
    """Acts by a person, on a person, and in the labs that they have created; the latest first.

    made: the act by which a lab is made. before: the last id seen.
    """
    theirs = select(audit.c.lab_id).where(audit.c.actor == actor, audit.c.act == made)
    query = _ACTS.where(or_(audit.c.actor == actor, audit.c.target == actor, audit.c.lab_id.in_(theirs)))
    if before is not None:
        query = query.where(audit.c.id < before)
    rows = db.execute(query.order_by(audit.c.id.desc()).limit(most))
    return [Noted(row[0], Act._make(row[1:])) for row in rows]
