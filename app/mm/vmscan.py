"""Reclaim: what there is to gain when memory is short.

Kernel: mm/vmscan.c, mm/compaction.c, mm/oom_kill.c. This machine has no page cache and no processes' memory,
so reclaim can only give back what waits in per-CPU lists and atomic reserves; after that the OOM killer is
asked, and finds nobody.
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

    Kernel: __alloc_pages_direct_reclaim, __alloc_pages_direct_compact, should_reclaim_retry and
    __alloc_pages_may_oom. An order that the kernel calls costly may fail; smaller ones never return NULL,
    because their callers have never been tested for it: rather a process is killed.
    """
    pfn = page_alloc.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None:
        vmstat.count_zid_vm_event(m, "allocstall", ac.highest_zoneidx)
        page_alloc.unreserve_highatomic_pageblock(m, ac, force=True)
        pcp.drain_all_pages(m)
        pfn = page_alloc.get_page_from_freelist(m, gfp, order, alloc_flags, ac)
    if pfn is None and not may_fail(m, gfp, order, ac):
        pfn = out_of_memory(m, gfp, order, ac)
    return pfn


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
        return None
    m.verdict = "oom"
    printk.oom(m, gfp, order)
    return None
