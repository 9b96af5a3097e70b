"""The state before the first operation: one process, the files it has open, the pages of both."""

from __future__ import annotations

from typing import Any, Final

from app.machine.machine import Machine
from app.mm import fs, hugetlb, lru, mem_map, pgalloc
from app.mm.mm_types import VM_DONTEXPAND, VM_PFNMAP, MmStruct, PageTable, VmArea
from app.mm.page import Page, PG_lru
from app.mm.sched import Task
from app.vm_recording.identities import Identities
from app.vm_recording.recorded import FLAGS_COMPARED, Process, Recorded, frame_of, number

ZERO_PAGE: Final = [1, -1, 0, "0x1000", None, 0, 0, None, 0]
SUMS: Final = ("total_vm", "data_vm", "exec_vm", "stack_vm", "locked_vm")
NUMBERS: Final = ("mmap_base", "start_stack", "task_size", "def_flags")


def task_name(label: int) -> str:
    """The task of a recorded label."""
    return f"p{label}"


class Start:
    """Makes it from what was recorded."""

    def __init__(self, m: Machine, recorded: Recorded, identities: Identities) -> None:
        self.m = m
        self.recorded = recorded
        self.identities = identities

    def make(self, begin: dict[str, Any], pools: list[Any]) -> None:
        """All of it. begin, pools: the recording's lines of those kinds."""
        vm = self.m.vm
        vm.zero_pfn = number(begin["zero_pfn"])
        for name in ("always", "madvise", "never"):
            if f"transparent_hugepage={name}" in self.recorded.meta["cmdline"]:
                vm.thp = name
        for order, _, reserved, free in pools:
            frames = [number(pfn) for pfn in free]
            vm.hstates[order] = hugetlb.Hstate(order, frames, reserved)
            vm.pool_pages.update(dict.fromkeys(frames, False))
        self.page(vm.zero_pfn, ZERO_PAGE)
        self.vdso()
        for label in sorted(self.recorded.procs):
            self.process(label, self.recorded.procs[label])
        for name, batch in (self.recorded.batches or {}).items():
            vm.batches[name] = [number(pfn) for pfn in batch]

    def vdso(self) -> None:
        """Its frames are part of the kernel's image; they are known where somebody maps them later."""
        base = number(self.recorded.procs[0].mm["mmap_base"]) - 0x2000
        frames: dict[int, int] = {}
        for _, (address, level, *entry) in self.recorded.changes("leaf"):
            at = number(address) - base >> 12
            if level == 1 and at in (0, 1):
                frames[at] = frame_of(1, number(entry[0])) or 0
        for _, page in self.recorded.changes("page"):
            if number(page[0]) in frames.values():
                self.page(number(page[0]), [page[1] - 1, page[2] - 1, 0, *page[4:]])
        if len(frames) == 2:
            self.m.vm.special_pages["[vdso]"] = (frames[0], frames[1])

    def process(self, label: int, recorded: Process) -> None:
        """A process."""
        said = recorded.mm
        task = self.m.tasks[task_name(label)] = Task(task_name(label), said["pid"])
        mm = task.mm = MmStruct(self.m.vm.new_id())
        self.m.vm.mms[mm.id] = mm
        for key in SUMS:
            setattr(mm, key, said[key])
        for key in NUMBERS:
            setattr(mm, key, number(said[key]))
        mm.start_brk, mm.brk = (number(value) for value in said["brk"])
        mm.rss_stat = list(said["rss"])
        task.rss_stat, task.rss_events = list(said["task_rss"][:4]), said["task_rss"][4]
        mm.hiwater_rss, mm.hiwater_vm = said["hiwater"]
        for description in recorded.vma:
            self.area(mm, description)
        self.tables(mm, recorded)
        for name, pages in self.recorded.files.items():
            self.cached(self.identities.inode(*name), pages, self.recorded.sizes[name])
        for level, entry in recorded.leaf.values():
            pfn = frame_of(level, entry)
            if pfn is not None and pfn in self.recorded.pages:
                self.page(pfn, self.recorded.pages[pfn])

    def cached(self, inode: fs.Inode, pages: dict[int, Any], size: int) -> None:
        """What is cached of a file."""
        inode.size = size
        for index, page in pages.items():
            inode.i_pages[index] = number(page[0])
            self.page(number(page[0]), page[1:])

    def area(self, mm: MmStruct, description: list[Any]) -> None:
        """An area with its file and its anon_vmas."""
        start, end, flags, pgoff, file, anon, chain = description
        vma = VmArea(mm, number(start), number(end), number(flags), pgoff)
        if file is not None:
            vma.vm_file = self.file(mm, self.identities.inode(*file))
            vma.vm_file.inode.i_mmap[vma] = None
        elif vma.vm_flags & VM_DONTEXPAND:
            vma.special = "[vvar]" if vma.vm_flags & VM_PFNMAP else "[vdso]"
        for address, root, parent, refcount, children, active in chain:
            anon_vma = self.identities.anon(number(address))
            anon_vma.root, anon_vma.parent = (self.identities.anon(number(of)) for of in (root, parent))
            anon_vma.refcount, anon_vma.num_children, anon_vma.num_active_vmas = refcount, children, active
            vma.anon_vma_chain.append(anon_vma)
            anon_vma.vmas[vma] = None
            vma.links.append(0)
        if anon is not None:
            vma.anon_vma = self.identities.anon(number(anon))
        mm.mmap.append(vma)

    def file(self, mm: MmStruct, inode: fs.Inode) -> fs.File:
        """The open program that an area maps: one for all its areas."""
        for vma in mm.mmap:
            if vma.vm_file is not None and vma.vm_file.inode is inode:
                vma.vm_file.f_count += 1
                return vma.vm_file
        return fs.File(inode, 0)

    def tables(self, mm: MmStruct, recorded: Process) -> None:
        """Page tables and their entries."""
        if self.recorded.bits == 64:
            pgd = number(recorded.pgd)
            mm.pgd = PageTable(pgd, 4, 0)
            self.m.pages[pgd] = Page(pgd, 1, 0, 0x400DC0, "pagetable", "init", 0)
        else:
            mm.pgd = PageTable(-1, 3, 0, 4)
        for (level, base), (pfn, _) in sorted(recorded.tab.items(), reverse=True):
            self.m.pages[pfn] = Page(pfn, 0, 0, 0x400DC0, "pagetable", "init", 0)
            pgalloc.install(mm, PageTable(pfn, level, 0), base)
        mm.pgtables_bytes = recorded.mm["pgtables_bytes"]
        for address, (level, entry) in recorded.leaf.items():
            table = pgalloc.find_table(mm, level, address)
            assert table is not None
            table.entries[pgalloc.index(level, address)] = entry

    def page(self, pfn: int, description: list[Any]) -> None:
        """The record of a page, and its place on a list."""
        if mem_map.known(self.m, pfn):
            return
        refcount, mapcount, _, flags, mapping, index = description[:6]
        s, i = mem_map.section(self.m, pfn), pfn & 511
        s.refcount[i], s.mapcount[i] = refcount, mapcount
        s.flags[i] = number(flags) & FLAGS_COMPARED
        s.index[i] = index
        if mapping is not None and mapping[0] == "a":
            s.mapping[i] = self.identities.anon(number(mapping[1])).id << 1 | 1
        elif mapping is not None:
            s.mapping[i] = self.identities.inode(mapping[1], mapping[2]).id << 1
        if s.flags[i] & PG_lru:
            lru.lruvec_add(self.m, pfn)
