"""About how much work a view is, from counts that are kept: nothing is walked to know them.

The unit is one object that a view puts into words, about two microseconds. Whoever shares a thread with
others asks first, and has a long view made elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine import lru_views, page_words, rmap_views, who_goes_next
from app.machine.frame_states import STRIP_SHIFT
from app.machine.leaks import MAX_RECORDS
from app.machine.show import MAX_HOLDS
from app.machine.slab_views import MAX_CACHES
from app.machine.zonemap import DEFAULT_CELLS, window_of
from app.mm import boot_caches, mem_map, proc

if TYPE_CHECKING:
    from app.machine.machine import Machine

# How many of what is only counted make up one object that is put into words.
COUNTED: Final = 8
CELLS_COUNTED: Final = 2
PAINTED: Final = 4
# A cache in numbers takes as long as so many other objects.
CACHE: Final = 4
# A file in a tar.
FILE: Final = 5
# As does looking through the 512 entries of a page table.
TABLE: Final = 32
# And looking through 512 records of pages that processes and files use.
SECTION: Final = 128

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


def leaks(m: Machine) -> int:
    """All blocks, objects and areas that somebody holds."""
    return m.live_blocks // 4 + len(m.vmap.busy)


def held_pages(m: Machine) -> int:
    """All blocks, each looked at; and a few lines for each of a part of the text."""
    return m.live_blocks // COUNTED + 4 * min(MAX_RECORDS, len(m.pages))


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
    return boot_caches.number(m) + slabs(m)


def listed_caches(m: Machine, limit: int = MAX_CACHES) -> int:
    """So many caches in numbers."""
    return CACHE * min(limit, boot_caches.number(m)) + slabs(m)


def tasks(m: Machine) -> int:
    """All tasks, with the locks that each holds."""
    held = (m.lock_holders.count(task.pid) for task in m.tasks.values())
    files = sum(len(task.files) for task in m.tasks.values()) // COUNTED
    return 4 * len(m.tasks) + files + sum(min(MAX_HOLDS, count) // 2 + count // COUNTED for count in held)


def task(m: Machine, name: str) -> int:
    """One task with its descriptors."""
    found = m.tasks.get(name)
    return 0 if found is None else len(m.tasks) + 2 * len(found.files)


def tables(m: Machine, name: str) -> int:
    """The page tables of a task, counted."""
    found = m.tasks.get(name)
    return 0 if found is None or found.mm is None else sum(map(len, found.mm.tables))


def maps(m: Machine, name: str, start: int, limit: int) -> int:
    """So many areas, and the entries of those tables that they have a part of: at most all."""
    found = m.tasks.get(name)
    if found is None or found.mm is None:
        return 0
    areas = min(limit, max(0, found.mm.map_count - start))
    return 8 * areas + TABLE * tables(m, name) * bool(areas)


def pagetables(m: Machine, name: str) -> int:
    """All tables of a task, each looked through for entries that are not empty."""
    return 4 * tables(m, name)


def task_file(m: Machine, name: str, file: str) -> int:
    """A file of /proc/PID: those that walk the page tables cost what is resident."""
    found = m.tasks.get(name)
    if found is None or found.mm is None:
        return 0
    if file == "maps":
        return 2 * found.mm.map_count
    if file in ("smaps", "smaps_rollup"):
        return 20 * found.mm.map_count + 4 * TABLE * tables(m, name)
    return 0


def files(m: Machine, start: int, limit: int) -> int:
    """So many files."""
    return start // COUNTED + 2 * limit


def file(m: Machine, path: str, limit: int) -> int:
    """One file: all its cached pages are counted, and so many told of."""
    inode = m.vm.inodes.get(path)
    if inode is None:
        return 0
    open_files = sum(len(each.files) for each in m.tasks.values())
    shown = 4 * min(limit, len(inode.i_pages))
    return len(inode.i_pages) // COUNTED + shown + (len(inode.i_mmap) + open_files) // COUNTED


def lru(_m: Machine, limit: int) -> int:
    """So many pages of a list."""
    return 3 * limit


def lru_ends(m: Machine, limit: int) -> int:
    """So many pages of a list, and who has used them."""
    return limit * (3 + min(who_goes_next.AREAS, len(m.vm.mms)) // COUNTED)


def lru_summary(m: Machine) -> int:
    """The lists in numbers, and the next pages of each node's."""
    return len(m.nodes) * who_goes_next.cost(m, lru_views.AHEAD) if m.vm.reclaim else 0


def rmap(m: Machine, pfn: int) -> int:
    """Who maps a frame: the areas in which it may be."""
    areas = rmap_views.areas_that_may(m, mem_map.compound_head(m, pfn)) if mem_map.known(m, pfn) else ()
    return min(len(areas), rmap_views.AREAS_LOOKED_AT) + len(m.tasks) // COUNTED


def words(_m: Machine, count: int) -> int:
    """So many words of a binary file."""
    return count


def counters(m: Machine) -> int:
    """The counters of every node, for which the page tables of all are looked through."""
    return len(m.nodes) * len(m.vmap.page_tables) // COUNTED


def on_lists(m: Machine) -> int:
    """Pages on LRU lists, each looked up in its zone where there are several."""
    return (
        sum(lru.count for lruvec in m.vm.lruvecs for lru in lruvec.lists) // PAINTED
        if len(m.zones) > 1
        else 0
    )


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
        return work + (len(m.pages) + len(m.stray) + free) // PAINTED + SECTION * len(m.vm.sections)
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
    "zoneinfo": lambda m: counters(m) + on_lists(m),
    "slabinfo": all_caches,
    "vmallocinfo": lambda m: areas(m) + (pages(m) if len(m.nodes) > 1 else 0),
    "meminfo": counters,
    "vmstat": counters,
    "swaps": nothing,
}
"""By the name of the file."""


def tree(m: Machine, frames: bool) -> int:
    """All files of a machine: texts, those of tasks, some thirty for each cache, a record for each block.

    frames: whether with a word for each frame.
    """
    texts = sum(cost(m) for cost in PROC.values())
    of_tasks = sum(FILE + task_file(m, name, file) for name in m.tasks for file in proc.OF_TASKS)
    words = page_words.frames(m) if frames else 0
    return texts + of_tasks + 30 * FILE * boot_caches.number(m) + 4 * len(m.pages) + words


def beginning(m: Machine, name: str, lines: int) -> int:
    """The first lines of a file of /proc that is read line by line; of others all of it."""
    if name == "vmallocinfo":
        return lines + (pages(m) if len(m.nodes) > 1 else 0)
    return lines + slabs(m) + boot_caches.number(m) // 2 if name == "slabinfo" else proc_file(m, name)


def proc_file(m: Machine, name: str) -> int:
    """A file of /proc."""
    return PROC[name](m)
