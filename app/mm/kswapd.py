"""Waking kswapd, and when it has done enough.

Kernel: mm/vmscan.c wakeup_kswapd, pgdat_balanced. Each node has a kernel thread that reclaims in the
background, from the moment an allocation finds every zone below its low mark until one zone is above its high
mark. So most allocations never have to reclaim themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import compaction
from app.mm import gfp as gfp_masks
from app.mm.freelist import zone_watermark_ok
from app.mm.mmzone import WMARK_HIGH, Zone

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# After so many runs without a page kswapd stays asleep, until a direct reclaim finds something.
MAX_RECLAIM_RETRIES: Final = 16


def zones_up_to(m: Kernel, nid: int, highest_zoneidx: int) -> list[Zone]:
    """The zones of a node up to an index that have pages, from the lowest. Kernel: node_zones"""
    zones = [zone for zone in m.zones if zone.nid == nid and zone.zid <= highest_zoneidx]
    return sorted((zone for zone in zones if zone.managed_pages), key=lambda zone: zone.zid)


def pgdat_balanced(m: Kernel, nid: int, order: int, highest_zoneidx: int) -> bool:
    """Whether one zone at least is above its high mark, with a block of the order. Kernel: pgdat_balanced"""
    zones = zones_up_to(m, nid, highest_zoneidx)
    return not zones or any(
        zone_watermark_ok(
            zone, order, zone.wmark_pages(WMARK_HIGH), highest_zoneidx, 0, free_pages_safe(zone)
        )
        for zone in zones
    )


def free_pages_safe(zone: Zone) -> int:
    """The free pages of a zone for a careful comparison. Kernel: zone_watermark_ok_safe

    Where the CPUs' differences together could hide that a mark is crossed, they are added up.
    """
    free = zone.vm_stat_free
    if zone.percpu_drift_mark and free < zone.percpu_drift_mark:
        return max(zone.nr_free_pages, 0)
    return free


def pgdat_watermark_boosted(m: Kernel, nid: int, highest_zoneidx: int) -> bool:
    """Whether fragmentation has raised the marks of a zone for a while. Kernel: pgdat_watermark_boosted"""
    return any(zone.boost for zone in zones_up_to(m, nid, highest_zoneidx))


def wakeup_kswapd(m: Kernel, zone: Zone, gfp: int, order: int, highest_zoneidx: int) -> None:
    """Tell a node's kswapd what is wanted, and wake it if the node is short. Kernel: wakeup_kswapd

    What is wanted is remembered also when it is not woken: the next time it is, for whatever, it works for
    the largest order that was asked for meanwhile.
    """
    node = m.nodes[zone.nid]
    if not m.vm.reclaim:
        node.kswapd_woken = True
        if m.trace is not None:
            m.trace.vmscan.wakeup_kswapd(zone)
        return
    if node.kswapd_highest_zoneidx is None or node.kswapd_highest_zoneidx < highest_zoneidx:
        node.kswapd_highest_zoneidx = highest_zoneidx
    node.kswapd_order = max(node.kswapd_order, order)
    if node.kswapd_woken:
        return
    balanced = pgdat_balanced(m, zone.nid, order, highest_zoneidx)
    hopeless = node.kswapd_failures >= MAX_RECLAIM_RETRIES
    if hopeless or (balanced and not pgdat_watermark_boosted(m, zone.nid, highest_zoneidx)):
        if m.trace is not None:
            m.trace.vmscan.kswapd_not_woken(zone, hopeless=hopeless)
        if not gfp & gfp_masks.__GFP_DIRECT_RECLAIM:
            compaction.wakeup_kcompactd(m, node, order, highest_zoneidx)
        return
    node.kswapd_woken = True
    m.vm.threads_woken = True
    if m.trace is not None:
        m.trace.vmscan.wakeup_kswapd(zone, order, highest_zoneidx, gfp)
