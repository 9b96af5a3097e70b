"""The SLUB allocator: taking objects from slabs and giving them back.

Kernel: mm/slub.c. An allocation looks in five places, each dearer than the one before: the CPU's own list,
the free list of the CPU's slab (where other CPUs have freed to), the CPU's partial slabs, the node's partial
slabs, and the page allocator. Only the first is needed nearly always, and it takes no lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_free, page_ref, printk, slub_debug
from app.mm.gfp import GFP_CONSTRAINT_MASK, GFP_RECLAIM_MASK, GFP_SLAB_BUG_MASK
from app.mm.page import PG_slab
from app.mm.slab import (
    KERNEL,
    SLAB_TRACE,
    KmemCache,
    KmemCacheCpu,
    KmemCacheNode,
    Slab,
    kmem_cache_debug,
    virt_to_slab,
)
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

SHRINK_PROMOTE_MAX: Final = 32

_DIRECT_RECLAIM: Final = gfp_masks.__GFP_DIRECT_RECLAIM


# -- allocating ----------------------------------------------------------------------------------------------


def slab_alloc_node(m: Kernel, s: KmemCache, gfp: int, nid: int | None = None) -> int | None:
    """Allocate an object; its address, or None. Kernel: slab_alloc_node

    nid: node that the object must come from, None for any. The fast path is what a cache is for: the object
    freed last on this CPU is given out first, still warm in the CPU's own caches.
    """
    if gfp & _DIRECT_RECLAIM and m.current.context != "process":
        printk.might_sleep(m, "include/linux/sched/mm.h", 274, gfp)
    c = s.cpu_slab[m.current.cpu]
    slab = c.slab
    if slab is not None and c.freelist and (nid is None or slab.nid == nid):
        index = c.freelist.pop()
        if m.trace is not None:
            m.trace.slub.fastpath(s, slab, index, len(c.freelist))
    else:
        found = slab_alloc(m, s, gfp, nid, c)
        if found is None:
            return None
        slab, index = found
    slab.owner[index] = m.current.caller
    m.live_objects += 1
    return slab.base + index * s.size


@traced
def kmem_cache_alloc(m: Kernel, s: KmemCache, gfp: int, nid: int | None = None) -> int | None:
    """Allocate an object of a named cache. Kernel: kmem_cache_alloc, kmem_cache_alloc_node"""
    address = slab_alloc_node(m, s, gfp, nid)
    if m.trace is not None:
        m.trace.slub.kmem_cache_alloc(s, address, gfp, nid)
    return address


@traced
def slab_alloc(
    m: Kernel, s: KmemCache, gfp: int, nid: int | None, c: KmemCacheCpu
) -> tuple[Slab, int] | None:
    """The slow path: refill the CPU's list from wherever there is something. Kernel: ___slab_alloc"""
    while c.slab is not None or c.partial:
        if c.slab is None:
            c.slab = c.partial.pop()
            if m.trace is not None:
                m.trace.slub.cpu_partial(c.slab, len(c.partial))
        slab = c.slab
        if nid is not None and slab.nid != nid:
            if m.trace is not None:
                m.trace.slub.node_mismatch(slab, nid)
            flush_slab(m, s, c)
            continue
        if not c.freelist:
            if m.trace is not None:
                m.trace.slub.get_freelist(slab, len(slab.freelist))
            c.freelist = get_freelist(slab)
        if c.freelist:
            return slab, c.freelist.pop()
        c.slab = None
    if kmem_cache_debug(s):
        return alloc_single(m, s, gfp, nid)
    found = get_partial(m, s, gfp, nid, c) or new_cpu_slab(m, s, gfp, nid)
    if found is None:
        return None
    c.slab, c.freelist = found
    return c.slab, c.freelist.pop()


def get_freelist(slab: Slab) -> list[int]:
    """Take over the slab's own free list; a slab that has none is full and nobody's any more.

    Kernel: get_freelist
    """
    freelist = slab.freelist
    slab.freelist = []
    slab.frozen = bool(freelist)
    return freelist


