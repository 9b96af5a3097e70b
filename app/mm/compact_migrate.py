"""The migration scanner: from the start of a zone upwards, it takes pages off their lists to be moved.

Kernel: mm/compaction.c isolate_migratepages and what it calls. It goes pageblock by pageblock. The first
visit takes 32 pages, a second one all the rest: if a block is begun, it should come to be free as a whole.
"""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from app.mm import compact_skip, lru_isolate, migrate, page_kinds
from app.mm import gfp as gfp_masks
from app.mm.compact_control import (
    COMPACT_CLUSTER_MAX,
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    WHOLE,
    CompactControl,
    block_end_pfn,
    freelist_scan_limit,
    pageblock_end_pfn,
    pageblock_start_pfn,
)
from app.mm.mmzone import MAX_ORDER_NR_PAGES, MIGRATE_MOVABLE, PAGE_ALLOC_COSTLY_ORDER, PAGEBLOCK_NR_PAGES
from app.mm.page import PG_dirty, PG_lru, PG_writeback
from app.mm.vmstat import count_vm_events

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import FreeList


def isolate_migratepages(m: Kernel, cc: CompactControl) -> bool:
    """Take pages of the next pageblock that has any; whether there are some. Kernel: isolate_migratepages"""
    low_pfn = fast_find_migrateblock(cc)
    fast_find_block = low_pfn != cc.migrate_pfn and not cc.fast_search_fail
    if cc.order == WHOLE and m.trace is None:
        low_pfn = step_over_untouched(cc)
    end_pfn = pageblock_end_pfn(low_pfn)
    start_pfn = max(pageblock_start_pfn(low_pfn), cc.zone.start_pfn)
    while end_pfn <= cc.free_pfn:
        m.breathe()
        if visit(m, cc, low_pfn, start_pfn, end_pfn, fast_find_block=fast_find_block):
            isolate_migratepages_block(m, cc, low_pfn, end_pfn)
            break
        fast_find_block = False
        cc.migrate_pfn = low_pfn = start_pfn = end_pfn
        end_pfn += PAGEBLOCK_NR_PAGES
    return bool(cc.migratepages)


def step_over_untouched(cc: CompactControl) -> int:
    """Go over memory that nothing has ever asked for at once; where to go on.

    The kernel looks at the first frame of each free block of 1,024, and at all frames of its second half.
    """
    zone = cc.zone
    first, end = zone.untouched
    stop = min(end, cc.free_pfn & -MAX_ORDER_NR_PAGES)
    blocks = (stop - cc.migrate_pfn) // MAX_ORDER_NR_PAGES
    if first <= cc.migrate_pfn and not cc.migrate_pfn % MAX_ORDER_NR_PAGES and blocks > 0:
        compact_skip.set_pageblocks_skip(zone, cc.migrate_pfn, 2 * blocks)
        cc.total_migrate_scanned += blocks * (1 + PAGEBLOCK_NR_PAGES)
        cc.migrate_pfn += blocks * MAX_ORDER_NR_PAGES
        compact_skip.update_cached_migrate(cc, cc.migrate_pfn)
    return cc.migrate_pfn


def visit(
    m: Kernel, cc: CompactControl, low_pfn: int, start_pfn: int, end_pfn: int, *, fast_find_block: bool
) -> bool:
    """Whether a pageblock is to be scanned. Kernel: suitable_migration_source, isolate_migratepages

    A direct compactor in a hurry looks only into pageblocks of its own type.
    """
    zone = cc.zone
    if not page_kinds.pfn_valid(zone, start_pfn) or not page_kinds.pfn_valid(zone, end_pfn - 1):
        return False
    aligned = not low_pfn % PAGEBLOCK_NR_PAGES
    if aligned and not fast_find_block and not compact_skip.isolation_suitable(cc, start_pfn):
        return False
    suitable = not page_kinds.pageblock_skip_persistent(m, start_pfn)
    if suitable and cc.mode == MIGRATE_ASYNC and cc.direct_compaction:
        suitable = zone.get_pfnblock_migratetype(start_pfn) == cc.migratetype
        if m.trace is not None and not suitable:
            m.trace.compaction.passed_over(cc.migratetype)
    if not suitable:
        compact_skip.update_cached_migrate(cc, end_pfn)
    return suitable


# Why most frames are left where they are.
NOT_LISTED: Final = "not on a list"


