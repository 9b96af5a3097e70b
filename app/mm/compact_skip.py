"""What compaction remembers of its last runs: where the scanners stood, and what is not worth a visit.

Kernel: mm/compaction.c. A run that finds a block of the wanted size stops early, and the next goes on from
there. A pageblock in which nothing could be taken is marked, and passed over until all marks are cleared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import page_kinds
from app.mm.compact_control import CompactControl, pageblock_end_pfn, pageblock_start_pfn
from app.mm.mmzone import MIGRATE_MOVABLE, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER, Zone

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Node


# -- marks of pageblocks ---------------------------------------------------------------------------


def get_pageblock_skip(zone: Zone, pfn: int) -> bool:
    """Whether the pageblock is marked. Kernel: include/linux/pageblock-flags.h get_pageblock_skip"""
    at = (pfn >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER)
    marks = zone.compact.skip
    return at < len(marks) and bool(marks[at])


def set_pageblock_skip(zone: Zone, pfn: int) -> None:
    """Mark it. Kernel: include/linux/pageblock-flags.h set_pageblock_skip"""
    marks_of(zone)[(pfn >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER)] = 1


def clear_pageblock_skip(zone: Zone, pfn: int) -> None:
    """Clear the mark. Kernel: include/linux/pageblock-flags.h clear_pageblock_skip"""
    if get_pageblock_skip(zone, pfn):
        marks_of(zone)[(pfn >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER)] = 0


def set_pageblocks_skip(zone: Zone, first: int, count: int, every: int = 1) -> None:
    """Mark so many pageblocks, all or every second one."""
    at = (first >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER)
    marks_of(zone)[at : at + (count - 1) * every + 1 : every] = bytes((1,)) * count


def marks_of(zone: Zone) -> bytearray:
    """A byte for each pageblock of the zone; there are none before the first is set."""
    if not zone.compact.skip:
        blocks = (zone.end_pfn - 1 >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER) + 1
        zone.compact.skip = bytearray(blocks)
    return zone.compact.skip


def isolation_suitable(cc: CompactControl, pfn: int) -> bool:
    """Whether the pageblock is to be visited. Kernel: isolation_suitable"""
    return cc.ignore_skip_hint or not get_pageblock_skip(cc.zone, pfn)


def test_and_set_skip(cc: CompactControl, pfn: int) -> bool:
    """Mark a pageblock of which the first frame is taken; whether it was marked. Kernel: test_and_set_skip"""
    if cc.ignore_skip_hint or pfn % PAGEBLOCK_NR_PAGES:
        return False
    skip = get_pageblock_skip(cc.zone, pfn)
    if not skip:
        set_pageblock_skip(cc.zone, pfn)
    return skip


# -- cached positions ------------------------------------------------------------------------------


def reset_cached_positions(zone: Zone) -> None:
    """The scanners have met: the next run begins at the zone's ends. Kernel: reset_cached_positions"""
    zone.compact.cached_migrate_pfn = [zone.start_pfn, zone.start_pfn]
    zone.compact.cached_free_pfn = pageblock_start_pfn(zone.end_pfn - 1)


def update_cached_migrate(cc: CompactControl, pfn: int) -> None:
    """The migration scanner is through with a pageblock. Kernel: update_cached_migrate

    There are two positions: what an asynchronous run could not move, a synchronous one may be able to.
    """
    pfn = pageblock_end_pfn(pfn)
    cached = cc.zone.compact.cached_migrate_pfn
    cached[0] = max(cached[0], pfn)
    if cc.sync:
        cached[1] = max(cached[1], pfn)


def update_pageblock_skip(cc: CompactControl, pfn: int) -> None:
    """The free scanner is through with a pageblock. Kernel: update_pageblock_skip"""
    set_pageblock_skip(cc.zone, pfn)
    cc.zone.compact.cached_free_pfn = min(cc.zone.compact.cached_free_pfn, pfn)


# -- a new beginning -------------------------------------------------------------------------------


def reset_isolation_suitable(m: Kernel, node: Node) -> None:
    """Clear the marks of zones whose scanners have met, when kswapd falls asleep.

    Kernel: reset_isolation_suitable
    """
    for zone in m.zones:
        if zone.nid == node.nid and zone.compact.blockskip_flush:
            reset_zone(m, zone)


def reset_zone(m: Kernel, zone: Zone) -> None:
    """Clear the marks of pageblocks that look worth a visit, from both ends inwards.

    Kernel: __reset_isolation_suitable. The outermost ones become the places where the next run begins.
    """
    state = zone.compact
    if not state.blockskip_flush:
        return
    state.blockskip_flush = False
    migrate_pfn, free_pfn = zone.start_pfn, zone.end_pfn - 1
    reset_migrate, reset_free = free_pfn, migrate_pfn
    source_set = free_set = False
    while migrate_pfn < free_pfn:
        if reset_isolation_pfn(m, zone, migrate_pfn, True, source_set) and migrate_pfn < reset_migrate:
            source_set = True
            reset_migrate = state.init_migrate_pfn = migrate_pfn
            state.cached_migrate_pfn = [migrate_pfn, migrate_pfn]
        if reset_isolation_pfn(m, zone, free_pfn, free_set, True) and free_pfn > reset_free:
            free_set = True
            reset_free = state.init_free_pfn = state.cached_free_pfn = free_pfn
        migrate_pfn += PAGEBLOCK_NR_PAGES
        free_pfn -= PAGEBLOCK_NR_PAGES
    if reset_migrate >= reset_free:
        state.cached_migrate_pfn = [migrate_pfn, migrate_pfn]
        state.cached_free_pfn = free_pfn


def reset_isolation_pfn(m: Kernel, zone: Zone, pfn: int, check_source: bool, check_target: bool) -> bool:
    """Look at every eighth frame of a pageblock for something to move, or for room, and clear its mark.

    Kernel: __reset_isolation_pfn
    """
    if not page_kinds.pfn_valid(zone, pfn) or page_kinds.pageblock_skip_persistent(m, pfn):
        return False
    if check_source and check_target and not get_pageblock_skip(zone, pfn):
        return True
    if not check_source and check_target and zone.get_pfnblock_migratetype(pfn) != MIGRATE_MOVABLE:
        return False
    first = max(pageblock_start_pfn(pfn), zone.start_pfn)
    last = min(pageblock_end_pfn(first) - 1, zone.end_pfn - 1)
    for frame in range(first, last + 1, 1 << PAGE_ALLOC_COSTLY_ORDER):
        if (check_source and page_kinds.is_on_lru(m, frame)) or (
            check_target and page_kinds.buddy_order(zone, frame) is not None
        ):
            clear_pageblock_skip(zone, pfn)
            return True
    return False
