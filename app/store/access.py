"""Grants: which principal besides its owner may use a session, in which role."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, literal, or_, select

from app.store.tables import access, labs, sessions

# A lab's instructor has a role in the sessions that belong to it by that alone: it is granted nowhere.
INSTRUCTOR: Final = "instructor"

_OF: Final[BindParameter[str]] = bindparam("of")
_WHO: Final[BindParameter[str]] = bindparam("who")
_ROLE: Final = (
    select(literal(INSTRUCTOR))
    .select_from(sessions.join(labs, labs.c.id == sessions.c.lab_id))
    .where(sessions.c.id == _OF, labs.c.owner == _WHO)
    .union_all(
        select(access.c.role).where(
            access.c.session_id == _OF,
            or_(access.c.principal == _WHO, access.c.principal == bindparam("group")),
        )
    )
    .limit(1)
)


def role(db: Connection, session_id: str, principal: str, group: str | None = None) -> str | None:
    """The role that a principal has, or all of a group have; None where there is none."""
    return db.execute(_ROLE, {"of": session_id, "who": principal, "group": group}).scalar()


def readers(db: Connection, session_ids: Collection[str]) -> dict[str, set[str]]:
    """The ids of principals and groups that may read each of some sessions; missing for deleted ones."""
    query = (
        select(sessions.c.id, sessions.c.owner, labs.c.owner, access.c.principal)
        .select_from(
            sessions.outerjoin(labs, labs.c.id == sessions.c.lab_id).outerjoin(
                access, access.c.session_id == sessions.c.id
            )
        )
        .where(sessions.c.id.in_(session_ids))
    )
    found: dict[str, set[str]] = {}
    for session_id, *who in db.execute(query):
        found.setdefault(session_id, set()).update(who)
    return {session_id: who - {None} for session_id, who in found.items()}


def grant(db: Connection, session_id: str, principal: str, role: str) -> None:
    """Give a principal, or a group, a role instead of the one that it has."""
    revoke(db, session_id, principal)
    db.execute(insert(access).values(session_id=session_id, principal=principal, role=role))


def revoke(db: Connection, session_id: str, principal: str) -> None:
    """Take a role away."""
    db.execute(delete(access).where(access.c.session_id == session_id, access.c.principal == principal))
