"""Watermarks, reserves and per-CPU limits: what is computed from the sizes of the zones and a few settings.

Kernel: mm/page_alloc.c, mm/vmstat.c, mm/khugepaged.c. None of it is state of its own: writing a setting
computes it anew from the frames that a zone manages at that moment. The functions stand in the order in
which the kernel calls them.
"""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Final

from app.mm.memory_model import PAGE_SHIFT
from app.mm.mmzone import (
    MIGRATE_PCPTYPES,
    PAGEBLOCK_NR_PAGES,
    WMARK_HIGH,
    WMARK_LOW,
    WMARK_MIN,
    Zone,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

MIN_FREE_KBYTES: Final = (128, 262144)
HIGHMEM_MIN_PAGES: Final = (32, 128)
MAX_STAT_THRESHOLD: Final = 125
# What a CPU's lists are limited to before the kernel has sized them. Kernel: BOOT_PAGESET_HIGH,
# BOOT_PAGESET_BATCH
BOOT_PAGESET: Final = (0, 1)
HUGEPAGE_MIN_PAGES: Final = 512 << (20 - PAGE_SHIFT)
KB_SHIFT: Final = PAGE_SHIFT - 10


def init_per_zone_wmark_min(m: Kernel, *, hugepages: bool = False) -> None:
    """Size everything for the first time, from the memory at hand in mid-boot.

    hugepages: whether transparent huge pages are asked for; below 512 MiB the kernel does not set them up.
    Kernel: init_per_zone_wmark_min, then huge_memory.c hugepage_init
    """
    m.min_free_kbytes = calculate_min_free_kbytes(m)
    setup_per_zone_wmarks(m)
    refresh_zone_stat_thresholds(m)
    setup_per_zone_lowmem_reserve(m)
    if sum(zone.managed_pages for zone in m.zones) >= HUGEPAGE_MIN_PAGES:
        set_recommended_min_free_kbytes(m, hugepages=hugepages)


def is_highmem(m: Kernel, zone: Zone) -> bool:
    """Whether the kernel has no lasting address for the zone's frames. Kernel: is_highmem"""
    return zone.start_pfn >= m.model.max_low_pfn


# -- watermarks ----------------------------------------------------------------------------------------------


def nr_free_buffer_pages(m: Kernel) -> int:
    """Frames above the high marks of all zones that GFP_USER may use. Kernel: nr_free_buffer_pages"""
    highest = m.zone_index["Normal"]
    sizes = (
        zone.managed_pages - zone.wmark_pages(WMARK_HIGH)
        for zone in m.nodes[0].zonelist
        if zone.zid <= highest
    )
    return sum(size for size in sizes if size > 0)


def calculate_min_free_kbytes(m: Kernel) -> int:
    """What the kernel keeps free for those who cannot wait, in kilobytes. Kernel: calculate_min_free_kbytes

    It grows with the square root of memory: a machine of four times the size does not have four times the
    interrupts at once, so a share would be too little on a small machine and a waste on a large one.
    """
    lowmem_kbytes = nr_free_buffer_pages(m) << KB_SHIFT
    return max(MIN_FREE_KBYTES[0], min(isqrt(lowmem_kbytes * 16), MIN_FREE_KBYTES[1]))


def setup_per_zone_wmarks(m: Kernel) -> None:
    """Divide `min_free_kbytes` among the zones and set the marks above it. Kernel: setup_per_zone_wmarks

    A boost that earlier steals have left is forgotten, and the per-CPU limits follow the low mark.
    """
    pages_min = m.min_free_kbytes >> KB_SHIFT
    # A dump may describe a machine without any low memory; the kernel would not have come so far.
    lowmem_pages = sum(zone.managed_pages for zone in m.zones if not is_highmem(m, zone)) or 1
    for zone in m.zones:
        share = pages_min * zone.managed_pages // lowmem_pages
        low_pages = share
        if is_highmem(m, zone):
            # Who may dip below min needs memory with an address, so little of the rest is kept.
            low_pages = max(HIGHMEM_MIN_PAGES[0], min(zone.managed_pages // 1024, HIGHMEM_MIN_PAGES[1]))
        distance = max(share >> 2, zone.managed_pages * m.watermark_scale_factor // 10000)
        zone.watermark = [low_pages + distance * mark for mark in range(4)]
        zone.boost = 0
    for zone in m.zones:
        zone_set_pageset_high_and_batch(m, zone)


def set_recommended_min_free_kbytes(m: Kernel, *, hugepages: bool) -> None:
    """Size the reserve again when huge pages are set up. Kernel: khugepaged.c set_recommended_min_free_kbytes

    hugepages: whether transparent huge pages are on. Without them this only repeats the calculation, now
    with high marks to subtract. With them, so many pageblocks are kept free that a request seldom has to
    take one from another migratetype.
    """
    m.min_free_kbytes = calculate_min_free_kbytes(m)
    if hugepages:
        nr_zones = sum(1 for zone in m.zones if zone.zid <= m.zone_index["Normal"])
        recommended = PAGEBLOCK_NR_PAGES * nr_zones * (2 + MIGRATE_PCPTYPES * MIGRATE_PCPTYPES)
        recommended = min(recommended, nr_free_buffer_pages(m) // 20)
        m.min_free_kbytes = max(m.min_free_kbytes, recommended << KB_SHIFT)
    setup_per_zone_wmarks(m)


# -- reserves ------------------------------------------------------------------------------------------------


def setup_per_zone_lowmem_reserve(m: Kernel) -> None:
    """What each zone keeps from requests that could use a higher zone. Kernel: setup_per_zone_lowmem_reserve

    `lowmem_reserve[j]` holds for a request whose highest zone is j. It grows with the memory in between:
    the more of it there is, the sooner callers without a need for DMA memory would fill the DMA zone with
    pages that never move.
    """
    nr_zones = len(m.lowmem_reserve_ratio)
    managed = {(zone.nid, zone.zid): zone.managed_pages for zone in m.zones}
    for zone in m.zones:
        zone.lowmem_reserve = [0] * nr_zones
        ratio = m.lowmem_reserve_ratio[zone.zid]
        if not ratio or not zone.managed_pages or zone.zid == nr_zones - 1:
            continue
        above = 0
        for upper in range(zone.zid + 1, nr_zones):
            above += managed.get((zone.nid, upper), 0)
            zone.lowmem_reserve[upper] = above // ratio


def totalreserve_pages(m: Kernel, nid: int) -> int:
    """Frames of a node that user memory should not count on. Kernel: calculate_totalreserve_pages"""
    return sum(
        min(
            max(zone.lowmem_reserve[zone.zid :], default=0) + zone.wmark_pages(WMARK_HIGH), zone.managed_pages
        )
        for zone in m.zones
        if zone.nid == nid
    )


# -- per-CPU lists -------------------------------------------------------------------------------------------


def zone_batchsize(zone: Zone) -> int:
    """How many frames move between a CPU's lists and the buddy system at once. Kernel: zone_batchsize

    A thousandth of the zone, at most 1 MiB, a quarter of that, and one less than a power of two: batches of
    a power of two would bring two CPUs that work in turn always the same cache lines.
    """
    batch = max(min(zone.managed_pages >> 10, 256) // 4, 1)
    batch += batch // 2
    return (1 << (batch.bit_length() - 1)) - 1


def zone_highsize(m: Kernel, zone: Zone, batch: int) -> int:
    """How many frames a CPU's lists of the zone may hold. Kernel: zone_highsize

    All CPUs near the zone together may hold its low mark, so that full lists alone do not wake kswapd; or a
    fixed share of the zone where `percpu_pagelist_high_fraction` says so.
    """
    if m.percpu_pagelist_high_fraction:
        total_pages = zone.managed_pages // m.percpu_pagelist_high_fraction
    else:
        total_pages = zone.wmark_pages(WMARK_LOW)
    nr_split_cpus = m.cpu_node.count(zone.nid) or m.model.cpus
    return max(total_pages // nr_split_cpus, batch << 2)


def zone_set_pageset_high_and_batch(m: Kernel, zone: Zone) -> None:
    """Set the limits of every CPU's lists of a zone. Kernel: zone_set_pageset_high_and_batch

    Where the machine stays on its boot pagesets, every page goes straight through the lists to the buddy
    system.
    """
    high, batch = BOOT_PAGESET
    if not m.boot_pagesets:
        batch = max(1, zone_batchsize(zone))
        high = zone_highsize(m, zone, batch)
    for pcp in zone.pcp:
        pcp.high, pcp.batch = high, batch


# -- counters ------------------------------------------------------------------------------------------------


def calculate_normal_threshold(zone: Zone, online_cpus: int) -> int:
    """How far a CPU's difference to a counter may grow before it is folded.

    Kernel: calculate_normal_threshold
    """
    mem = zone.managed_pages >> (27 - PAGE_SHIFT)
    return min(MAX_STAT_THRESHOLD, 2 * online_cpus.bit_length() * (1 + mem.bit_length()))


def refresh_zone_stat_thresholds(m: Kernel) -> None:
    """Set the thresholds, and note zones whose marks the sum of all differences could hide.

    Kernel: refresh_zone_stat_thresholds
    """
    for zone in m.zones:
        zone.stat_threshold = calculate_normal_threshold(zone, m.model.cpus)
        max_drift = m.model.cpus * zone.stat_threshold
        if max_drift > zone.watermark[WMARK_LOW] - zone.watermark[WMARK_MIN]:
            zone.percpu_drift_mark = zone.watermark[WMARK_HIGH] + max_drift
    set_lruvec_thresholds(m)


def set_lruvec_thresholds(m: Kernel) -> None:
    """A node's counters have the largest threshold of its zones. Kernel: refresh_zone_stat_thresholds"""
    for zone in m.zones:
        lruvec = m.vm.lruvec_of_node(zone.nid)
        lruvec.stat_threshold = max(lruvec.stat_threshold, zone.stat_threshold)
