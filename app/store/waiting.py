"""The waiting list of a lab that has as many members as it expects."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from app.store.people import MemberRow
from app.store.tables import members

_ROW: Final = select(*(members.c[name] for name in MemberRow._fields)).where(members.c.waiting.is_not(None))


def count(db: Connection, lab_id: str) -> int:
    """How many are on the list."""
    query = select(func.count()).where(members.c.lab_id == lab_id, members.c.waiting.is_not(None))
    found: Any = db.execute(query).scalar_one()
    return int(found)


def listed(db: Connection, lab_id: str, after: int = 0, most: int | None = None) -> list[MemberRow]:
    """Those who wait, in the order in which they came; or so many behind a number."""
    query = _ROW.where(members.c.lab_id == lab_id, members.c.number > after).order_by(members.c.number)
    return [MemberRow._make(row) for row in db.execute(query.limit(most))]


def newest(db: Connection, lab_id: str, most: int) -> list[MemberRow]:
    """So many of those who wait, the last who came first."""
    query = _ROW.where(members.c.lab_id == lab_id).order_by(members.c.number.desc()).limit(most)
    return [MemberRow._make(row) for row in db.execute(query)]


def numbered(db: Connection, lab_id: str, numbers: Collection[int]) -> list[MemberRow]:
    """Those of some numbers who wait."""
    query = _ROW.where(members.c.lab_id == lab_id, members.c.number.in_(numbers)).order_by(members.c.number)
    return [MemberRow._make(row) for row in db.execute(query)]


def unseen(db: Connection, lab_id: str, before: str, most: int) -> list[str]:
    """The ids of persons who have not asked since a time; the longest ago first."""
    query = (
        select(members.c.id)
        .where(members.c.lab_id == lab_id, members.c.waiting < before)
        .order_by(members.c.waiting, members.c.number)
    )
    return list(db.execute(query.limit(most)).scalars())


def seen(db: Connection, member_id: str, time: str) -> None:
    """Note that a person on the list has asked."""
    mine = members.c.id == member_id, members.c.waiting.is_not(None)
    db.execute(update(members).where(*mine).values(waiting=time))


def admit(db: Connection, ids: Collection[str]) -> None:
    """Make some who wait members."""
    db.execute(update(members).where(members.c.id.in_(ids)).values(waiting=None))