class BlockScan:
    """The scan of one pageblock, or of what is left of it. low_pfn: the next frame to be looked at.

    next_skip_pfn: the end of the aligned block that is given up with the first failure; None where none is.
    valid: the pageblock was scanned from its first frame on. marked: it has its mark, or may not have one.
    refusals: why frames were left, and how many.
    """

    __slots__ = (
        "end_pfn", "low_pfn", "marked", "next_skip_pfn", "nr_isolated", "nr_scanned", "refusals",
        "start_pfn", "valid",
    )  # fmt: skip

    def __init__(self, cc: CompactControl, low_pfn: int, end_pfn: int) -> None:
        self.start_pfn = self.low_pfn = low_pfn
        self.end_pfn = end_pfn
        self.next_skip_pfn: int | None = None
        if cc.direct_compaction and cc.mode == MIGRATE_ASYNC:
            self.next_skip_pfn = block_end_pfn(low_pfn, cc.order)
        self.nr_scanned = 0
        self.nr_isolated = 0
        self.valid = False
        self.marked = False
        self.refusals: dict[str, int] = {}


def isolate_migratepages_block(m: Kernel, cc: CompactControl, low_pfn: int, end_pfn: int) -> None:
    """Take what can be moved of a part of a pageblock. Kernel: isolate_migratepages_block"""
    scan = BlockScan(cc, low_pfn, end_pfn)
    if scan.next_skip_pfn is None:
        step_over_unknown(m, cc, scan)
    while scan.low_pfn < end_pfn and not scan_frame(m, cc, scan):
        pass
    scan.low_pfn = min(scan.low_pfn, end_pfn)
    if scan.low_pfn == end_pfn and (not scan.nr_isolated or cc.rescan):
        if scan.valid and not scan.marked:
            compact_skip.set_pageblock_skip(cc.zone, low_pfn)
        compact_skip.update_cached_migrate(cc, end_pfn)
    if m.trace is not None:
        m.trace.compaction.isolated(
            cc.zone, low_pfn, scan.low_pfn, scan.nr_scanned, scan.nr_isolated, scan.refusals
        )
    cc.total_migrate_scanned += scan.nr_scanned
    if scan.nr_isolated:
        count_vm_events(m, "compact_isolated", scan.nr_isolated)
    cc.migrate_pfn = scan.low_pfn


def scan_frame(m: Kernel, cc: CompactControl, scan: BlockScan) -> bool:
    """Look at the next frame; whether the scan is over. Kernel: isolate_migratepages_block

    Free blocks and compound pages are stepped over at once.
    """
    pfn = scan.low_pfn
    if scan.next_skip_pfn is not None and pfn >= scan.next_skip_pfn:
        if scan.nr_isolated:
            return True
        scan.next_skip_pfn = block_end_pfn(pfn, cc.order)
    scan.nr_scanned += 1
    if not scan.valid and not pfn % PAGEBLOCK_NR_PAGES:
        if not compact_skip.isolation_suitable(cc, pfn):
            scan.low_pfn = scan.end_pfn
            return True
        scan.valid = True
    free = page_kinds.buddy_order(cc.zone, pfn)
    if free is not None:
        scan.low_pfn += 1 << free
        return False
    order = page_kinds.compound_order(m, pfn)
    refusal = "part of a larger page" if order else unmovable(m, cc, pfn)
    if refusal:
        refuse(m, cc, scan, order, refusal)
        return False
    if not scan.marked:
        scan.marked = True
        if compact_skip.test_and_set_skip(cc, pfn):
            return True
    lru_isolate.isolate_lru_page(m, pfn)
    cc.migratepages.appendleft(pfn)
    cc.nr_migratepages += 1
    scan.nr_isolated += 1
    scan.low_pfn += 1
    return cc.nr_migratepages >= COMPACT_CLUSTER_MAX and not cc.rescan


def refuse(m: Kernel, cc: CompactControl, scan: BlockScan, order: int, refusal: str) -> None:
    """Leave a page where it is. Kernel: isolate_migratepages_block isolate_fail

    An asynchronous direct compactor gives up the aligned block of its order with it: that can not come to be.
    """
    scan.refusals[refusal] = scan.refusals.get(refusal, 0) + 1
    scan.low_pfn += 1 << order
    if scan.next_skip_pfn is None:
        return
    if scan.nr_isolated:
        putback_movable_pages(m, cc)
        cc.nr_migratepages = scan.nr_isolated = 0
    if scan.low_pfn <= scan.next_skip_pfn:
        scan.low_pfn = scan.next_skip_pfn
        scan.next_skip_pfn += 1 << cc.order


def step_over_unknown(m: Kernel, cc: CompactControl, scan: BlockScan) -> None:
    """Go to the end of the pageblock if it lies inside a free block, or all of it is the kernel's.

    The kernel looks at each of its frames, none of which is the first of a block or on a list.
    """
    pfn, end = scan.low_pfn, scan.end_pfn
    if pfn % PAGEBLOCK_NR_PAGES or not compact_skip.isolation_suitable(cc, pfn):
        return
    found = cc.zone.free_block_at(pfn)
    if found is None and page_kinds.none_known(m, cc.zone, range(pfn, end)):
        scan.refusals[NOT_LISTED] = end - pfn
    elif found is None or found[0] == pfn:
        return
    scan.nr_scanned = end - pfn
    scan.low_pfn = end
    scan.valid = True


