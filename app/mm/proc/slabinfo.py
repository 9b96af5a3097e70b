"""/proc/slabinfo: the slab caches, the newest first.

Kernel: mm/slab_common.c slab_show, mm/slub.c get_slabinfo. Memory that kmalloc passed through to the page
allocator is in no cache, so it is not here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm import boot_caches
from app.mm.slab_caches import get_slabinfo

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.slab import KmemCache

HEADER: Final = (
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
    " : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)


def show(m: Kernel) -> str:
    """A line for each cache."""
    return "".join(f"{line}\n" for line in lines(m))


def lines(m: Kernel) -> Iterator[str]:
    """The same line by line."""
    yield from HEADER.splitlines()
    yield from map(cache_line, boot_caches.every(m))


def cache_line(s: KmemCache) -> str:
    """A cache's objects and slabs."""
    nr_slabs = sum(n.nr_slabs for n in s.node)
    active_objs, nr_objs = get_slabinfo(s)
    return (
        f"{s.name:<17} {active_objs:6} {nr_objs:6} {s.size:6} {s.objs:4} {1 << s.order:4}"
        f" : tunables {0:4} {0:4} {0:4} : slabdata {nr_slabs:6} {nr_slabs:6} {0:6}"
    )
