"""Rows of sessions: owner, name, and the seq of the head."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Connection,
    Result,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from app.store import lists, states
from app.store.tables import (
    access,
    journal,
    labs,
    members,
    names,
    replies,
    row_lists,
    sessions,
    snapshots,
    variants,
)


class SessionRow(NamedTuple):
    """The row of a session."""

    id: str
    owner: str
    name: str
    created: str
    engine: int
    # Its description.
    machine: str
    # What it was booted from. Both JSON.
    boot: str | None
    origin_id: str | None
    origin_seq: int | None
    start: int
    seq: int
    effective: int
    lab_id: str | None = None
    locked: bool = False
    # Of all that it has caused to be stored.
    bytes: int = 0
    # The calls that its task allows for now; None for all.
    allow: str | None = None


class Head(NamedTuple):
    """The head of a session."""

    seq: int
    effective: int
    # Why it takes no calls: its lab is `closed` or `frozen`, or it is `locked`.
    held: str | None = None
    # Of all that it has caused to be stored.
    bytes: int = 0
    # The calls that its task allows for now; None for all.
    allow: str | None = None


class SessionPosition(NamedTuple):
    """The columns of a session that the wall reads again and again."""

    id: str
    owner: str
    created: str
    start: int
    seq: int
    locked: bool


_COLUMNS: Final = [sessions.c[name] for name in SessionRow._fields]
_ONE: Final = select(*_COLUMNS).where(sessions.c.id == bindparam("of"))
_HELD: Final = case(
    (labs.c.closed.is_not(None), "closed"), (labs.c.frozen, "frozen"), (sessions.c.locked, "locked")
).label("held")
_HEADS: Final = (
    select(sessions.c.id, sessions.c.seq, sessions.c.effective, _HELD, sessions.c.bytes, sessions.c.allow)
    .select_from(sessions.outerjoin(labs, labs.c.id == sessions.c.lab_id))
    .where(sessions.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(sessions.c.id)
)
# On SQLite, which knows no locks of rows, a transaction that writes has locked everything. Others may still
# refer to the rows meanwhile (`key_share`).
_LOCKED_HEADS: Final = _HEADS.with_for_update(of=sessions, key_share=True)
_FREE_HEADS: Final = _HEADS.with_for_update(of=sessions, key_share=True, skip_locked=True)
_SEQS: Final = select(sessions.c.id, sessions.c.seq).where(
    sessions.c.id.in_(bindparam("ids", expanding=True))
)


_PLACES: Final = (
    select(*(sessions.c[name] for name in SessionPosition._fields))
    .where(sessions.c.lab_id == bindparam("of"))
    .order_by(sessions.c.created, sessions.c.id)
)


def create(db: Connection, row: SessionRow) -> None:
    """Write a new session."""
    db.execute(insert(sessions), row._asdict())


def get(db: Connection, session_id: str) -> SessionRow | None:
    """One session; None where there is none."""
    row = db.execute(_ONE, {"of": session_id}).first()
    return None if row is None else SessionRow._make(row)


def heads(db: Connection, session_ids: Collection[str]) -> dict[str, Head]:
    """The heads of the given sessions, as they are; missing ones are left out."""
    return _heads(db.execute(_HEADS, {"ids": list(session_ids)}))


def locked_head(db: Connection, session_id: str) -> Head | None:
    """The head of a session, locked until the transaction ends; None where there is no such session."""
    return _heads(db.execute(_LOCKED_HEADS, {"ids": [session_id]})).get(session_id)


def free_heads(db: Connection, session_ids: Collection[str]) -> tuple[dict[str, Head], set[str]]:
    """The heads of the given sessions, locked until the transaction ends, without waiting for any.

    Also the ids of those that another transaction has locked. Sessions that do not exist are in neither.
    """
    found = _heads(db.execute(_FREE_HEADS, {"ids": list(session_ids)}))
    missing = set(session_ids) - set(found)
    return found, set(seqs(db, missing)) if missing else set()


def _heads(rows: Result[Any]) -> dict[str, Head]:
    return {row.id: Head(row.seq, row.effective, row.held, row.bytes, row.allow) for row in rows}


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
    """How many sessions a principal owns, beside those that were made for their variants of exercises."""
    made = exists().where(variants.c.session_id == sessions.c.id, variants.c.member_id == principal)
    query = select(func.count()).select_from(sessions).where(sessions.c.owner == principal, ~made)
    count: Any = db.execute(query).scalar_one()
    return int(count)


def bytes_of(db: Connection, principal: str) -> int:
    """Bytes of all sessions that a principal owns."""
    query = select(func.coalesce(func.sum(sessions.c.bytes), 0)).where(sessions.c.owner == principal)
    return int(db.execute(query).scalar_one())


def grow(db: Connection, session_id: str, by: int) -> None:
    """Count bytes that a session has caused to be stored."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(bytes=sessions.c.bytes + by))


