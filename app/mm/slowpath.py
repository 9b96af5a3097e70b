"""The allocator's slow path on a machine that reclaims: free, move, retry, and at last kill.

Kernel: mm/page_alloc.c __alloc_pages_slowpath and what it calls. The order matters: a large block is first
sought by moving pages, which loses nobody anything; then pages are taken back; then others are moved again;
then it is asked whether another round could help; and only if not, somebody has to die.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import (
    compact_result,
    compact_suitable,
    compaction,
    freelist,
    kthreads,
    oom_kill,
    oom_reaper,
    pcp,
    printk,
    vmscan,
    vmstat,
)
from app.mm import gfp as gfp_masks
from app.mm.compact_control import (
    COMPACT_CONTINUE,
    COMPACT_DEFERRED,
    COMPACT_PRIO_ASYNC,
    COMPACT_PRIO_SYNC_LIGHT,
    COMPACT_SKIPPED,
    MIN_COMPACT_PRIORITY,
)
from app.mm.freelist import get_page_from_freelist
from app.mm.internal import (
    ALLOC_CPUSET,
    ALLOC_KSWAPD,
    ALLOC_MIN_RESERVE,
    ALLOC_NO_WATERMARKS,
    ALLOC_OOM,
    ALLOC_WMARK_HIGH,
    AllocContext,
)
from app.mm.mmzone import MIGRATE_MOVABLE, PAGE_ALLOC_COSTLY_ORDER, WMARK_MIN
from app.mm.page_alloc import gfp_to_alloc_flags, warn_on_once_gfp
from app.mm.sched import current, fatal_signal_pending
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

_DIRECT_RECLAIM: Final = gfp_masks.__GFP_DIRECT_RECLAIM
_NOFAIL: Final = gfp_masks.__GFP_NOFAIL

MAX_RECLAIM_RETRIES: Final = 16
MAX_COMPACT_RETRIES: Final = 16


# -- what a mask allows ----------------------------------------------------------------------------


def gfp_pfmemalloc_flags(m: Kernel, gfp: int) -> int:
    """The right to ignore watermarks, or half of one: memory that will be used to free memory.

    Kernel: __gfp_pfmemalloc_flags. Reclaim itself has it, and who was killed and must still come to its end.
    """
    if gfp & gfp_masks.__GFP_NOMEMALLOC:
        return 0
    if gfp & gfp_masks.__GFP_MEMALLOC:
        return ALLOC_NO_WATERMARKS
    if m.current.context in ("process", "atomic", "irqsoff"):
        if m.current.memalloc:
            return ALLOC_NO_WATERMARKS
        if m.current.thread is None and current(m).oom_victim:
            return ALLOC_OOM
    return 0


def gfp_compaction_allowed(gfp: int) -> bool:
    """Whether pages may be moved for the request: that can take disk I/O. Kernel: gfp_compaction_allowed"""
    return bool(gfp & gfp_masks.__GFP_IO)


# -- the path --------------------------------------------------------------------------------------


class Request:
    """One allocation on its way through the slow path: what the kernel keeps in local variables.

    progress: whether the last round of reclaim, or the OOM killer, has brought anything. waited: whether the
    kernel threads that it has woken have had their turn.
    """

    __slots__ = (
        "ac", "alloc_flags", "compact_priority", "compact_result", "compaction_retries", "gfp",
        "no_progress_loops", "order", "progress", "waited",
    )  # fmt: skip

    def __init__(self, gfp: int, order: int, ac: AllocContext) -> None:
        self.gfp = gfp
        self.order = order
        self.ac = ac
        self.alloc_flags = gfp_to_alloc_flags(gfp, order)
        self.progress = False
        self.waited = False
        self.no_progress_loops = 0
        self.compaction_retries = 0
        self.compact_priority = COMPACT_PRIO_SYNC_LIGHT
        self.compact_result = COMPACT_SKIPPED

    @property
    def costly(self) -> bool:
        """Whether the kernel does not promise blocks of that size."""
        return self.order > PAGE_ALLOC_COSTLY_ORDER


def slowpath(m: Kernel, gfp: int, order: int, ac: AllocContext) -> int | None:
    """The whole path, for a request that no zone above its low mark could serve.

    Kernel: __alloc_pages_slowpath. None is NULL; the call's verdict says where it is more than that.
    """
    request = Request(gfp, order, ac)
    pfn = None
    if ac.preferred_zone is not None:
        if m.trace is not None:
            m.trace.page_alloc.slowpath(gfp, order, request.alloc_flags)
        if request.alloc_flags & ALLOC_KSWAPD:
            wake_all_kswapds(m, request)
        pfn = get_page_from_freelist(m, gfp, order, request.alloc_flags, ac)
        if pfn is None and not compacts_first(m, request):
            pfn = retry(m, request)
        elif pfn is None:
            pfn = compact_first(m, request)
    if pfn is None and m.current.verdict not in ("panic", "hang"):
        pfn = nopage(m, request)
    return pfn


def compacts_first(m: Kernel, request: Request) -> bool:
    """Whether moving pages comes before taking some back: for large blocks, and what cannot be moved.

    Kernel: __alloc_pages_slowpath
    """
    gfp, order = request.gfp, request.order
    if not gfp & _DIRECT_RECLAIM or not gfp_compaction_allowed(gfp) or gfp_pfmemalloc_flags(m, gfp):
        return False
    return request.costly or (order > 0 and request.ac.migratetype != MIGRATE_MOVABLE)


def compact_first(m: Kernel, request: Request) -> int | None:
    """Move pages asynchronously, then go on as others do. Kernel: __alloc_pages_slowpath

    A large request that shall not be retried ends here where there was nothing to move, or no room for it:
    reclaim would only tear pages out all over memory.
    """
    pfn = direct_compact(m, request, COMPACT_PRIO_ASYNC)
    if pfn is not None:
        return pfn
    if request.costly and request.gfp & gfp_masks.__GFP_NORETRY:
        hopeless = request.compact_result in (COMPACT_SKIPPED, COMPACT_DEFERRED)
        if hopeless or request.gfp & gfp_masks.__GFP_THISNODE:
            if m.trace is not None:
                m.trace.page_alloc.reclaim("a costly order that shall not be retried: no reclaim")
            return None
        request.compact_priority = COMPACT_PRIO_ASYNC
    return retry(m, request)


def retry(m: Kernel, request: Request) -> int | None:
    """Round after round, until there is a block or no hope. Kernel: __alloc_pages_slowpath retry"""
    while True:
        pfn = one_round(m, request)
        if pfn is not None or not may_retry(m, request):
            return pfn
        if should_reclaim_retry(m, request) or (
            request.progress and gfp_compaction_allowed(request.gfp) and should_compact_retry(m, request)
        ):
            continue
        pfn = may_oom(m, request)
        if pfn is not None or not request.progress:
            return pfn
        if current(m).oom_victim and (
            request.alloc_flags & ALLOC_OOM or request.gfp & gfp_masks.__GFP_NOMEMALLOC
        ):
            return None
        request.no_progress_loops = 0


def one_round(m: Kernel, request: Request) -> int | None:
    """Try, reclaim, try again, compact. Kernel: __alloc_pages_slowpath retry"""
    gfp, alloc_flags = request.gfp, request.alloc_flags
    if alloc_flags & ALLOC_KSWAPD:
        wake_all_kswapds(m, request)
    reserve_flags = gfp_pfmemalloc_flags(m, gfp)
    if reserve_flags:
        request.alloc_flags = alloc_flags = reserve_flags | alloc_flags & ALLOC_KSWAPD
    pfn = get_page_from_freelist(m, gfp, request.order, alloc_flags, request.ac)
    if pfn is None and gfp & _DIRECT_RECLAIM and not m.current.memalloc:
        pfn = direct_reclaim(m, request)
        if pfn is None:
            pfn = direct_compact(m, request, request.compact_priority)
    elif pfn is None and m.trace is not None:
        m.trace.page_alloc.no_reclaim(gfp)
    return pfn


def may_retry(m: Kernel, request: Request) -> bool:
    """Whether the caller wants more than one round. Kernel: __alloc_pages_slowpath"""
    gfp = request.gfp
    if not gfp & _DIRECT_RECLAIM or m.current.memalloc or gfp & gfp_masks.__GFP_NORETRY:
        return False
    can_compact = gfp_compaction_allowed(gfp)
    return not request.costly or bool(can_compact and gfp & gfp_masks.__GFP_RETRY_MAYFAIL)


def wake_all_kswapds(m: Kernel, request: Request) -> None:
    """Wake the kswapd of each node, once. Kernel: wake_all_kswapds"""
    last_nid = None
    for zone in request.ac.zonelist:
        if zone.managed_pages and zone.nid != last_nid:
            m.wakeup_kswapd(m, zone, request.gfp, request.order, request.ac.highest_zoneidx)
            last_nid = zone.nid


# -- reclaim and compaction ------------------------------------------------------------------------


@traced
def perform_reclaim(m: Kernel, request: Request) -> int:
    """Take pages back; how many. Kernel: __perform_reclaim

    Before, whoever was killed gets the processor: what the death brings is there when the marks are looked at
    next.
    """
    oom_reaper.let_victims_exit(m)
    m.current.memalloc = m.current.eventful = True
    progress = vmscan.try_to_free_pages(m, request.order, request.gfp, request.ac)
    m.current.memalloc = False
    return progress


def direct_reclaim(m: Kernel, request: Request) -> int | None:
    """Take pages back and try again; then also what per-CPU lists and atomic reserves hold back.

    Kernel: __alloc_pages_direct_reclaim
    """
    request.progress = perform_reclaim(m, request) > 0
    if not request.progress:
        if m.trace is not None:
            m.trace.page_alloc.reclaim("nothing could be taken back", freed=0)
        return None
    pfn = freelist_once_more(m, request)
    if pfn is None:
        freelist.unreserve_highatomic_pageblock(m, request.ac, force=False)
        free = m.nr_free_pages
        pcp.drain_all_pages(m)
        if m.trace is not None:
            m.trace.page_alloc.reclaim("all per-CPU lists are drained", freed=m.nr_free_pages - free)
        pfn = freelist_once_more(m, request)
    return pfn


def freelist_once_more(m: Kernel, request: Request) -> int | None:
    """Try the zones as the request may by now. Kernel: get_page_from_freelist"""
    return get_page_from_freelist(m, request.gfp, request.order, request.alloc_flags, request.ac)


@traced
def direct_compact(m: Kernel, request: Request, priority: int) -> int | None:
    """Move pages until there is a block, and take it. Kernel: __alloc_pages_direct_compact"""
    if not request.order:
        return None
    m.current.memalloc = m.current.eventful = True
    result, pfn = compaction.try_to_compact_pages(
        m, request.gfp, request.order, request.alloc_flags, request.ac, priority
    )
    m.current.memalloc = False
    request.compact_result = result
    if result == COMPACT_SKIPPED:
        return None
    vmstat.count_vm_events(m, "compact_stall")
    if pfn is not None:
        freelist.prep_new_page(m, pfn, request.order, request.gfp)
    else:
        pfn = freelist_once_more(m, request)
    if pfn is None:
        vmstat.count_vm_events(m, "compact_fail")
        return None
    zone = m.zone_of(pfn)
    zone.compact.blockskip_flush = False
    compact_suitable.compaction_defer_reset(m, zone, request.order, alloc_success=True)
    vmstat.count_vm_events(m, "compact_success")
    return pfn


@traced
def should_reclaim_retry(m: Kernel, request: Request) -> bool:
    """Whether another round could help: not if even all that can be taken back would not be enough.

    Kernel: should_reclaim_retry. What could be taken back is counted exactly here. A zone that has nothing
    of the kind counts its free pages instead, and so twice: it goes round sixteen times before it gives up.
    """
    if request.progress and not request.costly:
        request.no_progress_loops = 0
    else:
        request.no_progress_loops += 1
    worth = request.no_progress_loops <= MAX_RECLAIM_RETRIES and any_zone_could(m, request)
    return worth or freelist.unreserve_highatomic_pageblock(m, request.ac, force=True)


def any_zone_could(m: Kernel, request: Request) -> bool:
    """Whether a zone would pass its min mark with all that can be taken back. Kernel: should_reclaim_retry"""
    highest = request.ac.highest_zoneidx
    for zone in request.ac.zonelist:
        reclaimable = vmscan.zone_reclaimable_pages(m, zone)
        available = reclaimable + zone.nr_free_pages
        mark = zone.wmark_pages(WMARK_MIN)
        ok = freelist.zone_watermark_ok(zone, request.order, mark, highest, request.alloc_flags, available)
        if m.trace is not None:
            m.trace.oom.retry_zone(
                zone, request.order, reclaimable, available, mark, request.no_progress_loops, ok=ok
            )
        if ok:
            return True
    return False


@traced
def should_compact_retry(m: Kernel, request: Request) -> bool:
    """Whether to compact once more, and how hard. Kernel: should_compact_retry

    Once no pages are left to be moved at one priority, the next may wait for pages that the last did not.
    """
    if not request.order or fatal_signal_pending(m):
        return False
    result, priority, retries = request.compact_result, request.compact_priority, request.compaction_retries
    most = MAX_COMPACT_RETRIES // 4 if request.costly else MAX_COMPACT_RETRIES
    if compact_result.compaction_made_progress(result):
        request.compaction_retries += 1
    if compact_result.compaction_needs_reclaim(result):
        again = compaction_zonelist_suitable(m, request)
    elif (
        not compact_result.compaction_failed(result)
        and not compact_result.compaction_withdrawn(result)
        and request.compaction_retries <= most
    ):
        again = True
    else:
        again = harder(request)
    if m.trace is not None:
        m.trace.oom.compact_retry(request.order, priority, result, retries, most, again=again)
    return again


def compaction_zonelist_suitable(m: Kernel, request: Request) -> bool:
    """Whether reclaim could make enough room in a zone to compact it. Kernel: compaction_zonelist_suitable

    Only a part of what could be taken back is counted: all of it would be a high price for one large block.
    """
    order, highest = request.order, request.ac.highest_zoneidx
    for zone in request.ac.zonelist:
        available = vmscan.zone_reclaimable_pages(m, zone) // order + zone.nr_free_pages
        result = compact_suitable.suitable(zone, order, request.alloc_flags, highest, available)
        if result == COMPACT_CONTINUE:
            return True
    return False


def harder(request: Request) -> bool:
    """Go on at the next priority, if the order allows one. Kernel: should_compact_retry check_priority"""
    least = COMPACT_PRIO_SYNC_LIGHT if request.costly else MIN_COMPACT_PRIORITY
    if request.compact_priority <= least:
        return False
    request.compact_priority -= 1
    request.compaction_retries = 0
    return True


# -- the end ---------------------------------------------------------------------------------------


def may_oom(m: Kernel, request: Request) -> int | None:
    """Ask the OOM killer, unless it could not help or the caller can live with NULL.

    Kernel: __alloc_pages_may_oom. One last try against the high mark comes first: another's death may have
    freed memory meanwhile.
    """
    gfp, order, ac = request.gfp, request.order, request.ac
    request.progress = False
    flags = ALLOC_WMARK_HIGH | ALLOC_CPUSET
    pfn = get_page_from_freelist(m, gfp & ~_DIRECT_RECLAIM, order, flags, ac)
    refusal = None if pfn is not None else no_oom_killer_for(m, request)
    if pfn is not None or refusal is not None:
        if refusal is not None and m.trace is not None:
            m.trace.page_alloc.may_oom(refusal, "no")
        return pfn
    request.progress = oom_kill.out_of_memory(m, gfp, order)
    if request.progress and gfp & _NOFAIL:
        pfn = get_page_from_freelist(m, gfp, order, ALLOC_NO_WATERMARKS, ac)
    if pfn is None and request.progress and not gfp & gfp_masks.__GFP_FS and not current(m).oom_victim:
        wait_for_others(m, request)
    return pfn


def wait_for_others(m: Kernel, request: Request) -> None:
    """The request goes round and round until kswapd, which may do what it may not, has freed something.

    Kernel: __alloc_pages_slowpath. If that has had its turn and has not, nothing will ever change.
    """
    if not request.waited:
        request.waited = True
        kthreads.run_woken(m)
    else:
        request.progress = False
        loops_for_ever(m, "the OOM killer may not run without __GFP_FS: the request loops")


def no_oom_killer_for(m: Kernel, request: Request) -> str | None:
    """Why the OOM killer is not asked for a request, if it is not. Kernel: __alloc_pages_may_oom"""
    if request.costly:
        return "killing does not help to get a costly order"
    if request.gfp & (gfp_masks.__GFP_RETRY_MAYFAIL | gfp_masks.__GFP_THISNODE):
        return "the caller has said that it can do without"
    if request.ac.highest_zoneidx < m.zone_index["Normal"]:
        return "nobody is killed for memory of low zones"
    return None


def loops_for_ever(m: Kernel, why: str) -> None:
    """The kernel would try again and again, and nothing would change."""
    m.current.verdict = "hang"
    if m.trace is not None:
        m.trace.page_alloc.may_oom(why, "hang")


def nopage(m: Kernel, request: Request) -> int | None:
    """NULL with a report, or a request that may not fail. Kernel: __alloc_pages_slowpath nopage"""
    gfp, order = request.gfp, request.order
    if gfp & _NOFAIL:
        if gfp & _DIRECT_RECLAIM:
            if request.costly:
                warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5383", "__alloc_pages_slowpath")
            pfn = get_page_from_freelist(m, gfp, order, ALLOC_CPUSET | ALLOC_MIN_RESERVE, request.ac)
            if pfn is None:
                loops_for_ever(m, "the request may not fail, and no further round would help")
            return pfn
        warn_on_once_gfp(m, gfp, "mm/page_alloc.c:5367", "__alloc_pages_slowpath")
    printk.warn_alloc(m, gfp, f"page allocation failure: order:{order}")
    return None
