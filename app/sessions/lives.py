"""The life of a frame or of a page: every row of a journal in which something became of it.

Journals do not tell of each frame, so the calls are made again on a machine of the past, and it is looked at
after each of them. A request goes over so many rows at most, and says where to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.errors import BadArgument
from app.machine import life
from app.machine.life import Frame, Page
from app.machine.machine import Machine
from app.sessions import blocklists, lineage, queries
from app.sessions.access import Principal, Right
from app.sessions.errors import Conflict
from app.sessions.live import Diverged, Live
from app.sessions.past_machines import PastMachines
from app.sessions.scheduler import own_time
from app.store import Connection
from app.store.journal import Row

ROWS_AT_ONCE: Final = 10_000
SECONDS: Final = 10.0

Look = Callable[[Machine], Frame | Page]


class Life(NamedTuple):
    """Rows in which something happened."""

    events: list[dict[str, Any]]
    # The row up to which was looked; None where that was the last.
    reached: int | None


def of(
    db: Connection, past: PastMachines, principal: Principal, session_id: str, look: Look, pfn: int | None,
    after: int, limit: int, at: int | None,
) -> Life:  # fmt: skip
    """What happened behind the row `after` in the calls that made the state at a seq, the head's without one.

    look: how it is on a machine. pfn: the frame, where one is asked for. Raises BadArgument and Conflict.
    """
    row = queries.allowed(db, principal, session_id, Right.READ)
    if at is not None and not row.start <= at <= row.seq:
        raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
    stretches = list(lineage.stretches_back(db, row, row.seq if at is None else at))[::-1]
    begin = row.start
    for stretch in stretches:
        if stretch.after < after:
            begin = min(stretch.to, after)
    rows = lineage.rows(
        db, row.id, [each._replace(after=max(each.after, begin)) for each in stretches if each.to > begin]
    )
    with past.machine(db, session_id, begin) as live:
        if live.diverged is not None:
            raise Conflict(live.diverged)
        return seen(live, rows, blocklists.in_transaction(db, row.id), look, pfn, limit)


def seen(live: Live, rows: Any, lists: Any, look: Look, pfn: int | None, limit: int) -> Life:
    """Make the calls one after the other, and look after each. Raises Conflict where one cannot be made."""
    events: list[dict[str, Any]] = []
    until = own_time() + SECONDS
    before = look(live.machine)
    for number, row in enumerate(rows):
        if number == ROWS_AT_ONCE or len(events) == limit or own_time() > until:
            return Life(events, live.seq)
        try:
            live.replay((row,), lists)
        except Diverged as found:
            raise Conflict(str(found)) from found
        now = look(live.machine)
        if now != before and (words := life.what_happened(before, now)):
            events.append(event(row, words, before, now, pfn))
        before = now
    return Life(events, None)


def event(
    row: Row, words: list[str], before: Frame | Page, now: Frame | Page, pfn: int | None
) -> dict[str, Any]:
    """What one row did to it, and how it is then."""
    then, after = life.view(pfn, before), life.view(pfn, now)
    return {
        "seq": row.seq,
        "call": row.call,
        "task": from_json(row.args).get("task"),
        "by": row.by,
        "what": words,
        **after,
        "before": {name: value for name, value in then.items() if value != after[name]},
    }
