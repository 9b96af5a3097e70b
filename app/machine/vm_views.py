"""Reading processes: tasks, their areas, the walk of an address, and their page tables.

Everything here is JSON-ready and changes nothing. What a process has resident is counted table by table, and
`app.machine.show_cost` says beforehand how many tables that are.
"""

from __future__ import annotations

from bisect import bisect_left
from heapq import nsmallest
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine import pte_text
from app.machine.entry.system_call import mm_view
from app.machine.observing import rights
from app.machine.vma_text import area_line
from app.mm import huge_memory, mem_map, mm_types, pgalloc, proc
from app.mm.mm_types import MmStruct, PageTable, VmArea
from app.mm.oom_kill import oom_score
from app.mm.page import PG_dirty
from app.mm.pgtable_types import DIRTY, PAGE_SHIFT, PRESENT, PROTNONE, PSE, SHIFT, SPECIAL, pte_pfn
from app.mm.proc.task_mmu import MNEMONICS, area_name
from app.mm.swapops import pte_to_swp_entry, swp_offset, swp_type
from app.mm.vma import find_vma, vma_lookup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.machine import Machine
    from app.mm.fs import File
    from app.mm.sched import Task

# Descriptors of a task that a list of tasks shows, and kept tables of huge pages that are named.
FDS_SHOWN: Final = 16
DEPOSITED_SHOWN: Final = 16
# How many pages of each size the second-level TLB of a common processor (Skylake) keeps.
TLB_ENTRIES: Final = {"4K": 1536, "2M": 1536, "1G": 16}
PAGE_SIZES: Final = {1: "4K", 2: "2M", 3: "1G"}

FLAG_NAMES: Final = {
    value.bit_length() - 1: name
    for name, value in vars(mm_types).items()
    if name.startswith("VM_") and isinstance(value, int) and value.bit_count() == 1
}


# -- tasks -----------------------------------------------------------------------------------------


def process_part(m: Machine, task: Task, fds: int = FDS_SHOWN) -> dict[str, Any]:
    """What a task is and has as a process. `rss` as the kernel counts, `mm.resident` exactly; in pages."""
    mm = None if task.mm is None else mm_view(task, task.mm)
    return {
        "comm": task.comm,
        "parent": task.parent,
        "mm": mm,
        "rss": None if mm is None else mm["rss"],
        "faults": {"min": task.min_flt, "maj": task.maj_flt},
        "oom_score": oom_score(m, task),
        "fds": [descriptor(fd, file) for fd, file in nsmallest(fds, task.files.items(), key=itemgetter(0))],
        "fds_count": len(task.files),
    }


def descriptor(fd: int, file: File) -> dict[str, Any]:
    """An open file of a task."""
    return {
        "fd": fd,
        "path": file.path or file.inode.name,
        "pos": file.pos,
        "flags": file.flags,
        "references": file.f_count,
    }


def space_part(task: Task, mm: MmStruct) -> dict[str, Any]:
    """An address space with its bounds and sizes: sizes in pages. Kernel: struct mm_struct"""
    return mm_view(task, mm) | {
        "rss_not_folded": {
            name: task.rss_stat[at]
            for name, at in (
                ("anon", mm_types.MM_ANONPAGES),
                ("file", mm_types.MM_FILEPAGES),
                ("shmem", mm_types.MM_SHMEMPAGES),
                ("swap", mm_types.MM_SWAPENTS),
            )
        },
        "map_count": mm.map_count,
        "data_vm": mm.data_vm,
        "exec_vm": mm.exec_vm,
        "stack_vm": mm.stack_vm,
        "locked_vm": mm.locked_vm,
        "hiwater_rss": max(mm.hiwater_rss, mm.mm_rss),
        "pgd_pfn": None if mm.pgd is None or mm.pgd.pfn < 0 else mm.pgd.pfn,
        **{
            name: f"{getattr(mm, name):#x}"
            for name in (
                "start_code", "end_code", "start_brk", "brk", "mmap_base", "start_stack", "task_size",
            )
        },
    }  # fmt: skip


def task_process(m: Machine, name: str) -> dict[str, Any]:
    """One task as a process, with all its descriptors. Raises KeyError."""
    task = m.tasks[name]
    found = process_part(m, task, len(task.files)) | {"oom_score_adj": task.oom_score_adj}
    if task.mm is not None:
        found["mm"] = space_part(task, task.mm)
    return found | {"children": [other.name for other in m.tasks.values() if other.parent == task.pid]}


