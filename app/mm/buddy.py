"""The buddy system: splitting and merging blocks of 2^order page frames.

Kernel: mm/page_alloc.c (__free_one_page, expand, __rmqueue_smallest, __rmqueue_fallback and what they call).
The buddy of a block differs from it in one bit of the frame number, so finding it costs one XOR, and two free
buddies always make one aligned block of the next order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.internal import ALLOC_KSWAPD, ALLOC_NOFRAGMENT
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_HIGHATOMIC,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    UNTOUCHED_CHUNK,
    WMARK_HIGH,
    ZONE_BOOSTED_WATERMARK,
    FreeArea,
    Zone,
    pcp_allowed_order,
)
from app.mm.page import PG_lru
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.compact_control import CaptureControl
    from app.mm.kernel import Kernel


# Which types to steal from, in order. Kernel: mm/page_alloc.c fallbacks
FALLBACKS: Final = {
    MIGRATE_UNMOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE),
    MIGRATE_MOVABLE: (MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE),
    MIGRATE_RECLAIMABLE: (MIGRATE_UNMOVABLE, MIGRATE_MOVABLE),
}


def mod_zone_freepage_state(m: Kernel, zone: Zone, delta: int) -> None:
    """Change the zone's count of free pages by way of the CPU's own difference.

    Kernel: mm/vmstat.c __mod_zone_page_state

    The shared counter is written only when the difference has grown past the threshold; until then watermark
    checks see a value that is a little off, which is the price of not having all CPUs write one cache line.
    """
    m.changed.free = True
    cpu = m.current.cpu
    diff = zone.vm_stat_diff[cpu] + delta
    if diff > zone.stat_threshold or -diff > zone.stat_threshold:
        zone.vm_stat_free += diff
        diff = 0
    zone.vm_stat_diff[cpu] = diff


# -- free lists ----------------------------------------------------------------------------------


def add_to_free_list(zone: Zone, pfn: int, order: int, migratetype: int) -> None:
    """Put a block at the head of a list. Kernel: add_to_free_list"""
    area = zone.free_area[order]
    area.free_list[migratetype][pfn] = None
    area.nr_free += 1
    zone.buddy[pfn] = order << 3 | migratetype


def add_to_free_list_tail(zone: Zone, pfn: int, order: int, migratetype: int) -> None:
    """Put a block at the tail of a list. Kernel: add_to_free_list_tail"""
    area = zone.free_area[order]
    append_tail(zone, area, pfn, order, migratetype)
    area.nr_free += 1


def append_tail(zone: Zone, area: FreeArea, pfn: int, order: int, migratetype: int) -> None:
    """Enter a block behind everything else of the list, also behind its untouched part."""
    free_list = area.free_list[migratetype]
    if (
        order == MAX_ORDER - 1
        and migratetype == zone.default_migratetype
        and zone.untouched[0] < zone.untouched[1]
    ):
        free_list = zone.untouched_tail
    free_list[pfn] = None
    free_list.move_to_end(pfn, last=False)
    zone.buddy[pfn] = order << 3 | migratetype


def del_page_from_free_list(zone: Zone, pfn: int, order: int) -> None:
    """Take a block off the list it is on. Kernel: del_page_from_free_list"""
    area = zone.free_area[order]
    remove(zone, area, pfn, zone.buddy.pop(pfn) & 7)
    area.nr_free -= 1
    if order == MAX_ORDER - 1:
        touch(zone)


def remove(zone: Zone, area: FreeArea, pfn: int, migratetype: int) -> None:
    """Unlink a block; a max-order one may stand behind the untouched part."""
    free_list = area.free_list[migratetype]
    if pfn in free_list:
        del free_list[pfn]
    else:
        del zone.untouched_tail[pfn]


def move_to_free_list(zone: Zone, pfn: int, order: int, migratetype: int) -> None:
    """Move a free block to the tail of another type's list. Kernel: move_to_free_list"""
    area = zone.free_area[order]
    remove(zone, area, pfn, zone.buddy[pfn] & 7)
    append_tail(zone, area, pfn, order, migratetype)
    if order == MAX_ORDER - 1:
        touch(zone)


def enter(zone: Zone, pfn: int) -> None:
    """Enter a block of the untouched range in its list, with those before it or those behind it.

    The list stays in order, so whichever are fewer get entries of their own.
    """
    first, end = zone.untouched
    if not first <= pfn < end:
        return
    code = (MAX_ORDER - 1) << 3 | zone.default_migratetype
    if pfn - first < end - pfn:
        entered = range(first, pfn + 1, MAX_ORDER_NR_PAGES)
        free_list = zone.free_area[MAX_ORDER - 1].free_list[zone.default_migratetype]
        for block in entered:
            free_list[block] = None
            free_list.move_to_end(block, last=False)
        zone.untouched = (pfn + MAX_ORDER_NR_PAGES, end)
    else:
        entered = range(pfn, end, MAX_ORDER_NR_PAGES)
        for block in reversed(entered):
            zone.untouched_tail[block] = None
        zone.untouched = (first, pfn)
    zone.buddy.update(dict.fromkeys(entered, code))


