"""First writes to neighbouring pages of anonymous memory, many at once.

Kernel: mm/memory.c do_anonymous_page. A program that fills its memory faults on each page, and between two
such faults hardly anything can change: the area, the table, the zone and the list of free pages stay the
same. What would be looked up anew is looked up once for all of them here; what each fault does is done for
each. Whoever watches single faults gets none of this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import memory, page_alloc, swap
from app.mm.freelist import zone_statistics, zone_watermark_fast
from app.mm.internal import ALLOC_WMARK_LOW
from app.mm.mem_map import PAGE_MAPPING_ANON, PG_anon_exclusive, PG_swapbacked, section
from app.mm.mm_types import MM_ANONPAGES, TASK_RSS_EVENTS_THRESH, VM_LOCKED, VM_SHARED, VM_SPECIAL, VM_WRITE
from app.mm.mmzone import ZONE_BOOSTED_WATERMARK, order_to_pindex
from app.mm.page import PG_uptodate
from app.mm.pgtable_types import RW, mk_pte, mkdirty, vma_page_prot
from app.mm.sched import current
from app.mm.vma import vma_lookup

if TYPE_CHECKING:
    from array import array

    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea
    from app.mm.mmzone import Zone

# Flags and reference of a page that waits in the batch for its list.
NEW_FLAGS: Final = PG_uptodate | PG_swapbacked | PG_anon_exclusive
NEW_COUNT: Final = 2
NOTHING: Final[list[int]] = []


def fault_in(m: Kernel, address: int, most: int) -> list[int]:
    """Serve first writes to up to `most` pages from an address on; the frames that they got.

    None, where the next fault needs more than a page from this CPU's list and an entry in a table that is
    there, or where somebody is to be told of it.
    """
    task, vm = current(m), m.vm
    mm = task.mm
    if mm is None or m.trace is not None or vm.faults is not None or m.stray:
        return NOTHING
    table = mm.tables[1].get(address >> 21)
    at = address >> 12 & 511
    if table is None or table.entries[at]:
        return NOTHING
    vma = vma_lookup(mm, address)
    if vma is None or not is_plain(vma):
        return NOTHING
    most = min(most, TASK_RSS_EVENTS_THRESH + 1 - task.rss_events, (vma.vm_end - address + 4095) >> 12)
    pfns = take(m, untouched(table.entries, at, most))
    if not pfns:
        return NOTHING
    prot = mkdirty(m, mk_pte(0, vma_page_prot(m, vma))) | RW
    entries = table.entries
    for pfn in pfns:
        entries[at] = prot | pfn << 12
        at += 1
    add_rmaps(m, pfns, vma, address)
    nr = len(pfns)
    vm.stat["pgfault"] += nr
    vm.stat["anon_mapped"] += nr
    task.rss_events += nr
    task.min_flt += nr
    task.rss_stat[MM_ANONPAGES] += nr
    swap.folio_add_lru_many(m, pfns)
    return pfns


def is_plain(vma: VmArea) -> bool:
    """Whether a first write to the area takes a small page, and its list is that of all such pages."""
    wanted = VM_WRITE | VM_SHARED | VM_LOCKED | VM_SPECIAL
    return vma.vm_flags & wanted == VM_WRITE and vma.anon_vma is not None and vma.is_anonymous


def untouched(entries: array[int], at: int, most: int) -> int:
    """How many entries from one on are empty, of so many and of one table."""
    end = min(at + most, 512)
    for place in range(at, end):
        if entries[place]:
            return place - at
    return end - at


def take(m: Kernel, most: int) -> list[int]:
    """Frames from this CPU's list of the first zone, as long as that is how each would be served.

    Kernel: mm/page_alloc.c __alloc_pages, rmqueue_pcplist
    """
    current_call = m.current
    gfp = memory.GFP_ZEROED
    ac = page_alloc.prepare_alloc_pages(m, gfp, m.cpu_node[current_call.cpu])
    zone = ac.preferred_zone
    if zone is None or current_call.context != "process" or zone.flags & ZONE_BOOSTED_WATERMARK:
        return NOTHING
    pcp = zone.pcp[current_call.cpu]
    pages = pcp.lists[order_to_pindex(ac.migratetype, 0)]
    nr = min(most, len(pages))
    mark = zone.watermark[ALLOC_WMARK_LOW] + zone.boost
    if nr <= 0 or not zone_watermark_fast(m, zone, 0, mark, ac.highest_zoneidx, ALLOC_WMARK_LOW, gfp):
        return NOTHING
    pfns = [pages.popleft() for _ in range(nr)]
    pcp.count -= nr
    pcp.free_factor >>= nr
    note_taken(zone, pfns)
    if len(m.nodes) > 1:
        zone_statistics(m, ac, zone, nr)
    return pfns


def note_taken(zone: Zone, pfns: list[int]) -> None:
    """Count them as allocated; what the list had noted of them is no longer needed."""
    zone.nr_alloc += len(pfns)
    zone.pgalloc += len(pfns)
    if zone.pcp_migratetype:
        for pfn in pfns:
            zone.pcp_migratetype.pop(pfn, None)


def add_rmaps(m: Kernel, pfns: list[int], vma: VmArea, address: int) -> None:
    """Fill in the records of new pages.

    Kernel: mm/page_alloc.c prep_new_page, mm/rmap.c page_add_new_anon_rmap
    """
    assert vma.anon_vma is not None
    mapping = vma.anon_vma.id << 1 | PAGE_MAPPING_ANON
    index = vma.linear_page_index(address)
    changed = m.changed.frames
    first = last = -1
    for pfn in pfns:
        s, i = section(m, pfn), pfn & 511
        s.refcount[i] = NEW_COUNT
        s.flags[i] = NEW_FLAGS
        s.mapcount[i] = 0
        s.mapping[i] = mapping
        s.index[i] = index
        index += 1
        if pfn != last + 1:
            if last >= 0:
                changed.append((first, last + 1 - first, "anon"))
            first = pfn
        last = pfn
    changed.append((first, last + 1 - first, "anon"))
