"""The panel of /proc: the files as the machine's kernel would print them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import show_cost
from app.machine.machine import Machine
from app.mm.proc import FILES, OF_TASKS, beginning
from app.mm.sched import Task
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView
from app.web.language import _
from app.web.panels.base import Doc, Panel, Seen
from app.web.recipes import curl_file

FIRST: Final = next(iter(FILES))
LINES: Final = 200
# As many processes have a link; another one's files are shown by its pid in the address.
PROCESSES: Final = 32


@dataclass(frozen=True, slots=True)
class ProcPanel(PanelView):
    """One file of /proc."""

    TEMPLATE: ClassVar[str] = "machine/panels/proc.html"
    files: Sequence[Link]
    """links to every file"""
    processes: Sequence[Link]
    """links to the first file of each process; empty where there is none"""
    of_process: Sequence[Link]
    """links to every file of the process that is chosen"""
    path: str
    """the path of the file"""
    text: str
    """its text, or the beginning of it"""
    curl: str
    """the line that reads it"""
    cut: str
    """how much of it is shown; empty where it is all"""
    whole: Link | None
    """link to all of it, where only a part is shown"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the beginning of the file that the address names, or of the first."""
    task = chosen(machine, here)
    name = name_of(here, task)
    if name in FILES:
        lines, whole = beginning(machine, name, LINES)
    else:
        assert task is not None
        every = OF_TASKS[name](machine, task).splitlines()
        lines, whole = every[:LINES], len(every) <= LINES
    return {
        "file": name,
        "lines": lines,
        "whole": whole,
        "task": None if task is None else {"pid": task.pid, "name": task.name},
        "processes": [(one.pid, one.name) for one in processes(machine)[:PROCESSES]],
    }


def processes(machine: Machine) -> list[Task]:
    """The tasks that have an address space."""
    return [task for task in machine.tasks.values() if task.mm is not None]


def chosen(machine: Machine, here: Address) -> Task | None:
    """The process that the address names, or the first."""
    found = processes(machine)
    return next((task for task in found if task.pid == here.pid), found[0] if found else None)


def name_of(here: Address, task: Task | None) -> str:
    """The file that the address names, or the first."""
    known = here.file in FILES or (task is not None and here.file in OF_TASKS)
    return here.file if here.file is not None and known else FIRST


def cost(machine: Machine, here: Address) -> int:
    """About how much work `read` is."""
    task = chosen(machine, here)
    name = name_of(here, task)
    if task is not None and name in OF_TASKS:
        return show_cost.task_file(machine, task.name, name)
    return min(show_cost.proc_file(machine, name), show_cost.beginning(machine, name, LINES))


def view(seen: Seen) -> ProcPanel:
    """Show one file, with links to the others."""
    doc, here, name, task = seen.doc, seen.here, seen.doc["file"], seen.doc["task"]
    ours = name in OF_TASKS
    under = f"tasks/{task['name']}/proc/{name}" if ours else f"proc/{name}"
    shown = name if ours else next(iter(OF_TASKS))
    return ProcPanel(
        files=[Link(f"/proc/{other}", here.to(file=other).href, other == name) for other in FILES],
        processes=[
            Link(f"{who} ({pid})", here.to(file=shown, pid=pid).href, ours and pid == task["pid"])
            for pid, who in doc["processes"]
        ],
        of_process=[
            Link(f"/proc/{task['pid']}/{other}", here.to(file=other, pid=task["pid"]).href, other == name)
            for other in (OF_TASKS if task is not None else ())
        ],
        path=f"/proc/{task['pid']}/{name}" if ours else f"/proc/{name}",
        text="".join(f"{line}\n" for line in doc["lines"]),
        curl=curl_file(under, seen.api),
        whole=None
        if doc["whole"]
        else Link(_("The whole file"), f"/api/v1/sessions/{here.id}/{under}{here.api_moment}"),
        cut="" if doc["whole"] else _("The first %(lines)s lines.", lines=wording.count(LINES)),
    )


PANEL: Final = Panel("proc", "/proc", read, view, cost, look="/proc")
