"""What a call does to processes, as its outcome tells it: entries, areas, and pages on the LRU lists.

Before the call the tables that it may change are copied, which takes the time of copying 4 KiB each;
afterwards they are compared. The kernel's functions need not tell of each entry, and none can be forgotten.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.machine import pte_text
from app.mm.mem_map import PG_swapbacked
from app.mm.mm_types import VM_EXEC, VM_MAYSHARE, VM_READ, VM_WRITE
from app.mm.page import PG_active, PG_lru, PG_unevictable
from app.mm.pgtable_types import PRESENT, PSE, SHIFT
from app.mm.vma import vma_lookup
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct, PageTable, VmArea
    from app.mm.sched import Task

MAX_RUNS: Final = 256
EVERYTHING: Final = 1 << 64
# Names of the batches as the kernel's struct cpu_fbatches has them.
BATCH_NAMES: Final = {
    "add": "lru_add", "rotate": "lru_rotate", "deactivate_file": "lru_deactivate_file",
    "deactivate": "lru_deactivate", "lazyfree": "lru_lazyfree", "activate": "activate", "mlock": "mlock",
}  # fmt: skip

BATCH_WHERE: Final = {name: f"batch {kernel}" for name, kernel in BATCH_NAMES.items()}

EMPTY: Final = array("Q", bytes(8 * 512))

Run = list[Any]
Area = tuple[int, int, str]


class Before(NamedTuple):
    """An address space as it was. tables: level and number → entries, of those within start and end."""

    task: str
    mm: MmStruct
    start: int
    end: int
    tables: dict[tuple[int, int], array[int]]
    areas: list[Area]


class PageBefore(NamedTuple):
    """One page of an address space as it was, where nothing else can change. entry: 0 for none yet."""

    task: str
    mm: MmStruct
    address: int
    entry: int


def page_before(task: Task, address: int) -> PageBefore | None:
    """The same of a single page, which costs nothing; None where an access might change more than it.

    That is so where the page is there already, or will be one of an anonymous area whose table is there.
    """
    mm = task.mm
    assert mm is not None
    table = mm.tables[1].get(address >> 21)
    if table is None:
        return None
    entry = table.entries[address >> 12 & 511]
    if not entry & PRESENT:
        vma = vma_lookup(mm, address)
        if vma is None or not vma.is_anonymous:
            return None
    return PageBefore(task.name, mm, address & -4096, entry)


def before(task: Task, start: int = 0, end: int = EVERYTHING) -> Before:
    """Copy what a call may change of a task's address space."""
    mm = task.mm
    assert mm is not None
    tables = {(level, at): table.entries[:] for level, at, table in tables_within(mm, start, end)}
    return Before(task.name, mm, start, end, tables, list(areas_within(mm, start, end)))


def nothing_before(task: Task) -> Before:
    """Of an address space that has only just been made."""
    assert task.mm is not None
    return Before(task.name, task.mm, 0, EVERYTHING, {}, [])


def tables_within(mm: MmStruct, start: int, end: int) -> Iterator[tuple[int, int, PageTable]]:
    """(level, number, table) of all that map anything of a range, but the highest."""
    for level in (1, 2, 3):
        tables = mm.tables[level]
        shift = SHIFT[level + 1]
        first, behind = start >> shift, (end - 1 >> shift) + 1
        if behind - first < len(tables):
            for number in range(first, behind):
                table = tables.get(number)
                if table is not None:
                    yield level, number, table
        else:
            for number, table in tables.items():
                if first <= number < behind:
                    yield level, number, table


def areas_within(mm: MmStruct, start: int, end: int) -> Iterator[Area]:
    """Areas that have anything of a range: start, end, rights."""
    for vma in mm.mmap:
        if vma.vm_start < end and vma.vm_end > start:
            yield vma.vm_start, vma.vm_end, rights(vma)


def rights(vma: VmArea) -> str:
    """The rights of an area as /proc/PID/maps has them."""
    bits = vma.vm_flags
    return (
        ("r" if bits & VM_READ else "-")
        + ("w" if bits & VM_WRITE else "-")
        + ("x" if bits & VM_EXEC else "-")
        + ("s" if bits & VM_MAYSHARE else "p")
    )


# -- entries ---------------------------------------------------------------------------------------


def changed_entries(was: Before | PageBefore) -> Iterator[Run]:
    """`[task, address, pages, bits]` of the entries that map other memory, or otherwise, than before."""
    mm = was.mm
    if isinstance(was, PageBefore):
        yield from changed_page(was)
        return
    now = {(level, at): table.entries for level, at, table in tables_within(mm, was.start, was.end)}
    run: Run | None = None
    bits = -1
    for level, number in sorted(now.keys() | was.tables.keys(), key=lambda key: place(*key)):
        old, new = was.tables.get((level, number)), now.get((level, number))
        if old == new:
            continue
        pages = 1 << 9 * (level - 1)
        base = number << SHIFT[level + 1]
        if level == 1 and old is None and new is not None and was_huge(was, number):
            changed = [(at, entry & pte_text.FLAGS) for at, entry in enumerate(new)]
        else:
            changed = list(changed_in(level, old, new))
        for at, flags in changed:
            address = base + (at << SHIFT[level])
            if run is not None and flags == bits and run[1] + (run[2] << 12) == address:
                run[2] += pages
                continue
            if run is not None:
                yield run
            bits = flags
            run = [was.task, address, pages, flags]
    if run is not None:
        yield run


