"""Zones, their free areas and their per-CPU page lists.

Kernel: include/linux/mmzone.h. A zone is a stretch of page frames with common abilities; it owns the frames
that nobody uses, sorted twice: by block size (order) and by whether the neighbours of a block can be moved
away (migratetype).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final

MAX_ORDER: Final = 11
PAGEBLOCK_ORDER: Final = 9
PAGEBLOCK_NR_PAGES: Final = 1 << PAGEBLOCK_ORDER
MAX_ORDER_NR_PAGES: Final = 1 << (MAX_ORDER - 1)
PAGE_ALLOC_COSTLY_ORDER: Final = 3

MIGRATE_UNMOVABLE: Final = 0
MIGRATE_MOVABLE: Final = 1
MIGRATE_RECLAIMABLE: Final = 2
MIGRATE_PCPTYPES: Final = 3
MIGRATE_HIGHATOMIC: Final = 3
MIGRATE_ISOLATE: Final = 4
MIGRATE_TYPES: Final = 5
MIGRATE_LETTERS: Final = "UMEHI"
MIGRATE_NAMES: Final = ("Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate")

WMARK_MIN: Final = 0
WMARK_LOW: Final = 1
WMARK_HIGH: Final = 2
WMARK_PROMO: Final = 3

NR_LOWORDER_PCP_LISTS: Final = MIGRATE_PCPTYPES * (PAGE_ALLOC_COSTLY_ORDER + 1)
NR_PCP_LISTS: Final = NR_LOWORDER_PCP_LISTS + 2
PCP_BATCH_SCALE_MAX: Final = 5

ZONE_BOOSTED_WATERMARK: Final = 1 << 0
ZONE_RECLAIM_ACTIVE: Final = 1 << 1

# How many untouched blocks are entered into a free list at a time.
UNTOUCHED_CHUNK: Final = 32

# A free list. The last end is the list head, so that taking from and adding to the head are the cheap
# operations; the keys are the pfns of the blocks. (A plain dict popped from the front would search its
# deleted slots again and again.)
FreeList = OrderedDict[int, None]


class FreeArea:
    """The free blocks of one order. Kernel: struct free_area"""

    __slots__ = ("free_list", "nr_free")

    def __init__(self) -> None:
        self.free_list: list[FreeList] = [OrderedDict() for _ in range(MIGRATE_TYPES)]
        self.nr_free = 0


class PerCpuPages:
    """One CPU's small stock of free pages of a zone. Kernel: struct per_cpu_pages

    The kernel keeps it so that most allocations and frees touch neither the zone's lock nor cache lines that
    other CPUs write. `lists[3 * order + migratetype]` for orders 0 to 3, then two for huge pages; the left
    end is the head.
    """

    __slots__ = ("batch", "count", "free_factor", "high", "lists")

    def __init__(self, high: int, batch: int) -> None:
        self.count = 0
        self.high = high
        self.batch = batch
        self.free_factor = 0
        self.lists: tuple[deque[int], ...] = tuple(deque() for _ in range(NR_PCP_LISTS))


class ZoneCompaction:
    """What compaction remembers of a zone. Kernel: struct zone compact_cached_migrate_pfn and what follows it

    cached_migrate_pfn: where an asynchronous and a synchronous run go on; cached_free_pfn: where the free
    scanner does. 0 stands for the zone's ends. considered, defer_shift, order_failed: how many runs are
    skipped after failures, and from which order on. blockskip_flush: the scanners have met, so the marks of
    pageblocks may be cleared. skip: a byte for each pageblock, not 0 for one that is passed over; empty
    without any.
    """

    __slots__ = (
        "blockskip_flush", "cached_free_pfn", "cached_migrate_pfn", "considered", "defer_shift",
        "init_free_pfn", "init_migrate_pfn", "order_failed", "skip",
    )  # fmt: skip

    def __init__(self) -> None:
        self.cached_migrate_pfn = [0, 0]
        self.cached_free_pfn = 0
        self.init_migrate_pfn = 0
        self.init_free_pfn = 0
        self.considered = 0
        self.defer_shift = 0
        self.order_failed = 0
        self.blockskip_flush = False
        self.skip = bytearray()


class Zone:
    """A zone of one node. Kernel: struct zone

    start_pfn, spanned_pages, present_pages, managed_pages: in page frames. watermark: min, low, high and
    promo, without boost. vm_stat_free is the counter that watermark checks read; each CPU keeps a difference
    in `vm_stat_diff` until it passes `stat_threshold`, because writing one shared counter at every allocation
    would be too slow. buddy: pfn of every free block's first frame → `order << 3 | migratetype of its list`.
    pageblock_flags: migratetype by pageblock number, where it is not `default_migratetype`. pcp_migratetype:
    what a page on a pcp list was noted as, where its list does not say it.
    """

    __slots__ = (
        "boost", "buddy", "compact", "default_migratetype", "flags", "free_area", "hole_pfn", "idx",
        "lowmem_reserve", "lru", "lru_diffs", "lru_folded", "managed_pages", "name", "nid", "nr_alloc",
        "nr_reserved_highatomic", "numa_foreign", "numa_miss", "numa_other", "pageblock_flags", "pcp",
        "pcp_migratetype", "percpu_drift_mark", "pgalloc", "present_pages",
        "spanned_pages", "start_pfn", "stat_threshold", "untouched", "untouched_tail",
        "vm_stat_diff", "vm_stat_free", "watermark", "zid",
    )  # fmt: skip

    def __init__(
        self, name: str, nid: int, zid: int, start_pfn: int, spanned_pages: int, present_pages: int,
        managed_pages: int, cpus: int,
    ) -> None:  # fmt: skip
        self.name = name
        self.nid = nid
        self.zid = zid
        self.idx = 0
        self.start_pfn = start_pfn
        self.spanned_pages = spanned_pages
        # Where memory ends inside the zone: x86 machines with more than 3 GiB have a hole below 4 GiB.
        self.hole_pfn = start_pfn + spanned_pages
        self.present_pages = present_pages
        self.managed_pages = managed_pages
        self.watermark = [0, 0, 0, 0]
        self.boost = 0
        self.lowmem_reserve: list[int] = []
        self.flags = 0
        self.nr_reserved_highatomic = 0
        self.vm_stat_free = 0
        self.vm_stat_diff = [0] * cpus
        self.stat_threshold = 2
        self.percpu_drift_mark = 0
        # Events: blocks and frames allocated; of the blocks, those that were wanted from another node, wanted
        # from here and served elsewhere, and served to another node's CPU.
        self.nr_alloc = 0
        self.pgalloc = 0
        self.numa_miss = 0
        self.numa_foreign = 0
        self.numa_other = 0
        self.free_area = [FreeArea() for _ in range(MAX_ORDER)]
        self.buddy: dict[int, int] = {}
        self.pageblock_flags: dict[int, int] = {}
        self.default_migratetype = MIGRATE_MOVABLE
        self.pcp: list[PerCpuPages] = [PerCpuPages(0, 1) for _ in range(cpus)]
        self.pcp_migratetype: dict[int, int] = {}
        self.lru: dict[int, int] = {}
        # How many pages of the zone are on each list of its node, as decisions see it, and by CPU what is not
        # in there yet. Kernel: NR_ZONE_LRU_BASE
        self.lru_folded = [0] * 5
        self.lru_diffs = [[0] * 5 for _ in range(cpus)]
        # Frames that nothing has ever asked for: [first, end) of whole max-order blocks that stand in the
        # free list between the blocks in `free_list` and those in `untouched_tail`, in ascending order,
        # without an entry each.
        self.untouched: tuple[int, int] = (0, 0)
        self.untouched_tail: FreeList = OrderedDict()
        self.compact = ZoneCompaction()

    @property
    def end_pfn(self) -> int:
        """First frame behind the zone. Kernel: zone_end_pfn"""
        return self.start_pfn + self.spanned_pages

    def spans_pfn(self, pfn: int) -> bool:
        """Kernel: zone_spans_pfn"""
        return self.start_pfn <= pfn < self.start_pfn + self.spanned_pages

    @property
    def nr_free_pages(self) -> int:
        """Free frames, exactly: the folded counter and what the CPUs have not folded yet."""
        return self.vm_stat_free + sum(self.vm_stat_diff)

    def wmark_pages(self, mark: int) -> int:
        """A watermark with the boost that steals have put on it. Kernel: wmark_pages"""
        return self.watermark[mark] + self.boost

    def get_pfnblock_migratetype(self, pfn: int) -> int:
        """Type of the pageblock that the frame lies in."""
        return self.pageblock_flags.get(pfn >> PAGEBLOCK_ORDER, self.default_migratetype)

    def free_list_pfns(self, order: int, migratetype: int) -> Iterator[int]:
        """All blocks of a free list from head to tail, the untouched ones included."""
        yield from reversed(self.free_area[order].free_list[migratetype])
        if order == MAX_ORDER - 1 and migratetype == self.default_migratetype:
            yield from range(*self.untouched, MAX_ORDER_NR_PAGES)
            yield from reversed(self.untouched_tail)

    def free_block_at(self, pfn: int) -> tuple[int, int, int] | None:
        """(first frame, order, migratetype) of the free block that covers the frame, or None."""
        for order in range(MAX_ORDER):
            head = pfn & -(1 << order)
            code = self.buddy.get(head)
            if code is not None and code >> 3 >= order:
                return (head, code >> 3, code & 7) if head + (1 << (code >> 3)) > pfn else None
        if self.untouched[0] <= pfn < self.untouched[1]:
            return pfn & -MAX_ORDER_NR_PAGES, MAX_ORDER - 1, self.default_migratetype
        return None


class Node:
    """A NUMA node: the order in which its CPUs try zones. Kernel: struct pglist_data

    zonelist: all zones, nearest first; thisnode: the node's own only (for `__GFP_THISNODE`).
    nr_large_kmalloc: frames that kmalloc got from the page allocator, which count as slab memory.
    kcompactd_max_order: the block that kcompactd is to make, 0 for none, in a zone of at most that index.
    kswapd_order, kswapd_highest_zoneidx: what kswapd is to work for when it is woken next (None for no zone
    yet). kswapd_failures: its runs since reclaim last found a page. many_dirty, many_under_writeback: what
    the tail of the lists was like (PGDAT_DIRTY, PGDAT_WRITEBACK).
    """

    __slots__ = (
        "kcompactd_highest_zoneidx", "kcompactd_max_order", "kcompactd_woken", "kswapd_failures",
        "kswapd_highest_zoneidx", "kswapd_order", "kswapd_woken", "many_dirty", "many_under_writeback", "nid",
        "nr_large_kmalloc", "thisnode", "zonelist",
    )  # fmt: skip

    def __init__(self, nid: int, zonelist: list[Zone], thisnode: list[Zone]) -> None:
        self.nid = nid
        self.zonelist = zonelist
        self.thisnode = thisnode
        self.kswapd_woken = False
        # How often in a row kswapd has found nothing to take back.
        self.kswapd_failures = 0
        self.kcompactd_woken = False
        self.kcompactd_max_order = 0
        self.kcompactd_highest_zoneidx = max((zone.zid for zone in thisnode), default=0)
        self.kswapd_order = 0
        self.kswapd_highest_zoneidx: int | None = None
        self.kswapd_failures = 0
        self.many_dirty = False
        self.many_under_writeback = False
        self.nr_large_kmalloc = 0


def pcp_allowed_order(order: int) -> bool:
    """Which orders the per-CPU lists hold. Kernel: mm/page_alloc.c pcp_allowed_order"""
    return order <= PAGE_ALLOC_COSTLY_ORDER or order == PAGEBLOCK_ORDER


def order_to_pindex(migratetype: int, order: int) -> int:
    """Index of the per-CPU list for pages of that order and type. Kernel: mm/page_alloc.c order_to_pindex"""
    if order > PAGE_ALLOC_COSTLY_ORDER:
        return NR_LOWORDER_PCP_LISTS + (migratetype == MIGRATE_MOVABLE)
    return MIGRATE_PCPTYPES * order + migratetype


def pindex_to_order(pindex: int) -> int:
    """Inverse of `order_to_pindex`. Kernel: mm/page_alloc.c pindex_to_order"""
    return PAGEBLOCK_ORDER if pindex >= NR_LOWORDER_PCP_LISTS else pindex // MIGRATE_PCPTYPES


PINDEX_ORDER: Final = tuple(pindex_to_order(pindex) for pindex in range(NR_PCP_LISTS))
