"""Rows of the journal: appended once, never changed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Result, bindparam, func, insert, select, update

from app.store import lists
from app.store.lists import RowList
from app.store.prepared import Prepared
from app.store.tables import journal, sessions

_CHUNK: Final = 1_000


class Row(NamedTuple):
    """One row."""

    session_id: str
    seq: int
    effective: int
    call: str
    # JSON from which the call is made again.
    args: bytes
    # The JSON that was answered.
    outcome: bytes
    by: str | None
    time: str


_APPEND: Final = Prepared(insert(journal), *Row._fields)
_ADVANCE: Final = Prepared(
    update(sessions)
    .where(sessions.c.id == bindparam("of"))
    .values(seq=bindparam("to"), effective=bindparam("like"), bytes=sessions.c.bytes + bindparam("more")),
    "to",
    "like",
    "more",
    "of",
)
_ROWS: Final = select(*(journal.c[name] for name in Row._fields)).order_by(journal.c.seq)
_TAIL: Final = _ROWS.where(
    journal.c.session_id == bindparam("of"),
    journal.c.seq > bindparam("after"),
    journal.c.seq <= bindparam("to"),
)
_PAGE: Final = (
    select(journal.c.seq, journal.c.outcome)
    .where(journal.c.session_id == bindparam("of"), journal.c.seq > bindparam("after"))
    .order_by(journal.c.seq)
    .limit(bindparam("most"))
)
_UP_TO: Final = (
    select(journal.c.seq, journal.c.outcome)
    .where(
        journal.c.session_id == bindparam("of"),
        journal.c.seq > bindparam("after"),
        journal.c.seq <= bindparam("to"),
    )
    .order_by(journal.c.seq)
)
_DOWN_TO: Final = (
    select(journal.c.seq, journal.c.outcome)
    .where(
        journal.c.session_id == bindparam("of"),
        journal.c.seq > bindparam("after"),
        journal.c.seq <= bindparam("to"),
    )
    .order_by(journal.c.seq.desc())
)
_REWINDS: Final = (
    select(journal.c.seq, journal.c.effective)
    .where(journal.c.session_id == bindparam("of"), journal.c.effective != journal.c.seq)
    .order_by(journal.c.seq)
)
_BACK: Final = (
    select(journal.c.seq, journal.c.effective)
    .where(
        journal.c.session_id == bindparam("of"),
        journal.c.seq <= bindparam("at"),
        journal.c.effective != journal.c.seq,
    )
    .order_by(journal.c.seq.desc())
    .limit(bindparam("most"))
)
_EFFECTIVE: Final = select(journal.c.effective).where(
    journal.c.session_id == bindparam("of"), journal.c.seq == bindparam("at")
)
_ONE: Final = select(journal.c.outcome).where(
    journal.c.session_id == bindparam("of"), journal.c.seq == bindparam("at")
)

IDS_AT_ONCE: Final = 500  # sessions in one statement: a database takes only so many parameters

_HEADS: Final = (
    select(journal.c.session_id, journal.c.seq, journal.c.time, journal.c.outcome)
    .select_from(
        sessions.join(journal, (journal.c.session_id == sessions.c.id) & (journal.c.seq == sessions.c.seq))
    )
    .where(sessions.c.id.in_(bindparam("ids", expanding=True)))
)

_TIME: Final = select(journal.c.time).where(
    journal.c.session_id == bindparam("of"), journal.c.seq == bindparam("at")
)

_LAST_BY: Final = (
    select(journal.c.session_id, journal.c.by, func.max(journal.c.seq))
    .where(journal.c.session_id.in_(bindparam("ids", expanding=True)), journal.c.by.is_not(None))
    .group_by(journal.c.session_id, journal.c.by)
)
_AT: Final = select(journal.c.seq, journal.c.time, journal.c.outcome).where(
    journal.c.session_id == bindparam("of"), journal.c.seq.in_(bindparam("seqs", expanding=True))
)

_MADE_BY: Final = (
    select(journal.c.seq, journal.c.outcome)
    .select_from(journal.join(sessions, sessions.c.id == journal.c.session_id))
    .where(
        journal.c.session_id == bindparam("of"),
        journal.c.by == bindparam("who"),
        journal.c.time >= sessions.c.created,
        journal.c.seq > bindparam("after"),
    )
    .order_by(journal.c.seq)
    .limit(_CHUNK)
)


def append(db: Connection, rows: Sequence[Row], made: Sequence[RowList] = ()) -> None:
    """Write rows, each session's in the order of their seqs, and move the sessions' heads to the last.

    made: the lists that some of them have returned.
    """
    _APPEND.run(db, rows)
    heads = {row.session_id: row for row in rows}
    grown = dict.fromkeys(heads, 0)
    for row in rows:
        grown[row.session_id] += len(row.args) + len(row.outcome)
    for one in made:
        grown[one.session_id] += len(one.stored.body)
    _ADVANCE.run(db, [(row.seq, row.effective, grown[sid], sid) for sid, row in heads.items()])
    lists.put(db, made)


def tail(db: Connection, session_id: str, after: int, to: int) -> Iterator[Row]:
    """The rows after one seq up to another, in order."""
    result = db.execute(_TAIL, {"of": session_id, "after": after, "to": to})
    for chunk in result.partitions(_CHUNK):
        for row in chunk:
            yield Row._make(row)


def last_before(db: Connection, session_id: str, time: str) -> int | None:
    """The last row of a session that was written no later than a time; None where there is none."""
    query = select(func.max(journal.c.seq)).where(journal.c.session_id == session_id, journal.c.time <= time)
    found: Any = db.execute(query).scalar()
    return None if found is None else int(found)


def page(db: Connection, session_id: str, after: int, most: int) -> list[tuple[int, bytes]]:
    """Seq and outcome of at most so many rows after a seq, in order."""
    result = db.execute(_PAGE, {"of": session_id, "after": after, "most": most})
    return [(row.seq, row.outcome) for row in result]


def some(
    db: Connection, session_id: str, after: int, to: int, most: int, rows: int = _CHUNK
) -> list[tuple[int, bytes]]:
    """Seq and outcome of rows after one seq up to another, in order; no more once those make `most` bytes."""
    return _within(db.execute(_UP_TO.limit(rows), {"of": session_id, "after": after, "to": to}), most)


def latest(
    db: Connection, session_id: str, after: int, to: int, most: int, rows: int
) -> list[tuple[int, bytes]]:
    """As `some`, the last row first."""
    return _within(db.execute(_DOWN_TO.limit(rows), {"of": session_id, "after": after, "to": to}), most)


def made_by(db: Connection, session_id: str, by: str, after: int, most: int) -> list[tuple[int, bytes]]:
    """Seq and outcome of a person's rows after a seq, in order; no more once those make `most` bytes.

    Rows of an imported file are left out: they are older than the session here.
    """
    return _within(db.execute(_MADE_BY, {"of": session_id, "who": by, "after": after}), most)


def _within(result: Result[tuple[int, bytes]], most: int) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    size = 0
    for row in result:
        found.append((row.seq, row.outcome))
        size += len(row.outcome)
        if size >= most:
            result.close()
            break
    return found


def part(db: Connection, session_id: str, after: int, to: int, most: int) -> list[Row]:
    """The rows after one seq up to another, in order; no more once their outcomes make `most` bytes."""
    result = db.execute(_TAIL.limit(_CHUNK), {"of": session_id, "after": after, "to": to})
    found: list[Row] = []
    size = 0
    for row in result:
        found.append(Row._make(row))
        size += len(row.outcome)
        if size >= most:
            result.close()
            break
    return found


def rewinds(db: Connection, session_id: str) -> Iterator[tuple[int, int]]:
    """Seq and effective seq of the rows that have another one's state, in order."""
    result = db.execute(_REWINDS, {"of": session_id}, execution_options={"yield_per": _CHUNK})
    for row in result:
        yield row.seq, row.effective


