"""The zoned page allocator: which zone may give, how far it may be emptied, and what happens when none can.

Kernel: mm/page_alloc.c. Every allocation walks the zonelist and compares each zone's free pages with a
watermark plus the reserve that the zone keeps for requests that can use nothing else; the first zone that
passes gives the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import buddy, page_check, page_free, pcp, printk, vmscan
from app.mm import gfp as gfp_masks
from app.mm.gfp import GFP_ZONEMASK
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
from app.mm.page import PAGE_FLAGS_CHECK_AT_FREE, STATE_OF_MIGRATETYPE, Page, PG_head

if TYPE_CHECKING:
    from app.mm.machine import Machine

# As in mm/internal.h.
ALLOC_WMARK_MIN: Final = 0
ALLOC_WMARK_LOW: Final = 1
ALLOC_WMARK_HIGH: Final = 2
ALLOC_WMARK_MASK: Final = 3
ALLOC_NO_WATERMARKS: Final = 0x4
ALLOC_OOM: Final = 0x8
ALLOC_NON_BLOCK: Final = 0x10
ALLOC_MIN_RESERVE: Final = 0x20
ALLOC_CPUSET: Final = 0x40
ALLOC_NOFRAGMENT: Final = buddy.ALLOC_NOFRAGMENT
ALLOC_HIGHATOMIC: Final = 0x200
ALLOC_KSWAPD: Final = buddy.ALLOC_KSWAPD
ALLOC_RESERVES: Final = ALLOC_NON_BLOCK | ALLOC_MIN_RESERVE | ALLOC_OOM

# Local names: a function's own look-ups of these are on the path of every allocation.
_COMP: Final = gfp_masks.__GFP_COMP
_DIRECT_RECLAIM: Final = gfp_masks.__GFP_DIRECT_RECLAIM
_KSWAPD_RECLAIM: Final = gfp_masks.__GFP_KSWAPD_RECLAIM
_THISNODE: Final = gfp_masks.__GFP_THISNODE

_MIGRATETYPE_BITS: Final = gfp_masks.__GFP_MOVABLE | gfp_masks.__GFP_RECLAIMABLE
_CONTEXT_BITS: Final = GFP_ZONEMASK | _THISNODE | _MIGRATETYPE_BITS


class AllocContext:
    """What stays the same during one allocation. Kernel: struct alloc_context

    One is made for each combination of node, zone bits and mobility, and used again.

    zonelist: the zones that may be used, in the order of trying. highest_zoneidx: index into each zone's
    lowmem_reserve.
    """

    __slots__ = ("highest_zoneidx", "migratetype", "nofragment", "preferred_zone", "zonelist")

    def __init__(self, zonelist: tuple[Zone, ...], highest_zoneidx: int, migratetype: int) -> None:
        self.zonelist = zonelist
        self.highest_zoneidx = highest_zoneidx
        self.migratetype = migratetype
        self.preferred_zone = zonelist[0] if zonelist else None
        self.nofragment = 0


# -- the entry points ------------------------------------------------------------------------------


def alloc_pages(m: Machine, gfp: int, order: int, nid: int | None = None) -> int | None:
    """Allocate 2^order contiguous page frames. Kernel: __alloc_pages

    gfp: mask. order: 0 to 10; more is refused with a warning. nid: node to start with, None for the CPU's
    own. Returns the pfn of the first frame, or None, with the kernel's report in the log. The page's count is
    1.

    The fast path asks for the low watermark only: as long as zones stand above it, nobody has to reclaim
    anything. Below it the slow path wakes kswapd, and decides by the mask what else may be done for the
    caller.
    """
    if order >= MAX_ORDER:
        if m.trace is not None:
            m.trace.order_too_large(order, MAX_ORDER)
        warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5634", "__alloc_pages")
        return None
    if gfp & _DIRECT_RECLAIM and m.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274)
    ac = prepare_alloc_pages(m, gfp, m.cpu_node[m.cpu] if nid is None else nid)
    if ac.preferred_zone is None:
        pfn = None
    else:
        alloc_flags = ALLOC_WMARK_LOW | ac.nofragment | gfp & _KSWAPD_RECLAIM
        if m.trace is not None:
            m.trace.request(gfp, order, alloc_flags, ac)
        pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None:
        pfn = alloc_pages_slowpath(m, gfp, order, ac)
    if m.trace is not None:
        m.trace.alloc(pfn, order, gfp, ac.migratetype)
    return pfn


def prepare_alloc_pages(m: Machine, gfp: int, nid: int) -> AllocContext:
    """Which zones, up to which one, and on which lists. Kernel: prepare_alloc_pages"""
    key = (nid, gfp & _CONTEXT_BITS)
    ac = m.alloc_contexts.get(key)
    if ac is None:
        highest = gfp_zone(m, gfp)
        ac = AllocContext(first_zones_zonelist(m, gfp, nid, highest), highest, gfp_migratetype(m, gfp))
        ac.nofragment = alloc_flags_nofragment(m, ac.preferred_zone)
        if gfp & _MIGRATETYPE_BITS != _MIGRATETYPE_BITS:  # that one must be reported each time
            m.alloc_contexts[key] = ac
    return ac


def first_zones_zonelist(m: Machine, gfp: int, nid: int, highest: int) -> tuple[Zone, ...]:
    """The zones up to the highest that a mask allows, nearest to the node first. Kernel: node_zonelist"""
    node = m.nodes[nid]
    zonelist = node.thisnode if gfp & _THISNODE else node.zonelist
    return tuple(zone for zone in zonelist if zone.zid <= highest)


def gfp_zone(m: Machine, gfp: int) -> int:
    """Index of the highest zone that the mask allows. Kernel: include/linux/gfp.h gfp_zone

    The zone bits are no choice of one zone but an upper bound: a GFP_KERNEL request may always go down to
    DMA32 and DMA, which is why those keep a reserve against it.
    """
    return gfp_masks.highest_zone(m.zone_index, gfp)


def gfp_migratetype(m: Machine, gfp: int) -> int:
    """The free lists that a mask belongs to. Kernel: include/linux/gfp.h gfp_migratetype"""
    if m.page_group_by_mobility_disabled:
        return 0
    if gfp & _MIGRATETYPE_BITS == _MIGRATETYPE_BITS:
        return m.checked_migratetype()
    return (gfp & _MIGRATETYPE_BITS) >> 3


def alloc_flags_nofragment(m: Machine, zone: Zone | None) -> int:
    """Whether the first pass may mix types in a pageblock. Kernel: alloc_flags_nofragment

    Where ZONE_NORMAL is preferred and DMA32 stands behind it, the first pass rather takes from DMA32 than
    steal from another type's pageblock in NORMAL: a mixed pageblock stays mixed for long, and huge pages need
    unmixed ones.
    """
    if zone is None or not m.has_dma32 or zone.zid != m.zone_index["Normal"]:
        return 0
    if len(m.nodes) > 1 and not any(z.nid == zone.nid and z.name == "DMA32" for z in m.zones):
        return 0
    return ALLOC_NOFRAGMENT


def get_free_pages(m: Machine, gfp: int, order: int) -> int | None:
    """Page frames that have an address, so never from HIGHMEM. Kernel: __get_free_pages"""
    return alloc_pages(m, gfp & ~gfp_masks.__GFP_HIGHMEM, order)


# -- walking the zones -----------------------------------------------------------------------------


def get_page_from_freelist(
    m: Machine, gfp: int, order: int, alloc_flags: int, ac: AllocContext
) -> int | None:
    """Try each zone in turn against the watermark that the flags name. Kernel: get_page_from_freelist

    With ALLOC_NOFRAGMENT all zones of the node are tried without stealing first, then again with it.
    """
    mark_index = alloc_flags & ALLOC_WMARK_MASK
    for zone in ac.zonelist:
        if alloc_flags & ALLOC_NOFRAGMENT and zone.nid != ac.preferred_zone.nid:  # type: ignore[union-attr]
            # Locality is worth more than unmixed pageblocks: do not leave the node for their sake.
            if m.trace is not None:
                m.trace.fragmenting(zone)
            return get_page_from_freelist(m, gfp, order, alloc_flags & ~ALLOC_NOFRAGMENT, ac)
        mark = zone.watermark[mark_index] + zone.boost
        ok = zone_watermark_fast(m, zone, order, mark, ac.highest_zoneidx, alloc_flags, gfp)
        if m.trace is not None:
            m.trace.zone_tried(zone, order, mark, ac.highest_zoneidx, alloc_flags, ok=ok)
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
            m.trace.fragmenting(None)
        return get_page_from_freelist(m, gfp, order, alloc_flags & ~ALLOC_NOFRAGMENT, ac)
    return None


def zone_watermark_fast(
    m: Machine, zone: Zone, order: int, mark: int, highest_zoneidx: int, alloc_flags: int, gfp: int
) -> bool:
    """Whether the zone may give. Kernel: zone_watermark_fast"""
    free_pages = zone.vm_stat_free
    if not order:
        reserved = 0 if alloc_flags & ALLOC_RESERVES else zone.nr_reserved_highatomic
        if free_pages - min(free_pages, reserved) > mark + zone.lowmem_reserve[highest_zoneidx]:
            return True
    if zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags, free_pages):
        return True
    if (
        not order
        and zone.boost
        and gfp & gfp_masks.__GFP_ATOMIC
        and alloc_flags & ALLOC_WMARK_MASK == WMARK_MIN
    ):
        # The boost is there to make kswapd work, not to fail those who cannot wait for it.
        mark = zone.watermark[WMARK_MIN]
        return zone_watermark_ok(zone, order, mark, highest_zoneidx, alloc_flags, free_pages)
    return False


def zone_watermark_ok(
    zone: Zone, order: int, mark: int, highest_zoneidx: int, alloc_flags: int, free_pages: int
) -> bool:
    """The full comparison, with the caller's right to reserves. Kernel: __zone_watermark_ok

    For order > 0 the free pages alone say little, since they may be scattered: a block of a usable type must
    exist too.
    """
    minimum = mark
    free_pages -= (1 << order) - 1
    if alloc_flags & ALLOC_RESERVES:
        if alloc_flags & ALLOC_MIN_RESERVE:
            minimum -= minimum // 2
            if alloc_flags & ALLOC_NON_BLOCK:
                minimum -= minimum // 4
        if alloc_flags & ALLOC_OOM:
            minimum -= minimum // 2
    else:
        free_pages -= zone.nr_reserved_highatomic
    if free_pages <= minimum + zone.lowmem_reserve[highest_zoneidx]:
        return False
    return not order or has_suitable_block(zone, order, alloc_flags)


def has_suitable_block(zone: Zone, order: int, alloc_flags: int) -> bool:
    """Whether a free block of at least that order exists that the request may use."""
    for area in zone.free_area[order:]:
        if not area.nr_free:
            continue
        free_list = area.free_list
        if free_list[MIGRATE_UNMOVABLE] or free_list[MIGRATE_MOVABLE] or free_list[MIGRATE_RECLAIMABLE]:
            return True
        if alloc_flags & (ALLOC_HIGHATOMIC | ALLOC_OOM) and free_list[MIGRATE_HIGHATOMIC]:
            return True
    return False


def rmqueue(m: Machine, zone: Zone, order: int, alloc_flags: int, migratetype: int) -> int | None:
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
        vmscan.wakeup_kswapd(m, zone)
    return pfn


def rmqueue_buddy(m: Machine, zone: Zone, order: int, alloc_flags: int, migratetype: int) -> int | None:
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
        buddy.mod_zone_freepage_state(zone, m.cpu, -(1 << order))
        if not m.stray or not page_check.check_new_pages(m, pfn, order):
            return pfn


def zone_statistics(m: Machine, ac: AllocContext, zone: Zone, nr_account: int) -> None:
    """Count allocations that did not come from where they were wanted. Kernel: zone_statistics

    `numa_miss` and `numa_foreign` are two ends of one event: a node had to serve what another should have
    served. `numa_other` has nothing to do with wishes: the CPU that asked belongs to another node. The rest
    of a zone's allocations, `numa_hit` and `numa_local`, need no counting of their own.
    """
    preferred_zone = ac.zonelist[0]
    if zone.nid != preferred_zone.nid:
        zone.numa_miss += nr_account
        preferred_zone.numa_foreign += nr_account
    if zone.nid != m.cpu_node[m.cpu]:
        zone.numa_other += nr_account


def prep_new_page(m: Machine, pfn: int, order: int, gfp: int) -> None:
    """Hand a block to its new owner: count 1, and a compound page if asked for. Kernel: prep_new_page"""
    state = STATE_OF_MIGRATETYPE[(gfp >> 3) & 3]
    flags = PG_head if order and gfp & _COMP else 0
    page = m.pages[pfn] = Page(pfn, order, flags, gfp, state, m.task, m.seq)
    if m.stray and pfn in m.stray:
        # The count is set anew; flags that a mistake has left are not cleared.
        page.flags |= m.stray.pop(pfn).flags
        state = page.shown
    if m.changed is not None:
        m.changed.append((pfn, 1 << order, state))


# -- the high-order atomic reserve -----------------------------------------------------------------


def reserve_highatomic_pageblock(m: Machine, zone: Zone, pfn: int) -> None:
    """Set the pageblock of a high-order atomic allocation aside for others like it.

    Kernel: reserve_highatomic_pageblock

    A network driver that needed order 3 in an interrupt will need it again; about one per cent of a zone may
    be kept so.
    """
    max_managed = zone.managed_pages // 100 + PAGEBLOCK_NR_PAGES
    reserve = (
        zone.nr_reserved_highatomic < max_managed and zone.get_pfnblock_migratetype(pfn) < MIGRATE_PCPTYPES
    )
    if reserve:
        zone.nr_reserved_highatomic += PAGEBLOCK_NR_PAGES
        buddy.set_pageblock_migratetype(m, zone, pfn, MIGRATE_HIGHATOMIC)
        buddy.move_freepages_block(zone, pfn, MIGRATE_HIGHATOMIC)
    if m.trace is not None:
        m.trace.highatomic(zone, pfn, max_managed, reserved=reserve)


def unreserve_highatomic_pageblock(m: Machine, ac: AllocContext, *, force: bool) -> bool:
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
                m.trace.unreserve(zone, pfn, ac.migratetype, moved)
            if moved:
                return True
    return False


# -- the slow path ---------------------------------------------------------------------------------


def gfp_to_alloc_flags(gfp: int, order: int) -> int:
    """The reserve rights that a mask gives below the low watermark. Kernel: gfp_to_alloc_flags"""
    alloc_flags = ALLOC_WMARK_MIN | ALLOC_CPUSET | gfp & (ALLOC_MIN_RESERVE | ALLOC_KSWAPD)
    if not gfp & _DIRECT_RECLAIM:
        if not gfp & gfp_masks.__GFP_NOMEMALLOC:
            alloc_flags |= ALLOC_NON_BLOCK
            if order > 0 and alloc_flags & ALLOC_MIN_RESERVE:
                alloc_flags |= ALLOC_HIGHATOMIC
        if alloc_flags & ALLOC_MIN_RESERVE:
            alloc_flags &= ~ALLOC_CPUSET
    return alloc_flags


def alloc_pages_slowpath(m: Machine, gfp: int, order: int, ac: AllocContext) -> int | None:
    """What is done for a request that no zone above its low mark could serve. Kernel: __alloc_pages_slowpath

    kswapd is woken; the zones are tried against the min mark with the reserves that the mask gives; a caller
    that may sleep then reclaims and compacts itself. One that may not gets NULL here: that is all the
    difference between GFP_ATOMIC and GFP_KERNEL.
    """
    can_direct_reclaim = bool(gfp & _DIRECT_RECLAIM)
    if gfp & gfp_masks.__GFP_ATOMIC and can_direct_reclaim:
        printk.warn_on_once(m, "mm/page_alloc.c:5118", "__alloc_pages_slowpath")
        gfp &= ~gfp_masks.__GFP_ATOMIC
    pfn = None
    if ac.preferred_zone is not None:
        alloc_flags = gfp_to_alloc_flags(gfp, order)
        if m.trace is not None:
            m.trace.slowpath(gfp, order, alloc_flags)
        if alloc_flags & ALLOC_KSWAPD:
            wake_all_kswapds(m, ac)
        pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
        if pfn is None:
            if gfp_pfmemalloc_flags(gfp):
                alloc_flags = gfp_pfmemalloc_flags(gfp) | alloc_flags & ALLOC_KSWAPD
            pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
        if pfn is None and can_direct_reclaim:
            pfn = vmscan.reclaim_and_compact(m, gfp, order, alloc_flags, ac)
        elif pfn is None and m.trace is not None:
            m.trace.no_reclaim(gfp)
    if pfn is None:
        pfn = nopage(m, gfp, order, ac)
    return pfn


def gfp_pfmemalloc_flags(gfp: int) -> int:
    """The right to ignore watermarks: memory that will be used to free memory.

    Kernel: __gfp_pfmemalloc_flags
    """
    if gfp & gfp_masks.__GFP_NOMEMALLOC:
        return 0
    return ALLOC_NO_WATERMARKS if gfp & gfp_masks.__GFP_MEMALLOC else 0


def wake_all_kswapds(m: Machine, ac: AllocContext) -> None:
    """Wake the kswapd of each node, once. Kernel: wake_all_kswapds"""
    last_nid = None
    for zone in ac.zonelist:
        if zone.managed_pages and zone.nid != last_nid:
            vmscan.wakeup_kswapd(m, zone)
            last_nid = zone.nid


def nopage(m: Machine, gfp: int, order: int, ac: AllocContext) -> int | None:
    """The end of the slow path: NULL with a report, or a request that may not fail.

    Kernel: __alloc_pages_slowpath nopage. One that may not fail and is large gets at the reserves at
    last; where even that does not help, the kernel tries for ever.
    """
    if m.verdict in ("oom", "hang"):
        return None
    if gfp & gfp_masks.__GFP_NOFAIL:
        if gfp & _DIRECT_RECLAIM:
            warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5383", "__alloc_pages_slowpath")
            pfn = get_page_from_freelist(m, gfp, order, ALLOC_CPUSET | ALLOC_MIN_RESERVE, ac)
            if pfn is None:
                m.verdict = "hang"
            return pfn
        warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5367", "__alloc_pages_slowpath")
    printk.warn_alloc(m, gfp, f"page allocation failure: order:{order}")
    return None


def warn_on_once_gfp(m: Machine, gfp: int, place: str, function: str) -> None:
    """A WARN_ON_ONCE that __GFP_NOWARN silences. Kernel: mm/internal.h WARN_ON_ONCE_GFP"""
    if not gfp & gfp_masks.__GFP_NOWARN:
        printk.warn_on_once(m, place, function)


# -- bulk ------------------------------------------------------------------------------------------


def alloc_pages_bulk(m: Machine, gfp: int, nid: int, nr_pages: int) -> list[int]:
    """Up to `nr_pages` single page frames from one zone's per-CPU list. Kernel: __alloc_pages_bulk

    vmalloc uses it: one watermark check and one hold of the list for a hundred pages. It never steals a
    NOFRAGMENT pass and never enters the slow path except for a first page.
    """
    if nr_pages == 1:
        return one_page(m, gfp, nid)
    if gfp & _DIRECT_RECLAIM and m.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274)
    ac = prepare_alloc_pages(m, gfp, nid)
    if m.trace is not None:
        m.trace.bulk_begins(nr_pages)
    zone = bulk_zone(m, gfp, nr_pages, ac)
    pages: list[int] = []
    if zone is not None:
        per_cpu_pages = zone.pcp[m.cpu]
        while len(pages) < nr_pages:
            pfn = pcp.take(m, zone, per_cpu_pages, 0, ac.migratetype, ALLOC_WMARK_LOW)
            if pfn is None:
                break
            prep_new_page(m, pfn, 0, gfp)
            pages.append(pfn)
        zone.nr_alloc += len(pages)
        zone.pgalloc += len(pages)
        zone_statistics(m, ac, zone, len(pages))
    if m.trace is not None:
        m.trace.bulk_ends(zone, nr_pages, pages)
    return pages or one_page(m, gfp, nid)


def bulk_zone(m: Machine, gfp: int, nr_pages: int, ac: AllocContext) -> Zone | None:
    """The first local zone that stays above its low mark with all the pages taken."""
    preferred = ac.preferred_zone
    for zone in ac.zonelist:
        if preferred is None or zone.nid != preferred.nid:
            return None
        mark = zone.watermark[ALLOC_WMARK_LOW] + zone.boost + nr_pages
        ok = zone_watermark_fast(m, zone, 0, mark, preferred.zid, ALLOC_WMARK_LOW, gfp)
        if m.trace is not None:
            m.trace.zone_tried(zone, 0, mark, preferred.zid, ALLOC_WMARK_LOW, ok=ok)
        if ok:
            return zone
    return None


def one_page(m: Machine, gfp: int, nid: int) -> list[int]:
    """The bulk allocator's way out: one ordinary page, which may enter the slow path."""
    pfn = alloc_pages(m, gfp, 0, nid)
    return [] if pfn is None else [pfn]


