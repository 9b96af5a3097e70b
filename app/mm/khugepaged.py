"""Huge pages made afterwards, of small ones. Kernel: mm/khugepaged.c

A background task looks for 2 MiB in which a page is used, copies what is there into a huge page, and maps
that instead. Up to 511 of the 512 may be missing: the process gets more memory than it touched. Nothing runs
by itself here, so a caller says where.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import huge_memory, lru, mem_map, memory, rmap, swap, swapfile
from app.mm.mm_types import MM_ANONPAGES
from app.mm.page import PG_lru, PG_uptodate
from app.mm.pgtable_types import (
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    PAGE_SHIFT,
    PMD_SIZE,
    PSE,
    SPECIAL,
    mk_pte,
    mkdirty,
    page_prot,
    pte_pfn,
)
from app.mm.swapops import is_swap_pte
from app.mm.vm_fault import FAULT_FLAG_ALLOW_RETRY, VM_FAULT_ERROR, VmFault, maybe_mkwrite
from app.mm.vma import vma_lookup

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct, VmArea

GFP_COLLAPSE: Final = gfp_masks.GFP_TRANSHUGE
# As many of the 512 pages may be in swap. Kernel: khugepaged_max_ptes_swap
MAX_PTES_SWAP: Final = 64


def collapse_huge_page(m: Kernel, mm: MmStruct, address: int) -> int | None:
    """Replace the small pages around an address by a huge one; its first frame, or None

    Kernel: collapse_huge_page
    """
    haddr = address & -PMD_SIZE
    vma = vma_lookup(mm, haddr)
    if vma is None or not huge_memory.transhuge_vma_suitable(vma, haddr) or vma.anon_vma is None:
        return None
    swap.lru_add_drain(m)
    head = mem_map.alloc_page(m, GFP_COLLAPSE, HPAGE_PMD_ORDER)
    if head is None:
        return None
    if not swap_in(m, vma, haddr):
        lru.put_page(m, head)
        return None
    table = mm.tables[1].pop(haddr >> 21, None)
    if table is None:
        lru.put_page(m, head)
        return None
    copy_pages(m, vma, table.entries, haddr)  # type: ignore[arg-type]
    mem_map.set_flags(m, head, PG_uptodate)
    entry = maybe_mkwrite(m, vma, mkdirty(m, mk_pte(head, page_prot(m, vma.vm_flags)) | PSE))
    rmap.page_add_new_anon_rmap(m, head, vma, haddr)
    swap.lru_cache_add_inactive_or_unevictable(m, vma, head)
    mm.pgtables_bytes -= 4096
    huge_memory.deposit(mm, haddr, table)
    upper, at = huge_memory.pmd_slot(mm, haddr)
    upper.entries[at] = entry
    return head


def swap_in(m: Kernel, vma: VmArea, haddr: int) -> bool:
    """Bring back what is in swap, if it is not too much. Kernel: __collapse_huge_page_swapin"""
    table = vma.vm_mm.tables[1].get(haddr >> 21)
    swapped = [] if table is None else [at for at, pte in enumerate(table.entries) if is_swap_pte(pte)]
    if table is None or len(swapped) > MAX_PTES_SWAP:
        return table is None
    for at in swapped:
        vmf = VmFault(vma, haddr + (at << PAGE_SHIFT), FAULT_FLAG_ALLOW_RETRY)
        vmf.orig_pte = table.entries[at]
        if memory.do_swap_page(m, vmf) & VM_FAULT_ERROR:
            return False
    if swapped:
        swap.lru_add_drain(m)
    return True


def copy_pages(m: Kernel, vma: VmArea, entries: list[int], haddr: int) -> None:
    """Copy what is there, clear the rest, and let the small pages go. Kernel: __collapse_huge_page_copy"""
    rss = vma.vm_mm.rss_stat
    for i in range(HPAGE_PMD_NR):
        entry = entries[i]
        entries[i] = 0
        if not entry or entry & SPECIAL:
            rss[MM_ANONPAGES] += 1
            continue
        pfn = pte_pfn(entry)
        if mem_map.test_clear_flag(m, pfn, PG_lru):
            lru.lruvec_del(m, pfn)
            swap.folio_add_lru(m, pfn)
        rmap.page_remove_rmap(m, pfn, vma)
        if m.vm.swap is not None:
            swapfile.free_swap_cache(m, pfn)
        lru.put_page(m, pfn)
