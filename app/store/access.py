"""Grants: which principal besides its owner may use a session, in which role."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, select

from app.store.tables import access

_ROLE: Final = select(access.c.role).where(
    access.c.session_id == bindparam("of"), access.c.principal == bindparam("who")
)


def role(db: Connection, session_id: str, principal: str) -> str | None:
    """The role that a principal was granted; None where none was."""
    return db.execute(_ROLE, {"of": session_id, "who": principal}).scalar()
