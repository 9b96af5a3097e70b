"""The list of all slab caches, and what each of them holds.

Kernel: mm/slab_common.c slab_caches, mm/slub.c get_slabinfo. Shown by /proc/slabinfo and by the OOM killer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.slab import KMALLOC_INFO, KMALLOC_TYPES

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.slab import KmemCache

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


def slab_caches(m: Kernel) -> list[KmemCache]:
    """All caches in the order of the kernel's list, to whose head a new cache is added.

    A recording lists its kernel's caches in that order; those that calls have made stand before them.
    """
    boot = [m.caches[name] for name in BOOT_CACHES if name in m.caches]
    others = [s for name, s in m.caches.items() if name not in BOOT_CACHES]
    made = [s for s in others if s.object is not None]
    found = [s for s in others if s.object is None]
    return made[::-1] + found + boot[::-1]


def get_slabinfo(s: KmemCache) -> tuple[int, int]:
    """Objects in use, and all. Kernel: mm/slub.c get_slabinfo

    Only objects on nodes' partial lists are known to be free. Those that CPUs hold for themselves count as
    active: looking at them would mean to stop every CPU.
    """
    num_objs = sum(n.total_objects for n in s.node)
    nr_free = sum(len(slab.freelist) for n in s.node for slab in n.partial.values())
    return num_objs - nr_free, num_objs
