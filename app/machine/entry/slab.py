"""Calls of the slab allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.calls import Call, slab_flags
from app.machine.entry import objects
from app.machine.outcome import Outcome
from app.mm import gfp as gfp_masks
from app.mm import printk, slab_common, slub

if TYPE_CHECKING:
    from app.machine.machine import Machine


def kmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/slab_common.c __kmalloc"""
    return slab_common.kmalloc(m, call.args["size"], call.mask("flags"))


def kzalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kzalloc"""
    return slab_common.kmalloc(m, call.args["size"], call.mask("flags") | gfp_masks.__GFP_ZERO)


def kmem_cache_alloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/slub.c kmem_cache_alloc"""
    return slub.kmem_cache_alloc(m, slab_common.kmem_cache_of(m, call.args["cache"]), call.mask("flags"))


def kfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/slab_common.c kfree"""
    slab_common.kfree(m, value)


def kmem_cache_free(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/slub.c kmem_cache_free"""
    offset = slab_common.NAME_OFFSET[m.model.arch]
    slub.kmem_cache_free(m, slab_common.kmem_cache_of(m, call.args["cache"], offset), value or 0)


def krealloc(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c krealloc"""
    value = slab_common.krealloc(m, call.args["addr"], call.args["size"], call.mask("flags"))
    if value is None:
        m.worsen_null()
    outcome.result = ("addr", value)
    objects.returned(m, value, outcome)


def ksize(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c ksize"""
    outcome.ret = slab_common.ksize(m, call.args["addr"])
    outcome.object = objects.describe(m, call.args["addr"])


def kmem_cache_create(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_create"""
    args = call.args
    s = slab_common.kmem_cache_create(m, args["name"], args["size"], args["align"], slab_flags(args["flags"]))
    if s is None:
        m.worsen_null()
    else:
        outcome.ret = f"{s.object:#x}"


def kmem_cache_shrink(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_shrink"""
    s = slab_common.kmem_cache_of(m, call.args["cache"])
    printk.might_sleep(m, "include/linux/percpu-rwsem.h", 49)
    outcome.ret = slub.shrink(m, s)


def kmem_cache_destroy(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/slab_common.c kmem_cache_destroy"""
    slab_common.kmem_cache_destroy(m, call.args["cache"])


ALLOCATORS: Final[dict[str, Callable[[Machine, Call], int | None]]] = {
    "kmalloc": kmalloc,
    "kzalloc": kzalloc,
    "kmem_cache_alloc": kmem_cache_alloc,
}

RELEASERS: Final[dict[str, Callable[[Machine, Call, int | None], None]]] = {
    "kfree": kfree,
    "kmem_cache_free": kmem_cache_free,
}

CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "krealloc": krealloc,
    "ksize": ksize,
    "kmem_cache_create": kmem_cache_create,
    "kmem_cache_shrink": kmem_cache_shrink,
    "kmem_cache_destroy": kmem_cache_destroy,
}
