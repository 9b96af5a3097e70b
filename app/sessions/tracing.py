"""The tracepoints of many rows: their calls are made again on a machine of the past, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.machine.trace import Trace
from app.sessions.past_machines import PastMachines
from app.store import Connection, journal
from app.store.journal import Row

# A row of the journal is a millisecond of the trace, and its events are a microsecond apart.
MICROSECONDS: Final = 1_000
# So the trace of a kernel begins.
HEADER: Final = (
    "# tracer: nop",
    "#",
    "#                                _-----=> irqs-off/BH-disabled",
    "#                               / _----=> need-resched",
    "#                              | / _---=> hardirq/softirq",
    "#                              || / _--=> preempt-depth",
    "#                              ||| / _-=> migrate-disable",
    "#                              |||| /     delay",
    "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
    "#              | |         |   |||||     |         |",
)


class RowTrace(Trace):
    """The trace of one call, with stamps by which its events sort."""

    def microseconds(self) -> int:
        """When the next event happens."""
        return self.m.current.seq * MICROSECONDS + min(len(self.points), MICROSECONDS - 1)


def lines(
    db: Connection, past: PastMachines, session_id: str, after: int, to: int, most: int
) -> tuple[list[str], int]:
    """Tracepoints of the rows behind one up to another, and the last row that was traced.

    most: no further row is traced once there are so many lines. Raises Conflict and NotFound.
    """
    found: list[str] = []
    last = after
    for row in rows(db, session_id, after, to):
        found += lines_of(db, past, row)
        last = row.seq
        if len(found) >= most:
            break
    return found, last


def rows(db: Connection, session_id: str, after: int, to: int) -> Iterator[Row]:
    """The rows, each read when it is reached: many are not held open while calls are made again."""
    while after < to:
        row = next(iter(journal.tail(db, session_id, after, after + 1)), None)
        if row is None:
            return
        yield row
        after = row.seq


def lines_of(db: Connection, past: PastMachines, row: Row) -> list[str]:
    """One row's."""
    if row.effective != row.seq:
        return [f"# #{row.seq}: {row.call} to #{row.effective}"]
    with past.before(db, row) as (machine, _, again):
        trace = machine.trace = RowTrace(machine)
        again()
        machine.trace = None
        trace.close()
    cut = trace.steps and trace.steps[-1]["verdict"] == "cut"
    return [*trace.points, "CPU:0 [LOST EVENTS]"] if cut else trace.points
