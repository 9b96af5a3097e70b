"""The state before the first operation: the lists with all their pages, and the process that will act."""

from __future__ import annotations

from typing import Any, Final

from app.machine import boot
from app.machine.machine import Machine
from app.mm import fs, lru, mem_map, pgalloc, wmarks
from app.mm.exec import MAY_ALL, Layout, install_special_mapping
from app.mm.lruvec import WORKINGSET_ACTIVATE
from app.mm.mem_map import PG_anon_exclusive
from app.mm.mm_types import VM_READ, VM_WRITE, AnonVma, MmStruct, PageTable, VmArea
from app.mm.page import PG_dirty, PG_lru, PG_unevictable, PG_uptodate
from app.mm.pgtable_types import ACCESSED, DIRTY, NX, PAGE_SIZE, PRESENT, RW, USER
from app.mm.sched import Task
from app.reclaim_recording import recorded
from app.reclaim_recording.compare import COUNTED, NODE_COUNTERS
from app.reclaim_recording.recorded import RecordedPage, Told

# Who acts, and whose pages lie in the lists beside it.
AGENT: Final = "agent"
SLEEPER: Final = "sh"
# Where the age stands in a shadow on a kernel without memory cgroups and with at most 64 nodes.
PLAIN_SHADOW_SHIFT: Final = 6
# Tables that are older than the recording have no frame that anybody will see.
NO_FRAME: Final = 0
ENTRY: Final = PRESENT | USER | NX


def load(settings: dict[str, Any], zones: list[dict[str, Any]]) -> Machine:
    """A machine with the allocator's recorded state. settings: of the `dump` line, with `arch` and `cpus`."""
    names = [[zone["nid"], zone["name"]] for zone in reversed(zones)]
    node = {"nid": 0, "zonelists": [names, names]}
    return boot.load({"kernel": settings, "nodes": [node], "zones": zones, "caches": []})


