"""A stretch of a swap area, slot by slot: what each is, and whose page it holds.

A slot does not know who names it, so the page tables of processes with pages in swap are looked through, as
swapoff does (mm/swapfile.c try_to_unuse): so many of them, and of those only for the slots that are shown.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.machine import swap_views
from app.mm import swap_map
from app.mm.mm_types import MM_SWAPENTS
from app.mm.swapops import is_swap_pte, pte_to_swp_entry, swp_entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct, PageTable
    from app.mm.sched import Task
    from app.mm.swap_info import SwapInfo

# So many tables of pages, and so many pages of files of tmpfs, are looked through.
TABLES: Final = 256
SHMEM: Final = 4096
COLUMNS: Final = 64

Doc = dict[str, Any]


def window(m: Machine, area: int | None, first: int, limit: int) -> Doc:
    """All areas in numbers, and so many slots of one: of that number, else of the first.

    first: how many slots stand before them; the header is none.
    """
    swap = m.vm.swap
    areas = [] if swap is None else [si for si in swap.info if si is not None]
    chosen = next((si for si in areas if si.type == area), areas[0] if areas else None)
    doc: Doc = {
        "total": m.vm.total_swap_pages,
        "free": m.vm.nr_swap_pages,
        "cached": 0 if swap is None else len(swap.cache),
        "areas": [in_numbers(si) for si in areas],
        "stocks": swap_views.stocks(m),
        "area": None if chosen is None else chosen.type,
        "first": 0,
        "slots": [],
    }
    if chosen is not None:
        doc["first"] = min(first, max(0, chosen.pages - 1)) // limit * limit
        doc["slots"] = slots(m, chosen, 1 + doc["first"], limit)
    return doc


def in_numbers(si: SwapInfo) -> Doc:
    """An area in numbers, with how full each part of it is, in per cent."""
    step = -(-si.pages // COLUMNS)
    parts = (si.swap_map[at : at + step] for at in range(1, si.max, step))
    return {
        **swap_views.numbers(si),
        "step": step,
        "full": [100 - part.count(0) * 100 // len(part) for part in parts],
    }


def slots(m: Machine, si: SwapInfo, first: int, limit: int) -> list[Doc]:
    """Slots of an area from one on."""
    swap = swap_map.swap_of(m)
    entries = [swp_entry(si.type, at) for at in range(first, min(first + limit, si.max))]
    stocked = {entry for stock in swap.cpu_slots for entry in (*stock.slots, *stock.slots_ret)}
    states = {entry: swap_views.state_of(m, entry, stocked) for entry in entries}
    wanted = {entry for entry, state in states.items() if state in (swap_views.SWAPPED, swap_views.CACHED)}
    owners = holders(m, wanted)
    return [
        {
            "slot": first + at,
            "state": states[entry],
            "named": swap_map.swp_swapcount(m, entry) if entry in wanted else 0,
            "pfn": swap.cache.get(entry),
            "owner": owners.get(entry),
            "shadow": entry in swap.shadows,
        }
        for at, entry in enumerate(entries)
    ]


def holders(m: Machine, wanted: set[int]) -> dict[int, Doc]:
    """Of each slot the first page of a process, or of a file of tmpfs, that is in it, where one is found."""
    found: dict[int, Doc] = {}
    if not wanted:
        return found
    for inode in m.vm.inodes.values():
        for index, entry in islice(inode.swapped.items(), SHMEM):
            if entry in wanted:
                found.setdefault(entry, {"file": inode.name, "index": index})
    for task, table in islice(tables(m), TABLES):
        if len(found) == len(wanted):
            break
        for at, pte in enumerate(table.entries):
            if is_swap_pte(pte) and (entry := pte_to_swp_entry(pte)) in wanted:
                address = table.base + (at << 12)
                found.setdefault(entry, {"task": task.name, "pid": task.pid, "addr": f"{address:#x}"})
    return found


def tables(m: Machine) -> Iterator[tuple[Task, PageTable]]:
    """The tables of pages of the processes that have pages in swap."""
    seen: set[int] = set()
    for task in m.tasks.values():
        mm = task.mm
        if mm is not None and mm.id not in seen and swaps(task, mm):
            seen.add(mm.id)
            for number in sorted(mm.tables[1]):
                yield task, mm.tables[1][number]


def swaps(task: Task, mm: MmStruct) -> bool:
    """Whether a process has pages in swap; what its task has not added to the counter yet counts, too."""
    return mm.rss_stat[MM_SWAPENTS] + task.rss_stat[MM_SWAPENTS] > 0


def cost(m: Machine, limit: int) -> int:
    """About how much work a stretch is."""
    swap = m.vm.swap
    if swap is None:
        return 0
    spaces = [(task, task.mm) for task in m.tasks.values() if task.mm is not None]
    looked = sum(len(mm.tables[1]) for task, mm in spaces if swaps(task, mm))
    shmem = sum(min(SHMEM, len(inode.swapped)) for inode in m.vm.inodes.values())
    total = sum(si.pages for si in swap.info if si is not None)
    return 2 * limit + 16 * min(TABLES, looked) + shmem // 8 + total // 1024
