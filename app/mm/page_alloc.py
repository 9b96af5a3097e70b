"""The zoned page allocator: which zone may give, how far it may be emptied, and what happens when none can.

Kernel: mm/page_alloc.c. Every allocation walks the zonelist and compares each zone's free pages with a
watermark plus the reserve that the zone keeps for requests that can use nothing else; the first zone that
passes gives the block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import freelist, internal, pcp, printk, vmstat
from app.mm import gfp as gfp_masks
from app.mm.compact_suitable import compactable
from app.mm.freelist import get_page_from_freelist, prep_new_page, zone_statistics, zone_watermark_fast
from app.mm.gfp import GFP_ZONEMASK
from app.mm.internal import (
    ALLOC_CPUSET,
    ALLOC_HIGHATOMIC,
    ALLOC_KSWAPD,
    ALLOC_MIN_RESERVE,
    ALLOC_NO_WATERMARKS,
    ALLOC_NOFRAGMENT,
    ALLOC_NON_BLOCK,
    ALLOC_WMARK_LOW,
    ALLOC_WMARK_MIN,
    AllocContext,
)
from app.mm.mmzone import (
    MAX_ORDER,
    PAGE_ALLOC_COSTLY_ORDER,
    Zone,
)
from app.mm.shrinker import shrink_slab
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


# Local names: a function's own look-ups of these are on the path of every allocation.
_DIRECT_RECLAIM: Final = gfp_masks.__GFP_DIRECT_RECLAIM
_KSWAPD_RECLAIM: Final = gfp_masks.__GFP_KSWAPD_RECLAIM
_THISNODE: Final = gfp_masks.__GFP_THISNODE

_MIGRATETYPE_BITS: Final = gfp_masks.__GFP_MOVABLE | gfp_masks.__GFP_RECLAIMABLE
_CONTEXT_BITS: Final = GFP_ZONEMASK | _THISNODE | _MIGRATETYPE_BITS


# -- the entry points ------------------------------------------------------------------------------


@traced
def alloc_pages(m: Kernel, gfp: int, order: int, nid: int | None = None) -> int | None:
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
            m.trace.page_alloc.order_too_large(order, MAX_ORDER)
        if not gfp & gfp_masks.__GFP_NOWARN:
            m.mistake("order_too_large", order=order, most=MAX_ORDER - 1)
        warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5634", "__alloc_pages")
        return None
    ac = prepare_alloc_pages(m, gfp, m.cpu_node[m.current.cpu] if nid is None else nid)
    if gfp & _DIRECT_RECLAIM and m.current.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274, gfp)
    if ac.preferred_zone is None:
        pfn = None
    else:
        alloc_flags = ALLOC_WMARK_LOW | ac.nofragment | gfp & _KSWAPD_RECLAIM
        if m.trace is not None:
            m.trace.page_alloc.request(gfp, order, alloc_flags, ac)
        pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None:
        pfn = alloc_pages_slowpath(m, gfp, order, ac)
    if m.trace is not None:
        m.trace.page_alloc.alloc(pfn, order, gfp, ac.migratetype)
    return pfn


def prepare_alloc_pages(m: Kernel, gfp: int, nid: int) -> AllocContext:
    """Which zones, up to which one, and on which lists. Kernel: prepare_alloc_pages"""
    key = (nid, gfp & _CONTEXT_BITS)
    ac = m.alloc_contexts.get(key)
    if ac is None:
        highest = gfp_zone(m, gfp)
        ac = AllocContext(first_zones_zonelist(m, gfp, nid, highest), highest, gfp_migratetype(m, gfp))
        ac.nofragment = alloc_flags_nofragment(m, ac.preferred_zone)
        # Mistakes must be reported each time.
        if gfp & _MIGRATETYPE_BITS != _MIGRATETYPE_BITS and gfp & GFP_ZONEMASK in gfp_masks.GFP_ZONE:
            m.alloc_contexts[key] = ac
    return ac


def first_zones_zonelist(m: Kernel, gfp: int, nid: int, highest: int) -> tuple[Zone, ...]:
    """The zones up to the highest that a mask allows, nearest to the node first. Kernel: node_zonelist"""
    node = m.nodes[nid]
    zonelist = node.thisnode if gfp & _THISNODE else node.zonelist
    return tuple(zone for zone in zonelist if zone.zid <= highest)


def gfp_zone(m: Kernel, gfp: int) -> int:
    """Index of the highest zone that the mask allows. Kernel: include/linux/gfp.h gfp_zone

    The zone bits are no choice of one zone but an upper bound: a GFP_KERNEL request may always go down to
    DMA32 and DMA, which is why those keep a reserve against it. Eight combinations of them name no zone
    (GFP_ZONE_BAD): under DEBUG_VM they are a bug, elsewhere they mean ZONE_DMA.
    """
    bits = gfp & GFP_ZONEMASK
    if bits not in gfp_masks.GFP_ZONE and m.rules >= 2:
        m.mistake("zone_bits", mask=gfp_masks.pGg(gfp), bits=f"{bits:#x}")
        if m.debug:
            printk.bug(m, "kernel BUG at include/linux/gfp.h:136!")
    return gfp_masks.highest_zone(m.zone_index, gfp)


def gfp_migratetype(m: Kernel, gfp: int) -> int:
    """The free lists that a mask belongs to. Kernel: include/linux/gfp.h gfp_migratetype"""
    if m.page_group_by_mobility_disabled:
        return 0
    if gfp & _MIGRATETYPE_BITS == _MIGRATETYPE_BITS:
        return m.checked_migratetype()
    return (gfp & _MIGRATETYPE_BITS) >> 3


def alloc_flags_nofragment(m: Kernel, zone: Zone | None) -> int:
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


def get_free_pages(m: Kernel, gfp: int, order: int) -> int | None:
    """Page frames that have an address, so never from HIGHMEM. Kernel: __get_free_pages"""
    if gfp & gfp_masks.__GFP_HIGHMEM:
        m.mistake("highmem_dropped", mask=gfp_masks.pGg(gfp))
    return alloc_pages(m, gfp & ~gfp_masks.__GFP_HIGHMEM, order)


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


@traced
def alloc_pages_slowpath(m: Kernel, gfp: int, order: int, ac: AllocContext) -> int | None:
    """What is done for a request that no zone above its low mark could serve. Kernel: __alloc_pages_slowpath

    kswapd is woken; the zones are tried against the min mark with the reserves that the mask gives; a caller
    that may sleep then reclaims and compacts itself. One that may not gets NULL here: that is all the
    difference between GFP_ATOMIC and GFP_KERNEL.
    """
    can_direct_reclaim = bool(gfp & _DIRECT_RECLAIM)
    if gfp & gfp_masks.__GFP_ATOMIC and can_direct_reclaim:
        printk.warn_on_once(m, "mm/page_alloc.c:5118", "__alloc_pages_slowpath")
        gfp &= ~gfp_masks.__GFP_ATOMIC
    if m.vm.reclaim:
        return m.slowpath(m, gfp, order, ac)
    pfn = None
    if ac.preferred_zone is not None:
        alloc_flags = gfp_to_alloc_flags(gfp, order)
        if m.trace is not None:
            m.trace.page_alloc.slowpath(gfp, order, alloc_flags)
        if alloc_flags & ALLOC_KSWAPD:
            wake_all_kswapds(m, gfp, order, ac)
        pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
        if pfn is None:
            if gfp_pfmemalloc_flags(gfp):
                alloc_flags = gfp_pfmemalloc_flags(gfp) | alloc_flags & ALLOC_KSWAPD
            pfn = get_page_from_freelist(m, gfp, order, alloc_flags, ac)
        if pfn is None and can_direct_reclaim:
            pfn = reclaim_and_compact(m, gfp, order, alloc_flags, ac)
        elif pfn is None and m.trace is not None:
            m.trace.page_alloc.no_reclaim(gfp)
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


def wake_all_kswapds(m: Kernel, gfp: int, order: int, ac: AllocContext) -> None:
    """Wake the kswapd of each node, once. Kernel: wake_all_kswapds"""
    last_nid = None
    for zone in ac.zonelist:
        if zone.managed_pages and zone.nid != last_nid:
            m.wakeup_kswapd(m, zone, gfp, order, ac.highest_zoneidx)
            last_nid = zone.nid


def nopage(m: Kernel, gfp: int, order: int, ac: AllocContext) -> int | None:
    """The end of the slow path: NULL with a report, or a request that may not fail.

    Kernel: __alloc_pages_slowpath nopage. One that may not fail and is large gets at the reserves at
    last; where even that does not help, the kernel tries for ever.
    """
    if m.current.verdict in ("oom", "hang"):
        return None
    if gfp & gfp_masks.__GFP_NOFAIL:
        if gfp & _DIRECT_RECLAIM:
            warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5383", "__alloc_pages_slowpath")
            pfn = get_page_from_freelist(m, gfp, order, ALLOC_CPUSET | ALLOC_MIN_RESERVE, ac)
            if pfn is None:
                m.current.verdict = "hang"
            return pfn
        warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5367", "__alloc_pages_slowpath")
    printk.warn_alloc(m, gfp, f"page allocation failure: order:{order}")
    return None


def warn_on_once_gfp(m: Kernel, gfp: int, place: str, function: str) -> None:
    """A WARN_ON_ONCE that __GFP_NOWARN silences. Kernel: mm/internal.h WARN_ON_ONCE_GFP"""
    if not gfp & gfp_masks.__GFP_NOWARN:
        printk.warn_on_once(m, place, function)


# -- bulk ------------------------------------------------------------------------------------------


@traced
def alloc_pages_bulk(m: Kernel, gfp: int, nid: int, nr_pages: int) -> list[int]:
    """Up to `nr_pages` single page frames from one zone's per-CPU list. Kernel: __alloc_pages_bulk

    vmalloc uses it: one watermark check and one hold of the list for a hundred pages. It never steals a
    NOFRAGMENT pass and never enters the slow path except for a first page.
    """
    if nr_pages == 1:
        return one_page(m, gfp, nid)
    ac = prepare_alloc_pages(m, gfp, nid)
    if gfp & _DIRECT_RECLAIM and m.current.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274, gfp)
    if m.trace is not None:
        m.trace.page_alloc.bulk_begins(nr_pages)
    zone = bulk_zone(m, gfp, nr_pages, ac)
    pages: list[int] = []
    if zone is not None:
        per_cpu_pages = zone.pcp[m.current.cpu]
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
        m.trace.page_alloc.bulk_ends(zone, nr_pages, pages)
    return pages or one_page(m, gfp, nid)


def bulk_zone(m: Kernel, gfp: int, nr_pages: int, ac: AllocContext) -> Zone | None:
    """The first local zone that stays above its low mark with all the pages taken."""
    preferred = ac.preferred_zone
    for zone in ac.zonelist:
        if preferred is None or zone.nid != preferred.nid:
            return None
        mark = zone.watermark[ALLOC_WMARK_LOW] + zone.boost + nr_pages
        ok = zone_watermark_fast(m, zone, 0, mark, preferred.zid, ALLOC_WMARK_LOW, gfp)
        if m.trace is not None:
            m.trace.page_alloc.zone_tried(zone, 0, mark, ALLOC_WMARK_LOW, ok=ok)
        if ok:
            return zone
    return None


def one_page(m: Kernel, gfp: int, nid: int) -> list[int]:
    """The bulk allocator's way out: one ordinary page, which may enter the slow path."""
    pfn = alloc_pages(m, gfp, 0, nid)
    return [] if pfn is None else [pfn]


