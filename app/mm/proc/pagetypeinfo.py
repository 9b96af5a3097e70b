"""/proc/pagetypeinfo: the free lists of each migratetype, and the pageblocks.

Kernel: mm/vmstat.c pagetypeinfo_show. It shows how well the types are kept apart: free memory of one type in
small blocks means pageblocks that are mixed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_NAMES,
    MIGRATE_TYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    Zone,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# A longer list is not counted to its end: the zone's lock is held meanwhile.
MAX_COUNTED: Final = 100_000


def show(m: Kernel) -> str:
    """A table of free blocks and one of pageblocks for each node with memory."""
    return "".join(node_text([zone for zone in m.zones if zone.nid == node.nid]) for node in m.nodes)


def node_text(zones: list[Zone]) -> str:
    """One node's part; nothing for a node without memory."""
    if not zones:
        return ""
    orders = "".join(f"{order:6} " for order in range(MAX_ORDER))
    types = "".join(f"{name:>12} " for name in MIGRATE_NAMES)
    return "".join((
        f"Page block order: {PAGEBLOCK_ORDER}\nPages per block:  {PAGEBLOCK_NR_PAGES}\n\n",
        f"{'Free pages count per migrate type at order':<43} {orders}\n",
        *(free_lines(zone) for zone in zones),
        f"\n{'Number of blocks type':<23}{types}\n",
        *(blocks_line(zone) for zone in zones),
    ))  # fmt: skip


def free_lines(zone: Zone) -> str:
    """A line for each type with the length of its list of each order. Kernel: pagetypeinfo_showfree_print"""
    lines = []
    for migratetype, name in enumerate(MIGRATE_NAMES):
        counts = "".join(count_text(list_length(zone, order, migratetype)) for order in range(MAX_ORDER))
        lines.append(f"Node {zone.nid:4}, zone {zone.name:>8}, type {name:>12} {counts}\n")
    return "".join(lines)


def count_text(count: int) -> str:
    """The length of a list, or that it is longer than what is counted."""
    return f"{count:6} " if count < MAX_COUNTED else f">{MAX_COUNTED:6} "


def list_length(zone: Zone, order: int, migratetype: int) -> int:
    """How many blocks a free list has, those that nothing has touched yet included."""
    length = len(zone.free_area[order].free_list[migratetype])
    if order == MAX_ORDER - 1 and migratetype == zone.default_migratetype:
        first, end = zone.untouched
        length += (end - first) // MAX_ORDER_NR_PAGES + len(zone.untouched_tail)
    return length


def blocks_line(zone: Zone) -> str:
    """How many pageblocks of each type. Kernel: pagetypeinfo_showblockcount_print

    The kernel steps through the zone from its first frame, a pageblock's length at a time, and so may miss
    the last pageblock of a zone that starts within one.
    """
    first = zone.start_pfn >> PAGEBLOCK_ORDER
    end = first + -(-(zone.hole_pfn - zone.start_pfn) // PAGEBLOCK_NR_PAGES)
    counts = [0] * MIGRATE_TYPES
    for block, migratetype in zone.pageblock_flags.items():
        counts[migratetype] += first <= block < end
    counts[zone.default_migratetype] = end - first - sum(counts)
    return f"Node {zone.nid}, zone {zone.name:>8} " + "".join(f"{count:12} " for count in counts) + "\n"