def new_cpu_slab(m: Kernel, s: KmemCache, gfp: int, nid: int | None) -> tuple[Slab, list[int]] | None:
    """A new slab for the running CPU, with all of its objects."""
    slab = new_slab(m, s, gfp, nid)
    if slab is None:
        return None
    freelist = slab.freelist
    slab.freelist = []
    slab.frozen = True
    return slab, freelist


def get_partial(
    m: Kernel, s: KmemCache, gfp: int, nid: int | None, c: KmemCacheCpu
) -> tuple[Slab, list[int]] | None:
    """A slab from the node's partial list, or from another node that has plenty.

    Kernel: get_partial, get_any_partial

    The real kernel tries other nodes in 1000 of 1024 cases, by the CPU's clock; here always.
    """
    local = m.cpu_node[m.current.cpu] if nid is None else nid
    found = get_partial_node(m, s, local, c)
    if found is not None or nid is not None or len(s.node) == 1:
        return found
    for node in nodes_by_distance(m, gfp):
        nr_partial = len(s.node[node].partial)
        plenty = nr_partial > s.min_partial
        if m.trace is not None:
            m.trace.slub.other_node(s, node, nr_partial, plenty=plenty)
        if plenty:
            return get_partial_node(m, s, node, c)
    return None


def nodes_by_distance(m: Kernel, gfp: int) -> list[int]:
    """The nodes that may be used, nearest first: those of the zones that the mask allows, each once."""
    ac = page_alloc.prepare_alloc_pages(m, gfp & ~gfp_masks.__GFP_THISNODE, m.cpu_node[m.current.cpu])
    return list(dict.fromkeys(zone.nid for zone in ac.zonelist))


def get_partial_node(m: Kernel, s: KmemCache, nid: int, c: KmemCacheCpu) -> tuple[Slab, list[int]] | None:
    """Take the first partial slab for allocating, and some more for later while the lock is held.

    Kernel: get_partial_node
    """
    found = None
    taken = 0
    n = s.node[nid]
    before = len(n.partial)
    limit = s.cpu_partial_slabs // 2
    while n.partial:
        _, slab = n.partial.popitem(last=False)
        slab.frozen = True
        if found is None:
            found = slab, slab.freelist
            slab.freelist = []
        else:
            c.partial.append(slab)
            taken += 1
        if taken > limit:
            break
    if m.trace is not None:
        m.trace.slub.get_partial(s, nid, found, c.partial[len(c.partial) - taken :], before, limit)
    return found


# -- slabs from the page allocator ---------------------------------------------------------------------------


def new_slab(m: Kernel, s: KmemCache, gfp: int, nid: int | None) -> Slab | None:
    """A slab that is free altogether. Kernel: new_slab

    The caller's mask says where objects may come from, the cache's own flags what its slabs are: DMA memory,
    reclaimable. Bits that no cache can honour are taken out with a report, but only now that pages are
    needed.
    """
    if gfp & GFP_SLAB_BUG_MASK:
        gfp = kmalloc_fix_flags(m, gfp)
    if s.ctor is not None and gfp & gfp_masks.__GFP_ZERO:
        if m.trace is not None:
            m.trace.slub.zeroed_with_ctor(s)
        printk.warn_on_once(m, "mm/slub.c:1995", "new_slab")
    slab = allocate_slab(m, s, gfp & (GFP_RECLAIM_MASK | GFP_CONSTRAINT_MASK) | s.allocflags, nid)
    if slab is None:
        slub_debug.slab_out_of_memory(m, s, gfp, nid)
        return None
    n = s.node[slab.nid]
    n.nr_slabs += 1
    n.total_objects += slab.objects
    return slab


