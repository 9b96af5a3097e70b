"""What stays the same while a zone is compacted, and how that can end.

Kernel: mm/internal.h struct compact_control, include/linux/compaction.h, include/linux/migrate_mode.h
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from app.mm.mmzone import PAGEBLOCK_NR_PAGES

if TYPE_CHECKING:
    from app.mm.mmzone import Zone

# How many pages are isolated at a time. Kernel: COMPACT_CLUSTER_MAX
COMPACT_CLUSTER_MAX: Final = 32

# The way in which pages are moved. Kernel: enum migrate_mode
MIGRATE_ASYNC: Final = 0
MIGRATE_SYNC_LIGHT: Final = 1
MIGRATE_SYNC: Final = 2

# How hard a caller tries, the hardest first. Kernel: enum compact_priority
COMPACT_PRIO_SYNC_FULL: Final = 0
COMPACT_PRIO_SYNC_LIGHT: Final = 1
COMPACT_PRIO_ASYNC: Final = 2
MIN_COMPACT_PRIORITY: Final = COMPACT_PRIO_SYNC_FULL

# Kernel: enum compact_result
COMPACT_NOT_SUITABLE_ZONE: Final = 0
COMPACT_SKIPPED: Final = 1
COMPACT_DEFERRED: Final = 2
COMPACT_NO_SUITABLE_PAGE: Final = 3
COMPACT_CONTINUE: Final = 4
COMPACT_COMPLETE: Final = 5
COMPACT_PARTIAL_SKIPPED: Final = 6
COMPACT_CONTENDED: Final = 7
COMPACT_SUCCESS: Final = 8

# The order that stands for "all of it", as writing to compact_memory asks for.
WHOLE: Final = -1


class CaptureControl:
    """The block that a direct compactor takes as soon as it comes to be. Kernel: struct capture_control

    Left on the free list, somebody else might take it before the one who did the work. page: its first frame.
    """

    __slots__ = ("order", "page", "zone")

    def __init__(self, zone: Zone, order: int) -> None:
        self.zone = zone
        self.order = order
        self.page: int | None = None


class CompactControl:
    """One run of compaction in a zone. Kernel: struct compact_control

    order: the block that is wanted, −1 for as much as can be. migrate_pfn, free_pfn: where the two scanners
    stand. migratepages: pages taken off their lists, in the order of moving; nr_migratepages: how many were
    taken together. freepages: frames for them, in
    the order of use; nr_freepages counts also those of blocks that are not yet split. rescan: the pageblock
    is visited again, and all the rest of it is taken. whole_zone: the scanners began at the zone's ends.
    """

    __slots__ = (
        "alloc_flags", "direct_compaction", "fast_search_fail", "fast_start_pfn", "free_pfn", "freepages",
        "gfp_mask", "highest_zoneidx", "ignore_block_suitable", "ignore_skip_hint", "isolated",
        "migrate_pfn", "migratepages", "migratetype", "mode", "nr_freepages", "nr_migratepages", "order",
        "rescan", "search_order", "total_free_scanned", "total_migrate_scanned", "whole_zone", "zone",
    )  # fmt: skip

    def __init__(self, zone: Zone, order: int, mode: int, gfp_mask: int) -> None:
        self.zone = zone
        self.order = self.search_order = order
        self.mode = mode
        self.gfp_mask = gfp_mask
        self.migratetype = 0
        self.alloc_flags = 0
        self.highest_zoneidx = 0
        self.direct_compaction = False
        self.whole_zone = False
        self.ignore_skip_hint = False
        self.ignore_block_suitable = False
        self.rescan = False
        self.migrate_pfn = 0
        self.free_pfn = 0
        # The lowest pageblock that the search of the free lists found; None when it is not to be used again.
        self.fast_start_pfn: int | None = 0
        self.fast_search_fail = 0
        self.migratepages: deque[int] = deque()
        self.freepages: deque[int] = deque()
        self.isolated: list[tuple[int, int]] = []
        self.nr_migratepages = 0
        self.nr_freepages = 0
        self.total_migrate_scanned = 0
        self.total_free_scanned = 0

    @property
    def sync(self) -> bool:
        """Whether it may wait."""
        return self.mode != MIGRATE_ASYNC


def pageblock_start_pfn(pfn: int) -> int:
    """Kernel: pageblock_start_pfn"""
    return pfn & -PAGEBLOCK_NR_PAGES


def pageblock_end_pfn(pfn: int) -> int:
    """Kernel: pageblock_end_pfn"""
    return (pfn & -PAGEBLOCK_NR_PAGES) + PAGEBLOCK_NR_PAGES


def block_start_pfn(pfn: int, order: int) -> int:
    """Kernel: block_start_pfn"""
    return pfn & -(1 << order)


def block_end_pfn(pfn: int, order: int) -> int:
    """Kernel: block_end_pfn"""
    return (pfn & -(1 << order)) + (1 << order)


def freelist_scan_limit(cc: CompactControl) -> int:
    """How many blocks of the free lists to look at: fewer after each failure

    Kernel: mm/compaction.c freelist_scan_limit
    """
    return (COMPACT_CLUSTER_MAX >> min(63, cc.fast_search_fail)) + 1