def touch(zone: Zone) -> None:
    """Keep at least one block of the untouched range entered in its list: it must never seem empty.

    A machine of 1 TiB has 262,144 max-order blocks; entering a few at a time makes booting it cost nothing.
    """
    free_list = zone.free_area[MAX_ORDER - 1].free_list[zone.default_migratetype]
    if free_list:
        return
    first, end = zone.untouched
    if first < end:
        stop = min(end, first + UNTOUCHED_CHUNK * MAX_ORDER_NR_PAGES)
        code = (MAX_ORDER - 1) << 3 | zone.default_migratetype
        for pfn in range(stop - MAX_ORDER_NR_PAGES, first - 1, -MAX_ORDER_NR_PAGES):
            free_list[pfn] = None
            zone.buddy[pfn] = code
        zone.untouched = (stop, end)
        first = stop
    if first == end:
        for pfn in reversed(zone.untouched_tail):
            free_list[pfn] = None
            free_list.move_to_end(pfn, last=False)
        zone.untouched_tail.clear()


# -- freeing -------------------------------------------------------------------------------------


@traced
def free_one_page(
    m: Kernel, zone: Zone, pfn: int, order: int, migratetype: int, *, to_tail: bool = False
) -> None:
    """Give a block back to the buddy system, merging it with its free buddies. Kernel: __free_one_page

    pfn: first frame, aligned to the order. migratetype: the list the block goes to; blocks of pageblock size
    and above are not merged with a HIGHATOMIC neighbour. The merged block goes to the head of its list, so
    that it is reused while its memory is still in the caches, except where the block that it could next merge
    into is already half free: then it goes to the tail, in the hope that the other half comes back before
    this one is taken. to_tail: it goes there in any case (FPI_TO_TAIL).
    """
    mod_zone_freepage_state(m, zone, 1 << order)
    buddy = zone.buddy
    buddy_pfn = 0
    first, first_order = pfn, order
    capture = m.capture_control
    if capture is not None and (capture.page is not None or capture.zone is not zone):
        capture = None
    while order < MAX_ORDER - 1:
        if capture is not None and compaction_capture(capture, pfn, order, migratetype):
            mod_zone_freepage_state(m, zone, -(1 << order))
            return
        buddy_pfn = pfn ^ (1 << order)
        code = buddy.get(buddy_pfn)
        if code is None or code >> 3 != order:
            break
        if order >= PAGEBLOCK_ORDER and not can_merge(zone, buddy_pfn, migratetype):
            break
        del_page_from_free_list(zone, buddy_pfn, order)
        pfn &= buddy_pfn
        order += 1
    to_tail = to_tail or buddy_merge_likely(zone, pfn, buddy_pfn, order)
    if to_tail:
        add_to_free_list_tail(zone, pfn, order, migratetype)
    else:
        add_to_free_list(zone, pfn, order, migratetype)
    if m.trace is not None:
        m.trace.buddy.merged(zone, (pfn, order), (first, first_order), migratetype, tail=to_tail)


def compaction_capture(capture: CaptureControl, pfn: int, order: int, migratetype: int) -> bool:
    """Whether a direct compactor takes the block that is being freed. Kernel: compaction_capture

    A small one of a movable pageblock is left, lest other kinds of pages come to lie in that.
    """
    if order != capture.order or migratetype == MIGRATE_ISOLATE:
        return False
    if order < PAGEBLOCK_ORDER and migratetype == MIGRATE_MOVABLE:
        return False
    capture.page = pfn
    return True


def can_merge(zone: Zone, buddy_pfn: int, migratetype: int) -> bool:
    """Whether two whole pageblocks may become one block.

    Kernel: include/linux/mmzone.h migratetype_is_mergeable
    """
    buddy_mt = zone.get_pfnblock_migratetype(buddy_pfn)
    return migratetype == buddy_mt or (migratetype < MIGRATE_PCPTYPES and buddy_mt < MIGRATE_PCPTYPES)


def buddy_merge_likely(zone: Zone, pfn: int, buddy_pfn: int, order: int) -> bool:
    """Whether the buddy of the would-be merged block is free already. Kernel: buddy_merge_likely"""
    if order >= MAX_ORDER - 2:
        return False
    higher_buddy = (pfn & buddy_pfn) ^ (1 << (order + 1))
    code = zone.buddy.get(higher_buddy)
    return code is not None and code >> 3 == order + 1


# -- taking --------------------------------------------------------------------------------------