def rename(db: Connection, session_id: str, name: str) -> None:
    """Give a session another name."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(name=name))


def remove(db: Connection, session_id: str) -> None:
    """Delete a session with all its rows, and the states and lists that no other session has."""
    its_states, its_lists = states.of(db, session_id), lists.of(db, session_id)
    for table in (journal, names, access, snapshots, row_lists, replies):
        db.execute(delete(table).where(table.c.session_id == session_id))
    db.execute(delete(sessions).where(sessions.c.id == session_id))
    states.forget(db, its_states)
    lists.forget(db, its_lists)


def put_into_lab(db: Connection, session_id: str, lab_id: str) -> None:
    """Make a session a lab's."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(lab_id=lab_id))


def leave_lab(db: Connection, session_id: str, lab_id: str) -> None:
    """Take a session out of its lab: the lab's members have no role there any more."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(lab_id=None, locked=False))
    db.execute(delete(access).where(access.c.session_id == session_id, access.c.principal == f"lab:{lab_id}"))


def lock(db: Connection, session_id: str, *, locked: bool) -> None:
    """Lock a session against calls of members, or unlock it."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(locked=locked))


def allow(db: Connection, session_id: str, calls: str | None) -> None:
    """Say which calls a session's task allows from now on; None for all."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(allow=calls))


def of_lab(db: Connection, lab_id: str) -> list[SessionRow]:
    """Every session that belongs to a lab, the oldest first."""
    query = select(*_COLUMNS).where(sessions.c.lab_id == lab_id).order_by(sessions.c.created, sessions.c.id)
    return [SessionRow._make(row) for row in db.execute(query)]


def positions(db: Connection, lab_id: str) -> list[SessionPosition]:
    """Where every session is that belongs to a lab, the oldest first."""
    return [SessionPosition._make(row) for row in db.execute(_PLACES, {"of": lab_id})]


def all_owned(db: Connection, owner: str) -> list[SessionRow]:
    """Every session of a principal."""
    return [SessionRow._make(row) for row in db.execute(select(*_COLUMNS).where(sessions.c.owner == owner))]


def owned_by(db: Connection, owners: Collection[str]) -> list[str]:
    """The ids of all sessions of some principals."""
    return list(db.execute(select(sessions.c.id).where(sessions.c.owner.in_(owners))).scalars())


def orphans(db: Connection) -> list[str]:
    """Sessions of members who are gone."""
    query = select(sessions.c.id).where(
        sessions.c.owner.startswith("m_", autoescape=True), sessions.c.owner.not_in(select(members.c.id))
    )
    return list(db.execute(query).scalars())


def forget_people(db: Connection, principals: Collection[str], *, called: bool = True) -> None:
    """Delete what principals have left in other people's sessions, beside the rows.

    called: whether they may have made a call. Only calls give names, and no index finds names by person.
    """
    if called:
        db.execute(delete(names).where(names.c.person.in_(principals)))
    db.execute(delete(access).where(access.c.principal.in_(principals)))
    db.execute(delete(replies).where(replies.c.principal.in_(principals)))


def give_all(db: Connection, before: str, owner: str) -> int:
    """Give everything of one principal to another: sessions, names, replies. How many sessions they were."""
    for table, column in ((names, names.c.person), (replies, replies.c.principal)):
        db.execute(update(table).where(column == before).values({column: owner}))
    return db.execute(update(sessions).where(sessions.c.owner == before).values(owner=owner)).rowcount
