"""/proc/slabinfo: the slab caches, the newest first.

Kernel: mm/slab_common.c slab_show, mm/slub.c get_slabinfo. Memory that kmalloc passed through to the page
allocator is in no cache, so it is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm.slab_common import KMALLOC_INFO, KMALLOC_TYPES

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.slab import KmemCache

HEADER: Final = (
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)
# The two sizes that are no powers of two are made right after the power below them.
KMALLOC_ORDER: Final = tuple(
    short
    for place, (_, power) in enumerate(KMALLOC_INFO)
    if place > 2
    for short in ((power, "96") if power == "64" else (power, "192") if power == "128" else (power,))
)
# What the kernel makes first, in order: the caches that every cache is made from, then those of kmalloc.
BOOT_CACHES: Final = (
    "kmem_cache", "kmem_cache_node",
    *(f"{prefix}-{short}" for prefix, _ in KMALLOC_TYPES for short in KMALLOC_ORDER),
)  # fmt: skip


def show(m: Kernel) -> str:
    """A line for each cache."""
    return "".join(f"{line}\n" for line in lines(m))


def lines(m: Kernel) -> Iterator[str]:
    """The same line by line."""
    yield from HEADER.splitlines()
    yield from map(cache_line, slab_caches(m))


def slab_caches(m: Kernel) -> list[KmemCache]:
    """All caches in the order of the kernel's list, to whose head a new cache is added.

    A recording lists its kernel's caches in that order; those that calls have made stand before them.
    """
    boot = [m.caches[name] for name in BOOT_CACHES if name in m.caches]
    others = [s for name, s in m.caches.items() if name not in BOOT_CACHES]
    made = [s for s in others if s.object is not None]
    found = [s for s in others if s.object is None]
    return made[::-1] + found + boot[::-1]


def cache_line(s: KmemCache) -> str:
    """A cache's objects and slabs.

    Only objects on nodes' partial lists are known to be free. Those that CPUs hold for themselves count as
    active: looking at them would mean to stop every CPU.
    """
    nr_slabs = sum(n.nr_slabs for n in s.node)
    nr_objs = sum(n.total_objects for n in s.node)
    nr_free = sum(len(slab.freelist) for n in s.node for slab in n.partial.values())
    return (
        f"{s.name:<17} {nr_objs - nr_free:6} {nr_objs:6} {s.size:6} {s.objs:4} {1 << s.order:4}"
        f" : tunables {0:4} {0:4} {0:4} : slabdata {nr_slabs:6} {nr_slabs:6} {0:6}"
    )
