"""The view of processes: one process, one address, one walk.

Which processes there are, the address space of one as a strip, the pages of one area, and how the bits of an
address lead to a frame. Nothing of it grows with how many pages a process has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from string import ascii_lowercase
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from app.machine import vm_alarms, vm_windows
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.framemap import PhysicalBar
from app.web.contexts.processes import AreaPages, Comparison, ProcessCall, ProcessRow, Ribbon, Strip, Walk
from app.web.contexts.views import CentreView
from app.web.language import N_, _, decimal
from app.web.nicknames import called
from app.web.panels import PANELS
from app.web.physical import physical_bar, place_of
from app.web.tableparts import first_of
from app.web.views.base import Asked, Doc, Sight, View
from app.web.vm import cells, comparison, selection
from app.web.vm.strip import AREAS, strip
from app.web.vm.walk import walk

LISTED: Final = 12
ALARMS: Final = 3
FIRST_NAME: Final = "a"
PROGRAM: Final = "/bin/hello"
PANEL_NAMES: Final = ("pagecache", "lru", "swap", "proc", "tasks", "log")


@dataclass(frozen=True, slots=True)
class ProcessesView(CentreView):
    """Processes, and the address space of one."""

    TEMPLATE: ClassVar[str] = "machine/views/processes.html"
    pid: int
    """the pid of the process that is shown; 0 where there is none"""
    name: str
    """its name"""
    va: str
    """the address whose walk is shown"""
    processes: Sequence[ProcessRow]
    """some processes, the shown one among them"""
    more: Sequence[Link]
    """to the processes before and behind those"""
    start: ProcessCall
    """starts the first process"""
    calls: Sequence[ProcessCall]
    """calls as the process that is shown"""
    counters: Sequence[Fact]
    """faults and resident pages of the process"""
    strip: Strip | None
    """its areas"""
    pages: AreaPages | None
    """the pages of the area that the address is in"""
    walk: Walk | None
    """the walk of the address"""
    alarms: Sequence[Link]
    """what a caller's mistake has broken there, each with the frame in the inspector"""
    pairs: Sequence[tuple[str, str]]
    """the parts of the page’s address but `va`, which the form of an address carries along"""
    comparison: Comparison | None
    """the same pages of another process"""
    replacement: Link | None
    """to the page that compares replacement policies on the process’s accesses"""
    physical: PhysicalBar
    """all memory as one bar"""
    ribbon: Ribbon
    """the frame at the end of the walk on that bar"""


# -- reading ---------------------------------------------------------------------------------------


def read(machine: Machine, asked: Asked) -> Doc:
    """Read the processes around the one that is shown, and of that one what is around one address."""
    here, shown = asked.here, asked.shown
    task = selection.process(machine, here, shown)
    if task is None or task.mm is None:
        return {"processes": [], "total": 0, "first": 0, "task": None}
    found = vm_windows.processes(machine)
    first = first_of(found.index(task), len(found), LISTED)
    address = selection.address(here, shown, task, machine.model.ptr_max)
    doc: dict[str, Any] = {
        "processes": [vm_windows.process(each) for each in found[first : first + LISTED]],
        "before": found[first - 1].pid if first else None,
        "behind": found[first + LISTED].pid if first + LISTED < len(found) else None,
        "task": vm_windows.process(task),
        "shares": vm_windows.shares(machine, task),
        "child": next_name(machine, task.name),
        "addr": address,
        "areas": vm_windows.areas(task.mm, address, AREAS),
        "pages": cells.read(machine, task.mm, address),
        "walk": vm_windows.walk(machine, task, address),
    }
    window = doc["pages"]
    around = (address, 0) if window is None else (window["first"], len(window["single"]))
    doc["alarms"] = vm_alarms.alarms(machine, task.mm, address, *around)
    other = selection.other(machine, here, task)
    if other is not None and other.mm is not None and window is not None:
        pages = vm_windows.pages(machine, other.mm, window["first"], len(window["single"]))
        doc["other"] = {"name": other.name, "pid": other.pid, "pages": pages}
    return doc


def next_name(machine: Machine, parent: str) -> str:
    """A name for a child that no task has: b, c, … A member’s child has the member’s before its own."""
    first = parent.partition("-")[0]
    names = (letter + str(number or "") for number in count() for letter in ascii_lowercase[1:])
    return next(
        name for name in names if name not in machine.tasks and f"{first}-{name}" not in machine.tasks
    )


def cost(machine: Machine, asked: Asked) -> int:
    """About how much work that is: of the area that is unrolled the tables are counted."""
    task = selection.process(machine, asked.here, asked.shown)
    return 0 if task is None or task.mm is None else vm_windows.cost(task, task.mm)


# -- showing ---------------------------------------------------------------------------------------


