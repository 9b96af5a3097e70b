"""What must hold of processes, whatever was called: tables, page records, lists and files fit each other.

Each page is mapped as often as its record says, referenced by those who know it and by nobody else; each
table is a frame of its own, found from the one above; each list leads from its head to its tail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from app.machine import pte_text
from app.machine.parts import vm_swap
from app.mm.lruvec import NONE
from app.mm.mm_types import MM_SWAPENTS
from app.mm.page import PG_lru, PG_private
from app.mm.page_ref import image_frames, user_frames, user_page
from app.mm.pgtable_types import PAGE_SIZE, PRESENT, PROTNONE, PSE, SHIFT, SPECIAL

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct


def verify(m: Machine) -> Iterator[str]:
    """What is wrong and no call can break, in words."""
    if not m.vm.last_id:
        return
    yield from area_faults(m)
    yield from table_faults(m)
    yield from entry_faults(m)
    yield from list_faults(m)
    yield from file_faults(m)


def verify_counts(m: Machine) -> Iterator[str]:
    """Counts that do not fit: whoever puts a page that is not his own makes them so."""
    if m.vm.last_id:
        mapped, whole = mappings(m)
        yield from frame_faults(m)
        yield from resident_faults(m)
        yield from record_faults(m, mapped, whole)
        named: Counter[int] = Counter()
        for mm in m.vm.mms.values():
            yield from vm_swap.faults_of_space(m, mm, named)
        yield from vm_swap.verify(m, named)


def leaves(m: Machine, mm: MmStruct) -> Iterator[tuple[int, int, int, int]]:
    """(level, address, entry, first frame) of every entry that maps memory."""
    for level, tables in enumerate(mm.tables):
        for number, table in tables.items():
            base = number << SHIFT[level + 1]
            for at, entry in enumerate(table.entries):
                if entry & (PRESENT | PROTNONE) and (level == 1 or entry & PSE):
                    address = base + (at << SHIFT[level])
                    yield level, address, entry, pte_text.frame_of(level, entry, address) or 0


# -- areas and tables ------------------------------------------------------------------------------


def area_faults(m: Machine) -> Iterator[str]:
    """Areas stand in order and know their anon_vmas, and those know them."""
    owners = Counter(id(task.mm) for task in m.tasks.values() if task.mm is not None)
    linked = Counter(id(vma) for anon in m.vm.anon_vmas.values() for vma in anon.vmas)
    for mm in m.vm.mms.values():
        if owners[id(mm)] != mm.mm_users:
            yield f"address space {mm.id} has {mm.mm_users} users, and {owners[id(mm)]} tasks"
        for below, above in pairwise(mm.mmap):
            if below.vm_end > above.vm_start:
                yield f"areas of address space {mm.id} overlap at {above.vm_start:#x}"
        for vma in mm.mmap:
            if not 0 <= vma.vm_start < vma.vm_end <= mm.task_size or vma.vm_start % PAGE_SIZE:
                yield f"an area of address space {mm.id} has no addresses: {vma.vm_start:#x}"
            chain = vma.anon_vma_chain
            if linked[id(vma)] != len(chain) or any(vma not in anon.vmas for anon in chain):
                yield f"the area at {vma.vm_start:#x} of address space {mm.id} is not found by its anon_vmas"
            if vma.anon_vma is not None and vma.anon_vma not in chain:
                yield f"the area at {vma.vm_start:#x} of address space {mm.id} has an anon_vma of others"


def table_faults(m: Machine) -> Iterator[str]:
    """Each table is a frame of its own, hangs under the level above, and maps what areas have."""
    seen: set[int] = set()
    for mm in m.vm.mms.values():
        if mm.pgd is None:
            yield f"address space {mm.id} has no highest table"
            continue
        counted = 0
        for level, tables in enumerate(mm.tables):
            for number, table in tables.items():
                frames = [table.pfn, *(one.pfn for one in table.deposited)]
                counted += len(frames)
                upper = mm.tables[level + 1].get(number >> 9) if level + 1 < mm.pgd.level else mm.pgd
                place = number & 511
                if upper is None or place >= len(upper.entries):
                    yield f"a table of level {level} hangs nowhere: {number:#x}"
                elif (upper.entries[place] & ~0xFFF) >> 12 != table.pfn or upper.entries[place] & PSE:
                    yield f"a table of level {level} is not found from above: frame {table.pfn:#x}"
                if not seen.isdisjoint(frames):
                    yield f"frame {table.pfn:#x} is a page table twice"
                seen.update(frames)
        if counted * PAGE_SIZE != mm.pgtables_bytes:
            yield f"address space {mm.id} has {counted} tables, and counts {mm.pgtables_bytes} bytes"


# -- pages -----------------------------------------------------------------------------------------


def pages_of(m: Machine, mm: MmStruct) -> Iterator[tuple[int, int, int]]:
    """(level, address, first frame) of every entry that maps a page which is counted."""
    for level, address, entry, pfn in leaves(m, mm):
        if not entry & SPECIAL and pfn != m.vm.huge_zero_page:
            yield level, address, pfn


def entry_faults(m: Machine) -> Iterator[str]:
    """Only pages of processes and files are mapped, and each belongs to a file that there is."""
    for mm in m.vm.mms.values():
        for _, address, pfn in pages_of(m, mm):
            if user_page(m, pfn) is None:
                yield f"{address:#x} of address space {mm.id} maps frame {pfn:#x}, which is no user page"
    for pfn, _ in user_frames(m):
        mapping = m.vm.sections[pfn >> 9].mapping[pfn & 511]
        if mapping and not mapping & 1 and mapping >> 1 not in m.vm.mappings:
            yield f"frame {pfn:#x} belongs to no file that there is"


def frame_faults(m: Machine) -> Iterator[str]:
    """The frame of each table is one that was allocated for it."""
    for mm in m.vm.mms.values():
        for table in (table for tables in mm.tables for table in tables.values()):
            for frame in (table.pfn, *(one.pfn for one in table.deposited)):
                page = m.pages.get(frame)
                if page is None or page.state != "pagetable" or page.refcount <= 0:
                    yield f"frame {frame:#x} is used as a page table, and has been freed"


def resident_faults(m: Machine) -> Iterator[str]:
    """Each address space counts its areas, and what it maps."""
    for mm in m.vm.mms.values():
        if mm.total_vm != sum(vma.pages for vma in mm.mmap):
            yield f"address space {mm.id} counts {mm.total_vm} pages in its areas"
        pages = [level for level, _, pfn in pages_of(m, mm) if pfn not in m.vm.pool_pages]
        resident = sum(1 << 9 * (level - 1) for level in pages)
        counts = [mm.rss_stat, *(task.rss_stat for task in m.tasks.values() if task.mm is mm)]
        rss = sum(map(sum, counts)) - sum(count[MM_SWAPENTS] for count in counts)
        if rss != resident:
            yield f"address space {mm.id} counts {rss} resident pages, and maps {resident}"


def mappings(m: Machine) -> tuple[Counter[int], Counter[int]]:
    """How often each frame is mapped by itself, and each huge page as a whole."""
    found: tuple[Counter[int], Counter[int]] = Counter(), Counter()
    for mm in m.vm.mms.values():
        for level, _, pfn in pages_of(m, mm):
            found[level > 1][pfn] += 1
    return found


def record_faults(m: Machine, mapped: Counter[int], whole: Counter[int]) -> Iterator[str]:
    """Counts of each page against who maps and holds it."""
    vm = m.vm
    held: Counter[int] = Counter(pfn for inode in vm.mappings.values() for pfn in inode.i_pages.values())
    if vm.swap is not None:
        held.update(vm.swap.cache.values())
    for batch in vm.batches.values():
        held.update(page[0] if isinstance(page, tuple) else page for page in batch)
    free = {pfn for pool in vm.hstates.values() for pfn in pool.freelist}
    image = image_frames(m)
    for number, s in vm.sections.items():
        head = number << 9
        if s.order:
            if head == vm.huge_zero_page or head in free:
                continue
            parts = sum(mapped[pfn] for pfn in range(head, head + min(1 << s.order, 512)))
            if s.refcount[0] < whole[head] + parts + held[head]:
                yield f"the huge page at {head:#x} has {s.refcount[0]} references"
            if s.compound_mapcount + 1 != whole[head]:
                yield f"the huge page at {head:#x} is mapped whole {whole[head]} times"
            continue
        for i, count in enumerate(s.refcount):
            pfn = head | i
            if pfn in image or (not count and s.mapcount[i] < 0 and not mapped[pfn]):
                continue
            if s.mapcount[i] + 1 != mapped[pfn]:
                yield f"frame {pfn:#x} counts {s.mapcount[i] + 1} mappings and has {mapped[pfn]}"
            if count < mapped[pfn] + held[pfn] + bool(s.flags[i] & PG_private):
                yield f"frame {pfn:#x} has {count} references and more who know it"
            if s.mapping[i] & 1 and s.mapping[i] >> 1 not in vm.anon_vmas:
                yield f"frame {pfn:#x} belongs to nobody that there is"


def list_faults(m: Machine) -> Iterator[str]:
    """Each LRU list leads from its head to its tail, and back; what stands on it knows so."""
    sections = m.vm.sections
    lists = [(at, lru) for lruvec in m.vm.lruvecs for at, lru in enumerate(lruvec.lists[:4])]
    for at, lru in lists:
        pfn, before, frames = lru.head, NONE, 0
        while pfn != NONE and frames <= lru.count:
            s = sections.get(pfn >> 9)
            if s is None or s.prev[pfn & 511] != before or not s.flags[pfn & 511] & PG_lru:
                yield f"LRU list {at} is broken at frame {pfn:#x}"
                return
            frames += 1 << s.order
            before, pfn = pfn, s.next[pfn & 511]
        if (before, frames) != (lru.tail, lru.count):
            yield f"LRU list {at} ends at {before:#x} after {frames} pages; it has {lru.count}"
    if m.vm.reclaim:
        yield from size_faults(m)


def size_faults(m: Machine) -> Iterator[str]:
    """What the CPUs and zones count of the lists is what stands on them."""
    for nid, lruvec in enumerate(m.vm.lruvecs):
        for which, lru in enumerate(lruvec.lists):
            if lruvec.exact(which) != lru.count:
                yield f"node {nid} counts {lruvec.exact(which)} pages on LRU list {which} of {lru.count}"
            zones = [zone for zone in m.zones if zone.nid == nid]
            of_zones = sum(zone.lru_folded[which] + sum(d[which] for d in zone.lru_diffs) for zone in zones)
            if of_zones != lru.count:
                yield f"the zones of node {nid} count {of_zones} pages on LRU list {which} of {lru.count}"


def file_faults(m: Machine) -> Iterator[str]:
    """Cached pages belong to their file at their place; areas are found by the files that they map."""
    vm = m.vm
    for inode in vm.mappings.values():
        for index, pfn in inode.i_pages.items():
            s = vm.sections.get(pfn >> 9)
            if s is None or (s.mapping[pfn & 511], s.index[pfn & 511]) != (inode.id << 1, index):
                yield f"frame {pfn:#x} is not page {index} of {inode.name}"
        if any(vma.vm_file is None or vma.vm_file.inode is not inode for vma in inode.i_mmap):
            yield f"{inode.name} is said to be mapped by an area that does not map it"
    for mm in vm.mms.values():
        for vma in mm.mmap:
            if vma.vm_file is not None and vma not in vma.vm_file.inode.i_mmap:
                yield f"{vma.vm_file.inode.name} does not know who maps it at {vma.vm_start:#x}"
