"""struct page: what the kernel knows about a page frame.

Kernel: include/linux/mm_types.h, include/linux/page-flags.h. The kernel has one for every frame; a machine
here has one only for frames that somebody uses or has touched, so that memory nobody asked for costs nothing.
"""

from __future__ import annotations

from typing import Final

PG_locked: Final = 1 << 0
PG_referenced: Final = 1 << 1
PG_uptodate: Final = 1 << 2
PG_dirty: Final = 1 << 3
PG_lru: Final = 1 << 4
PG_active: Final = 1 << 5
PG_workingset: Final = 1 << 6
PG_waiters: Final = 1 << 7
PG_error: Final = 1 << 8
PG_slab: Final = 1 << 9
PG_owner_priv_1: Final = 1 << 10
# Of a page that may be swapped: the swap cache has it.
PG_swapcache: Final = PG_owner_priv_1
PG_arch_1: Final = 1 << 11
PG_reserved: Final = 1 << 12
PG_private: Final = 1 << 13
PG_private_2: Final = 1 << 14
PG_writeback: Final = 1 << 15
PG_head: Final = 1 << 16
PG_unevictable: Final = 1 << 20
PG_mlocked: Final = 1 << 21
PG_hwpoison: Final = 1 << 23
PAGEFLAGS_MASK: Final = (1 << 25) - 1

# Flags that mean somebody still uses a page: it is not taken back with one of them set. Kernel: page-flags.h
PAGE_FLAGS_CHECK_AT_FREE: Final = (
    PG_lru | PG_locked | PG_private | PG_private_2 | PG_writeback | PG_reserved | PG_slab | PG_active |
    PG_unevictable | PG_mlocked
)  # fmt: skip
# Flags that a page may not have when it is handed out; freeing clears them.
PAGE_FLAGS_CHECK_AT_PREP: Final = PAGEFLAGS_MASK & ~PG_hwpoison

PAGE_FLAG_NAMES: Final = (
    "locked", "referenced", "uptodate", "dirty", "lru", "active", "workingset", "waiters", "error", "slab",
    "owner_priv_1", "arch_1", "reserved", "private", "private_2", "writeback", "head", "mappedtodisk",
    "reclaim", "swapbacked", "unevictable", "mlocked", "uncached", "hwpoison", "arch_2",
)  # fmt: skip

# What a used frame is, as the zone map and `changed` name it. The first three are indexed by the request's
# migratetype.
STATES: Final = (
    "free", "pcp", "reserved", "unmovable", "movable", "reclaimable", "highatomic", "slab", "vmalloc",
    "pagetable", "lost", "locked", "anon", "file", "shmem", "swapcache", "hugetlb", "unevictable", "dirty",
    "writeback",
)  # fmt: skip
STATE_OF_MIGRATETYPE: Final = ("unmovable", "movable", "reclaimable", "unmovable")


class Page:
    """An allocated block's first frame, or a single frame that differs from its block. Kernel: struct page

    pfn: the frame. order: 2^order frames belong together here. refcount: `_refcount` of this frame; the other
    frames of a block that is not compound have 0. flags: PG_ bits. gfp: the mask it was asked with. state: as
    in `STATES`. task, seq: who allocated it, and at which seq. private: slab or vmap area number, where a
    subsystem owns the frame.
    """

    __slots__ = ("flags", "gfp", "order", "pfn", "private", "refcount", "seq", "state", "task")

    def __init__(self, pfn: int, order: int, flags: int, gfp: int, state: str, task: str, seq: int) -> None:
        self.pfn = pfn
        self.order = order
        self.refcount = 1
        self.flags = flags
        self.gfp = gfp
        self.state = state
        self.task = task
        self.seq = seq
        self.private = 0

    @property
    def shown(self) -> str:
        """The state as a map shows it: a lock shows over any other."""
        return "locked" if self.flags & PG_locked else self.state


class StrayPage:
    """A frame that is not the first of an allocated block and yet has something to remember.

    Kernel: struct page

    Tails of a block that is not compound have counts and locks of their own; and mistakes leave counts and
    flags on frames that nobody uses.
    """

    __slots__ = ("flags", "refcount")

    def __init__(self, refcount: int, flags: int) -> None:
        self.refcount = refcount
        self.flags = flags
