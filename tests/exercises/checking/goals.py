"""What checks say of calls that are made on a small machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.exercises import checks
from app.exercises.checks import Evaluation
from app.exercises.exercise import Check
from app.exercises.playground import Playground
from app.exercises.rows import MadeRow

TINY = {"profile": "tiny-16m", "lecture": True}

# 1,536 single frames are free, and no two are neighbours.
FRAGMENTED = ("f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL", "__free_pages(f[::2], 0)")
# Nine calls by five tasks, of which dave loses a frame and erin keeps a reference.
LEAK = (
    "alice: a = alloc_pages(GFP_KERNEL, 2)",
    "bob: b = kmalloc(500, GFP_KERNEL)",
    "carol: c = vmalloc(10000)",
    "dave: d = __get_free_pages(GFP_KERNEL, 1)",
    "erin: get_page(a)",
    "alice: __free_pages(a, 2)",
    "bob: kfree(b)",
    "dave: free_page(d)",
    "carol: vfree(c)",
)
# alice holds the lock; four others sleep.
QUEUE = (
    "p = alloc_page(GFP_KERNEL)",
    "alice: lock_page(p)",
    "bob: wait_on_page_locked(p)",
    "carol: lock_page(p)",
    "dave: wait_on_page_locked(p)",
    "erin: lock_page(p)",
)


def evaluated(
    lines: Sequence[str],
    goal: Sequence[str | Check],
    *,
    prelude: Sequence[str] = (),
    machine: dict[str, Any] | None = None,
    **more: Any,
) -> Evaluation:
    """Lines are made behind a prelude, and the checks of a goal look at them."""
    place = Playground.boot(machine or TINY)
    place.make(prelude)
    start = place.copy()
    rows = place.make(lines)
    more = {"names": start.names} | more
    return checks.evaluate(as_checks(goal), start.machine, rows, **more)


def as_checks(goal: Sequence[str | Check]) -> list[Check]:
    """Lines as checks of a point each."""
    return [one if isinstance(one, Check) else Check(one, otherwise=f"not {one}") for one in goal]


def instead(lines: Sequence[str], check: str, **more: Any) -> str:
    """What is instead of one check; empty where it holds."""
    (result,) = evaluated(lines, [check], **more).results
    assert result.holds is not bool(result.found)
    return result.found


def row(seq: int, name: str, by: str | None = None, **body: Any) -> MadeRow:
    """A row of a journal."""
    return MadeRow(seq, name, body, {"verdict": "ok", "ret": None, "log": [], "changed": []}, by)
