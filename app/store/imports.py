"""Sessions that are being imported: written part by part, without an owner until all of it is there."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from app.store import lists, sessions
from app.store.sessions import SessionRow
from app.store.tables import access, journal, lab_machines, names, replies
from app.store.tables import sessions as table

# No principal has this id, so such a session is invisible.
UNOWNED: Final = ""

_FIRST: Final = (
    select(journal.c.seq, func.length(journal.c.args) + func.length(journal.c.outcome))
    .where(journal.c.session_id == bindparam("of"))
    .order_by(journal.c.seq)
    .limit(bindparam("most"))
)
_CUT: Final = delete(journal).where(journal.c.session_id == bindparam("of"), journal.c.seq <= bindparam("to"))


def begin(db: Connection, row: SessionRow) -> None:
    """Write a session's row, without an owner yet."""
    sessions.create(db, row._replace(owner=UNOWNED))


def begin_later(db: Connection, session_id: str, created: str) -> None:
    """Give a session a later time of its beginning, where that is later than the one it has."""
    earlier = table.c.id == session_id, table.c.created < created
    db.execute(update(table).where(*earlier).values(created=created))


def publish(db: Connection, session_id: str, owner: str, created: str, lab_id: str | None = None) -> None:
    """Give a session whose rows are all there to its owner, in the lab whose member that is.

    created: when, or later where the session was begun with a later time, before which all its rows lie.
    """
    mine = table.c.id == session_id, table.c.owner == UNOWNED
    begun = case((table.c.created > created, table.c.created), else_=created)
    done = db.execute(update(table).where(*mine).values(owner=owner, created=begun, lab_id=lab_id))
    if done.rowcount != 1:
        raise LookupError(f"session {session_id} is not being imported")


def abandon(db: Connection, session_id: str) -> None:
    """Take a session from its owner. Its rows are deleted later, part by part: there may be very many."""
    for table_ in (names, access, replies, lab_machines):
        db.execute(delete(table_).where(table_.c.session_id == session_id))
    gone = {"owner": UNOWNED, "created": "", "lab_id": None}
    db.execute(update(table).where(table.c.id == session_id).values(gone))


def cut(db: Connection, session_id: str, rows: int, most: int) -> bool:
    """Delete the first rows of an abandoned session, as many as make `most` bytes; whether there were any."""
    found = db.execute(_FIRST, {"of": session_id, "most": rows})
    to, size = None, 0
    for seq, length in found:
        to, size = seq, size + length
        if size >= most:
            break
    found.close()
    if to is not None:
        db.execute(_CUT, {"of": session_id, "to": to})
        return True
    return lists.cut(db, session_id, rows)


def abandoned(db: Connection, before: str) -> list[SessionRow]:
    """Imports that were begun before a time and never published."""
    query = select(*(table.c[name] for name in SessionRow._fields))
    rows = db.execute(query.where(table.c.owner == UNOWNED, table.c.created < before))
    return [SessionRow._make(row) for row in rows]


def published(db: Connection) -> list[str]:
    """The ids of all sessions that have an owner, the oldest first."""
    query = select(table.c.id).where(table.c.owner != UNOWNED).order_by(table.c.created, table.c.id)
    return list(db.execute(query).scalars())
