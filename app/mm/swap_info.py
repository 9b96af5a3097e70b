"""Swap areas: which slots there are, how often each is used, and where to look for a free one.

Kernel: include/linux/swap.h struct swap_info_struct, swap_slots.h struct swap_slots_cache, and the globals of
mm/swapfile.c, mm/swap_slots.c and mm/swap_state.c. A slot is as large as a page. Its use is one byte: how
many entries of page tables name it, and whether the swap cache has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.fs import File

SWAP_HAS_CACHE: Final = 0x40
COUNT_CONTINUED: Final = 0x80
SWAP_MAP_MAX: Final = 0x3E
SWAP_MAP_BAD: Final = 0x3F
SWAP_MAP_SHMEM: Final = 0xBF

SWP_USED: Final = 1 << 0
SWP_WRITEOK: Final = 1 << 1
SWP_SOLIDSTATE: Final = 1 << 4
SWP_BLKDEV: Final = 1 << 6

SWAPFILE_CLUSTER: Final = {"x86_64": 512, "i386": 256}
SWAP_SLOTS_CACHE_SIZE: Final = 64
# The largest area that a machine here can have, in pages with its header: 4 GiB.
MAX_PAGES: Final = 1 << 20
# The smallest that mkswap(8) makes.
LEAST_PAGES: Final = 10


class SwapCluster:
    """Slots of an area without moving parts, by cluster: how many are used, and which clusters are free.

    Kernel: struct swap_cluster_info, swap_cluster_list, percpu_cluster. index, next: the cluster that each
    CPU fills, and its next slot; -1 for none.
    """

    __slots__ = ("counts", "free", "index", "next", "size")

    def __init__(self, size: int, cpus: int) -> None:
        self.size = size
        self.counts: list[int] = []
        self.free: dict[int, None] = {}
        self.index = [-1] * cpus
        self.next = [0] * cpus

    def inc(self, offset: int) -> None:
        """A slot is taken. Kernel: inc_cluster_info_page"""
        at = offset // self.size
        self.free.pop(at, None)
        self.counts[at] += 1

    def dec(self, offset: int) -> None:
        """A slot is given back; a cluster without any is free. Kernel: dec_cluster_info_page"""
        at = offset // self.size
        self.counts[at] -= 1
        if not self.counts[at]:
            self.free[at] = None


class SwapInfo:
    """One swap area. Kernel: struct swap_info_struct

    swap_map: a byte for each slot. lowest_bit, highest_bit: no slot outside them is free. cluster_next,
    cluster_nr: where the search goes on, and how many slots in a row it still takes from there. continued:
    for a slot that more entries name than a byte counts, how often its count has run over. contents: bytes
    that processes stored in the pages of the slots. forgotten: slots of which nobody can say what they hold.
    """

    __slots__ = (
        "cluster_info", "cluster_next", "cluster_next_cpu", "cluster_nr", "contents", "continuations",
        "continued", "file", "flags", "forgotten", "highest_bit", "inuse_pages", "lowest_bit", "map_address",
        "max", "pages", "prio", "swap_map", "type",
    )  # fmt: skip

    def __init__(self, type: int, file: File, max: int, flags: int) -> None:
        self.type = type
        self.file = file
        self.flags = flags
        self.prio = 0
        self.max = max
        self.pages = max - 1
        self.inuse_pages = 0
        self.swap_map = bytearray(max)
        self.swap_map[0] = SWAP_MAP_BAD
        # Where the map itself lies; 0 for an area that a recording shows.
        self.map_address = 0
        self.lowest_bit = 1
        self.highest_bit = max - 1
        self.cluster_next = 1
        self.cluster_nr = 0
        self.cluster_next_cpu: list[int] = []
        self.cluster_info: SwapCluster | None = None
        self.continued: dict[int, int] = {}
        # Frames that hold such counts, by the page of the map.
        self.continuations: dict[int, int] = {}
        self.contents: dict[int, dict[int, int]] = {}
        self.forgotten: dict[int, None] = {}


class SwapSlotsCache:
    """A CPU's own stock of slots. Kernel: struct swap_slots_cache

    slots: taken in advance, the next first. slots_ret: given back, and not in the area yet.
    """

    __slots__ = ("cur", "slots", "slots_ret")

    def __init__(self) -> None:
        # How many of the last lot are gone: only shown.
        self.cur = 0
        self.slots: list[int] = []
        self.slots_ret: list[int] = []


class Swap:
    """All areas, the slots between them and the CPUs, and the swap cache.

    Kernel: the globals of mm/swapfile.c, mm/swap_slots.c, mm/swap_state.c

    active: areas by priority; avail: those that may have free slots, of one priority in turn. cache: entry →
    frame. entries: frame → entry (`page_private`). shadows: entry → what reclaim left there.
    """

    __slots__ = (
        "active", "avail", "cache", "cpu_slots", "entries", "info", "last_readahead_pages",
        "least_priority", "nr_rotate_swap", "prev_offset", "shadows", "slot_cache_active",
        "slot_cache_enabled", "swapin_readahead_hits",
    )  # fmt: skip

    def __init__(self, cpus: int) -> None:
        self.info: list[SwapInfo | None] = []
        self.active: list[int] = []
        self.avail: list[int] = []
        self.least_priority = -1
        self.nr_rotate_swap = 0
        self.cpu_slots = [SwapSlotsCache() for _ in range(cpus)]
        self.slot_cache_active = False
        self.slot_cache_enabled = False
        self.swapin_readahead_hits = 4
        self.prev_offset = 0
        self.last_readahead_pages = 0
        self.cache: dict[int, int] = {}
        self.entries: dict[int, int] = {}
        self.shadows: dict[int, int] = {}

    def add_to_avail_list(self, si: SwapInfo) -> None:
        """An area may have free slots: it stands behind others of its priority. Kernel: add_to_avail_list"""
        at = 0
        while at < len(self.avail) and self.area(self.avail[at]).prio >= si.prio:
            at += 1
        self.avail.insert(at, si.type)

    def area(self, type: int) -> SwapInfo:
        """An area that is there. Kernel: swap_type_to_swap_info"""
        si = self.info[type]
        assert si is not None
        return si