def space_of(m: Machine, name: str) -> MmStruct | None:
    """The address space of a task; None of a kernel thread. Raises KeyError where there is no such task."""
    return m.tasks[name].mm


def task_file(m: Machine, name: str, file: str) -> str:
    """A file of /proc/PID. Raises KeyError where there is no such task."""
    return proc.OF_TASKS[file](m, m.tasks[name])


# -- areas -----------------------------------------------------------------------------------------


def maps(m: Machine, name: str, start: int, limit: int) -> dict[str, Any]:
    """At most so many areas after the first `start`, with what is in memory of each. Raises KeyError."""
    mm = space_of(m, name)
    areas = [] if mm is None else mm.mmap
    shown = areas[start : start + limit]
    views = [] if mm is None else [area_view(m, vma, numbers) for numbers in (Numbers(mm),) for vma in shown]
    return {
        "task": name,
        "vmas": views,
        "total": len(areas),
        "next": start + limit if start + limit < len(areas) else None,
    }


class Numbers:
    """The numbers of an address space's tables in order, so that those of an area are found by halving."""

    def __init__(self, mm: MmStruct) -> None:
        self.mm = mm
        self.of = [sorted(tables) for tables in mm.tables]

    def tables(self, level: int, start: int, end: int) -> Iterator[tuple[int, PageTable]]:
        """(first address, table) of those that map anything of a range."""
        shift = SHIFT[level + 1]
        numbers = self.of[level]
        for at in range(bisect_left(numbers, start >> shift), bisect_left(numbers, (end - 1 >> shift) + 1)):
            yield numbers[at] << shift, self.mm.tables[level][numbers[at]]


def area_view(m: Machine, vma: VmArea, numbers: Numbers) -> dict[str, Any]:
    """One area: the line of /proc/PID/maps in parts, and its pages. Kernel: struct vm_area_struct

    resident: its pages in memory, those of huge pages among them; the zero page is nobody's. dirty: of those
    that are newer than a file or were written. tables: of each level, those that it has a part of.
    """
    resident, swapped, dirty = in_memory(m, vma, numbers)
    file = vma.vm_file
    return {
        "start": f"{vma.vm_start:#x}",
        "end": f"{vma.vm_end:#x}",
        "pages": vma.pages,
        "prot": rights(vma),
        "flags": flag_names(vma.vm_flags),
        "mnemonics": [word for bit, word in MNEMONICS.items() if vma.vm_flags >> bit & 1],
        "vm_flags": f"{vma.vm_flags:#x}",
        "name": area_name(vma) or None,
        "file": None if file is None else file.path or file.inode.name,
        "offset": 0 if file is None else vma.vm_pgoff << PAGE_SHIFT,
        "vm_pgoff": vma.vm_pgoff,
        "anon_vma": None if vma.anon_vma is None else vma.anon_vma.id,
        "resident": resident,
        "swapped": swapped,
        "dirty": dirty,
        "tables": {
            pte_text.LEVELS[level]: sum(1 for _ in numbers.tables(level, vma.vm_start, vma.vm_end))
            for level in range(1, 4)
        },
    }


def flag_names(bits: int) -> list[str]:
    """The names of the set bits, lowest first."""
    return [name for bit, name in sorted(FLAG_NAMES.items()) if bits >> bit & 1]


def in_memory(m: Machine, vma: VmArea, numbers: Numbers) -> tuple[int, int, int]:
    """(resident, swapped, dirty) pages of an area, from its entries."""
    resident = swapped = dirty = 0
    for level in range(1, 4):
        size = 1 << SHIFT[level]
        pages = size >> PAGE_SHIFT
        for base, table in numbers.tables(level, vma.vm_start, vma.vm_end):
            m.breathe()
            low = max(vma.vm_start - base, 0) >> SHIFT[level]
            high = min(vma.vm_end - base + size - 1 >> SHIFT[level], len(table.entries))
            for entry in table.entries[low:high]:
                if not entry or (level > 1 and not entry & PSE):
                    continue
                if not entry & (PRESENT | PROTNONE):
                    swapped += pages
                elif (level > 1 or not entry & SPECIAL) and not (
                    level == 2 and huge_memory.is_huge_zero(m, entry)
                ):
                    resident += pages
                    dirty += pages * is_dirty(m, level, entry)
    return resident, swapped, dirty


