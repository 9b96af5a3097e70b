"""The free scanner: from the end of a zone downwards, it takes free frames to move pages to.

Kernel: mm/compaction.c isolate_freepages and what it calls, mm/page_alloc.c __isolate_free_page. Whole blocks
leave the free lists; their frames are used one by one, from the last on.
"""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import TYPE_CHECKING

from app.mm import buddy, compact_skip, freelist, page_kinds
from app.mm.compact_control import (
    COMPACT_CLUSTER_MAX,
    MIGRATE_ASYNC,
    CompactControl,
    freelist_scan_limit,
    pageblock_end_pfn,
    pageblock_start_pfn,
)
from app.mm.mmzone import (
    MAX_ORDER_NR_PAGES,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    WMARK_MIN,
    Zone,
)
from app.mm.vmstat import count_vm_events

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import FreeList


def compaction_alloc(m: Kernel, cc: CompactControl) -> int | None:
    """A frame to move a page to; None when the free scanner finds no more. Kernel: compaction_alloc"""
    if not cc.freepages:
        isolate_freepages(m, cc)
        if not cc.freepages:
            return None
    cc.nr_freepages -= 1
    return cc.freepages.popleft()


def compaction_free(cc: CompactControl, pfn: int) -> None:
    """A frame that was not used after all is the next one. Kernel: compaction_free"""
    cc.freepages.appendleft(pfn)
    cc.nr_freepages += 1


def isolate_freepages(m: Kernel, cc: CompactControl) -> None:
    """Take as many free frames as there are pages to be moved. Kernel: isolate_freepages

    First the free lists are searched for a block high up; if that gives nothing, pageblocks are scanned from
    where the last scan ended, down to the pageblock of the migration scanner.
    """
    fast_isolate_freepages(m, cc)
    if not cc.nr_freepages:
        scan_downwards(m, cc)
    split_map_pages(cc)


def scan_downwards(m: Kernel, cc: CompactControl) -> None:
    """Take free frames pageblock by pageblock. Kernel: isolate_freepages

    Behind each pageblock without any, only every second, fourth … frame is looked at in the next ones.
    """
    zone = cc.zone
    pfn = cc.free_pfn
    start = pageblock_start_pfn(pfn)
    end = min(start + PAGEBLOCK_NR_PAGES, zone.end_pfn)
    stride = COMPACT_CLUSTER_MAX if cc.mode == MIGRATE_ASYNC else 1
    while start >= pageblock_end_pfn(cc.migrate_pfn):
        m.breathe()
        if suitable_migration_target(cc, start, end) and compact_skip.isolation_suitable(cc, start):
            pfn, nr_isolated = isolate_freepages_block(m, cc, pfn, end, stride)
            if pfn == end:
                compact_skip.update_pageblock_skip(cc, start)
            if cc.nr_freepages >= cc.nr_migratepages:
                if pfn >= end:
                    pfn = start - PAGEBLOCK_NR_PAGES
                break
            if pfn < end:
                break
            stride = 1 if nr_isolated else min(COMPACT_CLUSTER_MAX, stride << 1)
        if stride == COMPACT_CLUSTER_MAX and m.trace is None:
            start = step_over_untouched(cc, start)
        end = start
        start -= PAGEBLOCK_NR_PAGES
        pfn = start
    cc.free_pfn = pfn


