"""Ranges of kernel addresses: which are taken, which are free, and which wait for a purge.

Kernel: mm/vmalloc.c, struct vmap_area, the "global kva allocator". Three trees hold every range in the order
of addresses: `free_vmap_area_root`, `vmap_area_root` (busy) and `purge_vmap_area_root`. A freed range is not
free at once: its translations may still be in the TLB of any CPU, and telling all CPUs is so slow that the
kernel gathers 32 MiB of ranges per doubling of the CPUs and flushes them together. Until then the addresses
cannot be given out again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import printk, slub
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.vmalloc import VmStruct

LAZY_MAX_PAGES: Final = (32 << 20) >> PAGE_SHIFT
CACHE: Final = "vmap_area"

# How a range fits into the free one that it is cut from: it fills it, or lies at its left or right edge, or
# at none. Kernel: enum fit_type
FL_FIT_TYPE: Final = "FL_FIT_TYPE"
LE_FIT_TYPE: Final = "LE_FIT_TYPE"
RE_FIT_TYPE: Final = "RE_FIT_TYPE"
NE_FIT_TYPE: Final = "NE_FIT_TYPE"


class VmapArea:
    """A range of kernel addresses. Kernel: struct vmap_area

    object: where the slab allocator put the structure itself; 0 where that is not known, because the range is
    older than the machine's first dump. vm: what is mapped there; None for a free range, or one that the
    kernel took at boot.
    """

    __slots__ = ("object", "va_end", "va_start", "vm")

    def __init__(self, va_start: int, va_end: int, object_: int = 0) -> None:
        self.va_start = va_start
        self.va_end = va_end
        self.object = object_
        self.vm: VmStruct | None = None

    @property
    def size(self) -> int:
        """Bytes of the range. Kernel: va_size"""
        return self.va_end - self.va_start


def start_of(va: VmapArea) -> int:
    """The key by which ranges are ordered."""
    return va.va_start


def largest(areas: list[VmapArea]) -> int:
    """Size of the largest of some ranges."""
    return max(va.va_end - va.va_start for va in areas)


class AreaTree:
    """Ranges in the order of their addresses, none touching another's bytes. Kernel: rb_root

    Where the kernel's red-black tree notes in each node the largest range below it (`subtree_max_size`), this
    one has a single level of leaves with the largest range of each: a search passes over leaves in which
    nothing can fit. augmented: whether that is noted; only the tree of free ranges is searched for a size.
    """

    LEAF: Final = 256

    __slots__ = ("augmented", "leaves", "starts", "subtree_max_size")

    def __init__(self, *, augmented: bool = False) -> None:
        self.augmented = augmented
        self.leaves: list[list[VmapArea]] = []
        self.starts: list[int] = []
        self.subtree_max_size: list[int] = []

    def __iter__(self) -> Iterator[VmapArea]:
        for leaf in self.leaves:
            yield from leaf

    def __len__(self) -> int:
        return sum(map(len, self.leaves))

    def part(self, start: int, count: int) -> list[VmapArea]:
        """At most `count` ranges, after the first `start` in the order of addresses."""
        found: list[VmapArea] = []
        for leaf in self.leaves:
            if start < len(leaf):
                found += leaf[start : start + count - len(found)]
                if len(found) == count:
                    break
            start = max(0, start - len(leaf))
        return found

    def leaf_of(self, address: int) -> int:
        """The leaf in which a range starting there is, or would be put."""
        return max(0, bisect_right(self.starts, address) - 1)

    def find(self, address: int) -> VmapArea | None:
        """The range that an address lies in. Kernel: __find_vmap_area"""
        if not self.starts or address < self.starts[0]:  # such as every address of the direct map
            return None
        va = self.prev(address + 1)
        return va if va is not None and address < va.va_end else None

    def prev(self, address: int) -> VmapArea | None:
        """The last range that starts below an address."""
        index = bisect_left(self.starts, address) - 1
        if index < 0:
            return None
        leaf = self.leaves[index]
        return leaf[bisect_left(leaf, address, key=start_of) - 1]

    def next(self, address: int) -> VmapArea | None:
        """The first range that starts at or above an address."""
        if not self.leaves:
            return None
        index = self.leaf_of(address)
        leaf = self.leaves[index]
        place = bisect_left(leaf, address, key=start_of)
        if place < len(leaf):
            return leaf[place]
        return self.leaves[index + 1][0] if index + 1 < len(self.leaves) else None

    def below(self, address: int, count: int) -> list[VmapArea]:
        """The last `count` ranges that start below an address."""
        found: list[VmapArea] = []
        for index in range(bisect_left(self.starts, address) - 1, -1, -1):
            leaf = self.leaves[index]
            end = bisect_left(leaf, address, key=start_of)
            found[:0] = leaf[max(0, end - (count - len(found))) : end]
            if len(found) == count:
                break
        return found

    def above(self, address: int, count: int) -> list[VmapArea]:
        """The first `count` ranges that start at or above an address."""
        found: list[VmapArea] = []
        for index in range(self.leaf_of(address), len(self.leaves)):
            leaf = self.leaves[index]
            begin = bisect_left(leaf, address, key=start_of)
            found += leaf[begin : begin + count - len(found)]
            if len(found) == count:
                break
        return found

    def insert(self, va: VmapArea) -> None:
        """Link a range that lies in nobody else's. Kernel: insert_vmap_area"""
        if not self.leaves:
            self.leaves.append([va])
            self.starts.append(va.va_start)
            self.subtree_max_size.append(va.size)
            return
        index = self.leaf_of(va.va_start)
        leaf = self.leaves[index]
        leaf.insert(bisect_left(leaf, va.va_start, key=start_of), va)
        if len(leaf) > self.LEAF:
            self.split(index)
        else:
            self.propagate(index, 0, va.size)

    def split(self, index: int) -> None:
        """Make two leaves of one that has grown too long."""
        leaf = self.leaves[index]
        self.leaves.insert(index + 1, leaf[self.LEAF // 2 :])
        del leaf[self.LEAF // 2 :]
        halves = self.leaves[index : index + 2]
        self.starts[index : index + 1] = [half[0].va_start for half in halves]
        self.subtree_max_size[index : index + 1] = [largest(half) for half in halves]

    def unlink(self, va: VmapArea) -> None:
        """Take a range out. Kernel: unlink_va"""
        index = self.leaf_of(va.va_start)
        leaf = self.leaves[index]
        del leaf[bisect_left(leaf, va.va_start, key=start_of)]
        if leaf:
            self.propagate(index, va.size, 0)
        else:
            del self.leaves[index], self.starts[index], self.subtree_max_size[index]

    def resize(self, va: VmapArea, va_start: int, va_end: int) -> None:
        """Move a range's ends, as far as its neighbours allow."""
        index = self.leaf_of(va.va_start)
        before = va.size
        va.va_start, va.va_end = va_start, va_end
        self.propagate(index, before, va.size)

    def propagate(self, index: int, before: int, after: int) -> None:
        """Note anew where a leaf starts and, after a range's size has changed, which of its sizes is largest.

        Kernel: augment_tree_propagate_from
        """
        leaf = self.leaves[index]
        self.starts[index] = leaf[0].va_start
        if not self.augmented:
            return
        noted = self.subtree_max_size[index]
        if after >= noted:
            self.subtree_max_size[index] = after
        elif before >= noted:
            self.subtree_max_size[index] = largest(leaf)

    def merge_or_add(self, va: VmapArea) -> list[VmapArea]:
        """Link a range, as one with the neighbours it touches. Kernel: __merge_or_add_vmap_area

        Returns the ranges that are no more, whose structures are to be freed in this order.
        """
        merged: list[VmapArea] = []
        after, before = self.next(va.va_start), self.prev(va.va_start)
        if after is not None and after.va_start == va.va_end:
            self.resize(after, va.va_start, after.va_end)
            merged.append(va)
            va = after
        if before is not None and before.va_end == va.va_start:
            if merged:
                self.unlink(va)
            self.resize(before, before.va_start, va.va_end)
            merged.append(va)
        elif not merged:
            self.insert(va)
        return merged

    def lowest_match(self, size: int, align: int, vstart: int) -> VmapArea | None:
        """The lowest range that holds the size so aligned, from `vstart` on. Kernel: find_vmap_lowest_match

        For more than page alignment the kernel looks for the size plus the worst that alignment can cost, so
        it passes over a range that would have fitted by luck.
        """
        length = size if align <= PAGE_SIZE else size + align - 1
        for index in range(self.leaf_of(vstart), len(self.leaves)):
            if self.subtree_max_size[index] < length:
                continue
            for va in self.leaves[index]:
                if va.va_end - va.va_start >= length and place_in(va, align, vstart) + size <= va.va_end:
                    return va
        return None


def place_in(va: VmapArea, align: int, vstart: int) -> int:
    """The lowest aligned address of a range that is not below `vstart`."""
    return (max(va.va_start, vstart) + align - 1) & -align


class VmapSpace:
    """All kernel addresses outside the direct map. Kernel: mm/vmalloc.c's static variables

    vmalloc_start, vmalloc_end: where vmalloc may place its areas. modules_vaddr, modules_end: where modules
    go. preload: per CPU, a spare structure for a range that is cut in its middle. page_tables: which tables
    of these addresses exist, with their frames. modules: the loaded ones' address and size. nr_vmalloc_pages:
    how many pages all areas have.
    """

    def __init__(self, vmalloc_start: int, vmalloc_end: int, modules: tuple[int, int], cpus: int) -> None:
        self.vmalloc_start = vmalloc_start
        self.vmalloc_end = vmalloc_end
        self.modules_vaddr, self.modules_end = modules
        self.free = AreaTree(augmented=True)
        self.busy = AreaTree()
        self.purge = AreaTree()
        self.vmap_lazy_nr = 0
        self.nr_vmalloc_pages = 0
        self.preload: list[int | None] = [None] * cpus
        self.page_tables: dict[tuple[int, int], int | None] = {}
        self.modules: dict[str, tuple[int, int]] = {}


# -- taking a range --------------------------------------------------------------------------------


@traced
def alloc_vmap_area(m: Kernel, size: int, align: int, vstart: int, vend: int, gfp: int) -> VmapArea | None:
    """Reserve a range of addresses. Kernel: alloc_vmap_area

    When the addresses run out, the lazily freed ones are purged and the search is made once more. Returns
    None when even that does not help, or when there is no memory for the structure.
    """
    printk.might_sleep(m, "mm/vmalloc.c", 1673)
    gfp &= gfp_masks.GFP_RECLAIM_MASK
    new = alloc_object(m, gfp)
    if new is None:
        return None
    space = m.vmap
    for last_try in (False, True):
        if space.preload[m.current.cpu] is None:
            space.preload[m.current.cpu] = alloc_object(m, gfp)
        va_start = reserve(m, size, align, vstart, vend)
        if va_start is not None:
            va = VmapArea(va_start, va_start + size, new)
            space.busy.insert(va)
            return va
        if not last_try:
            purge_vmap_area_lazy(m)
    if not gfp & gfp_masks.__GFP_NOWARN:
        printk.printk(m, f"vmap allocation for size {size} failed: use vmalloc=<size> to increase size")
    free_object(m, new)
    return None


def reserve(m: Kernel, size: int, align: int, vstart: int, vend: int) -> int | None:
    """Cut a range out of the lowest free one that holds it. Kernel: __alloc_vmap_area"""
    free = m.vmap.free
    va = free.lowest_match(size, align, vstart)
    address = vend if va is None else place_in(va, align, vstart)
    if va is None or address + size > vend:
        if m.trace is not None:
            m.trace.vmalloc.no_area(size, vstart, vend, m.vmap.vmap_lazy_nr)
        return None
    fit = classify_va_fit_type(va, address, size)
    if m.trace is not None:
        m.trace.vmalloc.area_found((va.va_start, va.va_end), address, size, align, vstart, vend, fit)
    if fit == FL_FIT_TYPE:
        free.unlink(va)
        free_object(m, va.object)
    elif fit == LE_FIT_TYPE:
        free.resize(va, address + size, va.va_end)
    elif fit == RE_FIT_TYPE:
        free.resize(va, va.va_start, address)
    else:
        left = take_preloaded(m)
        if left is None:
            return None
        va_start = va.va_start
        free.resize(va, address + size, va.va_end)
        free.insert(VmapArea(va_start, address, left))
    return address


def classify_va_fit_type(va: VmapArea, address: int, size: int) -> str:
    """Where in a free range the new one lies, and so what is left of it. Kernel: classify_va_fit_type"""
    if address == va.va_start:
        return FL_FIT_TYPE if address + size == va.va_end else LE_FIT_TYPE
    return RE_FIT_TYPE if address + size == va.va_end else NE_FIT_TYPE


def take_preloaded(m: Kernel) -> int | None:
    """The structure for the other half of a range cut in its middle, put aside while one could wait."""
    spare = m.vmap.preload[m.current.cpu]
    m.vmap.preload[m.current.cpu] = None
    return alloc_object(m, gfp_masks.GFP_NOWAIT) if spare is None else spare


def alloc_object(m: Kernel, gfp: int) -> int | None:
    """A structure from the slab cache `vmap_area`; None without memory.

    An i386 recording does not show this cache. Its machine gets the structures from nowhere, as 0.
    """
    cache = m.caches.get(CACHE)
    return 0 if cache is None else slub.kmem_cache_alloc(m, cache, gfp)


def free_object(m: Kernel, address: int) -> None:
    """Give a structure back. One older than the machine's first dump is in a slab that nobody can name."""
    cache = m.caches.get(CACHE)
    if address and cache is not None:
        slub.kmem_cache_free(m, cache, address)


# -- giving it back --------------------------------------------------------------------------------


@traced
def free_vmap_area_noflush(m: Kernel, va: VmapArea) -> None:
    """Put an unmapped range aside until the next purge. Kernel: free_vmap_area_noflush"""
    m.vmap.busy.unlink(va)
    va.vm = None
    pages = va.size >> PAGE_SHIFT
    m.vmap.vmap_lazy_nr += pages
    if m.trace is not None:
        m.trace.vmalloc.area_lazy(
            va.va_start, pages, m.vmap.vmap_lazy_nr, lazy_max_pages(m), over=too_many_lazy(m)
        )
    for merged in m.vmap.purge.merge_or_add(va):
        free_object(m, merged.object)


def lazy_max_pages(m: Kernel) -> int:
    """How many pages of addresses may wait. Kernel: lazy_max_pages

    More CPUs make a TLB flush dearer, so more is gathered for each.
    """
    return m.model.cpus.bit_length() * LAZY_MAX_PAGES


def too_many_lazy(m: Kernel) -> bool:
    """Whether more pages of addresses wait than may. Kernel: free_vmap_area_noflush"""
    return m.vmap.vmap_lazy_nr > lazy_max_pages(m)


@traced
def purge_vmap_area_lazy(m: Kernel) -> None:
    """Flush the TLBs once and make all waiting ranges free. Kernel: __purge_vmap_area_lazy"""
    space = m.vmap
    waiting = list(space.purge)
    if m.trace is not None:
        m.trace.vmalloc.purge(waiting, space.vmap_lazy_nr)
    space.purge = AreaTree()
    space.vmap_lazy_nr = 0
    for va in waiting:
        for merged in space.free.merge_or_add(va):
            free_object(m, merged.object)


def vm_unmap_aliases(m: Kernel) -> None:
    """Purge on request: then no page is still mapped in a freed range. Kernel: vm_unmap_aliases"""
    printk.might_sleep(m, "mm/vmalloc.c", 2214)
    purge_vmap_area_lazy(m)


def drain_vmap_work(m: Kernel) -> None:
    """Purge when too much waits. Kernel: drain_vmap_area_work

    A kernel worker does it a moment later; here it is done before the call that made it necessary returns.
    """
    if too_many_lazy(m) or (m.purge_at_vfree and m.vmap.vmap_lazy_nr):
        purge_vmap_area_lazy(m)
