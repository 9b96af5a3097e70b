"""What a machine page needs of the machine, taken in one look so that all of it is of the same moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.mm import show
from app.mm.machine import Machine
from app.web import procfiles, slabgrid, things
from app.web.address import Address
from app.web.framemap import Window, window_of, zone_to_show


@dataclass(frozen=True, slots=True)
class Reading:
    """zones.

    All of them; zone: the one on the map. frame: None where there is none to inspect, or no such frame.
    thing: what is at the address to be inspected.
    """

    zones: Sequence[Mapping[str, Any]]
    zone: Mapping[str, Any]
    window: Window
    cells: dict[str, Any]
    frame: dict[str, Any] | None
    thing: dict[str, Any] | None
    panel: dict[str, Any]
    tasks: Sequence[Mapping[str, Any]]


def look(machine: Machine, here: Address, panel: str, touched: int | None = None) -> Reading:
    """Runs on the thread that owns the machine, so it reads and computes nothing that could wait.

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
        tasks=show.tasks(machine)["tasks"],
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
    """What the open panel shows."""
    match panel:
        case "slab":
            return show.caches(machine) | {"open": slabgrid.read(machine, here)}
        case "vmalloc":
            return show.vmap_areas(machine)
        case "tasks":
            return show.tasks(machine)
        case "log":
            return show.log(machine)
        case "proc":
            return procfiles.read(machine, here)
        case _:
            lists = show.free_lists(machine)["zones"]
            return next(
                entry for entry in lists if (entry["name"], entry["node"]) == (zone["name"], zone["node"])
            )