def expand(m: Kernel, zone: Zone, pfn: int, low: int, high: int, migratetype: int) -> None:
    """Split a block of order `high` down to `low`, putting the upper halves back. Kernel: expand"""
    changed, trace = m.changed.frames, m.trace
    while high > low:
        high -= 1
        half = pfn + (1 << high)
        add_to_free_list(zone, half, high, migratetype)
        changed.append((half, 1 << high, "free"))  # as `frame`, without the call
        if trace is not None:
            trace.buddy.half(half, high)


@traced
def rmqueue_smallest(m: Kernel, zone: Zone, order: int, migratetype: int) -> int | None:
    """Take the smallest free block of that type that is large enough. Kernel: __rmqueue_smallest

    Returns the pfn, or None. Starting from the smallest order keeps large blocks whole for those who need
    them.
    """
    for current_order in range(order, MAX_ORDER):
        free_list = zone.free_area[current_order].free_list[migratetype]
        if free_list:
            pfn = next(reversed(free_list))
            del_page_from_free_list(zone, pfn, current_order)
            if current_order > order:
                expand(m, zone, pfn, order, current_order, migratetype)
            if m.trace is not None:
                refill = pcp_allowed_order(order) and migratetype < MIGRATE_PCPTYPES
                m.trace.buddy.zone_locked(zone, pfn, order, current_order, migratetype, percpu_refill=refill)
            return pfn
    return None


def rmqueue(m: Kernel, zone: Zone, order: int, migratetype: int, alloc_flags: int) -> int | None:
    """Take a block of the wanted type, stealing from another type when there is none. Kernel: __rmqueue"""
    while True:
        pfn = rmqueue_smallest(m, zone, order, migratetype)
        if pfn is not None or not rmqueue_fallback(m, zone, order, migratetype, alloc_flags):
            return pfn


@traced
def rmqueue_fallback(m: Kernel, zone: Zone, order: int, start_type: int, alloc_flags: int) -> bool:
    """Move free memory of another type to the wanted type's list. Kernel: __rmqueue_fallback

    Returns whether anything was moved. The largest block is taken first: it stands for the pageblock with the
    most free memory, and taking all of it keeps the types apart in the future. A movable request that may not
    claim a whole pageblock takes the smallest instead, because its pages can be moved out again.
    """
    min_order = PAGEBLOCK_ORDER if order < PAGEBLOCK_ORDER and alloc_flags & ALLOC_NOFRAGMENT else order
    for current_order in range(MAX_ORDER - 1, min_order - 1, -1):
        found = find_suitable_fallback(m, zone.free_area[current_order], current_order, start_type)
        if found is None:
            continue
        if not found[1] and start_type == MIGRATE_MOVABLE and current_order > order:
            return steal_smallest(m, zone, order, alloc_flags)
        steal_suitable_fallback(m, zone, order, current_order, start_type, found, alloc_flags)
        return True
    if m.trace is not None:
        m.trace.buddy.no_fallback(zone, order, min_order, start_type)
    return False


def steal_smallest(m: Kernel, zone: Zone, order: int, alloc_flags: int) -> bool:
    """The second search of a movable request: upwards from its own order.

    Kernel: __rmqueue_fallback find_smallest
    """
    for current_order in range(order, MAX_ORDER):
        found = find_suitable_fallback(m, zone.free_area[current_order], current_order, MIGRATE_MOVABLE)
        if found is not None:
            steal_suitable_fallback(m, zone, order, current_order, MIGRATE_MOVABLE, found, alloc_flags)
            return True
    return False


def find_suitable_fallback(
    m: Kernel, area: FreeArea, order: int, migratetype: int
) -> tuple[int, bool] | None:
    """(type to steal from, whether the whole pageblock may be claimed), or None.

    Kernel: find_suitable_fallback
    """
    if area.nr_free == 0:
        return None
    for fallback_mt in FALLBACKS[migratetype]:
        if area.free_list[fallback_mt]:
            return fallback_mt, can_steal_fallback(m, order, migratetype)
    return None


def can_steal_fallback(m: Kernel, order: int, start_type: int) -> bool:
    """Whether a request may try to claim the whole pageblock. Kernel: can_steal_fallback"""
    return (
        order >= PAGEBLOCK_ORDER // 2
        or start_type in (MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE)
        or m.page_group_by_mobility_disabled
    )