# -- freeing ---------------------------------------------------------------------------------------


def reclaim_and_compact(
    m: Kernel, gfp: int, order: int, alloc_flags: int, ac: internal.AllocContext
) -> int | None:
    """Direct reclaim on behalf of a caller that may sleep; the verdict says how it ends when nothing helps.

    Kernel: __alloc_pages_slowpath, __alloc_pages_direct_compact, should_reclaim_retry

    An order that the kernel calls costly may fail; smaller ones never return NULL, because their callers have
    never been tested for it: rather a process is killed.
    """
    if order > PAGE_ALLOC_COSTLY_ORDER and gfp & gfp_masks.__GFP_NORETRY and not compactable(m, order, ac):
        if m.trace is not None:
            m.trace.page_alloc.reclaim(
                "a costly order that shall not be retried, and too little is free to compact"
            )
        return None
    pfn = direct_reclaim(m, gfp, order, alloc_flags, ac)
    if pfn is None and order and m.trace is not None:
        m.trace.page_alloc.direct_compact(order)
    if pfn is None and freelist.unreserve_highatomic_pageblock(m, ac, force=True):
        pfn = freelist.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None and not may_fail(m, gfp, order, ac):
        pfn = out_of_memory(m, gfp, order, ac)
    return pfn


@traced
def direct_reclaim(
    m: Kernel, gfp: int, order: int, alloc_flags: int, ac: internal.AllocContext
) -> int | None:
    """Free what can be freed and try again; then also what per-CPU lists and atomic reserves hold back.

    Kernel: __alloc_pages_direct_reclaim

    The lists are drained last, because every CPU would have to refill them at once.
    """
    vmstat.count_zid_vm_event(m, "allocstall", ac.highest_zoneidx)
    before = free_and_pcp(m)
    shrink_slab(m)
    if m.trace is not None:
        m.trace.page_alloc.reclaim(
            "this machine has no page cache, of which Linux would reclaim pages; in its place, empty slabs"
            " and lazily freed areas are given back",
            freed=free_and_pcp(m) - before,
        )
    pfn = freelist.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None:
        free = m.nr_free_pages
        freelist.unreserve_highatomic_pageblock(m, ac, force=False)
        pcp.drain_all_pages(m)
        if m.trace is not None:
            m.trace.page_alloc.reclaim("all per-CPU lists are drained", freed=m.nr_free_pages - free)
        pfn = freelist.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    return pfn


