"""Counters of /proc/vmstat in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.mm.vmstat_text import VM_EVENTS, names

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine
MAX_EVENTS: Final = 1 << 63


def dump(m: Machine, doc: Dump) -> None:
    """The counters that are kept and not worked out."""
    doc["vmstat"] = {
        "vm_events": dict(sorted(m.vm_events.items())),
        "zones": [
            [zone.nr_alloc, zone.pgalloc, zone.numa_miss, zone.numa_foreign, zone.numa_other]
            for zone in m.zones
        ],
        "nr_large_kmalloc": [node.nr_large_kmalloc for node in m.nodes],
    }


def load(m: Machine, root: Document) -> None:
    """The counters of a dump; a recording has none, so they count from there."""
    doc = root.get("vmstat", {})
    known = names(m, VM_EVENTS)
    for name, value in doc.get("vm_events", {}).items():
        if name not in known:
            value.fault("an event of /proc/vmstat")
        m.vm_events[name] = value.int(0, MAX_EVENTS)
    if doc.has("zones"):
        for zone, entry in zip(m.zones, doc["zones"].list(len(m.zones), exactly=len(m.zones)), strict=True):
            counters = entry.ints(0, MAX_EVENTS, 5, exactly=5)
            zone.nr_alloc, zone.pgalloc, zone.numa_miss, zone.numa_foreign, zone.numa_other = counters
    if doc.has("nr_large_kmalloc"):
        pages = doc["nr_large_kmalloc"].ints(-MAX_EVENTS, MAX_EVENTS, len(m.nodes), exactly=len(m.nodes))
        for node, nr_pages in zip(m.nodes, pages, strict=True):
            node.nr_large_kmalloc = nr_pages


PART: Final = Part("counters", dump, load)
