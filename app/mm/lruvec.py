"""A node's lists of pages in the order of their use, and what reclaim remembers of them.

Kernel: include/linux/mmzone.h struct lruvec, include/linux/mm_inline.h update_lru_size, mm/vmstat.c. Reclaim
decides by the sizes of the lists. Each CPU counts for itself and adds its difference to the node's number
only when that has become large: a counter that all CPUs wrote at every page would be slower than the work
that it counts. So decisions are made with sizes that are some pages off, and this file keeps both numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Zone

NR_LRU_LISTS: Final = 5
NONE: Final = 0xFFFFFFFF

LRU_INACTIVE_ANON: Final = 0
LRU_ACTIVE_ANON: Final = 1
LRU_INACTIVE_FILE: Final = 2
LRU_ACTIVE_FILE: Final = 3
LRU_UNEVICTABLE: Final = 4
# Counters of a node beside the sizes of its lists: refaults that activated, of anonymous and file pages.
WORKINGSET_ACTIVATE: Final = 5
NR_COUNTERS: Final = 7


class LruList:
    """A list of pages, linked through their sections. Kernel: struct list_head of a lruvec"""

    __slots__ = ("count", "head", "tail")

    def __init__(self) -> None:
        self.head = NONE
        self.tail = NONE
        self.count = 0


class Lruvec:
    """The lists of a node. Kernel: struct lruvec

    lists: inactive and active anonymous, inactive and active file, unevictable. folded: the counters that
    decisions read, by number (the five sizes, then `WORKINGSET_ACTIVATE` of anonymous and of file pages).
    diffs: by CPU, what it has not added to them yet, at most `stat_threshold` each. anon_cost, file_cost:
    what reclaim of each kind has cost lately. nonresident_age: how many pages have been evicted or activated.
    refaults: the refaults of anonymous and file pages that had activated when reclaim last ended.
    """

    __slots__ = (
        "anon_cost", "diffs", "file_cost", "folded", "lists", "nonresident_age", "refaults", "stat_threshold",
    )  # fmt: skip

    def __init__(self, cpus: int) -> None:
        self.lists = [LruList() for _ in range(NR_LRU_LISTS)]
        self.anon_cost = 0
        self.file_cost = 0
        self.nonresident_age = 0
        self.refaults = [0, 0]
        self.folded = [0] * NR_COUNTERS
        self.diffs = [[0] * NR_COUNTERS for _ in range(cpus)]
        self.stat_threshold = 0

    def exact(self, counter: int) -> int:
        """A counter with what the CPUs have not added to it yet."""
        return self.folded[counter] + sum(diff[counter] for diff in self.diffs)

    def mod(self, cpu: int, counter: int, nr: int) -> None:
        """Add to a counter. Kernel: __mod_node_page_state"""
        diff = self.diffs[cpu]
        new = diff[counter] + nr
        if new > self.stat_threshold or -new > self.stat_threshold:
            self.folded[counter] += new
            new = 0
        diff[counter] = new


def lruvec_of(m: Kernel, pfn: int) -> Lruvec:
    """The lists on which a page stands: its node's. Kernel: folio_lruvec"""
    lruvecs = m.vm.lruvecs
    return lruvecs[0] if len(lruvecs) == 1 else lruvecs[m.zone_of(pfn).nid]


def update_lru_size(m: Kernel, lruvec: Lruvec, zone: Zone, lru: int, nr: int) -> None:
    """Note that a list has `nr` pages of a zone more. Kernel: update_lru_size

    The node's number says how long the list is; the zones' numbers say what of it a request could use that is
    bound to the lower ones.
    """
    cpu = m.current.cpu
    lruvec.mod(cpu, lru, nr)
    diff = zone.lru_diffs[cpu]
    new = diff[lru] + nr
    if new > zone.stat_threshold or -new > zone.stat_threshold:
        zone.lru_folded[lru] += new
        new = 0
    diff[lru] = new


def lruvec_lru_size(m: Kernel, lruvec: Lruvec, lru: int, highest_zoneidx: int) -> int:
    """Pages of a list in zones up to an index, as decisions see them. Kernel: lruvec_lru_size"""
    return sum(
        zone.lru_folded[lru]
        for zone in m.zones
        if zone.zid <= highest_zoneidx and zone.managed_pages and m.vm.lruvec_of_node(zone.nid) is lruvec
    )


def lru_note_cost(lruvec: Lruvec, nr: int, *, file: bool) -> None:
    """Note what reclaim of a kind of pages has cost: writes, and pages that came back

    Kernel: mm/swap.c lru_note_cost. Both costs are halved once they are a quarter of the lists, so that what
    was long ago counts less.
    """
    if file:
        lruvec.file_cost += nr
    else:
        lruvec.anon_cost += nr
    if lruvec.anon_cost + lruvec.file_cost > sum(lruvec.folded[:4]) // 4:
        lruvec.file_cost //= 2
        lruvec.anon_cost //= 2
