"""The tracepoints of many rows: their calls are made again on a machine of the past, one after the other."""

from __future__ import annotations

from typing import Final

from app.machine.trace import Trace
from app.sessions.past_machines import PastMachines
from app.store import Connection, journal
from app.store.journal import Row

# A row of the journal is a millisecond of the trace, and its events are a microsecond apart.
MICROSECONDS: Final = 1_000
# Rows that are made again in one turn.
MOST_ROWS: Final = 1_000
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

    most: no further row is traced once there are so many lines, nor after MOST_ROWS rows, of which few may
    have a tracepoint. Raises Conflict and NotFound.
    """
    found: list[str] = []
    last = min(to, after + MOST_ROWS)
    for row in journal.tail(db, session_id, after, last):
        found += lines_of(db, past, row)
        if len(found) >= most:
            return found, row.seq
    return found, last


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
