"""What SLUB says when an object is not what it should be.

Kernel: mm/slub.c. A debugging kernel (slub_debug=F) looks at every pointer it is given and at the free list
of its slab; it reports, leaves the object alone and goes on. Without that a wrong pointer is believed. The
content of objects is not modelled, so nothing is ever found overwritten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import hexdump, page_check, printk
from app.mm.printk import pointer
from app.mm.slab import SLAB_CONSISTENCY_CHECKS, SLAB_KMALLOC, SLAB_TRACE, KmemCache, Slab
from app.mm.slub_layout import get_order

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

RULE: Final = 77
# Reports of one kind in a time. Kernel: include/linux/ratelimit_types.h DEFAULT_RATELIMIT_BURST
BURST: Final = 10


def slab_bug(m: Kernel, s: KmemCache, what: str) -> None:
    """The head of every report. Kernel: slab_bug"""
    m.worsen("bug")
    printk.printk(m, "=" * RULE)
    printk.printk(m, f"BUG {s.name} ({printk.print_tainted(m)}): {what}")
    printk.printk(m, "-" * RULE + "\n")


def slab_fix(m: Kernel, s: KmemCache, what: str) -> None:
    """What is done about it. Kernel: slab_fix"""
    printk.printk(m, f"FIX {s.name}: {what}")


def print_slab_info(m: Kernel, slab: Slab) -> None:
    """The slab that the report is about. Kernel: print_slab_info"""
    printk.printk(
        m,
        f"Slab 0x{pointer(m, m.model.pfn_to_page(slab.pfn))} objects={slab.objects} used={slab.inuse}"
        f" fp=0x{pointer(m, next_free(slab, len(slab.freelist)))} flags={page_check.pGp(m, slab.pfn)}",
    )


def print_trailer(m: Kernel, slab: Slab, index: int) -> None:
    """The slab, and the object with its free pointer. Kernel: print_trailer"""
    print_slab_info(m, slab)
    address = slab.address(index)
    place = slab.freelist.index(index) if index in slab.freelist else 0
    printk.printk(
        m,
        f"Object 0x{pointer(m, address)} @offset={address - slab.address(0) + slab.cache.red_left_pad}"
        f" fp=0x{pointer(m, next_free(slab, place))}\n",
    )
    # What a call's outcome has no room for is not made: an object may have 256 such lines.
    if m.rules >= 2 and len(m.current.lines) < printk.MAX_LINES_OF_A_CALL:
        hexdump.print_object(m, slab, index, next_free(slab, place))
    printk.dump_stack(m)


def next_free(slab: Slab, place: int) -> int:
    """Address of the object that follows a place of the free list, which is kept end first; 0 at its end."""
    return slab.address(slab.freelist[place - 1]) if place else 0


def object_err(m: Kernel, slab: Slab, index: int, reason: str) -> None:
    """A report about one object. Kernel: object_err"""
    slab_bug(m, slab.cache, reason)
    print_trailer(m, slab, index)
    m.taint |= printk.TAINT_BAD_PAGE


def slab_err(m: Kernel, slab: Slab, reason: str) -> None:
    """A report about a slab. Kernel: slab_err"""
    slab_bug(m, slab.cache, reason)
    print_slab_info(m, slab)
    printk.dump_stack(m)
    m.taint |= printk.TAINT_BAD_PAGE


def free_debug_processing(m: Kernel, s: KmemCache, slab: Slab, addresses: list[int]) -> bool:
    """Look at objects before they are freed; False when they must not be. Kernel: free_debug_processing

    addresses: of one slab, the last to be looked at first; one that is wrong keeps all from being freed. The
    kernel counts first: a slab without any used object has none to be freed. A kmalloc cache passes that
    test here, because on a real machine the rest of the kernel always has objects in it; so a double kfree is
    found where it would be found there, in the free list.
    """
    address = addresses[-1]
    if slab.inuse < len(addresses) and not s.flags & SLAB_KMALLOC:
        what = f"Slab has {slab.inuse} allocated objects but {len(addresses)} are to be freed"
        freed_twice(m, slab, address)
        slab_err(m, slab, what)
        slab_fix(m, s, f"Object at 0x{pointer(m, address)} not freed")
        return False
    for address in reversed(addresses):
        if s.flags & SLAB_CONSISTENCY_CHECKS and not free_consistency_checks(m, slab, address):
            slab_fix(m, s, f"Object at 0x{pointer(m, address)} not freed")
            return False
        if s.flags & SLAB_TRACE and (index := slab.index(address)) is not None:
            trace(m, s, slab, index, alloc=False)
    return True


def free_consistency_checks(m: Kernel, slab: Slab, address: int) -> bool:
    """Whether the pointer is that of an object in use. Kernel: free_consistency_checks"""
    index = slab.index(address)
    if index is None:
        into_object(m, slab, address)
        slab_err(m, slab, f"Invalid object pointer 0x{pointer(m, address)}")
        return False
    if slab.owner[index] is None:
        freed_twice(m, slab, address)
        object_err(m, slab, index, "Object already free")
        return False
    return True


def freed_twice(m: Kernel, slab: Slab, address: int) -> None:
    """Name the mistake of freeing an object that is free."""
    m.mistake("object_freed_twice", address=f"{address:#x}", cache=slab.cache.name, index=slab.index(address))


def into_object(m: Kernel, slab: Slab, address: int) -> None:
    """Name the mistake of freeing what is no object's first byte."""
    first, offset = slab.address(0), (address - slab.address(0)) % slab.cache.size
    m.mistake(
        "pointer_into_object",
        address=f"{address:#x}",
        cache=slab.cache.name,
        size=slab.cache.size,
        offset=offset,
        object=f"{max(first, address - offset):#x}",
    )


