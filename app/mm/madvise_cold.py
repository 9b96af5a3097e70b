"""A program says that it will not need a range for long: its pages may go first, or now.

Kernel: mm/madvise.c madvise_cold_or_pageout_pte_range, mm/vmscan.c reclaim_pages. A program knows what it has
put away better than the kernel can see. Only pages that nobody else maps are touched, since others have not
been asked.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from app.mm import (
    errno,
    gfp,
    huge_memory,
    lru,
    mem_map,
    mmu_gather,
    pgalloc,
    shrink_folio,
    swap,
)
from app.mm.lru_isolate import isolate_lru_page, putback_lru_page
from app.mm.mem_map import set_flags
from app.mm.mm_types import VM_HUGETLB, VM_LOCKED, VM_PFNMAP, VmArea
from app.mm.page import PG_active, PG_lru, PG_referenced, PG_unevictable
from app.mm.pgtable_types import ACCESSED, PMD_PFN_MASK, PMD_SIZE, SPECIAL, pte_pfn, pte_present
from app.mm.scan_control import ScanControl

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def madvise_cold_or_pageout(m: Kernel, vma: VmArea, start: int, end: int, *, pageout: bool) -> int:
    """Make the pages of a range old, or reclaim them at once. Kernel: madvise_cold, madvise_pageout"""
    if vma.vm_flags & (VM_LOCKED | VM_PFNMAP | VM_HUGETLB):
        return -errno.EINVAL
    swap.lru_add_drain(m)
    tlb = mmu_gather.gather(m, vma.vm_mm)
    address = start
    while address < end:
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, end)
        pages = cold_pages(m, vma, address, following)
        if pageout:
            reclaim_pages(m, [head for head in pages if isolate_evictable(m, head)])
        else:
            for head in pages:
                swap.deactivate_page(m, head)
        address = following
    mmu_gather.finish(m, tlb)
    return 0


def cold_pages(m: Kernel, vma: VmArea, start: int, end: int) -> list[int]:
    """Make the entries of up to 2 MiB old; returns the pages that are this process's alone

    Kernel: madvise_cold_or_pageout_pte_range. A huge page of which only a part is cold is split.
    """
    mm = vma.vm_mm
    pmd = pgalloc.pmd_of(mm, start)
    if pgalloc.is_huge(pmd):
        head = mem_map.compound_head(m, pte_pfn(pmd, PMD_PFN_MASK))
        if head == m.vm.huge_zero_page or mem_map.page_mapcount(m, head) != 1:
            return []
        if end - start == PMD_SIZE:
            table, at = huge_memory.pmd_slot(mm, start)
            table.entries[at] &= ~ACCESSED
            set_flags(m, head, 0, PG_referenced)
            return [head]
        if not split_own(m, head):
            return []
    table_of_ptes = mm.tables[1].get(start >> 21)
    if table_of_ptes is None:
        return []
    found = []
    for at in range(start >> 12 & 511, (start >> 12 & 511) + (end - start >> 12)):
        entry = table_of_ptes.entries[at]
        if not entry or not pte_present(entry) or entry & SPECIAL:
            continue
        pfn = pte_pfn(entry)
        if mem_map.compound_order(m, pfn) and not (
            mem_map.page_mapcount(m, pfn) == 1 and split_own(m, mem_map.compound_head(m, pfn))
        ):
            break
        if not mem_map.flags(m, pfn) & PG_lru or mem_map.page_mapcount(m, pfn) != 1:
            continue
        table_of_ptes.entries[at] = entry & ~ACCESSED
        set_flags(m, pfn, 0, PG_referenced)
        found.append(pfn)
    return found


def split_own(m: Kernel, head: int) -> bool:
    """Split a huge page, with a reference on it."""
    mem_map.get_page(m, head)
    done = huge_memory.split_huge_page(m, head)
    lru.put_page(m, head)
    return done


def isolate_evictable(m: Kernel, head: int) -> bool:
    """Take a page off its list, unless it is locked in memory."""
    if not isolate_lru_page(m, head):
        return False
    if mem_map.flags(m, head) & PG_unevictable:
        putback_lru_page(m, head)
        return False
    return True


def reclaim_pages(m: Kernel, pages: list[int]) -> int:
    """Reclaim isolated pages, whatever the lists are like; returns how many were freed

    Kernel: mm/vmscan.c reclaim_pages, reclaim_folio_list
    """
    reclaimed = 0
    for nid, group in groupby(pages, key=lambda head: m.zone_of(head).nid):
        heads = list(group)
        for head in heads:
            set_flags(m, head, 0, PG_active)
        sc = ScanControl(gfp.GFP_KERNEL, 0, len(m.zone_index), ())
        sc.priority = 0
        freed, _, kept = shrink_folio.shrink_folio_list(m, nid, sc, heads)
        for head in kept:
            putback_lru_page(m, head)
        reclaimed += freed
        m.current.reclaims.append(sc)
        m.current.eventful = True
        sc.nr_reclaimed = freed
    return reclaimed
