"""The search for free swap slots.

Kernel: mm/swapfile.c get_swap_pages, scan_swap_map_slots. On a disk that turns, pages that are written one
after the other should lie side by side, so slots are taken in a row from where the last search ended; after a
row of them the search begins anew with the first stretch that is wholly free. Each slot that is looked at
costs patience, and a search that has found something ends when it runs out. Where nothing turns, each CPU
fills a cluster of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import swap_map, swapfile
from app.mm.swap_info import SWAP_HAS_CACHE, SWAP_SLOTS_CACHE_SIZE, SWAPFILE_CLUSTER, SWP_WRITEOK
from app.mm.swapops import swp_entry

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.swap_info import Swap, SwapInfo

LATENCY_LIMIT: Final = 256
FREE: Final = b"\0"
# What comes next in a search. Kernel: the labels checks, scan, done, no_page
CHECK: Final = "check"
SCAN: Final = "scan"
TAKEN: Final = "taken"
DONE: Final = "done"
NONE: Final = "none"


def get_swap_pages(m: Kernel, goal: int) -> list[int]:
    """Up to so many slots, all of one area: that of the highest priority that has any.

    Kernel: get_swap_pages. Areas of one priority take turns.
    """
    swap = swap_map.swap_of(m)
    goal = min(goal, SWAP_SLOTS_CACHE_SIZE, m.vm.nr_swap_pages)
    if goal <= 0:
        return []
    m.vm.nr_swap_pages -= goal
    found: list[int] = []
    for number in [*swap.avail]:
        if number not in swap.avail:
            continue
        si = swap.area(number)
        swap.avail.remove(number)
        swap.add_to_avail_list(si)
        if not si.highest_bit or not si.flags & SWP_WRITEOK:
            swap.avail.remove(number)
            continue
        found = [swp_entry(number, offset) for offset in scan_swap_map_slots(m, si, goal)]
        if found:
            break
    for entry in found:
        swap_map.tell(m, entry)
    m.vm.nr_swap_pages += goal - len(found)
    return found


def scan_swap_map_slots(m: Kernel, si: SwapInfo, goal: int) -> list[int]:
    """Up to so many slots of one area. Kernel: scan_swap_map_slots"""
    scan = Scan(m, si, goal)
    found = scan.slots()
    if m.trace is not None:
        m.trace.swap.searched(si, scan.first, found, goal, scan.looked_at, scan.stretch)
    return found


def swap_range_alloc(swap: Swap, si: SwapInfo, offset: int) -> None:
    """A slot is taken: the bounds of what is free, and whether anything is. Kernel: swap_range_alloc"""
    if offset == si.lowest_bit:
        si.lowest_bit += 1
    if offset == si.highest_bit:
        si.highest_bit -= 1
    si.inuse_pages += 1
    if si.inuse_pages == si.pages:
        si.lowest_bit = si.max
        si.highest_bit = 0
        swap.avail.remove(si.type)


class Scan:
    """One search in one area.

    offset: the slot that is looked at. base: where the search began. patience: `latency_ration`, and whether
    it ran out while nothing had been found (`scanned_many`).
    """

    def __init__(self, m: Kernel, si: SwapInfo, goal: int) -> None:
        self.m = m
        self.si = si
        self.goal = goal
        self.patience = LATENCY_LIMIT
        self.scanned_many = False
        self.found: list[int] = []
        cpu = m.current.cpu
        self.base = si.cluster_next if si.cluster_info is None else si.cluster_next_cpu[cpu]
        self.offset = self.base
        # For those who explain: slots looked at, and where the search began.
        self.first = self.base
        self.looked_at = 0
        self.stretch = "it goes on where the last search ended"

    def slots(self) -> list[int]:
        """The slots found, in ascending order within a row."""
        step = CHECK if self.begin() else SCAN
        self.first = self.offset
        while step in (CHECK, SCAN):
            if step == SCAN and not self.scan():
                return self.found
            step = self.check()
            if step == TAKEN:
                full = len(self.found) == self.goal or self.offset >= self.si.highest_bit
                step = CHECK if not full and self.go_on() else DONE
        if step == DONE:
            self.set_cluster_next(self.offset + 1)
        return self.found

    def begin(self) -> bool:
        """Where to look first; whether that slot itself is to be looked at."""
        si = self.si
        if si.cluster_info is not None:
            return self.try_ssd_cluster()
        if si.cluster_nr:
            si.cluster_nr -= 1
        elif si.pages - si.inuse_pages < self.cluster:
            si.cluster_nr = self.cluster - 1
        else:
            self.find_free_stretch()
        return True

    @property
    def cluster(self) -> int:
        """How many slots are taken in a row."""
        return SWAPFILE_CLUSTER[self.m.model.arch]

    def find_free_stretch(self) -> None:
        """The first stretch of so many free slots; else the first free slot will do."""
        si = self.si
        self.base = si.lowest_bit
        at = si.swap_map.find(FREE * self.cluster, self.base, si.highest_bit + 1)
        if at >= 0:
            self.spend(at + self.cluster - 1 - self.base)
            si.cluster_next = at
        else:
            # It ends at the first used slot behind which there is no room for a stretch any more.
            self.spend(self.looked_at_in_vain())
        self.offset = at if at >= 0 else self.base
        si.cluster_nr = self.cluster - 1
        self.scanned_many = False
        found = f"the first {self.cluster} free slots in a row begin here"
        self.stretch = found if at >= 0 else f"no {self.cluster} slots in a row are free: the first free one"

    def looked_at_in_vain(self) -> int:
        """How many slots were looked at where there is no free stretch."""
        si = self.si
        if self.base + self.cluster - 1 > si.highest_bit:
            return 0
        last = max(self.base, si.highest_bit - self.cluster + 1)
        used = next(at for at in range(last, si.highest_bit + 1) if si.swap_map[at])
        return used - self.base + 1

    def check(self) -> str:
        """Look at the slot, and take it if it is free."""
        si, m = self.si, self.m
        while si.cluster_info is not None and self.conflicts():
            if self.found:
                return DONE
            if not self.try_ssd_cluster():
                return SCAN
        if not si.flags & SWP_WRITEOK or not si.highest_bit:
            return NONE
        if self.offset > si.highest_bit:
            self.base = self.offset = si.lowest_bit
        offset = self.offset
        if si.swap_map[offset] == SWAP_HAS_CACHE and swap_map.vm_swap_full(m):
            given_up = swapfile.try_to_reclaim_swap(m, si, offset, swapfile.TTRS_ANYWAY)
            return CHECK if given_up else SCAN
        if si.swap_map[offset]:
            return DONE if self.found else SCAN
        si.swap_map[offset] = SWAP_HAS_CACHE
        if si.cluster_info is not None:
            si.cluster_info.inc(offset)
        swap_range_alloc(swap_map.swap_of(m), si, offset)
        self.found.append(offset)
        return TAKEN

    def go_on(self) -> bool:
        """Find one more slot not far away; whether there is one."""
        si = self.si
        if self.patience == 0:
            return False
        self.patience -= 1
        self.looked_at += 1
        if si.cluster_info is not None:
            if self.try_ssd_cluster():
                return True
        elif si.cluster_nr:
            self.offset += 1
            if not si.swap_map[self.offset]:
                si.cluster_nr -= 1
                return True
        return not self.scanned_many and self.look_around()

    def look_around(self) -> bool:
        """The next free slot, as far as patience goes."""
        si = self.si
        limit = self.base if self.offset < self.base else si.highest_bit
        behind = min(limit + 1, self.offset + max(self.patience - 1, 0))
        at = si.swap_map.find(FREE, self.offset, behind)
        if at >= 0:
            self.patience -= at - self.offset + 1
            self.looked_at += at - self.offset + 1
            self.offset = at
            return True
        self.looked_at += max(behind - self.offset, 0)
        self.offset = max(behind, self.offset)
        return False

    def scan(self) -> bool:
        """The next slot behind that could be had, then those before where the search began."""
        return self.walk(self.offset + 1, self.si.highest_bit + 1) or self.walk(self.si.lowest_bit, self.base)

    def walk(self, start: int, behind: int) -> bool:
        """The first slot of a range that is free, or that a cached page may give up."""
        si = self.si
        at = si.swap_map.find(FREE, start, behind)
        if swap_map.vm_swap_full(self.m):
            cached = si.swap_map.find(bytes((SWAP_HAS_CACHE,)), start, at if at >= 0 else behind)
            at = cached if cached >= 0 else at
        self.spend((at + 1 if at >= 0 else max(start, behind)) - start)
        if at >= 0:
            self.offset = at
        return at >= 0

    def spend(self, looked_at: int) -> None:
        """So many slots were looked at; patience that is used up begins anew, since others run meanwhile."""
        self.looked_at += looked_at
        if looked_at <= self.patience:
            self.patience -= looked_at
            return
        self.patience = LATENCY_LIMIT - (looked_at - self.patience - 1) % (LATENCY_LIMIT + 1)
        self.scanned_many = True

    # -- areas without moving parts ----------------------------------------------------------------

    def conflicts(self) -> bool:
        """Whether the slot lies in a free cluster that is not the next to be taken

        Kernel: scan_swap_map_ssd_cluster_conflict
        """
        clusters = self.si.cluster_info
        assert clusters is not None
        at = self.offset // clusters.size
        if at not in clusters.free or at == next(iter(clusters.free)):
            return False
        clusters.index[self.m.current.cpu] = -1
        return True

    def try_ssd_cluster(self) -> bool:
        """The next slot of this CPU's cluster, or of a new one. Kernel: scan_swap_map_try_ssd_cluster"""
        clusters, si, cpu = self.si.cluster_info, self.si, self.m.current.cpu
        assert clusters is not None
        while True:
            if clusters.index[cpu] < 0:
                if not clusters.free:
                    return False
                clusters.index[cpu] = next(iter(clusters.free))
                clusters.next[cpu] = clusters.index[cpu] * clusters.size
            behind = min(si.max, (clusters.index[cpu] + 1) * clusters.size)
            at = si.swap_map.find(FREE, clusters.next[cpu], behind)
            if at >= 0:
                clusters.next[cpu] = at + 1
                self.offset = self.base = at
                return True
            clusters.index[cpu] = -1

    def set_cluster_next(self, following: int) -> None:
        """Where the next search begins. Kernel: set_cluster_next"""
        if self.si.cluster_info is None:
            self.si.cluster_next = following
        else:
            self.si.cluster_next_cpu[self.m.current.cpu] = following