def is_dirty(m: Machine, level: int, entry: int) -> bool:
    """Whether a page is dirty by its entry or by itself."""
    if entry & DIRTY:
        return True
    return bool(mem_map.flags(m, mem_map.compound_head(m, pte_pfn(entry, pte_text.MASKS[level]))) & PG_dirty)


# -- the walk of an address ------------------------------------------------------------------------


def walk(m: Machine, name: str, address: int) -> dict[str, Any]:
    """An address cut into its indexes, and each table that the processor looks at. Raises KeyError.

    page: what is at the end; `why` says in words why there is none, or how it is there.
    """
    mm = space_of(m, name)
    if address > m.model.ptr_max:
        raise BadArgument.at("addr", f"an address up to {m.model.ptr_max:#x}")
    top = top_level(m)
    found: dict[str, Any] = {
        "task": name,
        "addr": f"{address:#x}",
        "canonical": canonical(m, address),
        "bits": [bits_of(level, top, address) for level in range(top, 0, -1)]
        + [{"level": "offset", "from": PAGE_SHIFT - 1, "to": 0, "index": address & (1 << PAGE_SHIFT) - 1}],
        "levels": [] if mm is None else levels_of(m, mm, address, top),
        "vma": None,
        "page": None,
        "pfn": None,
        "tlb": {size: {"entries": n, "reach": n << SHIFT[level]} for level, size in PAGE_SIZES.items()
                for n in (TLB_ENTRIES[size],)},
    }  # fmt: skip
    if mm is None:
        return found | {"why": f"{name} is a kernel thread: it has no address space of its own"}
    vma = vma_lookup(mm, address)
    if vma is not None:
        found["vma"] = area_line(vma)
    level, entry = pgalloc.find_entry(mm, address)
    pfn = pte_text.frame_of(level, entry, address)
    if pfn is not None:
        found["pfn"] = pfn
        found["page"] = page_at(level, pfn, entry, address)
    return found | {"why": why(m, mm, vma, address, level, entry)}


def canonical(m: Machine, address: int) -> bool:
    """Whether the bits that the walk does not use repeat the highest one that it uses."""
    return m.model.arch == "i386" or not 1 << 47 <= address < (1 << 64) - (1 << 47)


def top_level(m: Machine) -> int:
    """The highest level of page tables: i386 with PAE has three."""
    return 3 if m.model.arch == "i386" else 4


def level_name(level: int, top: int) -> str:
    """What a level is called: the highest is always the pgd, and a level that is folded has no name."""
    return "pgd" if level == top else pte_text.LEVELS[level]


def bits_of(level: int, top: int, address: int) -> dict[str, Any]:
    """The bits of an address that are the index at one level."""
    width = 2 if top == 3 and level == 3 else 9
    return {
        "level": level_name(level, top),
        "from": SHIFT[level] + width - 1,
        "to": SHIFT[level],
        "index": address >> SHIFT[level] & (1 << width) - 1,
    }


def levels_of(m: Machine, mm: MmStruct, address: int, top: int) -> list[dict[str, Any]]:
    """Each table on the way: its frame, the entry, and what that maps."""
    found = []
    for table, at, entry in pgalloc.walk(mm, address):
        leaf = pte_text.maps_memory(table.level, entry)
        present = bool(entry & (PRESENT | PROTNONE))
        below = mm.tables[table.level - 1].get(address >> SHIFT[table.level]) if table.level > 1 else None
        found.append(
            {
                "level": level_name(table.level, top),
                "index": at,
                "table_pfn": None if table.pfn < 0 else table.pfn,
                "entry": f"{entry:#x}",
                "flags": pte_text.flags(pte_text.shown(entry) if leaf else entry & 0xFFF),
                "maps": "nothing" if not entry else "swap" if not present else "page" if leaf else "table",
                "pfn": pte_pfn(entry, pte_text.MASKS[table.level])
                if leaf and present
                else None
                if below is None
                else below.pfn,
            }
        )
    return found


def page_at(level: int, pfn: int, entry: int, address: int) -> dict[str, Any]:
    """The frame of an address, and the page it is part of: a huge one takes one entry of the TLB."""
    return {
        "pfn": pfn,
        "size": PAGE_SIZES[level],
        "offset": address & (1 << SHIFT[level]) - 1,
        "physical": f"{pfn << PAGE_SHIFT | address & (1 << PAGE_SHIFT) - 1:#x}",
        "first_pfn": pte_pfn(entry, pte_text.MASKS[level]),
        "accessible": bool(entry & PRESENT),
    }