def kmalloc_fix_flags(m: Kernel, gfp: int) -> int:
    """Drop zone bits that would give memory without an address. Kernel: mm/slab_common.c kmalloc_fix_flags"""
    invalid = gfp & GFP_SLAB_BUG_MASK
    gfp &= ~GFP_SLAB_BUG_MASK
    m.worsen("warn")
    m.mistake("slab_gfp", dropped=gfp_masks.pGg(invalid), left=gfp_masks.pGg(gfp))
    printk.printk(
        m,
        f"Unexpected gfp: {invalid:#x} ({gfp_masks.pGg(invalid)}). "
        f"Fixing up to gfp: {gfp:#x} ({gfp_masks.pGg(gfp)}). Fix your code!",
    )
    printk.dump_stack(m)
    return gfp


@traced
def allocate_slab(m: Kernel, s: KmemCache, gfp: int, nid: int | None) -> Slab | None:
    """Get the page block, thread its objects and construct them. Kernel: allocate_slab

    The usual order is only a wish: it is asked for without reclaim and without a report, and where it fails
    the smallest order that holds an object is asked for in earnest.
    """
    order, objects = s.order, s.objs
    wish = (gfp | gfp_masks.__GFP_NOWARN | gfp_masks.__GFP_NORETRY) & ~gfp_masks.__GFP_NOFAIL
    if wish & _DIRECT_RECLAIM and order > s.min_order:
        wish = (wish | gfp_masks.__GFP_NOMEMALLOC) & ~gfp_masks.__GFP_RECLAIM
    if m.trace is not None:
        m.trace.slub.allocate_slab(s, order, wish)
    pfn = page_alloc.alloc_pages(m, wish, order, nid)
    if pfn is None:
        order, objects = s.min_order, s.min_objs
        if m.trace is not None:
            m.trace.slub.allocate_slab(s, order, gfp)
        pfn = page_alloc.alloc_pages(m, gfp, order, nid)
        if pfn is None:
            return None
    page = m.pages[pfn]
    page.state = "slab"
    page.flags |= PG_slab
    m.changed.frame(pfn, 1 << order, page.shown)
    slab = Slab(
        s, pfn, order, m.zone_of(pfn).nid, slab_base(m, s, pfn), shuffle_freelist(m, s, objects), objects
    )
    m.slabs[pfn] = s.slabs[pfn] = slab
    if m.trace is not None:
        m.trace.slub.new_slab(slab)
    return slab


def slab_base(m: Kernel, s: KmemCache, pfn: int) -> int:
    """Address of the first object of a slab: behind the red zone, where objects have one."""
    return m.model.page_offset + (pfn << 12) + s.red_left_pad


def shuffle_freelist(m: Kernel, s: KmemCache, objects: int) -> list[int]:
    """The free list of a new slab, the next object last. Kernel: shuffle_freelist

    In address order; on a machine with a seed, the cache's random sequence from a random place on. An
    attacker who overruns an object should not know which object lies behind it.
    """
    if m.freelist_seed is None or s.random_seq is None or objects < 2:
        return list(range(objects - 1, -1, -1))
    start = prandom_u32_max(m, len(s.random_seq))
    sequence = s.random_seq[start:] + s.random_seq[:start]
    return [index for index in reversed(sequence) if index < objects]


def prandom_u32_max(m: Kernel, ceiling: int) -> int:
    """The next number below `ceiling` from the machine's own, stored generator, a linear congruential one."""
    assert m.freelist_seed is not None
    m.freelist_seed = (m.freelist_seed * 1664525 + 1013904223) & 0xFFFFFFFF
    return m.freelist_seed * ceiling >> 32


def cache_random_seq_create(m: Kernel, count: int) -> list[int] | None:
    """A random order of a cache's objects, on a machine that has a seed. Kernel: cache_random_seq_create"""
    if m.freelist_seed is None or count < 2:
        return None
    sequence = list(range(count))
    for place in range(count - 1, 0, -1):
        other = prandom_u32_max(m, place + 1)
        sequence[place], sequence[other] = sequence[other], sequence[place]
    return sequence


