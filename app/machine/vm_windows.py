"""Parts of address spaces, as many as a page has room for.

A process may have a million pages and the page that shows it must not grow with them: areas, pages and shared
frames are read in windows around one address.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.machine import observing, pte_text, vm_views
from app.machine.entry.system_call import mm_view
from app.mm import mem_map, page_ref, pgalloc
from app.mm.mm_types import VM_GROWSDOWN, VM_HUGETLB, VM_MAYSHARE, VM_WRITE
from app.mm.pgtable_types import PRESENT, PROTNONE, PSE, RW, SHIFT
from app.mm.proc import task_mmu
from app.mm.proc.task_mmu import area_name

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct, PageTable, VmArea
    from app.mm.sched import Task

# Processes are looked through one by one; more than a class forks are only counted.
MAX_PROCESSES: Final = 4096
# A table of pages is counted about as fast as one object is put into words, one of tables more slowly.
TABLE: Final = 1
DIRECTORY: Final = 32
# So many resident pages are shared out one by one.
SHARES_UP_TO: Final = 2_048
HUGE: Final = 512
# Of the lowest byte of an entry the bit that says present, and of the second the one that says present, but
# without any right. The others may be part of a slot in swap.
HERE: Final = bytes(byte & PRESENT for byte in range(256))
NO_RIGHT: Final = bytes(byte & PROTNONE >> 8 for byte in range(256))

Doc = dict[str, Any]


def cost(task: Task, mm: MmStruct) -> int:
    """About how much work a process is, as `show_cost` counts it: tables, and pages where they are few."""
    resident = mm_view(task, mm)["resident"]
    pages = 0 if resident > SHARES_UP_TO else resident
    return TABLE * len(mm.tables[1]) + DIRECTORY * len(mm.tables[2]) + pages


# -- processes -------------------------------------------------------------------------------------


def processes(m: Machine) -> list[Task]:
    """The tasks that have an address space, the oldest first."""
    return [task for task in islice(m.tasks.values(), MAX_PROCESSES) if task.mm is not None]


def process(task: Task) -> Doc:
    """A process in figures. rss: the kernel's own counter, which lags; resident: the exact number."""
    assert task.mm is not None
    return mm_view(task, task.mm) | {
        "name": task.name,
        "pid": task.pid,
        "parent": task.parent,
        "min_flt": task.min_flt,
        "maj_flt": task.maj_flt,
        "asleep": task.waiting_for is not None,
    }


def shares(m: Machine, task: Task) -> Doc | None:
    """Resident pages as /proc/PID/smaps_rollup counts them: all, in parts of 1/n each, and its own alone.

    None where there are so many that it would take long. Kernel: fs/proc/task_mmu.c smap_gather_stats
    """
    mm = task.mm
    assert mm is not None
    if mm_view(task, mm)["resident"] > SHARES_UP_TO:
        return None
    found = task_mmu.MemSize()
    for vma in mm.mmap:
        task_mmu.gather(m, vma, found)
    total = {name: int(getattr(found, name)) for name in found.__slots__}
    return {
        "rss": total["resident"] >> 12,
        "pss": total["pss"] / (1 << task_mmu.PSS_SHIFT + 12),
        "uss": sum(total[f"private_{kind}"] for kind in ("clean", "dirty", "hugetlb")) >> 12,
    }


# -- areas -----------------------------------------------------------------------------------------


def area_at(mm: MmStruct, address: int) -> int | None:
    """The place of the area that an address is in, among all; None where there is none."""
    place = bisect_right(mm.mmap, address, key=start_of) - 1
    return place if place >= 0 and mm.mmap[place].vm_end > address else None


def start_of(vma: VmArea) -> int:
    """Where an area begins."""
    return vma.vm_start