class Start:
    """Makes the rest from the recording's first full `lru` line."""

    def __init__(self, m: Machine, told: Told) -> None:
        self.m = m
        self.told = told
        m.vm.set_reclaim(m.model)
        wmarks.set_lruvec_thresholds(m)
        if told.machine.startswith("plain"):
            m.vm.shadow_shift = PLAIN_SHADOW_SHIFT
        self.files: list[fs.Inode] = []
        self.sleeper = MmStruct(m.vm.new_id())

    def make(self, line: dict[str, Any]) -> None:
        """All of it."""
        self.make_zero_page(self.told.zero_pfn)
        self.files = [self.inode("plain", at + 1, f"f{at}") for at in range(recorded.FILES)]
        self.ramfs = self.inode("ramfs", 0, "initramfs")
        self.device = self.inode("bdev", 0, "bdev")
        for inode in self.files:
            inode.size = recorded.FILE_PAGES * PAGE_SIZE
        self.address_space(self.sleeper, SLEEPER, 1)
        self.agent()
        for name in recorded.LISTS:
            for page in reversed(line["lists"][name]):
                if isinstance(page, int):
                    self.unevictable(page)
                else:
                    self.page(RecordedPage(*page))
        for page in line.get("fbpages", ()):
            self.page(RecordedPage(*page))
        for name, pages in line["fb"].items():
            self.m.vm.batches[recorded.BATCHES[name]] = list(pages)
        self.counters(line)

    def counters(self, line: dict[str, Any]) -> None:
        """What has been folded, and what has not; costs and ages."""
        lruvec = self.m.vm.lruvecs[0]
        lruvec.folded = [line["node"][name][0] for name in NODE_COUNTERS]
        lruvec.diffs = [[line["node"][name][1] for name in NODE_COUNTERS]]
        for name, which in NODE_COUNTERS.items():
            if which >= WORKINGSET_ACTIVATE:
                self.m.vm.stat[name] = lruvec.exact(which)
        for name, counts in line["node"].items():
            if name not in NODE_COUNTERS:
                self.m.vm.stat[COUNTED.get(name, name)] = sum(counts)
        for zone, counted in zip(self.m.zones, line["zstat"], strict=True):
            names = [f"nr_zone_{name}" for name in recorded.LISTS]
            zone.lru_folded = [counted[name][0] for name in names]
            zone.lru_diffs = [[counted[name][1] for name in names]]
        lruvec.anon_cost, lruvec.file_cost = line["anon_cost"], line["file_cost"]
        lruvec.nonresident_age = line["nonresident_age"]
        lruvec.refaults = list(line["refaults"])
        self.m.vm.nr_swap_pages = line["nr_swap_pages"]
        self.m.vm.total_swap_pages = line["total_swap_pages"]

    def inode(self, file_system: str, ino: int, name: str) -> fs.Inode:
        """A file."""
        found = fs.Inode(self.m.vm.new_id(), file_system, ino, name, 0)
        self.m.vm.mappings[found.id] = found
        return found

    def make_zero_page(self, pfn: int) -> None:
        """The frame of zeros, which is part of the kernel."""
        self.m.vm.zero_pfn = pfn
        s, i = mem_map.section(self.m, pfn), pfn & 511
        s.refcount[i] = 1

    # -- address spaces ----------------------------------------------------------------------------

    def address_space(self, mm: MmStruct, name: str, pid: int) -> None:
        """A process with the tables that lead to its mappings; those of its own program are not followed."""
        self.m.vm.mms[mm.id] = mm
        layout = Layout(self.m.model.arch)
        mm.task_size, mm.mmap_base = layout.task_size, layout.mmap_base
        mm.pgd = PageTable(NO_FRAME, 4, 0)
        for level, base in ((3, layout.mmap_base), (2, layout.mmap_base)):
            self.table(mm, level, base)
        task = self.m.tasks[name] = Task(name, pid)
        task.mm = mm

    def agent(self) -> None:
        """The process that acts: areas of the kernel's above the addresses that it will get, others below."""
        mm = MmStruct(self.m.vm.new_id())
        self.address_space(mm, AGENT, self.told.pid)
        layout = Layout(self.m.model.arch)
        pages = (layout.mmap_base - self.told.top) // PAGE_SIZE
        install_special_mapping(self.m, mm, "[vdso]", self.told.top, pages, VM_READ)
        install_special_mapping(self.m, mm, "[program]", layout.base, 1, VM_READ)

    def table(self, mm: MmStruct, level: int, address: int) -> None:
        """A table that is older than the recording."""
        pgalloc.install(mm, PageTable(NO_FRAME, level, 0), address)

    # -- pages -------------------------------------------------------------------------------------

    def page(self, page: RecordedPage) -> None:
        """A page that the recording describes."""
        s, i = mem_map.section(self.m, page.pfn), page.pfn & 511
        s.refcount[i], s.mapcount[i] = page.count, page.mapped - 1
        s.flags[i] = recorded.flag_bits(page.flags)
        s.index[i] = page.index
        if recorded.EXCLUSIVE in page.flags:
            s.flags[i] |= PG_anon_exclusive
        if page.file == recorded.FILE_ANON:
            self.mapped_by_sleeper(page)
        else:
            inode = self.device if page.file == recorded.FILE_BLOCK_DEVICE else self.files[page.file - 1]
            self.cached(inode, page.index, page.pfn)
        if s.flags[i] & PG_lru:
            lru.lruvec_add(self.m, page.pfn)

    def cached(self, inode: fs.Inode, index: int, pfn: int) -> None:
        """A page of a file."""
        s, i = mem_map.section(self.m, pfn), pfn & 511
        inode.i_pages[index] = pfn
        s.mapping[i] = inode.id << 1
        s.index[i] = index

    def unevictable(self, pfn: int) -> None:
        """A page of the initial RAM disk: in which file is not said."""
        s, i = mem_map.section(self.m, pfn), pfn & 511
        s.refcount[i] = 1
        s.flags[i] = PG_uptodate | PG_dirty | PG_lru | PG_unevictable
        self.cached(self.ramfs, len(self.ramfs.i_pages), pfn)
        lru.lruvec_add(self.m, pfn)

    def mapped_by_sleeper(self, page: RecordedPage) -> None:
        """A process that sleeps maps the page, as often as it is mapped, each time in an area of its own."""
        anon_vma = AnonVma(self.m.vm.new_id())
        self.m.vm.anon_vmas[anon_vma.id] = anon_vma
        s, i = mem_map.section(self.m, page.pfn), page.pfn & 511
        s.mapping[i] = anon_vma.id << 1 | 1
        for at in range(page.mapped):
            start = self.sleeper.mmap_base - 2 * PAGE_SIZE * (len(self.sleeper.mmap) + 1)
            vma = VmArea(self.sleeper, start, start + PAGE_SIZE, VM_READ | VM_WRITE | MAY_ALL, page.index)
            vma.anon_vma = anon_vma
            vma.anon_vma_chain.append(anon_vma)
            vma.links.append(0)
            anon_vma.vmas[vma] = None
            anon_vma.num_active_vmas += 1
            self.sleeper.mmap.insert(0, vma)
            if start >> 21 not in self.sleeper.tables[1]:
                self.table(self.sleeper, 1, start)
            entry = page.pfn << 12 | ENTRY | (ACCESSED if at < page.young else 0)
            if page.bits & recorded.BIT_DIRTY:
                entry |= DIRTY
            if recorded.EXCLUSIVE in page.flags:
                entry |= RW
            self.sleeper.tables[1][start >> 21].entries[start >> 12 & 511] = entry
            self.sleeper.rss_stat[1] += 1
