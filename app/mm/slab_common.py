"""kmalloc and the caches that a subsystem makes for itself.

Kernel: mm/slab_common.c, include/linux/slab.h. kmalloc is a row of caches, one for each size class; what is
larger than the largest class comes from the page allocator directly. Memory for different purposes comes from
different rows, so that objects which can be reclaimed, or must lie in ZONE_DMA, do not share page frames with
the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import boot_caches, page_alloc, page_free, page_ref, printk, slub
from app.mm import gfp as gfp_masks
from app.mm.gfp import GFP_KERNEL, GFP_SLAB_BUG_MASK
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.page import PG_head
from app.mm.printk import pointer
from app.mm.slab import (
    CACHE_CREATE_MASK,
    KMALLOC_INFO,
    KMALLOC_TYPES,
    SLAB_FLAGS_PERMITTED,
    SLAB_HWCACHE_ALIGN,
    SLAB_KMALLOC,
    SLAB_PANIC,
    KmemCache,
    slab_ksize,
    virt_to_slab,
)
from app.mm.slub_layout import POINTER, calculate_alignment, get_order, kmem_cache_open, wanted_objects
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

ZERO_SIZE_PTR: Final = 16
KMALLOC_MAX_CACHE_SIZE: Final = PAGE_SIZE * 2
KMALLOC_MAX_SIZE: Final = PAGE_SIZE << 10

KMALLOC_NORMAL: Final = 0
KMALLOC_CGROUP: Final = 1
KMALLOC_RECLAIM: Final = 2
KMALLOC_DMA: Final = 3
# Class by (size - 1) / 8, up to 192 bytes.
SIZE_INDEX: Final = (3, 4, 5, 5, 6, 6, 6, 6, 1, 1, 1, 1, 7, 7, 7, 7, 2, 2, 2, 2, 2, 2, 2, 2)

# struct kmem_cache up to its array of nodes, struct kmem_cache_node, and where the name of a cache stands in
# it.
SIZEOF_KMEM_CACHE: Final = {"x86_64": 216, "i386": 136}
SIZEOF_KMEM_CACHE_NODE: Final = {"x86_64": 64, "i386": 32}
NAME_OFFSET: Final = {"x86_64": 0x60, "i386": 0x48}

# Caches that others are made from. Their count says that nobody shares them: to destroy one does nothing.
NEVER_COUNTED: Final = ("kmem_cache", "kmem_cache_node")

IN_INTERRUPT: Final = ("softirq", "tasklet", "hardirq")

_NOT_NORMAL: Final = gfp_masks.__GFP_RECLAIMABLE | gfp_masks.__GFP_DMA | gfp_masks.__GFP_ACCOUNT


# -- kmalloc -------------------------------------------------------------------------------------------------


def create_kmalloc_caches(m: Kernel) -> None:
    """Make the caches of kmalloc that are not there yet, all without slabs. Kernel: create_kmalloc_caches

    A kernel without memory cgroups has no row for accounted memory; a dump that shows some caches but none of
    those is of such a kernel.
    """
    memcg = not m.caches or "kmalloc-cg-8" in m.caches
    for row, (prefix, flags) in enumerate(KMALLOC_TYPES):
        if row == KMALLOC_CGROUP and not memcg:
            m.kmalloc_caches[row] = m.kmalloc_caches[KMALLOC_NORMAL]
            continue
        m.kmalloc_caches[row] = [
            m.caches.get(f"{prefix}-{short}")
            or create_boot_cache(m, f"{prefix}-{short}", size, flags | SLAB_KMALLOC)
            for size, short in KMALLOC_INFO[1:]
        ]
        # Class 0 is never asked for: sizes of 0 have no object.
        m.kmalloc_caches[row].insert(0, m.kmalloc_caches[row][0])


def create_boot_cache(m: Kernel, name: str, size: int, flags: int) -> KmemCache:
    """A cache that the kernel makes while it boots, before its own bookkeeping exists.

    Kernel: create_boot_cache

    Powers of two are aligned to themselves: kmalloc(4096) may be relied on to be a page.
    """
    align = max(8, size) if size & (size - 1) == 0 else 8
    align = calculate_alignment(m, flags, align, size)
    s = m.caches[name] = KmemCache(name, size, align, flags, m.model.cpus, len(m.nodes))
    kmem_cache_open(m, s, flags)
    s.random_seq = slub.cache_random_seq_create(m, s.objs)
    s.refcount = -1
    return s


def kmalloc_type(gfp: int) -> int:
    """The row that a mask asks for. Kernel: include/linux/slab.h kmalloc_type"""
    if not gfp & _NOT_NORMAL:
        return KMALLOC_NORMAL
    if gfp & gfp_masks.__GFP_DMA:
        return KMALLOC_DMA
    return KMALLOC_RECLAIM if gfp & gfp_masks.__GFP_RECLAIMABLE else KMALLOC_CGROUP


def kmalloc_slab(m: Kernel, size: int, gfp: int) -> KmemCache:
    """The cache for a size from 1 to 8192. Kernel: kmalloc_slab"""
    if size <= 192:
        entry = (size - 1) >> 3
        index = SIZE_INDEX[entry]
    else:
        entry = None
        index = (size - 1).bit_length()
    row = kmalloc_type(gfp)
    s = m.kmalloc_caches[row][index]
    if m.trace is not None:
        m.trace.slab_common.kmalloc_slab(s, size, gfp, row, index, entry)
    return s


@traced
def kmalloc(m: Kernel, size: int, gfp: int, nid: int | None = None) -> int | None:
    """Allocate physically contiguous memory; its address, or None. Kernel: __kmalloc, __do_kmalloc_node

    A size of 0 gives ZERO_SIZE_PTR, which is not NULL, may be freed, and faults when it is used.
    """
    if size > KMALLOC_MAX_CACHE_SIZE:
        address = kmalloc_large_node(m, size, gfp, nid)
        allocated = PAGE_SIZE << get_order(size)
    elif size:
        s = kmalloc_slab(m, size, gfp)
        address = slub.slab_alloc_node(m, s, gfp, nid)
        allocated = s.size
    else:
        if m.trace is not None:
            m.trace.slab_common.zero_size()
        return ZERO_SIZE_PTR
    if m.trace is not None:
        m.trace.slab_common.kmalloc(address, size, allocated, gfp, nid)
    return address


@traced
def kmalloc_array(m: Kernel, n: int, size: int, gfp: int) -> int | None:
    """Memory for `n` elements of `size` bytes; None where so many bytes are no size_t.

    Kernel: include/linux/slab.h kmalloc_array. The product of two numbers from outside may overflow, and a
    caller who multiplied them by itself would get a small object for what it believes to be a large array.
    """
    total, fits = array_size(m, n, size, "kmalloc_array")
    return kmalloc(m, total, gfp) if fits else None


def array_size(m: Kernel, n: int, size: int, function: str) -> tuple[int, bool]:
    """Bytes of an array, and whether a size_t can hold so many. Kernel: check_mul_overflow

    function: the kernel's name of the caller.
    """
    total, size_max = n * size, m.model.ptr_max
    fits = total <= size_max
    if m.trace is not None:
        m.trace.slab_common.array_size(function, n, size, total, size_max, fits=fits)
    if not fits:
        m.mistake("array_overflow", n=n, size=size, most=f"{size_max:#x}")
    return total, fits


@traced
def kmalloc_large_node(m: Kernel, size: int, gfp: int, nid: int | None) -> int | None:
    """Memory beyond the size classes: a compound page, so that kfree finds its order.

    Kernel: __kmalloc_large_node
    """
    if gfp & GFP_SLAB_BUG_MASK:
        gfp = slub.kmalloc_fix_flags(m, gfp)
    order = get_order(size)
    if m.trace is not None:
        m.trace.slab_common.kmalloc_large(size, order, KMALLOC_MAX_CACHE_SIZE)
    pfn = page_alloc.alloc_pages(m, gfp | gfp_masks.__GFP_COMP, order, nid)
    if pfn is None:
        return None
    m.nodes[m.zone_of(pfn).nid].nr_large_kmalloc += 1 << order
    return m.page_address(pfn)


@traced
def kfree(m: Kernel, address: int | None) -> None:
    """Free what kmalloc returned; NULL and ZERO_SIZE_PTR are nothing to free. Kernel: kfree

    The cache is not named: it is found through the page that the address lies in.
    """
    if address is None or address <= ZERO_SIZE_PTR:
        if m.trace is not None:
            m.trace.slab_common.kfree_nothing(address)
        return
    slab = virt_to_slab(m, address)
    if m.trace is not None:
        m.trace.slab_common.kfree(address, slab)
    if slab is None:
        free_large_kmalloc(m, virt_to_folio(m, address), address)
    else:
        slub.slab_free(m, slab.cache, slab, address)


@traced
def free_large_kmalloc(m: Kernel, pfn: int, address: int) -> None:
    """Free page frames that kmalloc passed through. Kernel: free_large_kmalloc

    Whatever is no slab is taken for such memory. The order is that of the compound page; a page that is not
    compound has order 0, so of a larger block only the first frame is freed.
    """
    order = folio_order(m, pfn)
    if m.trace is not None:
        m.trace.slab_common.free_large_kmalloc(pfn, order)
    if order == 0:
        block = page_ref.block_of(m, pfn)
        state = page_ref.state_of(m, pfn)
        m.mistake(
            "kfree_of_page",
            address=f"{address:#x}",
            pfn=pfn,
            order=0 if block is None else block.order,
            state=state,
        )
    if order == 0 and printk.warn_on_once(m, "mm/slab_common.c:904", "free_large_kmalloc"):
        printk.printk(m, f"object pointer: 0x{pointer(m, address)}")
    m.nodes[m.zone_of(pfn).nid].nr_large_kmalloc -= 1 << order
    page_free.free_pages(m, pfn, order)


def folio_order(m: Kernel, pfn: int) -> int:
    """Kernel: include/linux/mm.h folio_order"""
    page = m.pages.get(pfn)
    return page.order if page is not None and page.flags & PG_head else 0


def virt_to_folio(m: Kernel, address: int) -> int:
    """The frame behind an address, its compound head's where it has one.

    Kernel: include/linux/mm.h virt_to_folio
    """
    return page_ref.compound_head(m, page_ref.virt_to_page(m, address))


def ksize(m: Kernel, address: int | None) -> int:
    """How many bytes the memory at an address really has. Kernel: ksize, __ksize"""
    if address is None or address <= ZERO_SIZE_PTR:
        return 0
    slab = virt_to_slab(m, address)
    if slab is not None:
        return slab_ksize(slab.cache)
    pfn = virt_to_folio(m, address)
    size = PAGE_SIZE << folio_order(m, pfn)
    if size <= KMALLOC_MAX_CACHE_SIZE:
        printk.warn(m, "mm/slab_common.c:1014", "__ksize")
        return 0
    if address != m.model.page_offset + (pfn << PAGE_SHIFT):
        printk.warn(m, "mm/slab_common.c:1016", "__ksize")
        return 0
    return size


@traced
def krealloc(m: Kernel, address: int | None, size: int, gfp: int) -> int | None:
    """Make memory larger or smaller. Kernel: krealloc, __do_krealloc

    In place while the new size fits into what ksize says, also when it is much smaller; else into new memory,
    and the old is freed. When that fails the old memory stays: a caller who overwrites its only pointer with
    the NULL has lost it.
    """
    if not size:
        kfree(m, address)
        return ZERO_SIZE_PTR
    old_size = ksize(m, address)
    fits = old_size >= size
    if m.trace is not None:
        m.trace.slab_common.krealloc(address, old_size, size, fits=fits)
    if fits:
        return address
    new = kmalloc(m, size, gfp)
    if new is not None and new != address:
        kfree(m, address)
    return new


# -- caches of one's own -------------------------------------------------------------------------------------


def kmem_cache_of(m: Kernel, name: str, offset: int = 0) -> KmemCache:
    """The cache of that name; `offset` is that of the field that the function reads first.

    A cache that was never made, or is destroyed, is a NULL pointer to those who keep good order.
    """
    s = boot_caches.find(m, name)
    if s is None:
        m.mistake("no_cache", cache=name, offset=offset)
        printk.page_fault(m, offset)
    return s


@traced
def kmem_cache_create(
    m: Kernel, name: str, size: int, align: int, flags: int, ctor: str | None = None
) -> KmemCache | None:
    """Make a cache; None when it is refused, with a report.

    Kernel: kmem_cache_create, kmem_cache_create_usercopy

    Caches are never merged with others of the same size, as with the boot option slab_nomerge.
    """
    printk.might_sleep(m, "kernel/locking/mutex.c", 283)
    size &= 0xFFFFFFFF
    cache, error = None, -22
    if m.debug and (m.current.context in IN_INTERRUPT or size > KMALLOC_MAX_SIZE):
        m.mistake("cache_refused", cache=name, size=size, context=m.current.context, most=KMALLOC_MAX_SIZE)
        printk.printk(m, f"kmem_cache_create({name}) integrity check failed")
    elif not flags & ~SLAB_FLAGS_PERMITTED:
        cache, error = create_cache(m, name, size, align, flags & CACHE_CREATE_MASK, ctor)
    if cache is None:
        report_failure(m, name, flags, error)
    return cache


def report_failure(m: Kernel, name: str, flags: int, error: int) -> None:
    """A cache could not be made; with SLAB_PANIC the kernel cannot do without it."""
    if flags & SLAB_PANIC:
        printk.panic(m, f"kmem_cache_create_usercopy: Failed to create slab '{name}'. Error {error}")
        m.worsen("bug")
    else:
        printk.printk(m, f"kmem_cache_create_usercopy({name}) failed with error {error}")
        printk.dump_stack(m)


def create_cache(
    m: Kernel, name: str, size: int, align: int, flags: int, ctor: str | None
) -> tuple[KmemCache | None, int]:
    """The cache, or None and an error number. Kernel: create_cache

    A cache costs memory before it holds anything: its name, its struct kmem_cache and one struct
    kmem_cache_node for each node are objects of other caches. (Its per-CPU part and its directory in
    /sys/kernel/slab are not modelled.)
    """
    s = KmemCache(name, size, align, flags, m.model.cpus, len(m.nodes))
    s.ctor = ctor
    s.name_object = kmalloc(m, len(name) + 1, GFP_KERNEL)
    if s.name_object is None:
        return None, -12
    s.align = calculate_alignment(m, flags, align, size)
    s.object = slub.kmem_cache_alloc(m, boot_cache(m, "kmem_cache"), GFP_KERNEL | gfp_masks.__GFP_ZERO)
    if s.object is None:
        release(m, s)
        return None, -12
    opened = kmem_cache_open(m, s, flags)
    if m.trace is not None:
        m.trace.slab_common.layout(s, m.model.cpus, wanted_objects(m.model.cpus), opened=opened)
    if not (opened and init_kmem_cache_nodes(m, s)):
        release(m, s)
        return None, -22
    if boot_caches.look(m, name) is not None:
        m.mistake("duplicate_cache", cache=name)
        printk.printk(m, f"sysfs: cannot create duplicate filename '/kernel/slab/{name}'")
        release(m, s)
        return None, -17
    s.random_seq = slub.cache_random_seq_create(m, s.objs)
    m.caches[name] = s
    return s, 0


def boot_cache(m: Kernel, name: str) -> KmemCache:
    """`kmem_cache` or `kmem_cache_node`, made when first needed where a dump does not show them."""
    arch = m.model.arch
    size = SIZEOF_KMEM_CACHE_NODE[arch]
    if name == "kmem_cache":
        size = SIZEOF_KMEM_CACHE[arch] + len(m.nodes) * POINTER[arch]
    return m.caches.get(name) or create_boot_cache(m, name, size, SLAB_HWCACHE_ALIGN)


def init_kmem_cache_nodes(m: Kernel, s: KmemCache) -> bool:
    """A struct kmem_cache_node on each node that has memory the kernel can address.

    Kernel: init_kmem_cache_nodes
    """
    for node in m.nodes:
        address = slub.kmem_cache_alloc(m, boot_cache(m, "kmem_cache_node"), GFP_KERNEL, node.nid)
        if address is None:
            return False
        s.node_objects.append(address)
    return True


def release(m: Kernel, s: KmemCache) -> None:
    """Free what a cache itself is made of. Kernel: slab_kmem_cache_release"""
    for address in s.node_objects:
        slub.kmem_cache_free(m, boot_cache(m, "kmem_cache_node"), address)
    kfree(m, s.name_object)
    if s.object is not None:
        slub.kmem_cache_free(m, boot_cache(m, "kmem_cache"), s.object)


@traced
def kmem_cache_destroy(m: Kernel, name: str) -> None:
    """Remove a cache. Kernel: kmem_cache_destroy

    One that still has objects cannot go: the kernel reports them, warns, and keeps it for good. In a cache
    that it has made itself it has objects of its own, older than any call. NULL is nothing to destroy.
    """
    s = boot_caches.find(m, name)
    if s is None:
        return
    printk.might_sleep(m, "include/linux/percpu-rwsem.h", 49)
    if (m.rules >= 2 or m.boot_caches) and s.object is None and name not in NEVER_COUNTED:
        if s.refcount:
            s.refcount = 0
            slub.shutdown(m, s)
            m.mistake("destroy_boot_cache", cache=name)
            still_has_objects(m, name)
        return
    s.refcount -= 1
    if s.refcount:
        return
    if slub.shutdown(m, s):
        del m.caches[name]
        release(m, s)
    else:
        objects = sum(owner is not None for slab in s.slabs.values() for owner in slab.owner)
        m.mistake("destroy_with_objects", cache=name, objects=objects)
        still_has_objects(m, name)


def still_has_objects(m: Kernel, name: str) -> None:
    """The warning about a cache that stays."""
    printk.warn(
        m,
        "mm/slab_common.c:493",
        "kmem_cache_destroy",
        f"kmem_cache_destroy {name}: Slab cache still has objects when called from {m.current.task}",
    )