def steal_suitable_fallback(
    m: Kernel,
    zone: Zone,
    order: int,
    current_order: int,
    start_type: int,
    found: tuple[int, bool],
    alloc_flags: int,
) -> None:
    """Move the head block of the fallback list, or all free memory of its pageblock.

    Kernel: steal_suitable_fallback

    The pageblock itself changes its type when at least half of it is free or already used by the wanted kind:
    then later frees come back to the new type, and the two kinds stay in separate pageblocks.
    """
    fallback_mt, whole_block = found
    pfn = next(reversed(zone.free_area[current_order].free_list[fallback_mt]))
    old_block_type = zone.get_pfnblock_migratetype(pfn)
    if old_block_type == MIGRATE_HIGHATOMIC:
        move_to_free_list(zone, pfn, current_order, start_type)
    elif current_order >= PAGEBLOCK_ORDER:
        for block in range(pfn, pfn + (1 << current_order), PAGEBLOCK_NR_PAGES):
            set_pageblock_migratetype(m, zone, block, start_type)
        move_to_free_list(zone, pfn, current_order, start_type)
    else:
        if boost_watermark(m, zone) and alloc_flags & ALLOC_KSWAPD:
            zone.flags |= ZONE_BOOSTED_WATERMARK
        if not whole_block or not steal_pageblock(m, zone, pfn, start_type, old_block_type):
            move_to_free_list(zone, pfn, current_order, start_type)
    if m.trace is not None:
        m.trace.buddy.extfrag(zone, pfn, order, current_order, start_type, fallback_mt)


def steal_pageblock(m: Kernel, zone: Zone, pfn: int, start_type: int, old_block_type: int) -> bool:
    """Move all free memory of a pageblock, and claim it if enough is alike; whether anything moved."""
    free_pages, movable_pages = move_freepages_block(zone, pfn, start_type)
    if not free_pages:
        return False
    if m.vm.reclaim:
        movable_pages += lru_pages(m, pfn)
    if start_type == MIGRATE_MOVABLE:
        alike_pages = movable_pages
    elif old_block_type == MIGRATE_MOVABLE:
        alike_pages = PAGEBLOCK_NR_PAGES - (free_pages + movable_pages)
    else:
        alike_pages = 0
    threshold = PAGEBLOCK_NR_PAGES // 2
    claimed = free_pages + alike_pages >= threshold or m.page_group_by_mobility_disabled
    if m.trace is not None:
        m.trace.buddy.pageblock(zone, pfn, free_pages, movable_pages, alike_pages, threshold, claimed=claimed)
    if claimed:
        set_pageblock_migratetype(m, zone, pfn, start_type)
    return True


def set_pageblock_migratetype(m: Kernel, zone: Zone, pfn: int, migratetype: int) -> None:
    """Kernel: set_pageblock_migratetype. Machines too small for grouping keep every pageblock unmovable."""
    if m.page_group_by_mobility_disabled and migratetype < MIGRATE_PCPTYPES:
        migratetype = MIGRATE_UNMOVABLE
    if migratetype == zone.default_migratetype:
        zone.pageblock_flags.pop(pfn >> PAGEBLOCK_ORDER, None)
    else:
        zone.pageblock_flags[pfn >> PAGEBLOCK_ORDER] = migratetype


def move_freepages_block(zone: Zone, pfn: int, migratetype: int) -> tuple[int, int]:
    """Move the free blocks of the frame's pageblock to another type's lists. Kernel: move_freepages_block

    Returns (free frames moved, movable frames in use that were met). A pageblock that crosses the zone's end
    is left alone, because its other part belongs to another zone's lists.
    """
    start = pfn & -PAGEBLOCK_NR_PAGES
    end = start + PAGEBLOCK_NR_PAGES
    movable_pages = zone.lru.get(start, 0)
    if not zone.spans_pfn(start):
        start = pfn
    if not zone.spans_pfn(end - 1):
        return 0, movable_pages
    moved = 0
    while start < end:
        code = zone.buddy.get(start)
        if code is None:
            start += 1
            continue
        move_to_free_list(zone, start, code >> 3, migratetype)
        start += 1 << (code >> 3)
        moved += 1 << (code >> 3)
    return moved, movable_pages


def lru_pages(m: Kernel, pfn: int) -> int:
    """Frames of a pageblock that stand on LRU lists, and so could be moved. Kernel: PageLRU"""
    s = m.vm.sections.get(pfn >> PAGEBLOCK_ORDER)
    if s is None:
        return 0
    if s.order:
        return PAGEBLOCK_NR_PAGES if s.flags[0] & PG_lru else 0
    return sum(1 for flags in s.flags if flags & PG_lru)


def boost_watermark(m: Kernel, zone: Zone) -> bool:
    """Raise the zone's watermarks after a steal, so that kswapd frees more. Kernel: boost_watermark

    A steal means that memory is getting mixed; with more free memory the next request finds a block of its
    own type.
    """
    if not m.watermark_boost_factor or zone.managed_pages < PAGEBLOCK_NR_PAGES * 4:
        return False
    max_boost = zone.watermark[WMARK_HIGH] * m.watermark_boost_factor // 10000
    if not max_boost:
        return False
    zone.boost = min(zone.boost + PAGEBLOCK_NR_PAGES, max(PAGEBLOCK_NR_PAGES, max_boost))
    return True
