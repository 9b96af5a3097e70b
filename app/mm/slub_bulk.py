"""Many objects of a cache at once.

Kernel: mm/slub.c kmem_cache_alloc_bulk, kmem_cache_free_bulk. Who takes and gives objects by the dozen, as a
network driver does, pays once for what each of them would cost: interrupts are switched off once, and objects
of one slab go back to it as one list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import page_ref, printk, slub, slub_debug
from app.mm.slab import KmemCache, Slab, kmem_cache_debug, virt_to_slab
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# How many objects of other slabs are passed over before those found so far are freed.
LOOKAHEAD: Final = 3
# Objects between two pauses.
PAUSE_EVERY: Final = 64
# Where the offset of the free pointer stands in struct kmem_cache.
OFFSET_OFFSET: Final = {"x86_64": 0x28, "i386": 0x1C}


@traced
def kmem_cache_alloc_bulk(m: Kernel, s: KmemCache, gfp: int, size: int) -> list[int]:
    """Allocate `size` objects, or none at all. Kernel: kmem_cache_alloc_bulk

    The CPU's own list is emptied first, and refilled as for a single object. When one cannot be had, those
    before it are freed.
    """
    if gfp & gfp_masks.__GFP_DIRECT_RECLAIM and m.current.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274)
    c = s.cpu_slab[m.current.cpu]
    p: list[int] = []
    fast = 0
    while len(p) < size:
        if not len(p) % PAUSE_EVERY:
            m.breathe()
        if c.slab is not None and c.freelist:
            slab, index = c.slab, c.freelist.pop()
            fast += 1
        else:
            found = slub.slab_alloc(m, s, gfp, None, c)
            if found is None:
                break
            slab, index = found
        slab.owner[index] = m.current.caller
        m.live_objects += 1
        p.append(slab.address(index))
    if m.trace is not None:
        m.trace.slub.bulk_alloc(s, size, len(p), fast)
    if len(p) < size:
        kmem_cache_free_bulk(m, s, p)
        return []
    return p


@traced
def kmem_cache_free_bulk(m: Kernel, s: KmemCache, p: list[int]) -> None:
    """Free the objects of an array, the last first, those of one slab together.

    Kernel: kmem_cache_free_bulk
    """
    p = p.copy()
    size = len(p)
    while size:
        m.breathe()
        slab, addresses, size = build_detached_freelist(m, s, p, size)
        if m.trace is not None:
            indexes = [index for address in addresses if (index := slab.index(address)) is not None]
            m.trace.slub.detached(slab, indexes, size)
        if len(addresses) > 1 and not kmem_cache_debug(slab.cache):
            free_list(m, slab.cache, slab, addresses)
        elif len(addresses) > 1:
            slub.free_to_partial_list(m, slab.cache, slab, addresses)
        else:
            slub.slab_free(m, slab.cache, slab, addresses[0])


def build_detached_freelist(m: Kernel, s: KmemCache, p: list[int], size: int) -> tuple[Slab, list[int], int]:
    """Take the last object of the array, and before it those of the same slab, which become one list.

    Kernel: build_detached_freelist

    Returns the slab, the objects from the list's tail on, and how many of the array are left; these are
    moved to its beginning.
    """
    size -= 1
    address = p[size]
    slab = virt_to_slab(m, address)
    if slab is None:
        slub.no_slab(m, s, address, "kmem_cache_free_bulk")
        printk.page_fault(m, OFFSET_OFFSET[m.model.arch])
    slub.check_cache(m, s, slab, address, "kmem_cache_free_bulk")
    found = [address]
    same = size
    lookahead = LOOKAHEAD
    while size:
        size -= 1
        address = p[size]
        other = virt_to_slab(m, address)
        if other is slab:
            if address == found[-1]:
                printk.bug(m, "kernel BUG at mm/slub.c:419!")
            if address in found:
                twice(m, slab, address)
            else:
                found.append(address)
            same -= 1
            if size != same:
                p[size], p[same] = p[same], p[size]
            continue
        if other is None:
            page_ref.virt_to_page(m, address)
        lookahead -= 1
        if not lookahead:
            break
    return slab, found, same


def twice(m: Kernel, slab: Slab, address: int) -> None:
    """An object that stands in the array twice: the list that is made of it runs in a circle."""
    what = f"0x{printk.pointer(m, address)} of {slab.cache.name} stands in the array twice"
    printk.refused(m, f"{what}; the kernel would now corrupt its free list")


def free_list(m: Kernel, s: KmemCache, slab: Slab, addresses: list[int]) -> None:
    """Give the objects of a list back to their slab. Kernel: do_slab_free

    As for a single object: to the CPU's own slab it is one push, to any other slab the slow path.
    """
    c = s.cpu_slab[m.current.cpu]
    freelist = c.freelist if slab is c.slab else slab.freelist
    freed: list[int] = []
    for address in addresses:
        index = slab.index(address)
        if index is None or slab.owner[index] is None:
            slub_debug.silent_corruption(m, slab, address, [] if freed else freelist)
        else:
            slub.disown(m, slab, index)
            freed.append(index)
    if not freed:
        return
    if slab is c.slab:
        freelist += freed
        if m.trace is not None:
            m.trace.slub.free_fastpath(slab, freed, len(freelist))
    else:
        slub.slab_free_slow(m, s, slab, freed, c)