@traced
def discard_slab(m: Kernel, s: KmemCache, slab: Slab) -> None:
    """Return an empty slab to the page allocator. Kernel: discard_slab, __free_slab

    With SLAB_TYPESAFE_BY_RCU the kernel waits until every CPU has passed through a quiet state; here that is
    at once.
    """
    if m.trace is not None:
        m.trace.slub.discard_slab(slab)
    n = s.node[slab.nid]
    n.nr_slabs -= 1
    n.total_objects -= slab.objects
    s.slabs.pop(slab.pfn, None)
    if m.slabs.get(slab.pfn) is slab:
        del m.slabs[slab.pfn]
    page = m.pages.get(slab.pfn)
    if page is not None:
        page.flags &= ~PG_slab
        page.state = "unmovable"
        if page.refcount > 1:
            m.changed.frame(slab.pfn, 1 << slab.order, page.shown)
    page_free.free_pages(m, slab.pfn, slab.order)


# -- freeing -------------------------------------------------------------------------------------------------


def slab_free(m: Kernel, s: KmemCache, slab: Slab, address: int) -> None:
    """Give an object back. Kernel: slab_free, do_slab_free

    To the CPU's own slab it is a push on a list; to any other slab it is the slow path.
    """
    if kmem_cache_debug(s):
        free_to_partial_list(m, s, slab, [address])
        return
    c = s.cpu_slab[m.current.cpu]
    freelist = c.freelist if slab is c.slab else slab.freelist
    index = slab.index(address)
    if index is None or slab.owner[index] is None:
        slub_debug.silent_corruption(m, slab, address, freelist)
        return
    disown(m, slab, index)
    if slab is c.slab:
        freelist.append(index)
        if m.trace is not None:
            m.trace.slub.free_fastpath(slab, [index], len(freelist))
    else:
        slab_free_slow(m, s, slab, [index], c)


@traced
def kmem_cache_free(m: Kernel, s: KmemCache, address: int) -> None:
    """Free an object to the cache it came from. Kernel: kmem_cache_free, mm/slab.h cache_from_obj

    The cache that is named is compared with the one that the object's slab belongs to. The latter is right in
    any case.
    """
    slab = virt_to_slab(m, address)
    if slab is None:
        no_slab(m, s, address, "kmem_cache_free")
        return
    check_cache(m, s, slab, address, "kmem_cache_free")
    if m.trace is not None:
        m.trace.slub.kmem_cache_free(slab.cache, s, address)
    slab_free(m, slab.cache, slab, address)


def no_slab(m: Kernel, s: KmemCache, address: int, function: str) -> None:
    """Report an object whose page is no slab's. Kernel: mm/slab.h virt_to_cache"""
    m.mistake("not_a_slab", address=f"{address:#x}", cache=s.name)
    page_ref.virt_to_page(m, address)
    if "mm/slab.h:630" not in m.warned:
        m.warned["mm/slab.h:630"] = None
        printk.warn(m, "mm/slab.h:630", function, "virt_to_cache: Object is not a Slab page!")


def check_cache(m: Kernel, s: KmemCache, slab: Slab, address: int, function: str) -> None:
    """Report an object that is not of the cache that was named. Kernel: mm/slab.h cache_from_obj"""
    if slab.cache is not s:
        m.mistake("wrong_cache", address=f"{address:#x}", cache=slab.cache.name, named=s.name)
        text = f"cache_from_obj: Wrong slab cache. {s.name} but object is from {slab.cache.name}"
        printk.warn(m, "mm/slab.h:665", function, text)


def disown(m: Kernel, slab: Slab, index: int) -> None:
    """Forget who had the object."""
    if slab.owner[index] is not KERNEL:
        m.live_objects -= 1
    slab.owner[index] = None


