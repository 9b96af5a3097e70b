"""Compaction: pages are moved to the end of a zone, so that large free blocks come to be at its start.

Kernel: mm/compaction.c. Free memory that lies about in single frames is of no use to a request for 2 MiB. Two
scanners go towards each other: one takes pages that can be moved, from the zone's start upwards; the other
takes free frames for them, from its end downwards. When they meet, or a block of the wanted order has come to
be, the run is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import (
    buddy,
    compact_migrate,
    compact_skip,
    compact_suitable,
    migrate,
    page_free,
    pcp,
    swap,
)
from app.mm import gfp as gfp_masks
from app.mm.compact_control import (
    COMPACT_COMPLETE,
    COMPACT_CONTENDED,
    COMPACT_CONTINUE,
    COMPACT_DEFERRED,
    COMPACT_NO_SUITABLE_PAGE,
    COMPACT_PARTIAL_SKIPPED,
    COMPACT_PRIO_ASYNC,
    COMPACT_SKIPPED,
    COMPACT_SUCCESS,
    MIGRATE_ASYNC,
    MIGRATE_SYNC,
    MIGRATE_SYNC_LIGHT,
    MIN_COMPACT_PRIORITY,
    WHOLE,
    CaptureControl,
    CompactControl,
    block_end_pfn,
    block_start_pfn,
    pageblock_start_pfn,
)
from app.mm.internal import AllocContext
from app.mm.mmzone import MAX_ORDER, PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER, Node, Zone
from app.mm.tracepoints import traced
from app.mm.vmstat import count_vm_events

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


# -- one zone --------------------------------------------------------------------------------------


@traced
def compact_zone(m: Kernel, cc: CompactControl) -> int:
    """Compact a zone until there is what is wanted, or the scanners meet. Kernel: compact_zone

    Returns a COMPACT_ result.
    """
    zone = cc.zone
    ret = compact_suitable.compaction_suitable(m, zone, cc.order, cc.alloc_flags, cc.highest_zoneidx)
    if ret in (COMPACT_SUCCESS, COMPACT_SKIPPED):
        return ret
    if compact_suitable.compaction_restarting(zone, cc.order):
        compact_skip.reset_zone(m, zone)
    place_scanners(cc)
    if m.trace is not None:
        m.trace.compaction.begin(cc)
    swap.lru_add_drain(m)
    ret = run(m, cc)
    if cc.nr_freepages:
        highest = release_freepages(m, cc)
        zone.compact.cached_free_pfn = max(zone.compact.cached_free_pfn, pageblock_start_pfn(highest))
    count_vm_events(m, "compact_migrate_scanned", cc.total_migrate_scanned)
    count_vm_events(m, "compact_free_scanned", cc.total_free_scanned)
    if m.trace is not None:
        m.trace.compaction.end(cc, ret)
    return ret


def place_scanners(cc: CompactControl) -> None:
    """Set both scanners to the ends of the zone, or to where the last run stopped. Kernel: compact_zone"""
    zone, state = cc.zone, cc.zone.compact
    last = pageblock_start_pfn(zone.end_pfn - 1)
    if cc.whole_zone:
        cc.migrate_pfn, cc.free_pfn = zone.start_pfn, last
        return
    if not zone.spans_pfn(state.cached_free_pfn):
        state.cached_free_pfn = last
    cc.free_pfn = state.cached_free_pfn
    cc.migrate_pfn = state.cached_migrate_pfn[cc.sync]
    if not zone.spans_pfn(cc.migrate_pfn):
        cc.migrate_pfn = zone.start_pfn
        state.cached_migrate_pfn = [zone.start_pfn, zone.start_pfn]
    if cc.migrate_pfn <= state.init_migrate_pfn:
        cc.whole_zone = True


def run(m: Kernel, cc: CompactControl) -> int:
    """Take pages, move them, look whether that is enough; over and over. Kernel: compact_zone

    What was freed must leave the per-CPU lists, or it would not merge.
    """
    cached = cc.zone.compact.cached_migrate_pfn
    update_cached = not cc.sync and cached[0] == cached[1]
    last_migrated_pfn = 0
    while (ret := compact_finished(m, cc)) == COMPACT_CONTINUE:
        iteration_start_pfn = cc.migrate_pfn
        cc.rescan = pageblock_start_pfn(last_migrated_pfn) == pageblock_start_pfn(iteration_start_pfn)
        if compact_migrate.isolate_migratepages(m, cc):
            update_cached = False
            last_migrated_pfn = iteration_start_pfn
            contended, failed = move(m, cc)
            if contended:
                return COMPACT_CONTENDED
            if failed and cc.direct_compaction and cc.mode == MIGRATE_ASYNC:
                cc.migrate_pfn = block_end_pfn(cc.migrate_pfn - 1, cc.order)
                last_migrated_pfn = 0
        elif update_cached:
            cached = cc.zone.compact.cached_migrate_pfn
            cached[1] = cached[0]
        if cc.order > 0 and 0 < last_migrated_pfn < block_start_pfn(cc.migrate_pfn, cc.order):
            lru_add_drain_cpu_zone(m, cc.zone)
            last_migrated_pfn = 0
        if m.capture_control is not None and m.capture_control.page is not None:
            return COMPACT_SUCCESS
    return ret


def move(m: Kernel, cc: CompactControl) -> tuple[bool, bool]:
    """Move the pages that were taken; those that cannot be go back to their lists. Kernel: compact_zone

    Returns whether the run must end for want of free frames, and whether any stayed.
    """
    stats = migrate.migrate_pages(m, cc)
    if m.trace is not None:
        m.trace.compaction.migratepages(cc.nr_migratepages, len(stats.moved))
    cc.nr_migratepages = 0
    failed = bool(cc.migratepages)
    compact_migrate.putback_movable_pages(m, cc)
    return stats.out_of_frames and not compact_scanners_met(cc), failed


def compact_scanners_met(cc: CompactControl) -> bool:
    """Whether both scanners are in one pageblock. Kernel: compact_scanners_met"""
    return cc.free_pfn >> PAGEBLOCK_ORDER <= cc.migrate_pfn >> PAGEBLOCK_ORDER


def compact_finished(m: Kernel, cc: CompactControl) -> int:
    """Whether to go on: `COMPACT_CONTINUE`. Kernel: compact_finished"""
    ret = finished(m, cc)
    if m.trace is not None:
        m.trace.compaction.finished(cc, ret)
    return COMPACT_CONTINUE if ret == COMPACT_NO_SUITABLE_PAGE else ret


def finished(m: Kernel, cc: CompactControl) -> int:
    """Whether the scanners have met, or a block of the order can be had. Kernel: __compact_finished

    A pageblock that was begun is always finished: half cleared it would be of no use to anybody.
    """
    if compact_scanners_met(cc):
        compact_skip.reset_cached_positions(cc.zone)
        if cc.direct_compaction:
            cc.zone.compact.blockskip_flush = True
        return COMPACT_COMPLETE if cc.whole_zone else COMPACT_PARTIAL_SKIPPED
    if cc.order == WHOLE or cc.migrate_pfn % PAGEBLOCK_NR_PAGES:
        return COMPACT_CONTINUE
    for order in range(cc.order, MAX_ORDER):
        area = cc.zone.free_area[order]
        if area.free_list[cc.migratetype]:
            return COMPACT_SUCCESS
        stolen = buddy.find_suitable_fallback(m, area, order, cc.migratetype)
        if stolen is not None and stolen[1]:
            return COMPACT_SUCCESS
    return COMPACT_NO_SUITABLE_PAGE


def lru_add_drain_cpu_zone(m: Kernel, zone: Zone) -> None:
    """Empty this CPU's batches, and its page lists of a zone. Kernel: mm/swap.c lru_add_drain_cpu_zone"""
    if m.trace is not None:
        m.trace.compaction.fold()
    waiting = zone.pcp[m.current.cpu].count
    swap.lru_add_drain(m)
    pcp.drain_pages_zone(m, zone, m.current.cpu)
    if m.trace is not None:
        m.trace.compaction.folded("drained", zone, waiting)


