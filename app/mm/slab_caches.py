"""The list of all slab caches, and what each of them holds.

Kernel: mm/slab_common.c slab_caches, mm/slub.c get_slabinfo. Shown by /proc/slabinfo and by the OOM killer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from app.mm.boot_cache_table import TABLE
from app.mm.slab import KMALLOC_INFO, KMALLOC_TYPES, KmemCache

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

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


# What most constructors of the kernel's caches are called. Kernel: fs/inode.c and others.
CONSTRUCTOR: Final = "init_once"


class Row(NamedTuple):
    """A cache of a booted kernel, as the table has it."""

    name: str
    object_size: int
    align: int
    flags: int
    ctor: str | None


@cache
def rows(arch: str) -> Mapping[str, Row]:
    """The caches of a booted kernel but those of kmalloc, by name and the newest first."""
    lines = [line.split() for line in TABLE[arch].splitlines()[1:]]
    return {
        name: Row(name, int(size), int(align), int(flags, 16), CONSTRUCTOR if more else None)
        for name, size, align, flags, *more in lines
    }


NONE: Final[Mapping[str, KmemCache]] = {}


def slab_caches(m: Kernel, unused: Mapping[str, KmemCache] = NONE) -> list[KmemCache]:
    """All caches in the order of the kernel's list, to whose head a new cache is added.

    A recording lists its kernel's caches in that order; those that calls have made stand before them.

    unused: caches of a booted kernel that nobody has used yet, which are to be among them.
    """
    boot = [m.caches[name] for name in BOOT_CACHES if name in m.caches]
    others = [s for name, s in m.caches.items() if name not in BOOT_CACHES]
    made = [s for s in others if s.object is not None]
    found = [s for s in others if s.object is None]
    if m.boot_caches:
        there = {**unused, **{s.name: s for s in found}}
        found = [there[name] for name in rows(m.model.arch) if name in there]
    return made[::-1] + found + boot[::-1]


def get_slabinfo(s: KmemCache) -> tuple[int, int]:
    """Objects in use, and all. Kernel: mm/slub.c get_slabinfo

    Only objects on nodes' partial lists are known to be free. Those that CPUs hold for themselves count as
    active: looking at them would mean to stop every CPU.
    """
    num_objs = sum(n.total_objects for n in s.node)
    nr_free = sum(len(slab.freelist) for n in s.node for slab in n.partial.values())
    return num_objs - nr_free, num_objs