@traced
def slab_free_slow(m: Kernel, s: KmemCache, slab: Slab, freed: list[int], c: KmemCacheCpu) -> None:
    """Free objects to a slab that is not this CPU's. Kernel: __slab_free

    The first free into a full slab makes it this CPU's partial slab: more frees and allocations are likely to
    follow, and the node's list with its lock is left alone. The last one may send it back to the page
    allocator.
    """
    was_full = not slab.freelist
    slab.freelist += freed
    n = s.node[slab.nid]
    nr_partial = len(n.partial)
    discard = not (slab.frozen or was_full or slab.inuse) and nr_partial >= s.min_partial
    if m.trace is not None:
        m.trace.slub.free_slow("__slab_free", slab, freed, nr_partial, was_full=was_full, discard=discard)
    if slab.frozen:
        return
    if was_full:
        slab.frozen = True
        put_cpu_partial(m, s, c, slab)
    elif discard:
        n.partial.pop(slab.pfn, None)
        discard_slab(m, s, slab)


@traced
def put_cpu_partial(m: Kernel, s: KmemCache, c: KmemCacheCpu, slab: Slab) -> None:
    """Put a slab on the CPU's partial list; when that is full, all before it go to the nodes.

    Kernel: put_cpu_partial
    """
    before = len(c.partial)
    drain = before >= s.cpu_partial_slabs
    if m.trace is not None:
        m.trace.slub.put_cpu_partial(s, slab, before, drain=drain)
    unfreeze: list[Slab] = []
    if drain:
        unfreeze, c.partial = c.partial, []
    c.partial.append(slab)
    unfreeze_partials(m, s, unfreeze)


@traced
def unfreeze_partials(m: Kernel, s: KmemCache, partial: list[Slab]) -> None:
    """Move a CPU's partial slabs, newest first, to their nodes' lists. Kernel: __unfreeze_partials"""
    discard = []
    for slab in reversed(partial):
        n = s.node[slab.nid]
        slab.frozen = False
        nr_partial = len(n.partial)
        surplus = not slab.inuse and nr_partial >= s.min_partial
        if m.trace is not None:
            m.trace.slub.unfrozen("__unfreeze_partials", slab, nr_partial, discard=surplus)
        if surplus:
            discard.append(slab)
        else:
            n.partial[slab.pfn] = slab
    for slab in reversed(discard):
        discard_slab(m, s, slab)


def flush_slab(m: Kernel, s: KmemCache, c: KmemCacheCpu) -> None:
    """Take a CPU's slab away from it. Kernel: flush_slab"""
    slab, freelist = c.slab, c.freelist
    c.slab, c.freelist = None, []
    if slab is not None:
        deactivate_slab(m, s, slab, freelist)


@traced
def deactivate_slab(m: Kernel, s: KmemCache, slab: Slab, freelist: list[int]) -> None:
    """Join the CPU's list with the slab's and put the slab where it belongs. Kernel: deactivate_slab"""
    tail = bool(slab.freelist)
    slab.freelist += freelist
    slab.frozen = False
    n = s.node[slab.nid]
    nr_partial = len(n.partial)
    discard = not slab.inuse and nr_partial >= s.min_partial
    if m.trace is not None:
        m.trace.slub.unfrozen("deactivate_slab", slab, nr_partial, discard=discard)
    if discard:
        discard_slab(m, s, slab)
    elif slab.freelist:
        add_partial(n, slab, tail=tail)


def add_partial(n: KmemCacheNode, slab: Slab, *, tail: bool) -> None:
    """Kernel: add_partial"""
    n.partial[slab.pfn] = slab
    if not tail:
        n.partial.move_to_end(slab.pfn, last=False)


# -- caches that check ---------------------------------------------------------------------------------------


def alloc_single(m: Kernel, s: KmemCache, gfp: int, nid: int | None) -> tuple[Slab, int] | None:
    """One object of a cache that checks. Kernel: alloc_single_from_partial, alloc_single_from_new_slab

    Such a cache has no CPU slabs: every object is taken from a list under the node's lock, where it can be
    looked at.
    """
    n = s.node[m.cpu_node[m.current.cpu] if nid is None else nid]
    if not n.partial and nid is None:
        others = (s.node[node] for node in nodes_by_distance(m, gfp))
        n = next((other for other in others if len(other.partial) > s.min_partial), n)
    slab = next(iter(n.partial.values()), None)
    new = slab is None
    if slab is None:
        slab = new_slab(m, s, gfp, nid)
        if slab is None:
            return None
        n = s.node[slab.nid]
        add_partial(n, slab, tail=False)
    index = slab.freelist.pop()
    if m.trace is not None:
        m.trace.slub.alloc_single(slab, index, new=new)
    if s.flags & SLAB_TRACE:
        slub_debug.trace(m, s, slab, index, alloc=True)
    if not slab.freelist:
        del n.partial[slab.pfn]
    return slab, index


