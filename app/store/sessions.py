"""Rows of sessions: who has which, where its head is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, tuple_, update

from app.store import states
from app.store.tables import access, journal, names, replies, sessions, snapshots


class SessionRow(NamedTuple):
    """A session as it is kept. machine: its description. boot: what it was booted from. Both JSON."""

    id: str
    owner: str
    name: str
    created: str
    engine: int
    machine: str
    boot: str | None
    origin_id: str | None
    origin_seq: int | None
    start: int
    seq: int
    effective: int


class Head(NamedTuple):
    """Where a session is."""

    seq: int
    effective: int


_COLUMNS: Final = [sessions.c[name] for name in SessionRow._fields]
_ONE: Final = select(*_COLUMNS).where(sessions.c.id == bindparam("of"))
# Locks the rows where the database locks rows; on SQLite a transaction that writes has locked everything.
_HEADS: Final = (
    select(sessions.c.id, sessions.c.seq, sessions.c.effective)
    .where(sessions.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(sessions.c.id)
    .with_for_update()
)
_SEQS: Final = select(sessions.c.id, sessions.c.seq).where(
    sessions.c.id.in_(bindparam("ids", expanding=True))
)


def create(db: Connection, row: SessionRow) -> None:
    """Write a new session."""
    db.execute(insert(sessions), row._asdict())


def get(db: Connection, session_id: str) -> SessionRow | None:
    """One session; None where there is none."""
    row = db.execute(_ONE, {"of": session_id}).first()
    return None if row is None else SessionRow._make(row)


def heads(db: Connection, session_ids: Collection[str]) -> dict[str, Head]:
    """Where the given sessions are, until the transaction ends; those that do not exist are missing."""
    rows = db.execute(_HEADS, {"ids": list(session_ids)})
    return {row.id: Head(row.seq, row.effective) for row in rows}


def seqs(db: Connection, session_ids: Collection[str]) -> dict[str, int]:
    """The last seq of each of the given sessions; those that do not exist are missing."""
    return {row.id: row.seq for row in db.execute(_SEQS, {"ids": list(session_ids)})}


def visible(
    db: Connection, principal: str, most: int, before: tuple[str, str] | None = None
) -> list[SessionRow]:
    """What a principal owns or was granted, newest first. before: created and id of the last one seen."""
    granted = select(access.c.session_id).where(access.c.principal == principal)
    query = select(*_COLUMNS).where(or_(sessions.c.owner == principal, sessions.c.id.in_(granted)))
    if before is not None:
        query = query.where(tuple_(sessions.c.created, sessions.c.id) < tuple_(*before))
    query = query.order_by(sessions.c.created.desc(), sessions.c.id.desc()).limit(most)
    return [SessionRow._make(row) for row in db.execute(query)]


def owned(db: Connection, principal: str) -> int:
    """How many sessions a principal owns."""
    query = select(func.count()).select_from(sessions).where(sessions.c.owner == principal)
    count: Any = db.execute(query).scalar_one()
    return int(count)


def rename(db: Connection, session_id: str, name: str) -> None:
    """Give a session another name."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(name=name))


def remove(db: Connection, session_id: str) -> None:
    """Delete a session with its journal, names, grants and replies, and the states that nobody else has."""
    unshared = states.of(db, session_id)
    for table in (journal, names, access, snapshots, replies):
        db.execute(delete(table).where(table.c.session_id == session_id))
    db.execute(delete(sessions).where(sessions.c.id == session_id))
    states.forget(db, unshared)
