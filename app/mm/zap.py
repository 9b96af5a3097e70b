"""Unmapping: entries are cleared, pages lose a mapping and a reference.

Kernel: mm/memory.c unmap_vmas, zap_pte_range, unmap_mapping_range.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import huge_memory, hugetlb, mem_map, mmu_gather, pagemap, rmap, swap, swapfile, vm_fault
from app.mm.mem_map import PAGE_MAPPING_ANON
from app.mm.mm_types import MM_ANONPAGES, MM_SWAPENTS, VM_HUGETLB, VM_LOCKED, VM_SEQ_READ
from app.mm.pgalloc import is_huge, pmd_of
from app.mm.pgtable_types import ACCESSED, DIRTY, PMD_SIZE, SPECIAL, pte_pfn, pte_present
from app.mm.sched import current
from app.mm.swapops import pte_to_swp_entry

if TYPE_CHECKING:
    from array import array

    from app.mm.fs import Inode
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct, PageTable, VmArea
    from app.mm.mmu_gather import MmuGather


def update_hiwater_rss(mm: MmStruct) -> None:
    """Remember the largest number of resident pages before it falls. Kernel: update_hiwater_rss"""
    mm.hiwater_rss = max(mm.hiwater_rss, mm.mm_rss)


def unmap_vmas(m: Kernel, tlb: MmuGather, areas: list[VmArea], start: int, end: int) -> None:
    """Unmap a range in each of the areas. Kernel: unmap_vmas"""
    for vma in areas:
        unmap_single_vma(m, tlb, vma, start, end)


def unmap_single_vma(
    m: Kernel, tlb: MmuGather, vma: VmArea, start: int, end: int, *, cows: bool = True
) -> None:
    """Unmap what an area has of a range. Kernel: unmap_single_vma, unmap_page_range

    cows: private copies too; a truncated file takes only its own pages away, if told so.
    """
    start, end = max(start, vma.vm_start), min(end, vma.vm_end)
    if start >= end:
        return
    if vma.vm_flags & VM_HUGETLB:
        hugetlb.unmap_hugepage_range(m, tlb, vma, start, end)
        return
    mm = vma.vm_mm
    address = start
    while address < end:
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, end)
        pmd = pmd_of(mm, address)
        if is_huge(pmd):
            if following - address == PMD_SIZE:
                huge_memory.zap_huge_pmd(m, tlb, vma, address)
                address = following
                continue
            huge_memory.split_huge_pmd(m, vma, address)
        table = mm.tables[1].get(address >> 21)
        if table is not None:
            zap_pte_range(m, tlb, vma, table, address, following, cows=cows)
        elif not pmd:
            following = skip_empty(mm, address, following, end)
        address = following


def skip_empty(mm: MmStruct, address: int, following: int, end: int) -> int:
    """The end of the range without tables that an address lies in, at most so far."""
    for level, shift in ((3, 39), (2, 30)):
        if mm.pgd is not None and level < mm.pgd.level and address >> shift not in mm.tables[level]:
            return min((address >> shift) + 1 << shift, end)
    return following


def zap_pte_range(
    m: Kernel, tlb: MmuGather, vma: VmArea, table: PageTable, address: int, end: int, *, cows: bool
) -> None:
    """Clear the entries of one table. Kernel: zap_pte_range

    A written page of a shared file gets its dirty bit before anyone may miss it, and the flush follows at the
    end of the table. What the processor noted as used is told to the LRU.
    """
    mm = vma.vm_mm
    rss = [0, 0, 0, 0]
    force_flush = False
    entries = table.entries
    sections = m.vm.sections
    plain = not vma.vm_flags & VM_LOCKED
    first = address >> 12 & 511
    for i in range(first, first + (end - address >> 12)):
        entry = entries[i]
        if not entry:
            continue
        if not pte_present(entry):
            if cows:
                entries[i] = 0
                rss[MM_SWAPENTS] -= 1
                swapfile.free_swap_and_cache(m, pte_to_swp_entry(entry))
            continue
        if entry & SPECIAL:
            entries[i] = 0
            continue
        pfn = pte_pfn(entry)
        s = sections[pfn >> 9]
        if plain and not s.order and s.mapping[pfn & 511] & PAGE_MAPPING_ANON:
            # By far the most: a small anonymous page.
            if not cows:
                continue
            entries[i] = 0
            rss[MM_ANONPAGES] -= 1
            s.mapcount[pfn & 511] -= 1
            if s.mapcount[pfn & 511] < 0:
                m.vm.stat["anon_mapped"] -= 1
        elif not zap_entry(m, vma, entries, i, cows=cows):
            continue
        else:
            force_flush |= bool(entry & DIRTY) and not mem_map.is_anon(m, pfn)
            rss[mem_map.mm_counter(m, pfn)] -= 1
            rmap.page_remove_rmap(m, pfn, vma)
        if mmu_gather.remove_page(m, tlb, pfn):
            if m.trace is not None:
                m.trace.mmap.zapped(address, (table.base | i + 1 << 12), rss)
            add_mm_rss_vec(m, mm, rss)
            rss = [0, 0, 0, 0]
            mmu_gather.flush(m, tlb)
            force_flush = False
    if m.trace is not None:
        m.trace.mmap.zapped(address, end, rss)
    add_mm_rss_vec(m, mm, rss)
    if force_flush:
        mmu_gather.flush(m, tlb)


def zap_entry(m: Kernel, vma: VmArea, entries: array[int], i: int, *, cows: bool) -> bool:
    """Clear an entry and tell its page what the processor has noted; whether it was to be cleared.

    Kernel: zap_pte_range
    """
    entry = entries[i]
    pfn = pte_pfn(entry)
    anon = mem_map.is_anon(m, pfn)
    if anon and not cows:
        return False
    entries[i] = 0
    if not anon:
        if entry & DIRTY:
            pagemap.set_page_dirty(m, pfn)
        if entry & ACCESSED and not vma.vm_flags & VM_SEQ_READ:
            swap.mark_page_accessed(m, pfn)
    return True


def add_mm_rss_vec(m: Kernel, mm: MmStruct, rss: list[int]) -> None:
    """Add what one page table's entries came to, and what the task has not folded yet.

    Kernel: add_mm_rss_vec. Only the running task's own counts can be folded.
    """
    task = current(m)
    if task.mm is mm:
        sync_mm_rss(m)
    for at, nr in enumerate(rss):
        if nr:
            vm_fault.add_mm_counter(m, mm, at, nr)


def sync_mm_rss(m: Kernel) -> None:
    """Fold the running task's counts of resident pages into its mm. Kernel: sync_mm_rss"""
    task = current(m)
    if task.mm is not None:
        if m.trace is not None and task.rss_events:
            m.trace.memory.rss_folded(task.rss_events, task.rss_stat)
        for at, nr in enumerate(task.rss_stat):
            if nr:
                vm_fault.add_mm_counter(m, task.mm, at, nr)
                task.rss_stat[at] = 0
    task.rss_events = 0


def zap_page_range(m: Kernel, vma: VmArea, start: int, end: int, *, cows: bool = True) -> None:
    """Unmap a part of an area; the tables stay. Kernel: zap_page_range_single"""
    swap.lru_add_drain(m)
    tlb = mmu_gather.gather(m, vma.vm_mm)
    update_hiwater_rss(vma.vm_mm)
    unmap_single_vma(m, tlb, vma, start, end, cows=cows)
    mmu_gather.finish(m, tlb)


def unmap_mapping_range(m: Kernel, inode: Inode, first: int, last: int | None, *, cows: bool) -> None:
    """Unmap pages of a file from everybody who maps them. Kernel: unmap_mapping_pages"""
    for vma in sorted(inode.i_mmap, key=lambda vma: vma.vm_pgoff):
        start = max(first, vma.vm_pgoff)
        behind = vma.vm_pgoff + vma.pages
        if last is not None:
            behind = min(behind, last + 1)
        if start < behind:
            begin = vma.vm_start + (start - vma.vm_pgoff << 12)
            zap_page_range(m, vma, begin, begin + (behind - start << 12), cows=cows)
