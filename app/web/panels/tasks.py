"""The panel of tasks: locked pages with their wait queues, deadlocks as circles, and a table of all tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import cos, pi, sin
from typing import Any, ClassVar, Final

from app.machine import show
from app.machine.machine import Machine
from app.web import sleeping, wording
from app.web.address import Address
from app.web.contexts.base import Link, TablePart
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _
from app.web.panels.base import Panel, Seen
from app.web.tableparts import ROWS, first_row, table_part

Doc = Mapping[str, Any]

LOCKS_SHOWN: Final = 8  # of each task in the table
SHOWN: Final = 64  # locked pages
WAITERS: Final = 16  # of each queue
CIRCLES: Final = 8
NODES: Final = 24  # of a circle that is drawn
# The circle in its drawing of 400 × 260; boxes of tasks stand on it, pages between them.
MIDDLE: Final = (200.0, 130.0)
RADII: Final = (130.0, 95.0)
# How far from a task's box, as an angle, an arrow begins and ends.
ROOM: Final = 0.42
WORD: Final = 10


@dataclass(frozen=True, slots=True)
class Waiter:
    """A task in a page's wait queue."""

    name: str
    """the task's name"""
    wants: str
    """the function in which it sleeps"""
    since: Link
    """link to the row at which it fell asleep"""


@dataclass(frozen=True, slots=True)
class PageQueue:
    """A locked page with its wait queue."""

    page: Link
    """link to the page frame"""
    holder: str
    """the task that has the lock; empty where it is gone"""
    waiters: Sequence[Waiter]
    """the first tasks of the queue"""
    more: int = 0
    """how many tasks are left out"""


@dataclass(frozen=True, slots=True)
class CircleNode:
    """A task of a deadlock, and the page that it waits for."""

    name: str
    """the task's name, as far as there is room"""
    x: float
    """middle of the task's box"""
    y: float
    """middle of the task's box"""
    page: str
    """the page that it waits for"""
    page_x: float
    """middle of the page's box"""
    page_y: float
    """middle of the page's box"""
    page_href: str
    """the page frame in the inspector"""
    arrow: str
    """the arrow to the task that has the page's lock, as a path"""


@dataclass(frozen=True, slots=True)
class Circle:
    """A deadlock: tasks of which each waits for a page that the next has locked."""

    nodes: Sequence[CircleNode]
    """the drawing; empty where there are too many tasks"""
    words: str
    """the same as a sentence"""


@dataclass(frozen=True, slots=True)
class Queues:
    """Locked pages with their wait queues, and the deadlocks among them."""

    pages: Sequence[PageQueue]
    """the locked pages"""
    circles: Sequence[Circle]
    """the deadlocks"""


@dataclass(frozen=True, slots=True)
class TasksPanel(PanelView):
    """Wait queues and deadlocks, and a table of all tasks."""

    TEMPLATE: ClassVar[str] = "machine/panels/tasks.html"
    queues: Queues
    """locked pages with their wait queues, and the deadlocks among them"""
    table: TablePanel
    """the tasks"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read a part of the tasks, and some of the pages that are locked."""
    first = first_row(here, len(machine.tasks))
    found = show.task_part(machine, first, ROWS, LOCKS_SHOWN)
    return found | {"first": first, "locks": show.locks(machine, SHOWN)}


def view(seen: Seen) -> TasksPanel:
    """Show wait queues, deadlocks and the table of tasks."""
    doc, here = seen.doc, seen.here
    part = table_part(here, doc["first"], doc["total"])
    return TasksPanel(queues=queues(seen.sleeping, doc["locks"], here), table=table(doc["tasks"], here, part))


def held(task: Doc, here: Address) -> list[Link]:
    """The page frames whose lock a task took, the first of them by name."""
    links = [Link(wording.pfn(pfn), here.at(pfn)) for pfn in task["holds"]]
    more = task["holds_count"] - len(links)
    return [*links, Link(_("and %(more)s more", more=wording.count(more)), None)] if more else links


def table(found: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """List the tasks that have made a call, what they hold and what they wait for."""
    return TablePanel(
        caption=_("Tasks: whoever has made a call. A task that waits for a page’s lock can make no other."),
        columns=(
            (_("Task"), False),
            ("pid", True),
            (_("Holds the locks of"), False),
            (_("Waits for the lock of"), False),
            (_("Since"), True),
        ),
        rows=[
            (
                task["name"],
                str(task["pid"]),
                held(task, here),
                ""
                if task["waiting_for"] is None
                else Link(wording.pfn(task["waiting_for"]), here.at(task["waiting_for"])),
                ""
                if task["since"] is None
                else Link(f"#{task['since']}", here.to(outcome=task["since"]).href),
            )
            for task in found
        ],
        empty=_("No task has made a call."),
        part=part,
    )


def queues(sleepers: Sequence[Doc], locks: Sequence[Doc], here: Address) -> Queues:
    """The queues of some of the locked pages. sleepers: `show.sleepers`. locks: `show.locks`."""
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


PANEL: Final = Panel("tasks", N_("Tasks and locks"), read, view, look=N_("tasks"))
