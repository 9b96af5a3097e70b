"""Objects: size classes, the places where SLUB looks, slabs that come and go, layouts of caches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.trace.collector import Collector, count
from app.machine.trace.functions import running
from app.mm import gfp as gfp_masks
from app.mm.gfp import pGg
from app.mm.memory_model import PAGE_SIZE
from app.mm.slab import SLAB_ACCOUNT, virt_to_slab

if TYPE_CHECKING:
    from app.mm.slab import KmemCache, KmemCacheNode, Slab

# A name with two underscores would be another inside a class.
GFP_ACCOUNT: Final = gfp_masks.__GFP_ACCOUNT
KMALLOC_ROWS: Final = ("KMALLOC_NORMAL", "KMALLOC_CGROUP", "KMALLOC_RECLAIM", "KMALLOC_DMA")


def slab_numbers(slab: Slab) -> dict[str, Any]:
    """Which slab, and how full."""
    return {
        "cache": slab.cache.name,
        "slab_pfn": slab.pfn,
        "order": slab.order,
        "objects": slab.objects,
        "inuse": slab.inuse,
    }


class SlabSteps(Collector):
    """Reports of slab_common, slub and slub_layout."""

    # -- tracepoints ------------------------------------------------------------------------------

    def allocated(
        self, name: str, address: int | None, requested: int, size: int, gfp: int, nid: int | None,
        *, accounted: bool,
    ) -> None:  # fmt: skip
        """The form that kmalloc and kmem_cache_alloc share.

        The call site is the function alone: where in its code the call stands, no build but one's own tells.
        """
        memcg = self.m.kmalloc_caches[1] is not self.m.kmalloc_caches[0]
        self.point(
            name,
            f"call_site={running()[-2]} ptr={self.pointer(address)} bytes_req={requested} bytes_alloc={size}"
            f" gfp_flags={pGg(gfp) or 'none'} node={-1 if nid is None else nid}"
            f" accounted={'true' if accounted and memcg else 'false'}",
        )

    def kmalloc(self, address: int | None, requested: int, size: int, gfp: int, nid: int | None) -> None:
        """Kernel: trace_kmalloc"""
        accounted = bool(gfp & GFP_ACCOUNT)
        self.allocated("kmalloc", address, requested, size, gfp, nid, accounted=accounted)
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

    def kmem_cache_alloc(self, s: KmemCache, address: int | None, gfp: int, nid: int | None) -> None:
        """Kernel: trace_kmem_cache_alloc"""
        accounted = bool(gfp & GFP_ACCOUNT or s.flags & SLAB_ACCOUNT)
        self.allocated(
            "kmem_cache_alloc", address, s.object_size, s.size, gfp, nid, accounted=accounted
        )  # fmt: skip
        self.step(
            "kmem_cache_alloc",
            "returns NULL" if address is None else f"returns {address:#x} of {s.name}",
            verdict="null" if address is None else "ok",
            numbers={"address": None if address is None else f"{address:#x}", "cache": s.name},
        )

    def kfree(self, address: int | None) -> None:
        """What an address is taken for. Kernel: trace_kfree"""
        self.point("kfree", f"call_site={running()[-2]} ptr={self.pointer(address)}")
        if address is None or address <= 16:
            name = "ZERO_SIZE_PTR" if address else "NULL"
            self.step("kfree", f"{name} is nothing to free", verdict="ignored")
            return
        slab = virt_to_slab(self.m, address)
        what = "in no slab: taken for a large kmalloc" if slab is None else f"in a slab of {slab.cache.name}"
        numbers = {"address": f"{address:#x}", "pfn": self.m.model.virt_to_pfn(address)}
        if slab is not None:
            numbers |= slab_numbers(slab) | {"index": slab.index(address)}
        self.step("kfree", f"{address:#x} lies {what}", numbers=numbers)

    def kmem_cache_free(self, s: KmemCache, named: KmemCache, address: int) -> None:
        """The cache that was named, and the one that it is. Kernel: trace_kmem_cache_free"""
        self.point("kmem_cache_free", f"call_site={running()[-2]} ptr={self.pointer(address)} name={s.name}")
        self.step(
            "kmem_cache_free",
            f"{address:#x} is of {s.name}" + ("" if s is named else f", not of {named.name}"),
            verdict="ok" if s is named else "wrong cache",
            numbers={"address": f"{address:#x}", "cache": s.name, "named": named.name},
        )

    # -- kmalloc ----------------------------------------------------------------------------------

    def kmalloc_slab(self, s: KmemCache, size: int, gfp: int, row: int, index: int) -> None:
        """The size class of a request."""
        how = f"table entry {(size - 1) >> 3}" if size <= 192 else f"highest bit of {size - 1}"
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

    def krealloc(self, address: int | None, ksize: int, size: int) -> None:
        """Whether memory may stay where it is."""
        fits = ksize >= size
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

    # -- where an object comes from ---------------------------------------------------------------

    def fastpath(self, s: KmemCache, slab: Slab, index: int, left: int) -> None:
        """The CPU's own list had an object."""
        self.step(
            "slab_alloc_node",
            f"CPU {self.m.cpu}'s list of {s.name} gives object {index} of slab {slab.pfn:#x}",
            verdict="fast path",
            node=slab.nid,
            numbers={"cache": s.name, "slab_pfn": slab.pfn, "index": index, "left": left},
        )

    def cpu_partial(self, slab: Slab, left: int) -> None:
        """The CPU takes the newest of its partial slabs."""
        self.step(
            "___slab_alloc",
            f"the newest of CPU {self.m.cpu}'s partial slabs, {slab.pfn:#x}, becomes its slab",
            verdict="cpu partial",
            node=slab.nid,
            numbers={**slab_numbers(slab), "partial_slabs_left": left},
        )

    def node_mismatch(self, slab: Slab, nid: int) -> None:
        """The CPU's slab is of another node than asked for."""
        self.step(
            "___slab_alloc",
            f"slab {slab.pfn:#x} is of node {slab.nid}, not {nid}: it is taken from the CPU",
            verdict="node mismatch",
            node=slab.nid,
            numbers={**slab_numbers(slab), "node": nid},
        )

    def get_freelist(self, slab: Slab, objects: int) -> None:
        """What others have freed to the CPU's slab."""
        what = f"gives the {count(objects, 'object')} freed to it" if objects else "is full: let go"
        self.step(
            "get_freelist",
            f"CPU {self.m.cpu}'s list is empty; its slab {slab.pfn:#x} {what}",
            verdict="refilled" if objects else "full",
            node=slab.nid,
            numbers={**slab_numbers(slab), "taken": objects},
        )

    def get_partial(
        self, s: KmemCache, nid: int, found: tuple[Slab, list[int]] | None, more: list[Slab], before: int
    ) -> None:
        """The node's partial list: the first slab for now, some more for later."""
        if found is None:
            self.step(
                "get_partial_node",
                f"node {nid} has no partial slab of {s.name}",
                verdict="none",
                node=nid,
                numbers={"cache": s.name, "nr_partial": before},
            )
            return
        first, free = found
        self.step(
            "get_partial_node",
            f"node {nid}'s first partial slab, {first.pfn:#x}, with {count(len(free), 'free object')}"
            + (f"; {len(more)} more for CPU {self.m.cpu}'s partial list" if more else ""),
            verdict="node partial",
            node=nid,
            numbers={
                **slab_numbers(first),
                "free": len(free),
                "nr_partial": before,
                "to_cpu_partial": [slab.pfn for slab in more],
                "limit": s.cpu_partial_slabs // 2,
            },
        )

    def other_node(self, s: KmemCache, nid: int, nr_partial: int) -> None:
        """Whether another node has so many partial slabs that it may help."""
        plenty = nr_partial > s.min_partial
        self.step(
            "get_partial_node",
            f"node {nid} has {nr_partial} {'>' if plenty else '≤'} min_partial {s.min_partial}",
            verdict="ok" if plenty else "no",
            node=nid,
            numbers={"cache": s.name, "nr_partial": nr_partial, "min_partial": s.min_partial},
        )

    def allocate_slab(self, s: KmemCache, order: int, gfp: int) -> None:
        """A block for a new slab is asked for."""
        what = (
            "as it should be" if order == s.order else f"as small as can be, since {s.order} is not to be had"
        )
        self.step(
            "allocate_slab",
            f"a new slab of {s.name}: order {order}, {what}",
            verdict="new slab",
            numbers={
                "cache": s.name,
                "order": order,
                "min_order": s.min_order,
                "gfp": f"{gfp:#x}",
                "gfp_names": pGg(gfp),
            },
        )

    def new_slab(self, slab: Slab) -> None:
        """A slab with all of its objects free."""
        self.step(
            "allocate_slab",
            f"slab {slab.pfn:#x} has {count(slab.objects, 'object')} of {slab.cache.size:,} bytes",
            verdict="ok",
            node=slab.nid,
            numbers={**slab_numbers(slab), "size": slab.cache.size},
            changed=[[slab.pfn, 1 << slab.order, "slab"]],
        )

    def alloc_single(self, slab: Slab, index: int, *, new: bool) -> None:
        """A cache that checks takes each object from a node's list."""
        fn, where = "alloc_single_from_partial", "the node's first partial slab"
        if new:
            fn, where = "alloc_single_from_new_slab", "the new slab"
        self.step(
            fn,
            f"{slab.cache.name} checks its objects, so no CPU has a list: object {index}"
            f" of {where}, {slab.pfn:#x}",
            verdict="new slab" if new else "node partial",
            node=slab.nid,
            numbers={**slab_numbers(slab), "index": index},
        )

    # -- where an object goes ---------------------------------------------------------------------

    def free_fastpath(self, slab: Slab, index: int, free: int) -> None:
        """The object is of the CPU's own slab."""
        self.step(
            "do_slab_free",
            f"slab {slab.pfn:#x} is CPU {self.m.cpu}'s: object {index} goes on its list",
            verdict="fast path",
            node=slab.nid,
            numbers={"cache": slab.cache.name, "slab_pfn": slab.pfn, "index": index, "on_list": free},
        )

    def free_slow(self, fn: str, slab: Slab, index: int, n: KmemCacheNode, *, was_full: bool) -> None:
        """The object is of a slab that is not the CPU's. fn: __slab_free, or what caches that check have."""
        s = slab.cache
        partial = len(n.partial)
        empty = not slab.inuse and (fn == "free_to_partial_list" or not was_full)
        if slab.frozen:
            what, verdict = "some CPU's", "frozen"
        elif empty and partial >= s.min_partial:
            what, verdict = f"empty now, and {partial} partial ≥ min_partial {s.min_partial}", "discard"
        elif was_full:
            what, verdict = "full until now, so in no list", "was full"
        elif empty:
            what, verdict = f"empty now, but {partial} partial < min_partial {s.min_partial}", "keep"
        else:
            what, verdict = f"in node {slab.nid}'s partial list, where it stays", "partial"
        self.step(
            fn,
            f"object {index} goes back to slab {slab.pfn:#x}, which is {what}",
            verdict=verdict,
            node=slab.nid,
            numbers={
                **slab_numbers(slab),
                "index": index,
                "nr_partial": partial,
                "min_partial": s.min_partial,
            },
        )

    def put_cpu_partial(self, s: KmemCache, slab: Slab, before: int) -> None:
        """A slab comes to the CPU's partial list, which may be full."""
        full = before >= s.cpu_partial_slabs
        self.step(
            "put_cpu_partial",
            f"CPU {self.m.cpu}'s partial list has {count(before, 'slab')}"
            f" {'≥' if full else '<'} {s.cpu_partial_slabs}"
            + (": all of them go to the nodes first" if full else ""),
            verdict="drain" if full else "kept",
            node=slab.nid,
            numbers={
                **slab_numbers(slab),
                "partial_slabs": before,
                "cpu_partial_slabs": s.cpu_partial_slabs,
                "cpu_partial": s.cpu_partial,
            },
        )

    def unfrozen(self, fn: str, slab: Slab, n: KmemCacheNode) -> None:
        """A slab is no CPU's any more: kept in the node's list, or empty and one too many.

        fn: the kernel's function that decides.
        """
        s, partial = slab.cache, len(n.partial)
        if slab.inuse:
            what, verdict = (
                f"has {count(slab.inuse, 'object')} in use",
                "partial" if slab.freelist else "full",
            )
        elif partial >= s.min_partial:
            what, verdict = f"is empty, and {partial} partial ≥ min_partial {s.min_partial}", "discard"
        else:
            what, verdict = f"is empty, but {partial} partial < min_partial {s.min_partial}", "keep"
        self.step(
            fn,
            f"slab {slab.pfn:#x} {what}",
            verdict=verdict,
            node=slab.nid,
            numbers={**slab_numbers(slab), "nr_partial": partial, "min_partial": s.min_partial},
        )

    def discard_slab(self, slab: Slab) -> None:
        """An empty slab goes back to the page allocator."""
        self.step(
            "discard_slab",
            f"slab {slab.pfn:#x} of order {slab.order} goes back to the page allocator",
            node=slab.nid,
            numbers=slab_numbers(slab),
        )

    def free_large_kmalloc(self, pfn: int, order: int) -> None:
        """The order that a compound page says it has."""
        self.step(
            "free_large_kmalloc",
            f"page frame {pfn:#x} says order {order}",
            numbers={"pfn": pfn, "order": order, "bytes": PAGE_SIZE << order},
        )

    # -- caches -----------------------------------------------------------------------------------

    def layout(self, s: KmemCache, cpus: int, *, opened: bool) -> None:
        """How objects lie in the slabs of a new cache, and how many slabs it may keep."""
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
                "wanted_objects": 4 * (cpus.bit_length() + 1),
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