@traced
def free_to_partial_list(m: Kernel, s: KmemCache, slab: Slab, addresses: list[int]) -> None:
    """Free objects of one slab to a cache that checks. Kernel: free_to_partial_list"""
    if not slub_debug.free_debug_processing(m, s, slab, addresses):
        return
    freed: list[int] = []
    for address in addresses:
        index = slab.index(address)
        if index is None or slab.owner[index] is None:
            # Other debugging flags without SLAB_CONSISTENCY_CHECKS: nothing has looked at the pointer.
            slub_debug.silent_corruption(m, slab, address, [] if freed else slab.freelist)
        else:
            disown(m, slab, index)
            freed.append(index)
    if not freed:
        return
    n = s.node[slab.nid]
    was_full = not slab.freelist
    slab.freelist += freed
    nr_partial = len(n.partial)
    discard = not slab.inuse and nr_partial >= s.min_partial
    if m.trace is not None:
        m.trace.slub.free_slow(
            "free_to_partial_list", slab, freed, nr_partial, was_full=was_full, discard=discard
        )
    if discard:
        n.partial.pop(slab.pfn, None)
        discard_slab(m, s, slab)
    elif was_full:
        add_partial(n, slab, tail=True)


# -- giving memory back --------------------------------------------------------------------------------------


def flush_all(m: Kernel, s: KmemCache) -> None:
    """Take every CPU's slabs away; each CPU does it itself. Kernel: flush_all"""
    caller = m.current.cpu
    for cpu, c in enumerate(s.cpu_slab):
        m.current.cpu = cpu
        flush_slab(m, s, c)
        partial, c.partial = c.partial, []
        unfreeze_partials(m, s, partial)
    m.current.cpu = caller


@traced
def shrink(m: Kernel, s: KmemCache) -> int:
    """Return all empty slabs and sort the partial ones, fullest first; 1 when slabs remain.

    Kernel: __kmem_cache_shrink

    The fullest are allocated from first, so that the emptiest have time to become empty.
    """
    flush_all(m, s)
    for n in s.node:
        discard: list[Slab] = []
        promote: list[list[Slab]] = [[] for _ in range(SHRINK_PROMOTE_MAX)]
        for slab in list(n.partial.values()):
            free = len(slab.freelist)
            if free == slab.objects:
                del n.partial[slab.pfn]
                discard.append(slab)
            elif free <= SHRINK_PROMOTE_MAX:
                promote[free - 1].append(slab)
        # Each of these lists is filled from its head, and the lists are put before the rest, fullest slabs
        # last.
        for slabs in reversed(promote):
            for slab in slabs:
                n.partial.move_to_end(slab.pfn, last=False)
        for slab in reversed(discard):
            discard_slab(m, s, slab)
    return int(any(n.nr_slabs for n in s.node))


def shrink_all(m: Kernel) -> None:
    """Return the empty slabs of all caches: what a machine short of memory can do without."""
    for s in m.caches.values():
        if s.slabs:
            shrink(m, s)


def shutdown(m: Kernel, s: KmemCache) -> bool:
    """Empty a cache that is to be destroyed; False when objects remain.

    Kernel: __kmem_cache_shutdown, free_partial
    """
    flush_all(m, s)
    for n in s.node:
        discard = []
        for slab in list(n.partial.values()):
            if slab.inuse:
                slub_debug.list_slab_objects(m, s, slab)
            else:
                del n.partial[slab.pfn]
                discard.append(slab)
        for slab in reversed(discard):
            discard_slab(m, s, slab)
        if n.nr_slabs:
            return False
    return True