def areas(mm: MmStruct, address: int, limit: int) -> Doc:
    """At most so many areas around an address. chosen: the area that it is in."""
    here = bisect_right(mm.mmap, address, key=start_of) - 1
    first = max(0, min(here - limit // 2, len(mm.mmap) - limit))
    shown = mm.mmap[first : first + limit]
    at = area_at(mm, address)
    return {
        "first": first,
        "total": len(mm.mmap),
        "areas": [area(vma) for vma in shown],
        "chosen": None if at is None else at - first,
    }


def area(vma: VmArea) -> Doc:
    """One area."""
    return {
        "start": vma.vm_start,
        "end": vma.vm_end,
        "rights": observing.rights(vma),
        "name": area_name(vma),
        "file": vma.vm_file.inode.name if vma.vm_file is not None else None,
        "offset": vma.vm_pgoff << 12 if vma.vm_file is not None else None,
        "anonymous": vma.is_anonymous,
        "grows": bool(vma.vm_flags & VM_GROWSDOWN),
        "hugetlb": bool(vma.vm_flags & VM_HUGETLB),
    }


# -- pages -----------------------------------------------------------------------------------------


def page(m: Machine, mm: MmStruct, vma: VmArea | None, address: int) -> Doc:
    """What an address is mapped to. state: of the frame; `none` where no page is present."""
    level, entry = pgalloc.find_entry(mm, address)
    pfn = pte_text.frame_of(level, entry, address)
    doc: Doc = {"addr": address, "pfn": pfn, "state": "none", "level": level, "flags": "", "maps": 0}
    if pfn is None:
        return doc
    return doc | {
        "state": state(m, pfn),
        "flags": pte_text.flags(entry & pte_text.FLAGS),
        "maps": mem_map.page_mapcount(m, pfn) if mem_map.known(m, mem_map.compound_head(m, pfn)) else 0,
        "protected": vma is not None and is_protected(vma, entry),
    }


def is_protected(vma: VmArea, entry: int) -> bool:
    """Whether a page of a private, writable area may not be written: then the first write copies it."""
    private = vma.vm_flags & (VM_WRITE | VM_MAYSHARE) == VM_WRITE
    return private and entry & (PRESENT | RW) == PRESENT


def state(m: Machine, pfn: int) -> str:
    """What a mapped frame is: the zero page, one of the kernel's own, or a page of a process or a file."""
    if pfn == m.vm.zero_pfn or pfn & -HUGE == m.vm.huge_zero_page:
        return "zero"
    return page_ref.state_of(m, pfn)


def pages(m: Machine, mm: MmStruct, start: int, count: int) -> list[Doc]:
    """So many pages from an address on."""
    found = []
    for address in range(start, start + (count << 12), 1 << 12):
        at = area_at(mm, address)
        found.append(page(m, mm, None if at is None else mm.mmap[at], address))
    return found


def cells(m: Machine, mm: MmStruct, start: int, shift: int, count: int) -> list[Doc]:
    """Cells of 2^shift pages from an address on: how many of each are present, and what the first is."""
    size = 1 << shift + 12
    present = [0] * count
    first: list[int | None] = [None] * count
    for base, there in presence(mm, start, start + count * size):
        end = base + (len(there) << 12)
        for cell in range((base - start) // size, (end - 1 - start) // size + 1):
            low, high = max(base, start + cell * size), min(end, start + (cell + 1) * size)
            part = there[(low - base) >> 12 : (high - base) >> 12]
            number = len(part) - part.count(0)
            present[cell] += number
            if number and first[cell] is None:
                first[cell] = low + ((len(part) - len(part.lstrip(b"\0"))) << 12)
    return [
        {
            "addr": start + at * size,
            "pages": 1 << shift,
            "present": present[at],
            "state": "none" if address is None else page(m, mm, None, address)["state"],
        }
        for at, address in enumerate(first)
    ]


def presence(mm: MmStruct, low: int, high: int) -> Iterator[tuple[int, bytes]]:
    """(address, a byte for each page from there on) of the parts of a range that have tables.

    The byte is 0 where no page is present. Parts that no table maps are left out.
    """
    top = mm.pgd
    if top is not None:
        yield from presence_below(mm, top, 0, low, high)


def presence_below(
    mm: MmStruct, table: PageTable, base: int, low: int, high: int
) -> Iterator[tuple[int, bytes]]:
    """The same below one table, which maps memory from `base` on."""
    level = table.level
    size = 1 << SHIFT[level]
    first = max(0, (low - base) // size)
    behind = min(len(table.entries), -(-(high - base) // size))
    if level == 1:
        yield base + (first << 12), presence_in(table)[first:behind]
        return
    for at in range(first, behind):
        entry = table.entries[at]
        if not entry:
            continue
        address = base + at * size
        below = None if entry & PSE else mm.tables[level - 1].get(address >> SHIFT[level])
        if below is not None:
            yield from presence_below(mm, below, address, low, high)
        elif entry & PSE:
            begin, end = max(low, address), min(high, address + size)
            yield begin, b"\1" * ((end - begin) >> 12)


def presence_in(table: PageTable) -> bytes:
    """A byte for each entry of a table of pages, 0 where no page is present.

    Present entries say so in the lowest byte; those without any right have PROTNONE in the second.
    """
    entries = table.entries
    if sys.byteorder == "big":
        entries = entries[:]
        entries.byteswap()
    raw = entries.tobytes()
    lowest, second = raw[::8].translate(HERE), raw[1::8].translate(NO_RIGHT)
    if second.count(0) == len(second):
        return lowest
    return bytes(one | other for one, other in zip(lowest, second, strict=True))


# -- the walk --------------------------------------------------------------------------------------


def walk(m: Machine, task: Task, address: int) -> Doc:
    """The walk of an address, how many entries of each table are used, and what the page at its end is."""
    mm = task.mm
    assert mm is not None
    place = area_at(mm, address)
    return vm_views.walk(m, task.name, address) | {
        "used": [len(table.entries) - table.entries.count(0) for table, _, _ in pgalloc.walk(mm, address)],
        "user": address < mm.task_size,
        "end": page(m, mm, None if place is None else mm.mmap[place], address),
    }
