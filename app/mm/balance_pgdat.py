"""kswapd at work: reclaim in the background, until a zone is above its high mark.

Kernel: mm/vmscan.c kswapd, balance_pgdat. On a real machine it runs beside everybody else. Here nothing runs
by itself: whoever was woken runs at the end of the call that woke it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import compact_skip, compaction, kswapd
from app.mm import gfp as gfp_masks
from app.mm.compact_suitable import compact_gap
from app.mm.lruvec import LRU_ACTIVE_ANON, LRU_INACTIVE_ANON
from app.mm.mmzone import PAGEBLOCK_ORDER, WMARK_HIGH, ZONE_RECLAIM_ACTIVE
from app.mm.scan_control import DEF_PRIORITY, SWAP_CLUSTER_MAX, ScanControl
from app.mm.scan_count import inactive_is_low
from app.mm.shrink_list import shrink_active_list
from app.mm.tracepoints import traced
from app.mm.vmscan import shrink_node, snapshot_refaults

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def run_kswapd(m: Kernel, nid: int) -> list[ScanControl]:
    """Let a woken kswapd run until it sleeps again; returns its runs. Kernel: kswapd, kswapd_try_to_sleep"""
    node = m.nodes[nid]
    runs = []
    highest = 0 if node.kswapd_highest_zoneidx is None else node.kswapd_highest_zoneidx
    while True:
        wanted_order = node.kswapd_order
        highest = highest if node.kswapd_highest_zoneidx is None else node.kswapd_highest_zoneidx
        node.kswapd_order, node.kswapd_highest_zoneidx = 0, None
        if m.trace is not None:
            m.trace.vmscan.kswapd_wakes(nid, wanted_order, highest)
        sc = balance_pgdat(m, nid, wanted_order, highest)
        runs.append(sc)
        order = sc.order
        if order >= wanted_order:
            wanted_order = order = node.kswapd_order
        if prepare_kswapd_sleep(m, nid, order, highest):
            break
        m.vm.count("kswapd_high_wmark_hit_quickly")
    compact_skip.reset_isolation_suitable(m, node)
    compaction.wakeup_kcompactd(m, node, wanted_order, highest)
    node.kswapd_woken = False
    if m.trace is not None:
        m.trace.vmscan.kswapd_sleeps(nid)
    return runs


def prepare_kswapd_sleep(m: Kernel, nid: int, order: int, highest_zoneidx: int) -> bool:
    """Whether kswapd may sleep: the node is balanced, or nothing helps. Kernel: prepare_kswapd_sleep"""
    node = m.nodes[nid]
    if node.kswapd_failures >= kswapd.MAX_RECLAIM_RETRIES:
        return True
    if not kswapd.pgdat_balanced(m, nid, order, highest_zoneidx):
        return False
    node.many_dirty = node.many_under_writeback = False
    return True


@traced
def balance_pgdat(m: Kernel, nid: int, order: int, highest_zoneidx: int) -> ScanControl:
    """Reclaim until one zone is above its high mark, from priority 12 to 1. Kernel: balance_pgdat

    Boosted marks come first: as many pages as the boost are taken without writing anything, so that there is
    room in which pages can be kept apart by type; if the node is short besides, that is done instead.
    """
    m.vm.count("pageoutrun")
    zones = kswapd.zones_up_to(m, nid, highest_zoneidx)
    boosts = [(zone, zone.boost) for zone in zones if zone.boost]
    boost_left = sum(boost for _, boost in boosts)
    sc = ScanControl(gfp_masks.GFP_KERNEL, order, highest_zoneidx, (), kswapd=True)
    for zone in zones:
        zone.flags |= ZONE_RECLAIM_ACTIVE
    done = False
    while sc.priority >= 1:
        balanced = kswapd.pgdat_balanced(m, nid, sc.order, highest_zoneidx)
        if m.trace is not None:
            m.trace.vmscan.balance(nid, sc, zones, boost_left, balanced=balanced)
        if not balanced and boost_left:
            boost_left, sc.priority = 0, DEF_PRIORITY
            continue
        done = balanced and not boost_left
        if done:
            break
        gained, raise_priority = one_pass(m, nid, sc, boosted=boost_left > 0)
        boost_left -= min(boost_left, gained)
        if boost_left and not gained:
            break
        if raise_priority or not gained:
            sc.priority -= 1
    if not done and not sc.nr_reclaimed:
        m.nodes[nid].kswapd_failures += 1
    for zone in zones:
        zone.flags &= ~ZONE_RECLAIM_ACTIVE
    for zone, boost in boosts:
        zone.boost -= min(zone.boost, boost)
    if boosts:
        compaction.wakeup_kcompactd(m, m.nodes[nid], PAGEBLOCK_ORDER, highest_zoneidx)
    snapshot_refaults(m, nid)
    return sc


def one_pass(m: Kernel, nid: int, sc: ScanControl, *, boosted: bool) -> tuple[int, bool]:
    """Scan the node once: pages reclaimed, and whether the next pass should look at more

    Kernel: balance_pgdat, kswapd_age_node, kswapd_shrink_node
    """
    before = sc.nr_reclaimed
    sc.may_writepage = sc.may_swap = not boosted
    lruvec = m.vm.lruvec_of_node(nid)
    if m.vm.total_swap_pages > 0 and inactive_is_low(lruvec, LRU_INACTIVE_ANON):
        shrink_active_list(m, nid, lruvec, LRU_ACTIVE_ANON, SWAP_CLUSTER_MAX, sc)
    if sc.priority < DEF_PRIORITY - 2:
        sc.may_writepage = True
    sc.nr_scanned = 0
    zones = kswapd.zones_up_to(m, nid, sc.reclaim_idx)
    sc.nr_to_reclaim = sum(max(zone.wmark_pages(WMARK_HIGH), SWAP_CLUSTER_MAX) for zone in zones)
    shrink_node(m, nid, sc)
    if sc.order and sc.nr_reclaimed >= compact_gap(sc.order):
        sc.order = 0
    enough = sc.nr_scanned >= sc.nr_to_reclaim or (boosted and sc.priority == DEF_PRIORITY - 2)
    return sc.nr_reclaimed - before, not enough
