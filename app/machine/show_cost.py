"""About how much work a view is, from counts that are kept: nothing is walked to know them.

The unit is one object that a view puts into words, about two microseconds. Whoever shares a thread with
others asks first, and has a long view made elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine.frame_states import STRIP_SHIFT
from app.machine.show import MAX_HOLDS
from app.machine.slab_views import MAX_CACHES
from app.machine.zonemap import DEFAULT_CELLS, window_of

if TYPE_CHECKING:
    from app.machine.machine import Machine

# How many of what is only counted make up one object that is put into words.
COUNTED: Final = 8
CELLS_COUNTED: Final = 2
PAINTED: Final = 4
# A cache in numbers takes as long as so many other objects.
CACHE: Final = 4

Cost = Callable[["Machine"], int]


def nothing(_m: Machine) -> int:
    """A view whose length no machine can change."""
    return 0


def areas(m: Machine) -> int:
    """All ranges of the vmalloc space."""
    return len(m.vmap.busy) + len(m.vmap.purge)


def pages(m: Machine) -> int:
    """All blocks that the machine keeps a record of."""
    return m.live_blocks // COUNTED


def slabs(m: Machine) -> int:
    """All slabs, counted."""
    return len(m.slabs) // COUNTED


def slabs_of(m: Machine, name: str, limit: int) -> int:
    """The slabs of one cache, put in order, and the objects of so many of them."""
    found = m.caches.get(name)
    if found is None:
        return 0
    return len(found.slabs) // COUNTED + min(limit, len(found.slabs)) * (1 + found.objs // 2)


def all_caches(m: Machine) -> int:
    """A line for each cache, for which its slabs are counted."""
    return len(m.caches) + slabs(m)


def listed_caches(m: Machine, limit: int = MAX_CACHES) -> int:
    """So many caches in numbers."""
    return CACHE * min(limit, len(m.caches)) + slabs(m)


def tasks(m: Machine) -> int:
    """All tasks, with the locks that each holds."""
    held = (m.lock_holders.count(task.pid) for task in m.tasks.values())
    return len(m.tasks) + sum(min(MAX_HOLDS, count) // 2 + count // COUNTED for count in held)


def counters(m: Machine) -> int:
    """The counters of every node, for which the slabs and page tables of all are looked through."""
    return len(m.nodes) * (len(m.slabs) + len(m.vmap.page_tables)) // COUNTED


def pageblocks(m: Machine) -> int:
    """The pageblocks that are not as they were at boot, counted."""
    return sum(len(zone.pageblock_flags) for zone in m.zones) // COUNTED


def zonemap(
    m: Machine,
    zone: str | None = None,
    node: int | None = None,
    start: int | None = None,
    shift: int | None = None,
    cells: int = DEFAULT_CELLS,
) -> int:
    """A map, asked for as `app.machine.zonemap` is.

    The first one of a machine paints every block, and the first one with large cells adds up every strip of
    frames that was painted.
    """
    begin, shift, count = window_of(m, zone, node, start, shift, cells)
    work = count // CELLS_COUNTED
    for other in m.zones:
        if zone not in (None, other.name) or node not in (None, other.nid):
            low, high = max(other.start_pfn, begin), min(other.end_pfn, begin + (count << shift))
            work += CACHE * max(0, high - low) >> shift
    states = m.frame_states
    if states is None:
        free = sum(len(each.buddy) for each in m.zones)
        return work + (len(m.pages) + len(m.stray) + free) // PAINTED
    if shift >= STRIP_SHIFT and shift not in states.levels:
        work += len(states.counts) // 2
    return work + len(states.news) // PAINTED


def area_of_frame(m: Machine, pfn: int) -> int:
    """Which area a frame is behind: all areas are looked through."""
    page = m.pages.get(pfn)
    return (areas(m) + len(m.pages)) // COUNTED if page is not None and page.state == "vmalloc" else 0


def address(m: Machine) -> int:
    """What is at an address: of an object its slab's place among those of its cache is looked for."""
    return slabs(m)


PROC: Final[dict[str, Cost]] = {
    "buddyinfo": nothing,
    "pagetypeinfo": pageblocks,
    "zoneinfo": counters,
    "slabinfo": all_caches,
    "vmallocinfo": lambda m: areas(m) + (pages(m) if len(m.nodes) > 1 else 0),
    "meminfo": lambda m: counters(m) + areas(m) // COUNTED,
    "vmstat": counters,
}
"""By the name of the file."""


def beginning(m: Machine, name: str, lines: int) -> int:
    """The first lines of a file of /proc that is read line by line; of others all of it."""
    if name == "vmallocinfo":
        return lines + (pages(m) if len(m.nodes) > 1 else 0)
    return lines + slabs(m) + len(m.caches) // 2 if name == "slabinfo" else proc_file(m, name)


def proc_file(m: Machine, name: str) -> int:
    """A file of /proc."""
    return PROC[name](m)
