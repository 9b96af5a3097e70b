"""Finds the calls that make up a state: all before it but those that a rewind has undone."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.errors import BadArgument
from app.sessions import blocklists
from app.sessions.answers import BatchItem
from app.sessions.errors import LimitReached, NotFound
from app.sessions.scheduler import go_on
from app.store import Connection, journal, lists, sessions
from app.store.journal import Row
from app.store.sessions import SessionRow

# Rewinds are looked up by so many; rows that are left out are read all the same where they are so few.
ROWS_AT_ONCE: Final = 500
READ_TOGETHER: Final = 50


class Stretch(NamedTuple):
    """Calls of which each was made on the state that the one before it had left.

    They are the rows after one seq up to another; no rewind is among them.
    """

    after: int
    to: int


def effective(db: Connection, row: SessionRow, at: int) -> int:
    """The seq of the call whose state a session has at a seq, or of its start."""
    if at == row.start:
        return at
    found = journal.effective(db, row.id, at)
    if found is None:
        raise LookupError(f"session {row.id}: there is no row {at}")
    return found


def stretches_back(db: Connection, row: SessionRow, at: int) -> Iterator[Stretch]:
    """The stretches that lead to the state at a seq, the last first, as far as the session's start.

    Each is read when it is asked for: nothing before the nearest snapshot is read.
    """
    to = effective(db, row, at)
    rewinds: list[tuple[int, int]] = []
    known_from = row.seq + 1
    while to > row.start:
        go_on()
        if to < known_from:
            found = journal.rewinds_before(db, row.id, to, ROWS_AT_ONCE)
            known_from = found[-1][0] if len(found) == ROWS_AT_ONCE else row.start
            rewinds = found[::-1]
        index = bisect_left(rewinds, (to, 0)) - 1
        after, before = rewinds[index] if index >= 0 else (row.start, row.start)
        yield Stretch(after, to)
        to = before


def route(db: Connection, row: SessionRow, at: int, known: Sequence[int]) -> tuple[int, list[Stretch]]:
    """How the state at a seq is reached: from which seq's state, and over which calls.

    known: the seqs of calls whose states there are, in order; the session's start is always there.
    """
    stretches: list[Stretch] = []
    for stretch in stretches_back(db, row, at):
        index = bisect_right(known, stretch.to) - 1
        if index >= 0 and known[index] > stretch.after:
            if known[index] < stretch.to:
                stretches.append(Stretch(known[index], stretch.to))
            return known[index], stretches[::-1]
        stretches.append(stretch)
    return row.start, stretches[::-1]


def rows(db: Connection, session_id: str, stretches: Iterable[Stretch]) -> Iterator[Row]:
    """The rows of some stretches, in order. Raises Dropped where the work that reads them is."""
    for near in _near(list(stretches)):
        stretch, *others = near
        for row in journal.tail(db, session_id, stretch.after, near[-1].to):
            go_on()
            while row.seq > stretch.to:
                stretch, *others = others
            if row.seq > stretch.after:
                yield row


def _near(stretches: Sequence[Stretch]) -> Iterator[Sequence[Stretch]]:
    """Stretches that are better read together than one by one."""
    first = 0
    for index, (before, behind) in enumerate(pairwise(stretches), 1):
        if behind.after - before.to > READ_TOGETHER:
            yield stretches[first:index]
            first = index
    if stretches:
        yield stretches[first:]


def calls_between(
    db: Connection, session_id: str, after: int, to: int, most: int, copy_id: str
) -> list[BatchItem]:
    """The calls that lead from the state at one seq to that at another, to be made in a copy as one batch.

    Raises NotFound, BadArgument at `seq` where the one state does not go back to the other, and LimitReached
    there for more than `most` calls, of which no more are read.
    """
    found = rows_between(db, session_id, after, to, most)
    made = [(one.seq, BatchItem(one.call, from_json(one.args))) for one in found]
    return _with_lists(db, session_id, copy_id, made)


def rows_between(db: Connection, session_id: str, after: int, to: int, most: int) -> list[Row]:
    """The rows of the calls that lead from the state at one seq to that at another.

    Raises as `calls_between`.
    """
    row = sessions.get(db, session_id)
    if row is None:
        raise NotFound("session", session_id)
    if not row.start <= after <= to <= row.seq:
        raise BadArgument.at("seq", f"a row from {after + 1} to {row.seq}")
    begin = effective(db, row, after)
    found, stretches = route(db, row, to, [begin])
    if found != begin:
        raise BadArgument.at("seq", f"the state at {to} does not go back to that at {after}: it was undone")
    made = list(islice(rows(db, session_id, stretches), most + 1))
    if len(made) > most:
        raise LimitReached(("seq",), f"at most {most} calls after the start of the copies")
    return made


def _with_lists(
    db: Connection, session_id: str, copy_id: str, made: Sequence[tuple[int, BatchItem]]
) -> list[BatchItem]:
    """The same calls, with lists that rows have returned as the copy knows them.

    One that a call of the batch returns is named; others the copy has, or they are written out.
    """
    seqs = {seq for seq, _ in made}
    named: set[int] = set()
    found: list[tuple[int, BatchItem]] = []
    for seq, item in made:
        body = dict(item.body)
        for key in ("page", "addr"):
            of = body.get(key)
            if not isinstance(of, dict):
                continue
            if of["seq"] in seqs:
                named.add(of["seq"])
                body[key] = f"${_name_of(of['seq'])}"
            else:
                body[key] = _list_in(db, session_id, copy_id, of["seq"])
        found.append((seq, item._replace(body=body)))
    return [item._replace(as_name=_name_of(seq)) if seq in named else item for seq, item in found]


def _name_of(seq: int) -> str:
    return f"row_{seq}"


def _list_in(db: Connection, session_id: str, copy_id: str, seq: int) -> Any:
    """A list of a session as an argument in its copy."""
    stored = lists.get(db, session_id, seq)
    if stored is None:
        return {"seq": seq}
    there = lists.seqs_of(db, copy_id, [stored.sha256]).get(stored.sha256)
    return blocklists.as_argument(blocklists.decode(stored)) if there is None else {"seq": there}