# -- freeing ---------------------------------------------------------------------------------------


def free_the_page(m: Machine, pfn: int, order: int) -> None:
    """Free a block whose last reference is gone. Kernel: free_the_page, free_pages_prepare

    The usual case is decided here: the block as it was allocated, with nothing set that says it is still
    in use.
    """
    if m.trace is not None:
        m.trace.free(pfn, order)
    page = m.pages.get(pfn)
    if (
        page is None
        or page.order != order
        or page.flags & PAGE_FLAGS_CHECK_AT_FREE
        or page.state == "lost"
        or (m.pieces and (pfn in m.pieces or pfn in m.pieces.values()))
        or (m.stray and any(frame in m.stray for frame in range(pfn, pfn + (1 << order))))
    ):
        page_free.free_with_care(m, pfn, order)
        return
    del m.pages[pfn]
    m.freed = pfn
    give_back(m, pfn, order)


def give_back(m: Machine, pfn: int, order: int) -> None:
    """Put a block on a free list, by way of the per-CPU list where it has one."""
    m.vm_events["pgfree"] += 1 << order
    zone = m.zone_of(pfn)
    if pcp_allowed_order(order):
        pcp.free_unref_page(m, zone, pfn, order)
    else:
        pcp.free_to_buddy(m, zone, pfn, order, zone.get_pfnblock_migratetype(pfn))
