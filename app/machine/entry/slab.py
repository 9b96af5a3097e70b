"""Calls of the slab allocator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.entry import describe, objects
from app.machine.entry.arguments import ADDR, CACHE, FLAGS, SIZE, N
from app.machine.entry.costs import OBJECT_OF_SIZE, ONE_BLOCK, block_a_round, frames_of_array
from app.machine.entry.declare import Declarations
from app.machine.kinds import slab_flags
from app.machine.vocabulary import Arg, Args, Cost, Returns
from app.mm import gfp as gfp_masks
from app.mm import printk, slab_common, slub, slub_bulk

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("slab")

ARRAY: Final = Cost(frames_of_array, blocks=block_a_round)


def objects_of_array(args: Args) -> int:
    """Objects of a call that works on an array of them."""
    return max(1, args.get("size") or 0)


def object_an_element(m: Machine, call: Call) -> int:
    """Live objects of a call that makes one for each element."""
    return objects_of_array(call.args)


def slabs(m: Machine, call: Call, given: int | None) -> int:
    """Slabs of the cache that a call works through."""
    cache = m.caches.get(call.args["cache"])
    return 1 if cache is None else len(cache.slabs)


@calls.allocation(
    "kmalloc",
    (SIZE, FLAGS),
    "void *kmalloc(size_t size, gfp_t flags)",
    "mm/slab_common.c __kmalloc, mm/slub.c slab_alloc_node",
    "Allocate physically contiguous bytes from a size class.",
    returns=Returns.ADDRESS,
    cost=OBJECT_OF_SIZE,
)
def kmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/slab_common.c __kmalloc"""
    return slab_common.kmalloc(m, call.args["size"], call.mask("flags"))


@calls.allocation(
    "kzalloc",
    (SIZE, FLAGS),
    "void *kzalloc(size_t size, gfp_t flags)",
    "include/linux/slab.h kzalloc",
    "kmalloc of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=OBJECT_OF_SIZE,
)
def kzalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kzalloc"""
    return slab_common.kmalloc(m, call.args["size"], call.mask("flags") | gfp_masks.__GFP_ZERO)


@calls.allocation(
    "kmalloc_array",
    (N, SIZE, FLAGS),
    "void *kmalloc_array(size_t n, size_t size, gfp_t flags)",
    "include/linux/slab.h kmalloc_array",
    "kmalloc of n elements; NULL where n × size overflows.",
    returns=Returns.ADDRESS,
    cost=ARRAY,
)
def kmalloc_array(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kmalloc_array"""
    return slab_common.kmalloc_array(m, call.args["n"], call.args["size"], call.mask("flags"))


@calls.allocation(
    "kcalloc",
    (N, SIZE, FLAGS),
    "void *kcalloc(size_t n, size_t size, gfp_t flags)",
    "include/linux/slab.h kcalloc",
    "kmalloc_array of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=ARRAY,
)
def kcalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kcalloc"""
    flags = call.mask("flags") | gfp_masks.__GFP_ZERO
    return slab_common.kmalloc_array(m, call.args["n"], call.args["size"], flags)


@calls.other(
    "krealloc",
    (ADDR, SIZE, FLAGS),
    "void *krealloc(const void *p, size_t new_size, gfp_t flags)",
    "mm/slab_common.c krealloc",
    "Resize: in place while the object's class is large enough.",
    returns=Returns.ADDRESS,
    cost=ONE_BLOCK,
)
def krealloc(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c krealloc"""
    value = slab_common.krealloc(m, call.args["addr"], call.args["size"], call.mask("flags"))
    if value is None:
        m.worsen_null()
    outcome.result = ("addr", value)
    objects.returned(m, value, outcome)


@calls.release(
    "kfree",
    (ADDR,),
    "void kfree(const void *objp)",
    "mm/slab_common.c kfree",
    "Free what kmalloc returned.",
)
def kfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/slab_common.c kfree"""
    slab_common.kfree(m, value)


@calls.other(
    "ksize",
    (ADDR,),
    "size_t ksize(const void *objp)",
    "mm/slab_common.c ksize",
    "How many bytes the object really has.",
    returns=Returns.SIZE,
)
def ksize(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c ksize"""
    outcome.ret = slab_common.ksize(m, call.args["addr"])
    outcome.object = objects.describe(m, call.args["addr"])