def was_huge(was: Before, number: int) -> bool:
    """Whether one entry of 2 MiB mapped what a table of that number maps now: parts may be gone."""
    above = was.tables.get((2, number >> 9))
    return above is not None and bool(above[number & 511] & PSE)


def changed_page(was: PageBefore) -> list[Run]:
    """The same of a single page."""
    task, mm, address, before = was
    entry = mm.tables[1][address >> 21].entries[address >> 12 & 511]
    return [] if entry == before else [[task, address, 1, pte_text.shown(entry)]]


def place(level: int, number: int) -> tuple[int, int]:
    """Where a table stands in the order of addresses."""
    return number << SHIFT[level + 1], level


def changed_in(level: int, old: array[int] | None, new: array[int] | None) -> Iterator[tuple[int, int]]:
    """(index, flags) of the entries of one table that differ. A table in a huge page's place says it all."""
    shown = pte_text.shown
    if level == 1 and (old is None or new is None):
        entries = old if new is None else new
        for at, entry in enumerate(entries or ()):
            if entry:
                yield at, 0 if new is None else shown(entry)
        return
    old, new = old or EMPTY, new or EMPTY
    for at in differing(old, new, 0, 512):
        was, now = old[at], new[at]
        if level > 1 and not (was | now) & PSE:
            continue
        if level > 1 and now & PRESENT and not now & PSE:
            continue
        yield at, shown(now) if level == 1 else now & pte_text.FLAGS


def differing(old: array[int], new: array[int], low: int, high: int) -> Iterator[int]:
    """Where two tables differ: mostly in one place, which halving finds in a few comparisons of slices."""
    if high - low <= 8:
        for at in range(low, high):
            if old[at] != new[at]:
                yield at
        return
    middle = low + high >> 1
    for start, end in ((low, middle), (middle, high)):
        if old[start:end] != new[start:end]:
            yield from differing(old, new, start, end)


# -- areas -----------------------------------------------------------------------------------------


def changed_areas(was: Before | PageBefore) -> Iterator[Run]:
    """`[task, start, end, rights]` of areas that are new or other than before; `none` where none is left."""
    if isinstance(was, PageBefore):
        return
    now = list(areas_within(was.mm, was.start, was.end))
    known = dict.fromkeys(was.areas)
    found = [(start, end, what) for start, end, what in now if (start, end, what) not in known]
    same = set(now)
    for start, end, what in was.areas:
        if (start, end, what) not in same:
            found += [(low, high, "none") for low, high in uncovered(start, end, now)]
    for start, end, what in sorted(found):
        yield [was.task, f"{start:#x}", f"{end:#x}", what]


def uncovered(start: int, end: int, areas: Iterable[Area]) -> Iterator[tuple[int, int]]:
    """The parts of a range that no area has."""
    for low, high, _ in areas:
        if low < end and high > start:
            if low > start:
                yield start, low
            start = high
            if start >= end:
                return
    yield start, end


# -- lists -----------------------------------------------------------------------------------------


def moved_pages(m: Machine, moved: Iterable[int]) -> Iterator[Run]:
    """`[pfn, frames, list]` of pages that came to a list or a batch, or left it: where they are now."""
    waiting = in_batches(m)
    run: Run | None = None
    sections = m.vm.sections
    for head in sorted(set(moved)):
        where = "none"
        frames = 1
        s = sections.get(head >> 9)
        if s is not None and (s.order or s.refcount[head & 511] > 0):
            frames = 1 << s.order
            where = waiting.get(head) or list_of(s.flags[head & 511])
        if run is not None and run[2] == where and run[0] + run[1] == head:
            run[1] += frames
            continue
        if run is not None:
            yield run
        run = [head, frames, where]
    if run is not None:
        yield run


def moved_page(m: Machine, pfn: int) -> list[Run] | None:
    """The same of a single small page that waits for its list now; None for any other."""
    s = m.vm.sections.get(pfn >> 9)
    if s is None or s.order or pfn not in m.vm.batches["add"]:
        return None
    return [[pfn, 1, BATCH_WHERE["add"]]]


def in_batches(m: Machine) -> dict[int, str]:
    """Which batch each page waits in that waits in any."""
    found: dict[int, str] = {}
    for name, batch in m.vm.batches.items():
        if batch:
            where = BATCH_WHERE[name]
            for page in batch:
                found[page[0] if isinstance(page, tuple) else page] = where
    return found


def list_of(bits: int) -> str:
    """The list that the flags of a page name."""
    if not bits & PG_lru:
        return "none"
    return LRU_NAMES[
        4 if bits & PG_unevictable else (0 if bits & PG_swapbacked else 2) + bool(bits & PG_active)
    ]


def few(runs: Iterator[Run]) -> list[Run] | None:
    """As many runs as an outcome shows; None when there are more."""
    found = list(islice(runs, MAX_RUNS + 1))
    return found if len(found) <= MAX_RUNS else None
