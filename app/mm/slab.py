"""What a slab cache is made of.

Kernel: mm/slab.h, include/linux/slub_def.h. The page allocator deals in whole page frames, but most of what
the kernel needs is a few hundred bytes. A cache cuts blocks of frames, its slabs, into objects of one size.
Each CPU has a slab of its own to take from without a lock; slabs that are neither full nor some CPU's stand
in lists, full ones in none.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# The flags by name, as in include/linux/slab.h of the kernel.
# Values as in include/linux/slab.h.
SLAB_FLAGS: Final = {
    "SLAB_CONSISTENCY_CHECKS": 0x100,
    "SLAB_RED_ZONE": 0x400,
    "SLAB_POISON": 0x800,
    "SLAB_HWCACHE_ALIGN": 0x2000,
    "SLAB_CACHE_DMA": 0x4000,
    "SLAB_CACHE_DMA32": 0x8000,
    "SLAB_STORE_USER": 0x10000,
    "SLAB_RECLAIM_ACCOUNT": 0x20000,
    "SLAB_PANIC": 0x40000,
    "SLAB_TYPESAFE_BY_RCU": 0x80000,
    "SLAB_MEM_SPREAD": 0x100000,
    "SLAB_TRACE": 0x200000,
    "SLAB_NOLEAKTRACE": 0x800000,
    "SLAB_ACCOUNT": 0x4000000,
    "SLAB_NO_USER_FLAGS": 0x10000000,
}
SLAB_CONSISTENCY_CHECKS: Final = SLAB_FLAGS["SLAB_CONSISTENCY_CHECKS"]
SLAB_RED_ZONE: Final = SLAB_FLAGS["SLAB_RED_ZONE"]
SLAB_POISON: Final = SLAB_FLAGS["SLAB_POISON"]
SLAB_KMALLOC: Final = 0x1000
SLAB_HWCACHE_ALIGN: Final = SLAB_FLAGS["SLAB_HWCACHE_ALIGN"]
SLAB_CACHE_DMA: Final = SLAB_FLAGS["SLAB_CACHE_DMA"]
SLAB_CACHE_DMA32: Final = SLAB_FLAGS["SLAB_CACHE_DMA32"]
SLAB_STORE_USER: Final = SLAB_FLAGS["SLAB_STORE_USER"]
SLAB_RECLAIM_ACCOUNT: Final = SLAB_FLAGS["SLAB_RECLAIM_ACCOUNT"]
SLAB_PANIC: Final = SLAB_FLAGS["SLAB_PANIC"]
SLAB_TYPESAFE_BY_RCU: Final = SLAB_FLAGS["SLAB_TYPESAFE_BY_RCU"]
SLAB_MEM_SPREAD: Final = SLAB_FLAGS["SLAB_MEM_SPREAD"]
SLAB_TRACE: Final = SLAB_FLAGS["SLAB_TRACE"]
SLAB_NOLEAKTRACE: Final = SLAB_FLAGS["SLAB_NOLEAKTRACE"]
SLAB_ACCOUNT: Final = SLAB_FLAGS["SLAB_ACCOUNT"]
SLAB_NO_USER_FLAGS: Final = SLAB_FLAGS["SLAB_NO_USER_FLAGS"]
CMPXCHG_DOUBLE: Final = 0x40000000
OBJECT_POISON: Final = 0x80000000

SLAB_DEBUG_FLAGS: Final = SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_TRACE | SLAB_CONSISTENCY_CHECKS
SLAB_FLAGS_PERMITTED: Final = (
    SLAB_HWCACHE_ALIGN | SLAB_CACHE_DMA | SLAB_CACHE_DMA32 | SLAB_PANIC | SLAB_TYPESAFE_BY_RCU
    | SLAB_DEBUG_FLAGS | SLAB_MEM_SPREAD | SLAB_NOLEAKTRACE | SLAB_RECLAIM_ACCOUNT | SLAB_ACCOUNT
    | SLAB_NO_USER_FLAGS
)  # fmt: skip
CACHE_CREATE_MASK: Final = SLAB_FLAGS_PERMITTED & ~SLAB_MEM_SPREAD

# Who allocated an object: task and seq of the call. None stands for a free object, KERNEL for one that was in
# use when the machine began.
Owner = tuple[str, int]
KERNEL: Final[Owner] = ("", 0)


# Name and flags of each row of kmalloc's caches.
KMALLOC_TYPES: Final = (
    ("kmalloc", 0),
    ("kmalloc-cg", SLAB_ACCOUNT),
    ("kmalloc-rcl", SLAB_RECLAIM_ACCOUNT),
    ("dma-kmalloc", SLAB_CACHE_DMA),
)
# Size and name of each of its classes; 0 is none, 1 and 2 are the two that are no powers of two.
KMALLOC_INFO: Final = (
    (0, "0"), (96, "96"), (192, "192"), (8, "8"), (16, "16"), (32, "32"), (64, "64"), (128, "128"),
    (256, "256"), (512, "512"), (1024, "1k"), (2048, "2k"), (4096, "4k"), (8192, "8k"),
)  # fmt: skip


class Slab:
    """A block of page frames cut into objects. Kernel: struct slab

    base: address of object 0. freelist: indexes of free objects, the next one to be given last; without those
    that a CPU has taken over to its own list. frozen: some CPU's, so in no node's list. owner: by object
    index.
    """

    __slots__ = ("base", "cache", "freelist", "frozen", "nid", "objects", "order", "owner", "pfn")

    def __init__(
        self, cache: KmemCache, pfn: int, order: int, nid: int, base: int, freelist: list[int], objects: int
    ) -> None:
        self.cache = cache
        self.pfn = pfn
        self.order = order
        self.nid = nid
        self.base = base
        self.freelist = freelist
        self.objects = objects
        self.frozen = False
        self.owner: list[Owner | None] = [None] * objects

    @property
    def inuse(self) -> int:
        """Objects that are not on the slab's own free list; those on a CPU's list count as used."""
        return self.objects - len(self.freelist)

    def address(self, index: int) -> int:
        """Where an object is."""
        return self.base + index * self.cache.size

    def index(self, address: int) -> int | None:
        """Which object starts at the address; None for an address within or between objects."""
        index, rest = divmod(address - self.base, self.cache.size)
        return index if not rest and 0 <= index < self.objects else None


class KmemCacheCpu:
    """What one CPU holds of a cache. Kernel: struct kmem_cache_cpu

    freelist: objects of `slab` that this CPU takes and gives without a lock, the next one last. partial:
    frozen slabs with some free objects, the newest last.
    """

    __slots__ = ("freelist", "partial", "slab")

    def __init__(self) -> None:
        self.slab: Slab | None = None
        self.freelist: list[int] = []
        self.partial: list[Slab] = []


class KmemCacheNode:
    """A cache's slabs of one node. Kernel: struct kmem_cache_node

    partial: slabs with free objects that are no CPU's, from the list's head, by first frame.
    """

    __slots__ = ("nr_slabs", "partial", "total_objects")

    def __init__(self) -> None:
        self.partial: OrderedDict[int, Slab] = OrderedDict()
        self.nr_slabs = 0
        self.total_objects = 0


class KmemCache:
    """A cache of objects of one size. Kernel: struct kmem_cache

    object_size: what was asked for; size: with alignment and debugging data. offset: of the free pointer
    within a free object. inuse: bytes before the data that debugging adds. order, objs: of a slab as it
    should be; min_order, min_objs: as small as it can be. allocflags: gfp bits of every slab. min_partial:
    empty slabs are kept while a node has fewer partial ones than this. cpu_partial: objects that a CPU's
    partial list should hold, cpu_partial_slabs: in slabs. random_seq: order of the objects in a new slab,
    where the kernel shuffles them. slabs: all that are known. object: address of the struct kmem_cache
    itself, where it was allocated by a call. ctor: name of the function that constructs each object, once,
    when its slab is made.
    """

    __slots__ = (
        "align", "allocflags", "cpu_partial", "cpu_partial_slabs", "cpu_slab", "ctor", "flags", "inuse",
        "min_objs", "min_order", "min_partial", "name", "name_object", "node", "node_objects", "object",
        "object_size", "objs", "offset", "order", "random_seq", "red_left_pad", "refcount", "size", "slabs",
    )  # fmt: skip

    def __init__(self, name: str, object_size: int, align: int, flags: int, cpus: int, nodes: int) -> None:
        self.name = name
        self.object_size = self.size = self.inuse = object_size
        self.align = align
        self.flags = flags
        self.offset = 0
        self.red_left_pad = 0
        self.order = self.objs = self.min_order = self.min_objs = 0
        self.allocflags = 0
        self.min_partial = 0
        self.cpu_partial = self.cpu_partial_slabs = 0
        self.random_seq: list[int] | None = None
        self.refcount = 1
        self.cpu_slab = [KmemCacheCpu() for _ in range(cpus)]
        self.node = [KmemCacheNode() for _ in range(nodes)]
        self.slabs: dict[int, Slab] = {}
        self.ctor: str | None = None
        self.object: int | None = None
        self.name_object: int | None = None
        self.node_objects: list[int] = []


class SlabTable(dict[int, Slab]):
    """Slabs by their first frame, and how many pages they are. Kernel: mm/slab.h account_slab, unaccount_slab

    The kernel counts a slab's pages when it is made and when it is given back, for its node, because whoever
    reads /proc cannot visit them all.
    """

    __slots__ = ("pages",)

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[tuple[int, bool], int] = {}

    def __setitem__(self, pfn: int, slab: Slab) -> None:
        if pfn in self:
            self._account(self[pfn], -1)
        super().__setitem__(pfn, slab)
        self._account(slab, 1)

    def __delitem__(self, pfn: int) -> None:
        self._account(self[pfn], -1)
        super().__delitem__(pfn)

    def nr_pages(self, nid: int, *, reclaimable: bool) -> int:
        """Pages of a node's slabs whose objects a shrinker can give back, or of the others."""
        return self.pages.get((nid, reclaimable), 0)

    def _account(self, slab: Slab, sign: int) -> None:
        key = slab.nid, bool(slab.cache.flags & SLAB_RECLAIM_ACCOUNT)
        self.pages[key] = self.pages.get(key, 0) + sign * (1 << slab.order)


def kmem_cache_debug(s: KmemCache) -> bool:
    """Whether the cache checks its objects; then every allocation and free takes the slow way.

    Kernel: kmem_cache_debug
    """
    return bool(s.flags & SLAB_DEBUG_FLAGS)


def slab_ksize(s: KmemCache) -> int:
    """Bytes of an object that its user may fill. Kernel: mm/slab.h slab_ksize"""
    if s.flags & (SLAB_RED_ZONE | SLAB_POISON):
        return s.object_size
    if s.flags & (SLAB_TYPESAFE_BY_RCU | SLAB_STORE_USER):
        return s.inuse
    return s.size


def virt_to_slab(m: Kernel, address: int) -> Slab | None:
    """The slab that an address of the direct map lies in; None where the frame belongs to no known slab.

    Kernel: mm/slab.h virt_to_slab
    """
    slabs = m.slabs
    pfn = (address - m.model.page_offset) >> 12
    slab = slabs.get(pfn)
    if slab is not None:
        return slab
    for order in range(1, 11):
        slab = slabs.get(pfn & -(1 << order))
        if slab is not None:
            return slab if slab.pfn + (1 << slab.order) > pfn else None
    return None