@calls.other(
    "kmem_cache_create",
    (
        Arg("name", "object_name", "const char *", "name of the new cache", example="inode_cache"),
        Arg("size", "uint", "unsigned int", "bytes of each object", example=600, prefill="64"),
        Arg("align", "uint", "unsigned int", "alignment of each object in bytes", False, 0, example=8),
        Arg(
            "flags",
            "slab_flags",
            "slab_flags_t",
            "SLAB_… names joined with |, or a number",
            False,
            0,
            example="SLAB_HWCACHE_ALIGN",
        ),
        Arg(
            "ctor",
            "function",
            "void (*)(void *)",
            "name of the function that constructs an object when its slab is made; null for none",
            False,
            example="inode_init_once",
        ),
    ),
    "struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align, "
    "slab_flags_t flags, void (*ctor)(void *))",
    "mm/slab_common.c kmem_cache_create",
    "Make a cache for objects of one size.",
    returns=Returns.CACHE,
    cost=ONE_BLOCK,
)
def kmem_cache_create(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_create"""
    args = call.args
    s = slab_common.kmem_cache_create(
        m, args["name"], args["size"], args["align"], slab_flags(args["flags"]), args["ctor"]
    )
    outcome.result = ("cache", None if s is None else s.object)
    if s is None:
        m.worsen_null()
    else:
        outcome.ret = f"{s.object:#x}"


@calls.allocation(
    "kmem_cache_alloc",
    (CACHE, FLAGS),
    "void *kmem_cache_alloc(struct kmem_cache *s, gfp_t gfpflags)",
    "mm/slub.c kmem_cache_alloc",
    "Allocate an object from a cache.",
    returns=Returns.ADDRESS,
    cost=ONE_BLOCK,
)
def kmem_cache_alloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/slub.c kmem_cache_alloc"""
    return slub.kmem_cache_alloc(m, slab_common.kmem_cache_of(m, call.args["cache"]), call.mask("flags"))


@calls.allocation(
    "kmem_cache_zalloc",
    (CACHE, FLAGS),
    "void *kmem_cache_zalloc(struct kmem_cache *k, gfp_t flags)",
    "include/linux/slab.h kmem_cache_zalloc",
    "kmem_cache_alloc of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=ONE_BLOCK,
)
def kmem_cache_zalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kmem_cache_zalloc"""
    s = slab_common.kmem_cache_of(m, call.args["cache"])
    return slub.kmem_cache_alloc(m, s, call.mask("flags") | gfp_masks.__GFP_ZERO)


@calls.other(
    "kmem_cache_alloc_bulk",
    (CACHE, FLAGS, Arg("size", "array", "size_t", "how many objects", example=16, prefill="16")),
    "int kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t flags, size_t size, void **p)",
    "mm/slub.c kmem_cache_alloc_bulk",
    "Allocate many objects at once, or none; the result's name stands for the array p.",
    returns=Returns.OBJECTS,
    cost=Cost(each=objects_of_array, blocks=object_an_element),
)
def kmem_cache_alloc_bulk(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slub.c kmem_cache_alloc_bulk"""
    s = slab_common.kmem_cache_of(m, call.args["cache"])
    p = slub_bulk.kmem_cache_alloc_bulk(m, s, call.mask("flags"), call.args["size"])
    outcome.ret = len(p)
    describe.addresses(m, call, p, outcome)
    if len(p) < call.args["size"]:
        m.worsen_null()


@calls.release(
    "kmem_cache_free",
    (CACHE, ADDR),
    "void kmem_cache_free(struct kmem_cache *s, void *x)",
    "mm/slub.c kmem_cache_free",
    "Give an object back to its cache.",
)
def kmem_cache_free(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/slub.c kmem_cache_free"""
    offset = slab_common.NAME_OFFSET[m.model.arch]
    slub.kmem_cache_free(m, slab_common.kmem_cache_of(m, call.args["cache"], offset), value or 0)


@calls.array_release(
    "kmem_cache_free_bulk",
    (
        CACHE,
        Arg("size", "array", "size_t", "how many objects of the array", example=1, prefill="1"),
        ADDR,
    ),
    "void kmem_cache_free_bulk(struct kmem_cache *s, size_t size, void **p)",
    "mm/slub.c kmem_cache_free_bulk",
    "Give the first objects of an array back to their cache, those of one slab together.",
)
def kmem_cache_free_bulk(m: Machine, call: Call, values: list[int | None]) -> None:
    """Kernel: mm/slub.c kmem_cache_free_bulk"""
    size = call.args["size"]
    if not size:
        return
    s = slab_common.kmem_cache_of(m, call.args["cache"], slab_common.NAME_OFFSET[m.model.arch])
    if size > len(values):
        printk.refused(m, f"the array has {len(values)} objects: the kernel would read on behind its end")
    slub_bulk.kmem_cache_free_bulk(m, s, [value or 0 for value in values[:size]])


@calls.other(
    "kmem_cache_shrink",
    (CACHE,),
    "int kmem_cache_shrink(struct kmem_cache *s)",
    "mm/slab_common.c kmem_cache_shrink",
    "Return the cache's empty slabs to the page allocator.",
    returns=Returns.INT,
    cost=Cost(held=slabs),
)
def kmem_cache_shrink(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_shrink"""
    s = slab_common.kmem_cache_of(m, call.args["cache"])
    printk.might_sleep(m, "include/linux/percpu-rwsem.h", 49)
    outcome.ret = slub.shrink(m, s)


@calls.other(
    "kmem_cache_destroy",
    (CACHE,),
    "void kmem_cache_destroy(struct kmem_cache *s)",
    "mm/slab_common.c kmem_cache_destroy",
    "Remove a cache; its objects must all be free.",
    returns=Returns.NOTHING,
    cost=Cost(held=slabs),
)
def kmem_cache_destroy(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_destroy"""
    slab_common.kmem_cache_destroy(m, call.args["cache"])