def why(m: Machine, mm: MmStruct, vma: VmArea | None, address: int, level: int, entry: int) -> str:
    """In words: what the processor and the kernel find there."""
    name = level_name(level, top_level(m))
    if pte_text.frame_of(level, entry, address) is not None:
        if not entry & PRESENT:
            return "the page is there, but its entry is not present: the area gives no right (PROT_NONE)"
        size = PAGE_SIZES[level]
        if level == 1 and entry & SPECIAL and pte_pfn(entry) == m.vm.zero_pfn:
            return "the zero page: nothing has been written here yet, and the first write brings a page"
        return f"the {name} entry maps a page of {size}"
    if not canonical(m, address):
        return "the address is not canonical: an access is SIGSEGV (SI_KERNEL), without any walk"
    if vma is None:
        behind = find_vma(mm, address)
        if behind is not None and behind.vm_flags & mm_types.VM_GROWSDOWN:
            return "no area; the next one above is the stack, which may grow down to here"
        return "no area of the process has this address: an access is SIGSEGV (SEGV_MAPERR)"
    if entry:
        return in_swap(m, entry)
    if level > 1:
        return f"the {name} entry is empty: nothing was touched in its range, and there is no table below"
    return "the pte entry is empty: this page has not been touched, or was given up"


def in_swap(m: Machine, entry: int) -> str:
    """Where a page is whose entry names a slot, in words."""
    slot = pte_to_swp_entry(entry)
    where = f"the page is in slot {swp_offset(slot)} of swap area {swp_type(slot)}"
    pfn = None if m.vm.swap is None else m.vm.swap.cache.get(slot)
    if pfn is None:
        return f"{where}: an access brings it back, which is a major fault"
    return f"{where}, and still in frame {pfn:#x}: an access finds it in the swap cache, a minor fault"


# -- page tables -----------------------------------------------------------------------------------


def pagetables(m: Machine, name: str, start: int, limit: int) -> dict[str, Any]:
    """The tables of a process: sums by level, and at most so many of them after `start`. Raises KeyError.

    `used` counts entries that are not empty. Kernel: mm_pgtables_bytes leaves the highest table out.
    """
    mm = space_of(m, name)
    top = top_level(m)
    tables = [] if mm is None else list(in_order(mm))
    shown = tables[start : start + limit]
    return {
        "task": name,
        "pgtables_bytes": 0 if mm is None else mm.pgtables_bytes,
        "levels": [] if mm is None else [level_sum(m, mm, level, top) for level in range(top, 0, -1)],
        "tables": [table_view(table, first, top) for first, table in shown],
        "total": len(tables),
        "next": start + limit if start + limit < len(tables) else None,
    }


def in_order(mm: MmStruct) -> Iterator[tuple[int, PageTable]]:
    """(first address, table): the highest, then each level's in the order of addresses."""
    if mm.pgd is not None:
        yield 0, mm.pgd
    for level in (3, 2, 1):
        for number in sorted(mm.tables[level]):
            yield number << SHIFT[level + 1], mm.tables[level][number]


def tables_of(mm: MmStruct, level: int) -> list[PageTable]:
    """All tables of a level."""
    if mm.pgd is not None and mm.pgd.level == level:
        return [mm.pgd]
    return list(mm.tables[level].values())


def level_sum(m: Machine, mm: MmStruct, level: int, top: int) -> dict[str, Any]:
    """One level: how many tables, and how much of them is used."""
    tables = tables_of(mm, level)
    used = 0
    for table in tables:
        m.breathe()
        used += len(table.entries) - table.entries.count(0)
    return {
        "level": level_name(level, top),
        "maps_each": 1 << SHIFT[level],
        "tables": len(tables),
        "entries": sum(len(table.entries) for table in tables),
        "used": used,
        "deposited": sum(len(table.deposited) for table in tables),
    }


def table_view(table: PageTable, first: int, top: int) -> dict[str, Any]:
    """One table: its frame, and what it covers."""
    return {
        "level": level_name(table.level, top),
        "pfn": None if table.pfn < 0 else table.pfn,
        "start": f"{first:#x}",
        "end": f"{first + (len(table.entries) << SHIFT[table.level]):#x}",
        "entries": len(table.entries),
        "used": len(table.entries) - table.entries.count(0),
        "deposited": [kept.pfn for kept in table.deposited[:DEPOSITED_SHOWN]],
        "deposited_count": len(table.deposited),
    }
