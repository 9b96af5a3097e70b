"""What differs after an operation, or in a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map, oom_kill, rmap, swap_map, swap_state
from app.mm.fs import File, Inode
from app.mm.lruvec import NONE, WORKINGSET_ACTIVATE
from app.mm.mem_map import PG_anon_exclusive
from app.mm.mm_types import VM_EXEC, VM_LOCKED, MmStruct
from app.mm.mmzone import MIGRATE_MOVABLE
from app.mm.pgalloc import pte_of
from app.mm.pgtable_types import ACCESSED, DIRTY, RW, pte_pfn, pte_present
from app.mm.swapops import SWP_EXCLUSIVE, is_swap_pte, pte_to_swp_entry, swp_offset, swp_type
from app.mm.vmstat import USER_STATES, workingset_nodes
from app.reclaim_recording import recorded
from app.reclaim_recording.recorded import BATCHES, LISTS, Hog
from app.vm_recording.compare import Difference, from_first

UNEVICTABLE: Final = 4
AREA: Final = ("inuse", "lowest_bit", "highest_bit", "cluster_next", "cluster_nr")
ENTRY_BITS: Final = {"y": ACCESSED, "d": DIRTY, "w": RW}
NODE_COUNTERS: Final = {f"nr_{name}": which for which, name in enumerate(LISTS)} | {
    "workingset_activate_anon": WORKINGSET_ACTIVATE,
    "workingset_activate_file": WORKINGSET_ACTIVATE + 1,
}
# Recorded counters that this machine has under another name.
COUNTED: Final = {**USER_STATES, "nr_page_table_pages": "pagetable"}
# Counters of what is not this machine's: slabs and stacks of the recorded kernel, transfers of a disk (the
# recorded file system has none); and frames that compaction looks at, since it passes over
# large pages of slabs, which no state shows.
NOT_COUNTED: Final = frozenset((
    "nr_slab_reclaimable", "nr_slab_unreclaimable", "nr_kernel_stack", "pgpgin", "pgpgout", "slabs_scanned",
    "workingset_nodereclaim", "mlock", "compact_migrate_scanned",
))  # fmt: skip


class Compare:
    """Yields (what, ours, the kernel's)."""

    def __init__(self, m: Machine, chunk_shift: int) -> None:
        self.m = m
        self.chunk_shift = chunk_shift
        self.lruvec = m.vm.lruvecs[0]

    # -- after an operation ------------------------------------------------------------------------

    def result(self, line: dict[str, Any], ret: int | None) -> Iterator[Difference]:
        """What it returned."""
        if ret is not None and "ret" in line:
            theirs = line["ret"]
            yield "ret", ret, int(theirs, 16) if isinstance(theirs, str) else theirs

    def counters(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Free pages, as they are and as watermarks see them, and what the CPU's lists hold."""
        ours = self.m.counters()
        for key in ("zf", "zv", "pc"):
            yield key, ours[key], line[key]

    def batches(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Pages that wait for their list."""
        batches = self.m.vm.batches
        ours = {
            theirs: [page[0] if isinstance(page, tuple) else page for page in batches[name]]
            for theirs, name in BATCHES.items()
            if batches.get(name)
        }
        yield "fb", ours, line["fb"]

    def statistics(self) -> dict[str, int]:
        """Counters under the recording's names."""
        m = self.m
        counted = {**m.vm.stat}
        for theirs, ours in COUNTED.items():
            counted[theirs] = counted.pop(ours, 0)
        for name, count in m.vm_events.items():
            counted[name] = counted.get(name, 0) + count
        counted["workingset_nodes"] = workingset_nodes(m, self.chunk_shift)
        counted |= {f"pgalloc_{zone.name.lower()}": zone.pgalloc for zone in m.zones}
        return counted | {f"nr_{name}": self.lruvec.lists[at].count for at, name in enumerate(LISTS)}

    def counted(self, line: dict[str, Any], before: dict[str, int]) -> Iterator[Difference]:
        """How they have changed."""
        now = self.statistics()
        ours = {name: nr - before.get(name, 0) for name, nr in now.items() if name not in NOT_COUNTED}
        yield "vs", *apart(ours, {name: nr for name, nr in line["vs"].items() if name not in NOT_COUNTED})

    def folded(self, line: dict[str, Any]) -> Iterator[Difference]:
        """The sizes that decisions read, and what reclaim remembers."""
        lruvec = self.lruvec
        yield "nlru", lruvec.folded[: len(LISTS)], line["nlru"]
        ours = [lruvec.anon_cost, lruvec.file_cost, lruvec.nonresident_age, *lruvec.refaults]
        yield "lv", ours, line["lv"]

    def window(self, line: dict[str, Any], file: File | None) -> Iterator[Difference]:
        """Where read-ahead stands in the file that was used."""
        if file is not None and "fra" in line:
            ra = file.ra
            yield "fra", [ra.start, ra.size, ra.async_size, ra.ra_pages, ra.prev_pos], line["fra"]

    def scores(self, hogs: list[Hog]) -> Iterator[Difference]:
        """How likely each process is to be killed; how much of each is in swap already, is not said."""
        if self.m.vm.nr_swap_pages < self.m.vm.total_swap_pages:
            return
        for hog in hogs:
            yield f"score of {hog.name}", oom_kill.oom_score(self.m, self.m.tasks[hog.name]), hog.score

    # -- lists -------------------------------------------------------------------------------------

    def lists(self, line: dict[str, Any]) -> Iterator[Difference]:
        """All lists, head first; of a full one every page with all that is known of it."""
        for which, name in enumerate(LISTS):
            theirs = line["lists"][name]
            if which == UNEVICTABLE:
                yield name, self.lruvec.lists[which].count, len(theirs)
            elif line["full"]:
                yield name, *from_first([self.page(pfn) for pfn in self.pfns(which)], theirs)
            else:
                yield name, *from_first(list(self.pfns(which)), theirs)
        yield from self.batches(line)
        waiting = [self.page(pfn) for pfn in self.m.vm.batches["add"]]
        if "node" in line:
            yield from self.sizes(line)
        if "swap" in line:
            yield from self.swap_area(line["swap"])
        if line["full"]:
            yield "fbpages", *from_first(waiting, line.get("fbpages", []))

    def sizes(self, line: dict[str, Any]) -> Iterator[Difference]:
        """Each counter of the lists: what has been folded, and this CPU's difference; others as they are."""
        counted = defaultdict(int, self.statistics())
        for name, theirs in line["node"].items():
            if name not in NOT_COUNTED and name not in NODE_COUNTERS:
                yield name, counted[name], sum(theirs)
        lruvec = self.lruvec
        for name, which in NODE_COUNTERS.items():
            yield name, [lruvec.folded[which], lruvec.diffs[0][which]], line["node"][name]
        for zone, theirs in zip(self.m.zones, line["zstat"], strict=True):
            for which, name in enumerate(LISTS):
                ours = [zone.lru_folded[which], zone.lru_diffs[0][which]]
                yield f"{zone.name} {name}", ours, theirs[f"nr_zone_{name}"]

    def shadows(self, line: dict[str, Any], inode: Inode) -> Iterator[Difference]:
        """What stands in a file's place of pages that were evicted."""
        ours = [[index, shadow] for index, shadow in sorted(inode.shadows.items())]
        yield "shadows", *from_first(ours, line["entries"])

    def swap_area(self, told: dict[str, Any]) -> Iterator[Difference]:
        """Every slot, where the search goes on, and what the CPU has in stock."""
        swap = swap_map.swap_of(self.m)
        area, stock = swap.area(0), swap.cpu_slots[0]
        slots = bytearray(told["max"])
        for slot, count, value in told["map"]:
            slots[slot : slot + count] = bytes([value]) * count
        yield "swap map", *from_first(list(area.swap_map), list(slots))
        ours = [area.inuse_pages, area.lowest_bit, area.highest_bit, area.cluster_next, area.cluster_nr]
        yield "swap", ours, [told[name] for name in AREA]
        yield "slots", list(map(swp_offset, stock.slots)), told["cache"]["slots"]
        yield "slots given back", list(map(swp_offset, stock.slots_ret)), told["cache"]["ret"]

    def entries(self, line: dict[str, Any], mm: MmStruct, start: int) -> Iterator[Difference]:
        """The entries of a range of pages."""
        found = [entry_text(pte_of(mm, start + (at << 12))) for at in range(len(line["pages"]))]
        yield "pte", *from_first(found, line["pages"])

    def pfns(self, which: int) -> Iterator[int]:
        """The pages of a list, head first."""
        pfn = self.lruvec.lists[which].head
        while pfn != NONE:
            yield pfn
            pfn = self.m.vm.sections[pfn >> 9].next[pfn & 511]

    def page(self, pfn: int) -> list[Any]:
        """What a full list says of a page."""
        s, i = mem_map.section(self.m, pfn), pfn & 511
        anon = mem_map.is_anon(self.m, pfn)
        letters = "".join(letter for letter, bit in recorded.FLAGS.items() if s.flags[i] & bit)
        if anon:
            letters += recorded.ANON + (recorded.EXCLUSIVE if s.flags[i] & PG_anon_exclusive else "")
        young, bits = self.mapped(pfn)
        inode = None if anon else mem_map.mapping_of(self.m, pfn)
        file = recorded.FILE_ANON if anon else 0
        if inode is not None:
            file = recorded.FILE_BLOCK_DEVICE if inode.fs == "bdev" else inode.ino
        index = s.index[i]
        if swap_state.is_swapcache(self.m, pfn):
            # One that nobody maps has in its index what the allocator left there.
            index = swap_map.swap_of(self.m).entries[pfn] if anon else MIGRATE_MOVABLE
        return [pfn, letters, s.refcount[i], s.mapcount[i] + 1, young, bits, file, index]

    def mapped(self, pfn: int) -> tuple[int, int]:
        """In how many places the processor has used the page, and the bits of those who map it."""
        young = bits = 0
        for vma, address in rmap.rmap_walk(self.m, pfn):
            entry = pte_of(vma.vm_mm, address)
            if pte_present(entry) and pte_pfn(entry) == pfn:
                young += bool(entry & ACCESSED)
                bits |= recorded.BIT_EXEC if vma.vm_flags & VM_EXEC else 0
                bits |= recorded.BIT_LOCKED if vma.vm_flags & VM_LOCKED else 0
                bits |= recorded.BIT_DIRTY if entry & DIRTY else 0
        return young, bits


def entry_text(entry: int) -> Any:
    """An entry as the recording has it: a frame with what the processor noted, a slot, or nothing."""
    if not entry:
        return 0
    if is_swap_pte(entry):
        slot = pte_to_swp_entry(entry)
        return ["swap", swp_type(slot), swp_offset(slot), int(bool(entry & SWP_EXCLUSIVE))]
    return [pte_pfn(entry), "".join(letter for letter, bit in ENTRY_BITS.items() if entry & bit)]


def apart(ours: dict[str, int], theirs: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """The items that differ."""
    keys = [key for key in sorted({*ours, *theirs}) if ours.get(key, 0) != theirs.get(key, 0)]
    return {key: ours.get(key, 0) for key in keys}, {key: theirs.get(key, 0) for key in keys}