def release_freepages(m: Kernel, cc: CompactControl) -> int:
    """Give back the frames that were taken and not used; returns the highest. Kernel: release_freepages"""
    if m.trace is not None:
        m.trace.compaction.fold()
    highest = max(cc.freepages)
    for pfn in cc.freepages:
        if m.trace is not None:
            m.trace.page_ref.free(pfn, 0)
        page_free.give_back(m, pfn, 0)
    if m.trace is not None:
        m.trace.compaction.folded("released", cc.zone, cc.nr_freepages)
    cc.freepages.clear()
    cc.nr_freepages = 0
    return highest


# -- direct compaction -----------------------------------------------------------------------------


@traced
def try_to_compact_pages(
    m: Kernel, gfp: int, order: int, alloc_flags: int, ac: AllocContext, prio: int
) -> tuple[int, int | None]:
    """Compact the zones of a request, one after the other, until it can be served.

    Kernel: try_to_compact_pages. Returns a COMPACT_ result, and the block if one came to be under the
    compactor's hands: it is not on a free list, and belongs to the caller.
    """
    rc = COMPACT_SKIPPED
    captured: int | None = None
    if not gfp & gfp_masks.__GFP_IO:
        return rc, None
    if m.trace is not None:
        m.trace.compaction.try_to_compact_pages(order, gfp, prio)
    for zone in ac.zonelist:
        if prio > MIN_COMPACT_PRIORITY and compact_suitable.compaction_deferred(m, zone, order):
            rc = max(rc, COMPACT_DEFERRED)
            continue
        status, captured = compact_zone_order(m, zone, order, gfp, prio, alloc_flags, ac)
        rc = max(rc, status)
        if status == COMPACT_SUCCESS:
            compact_suitable.compaction_defer_reset(m, zone, order, alloc_success=False)
            break
        if prio != COMPACT_PRIO_ASYNC and status in (COMPACT_COMPLETE, COMPACT_PARTIAL_SKIPPED):
            compact_suitable.defer_compaction(m, zone, order)
    return rc, captured


