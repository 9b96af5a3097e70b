"""GFP masks: what an allocation may do, and which memory it wants.

Kernel: include/linux/gfp_types.h, include/linux/gfp.h, include/trace/events/mmflags.h. One word carries three
questions: which zone (the lowest four bits and __GFP_HIGHMEM's friends), how hard to try (may it sleep, start
I/O, use the reserves), and how to treat the result (zero it, make it compound, warn).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__GFP_DMA: Final = 0x1
__GFP_HIGHMEM: Final = 0x2
__GFP_DMA32: Final = 0x4
__GFP_MOVABLE: Final = 0x8
__GFP_RECLAIMABLE: Final = 0x10
__GFP_HIGH: Final = 0x20
__GFP_IO: Final = 0x40
__GFP_FS: Final = 0x80
__GFP_ZERO: Final = 0x100
__GFP_ATOMIC: Final = 0x200
__GFP_DIRECT_RECLAIM: Final = 0x400
__GFP_KSWAPD_RECLAIM: Final = 0x800
__GFP_WRITE: Final = 0x1000
__GFP_NOWARN: Final = 0x2000
__GFP_RETRY_MAYFAIL: Final = 0x4000
__GFP_NOFAIL: Final = 0x8000
__GFP_NORETRY: Final = 0x10000
__GFP_MEMALLOC: Final = 0x20000
__GFP_COMP: Final = 0x40000
__GFP_NOMEMALLOC: Final = 0x80000
__GFP_HARDWALL: Final = 0x100000
__GFP_THISNODE: Final = 0x200000
__GFP_ACCOUNT: Final = 0x400000
__GFP_ZEROTAGS: Final = 0x800000
__GFP_BITS_MASK: Final = 0x7FFFFFF

__GFP_RECLAIM: Final = __GFP_DIRECT_RECLAIM | __GFP_KSWAPD_RECLAIM
GFP_ZONEMASK: Final = __GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE

GFP_ATOMIC: Final = __GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM
GFP_KERNEL: Final = __GFP_RECLAIM | __GFP_IO | __GFP_FS
GFP_KERNEL_ACCOUNT: Final = GFP_KERNEL | __GFP_ACCOUNT
GFP_NOWAIT: Final = __GFP_KSWAPD_RECLAIM
GFP_NOIO: Final = __GFP_RECLAIM
GFP_NOFS: Final = __GFP_RECLAIM | __GFP_IO
GFP_USER: Final = GFP_KERNEL | __GFP_HARDWALL
GFP_DMA: Final = __GFP_DMA
GFP_DMA32: Final = __GFP_DMA32
GFP_HIGHUSER: Final = GFP_USER | __GFP_HIGHMEM
GFP_HIGHUSER_MOVABLE: Final = GFP_HIGHUSER | __GFP_MOVABLE
GFP_TRANSHUGE_LIGHT: Final = (
    GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC | __GFP_NOWARN
) & ~__GFP_RECLAIM
GFP_TRANSHUGE: Final = GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM

# The highest zone that the four zone bits allow; a combination that is not listed means ZONE_DMA.
# Kernel: include/linux/gfp.h GFP_ZONE_TABLE
GFP_ZONE: Final = {
    0x0: "Normal", 0x1: "DMA", 0x2: "HighMem", 0x4: "DMA32",
    0x8: "Normal", 0x9: "DMA", 0xA: "Movable", 0xC: "DMA32",
}  # fmt: skip

# Which bits the allocators underneath a cache pass on (mm/internal.h).
GFP_RECLAIM_MASK: Final = (
    __GFP_RECLAIM
    | __GFP_HIGH
    | __GFP_IO
    | __GFP_FS
    | __GFP_NOWARN
    | __GFP_RETRY_MAYFAIL
    | __GFP_NOFAIL
    | __GFP_NORETRY
    | __GFP_MEMALLOC
    | __GFP_NOMEMALLOC
    | __GFP_ATOMIC
)
GFP_CONSTRAINT_MASK: Final = __GFP_HARDWALL | __GFP_THISNODE
GFP_SLAB_BUG_MASK: Final = __GFP_DMA32 | __GFP_HIGHMEM | (0xFFFFFFFF & ~__GFP_BITS_MASK)


@dataclass(frozen=True, slots=True)
class GfpName:
    """A name that a mask may be written with. lecture: the spelling of the 3.x kernels, where it differs."""

    name: str
    value: int
    kind: str
    doc: str
    lecture: str | None = None


# In the order in which `%pGg` tries them: composites before the bits they are made of, so the printing is
# greedy. Kernel: include/trace/events/mmflags.h __def_gfpflag_names
PRINT_ORDER: Final = (
    ("GFP_TRANSHUGE", GFP_TRANSHUGE),
    ("GFP_TRANSHUGE_LIGHT", GFP_TRANSHUGE_LIGHT),
    ("GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE),
    ("GFP_HIGHUSER", GFP_HIGHUSER),
    ("GFP_USER", GFP_USER),
    ("GFP_KERNEL_ACCOUNT", GFP_KERNEL_ACCOUNT),
    ("GFP_KERNEL", GFP_KERNEL),
    ("GFP_NOFS", GFP_NOFS),
    ("GFP_ATOMIC", GFP_ATOMIC),
    ("GFP_NOIO", GFP_NOIO),
    ("GFP_NOWAIT", GFP_NOWAIT),
    ("GFP_DMA", GFP_DMA),
    ("__GFP_HIGHMEM", __GFP_HIGHMEM),
    ("GFP_DMA32", GFP_DMA32),
    ("__GFP_HIGH", __GFP_HIGH),
    ("__GFP_ATOMIC", __GFP_ATOMIC),
    ("__GFP_IO", __GFP_IO),
    ("__GFP_FS", __GFP_FS),
    ("__GFP_NOWARN", __GFP_NOWARN),
    ("__GFP_RETRY_MAYFAIL", __GFP_RETRY_MAYFAIL),
    ("__GFP_NOFAIL", __GFP_NOFAIL),
    ("__GFP_NORETRY", __GFP_NORETRY),
    ("__GFP_COMP", __GFP_COMP),
    ("__GFP_ZERO", __GFP_ZERO),
    ("__GFP_NOMEMALLOC", __GFP_NOMEMALLOC),
    ("__GFP_MEMALLOC", __GFP_MEMALLOC),
    ("__GFP_HARDWALL", __GFP_HARDWALL),
    ("__GFP_THISNODE", __GFP_THISNODE),
    ("__GFP_RECLAIMABLE", __GFP_RECLAIMABLE),
    ("__GFP_MOVABLE", __GFP_MOVABLE),
    ("__GFP_ACCOUNT", __GFP_ACCOUNT),
    ("__GFP_WRITE", __GFP_WRITE),
    ("__GFP_RECLAIM", __GFP_RECLAIM),
    ("__GFP_DIRECT_RECLAIM", __GFP_DIRECT_RECLAIM),
    ("__GFP_KSWAPD_RECLAIM", __GFP_KSWAPD_RECLAIM),
    ("__GFP_ZEROTAGS", __GFP_ZEROTAGS),
)

NAMES: Final = (
    GfpName(
        "GFP_ATOMIC", GFP_ATOMIC, "type", "must not sleep and may use the reserves: interrupts, spinlocks"
    ),
    GfpName("GFP_KERNEL", GFP_KERNEL, "type", "the usual mask of kernel code that may sleep"),
    GfpName(
        "GFP_KERNEL_ACCOUNT", GFP_KERNEL_ACCOUNT, "type", "GFP_KERNEL charged to the task's memory cgroup"
    ),
    GfpName("GFP_NOWAIT", GFP_NOWAIT, "type", "must not sleep and gets no reserves: fails early"),
    GfpName("GFP_NOIO", GFP_NOIO, "type", "may reclaim, but start no I/O: block drivers"),
    GfpName("GFP_NOFS", GFP_NOFS, "type", "may reclaim and start I/O, but not enter file systems"),
    GfpName("GFP_USER", GFP_USER, "type", "for user space, within the task's cpuset"),
    GfpName("GFP_DMA", GFP_DMA, "type", "from ZONE_DMA, with no reclaim at all"),
    GfpName("GFP_DMA32", GFP_DMA32, "type", "from ZONE_DMA32 (x86_64: below 4 GiB)"),
    GfpName("GFP_HIGHUSER", GFP_HIGHUSER, "type", "for user space, may have no kernel address"),
    GfpName("GFP_HIGHUSER_MOVABLE", GFP_HIGHUSER_MOVABLE, "type", "user pages that can be migrated"),
    GfpName("GFP_TRANSHUGE_LIGHT", GFP_TRANSHUGE_LIGHT, "type", "a huge page if one is at hand"),
    GfpName("GFP_TRANSHUGE", GFP_TRANSHUGE, "type", "a huge page, with direct compaction"),
    GfpName("__GFP_DMA", __GFP_DMA, "zone", "from ZONE_DMA"),
    GfpName("__GFP_HIGHMEM", __GFP_HIGHMEM, "zone", "HIGHMEM will do: the page needs no permanent address"),
    GfpName("__GFP_DMA32", __GFP_DMA32, "zone", "from ZONE_DMA32"),
    GfpName(
        "__GFP_MOVABLE", __GFP_MOVABLE, "zone", "can be migrated; with __GFP_HIGHMEM also from ZONE_MOVABLE"
    ),
    GfpName(
        "__GFP_RECLAIMABLE", __GFP_RECLAIMABLE, "mobility", "a shrinker can give it back", "__GFP_RECLAIMABLE"
    ),
    GfpName("__GFP_HIGH", __GFP_HIGH, "action", "urgent: may go below the min watermark"),
    GfpName("__GFP_IO", __GFP_IO, "action", "reclaim may start physical I/O"),
    GfpName("__GFP_FS", __GFP_FS, "action", "reclaim may call into file systems"),
    GfpName("__GFP_ZERO", __GFP_ZERO, "action", "return zeroed pages"),
    GfpName(
        "__GFP_ATOMIC",
        __GFP_ATOMIC,
        "action",
        "cannot sleep; all that 6.1's page allocator gives for the bit is a page below a boosted min mark",
    ),
    GfpName(
        "__GFP_DIRECT_RECLAIM",
        __GFP_DIRECT_RECLAIM,
        "reclaim",
        "the caller itself may reclaim, so it may sleep",
    ),
    GfpName(
        "__GFP_KSWAPD_RECLAIM",
        __GFP_KSWAPD_RECLAIM,
        "reclaim",
        "wake kswapd when the low watermark is reached",
    ),
    GfpName("__GFP_RECLAIM", __GFP_RECLAIM, "reclaim", "both kinds of reclaim", "__GFP_WAIT"),
    GfpName("__GFP_WRITE", __GFP_WRITE, "action", "the page will soon be dirtied"),
    GfpName("__GFP_NOWARN", __GFP_NOWARN, "action", "no report when the allocation fails", "__GFP_NOWARN"),
    GfpName(
        "__GFP_RETRY_MAYFAIL", __GFP_RETRY_MAYFAIL, "reclaim", "try hard, but fail in the end", "__GFP_REPEAT"
    ),
    GfpName("__GFP_NOFAIL", __GFP_NOFAIL, "reclaim", "never return NULL"),
    GfpName("__GFP_NORETRY", __GFP_NORETRY, "reclaim", "one round of light reclaim, then fail"),
    GfpName(
        "__GFP_MEMALLOC", __GFP_MEMALLOC, "action", "ignore the watermarks: memory that will free memory"
    ),
    GfpName("__GFP_COMP", __GFP_COMP, "action", "make the block a compound page"),
    GfpName("__GFP_NOMEMALLOC", __GFP_NOMEMALLOC, "action", "never use the emergency reserves"),
    GfpName("__GFP_HARDWALL", __GFP_HARDWALL, "placement", "stay within the task's cpuset"),
    GfpName("__GFP_THISNODE", __GFP_THISNODE, "placement", "this node only"),
    GfpName("__GFP_ACCOUNT", __GFP_ACCOUNT, "action", "charge it to the memory cgroup"),
    GfpName("__GFP_ZEROTAGS", __GFP_ZEROTAGS, "action", "zero memory tags too (arm64)"),
)


@lru_cache(maxsize=1024)
def pGg(mask: int) -> str:
    """A mask as printk's `%pGg` writes it. Kernel: lib/vsprintf.c format_flags

    Each name whose bits are all still there is printed and its bits are taken away, so 0xcc0 reads GFP_KERNEL
    and not a list of four bits: what a person wrote in the source is what stands in the log.
    """
    words = []
    for name, value in PRINT_ORDER:
        if mask & value == value:
            words.append(name)
            mask &= ~value
    if mask:
        words.append(f"{mask:#x}")
    return "|".join(words)


def highest_zone(zone_index: Mapping[str, int], gfp: int) -> int:
    """Index of the highest zone that a mask allows, among the zones of a machine.

    A zone that the machine's kernel does not know (DMA32 on i386, HIGHMEM on x86_64) means NORMAL.
    """
    return zone_index.get(GFP_ZONE.get(gfp & GFP_ZONEMASK, "DMA"), zone_index["Normal"])