def silent_corruption(m: Kernel, slab: Slab, address: int, freelist: list[int]) -> None:
    """A wrong free that no check catches. Kernel: set_freepointer

    The one that is noticed is an object that would point to itself as the next free one: freed twice in a
    row. After any other the free list runs in a circle or through the middle of an object, and two users will
    be given the same memory. The machine does not follow the kernel there; it keeps the list as it was and
    says so.
    """
    index = slab.index(address)
    (into_object if index is None else freed_twice)(m, slab, address)
    if index is not None and freelist[-1:] == [index]:
        printk.bug(m, "kernel BUG at mm/slub.c:419!")
    what = "is no object" if index is None else "is free already"
    printk.refused(
        m, f"0x{pointer(m, address)} of {slab.cache.name} {what}; the kernel would now corrupt its free list"
    )


def list_slab_objects(m: Kernel, s: KmemCache, slab: Slab) -> None:
    """The objects that are left in a cache that is being destroyed. Kernel: list_slab_objects"""
    slab_err(m, slab, f"Objects remaining in {s.name} on __kmem_cache_shutdown()")
    for index, owner in enumerate(slab.owner):
        if owner is not None:
            address = slab.address(index)
            offset = address - slab.base + s.red_left_pad
            printk.printk(m, f"Object 0x{pointer(m, address)} @offset={offset}")


def trace(m: Kernel, s: KmemCache, slab: Slab, index: int, *, alloc: bool) -> None:
    """Print what is allocated or freed, for a cache with SLAB_TRACE. Kernel: trace"""
    what = "alloc" if alloc else "free"
    fp = next_free(slab, len(slab.freelist))
    printk.printk(
        m,
        f"TRACE {s.name} {what} 0x{pointer(m, slab.address(index))} inuse={slab.inuse} fp=0x{pointer(m, fp)}",
    )
    printk.dump_stack(m)


def slab_out_of_memory(m: Kernel, s: KmemCache, gfp: int, nid: int | None) -> None:
    """The cache's own report of a failed allocation, after the page allocator's.

    Kernel: slab_out_of_memory
    """
    if gfp & gfp_masks.__GFP_NOWARN or not printk.ratelimit(m, "slub_oom_rs", BURST):
        return
    node = -1 if nid is None else nid
    printk.printk(m, f"SLUB: Unable to allocate memory on node {node}, gfp={gfp:#x}({gfp_masks.pGg(gfp)})")
    printk.printk(
        m,
        f"  cache: {s.name}, object size: {s.object_size}, buffer size: {s.size}, default order: {s.order},"
        f" min order: {s.min_order}",
    )
    if s.min_order > get_order(s.object_size):
        printk.printk(m, f"  {s.name} debugging increased min order, use slub_debug=O to disable.")
    for nid_, n in enumerate(s.node):
        free = sum(len(slab.freelist) for slab in n.partial.values())
        printk.printk(m, f"  node {nid_}: slabs: {n.nr_slabs}, objs: {n.total_objects}, free: {free}")
