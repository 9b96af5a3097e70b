"""What the kernel counts while it works, under the names that /proc shows.

Kernel: mm/vmstat.c, include/linux/vm_event_item.h. There are two kinds. A *state* says how much of something
there is now, for each zone or node; most are read off the machine itself when somebody asks. An *event* says
how often something has happened since boot: those that this machine can cause are counted where the kernel
counts them, and all others are 0 for ever, but stand in their place, because programs find values by line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.mm import pgtable
from app.mm.document import Document
from app.mm.slab import SLAB_RECLAIM_ACCOUNT
from app.mm.vmstat_text import VM_EVENTS, ZONES, names, zone_names

if TYPE_CHECKING:
    from app.mm.machine import Machine
    from app.mm.mmzone import Zone

MAX_EVENTS: Final = 1 << 63

# -- counting ----------------------------------------------------------------------------------


def count_vm_events(m: Machine, event: str, delta: int = 1) -> None:
    """Count something that has happened, under its name in /proc/vmstat. Kernel: count_vm_events"""
    m.vm_events[event] = m.vm_events.get(event, 0) + delta


def count_zid_vm_event(m: Machine, event: str, zid: int) -> None:
    """Count something that is counted for each kind of zone. Kernel: __count_zid_vm_events"""
    suffixes = {name: suffix for _, name, suffix in ZONES}
    count_vm_events(m, f"{event}_{suffixes[zone_names(m)[zid]]}")


# -- reading -----------------------------------------------------------------------------------


def zone_page_state(zone: Zone) -> dict[str, int]:
    """The counters of a zone that are not zero for ever. Kernel: zone_page_state, zone_numa_event_state

    Once a second each CPU folds its differences into the zone's counter, so whoever reads /proc sees exact
    values; only watermark checks, which come in between, do not.
    """
    return {
        "nr_free_pages": zone.nr_free_pages,
        "numa_hit": zone.nr_alloc - zone.numa_miss,
        "numa_miss": zone.numa_miss,
        "numa_foreign": zone.numa_foreign,
        "numa_local": zone.nr_alloc - zone.numa_other,
        "numa_other": zone.numa_other,
    }


def node_page_state(m: Machine, nid: int) -> dict[str, int]:
    """The counters of a node that are not zero for ever, in pages. Kernel: node_page_state_pages

    What kmalloc passes through to the page allocator counts as slab memory too, though it is in no slab. A
    negative count, which freeing a plain page by kfree leaves behind, reads as 0.
    """
    reclaimable, unreclaimable = 0, m.nodes[nid].nr_large_kmalloc
    for slab in m.slabs.values():
        if slab.nid != nid:
            continue
        if slab.cache.flags & SLAB_RECLAIM_ACCOUNT:
            reclaimable += 1 << slab.order
        else:
            unreclaimable += 1 << slab.order
    return {
        "nr_slab_reclaimable": reclaimable,
        "nr_slab_unreclaimable": max(0, unreclaimable),
        "nr_page_table_pages": nr_page_table_pages(m, nid),
    }


def nr_page_table_pages(m: Machine, nid: int) -> int:
    """Page-table pages of a node. Kernel: NR_PAGETABLE

    Of the kernel's own tables only those of the middle level are counted: the lowest ones come from
    `__pte_alloc_one_kernel`, which does not count.
    """
    tables = m.vmap.page_tables
    return sum(
        shift == pgtable.PUD_SHIFT and pfn is not None and m.zone_of(pfn).nid == nid
        for (shift, _), pfn in tables.items()
    )


def global_node_page_state(m: Machine) -> dict[str, int]:
    """The counters of all nodes together."""
    total: dict[str, int] = {}
    for node in m.nodes:
        for name, value in node_page_state(m, node.nid).items():
            total[name] = total.get(name, 0) + value
    return total


def global_zone_page_state(m: Machine) -> dict[str, int]:
    """The counters of all zones together."""
    total: dict[str, int] = {}
    for zone in m.zones:
        for name, value in zone_page_state(zone).items():
            total[name] = total.get(name, 0) + value
    return total


def all_vm_events(m: Machine) -> dict[str, int]:
    """The events that have happened. Kernel: all_vm_events"""
    events = dict(m.vm_events)
    suffixes = {name: suffix for _, name, suffix in ZONES}
    for zone in m.zones:
        name = f"pgalloc_{suffixes[zone.name]}"
        events[name] = events.get(name, 0) + zone.pgalloc
    return events


# -- in a dump ---------------------------------------------------------------------------------


def dump_vmstat(m: Machine) -> dict[str, Any]:
    """The counters that are kept and not worked out."""
    return {
        "vm_events": dict(sorted(m.vm_events.items())),
        "zones": [
            [zone.nr_alloc, zone.pgalloc, zone.numa_miss, zone.numa_foreign, zone.numa_other]
            for zone in m.zones
        ],
        "nr_large_kmalloc": [node.nr_large_kmalloc for node in m.nodes],
    }


def load_vmstat(m: Machine, doc: Document) -> None:
    """The counters of a dump; a recording has none, so they count from there."""
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
