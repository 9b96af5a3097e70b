"""Reclaim: what there is to gain when memory is short.

Kernel: mm/vmscan.c, mm/compaction.c, mm/oom_kill.c, and the second half of mm/page_alloc.c's slow path. This
machine has no page cache and no processes' memory. What it has to give are slabs without objects, vmap areas
that wait for their purge, pages on per-CPU lists and the high-order atomic reserve; after that the OOM killer
is asked, and finds nobody. Nothing here can be moved either, so compaction finds no more than there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import gfp as gfp_masks
from app.mm import page_alloc, pcp, printk, vmstat
from app.mm.mmzone import PAGE_ALLOC_COSTLY_ORDER, Zone

if TYPE_CHECKING:
    from app.mm.machine import Machine


def wakeup_kswapd(m: Machine, zone: Zone) -> None:
    """Mark the node's kswapd as woken. Kernel: wakeup_kswapd

    On a real machine it would now free pages in the background until every zone stands above its high mark.
    """
    m.nodes[zone.nid].kswapd_woken = True
    if m.trace is not None:
        m.trace.wakeup_kswapd(zone)


def reclaim_and_compact(
    m: Machine, gfp: int, order: int, alloc_flags: int, ac: page_alloc.AllocContext
) -> int | None:
    """Direct reclaim on behalf of a caller that may sleep; the verdict says how it ends when nothing helps.

    Kernel: __alloc_pages_slowpath, __alloc_pages_direct_reclaim, should_reclaim_retry

    An order that the kernel calls costly may fail; smaller ones never return NULL, because their callers have
    never been tested for it: rather a process is killed.
    """
    if order > PAGE_ALLOC_COSTLY_ORDER and gfp & gfp_masks.__GFP_NORETRY and not compactable(m, order, ac):
        if m.trace is not None:
            m.trace.reclaim("a costly order that shall not be retried, and too little is free to compact")
        return None
    pfn = direct_reclaim(m, gfp, order, alloc_flags, ac)
    if pfn is None and order and m.trace is not None:
        m.trace.direct_compact(order)
    if pfn is None and page_alloc.unreserve_highatomic_pageblock(m, ac, force=True):
        pfn = page_alloc.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None and not may_fail(m, gfp, order, ac):
        pfn = out_of_memory(m, gfp, order, ac)
    return pfn


def direct_reclaim(
    m: Machine, gfp: int, order: int, alloc_flags: int, ac: page_alloc.AllocContext
) -> int | None:
    """Free what can be freed and try again; then also what per-CPU lists and atomic reserves hold back.

    Kernel: __alloc_pages_direct_reclaim

    The lists are drained last, because every CPU would have to refill them at once.
    """
    vmstat.count_zid_vm_event(m, "allocstall", ac.highest_zoneidx)
    before = free_and_pcp(m)
    shrink_slab(m)
    if m.trace is not None:
        m.trace.reclaim(
            "this machine has no page cache, of which Linux would reclaim pages; in its place, empty slabs"
            " and lazily freed areas are given back",
            freed=free_and_pcp(m) - before,
        )
    pfn = page_alloc.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None:
        free = m.nr_free_pages
        page_alloc.unreserve_highatomic_pageblock(m, ac, force=False)
        pcp.drain_all_pages(m)
        if m.trace is not None:
            m.trace.reclaim("all per-CPU lists are drained", freed=m.nr_free_pages - free)
        pfn = page_alloc.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    return pfn


def shrink_slab(m: Machine) -> None:
    """Ask everyone who holds memory that nobody needs to give it up. Kernel: mm/vmscan.c shrink_slab

    The kernel's shrinkers free dentries and inodes, so that slabs become empty. This machine's objects are
    all in use by whoever allocated them; its own are lazily freed vmap areas and slabs without objects.
    """
    for shrinker in m.shrinkers:
        shrinker(m)


def free_and_pcp(m: Machine) -> int:
    """Frames that nobody uses, wherever they wait."""
    return m.nr_free_pages + sum(pages.count for zone in m.zones for pages in zone.pcp)


def compactable(m: Machine, order: int, ac: page_alloc.AllocContext) -> bool:
    """Whether any zone has room enough to move pages about in. Kernel: mm/compaction.c compaction_suitable"""
    mark = 1 if order > PAGE_ALLOC_COSTLY_ORDER else 0
    return any(
        page_alloc.zone_watermark_ok(
            zone, 0, zone.wmark_pages(mark) + (2 << order), ac.highest_zoneidx, 0, zone.vm_stat_free
        )
        for zone in ac.zonelist
    )


def may_fail(m: Machine, gfp: int, order: int, ac: page_alloc.AllocContext) -> bool:
    """Whether a request that may sleep is allowed to come back with NULL. Kernel: __alloc_pages_slowpath"""
    if gfp & gfp_masks.__GFP_NOFAIL:
        return False
    return (
        order > PAGE_ALLOC_COSTLY_ORDER
        or bool(gfp & (gfp_masks.__GFP_NORETRY | gfp_masks.__GFP_RETRY_MAYFAIL | gfp_masks.__GFP_THISNODE))
        or ac.highest_zoneidx < m.zone_index["Normal"]
    )


def out_of_memory(m: Machine, gfp: int, order: int, ac: page_alloc.AllocContext) -> int | None:
    """Ask the OOM killer, or loop where even that is forbidden. Kernel: __alloc_pages_may_oom, mm/oom_kill.c

    One last try against the high mark comes first: another task's death may have freed memory meanwhile.
    """
    flags = page_alloc.ALLOC_WMARK_HIGH | page_alloc.ALLOC_CPUSET
    pfn = page_alloc.get_page_from_freelist(m, gfp & ~gfp_masks.__GFP_DIRECT_RECLAIM, order, flags, ac)
    if pfn is not None or order > PAGE_ALLOC_COSTLY_ORDER:
        return pfn
    if not gfp & gfp_masks.__GFP_FS:
        m.verdict = "hang"
        if m.trace is not None:
            m.trace.may_oom("the OOM killer may not run without __GFP_FS: the request loops", "hang")
        return None
    m.verdict = "oom"
    if m.trace is not None:
        m.trace.may_oom("no process can be killed", "oom")
    printk.oom(m, gfp, order)
    return None
