"""The slab caches that the subsystems of a booted kernel have made for themselves.

Kernel: kmem_cache_create in fs/, net/ and so on. There are far more of them than a machine ever uses, so each
is made when somebody first takes an object from it; until then it is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from app.mm import slub
from app.mm.slab import KmemCache
from app.mm.slab_caches import Row, rows, slab_caches
from app.mm.slub_layout import kmem_cache_open

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Layouts of as many kinds of machines are kept.
MOST_KINDS: Final = 16


def of_kernel(m: Kernel) -> Mapping[str, Row]:
    """Those of this kernel; one that was not booted with them has none."""
    return rows(m.model.arch) if m.boot_caches else {}


def find(m: Kernel, name: str) -> KmemCache | None:
    """A cache of that name, made if it is one that nobody has used; None where there is none."""
    s = m.caches.get(name)
    if s is None and (row := of_kernel(m).get(name)) is not None:
        s = m.caches[name] = make(m, row, m.model.cpus)
        s.random_seq = slub.cache_random_seq_create(m, s.objs)
    return s


def make(m: Kernel, row: Row, cpus: int) -> KmemCache:
    """A cache without slabs. cpus: for which it has places; none if it is only read."""
    s = KmemCache(row.name, row.object_size, row.align, row.flags, cpus, len(m.nodes))
    s.ctor = row.ctor
    kmem_cache_open(m, s, row.flags)
    return s


def every(m: Kernel) -> list[KmemCache]:
    """All caches in the order of the kernel's list, with those that nobody has used: only to be read."""
    return slab_caches(m, laid_out(m) if m.boot_caches else {})


def unused(m: Kernel) -> list[KmemCache]:
    """Those that nobody has used, the oldest first: only to be read."""
    return [s for s in reversed(laid_out(m).values()) if s.name not in m.caches] if m.boot_caches else []


def number(m: Kernel) -> int:
    """About how many caches there are, with those that nobody has used."""
    return len(m.caches) + len(of_kernel(m))


def look(m: Kernel, name: str) -> KmemCache | None:
    """A cache of that name for somebody who only reads it; None where there is none."""
    s = m.caches.get(name)
    return s if s is not None or not m.boot_caches else laid_out(m).get(name)


def laid_out(m: Kernel) -> dict[str, KmemCache]:
    """The table's caches as this kind of machine lays them out, without places for CPUs.

    They are those of all machines of the kind.
    """
    kind = m.model.arch, m.model.cpus, len(m.nodes), m.debug
    found = LAID_OUT.get(kind)
    if found is None:
        if len(LAID_OUT) >= MOST_KINDS:
            LAID_OUT.clear()
        found = LAID_OUT[kind] = {name: make(m, row, 0) for name, row in rows(m.model.arch).items()}
    return found


LAID_OUT: Final[dict[tuple[str, int, int, bool], dict[str, KmemCache]]] = {}
