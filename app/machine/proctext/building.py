"""The machine of a text: its zones with these free blocks, and everything else in use.

It is set up in the order in which the kernel sets itself up, so that marks, reserves, lists and caches are
those of a machine of its size; zoneinfo's and a report's own marks stand above them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.errors import BadArgument
from app.machine import ruleset
from app.machine.machine import Machine
from app.machine.parts import accounts, shape
from app.machine.proctext.bounds import ZIDS, Bounds, arch_of, place
from app.machine.proctext.layout import Layout
from app.machine.proctext.reading import MachineText, ZoneText
from app.mm import buddy, gfp, slab_common, vmalloc, wmarks
from app.mm.free_area import enter_whole
from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    Zone,
)
from app.mm.page import STATE_OF_MIGRATETYPE, Page
from app.mm.zonelists import build_all_zonelists

# Whose the frames in use are: nobody has written down who allocated them.
SOMEBODY: Final = "somebody"
GFP_OF_TYPE: Final = (
    gfp.GFP_KERNEL,
    gfp.GFP_HIGHUSER_MOVABLE,
    gfp.GFP_KERNEL | gfp.__GFP_RECLAIMABLE,
    gfp.GFP_ATOMIC,
)


def machine_of(text: MachineText) -> Machine:
    """The machine. Raises BadArgument with the line of a zone that cannot be laid out."""
    arch, cpus = arch_of(text.names), text.cpus
    placed = place(text.zones, arch)
    zones = [new_zone(arch, zone_text, bounds, cpus) for zone_text, bounds, _ in placed]
    for index, zone in enumerate(zones):
        zone.idx = index
    nr_nodes = zones[-1].nid + 1
    nodes = build_all_zonelists(zones, nr_nodes, [cpu % nr_nodes for cpu in range(cpus)])
    m = Machine(shape.memory_model(arch, cpus, nr_nodes, zones), zones, nodes)
    m.rules = ruleset.TODAY
    m.debug = True
    for zone, (zone_text, bounds, layout) in zip(zones, placed, strict=True):
        set_pageblocks(zone, zone_text, layout)
        enter_free(zone, layout)
        take_rest(m, zone, layout, bounds.managed - zone.nr_free_pages)
    wmarks.init_per_zone_wmark_min(m)
    slab_common.create_kmalloc_caches(m)
    vmalloc.vmalloc_init(m)
    for zone, (zone_text, _, _) in zip(zones, placed, strict=True):
        set_marks(m, zone, zone_text)
    m.reserved_pages = accounts.reserved_pages(m)
    return m


def new_zone(arch: str, text: ZoneText, bounds: Bounds, cpus: int) -> Zone:
    """A zone without free blocks."""
    zone = Zone(
        text.name, text.nid, ZIDS[arch][text.name],
        bounds.start, bounds.spanned, bounds.present, bounds.managed, cpus,
    )  # fmt: skip
    end = -(-bounds.usable[1] // PAGEBLOCK_NR_PAGES) * PAGEBLOCK_NR_PAGES
    zone.hole_pfn = min(zone.end_pfn, end)
    return zone


def set_pageblocks(zone: Zone, text: ZoneText, layout: Layout) -> None:
    """Types of the pageblocks: those of the free blocks in them, and of the rest as many as the text has."""
    left = {
        migratetype: count - sum(its == migratetype for its in layout.blocks.values())
        for migratetype, count in sorted(text.blocks.items())
        if migratetype != MIGRATE_MOVABLE
    }
    end = zone.hole_pfn - 1 >> PAGEBLOCK_ORDER
    others = iter([b for b in range(zone.start_pfn >> PAGEBLOCK_ORDER, end + 1) if b not in layout.blocks])
    for migratetype, count in left.items():
        for _, block in zip(range(max(0, count)), others, strict=False):
            layout.blocks[block] = migratetype
    zone.pageblock_flags = {
        block: migratetype for block, migratetype in layout.blocks.items() if migratetype != MIGRATE_MOVABLE
    }
    highatomic = sum(migratetype == MIGRATE_HIGHATOMIC for migratetype in layout.blocks.values())
    zone.nr_reserved_highatomic = highatomic * PAGEBLOCK_NR_PAGES


def enter_free(zone: Zone, layout: Layout) -> None:
    """The free blocks on their lists, in ascending order."""
    top = MAX_ORDER - 1
    whole = sorted(pfn for pfn, order, its in layout.free if (order, its) == (top, MIGRATE_MOVABLE))
    enter_whole(zone, runs_of(whole))
    for pfn, order, migratetype in sorted(layout.free, reverse=True):
        if (order, migratetype) != (top, MIGRATE_MOVABLE):
            buddy.add_to_free_list(zone, pfn, order, migratetype)
    zone.vm_stat_free = sum(1 << order for _, order, _ in layout.free)


def runs_of(pfns: Sequence[int]) -> list[tuple[int, int]]:
    """Blocks of the highest order as runs."""
    runs: list[tuple[int, int]] = []
    for pfn in pfns:
        first = runs.pop()[0] if runs and runs[-1][1] == pfn else pfn
        runs.append((first, pfn + MAX_ORDER_NR_PAGES))
    return runs


def take_rest(m: Machine, zone: Zone, layout: Layout, frames: int) -> None:
    """Give as many frames as are managed and not free to somebody, from the top; others are no memory.

    A block is taken whole, but where its pageblocks are of two types, or it is more than what is left.
    """
    rest = layout.rest()
    while frames:
        pfn, order = rest.pop()
        types = {
            zone.get_pfnblock_migratetype(at) for at in range(pfn, pfn + (1 << order), PAGEBLOCK_NR_PAGES)
        }
        if 1 << order > frames or len(types) > 1:
            half = 1 << order - 1
            rest += [(pfn, order - 1), (pfn + half, order - 1)]
            continue
        migratetype = types.pop()
        state = STATE_OF_MIGRATETYPE[migratetype]
        m.pages[pfn] = Page(pfn, order, 0, GFP_OF_TYPE[migratetype], state, SOMEBODY, 0)
        frames -= 1 << order


def set_marks(m: Machine, zone: Zone, text: ZoneText) -> None:
    """Marks and reserves as the text has them. Raises BadArgument."""
    marks = [text.sizes.get(name) for name in ("min", "low", "high")]
    if None not in marks:
        least, low, high = (mark or 0 for mark in marks)
        if not least <= low <= high <= zone.spanned_pages:
            raise BadArgument.at(text.loc, "marks that rise from min to low to high, within the zone's size")
        boost = min(text.sizes.get("boost", 0), least)
        zone.watermark = [least - boost, low - boost, high - boost, high - boost + (high - low)]
        zone.boost = boost
        own = [zone.watermark[0] for zone in m.zones if not wmarks.is_highmem(m, zone)]
        m.min_free_kbytes = sum(own) << PAGE_SHIFT - 10
    if text.protection:
        indexes = len(zone.lowmem_reserve)
        protection = [*text.protection, *[text.protection[-1]] * indexes]
        zone.lowmem_reserve = protection[:indexes]
