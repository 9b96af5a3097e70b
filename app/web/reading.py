"""What a machine page reads of the machine, in one look, so that all of it is of the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from app.machine import kswapd_runs, show, show_cost
from app.machine.machine import Machine
from app.web import address_inspector
from app.web.address import Address
from app.web.framemap import Window, window_of, zone_to_show
from app.web.nicknames import Names, with_nicknames
from app.web.panels import Panel
from app.web.views import Asked
from app.web.views import View as Centre

SUGGESTED: Final = 100  # names of caches: a student's own are the latest


@dataclass(frozen=True, slots=True)
class View:
    """What of the machine a page looks at."""

    here: Address
    """the address of the page"""
    centre: Centre
    """what the centre of the page shows"""
    panel: Panel
    """the open panel"""
    touched: int | None = None
    """the frame that the shown call was about: it says which zone is shown, unless the address does"""
    last: int | None = None
    """the frame that the shown call was about, whatever the address says"""
    shown: Mapping[str, Any] | None = None
    """the row that the banner shows"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read."""

    zones: Sequence[Mapping[str, Any]]
    """every zone"""
    free: Sequence[Sequence[int]]
    """free frames of each zone after the last calls, oldest first"""
    kswapds: Sequence[Mapping[str, Any]]
    """the kswapd of each node"""
    ran: Sequence[Sequence[str]]
    """which kswapds ran at the end of each of the last calls, oldest first"""
    zone: Mapping[str, Any]
    """the zone on the map"""
    window: Window
    """the window of the map"""
    cells: dict[str, Any]
    """the cells of that window"""
    frame: dict[str, Any] | None
    """the frame in the inspector; None where there is none, or no such frame"""
    address: dict[str, Any] | None
    """what is at the address in the inspector; None where there is none"""
    centre: Mapping[str, Any]
    """what the centre's view has read"""
    panel: dict[str, Any]
    """what the open panel has read"""
    tasks: Sequence[Mapping[str, Any]]
    """the tasks that sleep"""
    caches: Sequence[str]
    """names of slab caches, the latest first, as many as a field suggests"""

    def with_nicknames(self, names: Names) -> Reading:
        """The same with nicknames for the tasks of people."""
        if not names:
            return self
        return replace(
            self,
            tasks=with_nicknames(self.tasks, names),
            frame=with_nicknames(self.frame, names),
            address=with_nicknames(self.address, names),
            panel=with_nicknames(self.panel, names),
        )


def look(machine: Machine, view: View) -> Reading:
    """Read everything at once, on the thread that owns the machine where `cost` says that this is short."""
    here = view.here
    zones = show.zones(machine)["zones"]
    zone = zone_to_show(zones, here, view.touched)
    window = window_of(zone, here)
    return Reading(
        zones=zones,
        free=tuple(after.free for after in machine.after_calls),
        kswapds=kswapd_runs.kswapds(machine),
        ran=tuple(after.ran for after in machine.after_calls),
        zone=zone,
        window=window,
        cells=show.zonemap(machine, zone["name"], zone["node"], window.start, window.shift, window.cells),
        frame=frame(machine, here.pfn),
        address=address_inspector.read(machine, here),
        centre=view.centre.read(machine, asked(machine, view, zone, window)),
        panel=view.panel.read(machine, here, zone),
        tasks=show.sleepers(machine),
        caches=tuple(islice(reversed(machine.caches), SUGGESTED)),
    )


def asked(machine: Machine, view: View, zone: Mapping[str, Any], window: Window) -> Asked:
    """What the view in the centre is to read."""
    return Asked(view.here, zone, touched_frame(machine, view, window), view.shown)


def touched_frame(machine: Machine, view: View, window: Window) -> int:
    """The frame that the shown call was about, else the one in the inspector, else the first of the map."""
    found = (pfn for pfn in (view.last, view.here.pfn) if pfn is not None and machine.model.pfn_valid(pfn))
    return next(found, window.start)


def frame(machine: Machine, pfn: int | None) -> dict[str, Any] | None:
    """Read the frame in the inspector, where there is such a frame."""
    if pfn is None:
        return None
    try:
        doc = show.page(machine, pfn)
    except KeyError:
        return None
    pids = {task.name: task.pid for task in machine.tasks.values()} if "mapped_by" in doc else {}
    return doc | {"area": area_of(machine, pfn, doc), "pids": pids}


def area_of(machine: Machine, pfn: int, doc: Mapping[str, Any]) -> str | None:
    """The address of the vmap area that a frame is behind.

    An area and its frames are of one call, so only a call that made several leaves anything to look through.
    """
    if doc["state"] != "vmalloc":
        return None
    found = [va.vm for va in machine.vmap.busy if va.vm is not None and va.vm.seq == doc["block"]["seq"]]
    mine = found[0] if len(found) == 1 else next((vm for vm in found if pfn in vm.pages), None)
    return None if mine is None else f"{mine.addr:#x}"


def cost(machine: Machine, view: View) -> int:
    """About how much work `look` is."""
    here = view.here
    zone = zone_to_show(show.zones(machine)["zones"], here, view.touched)
    window = window_of(zone, here)
    work = show_cost.zonemap(machine, zone["name"], zone["node"], window.start, window.shift, window.cells)
    work += view.panel.cost(machine, here) + view.centre.cost(machine, asked(machine, view, zone, window))
    if here.obj is not None:
        work += show_cost.address(machine)
    if here.pfn is not None:
        work += show_cost.area_of_frame(machine, here.pfn) + show_cost.rmap(machine, here.pfn)
    return work
