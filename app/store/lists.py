"""Lists of blocks that repeated calls returned: each stored once, however many sessions have it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, insert, select

from app.store.tables import lists, row_lists


class StoredList(NamedTuple):
    """A list as it is kept. sha256: of its JSON. blocks: how many it has. body: the JSON, compressed."""

    sha256: str
    blocks: int
    body: bytes


class RowList(NamedTuple):
    """Which list a row of a session returned."""

    session_id: str
    seq: int
    stored: StoredList


_ONE: Final = (
    select(lists.c.sha256, lists.c.blocks, lists.c.body)
    .join_from(row_lists, lists, row_lists.c.sha256 == lists.c.sha256)
    .where(row_lists.c.session_id == bindparam("of"), row_lists.c.seq == bindparam("at"))
)
_THERE: Final = select(exists().where(lists.c.sha256 == bindparam("of")))


def put(db: Connection, made: Iterable[RowList]) -> None:
    """Note which lists rows have returned, storing each that nobody has yet."""
    for session_id, seq, stored in made:
        if not db.execute(_THERE, {"of": stored.sha256}).scalar():
            db.execute(insert(lists), stored._asdict())
        db.execute(insert(row_lists), {"session_id": session_id, "seq": seq, "sha256": stored.sha256})


def get(db: Connection, session_id: str, seq: int) -> StoredList | None:
    """The list that a row returned; None where it returned none."""
    row = db.execute(_ONE, {"of": session_id, "at": seq}).first()
    return None if row is None else StoredList._make(row)


def seq_of(db: Connection, session_id: str, sha256: str) -> int | None:
    """A row of the session that has returned this list; None where none has."""
    query = select(row_lists.c.seq).where(row_lists.c.session_id == session_id, row_lists.c.sha256 == sha256)
    return db.execute(query.order_by(row_lists.c.seq).limit(1)).scalar()


def carried(db: Connection, session_id: str) -> list[int]:
    """The numbers of the lists that no row of the session has returned: all below 1."""
    query = select(row_lists.c.seq).where(row_lists.c.session_id == session_id, row_lists.c.seq < 1)
    return list(db.execute(query.order_by(row_lists.c.seq)).scalars())


def carry(db: Connection, session_id: str, sha256: str) -> int | None:
    """Let a session refer to a stored list; by which seq it can. None where it is not stored any more."""
    found = seq_of(db, session_id, sha256)
    if found is not None:
        return found
    if not db.execute(_THERE, {"of": sha256}).scalar():
        return None
    number = min(carried(db, session_id), default=1) - 1
    db.execute(insert(row_lists), {"session_id": session_id, "seq": number, "sha256": sha256})
    return number


def of(db: Connection, session_id: str) -> list[str]:
    """The hashes of a session's lists."""
    query = select(row_lists.c.sha256).where(row_lists.c.session_id == session_id).distinct()
    return list(db.execute(query).scalars())


def forget(db: Connection, hashes: Collection[str]) -> None:
    """Delete those of the given lists that no session has."""
    for sha256 in hashes:
        unused = ~exists().where(row_lists.c.sha256 == sha256)
        db.execute(delete(lists).where(lists.c.sha256 == sha256, unused))
