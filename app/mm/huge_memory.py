"""Transparent huge pages: one entry for 2 MiB, without being asked.

Kernel: mm/huge_memory.c. One entry saves five hundred faults and translations. The price is memory that may
never be used, and a table that is set aside with each huge page, so that it can be split at any time, also
when no memory is left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import lru, mem_map, mlock, mmu_gather, pgalloc, rmap, swap, vm_fault
from app.mm.mem_map import PG_anon_exclusive, PG_double_map, section, set_flags
from app.mm.mm_types import (
    MM_ANONPAGES,
    MMF_DISABLE_THP,
    VM_HUGEPAGE,
    VM_HUGETLB,
    VM_NOHUGEPAGE,
    VM_SPECIAL,
    MmStruct,
    PageTable,
    VmArea,
)
from app.mm.page import PG_dirty, PG_head, PG_lru, PG_unevictable, PG_uptodate
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    HPAGE_PMD_NR,
    HPAGE_PMD_ORDER,
    PAGE_SIZE,
    PMD_PFN_MASK,
    PMD_SIZE,
    PSE,
    RW,
    SOFT_DIRTY,
    SPECIAL,
    flip,
    mk_pte,
    mkdirty,
    page_prot,
    pte_modify,
    pte_pfn,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmu_gather import MmuGather
    from app.mm.vm_fault import VmFault

GFP_HUGE_ZERO: Final = (gfp_masks.GFP_TRANSHUGE | gfp_masks.__GFP_ZERO) & ~gfp_masks.__GFP_MOVABLE


def hugepage_vma_check(m: Kernel, vma: VmArea) -> bool:
    """Whether faults of an area may take huge pages. Kernel: hugepage_vma_check"""
    if vma.vm_flags & (VM_NOHUGEPAGE | VM_SPECIAL | VM_HUGETLB) or vma.vm_mm.flags >> MMF_DISABLE_THP & 1:
        return False
    if m.vm.thp == "never" or (m.vm.thp == "madvise" and not vma.vm_flags & VM_HUGEPAGE):
        return False
    return vma.is_anonymous


def transhuge_vma_suitable(vma: VmArea, address: int) -> bool:
    """Whether the whole 2 MiB around an address lie in the area.

    Kernel: include/linux/huge_mm.h transhuge_vma_suitable
    """
    haddr = address & -PMD_SIZE
    if not vma.is_anonymous and (vma.vm_start >> 12) - vma.vm_pgoff & HPAGE_PMD_NR - 1:
        return False
    return haddr >= vma.vm_start and haddr + PMD_SIZE <= vma.vm_end


def pmd_slot(mm: MmStruct, address: int) -> tuple[PageTable, int]:
    """The table of 2 MiB entries and the index of an address."""
    return mm.tables[2][address >> 30], address >> 21 & 511


# -- faults ----------------------------------------------------------------------------------------


def create_huge_pmd(m: Kernel, vmf: VmFault) -> int:
    """The first touch of 2 MiB. Kernel: do_huge_pmd_anonymous_page

    A read maps the huge page of zeros. Where no block of 512 frames is free, small pages have to do.
    """
    vma = vmf.vma
    fits = transhuge_vma_suitable(vma, vmf.address)
    if m.trace is not None:
        m.trace.huge_memory.suitable(vma, vmf.address & -PMD_SIZE, fits=fits)
    if not fits:
        return vm_fault.VM_FAULT_FALLBACK
    rmap.anon_vma_prepare(m, vma)
    if not vmf.write:
        return map_huge_zero_page(m, vmf)
    pfn = mem_map.alloc_page(m, thp_gfp(m, vma), HPAGE_PMD_ORDER)
    if m.trace is not None:
        m.trace.huge_memory.new_page(pfn, vmf.address & -PMD_SIZE)
    if pfn is None:
        m.vm.count("thp_fault_fallback")
        return vm_fault.VM_FAULT_FALLBACK
    table = pgalloc.pte_alloc_one(m)
    if table is None:
        lru.put_page(m, pfn)
        return vm_fault.VM_FAULT_OOM
    set_flags(m, pfn, PG_uptodate)
    entry = mk_pte(pfn, page_prot(m, vma.vm_flags)) | PSE
    entry = vm_fault.maybe_mkwrite(m, vma, mkdirty(m, entry))
    rmap.page_add_new_anon_rmap(m, pfn, vma, vmf.address & -PMD_SIZE)
    swap.lru_cache_add_inactive_or_unevictable(m, vma, pfn)
    deposit(vma.vm_mm, vmf.address, table)
    upper, at = pmd_slot(vma.vm_mm, vmf.address)
    upper.entries[at] = entry
    if m.trace is not None:
        m.trace.memory.entry(vmf.address & -PMD_SIZE, 2, 0, entry)
    vm_fault.add_mm_counter(m, vma.vm_mm, MM_ANONPAGES, HPAGE_PMD_NR)
    m.vm.count("thp_fault_alloc")
    vmf.page, vmf.kind = pfn, "thp"
    return 0


def thp_gfp(m: Kernel, vma: VmArea) -> int:
    """How hard to try for a huge page: hard only where the program asked for it. Kernel: vma_thp_gfp_mask"""
    gfp = gfp_masks.GFP_TRANSHUGE_LIGHT
    if vma.vm_flags & VM_HUGEPAGE:
        gfp |= gfp_masks.__GFP_DIRECT_RECLAIM
    if m.model.arch == "x86_64":
        gfp |= gfp_masks.__GFP_THISNODE | gfp_masks.__GFP_NORETRY
    return gfp


def map_huge_zero_page(m: Kernel, vmf: VmFault) -> int:
    """Map the huge page of zeros, which all processes share. Kernel: set_huge_zero_page"""
    vma = vmf.vma
    table = pgalloc.pte_alloc_one(m)
    if table is None:
        return vm_fault.VM_FAULT_OOM
    zero = get_huge_zero_page(m)
    if zero is None:
        pgalloc.pte_free(m, table)
        m.vm.count("thp_fault_fallback")
        return vm_fault.VM_FAULT_FALLBACK
    deposit(vma.vm_mm, vmf.address, table)
    upper, at = pmd_slot(vma.vm_mm, vmf.address)
    entry = upper.entries[at] = mk_pte(zero, page_prot(m, vma.vm_flags)) | PSE
    if m.trace is not None:
        m.trace.huge_memory.zero_page(zero, vmf.address & -PMD_SIZE)
        m.trace.memory.entry(vmf.address & -PMD_SIZE, 2, 0, entry)
    vmf.kind = "thp_zero"
    return 0


def get_huge_zero_page(m: Kernel) -> int | None:
    """The huge page of zeros, made when it is first wanted. Kernel: get_huge_zero_page"""
    if m.vm.huge_zero_page < 0:
        pfn = mem_map.alloc_page(m, GFP_HUGE_ZERO, HPAGE_PMD_ORDER)
        if pfn is None:
            return None
        m.vm.huge_zero_page = pfn
        m.vm.count("thp_zero_page_alloc")
    return m.vm.huge_zero_page


def is_huge_zero(m: Kernel, pmd: int) -> bool:
    """Whether an entry maps the huge page of zeros. Kernel: is_huge_zero_pmd"""
    return m.vm.huge_zero_page >= 0 and pte_pfn(pmd, PMD_PFN_MASK) == m.vm.huge_zero_page


def do_huge_pmd_wp_page(m: Kernel, vmf: VmFault) -> int:
    """A write to a huge page that may only be read. Kernel: do_huge_pmd_wp_page

    Its only owner makes it writable. A shared one is split, and only the small page that is written gets a
    copy: copying all 2 MiB would cost too much for what may be one byte.
    """
    vma = vmf.vma
    table, at = pmd_slot(vma.vm_mm, vmf.address)
    pmd = table.entries[at]
    if not is_huge_zero(m, pmd):
        head = pte_pfn(pmd, PMD_PFN_MASK)
        exclusive = bool(mem_map.flags(m, head) & PG_anon_exclusive)
        count = mem_map.page_count(m, head)
        reuse = exclusive or count == 1
        if m.trace is not None:
            m.trace.huge_memory.write(head, count, exclusive=exclusive, reuse=reuse)
        if reuse:
            if not exclusive:
                rmap.page_move_anon_rmap(m, head, vma)
            entry = table.entries[at] = vm_fault.maybe_mkwrite(m, vma, mkdirty(m, pmd | ACCESSED))
            if m.trace is not None:
                m.trace.memory.entry(vmf.address & -PMD_SIZE, 2, pmd, entry)
            vmf.page, vmf.kind = head, "cow_reuse"
            return vm_fault.VM_FAULT_WRITE
        vmf.kind = "thp_cow"
    elif m.trace is not None:
        m.trace.huge_memory.write(None, 0, exclusive=False, reuse=False)
    split_huge_pmd(m, vma, vmf.address)
    return vm_fault.VM_FAULT_FALLBACK


# -- tables set aside ------------------------------------------------------------------------------


def deposit(mm: MmStruct, address: int, table: PageTable) -> None:
    """Set a table aside for a later split. Kernel: pgtable_trans_huge_deposit"""
    upper = mm.tables[2][address >> 30]
    ring = upper.deposited
    upper.deposited = [table, *ring[1:], *ring[:1]]
    mm.pgtables_bytes += PAGE_SIZE


def withdraw(mm: MmStruct, address: int) -> PageTable:
    """Take one of the tables that were set aside: the newest, then the oldest

    Kernel: pgtable_trans_huge_withdraw
    """
    mm.pgtables_bytes -= PAGE_SIZE
    return mm.tables[2][address >> 30].deposited.pop(0)


# -- splitting -------------------------------------------------------------------------------------


def split_huge_pmd(m: Kernel, vma: VmArea, address: int) -> None:
    """Map a huge page by 512 small entries; the page itself stays one. Kernel: __split_huge_pmd_locked"""
    mm = vma.vm_mm
    haddr = address & -PMD_SIZE
    upper, at = pmd_slot(mm, haddr)
    pmd = upper.entries[at]
    m.vm.count("thp_split_pmd")
    table = withdraw(mm, haddr)
    if m.trace is not None:
        m.trace.huge_memory.split(
            haddr, None if is_huge_zero(m, pmd) else pte_pfn(pmd, PMD_PFN_MASK), table.pfn
        )
    if is_huge_zero(m, pmd):
        entry = mk_pte(m.vm.zero_pfn, page_prot(m, vma.vm_flags)) | SPECIAL
        for i in range(HPAGE_PMD_NR):
            table.entries[i] = entry
        pgalloc.install(mm, table, haddr)
        return
    head = pte_pfn(pmd, PMD_PFN_MASK)
    s = section(m, head)
    if pmd & DIRTY:
        s.flags[0] |= PG_dirty
    s.refcount[0] += HPAGE_PMD_NR - 1
    exclusive = s.flags[0] & PG_anon_exclusive
    prot = page_prot(m, vma.vm_flags)
    plain = flip(pmd, PMD_PFN_MASK)
    for i in range(HPAGE_PMD_NR):
        entry = vm_fault.maybe_mkwrite(m, vma, head + i << 12 | prot)
        s.flags[i] |= exclusive
        if not plain & RW:
            entry &= ~RW
        if not plain & ACCESSED:
            entry &= ~ACCESSED
        table.entries[i] = flip(entry | plain & SOFT_DIRTY)
        s.mapcount[i] += 1
    settle_compound_mapcount(m, head)
    mlock.munlock_vma_page(m, vma, head, compound=True)
    pgalloc.install(mm, table, haddr)


def settle_compound_mapcount(m: Kernel, head: int) -> None:
    """One who mapped the huge page whole maps its parts now. Kernel: the end of __split_huge_pmd_locked"""
    s = section(m, head)
    if s.compound_mapcount > 0 and not s.flags[1] & PG_double_map:
        s.flags[1] |= PG_double_map
        for i in range(HPAGE_PMD_NR):
            s.mapcount[i] += 1
    s.compound_mapcount -= 1
    if s.compound_mapcount < 0:
        m.vm.count("anon_thps", -HPAGE_PMD_NR)
        if s.flags[1] & PG_double_map:
            s.flags[1] &= ~PG_double_map
            for i in range(HPAGE_PMD_NR):
                s.mapcount[i] -= 1


def vma_adjust_trans_huge(m: Kernel, vma: VmArea, start: int, end: int, adjust_next: int) -> None:
    """Split the huge pages that new borders of an area cut. Kernel: vma_adjust_trans_huge"""
    if vma.vm_flags & VM_HUGETLB:
        return
    split_if_needed(m, vma, start)
    split_if_needed(m, vma, end)
    if adjust_next > 0:
        areas = vma.vm_mm.mmap
        after = areas[areas.index(vma) + 1]
        split_if_needed(m, after, after.vm_start + adjust_next)


def split_if_needed(m: Kernel, vma: VmArea, address: int) -> None:
    """Kernel: split_huge_pmd_if_needed"""
    haddr = address & -PMD_SIZE
    if address == haddr or not (vma.vm_start <= haddr and haddr + PMD_SIZE <= vma.vm_end):
        return
    if pgalloc.is_huge(pgalloc.pmd_of(vma.vm_mm, haddr)):
        split_huge_pmd(m, vma, haddr)


def split_huge_page(m: Kernel, head: int, *, isolated: bool = False) -> bool:
    """Make small pages of a huge one; whether nobody else holds it. Kernel: split_huge_page_to_list

    Those who map it whole map its parts first. The caller has a reference. Parts that nobody maps are freed.
    isolated: the page is off its list, and the caller gets a reference on each part.
    """
    s = section(m, head)
    if s.refcount[0] != total_mapcount(m, head) + 1:
        return False
    for vma, address in rmap.rmap_walk(m, head):
        pmd = pgalloc.pmd_of(vma.vm_mm, address)
        if pgalloc.is_huge(pmd) and pte_pfn(pmd, PMD_PFN_MASK) == head:
            split_huge_pmd(m, vma, address)
    m.vm.split_queue.pop(head, None)
    m.vm.count("thp_split_page")
    s.order = 0
    s.flags[0] &= ~PG_head
    inherited = s.flags[0] & ~PG_anon_exclusive
    s.refcount[0] = s.mapcount[0] + 2
    on_list = inherited & PG_lru and not inherited & PG_unevictable
    for i in range(HPAGE_PMD_NR - 1, 0, -1):
        s.flags[i] = s.flags[i] & PG_anon_exclusive | inherited
        s.mapping[i], s.index[i] = s.mapping[0], s.index[0] + i
        s.refcount[i] = s.mapcount[i] + 2
        if on_list:
            lru.insert_before(m, head + i, head)
    if not isolated:
        for i in range(1, HPAGE_PMD_NR):
            lru.put_page(m, head + i)
    return True


def total_mapcount(m: Kernel, head: int) -> int:
    """In how many places a huge page or a part of it is mapped. Kernel: total_mapcount"""
    s = section(m, head)
    parts = sum(count + 1 for count in s.mapcount)
    whole = s.compound_mapcount + 1
    return whole + parts - (HPAGE_PMD_NR if s.flags[1] & PG_double_map else 0)


# -- unmapping, forking, moving, changing ----------------------------------------------------------


def zap_huge_pmd(m: Kernel, tlb: MmuGather, vma: VmArea, address: int) -> None:
    """Unmap 2 MiB at once; the table set aside goes first. Kernel: zap_huge_pmd"""
    mm = vma.vm_mm
    upper, at = pmd_slot(mm, address)
    pmd = upper.entries[at]
    upper.entries[at] = 0
    if is_huge_zero(m, pmd):
        if m.trace is not None:
            m.trace.mmap.zapped_huge(address, None)
        zap_deposited_table(m, mm, address)
        return
    head = pte_pfn(pmd, PMD_PFN_MASK)
    if m.trace is not None:
        m.trace.mmap.zapped_huge(address, head)
    rmap.page_remove_compound_rmap(m, head, vma)
    zap_deposited_table(m, mm, address)
    vm_fault.add_mm_counter(m, mm, MM_ANONPAGES, -HPAGE_PMD_NR)
    if mmu_gather.remove_page(m, tlb, head):
        mmu_gather.flush(m, tlb)


def zap_deposited_table(m: Kernel, mm: MmStruct, address: int) -> None:
    """Free one of the tables set aside. Kernel: zap_deposited_table"""
    pgalloc.pte_free(m, withdraw(mm, address))


def copy_huge_pmd(m: Kernel, dst: VmArea, src: VmArea, address: int) -> None:
    """Let a child map the huge page, too; neither may write to it. Kernel: copy_huge_pmd"""
    table = pgalloc.pte_alloc_one(m)
    if table is None:
        return
    upper, at = pmd_slot(src.vm_mm, address)
    pmd = upper.entries[at]
    shared = None if is_huge_zero(m, pmd) else pte_pfn(pmd, PMD_PFN_MASK)
    if m.trace is not None:
        m.trace.fork.huge(address, shared)
    if shared is not None:
        head = shared
        mem_map.get_page(m, head)
        s = section(m, head)
        s.flags[0] &= ~PG_anon_exclusive
        s.compound_mapcount += 1
        vm_fault.add_mm_counter(m, dst.vm_mm, MM_ANONPAGES, HPAGE_PMD_NR)
    deposit(dst.vm_mm, address, table)
    upper.entries[at] = pmd & ~RW
    below, index = pmd_slot(dst.vm_mm, address)
    below.entries[index] = pmd & ~(RW | ACCESSED)


def change_huge_pmd(m: Kernel, vma: VmArea, address: int, prot: int) -> None:
    """Other rights for 2 MiB; the right to write comes back with a fault. Kernel: change_huge_pmd"""
    upper, at = pmd_slot(vma.vm_mm, address)
    upper.entries[at] = pte_modify(m, upper.entries[at], prot, PMD_PFN_MASK)


def move_huge_pmd(m: Kernel, mm: MmStruct, old: int, new: int) -> None:
    """Move an entry of 2 MiB to another address. Kernel: move_huge_pmd"""
    upper, at = pmd_slot(mm, old)
    pmd, upper.entries[at] = upper.entries[at], 0
    if old >> 30 != new >> 30:
        deposit(mm, new, withdraw(mm, old))
    below, index = pmd_slot(mm, new)
    below.entries[index] = pmd | m.vm.soft_dirty


def madvise_free_huge_pmd(m: Kernel, vma: VmArea, address: int, end: int) -> bool:
    """Give up 2 MiB lazily, if they are one's own. Kernel: madvise_free_huge_pmd

    Whether that is all; where only a part is meant the page is split, and its parts are looked at.
    """
    upper, at = pmd_slot(vma.vm_mm, address)
    pmd = upper.entries[at]
    if is_huge_zero(m, pmd):
        return True
    head = pte_pfn(pmd, PMD_PFN_MASK)
    if total_mapcount(m, head) != 1:
        return True
    if end - address != PMD_SIZE:
        mem_map.get_page(m, head)
        split_huge_page(m, head)
        lru.put_page(m, head)
        return False
    section(m, head).flags[0] &= ~PG_dirty
    upper.entries[at] = pmd & ~(ACCESSED | DIRTY)
    swap.mark_page_lazyfree(m, head)
    return True