def step_over_untouched(cc: CompactControl, start: int) -> int:
    """Go over memory that nothing has ever asked for at once; which pageblock was the last one looked at.

    The kernel looks at a few frames of the second half of each free block of 1,024, not at its first half.
    """
    zone = cc.zone
    first, end = zone.untouched
    last = max(first, pageblock_end_pfn(cc.migrate_pfn) + MAX_ORDER_NR_PAGES - 1 & -MAX_ORDER_NR_PAGES)
    blocks = (start - last) // MAX_ORDER_NR_PAGES
    if not cc.ignore_skip_hint or start % MAX_ORDER_NR_PAGES or start > end or blocks <= 0:
        return start
    if not cc.ignore_block_suitable and zone.default_migratetype != MIGRATE_MOVABLE:
        return start
    start -= blocks * MAX_ORDER_NR_PAGES
    compact_skip.set_pageblocks_skip(zone, start + PAGEBLOCK_NR_PAGES, blocks, 2)
    zone.compact.cached_free_pfn = min(zone.compact.cached_free_pfn, start + PAGEBLOCK_NR_PAGES)
    cc.total_free_scanned += blocks * (PAGEBLOCK_NR_PAGES // COMPACT_CLUSTER_MAX)
    return start


def suitable_migration_target(cc: CompactControl, start: int, end: int) -> bool:
    """Whether pages may be moved into a pageblock. Kernel: suitable_migration_target, pageblock_pfn_to_page

    Not into one that is free as a whole: that is what compaction is after. Only movable pages may be moved,
    so they go where such pages belong.
    """
    zone = cc.zone
    if not page_kinds.pfn_valid(zone, start) or not page_kinds.pfn_valid(zone, end - 1):
        return False
    order = page_kinds.buddy_order(zone, start)
    if order is not None and order >= PAGEBLOCK_ORDER:
        return False
    return cc.ignore_block_suitable or zone.get_pfnblock_migratetype(start) == MIGRATE_MOVABLE


def isolate_freepages_block(
    m: Kernel, cc: CompactControl, start_pfn: int, end_pfn: int, stride: int
) -> tuple[int, int]:
    """Take free blocks of a pageblock upwards until there are enough. Kernel: isolate_freepages_block

    Returns the frame behind what was looked at, and how many frames were taken.
    """
    zone = cc.zone
    nr_scanned = total_isolated = 0
    pfn = start_pfn
    inside = zone.free_block_at(pfn)
    frames = range(pfn, end_pfn, stride)
    if (inside is not None and inside[0] < pfn and inside[0] + (1 << inside[1]) >= end_pfn) or (
        inside is None and page_kinds.none_known(m, zone, frames)
    ):
        # No frame is the first of a free block.
        nr_scanned = len(frames)
        pfn = end_pfn
    while pfn < end_pfn:
        nr_scanned += 1
        order = page_kinds.buddy_order(zone, pfn)
        if order is None:
            # Kernel: the order of a page that is not compound is 0
            pfn += (1 << page_kinds.compound_order(m, pfn)) - 1 + stride
            continue
        if not isolate_free_page(m, zone, pfn, order):
            break
        isolated = 1 << order
        nr_scanned += isolated - 1
        total_isolated += isolated
        cc.nr_freepages += isolated
        cc.isolated.append((pfn, order))
        if cc.nr_migratepages <= cc.nr_freepages:
            pfn += isolated
            break
        pfn += isolated - 1 + stride
    pfn = min(pfn, end_pfn)
    if m.trace is not None:
        m.trace.compaction.isolated_free(zone, start_pfn, pfn, nr_scanned, total_isolated)
    cc.total_free_scanned += nr_scanned
    if total_isolated:
        count_vm_events(m, "compact_isolated", total_isolated)
    return pfn, total_isolated


def isolate_free_page(m: Kernel, zone: Zone, pfn: int, order: int) -> bool:
    """Take a block off its free list, if the zone stays above its min mark.

    Kernel: mm/page_alloc.c __isolate_free_page
    """
    mark = zone.watermark[WMARK_MIN] + (1 << order)
    if not freelist.zone_watermark_ok(zone, 0, mark, 0, 0, zone.vm_stat_free):
        return False
    buddy.mod_zone_freepage_state(m, zone, -(1 << order))
    buddy.enter(zone, pfn)
    buddy.del_page_from_free_list(zone, pfn, order)
    if order >= PAGEBLOCK_ORDER - 1:
        for block in range(pfn, pfn + (1 << order) - 1, PAGEBLOCK_NR_PAGES):
            if zone.get_pfnblock_migratetype(block) < MIGRATE_PCPTYPES:
                buddy.set_pageblock_migratetype(m, zone, block, MIGRATE_MOVABLE)
    return True


def split_map_pages(cc: CompactControl) -> None:
    """Make single frames of the blocks; the last one taken is used first. Kernel: split_map_pages"""
    frames = [frame for pfn, order in cc.isolated for frame in range(pfn, pfn + (1 << order))]
    cc.isolated.clear()
    cc.freepages = deque(reversed(frames))


# -- a search of the free lists --------------------------------------------------------------------


def fast_isolate_freepages(m: Kernel, cc: CompactControl) -> None:
    """Look for a free block near the end of the zone, and take it. Kernel: fast_isolate_freepages

    Found in a list, it saves scanning a long way down. One in the last quarter between the scanners is
    wanted, one in the last half will do. Where none is found at the start of a run, the free scanner
    begins lower.
    """
    if cc.order <= 0:
        return
    zone = cc.zone
    limit = max(1, freelist_scan_limit(cc) >> 1)
    scan_start = cc.free_pfn >= zone.compact.init_free_pfn
    if scan_start:
        limit = PAGEBLOCK_NR_PAGES >> 1
    distance = cc.free_pfn - cc.migrate_pfn
    low_pfn = pageblock_start_pfn(cc.free_pfn - (distance >> 2))
    min_pfn = pageblock_start_pfn(cc.free_pfn - (distance >> 1))
    found, highest, nr_scanned = search_free_lists(m, cc, limit, low_pfn, min_pfn)
    if found is None:
        cc.fast_search_fail += 1
        if scan_start:
            if highest >= min_pfn:
                found = cc.free_pfn = highest
            elif cc.direct_compaction and page_kinds.pfn_valid(zone, min_pfn):
                found = cc.free_pfn = min_pfn
    if highest and highest >= zone.compact.cached_free_pfn:
        zone.compact.cached_free_pfn = highest - PAGEBLOCK_NR_PAGES
    cc.total_free_scanned += nr_scanned
    if found is not None:
        fast_isolate_around(m, cc, found)


def search_free_lists(
    m: Kernel, cc: CompactControl, limit: int, low_pfn: int, min_pfn: int
) -> tuple[int | None, int, int]:
    """Take a block of the movable lists, order by order. Kernel: fast_isolate_freepages

    Returns its first frame or None, the highest pageblock that was seen, and how many frames were looked at.
    """
    zone = cc.zone
    highest = nr_scanned = 0
    found: int | None = None
    order = cc.search_order = min(cc.order - 1, cc.search_order)
    while found is None and order >= 0:
        if zone.free_area[order].nr_free:
            free_list = zone.free_area[order].free_list[MIGRATE_MOVABLE]
            order_scanned = high_pfn = 0
            for pfn in free_list:
                order_scanned += 1
                nr_scanned += 1
                if pfn >= highest:
                    highest = max(pageblock_start_pfn(pfn), zone.start_pfn)
                at = pfn
                if pfn >= low_pfn:
                    cc.fast_search_fail = 0
                    cc.search_order = order
                    found = pfn
                    break
                if pfn >= min_pfn and pfn > high_pfn:
                    high_pfn = pfn
                    limit >>= 1
                if order_scanned >= limit:
                    break
            else:
                at = -1
            if found is None and high_pfn:
                found = at = high_pfn
            if at >= 0:
                move_freelist_head(free_list, at)
            if found is not None:
                if isolate_free_page(m, zone, found, order):
                    nr_scanned += (1 << order) - 1
                    cc.nr_freepages += 1 << order
                    cc.isolated.append((found, order))
                    count_vm_events(m, "compact_isolated", 1 << order)
                    if m.trace is not None:
                        m.trace.compaction.found_free(found, order)
                else:
                    found = None
                    order = cc.search_order + 1
            if order_scanned >= limit:
                limit = max(1, limit >> 1)
        order = next_search_order(cc, order)
    return found, highest, nr_scanned


def next_search_order(cc: CompactControl, order: int) -> int:
    """The next smaller order, then from the top; −1 when all were searched. Kernel: next_search_order"""
    order -= 1
    if order < 0:
        order = cc.order - 1
    if order == cc.search_order:
        cc.search_order -= 1
        if cc.search_order < 0:
            cc.search_order = cc.order - 1
        return -1
    return order


def move_freelist_head(free_list: FreeList, free_pfn: int) -> None:
    """Turn a list round so that a block becomes its first: the next search ends with those just seen.

    Kernel: move_freelist_head
    """
    turned = [*takewhile(lambda pfn: pfn != free_pfn, free_list), free_pfn]
    for pfn in turned:
        free_list.move_to_end(pfn)


def fast_isolate_around(m: Kernel, cc: CompactControl, pfn: int) -> None:
    """Take the other free frames of the pageblock, too, if more are needed. Kernel: fast_isolate_around"""
    zone = cc.zone
    if cc.nr_freepages >= cc.nr_migratepages or (cc.direct_compaction and cc.mode == MIGRATE_ASYNC):
        return
    start = max(pageblock_start_pfn(pfn), zone.start_pfn)
    end = min(pageblock_end_pfn(pfn), zone.end_pfn)
    if not page_kinds.pfn_valid(zone, start) or not page_kinds.pfn_valid(zone, end - 1):
        return
    isolate_freepages_block(m, cc, start, end, 1)
    if cc.nr_freepages < cc.nr_migratepages:
        compact_skip.set_pageblock_skip(zone, start)
