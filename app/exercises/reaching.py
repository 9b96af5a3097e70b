"""Goals: that they are not reached before anybody has done anything, and that their solution reaches them."""

from __future__ import annotations

from collections.abc import Sequence

from app.exercises.checks import Evaluation, Result, evaluate
from app.exercises.exercise import Task
from app.exercises.playground import Playground, Refused
from app.exercises.rejected import Rejected


def prove(task: Task, place: Playground) -> Playground:
    """Where the solution of a goal ends, from where it begins. Raises Rejected.

    task: with its templates filled. place: a private one; it is used up.
    """
    after = place.copy()
    try:
        rows = after.make(task.solution)
    except Refused as error:
        raise Rejected(task.number, f"solution: {error}") from error
    forbidden = [row.name for row in rows if task.allow and row.name not in task.allow]
    if forbidden:
        raise Rejected(task.number, f"the solution calls {forbidden[0]}, which is not allowed")
    if task.calls_at_most is not None and len(rows) > task.calls_at_most:
        raise Rejected(task.number, f"the solution makes {len(rows)} calls")
    if evaluate(task.checks, place.machine, (), names=place.names, lists=place.lists).reached:
        raise Rejected(task.number, "the goal is reached before anything is done")
    found = evaluate(task.checks, place.machine, rows, names=place.names, lists=place.lists)
    if not found.reached:
        missing = [result for result in found.results if not result.holds and not result.bonus]
        raise Rejected(task.number, f"the solution does not reach the goal: {told(task, missing, found)}")
    return after


def told(task: Task, missing: Sequence[Result], found: Evaluation) -> str:
    """Which checks do not hold, and what is instead."""
    if found.refused:
        return found.refused
    lines = (
        f"{check.line or ' or '.join(check.any)}: {result.found}"
        for check, result in zip(task.checks, found.results, strict=True)
        if result in missing
    )
    return "; ".join(lines)
