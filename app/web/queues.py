"""Locked pages with their wait queues, and deadlocks as circles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from math import cos, pi, sin
from typing import Any, Final

from app.web import sleeping, wording
from app.web.address import Address
from app.web.contexts import Link
from app.web.panel_contexts import Circle, CircleNode, PageQueue, Queues, Waiter

Doc = Mapping[str, Any]

SHOWN: Final = 64
WAITERS: Final = 16  # of each queue
CIRCLES: Final = 8
NODES: Final = 24  # of a circle that is drawn
# The circle in its drawing of 400 × 260; boxes of tasks stand on it, pages between them.
MIDDLE: Final = (200.0, 130.0)
RADII: Final = (130.0, 95.0)
# How far from a task's box, as an angle, an arrow begins and ends.
ROOM: Final = 0.42
WORD: Final = 10


def queues(sleepers: Sequence[Doc], locks: Sequence[Doc], here: Address) -> Queues:
    """sleepers: `show.sleepers`. locks: `show.locks`, some of the pages that are locked."""
    waiting = sorted((task for task in sleepers if task["waits_in"] != "kmap"), key=since)
    holders = {task["waiting_for"]: task["held_by"] for task in waiting}
    holders |= {lock["pfn"]: lock["held_by"] for lock in locks}
    shown = list(holders)[:SHOWN]
    behind: dict[int, list[Doc]] = {}
    for task in waiting:
        behind.setdefault(task["waiting_for"], []).append(task)
    return Queues(
        pages=[page_queue(pfn, holders[pfn], behind.get(pfn, ()), here) for pfn in shown],
        circles=[circle(names, waiting, here) for names in islice(circles(waiting), CIRCLES)],
    )


def page_queue(pfn: int, holder: str | None, waiting: Sequence[Doc], here: Address) -> PageQueue:
    """One locked page; of a long queue the beginning."""
    shown = waiting[:WAITERS]
    return PageQueue(
        page=Link(wording.pfn(pfn), here.at(pfn)),
        holder=holder or "",
        waiters=[waiter(task, here) for task in shown],
        more=len(waiting) - len(shown),
    )


def since(task: Doc) -> int:
    """When it fell asleep."""
    seq: int = task["since"]
    return seq


def waiter(task: Doc, here: Address) -> Waiter:
    """One task of a queue."""
    return Waiter(
        task["name"], task["waits_in"], Link(f"#{task['since']}", here.to(outcome=task["since"]).href)
    )


def circles(waiting: Sequence[Doc]) -> Iterator[list[str]]:
    """Each deadlock once: names of which each waits for a page that the next has locked."""
    behind: dict[str, str | None] = {task["name"]: task["held_by"] for task in waiting}
    done: set[str] = set()
    for name in behind:
        path: list[str] = []
        at: str | None = name
        while at is not None and at in behind and at not in done:
            done.add(at)
            path.append(at)
            at = behind[at]
        if at in path:
            yield path[path.index(at) :]


def circle(names: Sequence[str], waiting: Sequence[Doc], here: Address) -> Circle:
    """The drawing of one deadlock; of very many tasks there is none that could be read."""
    tasks = {task["name"]: task for task in waiting}
    links = [
        {"task": name, "waits_for": tasks[name]["waiting_for"], "held_by": tasks[name]["held_by"]}
        for name in names
    ]
    count = len(names)
    return Circle(
        nodes=[
            node(name, tasks[name]["waiting_for"], 2 * pi * place / count, pi / count, here)
            for place, name in enumerate(names)
        ]
        if count <= NODES
        else [],
        words=sleeping.deadlock(links),
    )


def node(name: str, pfn: int, angle: float, half: float, here: Address) -> CircleNode:
    """A task at its angle, its page half way to the next, and the arrow along the circle to that one."""
    x, y = on_circle(angle)
    page_x, page_y = on_circle(angle + half)
    room = min(ROOM, half * 0.45)
    start, end = on_circle(angle + room), on_circle(angle + 2 * half - room)
    large = int(2 * (half - room) > pi)
    return CircleNode(
        name=name if len(name) <= WORD else f"{name[: WORD - 1]}…",
        x=x,
        y=y,
        page=wording.pfn(pfn),
        page_x=page_x,
        page_y=page_y,
        page_href=here.at(pfn),
        arrow=f"M{start[0]},{start[1]} A{RADII[0]},{RADII[1]} 0 {large} 1 {end[0]},{end[1]}",
    )


def on_circle(angle: float) -> tuple[float, float]:
    """A point, from the left over the top."""
    return round(MIDDLE[0] - RADII[0] * cos(angle), 1), round(MIDDLE[1] - RADII[1] * sin(angle), 1)
