"""kmalloc: size classes, what an address is taken for, layouts of new caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.trace.collector import Area, count
from app.machine.trace.slub import GFP_ACCOUNT, allocated, slab_numbers
from app.mm.memory_model import PAGE_SIZE

if TYPE_CHECKING:
    from app.mm.slab import KmemCache, Slab

KMALLOC_ROWS: Final = ("KMALLOC_NORMAL", "KMALLOC_CGROUP", "KMALLOC_RECLAIM", "KMALLOC_DMA")


class SlabCommonSteps(Area):
    """Reports of app.mm.slab_common."""

    def kmalloc(self, address: int | None, requested: int, size: int, gfp: int, nid: int | None) -> None:
        """Kernel: trace_kmalloc"""
        accounted = bool(gfp & GFP_ACCOUNT)
        allocated(self, "kmalloc", address, requested, size, gfp, nid, accounted=accounted)
        self.step(
            "__kmalloc",
            "returns NULL" if address is None else f"returns {address:#x}, {count(size, 'byte')}",
            verdict="null" if address is None else "ok",
            numbers={
                "address": None if address is None else f"{address:#x}",
                "bytes_req": requested,
                "bytes_alloc": size,
            },
        )

    def kmalloc_slab(
        self, s: KmemCache, size: int, gfp: int, row: int, index: int, entry: int | None
    ) -> None:
        """The size class of a request. entry: of the table of small sizes, if it was looked up there."""
        how = f"table entry {entry}" if entry is not None else f"highest bit of {size - 1}"
        self.step(
            "kmalloc_slab",
            f"{count(size, 'byte')}: class {index} by the {how}, {KMALLOC_ROWS[row]} by the mask: {s.name}",
            numbers={
                "size": size,
                "index": index,
                "cache": s.name,
                "object_size": s.object_size,
                "unused": s.object_size - size,
                "type": KMALLOC_ROWS[row],
                "gfp": f"{gfp:#x}",
            },
        )

    def array_size(self, fn: str, n: int, size: int, total: int, size_max: int, *, fits: bool) -> None:
        """Whether the bytes of all elements are a size_t. fn: kmalloc_array or kvmalloc_array."""
        self.step(
            fn,
            f"{n:,} × {size:,} = {total:,} bytes"
            + ("" if fits else f" > {size_max:#x}, more than size_t can hold: NULL at once"),
            verdict="ok" if fits else "null",
            numbers={"n": n, "size": size, "bytes": total, "size_max": size_max},
        )

    def zero_size(self) -> None:
        """A request for no bytes."""
        self.step("__kmalloc", "0 bytes: ZERO_SIZE_PTR, which is no memory", verdict="ok")

    def kmalloc_large(self, size: int, order: int, max_cache_size: int) -> None:
        """A request beyond the size classes."""
        self.step(
            "__kmalloc_large_node",
            f"{size:,} bytes > {max_cache_size:,}: a compound page of order {order}",
            numbers={
                "size": size,
                "max_cache_size": max_cache_size,
                "order": order,
                "bytes": PAGE_SIZE << order,
                "unused": (PAGE_SIZE << order) - size,
            },
        )

    def kfree_nothing(self, address: int | None) -> None:
        """An address that stands for no memory. Kernel: trace_kfree"""
        self.point("kfree", f"{self.call_site()} ptr={self.pointer(address)}")
        name = "ZERO_SIZE_PTR" if address else "NULL"
        self.step("kfree", f"{name} is nothing to free", verdict="ignored")

    def kfree(self, address: int, slab: Slab | None) -> None:
        """What an address is taken for. Kernel: trace_kfree"""
        self.point("kfree", f"{self.call_site()} ptr={self.pointer(address)}")
        what = "in no slab: taken for a large kmalloc" if slab is None else f"in a slab of {slab.cache.name}"
        numbers = {"address": f"{address:#x}", "pfn": self.m.model.virt_to_pfn(address)}
        if slab is not None:
            numbers |= slab_numbers(slab) | {"index": slab.index(address)}
        self.step("kfree", f"{address:#x} lies {what}", numbers=numbers)

    def free_large_kmalloc(self, pfn: int, order: int) -> None:
        """The order that a compound page says it has."""
        self.step(
            "free_large_kmalloc",
            f"page frame {pfn:#x} says order {order}",
            numbers={"pfn": pfn, "order": order, "bytes": PAGE_SIZE << order},
        )

    def krealloc(self, address: int | None, ksize: int, size: int, *, fits: bool) -> None:
        """Whether memory may stay where it is."""
        self.step(
            "krealloc",
            f"{ksize:,} {'≥' if fits else '<'} {size:,} bytes: {'in place' if fits else 'new memory'}",
            verdict="in place" if fits else "moves",
            numbers={
                "address": None if address is None else f"{address:#x}",
                "ksize": ksize,
                "size": size,
            },
        )

    def layout(self, s: KmemCache, cpus: int, wanted: int, *, opened: bool) -> None:
        """How objects lie in the slabs of a new cache, and how many slabs it may keep.

        wanted: objects that a slab should have at least on so many CPUs. opened: whether the cache could be.
        """
        self.step(
            "calculate_sizes",
            f"objects of {s.object_size:,} bytes take {s.size:,}, aligned to {s.align}",
            numbers={
                "object_size": s.object_size,
                "size": s.size,
                "align": s.align,
                "inuse": s.inuse,
                "free_pointer": s.offset,
                "red_left_pad": s.red_left_pad,
            },
        )
        if not opened:
            self.step("calculate_order", "no order holds an object", verdict="null", numbers={"size": s.size})
            return
        slab_size = PAGE_SIZE << s.order
        waste = slab_size - s.objs * s.size
        self.step(
            "calculate_order",
            f"order {s.order}: {count(s.objs, 'object')}, {count(waste, 'byte')} of {slab_size:,} wasted",
            verdict="ok",
            numbers={
                "size": s.size,
                "cpus": cpus,
                "wanted_objects": wanted,
                "order": s.order,
                "slab_size": slab_size,
                "objects": s.objs,
                "waste": waste,
                "sixteenth": slab_size // 16,
                "min_order": s.min_order,
            },
        )
        self.step(
            "kmem_cache_open",
            f"an empty slab is kept while its node has fewer than {s.min_partial} partial ones;"
            f" a CPU keeps {count(s.cpu_partial_slabs, 'partial slab')}",
            numbers={
                "cache": s.name,
                "min_partial": s.min_partial,
                "cpu_partial": s.cpu_partial,
                "cpu_partial_slabs": s.cpu_partial_slabs,
                "objects": s.objs,
            },
        )
