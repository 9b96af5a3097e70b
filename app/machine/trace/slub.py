"""SLUB: the places where an object is looked for, and where it goes back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm import gfp as gfp_masks
from app.mm.gfp import pGg
from app.mm.slab import SLAB_ACCOUNT

if TYPE_CHECKING:
    from app.mm.slab import KmemCache, Slab

# A name with two underscores would be another inside a class.
GFP_ACCOUNT: Final = gfp_masks.__GFP_ACCOUNT


def slab_numbers(slab: Slab) -> dict[str, Any]:
    """Which slab, and how full."""
    return {
        "cache": slab.cache.name,
        "slab_pfn": slab.pfn,
        "order": slab.order,
        "objects": slab.objects,
        "inuse": slab.inuse,
    }


def objects(freed: list[int]) -> str:
    """What goes back, as the subject of a sentence."""
    if len(freed) == 1:
        return f"object {freed[0]} goes"
    return f"{count(len(freed), 'object')}, {freed[-1]} first, go"


def indexes(freed: list[int]) -> dict[str, Any]:
    """The same as numbers, in the order in which they will be given out again."""
    return {"index": freed[0]} if len(freed) == 1 else {"indexes": freed[: -MAX_LISTED - 1 : -1]}


def allocated(
    area: Area, name: str, address: int | None, requested: int, size: int, gfp: int, nid: int | None,
    *, accounted: bool,
) -> None:  # fmt: skip
    """The form that the tracepoints kmalloc and kmem_cache_alloc share."""
    memcg = area.m.kmalloc_caches[1] is not area.m.kmalloc_caches[0]
    area.point(
        name,
        f"{area.call_site()} ptr={area.pointer(address)} bytes_req={requested} bytes_alloc={size}"
        f" gfp_flags={pGg(gfp) or 'none'} node={-1 if nid is None else nid}"
        f" accounted={'true' if accounted and memcg else 'false'}",
    )


class SlubSteps(Area):
    """Reports of app.mm.slub."""

    def kmem_cache_alloc(self, s: KmemCache, address: int | None, gfp: int, nid: int | None) -> None:
        """Kernel: trace_kmem_cache_alloc"""
        accounted = bool(gfp & GFP_ACCOUNT or s.flags & SLAB_ACCOUNT)
        allocated(self, "kmem_cache_alloc", address, s.object_size, s.size, gfp, nid, accounted=accounted)
        self.step(
            "kmem_cache_alloc",
            "returns NULL" if address is None else f"returns {address:#x} of {s.name}",
            verdict="null" if address is None else "ok",
            numbers={"address": None if address is None else f"{address:#x}", "cache": s.name},
        )

    def kmem_cache_free(self, s: KmemCache, named: KmemCache, address: int) -> None:
        """The cache that was named, and the one that it is. Kernel: trace_kmem_cache_free"""
        self.point("kmem_cache_free", f"{self.call_site()} ptr={self.pointer(address)} name={s.name}")
        self.step(
            "kmem_cache_free",
            f"{address:#x} is of {s.name}" + ("" if s is named else f", not of {named.name}"),
            verdict="ok" if s is named else "wrong cache",
            numbers={"address": f"{address:#x}", "cache": s.name, "named": named.name},
        )

    def fastpath(self, s: KmemCache, slab: Slab, index: int, left: int) -> None:
        """The CPU's own list had an object."""
        self.step(
            "slab_alloc_node",
            f"CPU {self.m.current.cpu}'s list of {s.name} gives object {index} of slab {slab.pfn:#x}",
            verdict="fast path",
            node=slab.nid,
            numbers={"cache": s.name, "slab_pfn": slab.pfn, "index": index, "left": left},
        )

    def cpu_partial(self, slab: Slab, left: int) -> None:
        """The CPU takes the newest of its partial slabs."""
        self.step(
            "___slab_alloc",
            f"the newest of CPU {self.m.current.cpu}'s partial slabs, {slab.pfn:#x}, becomes its slab",
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
            f"CPU {self.m.current.cpu}'s list is empty; its slab {slab.pfn:#x} {what}",
            verdict="refilled" if objects else "full",
            node=slab.nid,
            numbers={**slab_numbers(slab), "taken": objects},
        )

    def get_partial(
        self, s: KmemCache, nid: int, found: tuple[Slab, list[int]] | None, more: list[Slab], before: int,
        limit: int,
    ) -> None:  # fmt: skip
        """The node's partial list: the first slab for now, some more for later, until over `limit` are."""
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
            + (f"; {len(more)} more for CPU {self.m.current.cpu}'s partial list" if more else ""),
            verdict="node partial",
            node=nid,
            numbers={
                **slab_numbers(first),
                "free": len(free),
                "nr_partial": before,
                "to_cpu_partial": [slab.pfn for slab in more],
                "limit": limit,
            },
        )

    def other_node(self, s: KmemCache, nid: int, nr_partial: int, *, plenty: bool) -> None:
        """Whether another node has so many partial slabs that it may help."""
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
            f"slab {slab.pfn:#x} has {count(slab.objects, 'object')} of {slab.cache.size:,} bytes"
            + (
                ""
                if slab.cache.ctor is None
                else f"; {slab.cache.ctor} constructs each of them, now and only now"
            ),
            verdict="ok",
            node=slab.nid,
            numbers={**slab_numbers(slab), "size": slab.cache.size},
            changed=[[slab.pfn, 1 << slab.order, "slab"]],
        )

    def zeroed_with_ctor(self, s: KmemCache) -> None:
        """Zeroes were asked for of a cache whose objects are constructed."""
        self.step(
            "new_slab",
            f"{s.ctor} constructs the objects of {s.name}, and __GFP_ZERO wipes out what it wrote: a warning,"
            " once",
            verdict="warn",
            numbers={"cache": s.name, "ctor": s.ctor},
        )

    def bulk_alloc(self, s: KmemCache, size: int, got: int, fast: int) -> None:
        """How many of the objects that were asked for there were."""
        short = "" if got == size else f", not {size:,}: they are freed again, and the answer is 0"
        self.step(
            "kmem_cache_alloc_bulk",
            f"{count(got, 'object')} of {s.name}{short}; {fast:,} from CPU {self.m.current.cpu}'s own list",
            verdict="ok" if got == size else "null",
            numbers={"cache": s.name, "size": size, "got": got, "fast": fast},
        )

    def detached(self, slab: Slab, freed: list[int], left: int) -> None:
        """Objects of one slab that are freed in one go. left: how many of the array are still to come."""
        self.step(
            "build_detached_freelist",
            f"{count(len(freed), 'object')} of slab {slab.pfn:#x} {'is' if len(freed) == 1 else 'are'} freed"
            f" in one go, {left:,} of the array {'is' if left == 1 else 'are'} left",
            node=slab.nid,
            numbers={"cache": slab.cache.name, "slab_pfn": slab.pfn, **indexes(freed), "left": left},
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

    def free_fastpath(self, slab: Slab, freed: list[int], free: int) -> None:
        """The objects are of the CPU's own slab."""
        self.step(
            "do_slab_free",
            f"slab {slab.pfn:#x} is CPU {self.m.current.cpu}'s: {objects(freed)} on its list",
            verdict="fast path",
            node=slab.nid,
            numbers={
                "cache": slab.cache.name,
                "slab_pfn": slab.pfn,
                **indexes(freed),
                "on_list": free,
            },
        )

    def free_slow(
        self, fn: str, slab: Slab, freed: list[int], partial: int, *, was_full: bool, discard: bool
    ) -> None:
        """The objects are of a slab that is not the CPU's. fn: __slab_free, or what caches that check have.

        partial: slabs in the node's partial list. discard: whether the slab goes back.
        """
        s = slab.cache
        if slab.frozen:
            what, verdict = "some CPU's", "frozen"
        elif discard:
            what, verdict = f"empty now, and {partial} partial ≥ min_partial {s.min_partial}", "discard"
        elif was_full:
            what, verdict = "full until now, so in no list", "was full"
        elif not slab.inuse:
            what, verdict = f"empty now, but {partial} partial < min_partial {s.min_partial}", "keep"
        else:
            what, verdict = f"in node {slab.nid}'s partial list, where it stays", "partial"
        self.step(
            fn,
            f"{objects(freed)} back to slab {slab.pfn:#x}, which is {what}",
            verdict=verdict,
            node=slab.nid,
            numbers={
                **slab_numbers(slab),
                **indexes(freed),
                "nr_partial": partial,
                "min_partial": s.min_partial,
            },
        )

    def put_cpu_partial(self, s: KmemCache, slab: Slab, before: int, *, drain: bool) -> None:
        """A slab comes to the CPU's partial list, which is drained first when it is full."""
        self.step(
            "put_cpu_partial",
            f"CPU {self.m.current.cpu}'s partial list has {count(before, 'slab')}"
            f" {'≥' if drain else '<'} {s.cpu_partial_slabs}"
            + (": all of them go to the nodes first" if drain else ""),
            verdict="drain" if drain else "kept",
            node=slab.nid,
            numbers={
                **slab_numbers(slab),
                "partial_slabs": before,
                "cpu_partial_slabs": s.cpu_partial_slabs,
                "cpu_partial": s.cpu_partial,
            },
        )

    def unfrozen(self, fn: str, slab: Slab, partial: int, *, discard: bool) -> None:
        """A slab is no CPU's any more: kept in the node's list, or empty and one too many.

        fn: the kernel's function that decides. partial: slabs in the node's list.
        """
        s = slab.cache
        if slab.inuse:
            what, verdict = (
                f"has {count(slab.inuse, 'object')} in use",
                "partial" if slab.freelist else "full",
            )
        elif discard:
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
