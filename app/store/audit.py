"""What was done that not everybody may do: written once, read by those whom it concerns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, or_, select

from app.store.tables import audit


class Act(NamedTuple):
    """actor: the id of who did it. target: the id of what it was done to. detail: what is not in the ids."""

    time: str
    actor: str
    act: str
    lab_id: str | None
    target: str
    detail: str


class Noted(NamedTuple):
    """An act with its place in the log."""

    id: int
    act: Act


_ACTS: Final = select(audit.c.id, *(audit.c[name] for name in Act._fields))


def note(db: Connection, act: Act) -> None:
    """Add one."""
    db.execute(insert(audit), act._asdict())


def concerning(
    db: Connection, actor: str, lab_ids: Collection[str], most: int, before: int | None = None
) -> list[Noted]:
    """What somebody has done, and what was done in their labs, the latest first. before: the last id seen."""
    query = _ACTS.where(or_(audit.c.actor == actor, audit.c.lab_id.in_(lab_ids)))
    if before is not None:
        query = query.where(audit.c.id < before)
    rows = db.execute(query.order_by(audit.c.id.desc()).limit(most))
    return [Noted(row[0], Act._make(row[1:])) for row in rows]