def rewinds_before(db: Connection, session_id: str, at: int, most: int) -> list[tuple[int, int]]:
    """Seq and effective seq of at most so many rewinds at or before a seq, the last first."""
    result = db.execute(_BACK, {"of": session_id, "at": at, "most": most})
    return [(row.seq, row.effective) for row in result]


def effective(db: Connection, session_id: str, seq: int) -> int | None:
    """The seq whose state a row has; None where there is no such row."""
    return db.execute(_EFFECTIVE, {"of": session_id, "at": seq}).scalar()


def one(db: Connection, session_id: str, seq: int) -> bytes | None:
    """The outcome at a seq; None where there is no such row."""
    return db.execute(_ONE, {"of": session_id, "at": seq}).scalar()


def heads(db: Connection, session_ids: Sequence[str]) -> dict[str, tuple[int, str, bytes]]:
    """Seq, time and outcome of the last row of each of the given sessions that has one."""
    found: dict[str, tuple[int, str, bytes]] = {}
    for first in range(0, len(session_ids), IDS_AT_ONCE):
        rows = db.execute(_HEADS, {"ids": session_ids[first : first + IDS_AT_ONCE]})
        found |= {sid: (seq, time, outcome) for sid, seq, time, outcome in rows}
    return found


def last_by(db: Connection, session_ids: Sequence[str]) -> dict[tuple[str, str], int]:
    """The seq of each person's last row in the given sessions, by session and person."""
    found: dict[tuple[str, str], int] = {}
    for first in range(0, len(session_ids), IDS_AT_ONCE):
        rows = db.execute(_LAST_BY, {"ids": session_ids[first : first + IDS_AT_ONCE]})
        found |= {(sid, by): seq for sid, by, seq in rows}
    return found


def at(db: Connection, session_id: str, seqs: Sequence[int]) -> dict[int, tuple[str, bytes]]:
    """Time and outcome of some rows of a session, by their seq."""
    found: dict[int, tuple[str, bytes]] = {}
    for first in range(0, len(seqs), IDS_AT_ONCE):
        rows = db.execute(_AT, {"of": session_id, "seqs": seqs[first : first + IDS_AT_ONCE]})
        found |= {seq: (time, outcome) for seq, time, outcome in rows}
    return found


def last_times(db: Connection, session_ids: Collection[str]) -> dict[str, str]:
    """When some sessions were called last; those without a row of their own are missing."""
    last = (journal.c.session_id == sessions.c.id) & (journal.c.seq == sessions.c.seq)
    query = select(sessions.c.id, journal.c.time).select_from(sessions.join(journal, last))
    return {row.id: row.time for row in db.execute(query.where(sessions.c.id.in_(session_ids)))}


def times(db: Connection, rows: Sequence[tuple[str, int]]) -> dict[tuple[str, int], str]:
    """When rows were made, by their session and seq. One by one: of many at once SQLite reads all rows."""
    return {(sid, seq): db.execute(_TIME, {"of": sid, "at": seq}).scalar_one() for sid, seq in rows}
