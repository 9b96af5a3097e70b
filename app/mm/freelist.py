"""Taking a block from the zones: which zone may give, how far it may be emptied, and what it gives.

Kernel: mm/page_alloc.c get_page_from_freelist and what it calls. Each zone's free pages are compared with a
watermark plus the reserve that the zone keeps for requests that can use nothing else; the first zone that
passes gives the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import buddy, page_check, pcp, printk
from app.mm import gfp as gfp_masks
from app.mm.internal import (
    ALLOC_HIGHATOMIC,
    ALLOC_MIN_RESERVE,
    ALLOC_NO_WATERMARKS,
    ALLOC_NOFRAGMENT,
    ALLOC_NON_BLOCK,
    ALLOC_OOM,
    ALLOC_RESERVES,
    ALLOC_WMARK_MASK,
    AllocContext,
)
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_HIGHATOMIC,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    PAGEBLOCK_NR_PAGES,
    WMARK_MIN,
    ZONE_BOOSTED_WATERMARK,
    Zone,
    pcp_allowed_order,
)
from app.mm.page import STATE_OF_MIGRATETYPE, Page, PG_head
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.tracepoints import Tracer

# A local name: a function's own look-up of it is on the path of every allocation.
_COMP: Final = gfp_masks.__GFP_COMP


def get_page_from_freelist(m: Kernel, gfp: int, order: int, alloc_flags: int, ac: AllocContext) -> int | None:
    """Try each zone in turn against the watermark that the flags name. Kernel: get_page_from_freelist

    With ALLOC_NOFRAGMENT all zones of the node are tried without stealing first, then again with it.
    """
    mark_index = alloc_flags & ALLOC_WMARK_MASK
    for zone in ac.zonelist:
        if alloc_flags & ALLOC_NOFRAGMENT and zone.nid != ac.preferred_zone.nid:  # type: ignore[union-attr]
            # Locality is worth more than unmixed pageblocks: do not leave the node for their sake.
            if m.trace is not None:
                m.trace.page_alloc.fragmenting(zone)
            return get_page_from_freelist(m, gfp, order, alloc_flags & ~ALLOC_NOFRAGMENT, ac)
        mark = zone.watermark[mark_index] + zone.boost
        ok = zone_watermark_fast(m, zone, order, mark, ac.highest_zoneidx, alloc_flags, gfp)
        if m.trace is not None:
            m.trace.page_alloc.zone_tried(zone, order, mark, alloc_flags, ok=ok)
        if not ok and not alloc_flags & ALLOC_NO_WATERMARKS:
            continue
        if order > 1 and gfp & gfp_masks.__GFP_NOFAIL:
            printk.warn_on_once(m, "mm/page_alloc.c:3891", "get_page_from_freelist")
        pfn = rmqueue(m, zone, order, alloc_flags, ac.migratetype)
        if pfn is not None:
            zone.nr_alloc += 1
            zone.pgalloc += 1 << order
            if len(m.nodes) > 1:
                zone_statistics(m, ac, zone, 1)
            prep_new_page(m, pfn, order, gfp)
            if alloc_flags & ALLOC_HIGHATOMIC:
                reserve_highatomic_pageblock(m, zone, pfn)
            return pfn
    if alloc_flags & ALLOC_NOFRAGMENT:
        if m.trace is not None:
            m.trace.page_alloc.fragmenting(None)
        return get_page_from_freelist(m, gfp, order, alloc_flags & ~ALLOC_NOFRAGMENT, ac)
    return None


def zone_watermark_fast(
    m: Kernel, zone: Zone, order: int, mark: int, highest_zoneidx: int, alloc_flags: int, gfp: int
) -> bool:
    """Whether the zone may give. Kernel: zone_watermark_fast"""
    free_pages = zone.vm_stat_free
    if not order:
        reserved = 0 if alloc_flags & ALLOC_RESERVES else zone.nr_reserved_highatomic
        # A shortcut. An explanation has to show the full comparison, which comes to the same.
        if m.trace is None and (
            free_pages - min(free_pages, reserved) > mark + zone.lowmem_reserve[highest_zoneidx]
        ):
            return True
    if zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags, free_pages, m.trace):
        return True
    if (
        not order
        and zone.boost
        and gfp & gfp_masks.__GFP_ATOMIC
        and alloc_flags & ALLOC_WMARK_MASK == WMARK_MIN
    ):
        # The boost is there to make kswapd work, not to fail those who cannot wait for it.
        mark = zone.watermark[WMARK_MIN]
        return zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags, free_pages, m.trace)
    return False


def zone_watermark_ok(
    zone: Zone,
    order: int,
    mark: int,
    highest_zoneidx: int,
    alloc_flags: int,
    free_pages: int,
    trace: Tracer | None = None,
) -> bool:
    """The full comparison, with the caller's right to reserves. Kernel: __zone_watermark_ok

    For order > 0 the free pages alone say little, since they may be scattered: a block of a usable type must
    exist too. trace: who is told what was compared, if anybody.
    """
    minimum = mark
    unusable = (1 << order) - 1
    if alloc_flags & ALLOC_RESERVES:
        if alloc_flags & ALLOC_MIN_RESERVE:
            minimum -= minimum // 2
            if alloc_flags & ALLOC_NON_BLOCK:
                minimum -= minimum // 4
        if alloc_flags & ALLOC_OOM:
            minimum -= minimum // 2
    else:
        unusable += zone.nr_reserved_highatomic
    lowmem_reserve = zone.lowmem_reserve[highest_zoneidx]
    enough = free_pages - unusable > minimum + lowmem_reserve
    if trace is not None:
        block = suitable_block(zone, order, alloc_flags)
        trace.page_alloc.watermark(free_pages, unusable, minimum, lowmem_reserve, block, enough=enough)
    return enough and (not order or suitable_block(zone, order, alloc_flags) is not None)


def suitable_block(zone: Zone, order: int, alloc_flags: int) -> tuple[int, int] | None:
    """Order and type of the first list, upwards from an order, with a block that the request may use."""
    for current_order in range(order, MAX_ORDER):
        area = zone.free_area[current_order]
        if not area.nr_free:
            continue
        free_list = area.free_list
        if free_list[MIGRATE_UNMOVABLE]:
            return current_order, MIGRATE_UNMOVABLE
        if free_list[MIGRATE_MOVABLE]:
            return current_order, MIGRATE_MOVABLE
        if free_list[MIGRATE_RECLAIMABLE]:
            return current_order, MIGRATE_RECLAIMABLE
        if alloc_flags & (ALLOC_HIGHATOMIC | ALLOC_OOM) and free_list[MIGRATE_HIGHATOMIC]:
            return current_order, MIGRATE_HIGHATOMIC
    return None


def rmqueue(m: Kernel, zone: Zone, order: int, alloc_flags: int, migratetype: int) -> int | None:
    """Take a block from a zone: from the per-CPU list where it has one, else from the buddy lists.

    Kernel: rmqueue
    """
    pfn = None
    if pcp_allowed_order(order):
        pfn = pcp.rmqueue_pcplist(m, zone, order, migratetype, alloc_flags)
    if pfn is None:
        pfn = rmqueue_buddy(m, zone, order, alloc_flags, migratetype)
    if zone.flags & ZONE_BOOSTED_WATERMARK:
        zone.flags &= ~ZONE_BOOSTED_WATERMARK
        m.wakeup_kswapd(m, zone, 0, 0, zone.zid)
    return pfn


def rmqueue_buddy(m: Kernel, zone: Zone, order: int, alloc_flags: int, migratetype: int) -> int | None:
    """Take a block straight from the buddy lists. Kernel: rmqueue_buddy

    A high-order atomic request looks into the HIGHATOMIC pageblocks first: they were set aside for it. Those
    who cannot wait may use them as a last resort.
    """
    while True:
        pfn = None
        if alloc_flags & ALLOC_HIGHATOMIC:
            pfn = buddy.rmqueue_smallest(m, zone, order, MIGRATE_HIGHATOMIC)
        if pfn is None:
            pfn = buddy.rmqueue(m, zone, order, migratetype, alloc_flags)
        if pfn is None and alloc_flags & (ALLOC_OOM | ALLOC_NON_BLOCK):
            pfn = buddy.rmqueue_smallest(m, zone, order, MIGRATE_HIGHATOMIC)
        if pfn is None:
            return None
        buddy.mod_zone_freepage_state(m, zone, -(1 << order))
        if not m.stray or not page_check.check_new_pages(m, pfn, order):
            return pfn


def zone_statistics(m: Kernel, ac: AllocContext, zone: Zone, nr_account: int) -> None:
    """Count allocations that did not come from where they were wanted. Kernel: zone_statistics

    `numa_miss` and `numa_foreign` are two ends of one event: a node had to serve what another should have
    served. `numa_other` has nothing to do with wishes: the CPU that asked belongs to another node. The rest
    of a zone's allocations, `numa_hit` and `numa_local`, need no counting of their own.
    """
    preferred_zone = ac.zonelist[0]
    if zone.nid != preferred_zone.nid:
        zone.numa_miss += nr_account
        preferred_zone.numa_foreign += nr_account
    if zone.nid != m.cpu_node[m.current.cpu]:
        zone.numa_other += nr_account


def prep_new_page(m: Kernel, pfn: int, order: int, gfp: int) -> None:
    """Hand a block to its new owner: count 1, and a compound page if asked for. Kernel: prep_new_page"""
    state = STATE_OF_MIGRATETYPE[(gfp >> 3) & 3]
    flags = PG_head if order and gfp & _COMP else 0
    page = m.pages[pfn] = Page(pfn, order, flags, gfp, state, m.current.task, m.current.seq)
    if m.stray and pfn in m.stray:
        # The count is set anew; flags that a mistake has left are not cleared.
        page.flags |= m.stray.pop(pfn).flags
        state = page.shown
    m.changed.frames.append((pfn, 1 << order, state))  # as `frame`, without the call


def reserve_highatomic_pageblock(m: Kernel, zone: Zone, pfn: int) -> None:
    """Set the pageblock of a high-order atomic allocation aside for others like it.

    Kernel: reserve_highatomic_pageblock

    A network driver that needed order 3 in an interrupt will need it again; about one per cent of a zone may
    be kept so.
    """
    max_managed = zone.managed_pages // 100 + PAGEBLOCK_NR_PAGES
    room = zone.nr_reserved_highatomic < max_managed
    reserve = room and zone.get_pfnblock_migratetype(pfn) < MIGRATE_PCPTYPES
    if reserve:
        zone.nr_reserved_highatomic += PAGEBLOCK_NR_PAGES
        buddy.set_pageblock_migratetype(m, zone, pfn, MIGRATE_HIGHATOMIC)
        buddy.move_freepages_block(zone, pfn, MIGRATE_HIGHATOMIC)
    if m.trace is not None:
        m.trace.page_alloc.highatomic(zone, pfn, max_managed, room=room, reserved=reserve)


@traced
def unreserve_highatomic_pageblock(m: Kernel, ac: AllocContext, *, force: bool) -> bool:
    """Give a HIGHATOMIC pageblock back to the type that is in need. Kernel: unreserve_highatomic_pageblock"""
    for zone in ac.zonelist:
        if not force and zone.nr_reserved_highatomic <= PAGEBLOCK_NR_PAGES:
            continue
        for area in zone.free_area:
            free_list = area.free_list[MIGRATE_HIGHATOMIC]
            if not free_list:
                continue
            pfn = next(reversed(free_list))
            if zone.get_pfnblock_migratetype(pfn) == MIGRATE_HIGHATOMIC:
                zone.nr_reserved_highatomic -= min(PAGEBLOCK_NR_PAGES, zone.nr_reserved_highatomic)
            buddy.set_pageblock_migratetype(m, zone, pfn, ac.migratetype)
            moved = buddy.move_freepages_block(zone, pfn, ac.migratetype)[0]
            if m.trace is not None:
                m.trace.page_alloc.unreserve(zone, pfn, ac.migratetype, moved)
            if moved:
                return True
    return False
