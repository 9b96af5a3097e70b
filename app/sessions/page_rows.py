"""The rows of one session that a page about it shows, read in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.machine.calls import Named
from app.sessions import queries
from app.sessions.access import Principal, Right
from app.sessions.answers import SessionInfo
from app.sessions.errors import NotFound
from app.sessions.queries import Event
from app.store import Connection, journal
from app.store.sessions import SessionRow

LISTED: Final = 50  # rows of the journal
BYTES: Final = 1 << 20  # of such rows: one that is longer is read alone
NAMED: Final = 40  # names of results


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which rows of a session a page asks for."""

    moment: int | None = None
    """the row whose state is shown; None for the last"""
    shown: int | None = None
    """the row that is shown with its outcome; None for that of the moment"""
    before: int | None = None
    """the journal is listed down from the row before this one; None to begin where the moment is in view"""
    listed: bool = True
    """False where the journal is not listed, but searched afterwards"""
    run_after: int | None = None
    """the row after which the rows of `run` begin; None for no such rows"""
    run_rows: int = 0
    """how many rows `run` may have"""


@dataclass(frozen=True, slots=True)
class PageRows:
    """What a page was answered."""

    info: SessionInfo
    """the session"""
    moment: int | None
    """the row whose state is shown, as far as the session has such a row; None for the last"""
    until: int
    """the row from which on the journal is listed, or is to be searched, downwards"""
    listed: Sequence[Event]
    """rows of the journal, the last first"""
    shown: Event | None
    """the row that is shown with its outcome; None where `listed` has it, and where there is none"""
    shown_seq: int
    """the number of that row"""
    run: Sequence[Event]
    """the rows after `run_after`"""
    names: Mapping[str, Named | None]
    """the first of the principal's names"""
    named: int
    """how many names the principal has"""
    others: Mapping[str, Named | None]
    """the first of what others have named here, as `m1.p`"""
    others_named: int
    """how many names others have"""
    origin_readable: bool
    """True where this journal goes on from another session's that the principal may read"""


def read(db: Connection, principal: Principal, session_id: str, query: PageQuery) -> PageRows:
    """Read the rows. Raises NotFound and Forbidden."""
    row = queries.allowed(db, principal, session_id, Right.READ)
    moment = moment_of(row, query.moment)
    # A search goes through the whole journal, whichever moment is shown.
    until = until_of(row, moment if query.listed else None, query.before)
    rows: Sequence[Event] = ()
    if query.listed:
        found = journal.latest(db, row.id, until - LISTED, min(until, row.seq), BYTES, LISTED)
        rows = [Event(*each) for each in found]
    seq = query.shown if query.shown is not None else row.seq if moment is None else moment
    names, named = queries.some_names(db, principal, row.id, NAMED)
    others, others_named = queries.names_of_others(db, principal, row.id, NAMED)
    return PageRows(
        info=SessionInfo.of(row),
        moment=moment,
        until=until,
        listed=rows,
        shown=None if any(each.seq == seq for each in rows) else one(db, row.id, seq),
        shown_seq=seq,
        run=[]
        if query.run_after is None
        else [
            Event(*each) for each in journal.some(db, row.id, query.run_after, row.seq, BYTES, query.run_rows)
        ],
        names=names,
        named=named,
        others=others,
        others_named=others_named,
        origin_readable=row.origin_id is not None
        and row.start > 0
        and readable(db, principal, row.origin_id),
    )


def moment_of(row: SessionRow, asked: int | None) -> int | None:
    """The row after which the machine is to be shown; None for the last. No number is an error."""
    return None if asked is None or asked >= row.seq else max(asked, row.start)


def until_of(row: SessionRow, moment: int | None, before: int | None) -> int:
    """The row from which on the journal is listed: where nothing else is asked for, the moment is in it."""
    if before is not None:
        return min(row.seq, before - 1)
    return moment + LISTED // 2 if moment is not None and moment <= row.seq - LISTED else row.seq


def one(db: Connection, session_id: str, seq: int) -> Event | None:
    """One row; None where there is no such row."""
    body = journal.one(db, session_id, seq)
    return None if body is None else Event(seq, body)


def readable(db: Connection, principal: Principal, session_id: str) -> bool:
    """Whether the principal may read a session."""
    try:
        queries.allowed(db, principal, session_id, Right.READ)
    except NotFound:
        return False
    return True