def free_and_pcp(m: Kernel) -> int:
    """Frames that nobody uses, wherever they wait."""
    return m.nr_free_pages + sum(pages.count for zone in m.zones for pages in zone.pcp)


def may_fail(m: Kernel, gfp: int, order: int, ac: internal.AllocContext) -> bool:
    """Whether a request that may sleep is allowed to come back with NULL. Kernel: __alloc_pages_slowpath"""
    if gfp & gfp_masks.__GFP_NOFAIL:
        return False
    return (
        order > PAGE_ALLOC_COSTLY_ORDER
        or bool(gfp & (gfp_masks.__GFP_NORETRY | gfp_masks.__GFP_RETRY_MAYFAIL | gfp_masks.__GFP_THISNODE))
        or ac.highest_zoneidx < m.zone_index["Normal"]
    )


@traced
def out_of_memory(m: Kernel, gfp: int, order: int, ac: internal.AllocContext) -> int | None:
    """Ask the OOM killer, or loop where even that is forbidden. Kernel: __alloc_pages_may_oom, mm/oom_kill.c

    One last try against the high mark comes first: another task's death may have freed memory meanwhile.
    """
    flags = internal.ALLOC_WMARK_HIGH | internal.ALLOC_CPUSET
    pfn = freelist.get_page_from_freelist(m, gfp & ~gfp_masks.__GFP_DIRECT_RECLAIM, order, flags, ac)
    if pfn is not None or order > PAGE_ALLOC_COSTLY_ORDER:
        return pfn
    if not gfp & gfp_masks.__GFP_FS:
        m.current.verdict = "hang"
        if m.trace is not None:
            m.trace.page_alloc.may_oom(
                "the OOM killer may not run without __GFP_FS: the request loops", "hang"
            )
        return None
    m.current.verdict = "oom"
    if m.trace is not None:
        m.trace.page_alloc.may_oom("no process can be killed", "oom")
    printk.oom(m, gfp, order)
    return None
