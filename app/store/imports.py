"""Sessions that are being imported: written part by part, and nobody's until all of it is there."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, select, update

from app.store import sessions
from app.store.sessions import SessionRow
from app.store.tables import journal
from app.store.tables import sessions as table

# No principal has this id, so nobody sees such a session.
NOBODY: Final = ""

_CUT: Final = delete(journal).where(journal.c.session_id == bindparam("of"), journal.c.seq <= bindparam("to"))


def begin(db: Connection, row: SessionRow) -> None:
    """Write a session's row, for nobody yet."""
    sessions.create(db, row._replace(owner=NOBODY))


def begin_later(db: Connection, session_id: str, created: str) -> None:
    """Give a session a later time of its beginning, where that is later than the one it has."""
    earlier = table.c.id == session_id, table.c.created < created
    db.execute(update(table).where(*earlier).values(created=created))


def publish(db: Connection, session_id: str, owner: str, created: str, lab_id: str | None = None) -> None:
    """Give a session whose rows are all there to its owner, in the lab whose member that is.

    created: when, or later where the session was begun with a later time, before which all its rows lie.
    """
    mine = table.c.id == session_id, table.c.owner == NOBODY
    begun = case((table.c.created > created, table.c.created), else_=created)
    done = db.execute(update(table).where(*mine).values(owner=owner, created=begun, lab_id=lab_id))
    if done.rowcount != 1:
        raise LookupError(f"session {session_id} is not being imported")


def cut(db: Connection, session_id: str, to: int) -> None:
    """Delete the rows up to a seq of a session that nobody will have."""
    db.execute(_CUT, {"of": session_id, "to": to})


def abandoned(db: Connection, before: str) -> list[SessionRow]:
    """What was begun before a time and never published."""
    query = select(*(table.c[name] for name in SessionRow._fields))
    rows = db.execute(query.where(table.c.owner == NOBODY, table.c.created < before))
    return [SessionRow._make(row) for row in rows]


def published(db: Connection) -> list[str]:
    """The ids of all sessions that are somebody's, the oldest first."""
    query = select(table.c.id).where(table.c.owner != NOBODY).order_by(table.c.created, table.c.id)
    return list(db.execute(query).scalars())
