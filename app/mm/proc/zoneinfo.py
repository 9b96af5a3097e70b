"""/proc/zoneinfo: each zone's marks, size, reserves, counters and per-CPU lists.

Kernel: mm/vmstat.c zoneinfo_show. Zones that the kernel knows but the machine has no memory for are shown
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import vmstat, vmstat_text
from app.mm.mmzone import WMARK_HIGH, WMARK_LOW, WMARK_MIN, Zone
from app.mm.wmarks import HIGHMEM_MIN_PAGES
from app.mm.zone_pages import user_zone_states

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def show(m: Kernel) -> str:
    """All zones of all nodes, by index; a node's own counters stand in its first populated zone."""
    parts = []
    users = user_zone_states(m)
    for node in m.nodes:
        populated = {zone.name: zone for zone in m.zones if zone.nid == node.nid}
        first = next((name for name in vmstat_text.zone_names(m) if name in populated), None)
        for name in vmstat_text.zone_names(m):
            parts.append(f"Node {node.nid}, zone {name:>8}\n")
            if name == first:
                parts.append(node_text(m, node.nid))
            zone = populated.get(name)
            parts.append(empty_text(m, name) if zone is None else zone_text(m, zone, users[zone]))
    return "".join(parts)


def node_text(m: Kernel, nid: int) -> str:
    """A node's counters."""
    return "  per-node stats\n" + counters(
        vmstat_text.names(m, vmstat_text.NODE_STATS), vmstat.node_page_state(m, nid)
    )


def counters(names: list[str], values: dict[str, int]) -> str:
    """A line for each counter; those without a value are zero."""
    return "".join(f"      {name:<12} {values.get(name, 0)}\n" for name in names)


def sizes(zone: Zone) -> dict[str, int]:
    """What follows the free pages: the marks with their boost, and the zone's extent."""
    return {
        "boost": zone.boost,
        "min": zone.wmark_pages(WMARK_MIN),
        "low": zone.wmark_pages(WMARK_LOW),
        "high": zone.wmark_pages(WMARK_HIGH),
        "spanned": zone.spanned_pages,
        "present": zone.present_pages,
        "managed": zone.managed_pages,
        "cma": 0,
    }


def sizes_text(free: int, values: dict[str, int], protection: list[int]) -> str:
    """The first part of a zone, which also an empty one has. protection: its lowmem_reserve."""
    return "".join((
        f"  pages free     {free}\n",
        *(f"        {name:<8} {value}\n" for name, value in values.items()),
        f"        protection: ({', '.join(map(str, protection))})\n",
    ))  # fmt: skip


def empty_text(m: Kernel, name: str) -> str:
    """A zone without memory: all zero, but for the least mark of HIGHMEM and of a movable zone above it."""
    least = HIGHMEM_MIN_PAGES[0] if name == "HighMem" or movable_is_highmem(m, name) else 0
    values = {"boost": 0, "min": least, "low": least, "high": least}
    values |= {"spanned": 0, "present": 0, "managed": 0, "cma": 0}
    return sizes_text(0, values, [0] * len(vmstat_text.zone_names(m)))


def movable_is_highmem(m: Kernel, name: str) -> bool:
    """Whether a movable zone would be taken from HIGHMEM. Kernel: zone_movable_is_highmem"""
    return name == "Movable" and any(zone.name == "HighMem" for zone in m.zones)


def zone_text(m: Kernel, zone: Zone, users: dict[str, int]) -> str:
    """A populated zone. users: its counters of pages of processes and files."""
    state = vmstat.zone_page_state(zone) | users
    return "".join((
        sizes_text(state["nr_free_pages"], sizes(zone), zone.lowmem_reserve),
        counters(vmstat_text.names(m, vmstat_text.ZONE_STATS), state),
        counters(vmstat_text.names(m, vmstat_text.NUMA_EVENTS), state),
        "  pagesets\n",
        *(
            f"    cpu: {cpu}\n"
            f"              count: {pcp.count}\n"
            f"              high:  {pcp.high}\n"
            f"              batch: {pcp.batch}\n"
            f"  vm stats threshold: {zone.stat_threshold}\n"
            for cpu, pcp in enumerate(zone.pcp)
        ),
        "  node_unreclaimable:  0\n",
        f"  start_pfn:           {zone.start_pfn}\n",
    ))  # fmt: skip