def view(sight: Sight) -> ProcessesView:
    """Show it."""
    doc, here, shown = sight.doc, sight.here, sight.shown
    task = doc["task"]
    start = ProcessCall("execve", _("Start a process"), FIRST_NAME, (("path", PROGRAM),))
    bar = physical_bar(sight.zones, sight.zone, sight.window)
    if task is None:
        return ProcessesView(
            0, "", "", (), (), start, (), (), None, None, None, (), (), None, None, bar, ribbon(None, sight)
        )
    pid, name, va = task["pid"], task["name"], f"{doc['addr']:#x}"
    here = here.to(pid=pid, va=va)
    pages = doc["pages"]
    changed = set() if pages is None else cells.changed_pages(shown, name, pages["first"])
    return ProcessesView(
        pid=pid,
        name=called(sight.people, name),
        va=va,
        processes=[row(each, task, here, sight.people) for each in doc["processes"]],
        more=[
            Link(words, here.to(pid=to, beside=None).href, hint=hint)
            for words, hint, to in (
                ("◂", _("Processes before"), doc["before"]),
                ("▸", _("Processes behind"), doc["behind"]),
            )
            if to is not None
        ],
        start=start,
        calls=calls(task, doc["child"]),
        counters=counters(task, doc["shares"]),
        strip=strip(doc["areas"], here),
        pages=None if pages is None else cells.area_pages(pages, here, doc["addr"], changed),
        walk=walk(doc["walk"], here, name, shown),
        alarms=[alarm(each, here) for each in doc["alarms"][:ALARMS]],
        pairs=[pair for pair in here.pairs if pair[0] != "va"],
        comparison=compared(sight, here, changed),
        replacement=Link(
            _("Replacement"),
            f"/replacement?{urlencode([('of', 'session'), ('session', here.id), ('task', name)])}",
            hint=_("Page replacement compared: its accesses against FIFO, LRU, clock, OPT and others"),
        ),
        physical=bar,
        ribbon=ribbon(doc["walk"]["pfn"], sight),
    )


def alarm(doc: Doc, here: Address) -> Link:
    """What is broken, in a sentence."""
    pfn = wording.pfn(doc["pfn"])
    if doc["what"] == "table":
        text = _("page frame %(pfn)s is a page table of this process, and somebody has freed it.", pfn=pfn)
    elif doc["count"] <= 0:
        text = _("page frame %(pfn)s is in use, and somebody has freed it.", pfn=pfn)
    else:
        text = _(
            "page frame %(pfn)s has %(count)s references, and %(known)s who know it: somebody has put one "
            "that was not theirs, and the page will be freed while it is in use.",
            pfn=pfn,
            count=wording.count(doc["count"]),
            known=wording.count(doc["known"]),
        )
    return Link(text, here.at(doc["pfn"], "#inspector"))


def compared(sight: Sight, here: Address, changed: set[int]) -> Comparison | None:
    """The same pages of the other process, where one is named."""
    doc = sight.doc
    other = doc.get("other")
    if other is None:
        return None
    window = doc["pages"]
    theirs = cells.changed_pages(sight.shown, other["name"], window["first"])
    return comparison.comparison(
        called(sight.people, doc["task"]["name"]),
        called(sight.people, other["name"]),
        list(zip(window["single"], other["pages"], strict=True)),
        here,
        doc["addr"],
        (changed, theirs),
    )


def row(process: Doc, chosen: Doc, here: Address, people: Mapping[str, str]) -> ProcessRow:
    """A process of the list. The address stays: it may be another page in another process."""
    pid = process["pid"]
    current = pid == chosen["pid"]
    return ProcessRow(
        name=called(people, process["name"]),
        pid=pid,
        href=here.to(pid=pid, beside=chosen["pid"] if here.beside == pid else None).href,
        current=current,
        parent=str(process["parent"] or ""),
        resident=process["resident"],
        minor=process["min_flt"],
        major=process["maj_flt"],
        compare=None if current else here.to(beside=pid).href,
        compared=here.beside == pid,
    )


def calls(task: Doc, child: str) -> list[ProcessCall]:
    """Buttons of calls as the process."""
    me = task["name"]
    return [
        ProcessCall("fork", "fork", me, (("child", child),)),
        ProcessCall("exit", "exit", me, (("status", "0"),)),
    ]


def counters(task: Doc, shares: Doc | None) -> list[Fact]:
    """Faults and resident pages. shares: RSS, PSS and USS; None of very large processes."""
    rss = task["rss"]
    lag = sum(rss[kind] for kind in ("anon", "file", "shmem"))
    found = [
        Fact("min_flt", wording.count(task["min_flt"]), hint=_("minor faults: without input or output")),
        Fact("maj_flt", wording.count(task["maj_flt"]), hint=_("major faults: a page had to be read")),
        Fact(
            "RSS",
            _("%(pages)s pages", pages=wording.count(task["resident"])),
            hint=_("the kernel’s own counter says %(pages)s: it lags", pages=wording.count(lag))
            if lag != task["resident"]
            else "",
        ),
    ]
    if shares is not None:
        found += [
            Fact("PSS", decimal(shares["pss"], 1), hint=_("pages, each that n map counted as 1/n")),
            Fact("USS", wording.count(shares["uss"]), hint=_("pages that nobody else maps")),
        ]
    found.append(Fact(_("page tables"), wording.size(task["pgtables_bytes"])))
    return found


def ribbon(pfn: int | None, sight: Sight) -> Ribbon:
    """Where a frame is in all memory."""
    if pfn is None:
        return Ribbon(None, _("The walk ends without a frame."), None)
    words = _("Frame %(pfn)s in all memory", pfn=wording.pfn(pfn))
    return Ribbon(place_of(pfn, sight.zones), words, Link(wording.pfn(pfn), sight.here.at(pfn)))


def form(doc: Doc) -> Mapping[str, str]:
    """The form calls as the process that is shown, at the address that is shown."""
    if doc["task"] is None:
        return {"call": "execve", "task": FIRST_NAME}
    name = doc["task"]["name"]
    return {"call": "store", "task": name, "speaker": name, "addr": f"{doc['addr']:#x}"}


VIEW: Final = View(
    "vm", N_("Processes"), {name: PANELS[name] for name in PANEL_NAMES}, read, view, cost, form
)
