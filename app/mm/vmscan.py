"""Reclaim: finding pages that can be freed, when memory is short.

Kernel: mm/vmscan.c. Whoever needs a page and finds none reclaims himself (`try_to_free_pages`); kswapd does
the same in the background (app.mm.balance_pgdat). Both go over the nodes with a rising share of each list,
until enough is free: what is easy to get is taken first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import kswapd, shrinker, vmstat
from app.mm.compact_control import COMPACT_CONTINUE, COMPACT_SKIPPED, COMPACT_SUCCESS
from app.mm.compact_suitable import compact_gap, compaction_suitable
from app.mm.freelist import zone_watermark_ok
from app.mm.lruvec import (
    LRU_ACTIVE_ANON,
    LRU_ACTIVE_FILE,
    LRU_INACTIVE_ANON,
    LRU_INACTIVE_FILE,
    WORKINGSET_ACTIVATE,
    Lruvec,
)
from app.mm.mmzone import PAGE_ALLOC_COSTLY_ORDER, WMARK_HIGH, Zone
from app.mm.scan_control import DEF_PRIORITY, SWAP_CLUSTER_MAX, NodeStat, ScanControl
from app.mm.scan_count import can_reclaim_anon_pages, get_scan_count, inactive_is_low, prepare_scan_count
from app.mm.shrink_list import shrink_active_list, shrink_list
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.internal import AllocContext
    from app.mm.kernel import Kernel


# -- one node --------------------------------------------------------------------------------------


@traced
def shrink_lruvec(m: Kernel, nid: int, lruvec: Lruvec, sc: ScanControl) -> None:
    """Scan the lists of a node, 32 pages of each in turn. Kernel: shrink_lruvec

    Once enough is reclaimed, the kind that has less left to scan is left alone, and the other is scanned no
    further than the same share of what it was to be: both kinds shall bear the same.
    """
    left = get_scan_count(m, nid, lruvec, sc)
    targets = list(left)
    # A direct reclaim says that kswapd does not keep up: then a whole batch of work is done at once.
    whole = not sc.kswapd and sc.priority == DEF_PRIORITY
    reclaimed = 0
    while left[LRU_INACTIVE_ANON] or left[LRU_ACTIVE_FILE] or left[LRU_INACTIVE_FILE]:
        for lru in range(4):
            if left[lru]:
                nr = min(left[lru], SWAP_CLUSTER_MAX)
                left[lru] -= nr
                reclaimed += shrink_list(m, nid, lruvec, lru, nr, sc)
        m.breathe()
        if reclaimed < sc.nr_to_reclaim or whole:
            continue
        if not balance_what_is_left(left, targets):
            break
    sc.nr_reclaimed += reclaimed
    if m.vm.total_swap_pages > 0 and inactive_is_low(lruvec, LRU_INACTIVE_ANON):
        shrink_active_list(m, nid, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX, sc)


def balance_what_is_left(left: list[int], targets: list[int]) -> bool:
    """Drop the kind with less left, and cut the other's targets to the same share; False to stop

    Kernel: shrink_lruvec
    """
    anon = left[LRU_INACTIVE_ANON] + left[LRU_ACTIVE_ANON]
    file = left[LRU_INACTIVE_FILE] + left[LRU_ACTIVE_FILE]
    if not file or not anon:
        return False
    small, large = (
        (LRU_INACTIVE_ANON, LRU_INACTIVE_FILE)
        if file > anon
        else (
            LRU_INACTIVE_FILE,
            LRU_INACTIVE_ANON,
        )
    )
    percentage = min(anon, file) * 100 // (targets[small] + targets[small + 1] + 1)
    left[small] = left[small + 1] = 0
    for lru in (large, large + 1):
        scanned = targets[lru] - left[lru]
        left[lru] = max(targets[lru] * (100 - percentage) // 100 - scanned, 0)
    return True


@traced
def shrink_node(m: Kernel, nid: int, sc: ScanControl) -> None:
    """Scan a node once at the present priority. Kernel: shrink_node, shrink_node_memcgs"""
    node, lruvec = m.nodes[nid], m.vm.lruvec_of_node(nid)
    reclaimable = False
    while True:
        sc.nr = NodeStat()
        before = sc.nr_reclaimed
        prepare_scan_count(m, nid, lruvec, sc)
        shrink_lruvec(m, nid, lruvec, sc)
        sc.nr_reclaimed += shrinker.shrink_node_slab(m, nid, sc.priority)
        gained = sc.nr_reclaimed - before
        reclaimable |= gained > 0
        if sc.kswapd:
            if sc.nr.writeback and sc.nr.writeback == sc.nr.taken:
                node.many_under_writeback = True
            if sc.nr.unqueued_dirty == sc.nr.file_taken:
                node.many_dirty = True
        if not should_continue_reclaim(m, nid, lruvec, gained, sc):
            break
    if reclaimable:
        node.kswapd_failures = 0


def should_continue_reclaim(m: Kernel, nid: int, lruvec: Lruvec, gained: int, sc: ScanControl) -> bool:
    """Whether a request of a high order needs more free pages, for compaction to work with

    Kernel: should_continue_reclaim, in_reclaim_compaction
    """
    high = sc.order > PAGE_ALLOC_COSTLY_ORDER or sc.priority < DEF_PRIORITY - 2
    if not sc.order or not high or not gained:
        return False
    zones = kswapd.zones_up_to(m, nid, sc.reclaim_idx)
    if any(compaction_suitable(m, zone, sc.order, 0, sc.reclaim_idx) != COMPACT_SKIPPED for zone in zones):
        return False
    inactive = lruvec.folded[LRU_INACTIVE_FILE]
    if can_reclaim_anon_pages(m):
        inactive += lruvec.folded[LRU_INACTIVE_ANON]
    return inactive > compact_gap(sc.order)


# -- direct reclaim --------------------------------------------------------------------------------


@traced
def try_to_free_pages(m: Kernel, order: int, gfp: int, ac: AllocContext) -> int:
    """Reclaim pages for a request that cannot be served; returns how many. Kernel: try_to_free_pages

    order, gfp: of the request. ac: the zones from which it may be served. 32 pages are enough, though a run
    usually finds more. 1 without any means that compaction should be tried first.
    """
    sc = ScanControl(gfp, order, ac.highest_zoneidx, ac.zonelist)
    if m.trace is not None:
        m.trace.vmscan.direct_begins(order, gfp)
    reclaimed = do_try_to_free_pages(m, sc)
    if m.trace is not None:
        m.trace.vmscan.direct_ends(reclaimed)
    m.current.reclaims.append(sc)
    m.current.eventful = True
    return reclaimed


def do_try_to_free_pages(m: Kernel, sc: ScanControl) -> int:
    """From priority 12 to 0, until enough is reclaimed. Kernel: do_try_to_free_pages

    If nothing was found, and active pages were left alone, once more without sparing those.
    """
    while True:
        vmstat.count_zid_vm_event(m, "allocstall", sc.reclaim_idx)
        sc.priority = DEF_PRIORITY
        while sc.priority >= 0:
            sc.nr_scanned = 0
            shrink_zones(m, sc)
            if sc.nr_reclaimed >= sc.nr_to_reclaim or sc.compaction_ready:
                break
            sc.priority -= 1
        for nid in dict.fromkeys(zone.nid for zone in sc.zonelist):
            snapshot_refaults(m, nid)
        if sc.nr_reclaimed:
            return sc.nr_reclaimed
        if sc.compaction_ready:
            return 1
        if not sc.skipped_deactivate:
            return 0
        sc.force_deactivate, sc.skipped_deactivate = True, False


def shrink_zones(m: Kernel, sc: ScanControl) -> None:
    """Scan each node of the request's zones once. Kernel: shrink_zones

    For a costly order a zone with much free memory is left to compaction.
    """
    last_nid = None
    for zone in sc.zonelist:
        if sc.order > PAGE_ALLOC_COSTLY_ORDER and compaction_ready(m, zone, sc):
            sc.compaction_ready = True
            continue
        if zone.nid != last_nid:
            last_nid = zone.nid
            shrink_node(m, zone.nid, sc)


def compaction_ready(m: Kernel, zone: Zone, sc: ScanControl) -> bool:
    """Whether a zone has enough free pages to make a block of the order. Kernel: compaction_ready"""
    suitable = compaction_suitable(m, zone, sc.order, 0, sc.reclaim_idx)
    if suitable != COMPACT_CONTINUE:
        return suitable == COMPACT_SUCCESS
    mark = zone.wmark_pages(WMARK_HIGH) + compact_gap(sc.order)
    return zone_watermark_ok(zone, 0, mark, sc.reclaim_idx, 0, kswapd.free_pages_safe(zone))


def snapshot_refaults(m: Kernel, nid: int) -> None:
    """Remember how many refaults have activated; new ones will say that the set in use changes

    Kernel: snapshot_refaults
    """
    lruvec = m.vm.lruvec_of_node(nid)
    lruvec.refaults = lruvec.folded[WORKINGSET_ACTIVATE : WORKINGSET_ACTIVATE + 2]


def zone_reclaimable_pages(m: Kernel, zone: Zone) -> int:
    """Pages of a zone that reclaim might free, exactly. Kernel: zone_reclaimable_pages

    Where there are none, this kernel takes the free pages instead, so that a zone full of them is not passed
    over.
    """
    kinds = [LRU_INACTIVE_FILE, LRU_ACTIVE_FILE]
    if can_reclaim_anon_pages(m):
        kinds += [LRU_INACTIVE_ANON, LRU_ACTIVE_ANON]
    pages = sum(zone.lru_folded[lru] + sum(diff[lru] for diff in zone.lru_diffs) for lru in kinds)
    return pages or max(zone.nr_free_pages, 0)
