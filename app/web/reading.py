"""What a machine page needs of the machine, taken in one look so that all of it is of the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from app.machine import show, show_cost
from app.machine.machine import Machine
from app.web import procfiles, queues, slabgrid, things, vmspace
from app.web.address import Address
from app.web.framemap import Window, window_of, zone_to_show
from app.web.tableparts import ROWS, first_row

LOCKS_SHOWN: Final = 8  # of each task in the table
SUGGESTED: Final = 100  # names of caches: a student's own are the latest


@dataclass(frozen=True, slots=True)
class Reading:
    """What was seen.

    zones has all of them, zone is the one on the map. frame: None where there is none to inspect, or no such
    frame. thing: what is at the address to be inspected. tasks: those that sleep. caches: names of slab
    caches, the latest first, as many as a field suggests.
    """

    zones: Sequence[Mapping[str, Any]]
    zone: Mapping[str, Any]
    window: Window
    cells: dict[str, Any]
    frame: dict[str, Any] | None
    thing: dict[str, Any] | None
    panel: dict[str, Any]
    tasks: Sequence[Mapping[str, Any]]
    caches: Sequence[str]


def look(machine: Machine, here: Address, panel: str, touched: int | None = None) -> Reading:
    """Everything at once. It runs on the thread that owns the machine where `cost` says that it is short.

    touched: the frame that the shown call was about, which says where to look unless the address does.
    """
    zones = show.zones(machine)["zones"]
    zone = zone_to_show(zones, here, touched)
    window = window_of(zone, here)
    return Reading(
        zones=zones,
        zone=zone,
        window=window,
        cells=show.zonemap(machine, zone["name"], zone["node"], window.start, window.shift, window.cells),
        frame=frame(machine, here.pfn),
        thing=things.read(machine, here),
        panel=panel_of(machine, panel, here, zone),
        tasks=show.sleepers(machine),
        caches=tuple(islice(reversed(machine.caches), SUGGESTED)),
    )


def frame(machine: Machine, pfn: int | None) -> dict[str, Any] | None:
    """The inspected frame, where there is such a frame."""
    if pfn is None:
        return None
    try:
        doc = show.page(machine, pfn)
    except KeyError:
        return None
    return doc | {"area": area_of(machine, pfn, doc)}


def area_of(machine: Machine, pfn: int, doc: Mapping[str, Any]) -> str | None:
    """The address of the vmap area that a frame is behind.

    An area and its frames are of one call, so only a call that made several leaves anything to look through.
    """
    if doc["state"] != "vmalloc":
        return None
    found = [va.vm for va in machine.vmap.busy if va.vm is not None and va.vm.seq == doc["block"]["seq"]]
    mine = found[0] if len(found) == 1 else next((vm for vm in found if pfn in vm.pages), None)
    return None if mine is None else f"{mine.addr:#x}"


def panel_of(machine: Machine, panel: str, here: Address, zone: Mapping[str, Any]) -> dict[str, Any]:
    """What the open panel shows: of a long list a part."""
    match panel:
        case "slab":
            opened = slabgrid.read(machine, here)
            return {"open": opened} if opened else caches(machine, here)
        case "vmalloc":
            return areas(machine, here)
        case "tasks":
            first = first_row(here, len(machine.tasks))
            found = show.task_part(machine, first, ROWS, LOCKS_SHOWN)
            return found | {"first": first, "locks": show.locks(machine, queues.SHOWN)}
        case "log":
            return show.log(machine)
        case "proc":
            return procfiles.read(machine, here)
        case _:
            return show.zone_lists_of(machine, zone["name"], zone["node"])


def caches(machine: Machine, here: Address) -> dict[str, Any]:
    """A part of the caches that have slabs."""
    found = show.caches_with_slabs(machine, 0, 0)
    first = first_row(here, found["total"])
    return show.caches_with_slabs(machine, first, ROWS) | {"open": None, "first": first}


def areas(machine: Machine, here: Address) -> dict[str, Any]:
    """A part of the areas, and those that are drawn."""
    total = len(machine.vmap.busy) + len(machine.vmap.purge)
    first = first_row(here, total)
    chosen = None if here.area is None else things.address_of(here.area)
    drawn = show.areas_around(machine, chosen, vmspace.MOST)
    return show.vmap_areas(machine, first, ROWS) | {"first": first, "drawn": drawn}


def cost(machine: Machine, here: Address, panel: str, touched: int | None = None) -> int:
    """About how much work `look` is."""
    zone = zone_to_show(show.zones(machine)["zones"], here, touched)
    window = window_of(zone, here)
    work = show_cost.zonemap(
        machine, zone["name"], zone["node"], window.start, window.shift, window.cells
    ) + cost_of_panel(machine, here, panel)
    if here.obj is not None:
        work += show_cost.address(machine)
    if here.pfn is not None:
        work += show_cost.area_of_frame(machine, here.pfn)
    return work


def cost_of_panel(machine: Machine, here: Address, panel: str) -> int:
    """Of the open panel."""
    match panel:
        case "slab":
            if here.slabs is not None:
                return show_cost.slabs_of(machine, here.slabs, slabgrid.SLABS)
            return show_cost.listed_caches(machine, ROWS)
        case "proc":
            return procfiles.cost(machine, here)
        case _:
            return 0
