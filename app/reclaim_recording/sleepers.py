"""Who else has pages in the lists: processes that sleep beside the one that acts.

Of most only the pages are known, and one address space stands for all of them. Processes that take memory
until somebody must die are listed by the recording; each of those maps a range of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from app.machine.machine import Machine
from app.mm import mem_map, pgalloc, rmap
from app.mm.exec import MAY_ALL, Layout
from app.mm.mm_types import (
    MM_ANONPAGES,
    MM_FILEPAGES,
    VM_READ,
    VM_WRITE,
    AnonVma,
    MmStruct,
    PageTable,
    VmArea,
)
from app.mm.page import Page
from app.mm.pgtable_types import ACCESSED, DIRTY, NX, PAGE_SIZE, PRESENT, RW, USER
from app.mm.sched import Task
from app.reclaim_recording import recorded
from app.reclaim_recording.recorded import Hog, RecordedPage

# Tables that are older than the recording have no frame that anybody will see.
NO_FRAME: Final = 0
ENTRY: Final = PRESENT | USER | NX
NAME: Final = "sh"
# Tables of a hog's program and stack, which are not followed either.
PROGRAM_TABLES: Final = 4
GFP_PGTABLE: Final = 0x400DC0


@dataclass(slots=True)
class Space:
    """A listed process: its one area, and how many of its pages at each index are still to be found."""

    mm: MmStruct
    area: VmArea


class Sleepers:
    """Maps the pages of the lists.

    top: the page at which their ranges end. used: frames of the kernel's, for tables. spaces: the listed
    processes, the newest first. seen: how many pages of each index have been mapped.
    """

    def __init__(self, m: Machine, hogs: list[Hog], top: int, used: Iterator[int]) -> None:
        self.m = m
        self.top = top
        self.used = used
        self.rest = address_space(m, NAME, 1)
        self.spaces = [self.hog(hog) for hog in reversed(hogs)]
        self.seen: dict[int, int] = {}

    def hog(self, hog: Hog) -> Space:
        """A process that takes memory; its tables lie in frames that somebody uses."""
        mm = address_space(self.m, hog.name, hog.pid, self.table_frame)
        end = self.top << 12
        area = VmArea(
            mm, end - hog.pages * PAGE_SIZE, end, VM_READ | VM_WRITE | MAY_ALL, self.top - hog.pages
        )
        self.name(area, AnonVma(self.m.vm.new_id()))
        mm.mmap.append(area)
        mm.rss_stat[MM_ANONPAGES], mm.rss_stat[MM_FILEPAGES] = hog.anon, hog.file
        mm.total_vm = hog.size
        mm.pgtables_bytes += PROGRAM_TABLES * PAGE_SIZE
        self.m.tasks[hog.name].oom_score_adj = hog.adj
        self.m.tasks[hog.name].comm = hog.comm
        return Space(mm, area)

    def name(self, area: VmArea, anon_vma: AnonVma) -> None:
        """Let pages of an anon_vma find an area."""
        self.m.vm.anon_vmas[anon_vma.id] = anon_vma
        area.anon_vma = anon_vma
        anon_vma.num_active_vmas += 1
        rmap.chain_link(area, anon_vma, 0)

    def map(self, page: RecordedPage) -> None:
        """Enter a page wherever it is mapped."""
        at = self.seen.get(page.index, 0)
        self.seen[page.index] = at + 1
        homes = [
            space
            for space in self.spaces
            if space.area.vm_pgoff <= page.index < space.area.vm_pgoff + space.area.pages
        ]
        if at < len(homes):
            area = homes[at].area
            self.enter(page, area, area.vm_start + (page.index - area.vm_pgoff << 12), young=page.young > 0)
            return
        anon_vma = AnonVma(self.m.vm.new_id())
        for number in range(page.mapped):
            start = self.rest.mmap_base - 2 * PAGE_SIZE * (len(self.rest.mmap) + 1)
            area = VmArea(self.rest, start, start + PAGE_SIZE, VM_READ | VM_WRITE | MAY_ALL, page.index)
            self.name(area, anon_vma)
            self.rest.mmap.insert(0, area)
            self.rest.rss_stat[MM_ANONPAGES] += 1
            self.enter(page, area, start, young=number < page.young)

    def enter(self, page: RecordedPage, area: VmArea, address: int, *, young: bool) -> None:
        """One entry."""
        mm = area.vm_mm
        assert area.anon_vma is not None
        mem_map.section(self.m, page.pfn).mapping[page.pfn & 511] = area.anon_vma.id << 1 | 1
        if address >> 21 not in mm.tables[1]:
            frame = NO_FRAME if mm is self.rest else self.table_frame()
            pgalloc.install(mm, PageTable(frame, 1, 0), address)
        entry = page.pfn << 12 | ENTRY | (ACCESSED if young else 0)
        if page.bits & recorded.BIT_DIRTY:
            entry |= DIRTY
        if recorded.EXCLUSIVE in page.flags:
            entry |= RW
        mm.tables[1][address >> 21].entries[address >> 12 & 511] = entry

    def table_frame(self) -> int:
        """A frame of the kernel's that stands for a table's."""
        pfn = next(self.used, NO_FRAME)
        if pfn != NO_FRAME:
            self.m.pages[pfn] = Page(pfn, 0, 0, GFP_PGTABLE, "pagetable", "init", 0)
        return pfn


def no_frame() -> int:
    """Of a table that nobody will see."""
    return NO_FRAME


def address_space(m: Machine, name: str, pid: int, frame: Callable[[], int] = no_frame) -> MmStruct:
    """A process with the tables that lead to its mappings; those of its own program are not followed.

    frame: gives a frame for each.
    """
    mm = MmStruct(m.vm.new_id())
    m.vm.mms[mm.id] = mm
    layout = Layout(m.model.arch)
    mm.task_size, mm.mmap_base = layout.task_size, layout.mmap_base
    mm.pgd = PageTable(frame(), 4, 0)
    for level in (3, 2):
        pgalloc.install(mm, PageTable(frame(), level, 0), layout.mmap_base)
    task = m.tasks[name] = Task(name, pid)
    task.mm = mm
    return mm
