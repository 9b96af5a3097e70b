"""The state before the first operation: the lists with all their pages, and the process that will act."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from app.machine import boot
from app.machine.machine import Machine
from app.mm import fs, lru, mem_map, wmarks
from app.mm.exec import Layout, install_special_mapping
from app.mm.lruvec import WORKINGSET_ACTIVATE
from app.mm.mem_map import PG_anon_exclusive
from app.mm.mm_types import VM_READ
from app.mm.page import PG_dirty, PG_lru, PG_unevictable, PG_uptodate
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.swap_info import Swap, SwapInfo
from app.reclaim_recording import recorded
from app.reclaim_recording.compare import COUNTED, NODE_COUNTERS
from app.reclaim_recording.recorded import RecordedPage, Told
from app.reclaim_recording.sleepers import Sleepers, address_space

# Who acts.
AGENT: Final = "agent"
# The disk to which the recorded machine swaps.
SWAP_DEVICE: Final = "/dev/odisk"
DISK_INO: Final = 1 << 20
SWAP_PRIORITY: Final = -2
# Where its index stands in the description of a page.
INDEX: Final = 7
# Where the age stands in a shadow on a kernel without memory cgroups and with at most 64 nodes.
PLAIN_SHADOW_SHIFT: Final = 6


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
        for zone in m.zones:
            # What the dump counts of a pageblock's pages are those that come to the lists now.
            zone.lru.clear()
        if told.machine.startswith("plain"):
            m.vm.shadow_shift = PLAIN_SHADOW_SHIFT
        self.files: list[fs.Inode] = []

    def make(self, line: dict[str, Any]) -> None:
        """All of it."""
        self.make_zero_page(self.told.zero_pfn)
        self.files = [self.inode("plain", at + 1, f"f{at}") for at in range(recorded.FILES)]
        self.ramfs = self.inode("ramfs", 0, "initramfs")
        self.device = self.inode("bdev", self.told.device, "bdev")
        for inode in self.files:
            inode.size = recorded.FILE_PAGES * PAGE_SIZE
        self.sleepers = Sleepers(self.m, self.told.hogs, self.top_of_ranges(line), self.used_frames(line))
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
        if "swap" in line:
            self.swap_area(line["swap"])

    def swap_area(self, told: dict[str, Any]) -> None:
        """The one swap area, and the slots that the CPU has in stock."""
        disk = self.inode("bdev", DISK_INO, SWAP_DEVICE)
        area = SwapInfo(0, fs.File(disk, path=SWAP_DEVICE), told["max"], int(told["flags"], 16))
        area.prio = SWAP_PRIORITY
        area.inuse_pages = told["inuse"]
        area.lowest_bit, area.highest_bit = told["lowest_bit"], told["highest_bit"]
        area.cluster_next, area.cluster_nr = told["cluster_next"], told["cluster_nr"]
        for slot, count, value in told["map"]:
            area.swap_map[slot : slot + count] = bytes([value]) * count
        swap = self.m.vm.swap = Swap(1)
        swap.info, swap.active = [area], [0]
        swap.add_to_avail_list(area)
        swap.least_priority = SWAP_PRIORITY
        swap.nr_rotate_swap = 1
        swap.slot_cache_enabled = True
        stock = swap.cpu_slots[0]
        stock.cur, stock.slots, stock.slots_ret = (
            told["cache"]["cur"],
            [*told["cache"]["slots"]],
            [*told["cache"]["ret"]],
        )
        swap.slot_cache_active = told["inuse"] > 0

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
        self.m.swappiness = line["swappiness"]
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

    def agent(self) -> None:
        """The process that acts: areas of the kernel's above the addresses that it will get, others below."""
        mm = address_space(self.m, AGENT, self.told.pid)
        layout = Layout(self.m.model.arch)
        pages = (layout.mmap_base - self.told.top) // PAGE_SIZE
        install_special_mapping(self.m, mm, "[vdso]", self.told.top, pages, VM_READ)
        install_special_mapping(self.m, mm, "[program]", layout.base, 1, VM_READ)

    def top_of_ranges(self, line: dict[str, Any]) -> int:
        """The page at which processes' own mappings end: the highest that they have, below the stack."""
        indexes = (page[INDEX] for name in recorded.LISTS[:2] for page in line["lists"][name])
        below = Layout(self.m.model.arch).mmap_base >> 12
        return max((index for index in indexes if index < below), default=below - 1) + 1

    def used_frames(self, line: dict[str, Any]) -> Iterator[int]:
        """Frames that somebody uses and that are in no list: the kernel's own."""
        in_lists = {
            page[0] if isinstance(page, list) else page
            for name in recorded.LISTS
            for page in line["lists"][name]
        }
        for zone in reversed(self.m.zones):
            waiting = {pfn for pages in zone.pcp[0].lists for pfn in pages}
            for pfn in range(zone.start_pfn, zone.end_pfn):
                if pfn not in in_lists and pfn not in waiting and zone.free_block_at(pfn) is None:
                    yield pfn

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
            self.sleepers.map(page)
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
