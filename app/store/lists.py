"""Lists of blocks that repeated calls returned: each stored once, however many sessions have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from app.store.inserting import insert_new
from app.store.tables import lists, row_lists, sessions

# Hashes in one statement: a database takes only so many parameters.
HASHES_AT_ONCE: Final = 500


class StoredList(NamedTuple):
    """A list as it is kept."""

    # The hash of its JSON.
    sha256: str
    # How many blocks it has.
    blocks: int
    # The JSON, compressed.
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


def put(db: Connection, made: Sequence[RowList]) -> None:
    """Note which lists rows have returned, storing each that is not stored yet.

    Another server may store the same one at the same moment: its row counts for both. In the order of their
    hashes, so that of two servers each waits for the other's rows and never both.
    """
    stored = {one.stored.sha256: one.stored for one in made}
    there = known(db, stored)
    new = [stored[sha256]._asdict() for sha256 in sorted(stored) if sha256 not in there]
    if new:
        insert_new(db, lists, new)
    if made:
        rows = [{"session_id": sid, "seq": seq, "sha256": one.sha256} for sid, seq, one in made]
        db.execute(insert(row_lists), rows)


def known(db: Connection, hashes: Iterable[str]) -> set[str]:
    """The given hashes of which there is a list. None of those is deleted before the transaction ends."""
    found: set[str] = set()
    for some in _parts(hashes):
        query = select(lists.c.sha256).where(lists.c.sha256.in_(some)).order_by(lists.c.sha256)
        found.update(db.execute(query.with_for_update(read=True, key_share=True)).scalars())
    return found


def get(db: Connection, session_id: str, seq: int) -> StoredList | None:
    """The list that a row returned; None where it returned none."""
    row = db.execute(_ONE, {"of": session_id, "at": seq}).first()
    return None if row is None else StoredList._make(row)


def seqs_of(db: Connection, session_id: str, hashes: Iterable[str]) -> dict[str, int]:
    """By which seq a session knows each of the given lists; those that it does not have are missing."""
    found: dict[str, int] = {}
    for some in _parts(hashes):
        query = select(row_lists.c.sha256, func.min(row_lists.c.seq).label("seq"))
        mine = row_lists.c.session_id == session_id, row_lists.c.sha256.in_(some)
        rows = db.execute(query.where(*mine).group_by(row_lists.c.sha256))
        found |= {row.sha256: row.seq for row in rows}
    return found


def carried(db: Connection, session_id: str) -> list[int]:
    """The numbers of the lists that no row of the session has returned: all below 1."""
    query = select(row_lists.c.seq).where(row_lists.c.session_id == session_id, row_lists.c.seq < 1)
    return list(db.execute(query.order_by(row_lists.c.seq)).scalars())


def carry(db: Connection, session_id: str, hashes: Iterable[str]) -> dict[str, int]:
    """Let a session refer to stored lists; by which seq it can refer to each.

    Those that are not stored any more are missing. The session counts the bytes of those that it gets.
    """
    wanted = list(dict.fromkeys(hashes))
    found = seqs_of(db, session_id, wanted)
    new = [sha256 for sha256 in wanted if sha256 not in found]
    there = known(db, new)
    first = min(carried(db, session_id), default=1) - 1
    made = {sha256: first - place for place, sha256 in enumerate(one for one in new if one in there)}
    if made:
        rows = [{"session_id": session_id, "seq": seq, "sha256": sha256} for sha256, seq in made.items()]
        db.execute(insert(row_lists), rows)
        size = sum(_sizes(db, made))
        db.execute(update(sessions).where(sessions.c.id == session_id).values(bytes=sessions.c.bytes + size))
    return found | made


def _sizes(db: Connection, hashes: Iterable[str]) -> Iterator[int]:
    for some in _parts(hashes):
        query = select(func.coalesce(func.sum(func.length(lists.c.body)), 0)).where(lists.c.sha256.in_(some))
        yield int(db.execute(query).scalar_one())


def _parts(hashes: Iterable[str]) -> Iterator[Sequence[str]]:
    given = list(hashes)
    for first in range(0, len(given), HASHES_AT_ONCE):
        yield given[first : first + HASHES_AT_ONCE]


def of(db: Connection, session_id: str) -> list[str]:
    """The hashes of a session's lists."""
    query = select(row_lists.c.sha256).where(row_lists.c.session_id == session_id).distinct()
    return list(db.execute(query).scalars())


def forget(db: Connection, hashes: Iterable[str]) -> None:
    """Delete those of the given lists that no session has.

    One that another server's transaction has found for a row of its own stays. The second statement sees
    what was committed before the first has locked.
    """
    unused = ~exists().where(row_lists.c.sha256 == lists.c.sha256)
    for some in _parts(hashes):
        free = select(lists.c.sha256).where(lists.c.sha256.in_(some), unused)
        locked = list(db.execute(free.with_for_update(skip_locked=True)).scalars())
        if locked:
            db.execute(delete(lists).where(lists.c.sha256.in_(locked), unused))


def cut(db: Connection, session_id: str, most: int) -> bool:
    """Delete the first lists of an abandoned session, at most so many; whether there were any."""
    query = select(row_lists.c.seq, row_lists.c.sha256)
    mine = row_lists.c.session_id == session_id
    found = db.execute(query.where(mine).order_by(row_lists.c.seq).limit(most)).fetchall()
    if found:
        db.execute(delete(row_lists).where(mine, row_lists.c.seq <= found[-1][0]))
        forget(db, {sha256 for _, sha256 in found})
    return bool(found)
