"""How large the slabs of a cache are and how objects lie in them.

Kernel: mm/slub.c calculate_order, calculate_sizes, set_cpu_partial, kmem_cache_open. A larger slab wastes
less at its end and is fetched from the page allocator less often, but blocks of a higher order are harder to
get; so the smallest order is taken that holds enough objects with little waste.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import printk
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.mmzone import MAX_ORDER, PAGE_ALLOC_COSTLY_ORDER
from app.mm.slab import (
    CMPXCHG_DOUBLE,
    OBJECT_POISON,
    SLAB_CACHE_DMA,
    SLAB_CACHE_DMA32,
    SLAB_CONSISTENCY_CHECKS,
    SLAB_HWCACHE_ALIGN,
    SLAB_KMALLOC,
    SLAB_NO_USER_FLAGS,
    SLAB_POISON,
    SLAB_RECLAIM_ACCOUNT,
    SLAB_RED_ZONE,
    SLAB_STORE_USER,
    SLAB_TYPESAFE_BY_RCU,
    KmemCache,
    kmem_cache_debug,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

SLUB_MAX_ORDER: Final = PAGE_ALLOC_COSTLY_ORDER
MAX_OBJS_PER_PAGE: Final = 32767
MIN_PARTIAL: Final = 5
MAX_PARTIAL: Final = 10
CACHE_LINE_SIZE: Final = 64
# sizeof(void *), and struct track with a stack depot handle.
POINTER: Final = {"x86_64": 8, "i386": 4}
SIZEOF_TRACK: Final = {"x86_64": 32, "i386": 20}


def align_up(value: int, alignment: int) -> int:
    """Kernel: ALIGN, of an unsigned int. The alignment is a power of two, as the kernel takes for granted."""
    return (value + alignment - 1) & -alignment & 0xFFFFFFFF


def get_order(size: int) -> int:
    """The smallest order that holds so many bytes. Kernel: get_order"""
    return ((size - 1) >> PAGE_SHIFT).bit_length()


def order_objects(order: int, size: int) -> int:
    """Kernel: order_objects"""
    return (PAGE_SIZE << order) // size


def calc_slab_order(size: int, min_objects: int, max_order: int, fract_leftover: int) -> int:
    """The smallest order that wastes at most that fraction; above `max_order` when there is none.

    Kernel: calc_slab_order
    """
    if order_objects(0, size) > MAX_OBJS_PER_PAGE:
        return get_order(size * MAX_OBJS_PER_PAGE) - 1
    order = get_order(min_objects * size)
    while order <= max_order:
        slab_size = PAGE_SIZE << order
        if slab_size % size <= slab_size // fract_leftover:
            break
        order += 1
    return order


def wanted_objects(cpus: int) -> int:
    """How many objects a slab should have at least, whatever their size. Kernel: calculate_order"""
    return 4 * (cpus.bit_length() + 1)


def calculate_order(size: int, cpus: int) -> int | None:
    """Order of a cache's slabs; None where no order can hold an object. Kernel: calculate_order

    The more CPUs, the more objects a slab should have, since each CPU keeps slabs for itself. What is given
    up first when nothing fits is the limit on waste, then the number of objects, and only then the limit on
    the order.
    """
    min_objects = min(wanted_objects(cpus), order_objects(SLUB_MAX_ORDER, size))
    while min_objects > 1:
        for fraction in (16, 8, 4):
            order = calc_slab_order(size, min_objects, SLUB_MAX_ORDER, fraction)
            if order <= SLUB_MAX_ORDER:
                return order
        min_objects -= 1
    for max_order in (SLUB_MAX_ORDER, MAX_ORDER):
        order = calc_slab_order(size, 1, max_order, 1)
        if order <= max_order:
            return order if order < MAX_ORDER else None
    return None


def calculate_alignment(m: Kernel, flags: int, align: int, size: int) -> int:
    """Alignment of the objects. Kernel: mm/slab_common.c calculate_alignment

    Objects that several CPUs write should not share a cache line; small ones may share one evenly. Objects of
    no size always could, so the kernel never finds an end.
    """
    if flags & SLAB_HWCACHE_ALIGN:
        if not size:
            printk.hang(m, "calculate_alignment halves the cache line for ever, for no part is below size 0")
        line = CACHE_LINE_SIZE
        while size <= line // 2:
            line //= 2
        align = max(align, line)
    return align_up(max(align, 8), POINTER[m.model.arch])


def calculate_sizes(m: Kernel, s: KmemCache) -> bool:
    """Lay out an object and choose the slab order; False where no slab can hold one. Kernel: calculate_sizes

    A free object holds the pointer to the next free one in its middle, where an overrun from a neighbour
    rarely reaches. Where the content of a free object must survive, the pointer goes behind it. What
    debugging adds follows. Sizes are unsigned ints: one that passes their end begins again at 0.
    """
    flags = s.flags
    word = POINTER[m.model.arch]
    size = align_up(s.object_size, word)
    s.flags &= ~OBJECT_POISON
    if flags & SLAB_POISON and not flags & SLAB_TYPESAFE_BY_RCU and s.ctor is None:
        s.flags |= OBJECT_POISON
    if flags & SLAB_RED_ZONE and size == s.object_size:
        size += word
    s.inuse = size
    small = flags & SLAB_RED_ZONE and s.object_size < word
    if flags & (SLAB_TYPESAFE_BY_RCU | SLAB_POISON) or small or s.ctor is not None:
        s.offset = size
        size += word
    else:
        s.offset = s.object_size // 2 & -word
    if flags & SLAB_STORE_USER:
        size += 2 * SIZEOF_TRACK[m.model.arch] + (4 if flags & SLAB_KMALLOC else 0)
    if flags & SLAB_RED_ZONE:
        s.red_left_pad = align_up(word, s.align)
        size += word + s.red_left_pad
    s.size = align_up(size, s.align)
    if not s.size:
        printk.die(m, "divide error: 0000")
    if s.size < s.object_size or s.size < size:
        printk.refused(m, f"objects of {s.object_size} bytes every {s.size}: the kernel would overlap them")
        return False
    return set_orders(m, s)


def set_orders(m: Kernel, s: KmemCache) -> bool:
    """The second half of calculate_sizes: orders, numbers of objects and the slabs' gfp bits."""
    order = calculate_order(s.size, m.model.cpus)
    if order is None:
        return False
    s.allocflags = gfp_masks.__GFP_COMP if order else 0
    if s.flags & SLAB_CACHE_DMA:
        s.allocflags |= gfp_masks.GFP_DMA
    if s.flags & SLAB_CACHE_DMA32:
        s.allocflags |= gfp_masks.GFP_DMA32
    if s.flags & SLAB_RECLAIM_ACCOUNT:
        s.allocflags |= gfp_masks.__GFP_RECLAIMABLE
    s.order, s.objs = order, order_objects(order, s.size)
    s.min_order = get_order(s.size)
    s.min_objs = order_objects(s.min_order, s.size)
    return s.objs > 0