def compact_zone_order(
    m: Kernel, zone: Zone, order: int, gfp: int, prio: int, alloc_flags: int, ac: AllocContext
) -> tuple[int, int | None]:
    """Compact a zone on behalf of a request. Kernel: compact_zone_order

    A block of the order that is freed meanwhile is captured: on the free list others might take it.
    """
    cc = CompactControl(zone, order, MIGRATE_ASYNC if prio == COMPACT_PRIO_ASYNC else MIGRATE_SYNC_LIGHT, gfp)
    cc.migratetype = ac.migratetype
    cc.alloc_flags = alloc_flags
    cc.highest_zoneidx = ac.highest_zoneidx
    cc.direct_compaction = True
    cc.whole_zone = cc.ignore_skip_hint = cc.ignore_block_suitable = prio == MIN_COMPACT_PRIORITY
    m.capture_control = CaptureControl(zone, order)
    ret = compact_zone(m, cc)
    captured = m.capture_control.page
    m.capture_control = None
    if captured is None:
        return ret, None
    if m.trace is not None:
        m.trace.compaction.captured(zone, captured, order)
    return COMPACT_SUCCESS, captured


# -- all of memory, and in the background ----------------------------------------------------------


def compact_nodes(m: Kernel) -> None:
    """Compact every zone of every node from end to end, as /proc/sys/vm/compact_memory asks for.

    Kernel: sysctl_compaction_handler, compact_nodes
    """
    swap.lru_add_drain(m)
    for node in m.nodes:
        for zone in zones_of(m, node):
            cc = CompactControl(zone, WHOLE, MIGRATE_SYNC, gfp_masks.GFP_KERNEL)
            cc.whole_zone = cc.ignore_skip_hint = True
            compact_zone(m, cc)


def zones_of(m: Kernel, node: Node) -> list[Zone]:
    """A node's zones from the lowest up."""
    return sorted((zone for zone in m.zones if zone.nid == node.nid), key=lambda zone: zone.zid)


def wakeup_kcompactd(m: Kernel, node: Node, order: int, highest_zoneidx: int) -> None:
    """Have the node's kcompactd make a block of an order, if that makes sense. Kernel: wakeup_kcompactd

    kswapd does so when it falls asleep. The order stays wanted though nobody is woken.
    """
    if not order:
        return
    node.kcompactd_max_order = max(node.kcompactd_max_order, order)
    node.kcompactd_highest_zoneidx = min(node.kcompactd_highest_zoneidx, highest_zoneidx)
    if node.kcompactd_woken or not kcompactd_node_suitable(m, node):
        return
    node.kcompactd_woken = m.vm.threads_woken = True
    if m.trace is not None:
        m.trace.compaction.wakeup_kcompactd(node.nid, order, highest_zoneidx)


def kcompactd_node_suitable(m: Kernel, node: Node) -> bool:
    """Whether any zone is worth it. Kernel: kcompactd_node_suitable"""
    order, highest = node.kcompactd_max_order, node.kcompactd_highest_zoneidx
    return any(
        compact_suitable.compaction_suitable(m, zone, order, 0, highest) == COMPACT_CONTINUE
        for zone in zones_of(m, node)
        if zone.zid <= highest
    )


@traced
def kcompactd_do_work(m: Kernel, node: Node) -> None:
    """What kcompactd does when it was woken: it runs at the end of the call that did so.

    Kernel: kcompactd_do_work
    """
    node.kcompactd_woken = False
    order, highest = node.kcompactd_max_order, node.kcompactd_highest_zoneidx
    if m.trace is not None:
        m.trace.compaction.kcompactd_wake(node.nid, order, highest)
    count_vm_events(m, "compact_daemon_wake")
    search_order = order
    for zone in zones_of(m, node):
        if zone.zid > highest or compact_suitable.compaction_deferred(m, zone, order):
            continue
        if compact_suitable.compaction_suitable(m, zone, order, 0, zone.zid) != COMPACT_CONTINUE:
            continue
        cc = CompactControl(zone, order, MIGRATE_SYNC_LIGHT, gfp_masks.GFP_KERNEL)
        cc.highest_zoneidx = highest
        cc.search_order = search_order
        kcompactd_zone(m, cc)
        search_order = cc.search_order
    if node.kcompactd_max_order <= order:
        node.kcompactd_max_order = 0
    if node.kcompactd_highest_zoneidx >= highest:
        node.kcompactd_highest_zoneidx = zones_of(m, node)[-1].zid


def kcompactd_zone(m: Kernel, cc: CompactControl) -> None:
    """Compact one zone in the background. Kernel: kcompactd_do_work"""
    status = compact_zone(m, cc)
    if status == COMPACT_SUCCESS:
        compact_suitable.compaction_defer_reset(m, cc.zone, cc.order, alloc_success=False)
    elif status in (COMPACT_PARTIAL_SKIPPED, COMPACT_COMPLETE):
        pcp.drain_all_pages(m, cc.zone)
        compact_suitable.defer_compaction(m, cc.zone, cc.order)
    count_vm_events(m, "compact_daemon_migrate_scanned", cc.total_migrate_scanned)
    count_vm_events(m, "compact_daemon_free_scanned", cc.total_free_scanned)