def unmovable(m: Kernel, cc: CompactControl, pfn: int) -> str:
    """Why a frame is left where it is; empty for a page that can be taken. Kernel: isolate_migratepages_block

    An anonymous page that somebody holds is not worth the trouble: its references would not come out.
    """
    s = m.vm.sections.get(pfn >> 9)
    if s is None or not s.flags[pfn & 511] & PG_lru:
        return NOT_LISTED
    bits = s.flags[pfn & 511]
    has_mapping = migrate.has_mapping(m, pfn)
    if not has_mapping and s.refcount[pfn & 511] > s.mapcount[pfn & 511] + 1:
        return "held"
    if has_mapping and not cc.gfp_mask & gfp_masks.__GFP_FS:
        return "of a file system"
    if cc.mode != MIGRATE_SYNC:
        if bits & PG_writeback:
            return "being written"
        if bits & PG_dirty and has_mapping and not migrate.has_migrate_folio(m, pfn):
            return "dirty"
    return ""


def putback_movable_pages(m: Kernel, cc: CompactControl) -> None:
    """Let pages that were not moved go back to their lists, as if new. Kernel: putback_movable_pages"""
    if not cc.migratepages:
        return
    pages = len(cc.migratepages)
    if m.trace is not None:
        m.trace.compaction.fold()
    while cc.migratepages:
        lru_isolate.putback_lru_page(m, cc.migratepages.popleft())
    if m.trace is not None:
        m.trace.compaction.folded("put back", cc.zone, pages)


# -- where to begin --------------------------------------------------------------------------------


def fast_find_migrateblock(cc: CompactControl) -> int:
    """Look into the free lists for a low pageblock that is partly free. Kernel: fast_find_migrateblock

    Fewer pages have to be moved out of it. Only kcompactd and requests for movable pages do so, and only for
    large orders. Returns the frame to begin with.
    """
    zone = cc.zone
    pfn = cc.migrate_pfn
    if (
        cc.ignore_skip_hint
        or (pfn != zone.start_pfn and pfn % PAGEBLOCK_NR_PAGES)
        or cc.order <= PAGE_ALLOC_COSTLY_ORDER
        or (cc.direct_compaction and cc.migratetype != MIGRATE_MOVABLE)
    ):
        return pfn
    limit = freelist_scan_limit(cc)
    distance = cc.free_pfn - cc.migrate_pfn >> 1
    if cc.migrate_pfn != zone.start_pfn:
        distance >>= 2
    high_pfn = pageblock_start_pfn(cc.migrate_pfn + distance)
    nr_scanned = 0
    found = None
    order = cc.order - 1
    while order >= PAGE_ALLOC_COSTLY_ORDER and found is None and nr_scanned < limit:
        free_list = zone.free_area[order].free_list[MIGRATE_MOVABLE]
        for free_pfn in reversed(free_list):
            nr_scanned += 1
            if nr_scanned > limit:
                move_freelist_tail(free_list, free_pfn)
                break
            if free_pfn < high_pfn and not compact_skip.get_pageblock_skip(zone, free_pfn):
                found = free_pfn
                move_freelist_tail(free_list, free_pfn)
                break
        order -= 1
    cc.total_migrate_scanned += nr_scanned
    if found is not None:
        cc.fast_search_fail = 0
        compact_skip.set_pageblock_skip(zone, found)
        if cc.fast_start_pfn is not None:
            cc.fast_start_pfn = min(cc.fast_start_pfn or found, found)
        return max(pageblock_start_pfn(found), zone.start_pfn)
    cc.fast_search_fail += 1
    return reinit_migrate_pfn(cc)


def reinit_migrate_pfn(cc: CompactControl) -> int:
    """After a search without success, go on from the lowest pageblock that one found.

    Kernel: reinit_migrate_pfn
    """
    if cc.fast_start_pfn:
        cc.migrate_pfn = cc.fast_start_pfn
        cc.fast_start_pfn = None
    return cc.migrate_pfn


def move_freelist_tail(free_list: FreeList, free_pfn: int) -> None:
    """Turn a list round so that a block becomes its last: the next search begins behind it.

    Kernel: move_freelist_tail
    """
    turned = [*takewhile(lambda pfn: pfn != free_pfn, reversed(free_list)), free_pfn]
    for pfn in turned:
        free_list.move_to_end(pfn, last=False)
