"""Whether a member has reached a goal: by the rows of their own, made again on a past machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from app.exercises import checks
from app.exercises.checks import Evaluation
from app.exercises.exercise import PARTS, Task
from app.exercises.rows import MadeRow
from app.labs.worked import Worked
from app.machine.calls import Lists, Named
from app.machine.machine import Machine
from app.sessions import Conflict, Principal, Sessions
from app.sessions.scheduler import go_on
from app.store.journal import Row


@dataclass(frozen=True, slots=True)
class Reached:
    """How much of a goal is reached at a seq, as it may be told."""

    # Thousandths; a bonus goes beyond the whole.
    share: int
    # Of each check: whether it holds, and what the member reads where it does not.
    parts: tuple[dict[str, Any], ...]
    # How many rows of the member's there are.
    rows: int
    # Why nothing was checked; empty where it was.
    refused: str = ""


async def reached(
    sessions: Sessions,
    principal: Principal,
    worked: Worked,
    number: int,
    seq: int | None,
) -> Reached:
    """How much of a goal is reached by what a member has called up to a seq, by default all.

    principal: the member. Names in checks mean what they meant where the task began: a member may bind them
    anew. Raises BadArgument at `seq`.
    """
    assert worked.row.session_id is not None
    task = worked.variant.task(number).task
    start = worked.progress.task(number).start
    if start is None:
        raise Conflict(f"task {number} has not begun yet: open the variant again")
    names = {name: Named.from_json(from_json(text)) for name, text in worked.names_at(number).items()}
    return await sessions.stretch(
        principal, worked.row.session_id, start, seq, evaluated, task, principal.by, names
    )


def evaluated(
    machine: Machine,
    rows: Sequence[Row],
    lists: Lists,
    task: Task,
    by: str | None,
    names: Mapping[str, Named],
) -> Reached:
    """The checks of a goal over rows of a journal. machine: as it was before them; it is used up."""
    made = [made_row(row) for row in rows]
    found = checks.evaluate(task.checks, machine, made, by=by, names=names, lists=lists, go_on=go_on)
    return told(task, found)


def told(task: Task, found: Evaluation) -> Reached:
    """An evaluation as it may be told: what the file says where a check fails, never the check."""
    if task.calls_at_most is not None and found.rows > task.calls_at_most:
        why = f"You have made {found.rows} calls; this task allows {task.calls_at_most}."
        return Reached(0, (), found.rows, why)
    parts = tuple(
        {"points": one.points, "holds": one.holds, "bonus": one.bonus, "say": one.otherwise}
        for one in found.results
    )
    share = PARTS * (found.points + found.bonus) // max(1, found.most)
    return Reached(share if found.reached else min(share, PARTS - 1), parts, found.rows, found.refused)


def made_row(row: Row) -> MadeRow:
    """A row of a journal, as checks look at it."""
    return MadeRow(row.seq, row.call, from_json(row.args), from_json(row.outcome), row.by)