def set_cpu_partial(s: KmemCache) -> None:
    """How much a CPU may keep in partial slabs; counted in slabs, taken as half full.

    Kernel: set_cpu_partial
    """
    if kmem_cache_debug(s):
        s.cpu_partial = 0
    elif s.size >= PAGE_SIZE:
        s.cpu_partial = 6
    elif s.size >= 1024:
        s.cpu_partial = 24
    elif s.size >= 256:
        s.cpu_partial = 52
    else:
        s.cpu_partial = 120
    s.cpu_partial_slabs = -(-s.cpu_partial * 2 // s.objs)


def kmem_cache_flags(m: Kernel, flags: int) -> int:
    """The flags with what the boot option slub_debug=F adds on a debugging kernel.

    Kernel: kmem_cache_flags
    """
    return flags | SLAB_CONSISTENCY_CHECKS if m.debug and not flags & SLAB_NO_USER_FLAGS else flags


def kmem_cache_open(m: Kernel, s: KmemCache, flags: int) -> bool:
    """Work out everything that follows from size, alignment and flags; False where it cannot be.

    Kernel: kmem_cache_open
    """
    s.flags = kmem_cache_flags(m, flags)
    if not calculate_sizes(m, s):
        return False
    s.flags |= CMPXCHG_DOUBLE
    # The larger the object, the more empty slabs are worth keeping.
    s.min_partial = max(MIN_PARTIAL, min(MAX_PARTIAL, (s.size.bit_length() - 1) // 2))
    set_cpu_partial(s)
    return True
