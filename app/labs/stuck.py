"""Who may need help on a sheet: all attempts are used up, or nothing has happened for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from app.clock import before_now
from app.labs.results import Line, Results
from app.store import Connection, journal
from app.store.submissions import SubmissionRow
from app.store.variants import BriefRow

IDLE: Final = timedelta(minutes=10)
# Who has not moved for longer has gone home.
GONE: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A member, and at which task of the sheet: its place among the columns."""

    number: int
    nickname: str
    place: int
    why: Literal["used up", "idle"]
    # When they have moved last.
    since: str


def stuck(db: Connection, results: Results) -> list[Stuck]:
    """Everybody who is stuck."""
    moved = last_rows(db, results)
    found = [one for line in results.lines if (one := of_line(line, moved)) is not None]
    return sorted(found, key=lambda one: (one.why, one.since))


def of_line(line: Line, moved: dict[str, str]) -> Stuck | None:
    """Where one member is stuck, if they are."""
    times = [time for cell in line.cells for time in times_of(cell.variant, cell.tries, moved)]
    if not times:
        return None
    last = max(times)
    who = line.member.number, line.member.nickname
    for place, cell in enumerate(line.cells):
        if cell.over and cell.tries and not cell.solved and last > before_now(GONE):
            return Stuck(*who, place, "used up", last)
    for place, cell in enumerate(line.cells):
        if cell.variant is not None and not cell.over and before_now(GONE) < last < before_now(IDLE):
            return Stuck(*who, place, "idle", last)
    return None


def times_of(variant: BriefRow | None, tries: Sequence[SubmissionRow], moved: dict[str, str]) -> list[str]:
    """When something was done in a task."""
    if variant is None:
        return []
    called = [moved[variant.session_id]] if variant.session_id in moved else []
    return [variant.created, *called, *(row.time for row in tries)]


def last_rows(db: Connection, results: Results) -> dict[str, str]:
    """When the machine of each open variant was called last."""
    open_ones = [brief for brief in results.variants if brief.finished is None]
    return journal.last_times(db, [one.session_id for one in open_ones if one.session_id is not None])
