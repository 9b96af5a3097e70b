"""Huge pages from a pool: reserved at mmap, never swapped, never split.

Kernel: mm/hugetlb.c, fs/hugetlbfs/inode.c. The administrator sets them aside while memory is still whole. A
mapping reserves what it may need at once, so that a fault cannot fail later; without reservation, or for the
copy that a child makes, it may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, lru, mem_map, mmu_gather, page_ref, pgalloc, rmap, user_bytes, vm_fault
from app.mm import gfp as gfp_masks
from app.mm.fs import File, Inode
from app.mm.mem_map import PG_anon_exclusive, section, set_flags
from app.mm.mm_types import (
    VM_DONTEXPAND,
    VM_HUGETLB,
    VM_MAYSHARE,
    VM_NORESERVE,
    VM_SHARED,
    VM_WRITE,
    MmStruct,
    PageTable,
    VmArea,
)
from app.mm.page import PG_dirty, PG_head, PG_uptodate
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    HPAGE_PMD_ORDER,
    PMD_PFN_MASK,
    PMD_SHIFT,
    PSE,
    PUD_PFN_MASK,
    RW,
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


# How a page for the pool is asked for: patiently, and without a report.
GFP_POOL: Final = (
    gfp_masks.GFP_HIGHUSER_MOVABLE
    | gfp_masks.__GFP_COMP
    | gfp_masks.__GFP_NOWARN
    | gfp_masks.__GFP_RETRY_MAYFAIL
    | gfp_masks.__GFP_THISNODE
)


class Hstate:
    """A pool of huge pages of one size. Kernel: struct hstate

    freelist: free pages, the next one to be taken first. reserved: promised, not taken yet.
    """

    __slots__ = ("freelist", "order", "reserved", "total")

    def __init__(self, order: int, freelist: list[int], reserved: int) -> None:
        self.order = order
        self.freelist = freelist
        self.total = len(freelist)
        self.reserved = reserved

    @property
    def shift(self) -> int:
        """The page size as a power of two."""
        return self.order + 12


def hstate_of(m: Kernel, shift: int) -> Hstate | None:
    """The pool of pages of that size; 0 means the usual one. Kernel: hstate_sizelog"""
    return m.vm.hstates.get((shift or PMD_SHIFT) - 12)


def hstate_vma(m: Kernel, vma: VmArea) -> Hstate:
    """The pool that an area takes from. Kernel: hstate_vma"""
    return m.vm.hstates[shift_of(m, vma.vm_file) - 12]


def shift_of(m: Kernel, file: File | None) -> int:
    """The page size of a file on hugetlbfs, as a power of two."""
    return file.inode.page_shift if file is not None else 12


# -- the pool --------------------------------------------------------------------------------------


def set_max_huge_pages(m: Kernel, count: int) -> int:
    """Let the pool have so many pages, as far as whole 2 MiB are to be had; returns how many it has.

    Kernel: set_max_huge_pages, the setting nr_hugepages
    """
    hstate = m.vm.hstates.get(HPAGE_PMD_ORDER)
    if hstate is None:
        hstate = m.vm.hstates[HPAGE_PMD_ORDER] = Hstate(HPAGE_PMD_ORDER, [], 0)
    while hstate.total < count:
        pfn = mem_map.alloc_page(m, GFP_POOL, HPAGE_PMD_ORDER)
        if pfn is None:
            break
        m.vm.pool_pages[pfn] = True
        page_ref.tell_state(m, pfn)
        lru.put_page(m, pfn)
        hstate.total += 1
    while hstate.total > count and len(hstate.freelist) > hstate.reserved:
        pfn = hstate.freelist.pop(0)
        del m.vm.pool_pages[pfn]
        mem_map.section(m, pfn).order = HPAGE_PMD_ORDER
        mem_map.free_page(m, pfn)
        hstate.total -= 1
    return hstate.total


# -- mapping ---------------------------------------------------------------------------------------


def hugetlb_file_setup(m: Kernel, hstate: Hstate, size: int) -> File:
    """A hidden file for a mapping without one. Kernel: hugetlb_file_setup"""
    number = m.vm.new_id()
    inode = Inode(number, "hugetlbfs", number, "/anon_hugepage (deleted)", size)
    inode.nlink = 0
    m.vm.mappings[number] = inode
    inode.page_shift = hstate.shift
    return File(inode)


def hugetlbfs_file_mmap(m: Kernel, vma: VmArea, file: File) -> int:
    """Reserve pages for an area; 0, or -ENOMEM where the pool is too small.

    Kernel: fs/hugetlbfs/inode.c hugetlbfs_file_mmap, mm/hugetlb.c hugetlb_reserve_pages
    """
    hstate = m.vm.hstates[shift_of(m, file) - 12]
    vma.vm_flags |= VM_HUGETLB | VM_DONTEXPAND
    if vma.vm_flags & VM_NORESERVE:
        return 0
    order = hstate.order
    first = vma.vm_pgoff >> order
    count = vma.pages >> order
    if vma.vm_flags & VM_MAYSHARE:
        reserved = file.inode.reserved
        wanted = [
            at for at in range(first, first + count) if at not in reserved and at not in file.inode.i_pages
        ]
    else:
        wanted = list(range(first, first + count))
    enough = len(hstate.freelist) - hstate.reserved >= len(wanted)
    if m.trace is not None:
        m.trace.hugetlb.reserve(hstate, len(wanted), enough=enough)
    if not enough:
        return -errno.ENOMEM
    hstate.reserved += len(wanted)
    if vma.vm_flags & VM_MAYSHARE:
        file.inode.reserved.update(dict.fromkeys(wanted))
        if vma.vm_flags & VM_WRITE:
            file.inode.size = max(file.inode.size, first + count << order + 12)
    else:
        vma.reserved = dict.fromkeys(wanted, True)
    return 0


def vm_op_close(m: Kernel, vma: VmArea) -> None:
    """Give back what a private area reserved and did not take. Kernel: hugetlb_vm_op_close"""
    if vma.reserved is not None:
        hstate = hstate_vma(m, vma)
        first = vma.vm_pgoff >> hstate.order
        for at in range(first, first + (vma.pages >> hstate.order)):
            if vma.reserved.pop(at, False):
                hstate.reserved -= 1


def evict_inode(m: Kernel, inode: Inode) -> None:
    """A file that nobody can reach gives pages and reservations back. Kernel: hugetlbfs_evict_inode"""
    hstate = m.vm.hstates[inode.page_shift - 12]
    for at in sorted(inode.i_pages):
        head = inode.i_pages.pop(at)
        section(m, head).mapping[head & 511] = 0
        set_flags(m, head, 0, PG_dirty)
        lru.put_page(m, head)
    hstate.reserved -= len(inode.reserved)
    inode.reserved.clear()


# -- pages -----------------------------------------------------------------------------------------


def alloc_huge_page(m: Kernel, hstate: Hstate, vma: VmArea, index: int, *, avoid_reserve: bool) -> int | None:
    """Take a page from the pool's head, by reservation if there is one. Kernel: alloc_huge_page"""
    reserved: dict[int, bool] | dict[int, None]
    if vma.vm_flags & VM_MAYSHARE:
        assert vma.vm_file is not None
        reserved = vma.vm_file.inode.reserved
        has = index in reserved
    else:
        reserved = vma.reserved or {}
        has = bool(reserved.get(index)) and not avoid_reserve
    if not hstate.freelist or (not has and len(hstate.freelist) <= hstate.reserved):
        if m.trace is not None:
            m.trace.hugetlb.taken(hstate, index, None, reserved=has)
        return None
    if m.trace is not None:
        m.trace.hugetlb.taken(hstate, index, hstate.freelist[0], reserved=has)
    if has:
        hstate.reserved -= 1
        reserved.pop(index)
    head = hstate.freelist.pop(0)
    s = section(m, head)
    i = head & 511
    s.order = hstate.order
    s.compound_mapcount = -1
    s.refcount[i] = 1
    s.flags[i] = s.flags[i] & PG_dirty | PG_head
    s.mapping[i] = 0
    return head


# -- entries ---------------------------------------------------------------------------------------


def slot(mm: MmStruct, order: int, address: int) -> tuple[PageTable, int] | None:
    """The table and index of the entry of a huge page. Kernel: huge_pte_offset"""
    level = 2 if order == 9 else 3
    table = pgalloc.find_table(mm, level, address)
    return (table, pgalloc.index(level, address)) if table is not None else None


def alloc_slot(m: Kernel, mm: MmStruct, order: int, address: int) -> tuple[PageTable, int] | None:
    """As `slot`, with the tables made. Kernel: huge_pte_alloc"""
    if order == 9:
        pgalloc.pmd_alloc(m, mm, address)
    else:
        pgalloc.pud_alloc(m, mm, address)
    return slot(mm, order, address)


def pfn_mask(order: int) -> int:
    """Which bits of an entry are the frame."""
    return PMD_PFN_MASK if order == 9 else PUD_PFN_MASK


def make_huge_pte(m: Kernel, vma: VmArea, head: int, *, writable: bool) -> int:
    """An entry for a huge page. Kernel: make_huge_pte"""
    entry = mk_pte(head, page_prot(m, vma.vm_flags)) | PSE
    return mkdirty(m, entry) | RW if writable else entry & ~RW


# -- faults ----------------------------------------------------------------------------------------


def hugetlb_fault(m: Kernel, vmf: VmFault) -> int:
    """A fault in an area of huge pages. Kernel: hugetlb_fault"""
    vma = vmf.vma
    hstate = hstate_vma(m, vma)
    found = alloc_slot(m, vma.vm_mm, hstate.order, vmf.address)
    if found is None:
        return vm_fault.VM_FAULT_OOM
    table, at = found
    entry = table.entries[at]
    if not entry:
        return hugetlb_no_page(m, vmf, hstate, table, at)
    if vmf.write and not entry & RW:
        return hugetlb_wp(m, vmf, hstate, table, at)
    table.entries[at] = mkdirty(m, entry) | ACCESSED if vmf.write else entry | ACCESSED
    vmf.kind = "spurious"
    return 0


def hugetlb_no_page(m: Kernel, vmf: VmFault, hstate: Hstate, table: PageTable, at: int) -> int:
    """The first touch: also a read gets a real page. Kernel: hugetlb_no_page"""
    vma = vmf.vma
    assert vma.vm_file is not None
    inode = vma.vm_file.inode
    index = vma.linear_page_index(vmf.address) >> hstate.order
    size = 1 << hstate.order
    head = inode.i_pages.get(index)
    vmf.kind = "hugetlb"
    if head is None:
        if index >= inode.size >> hstate.shift:
            return vm_fault.VM_FAULT_SIGBUS
        head = alloc_huge_page(m, hstate, vma, index, avoid_reserve=False)
        if head is None:
            return vm_fault.VM_FAULT_SIGBUS
        set_flags(m, head, PG_uptodate)
        s, i = section(m, head), head & 511
        if vma.vm_flags & VM_MAYSHARE:
            inode.i_pages[index] = head
            s.refcount[i] += 1
            s.mapping[i] = inode.id << 1
            s.index[i] = index
            s.flags[i] |= PG_dirty
        else:
            rmap.anon_vma_prepare(m, vma)
            add_new_anon_rmap(m, head, vma, index)
    else:
        if m.trace is not None:
            m.trace.hugetlb.found(index, head)
        mem_map.get_page(m, head)
    if mem_map.mapping_of(m, head) is not None:
        section(m, head).compound_mapcount += 1
    shared = bool(vma.vm_flags & VM_WRITE and vma.vm_flags & VM_SHARED)
    entry = table.entries[at] = make_huge_pte(m, vma, head, writable=shared)
    if m.trace is not None:
        m.trace.memory.entry(vmf.address & -(size << 12), table.level, 0, entry)
    vma.vm_mm.hugetlb_usage += size
    vmf.page = head
    if vmf.write and not vma.vm_flags & VM_SHARED:
        return hugetlb_wp(m, vmf, hstate, table, at)
    return 0


def add_new_anon_rmap(m: Kernel, head: int, vma: VmArea, index: int) -> None:
    """A private huge page gets its first mapping. Kernel: hugepage_add_new_anon_rmap"""
    s, i = section(m, head), head & 511
    assert vma.anon_vma is not None
    s.compound_mapcount = 0
    s.mapping[i] = vma.anon_vma.id << 1 | 1
    s.index[i] = index
    s.flags[i] |= PG_anon_exclusive


def hugetlb_wp(m: Kernel, vmf: VmFault, hstate: Hstate, table: PageTable, at: int) -> int:
    """A write to a huge page that may only be read. Kernel: hugetlb_wp

    Here the number of mappings decides, not that of references: nothing else holds these pages.
    """
    vma = vmf.vma
    entry = table.entries[at]
    if vma.vm_flags & VM_MAYSHARE:
        table.entries[at] = mkdirty(m, entry) | RW
        return 0
    mask = pfn_mask(hstate.order)
    old = pte_pfn(entry, mask)
    index = vma.linear_page_index(vmf.address) >> hstate.order
    s = section(m, old)
    alone = s.compound_mapcount == 0 and mem_map.is_anon(m, old)
    if m.trace is not None:
        m.trace.hugetlb.write(old, s.compound_mapcount + 1, reuse=alone)
    if alone:
        if not mem_map.flags(m, old) & PG_anon_exclusive:
            rmap.page_move_anon_rmap(m, old, vma)
        vmf.kind = vmf.kind or "cow_reuse"
        table.entries[at] = mkdirty(m, entry) | RW | ACCESSED
        if m.trace is not None:
            m.trace.memory.entry(vmf.address & -(1 << hstate.shift), table.level, entry, table.entries[at])
        return 0
    assert vma.vm_file is not None
    outside = vma.reserved is not None and vma.vm_file.inode.i_pages.get(index) != old
    new = alloc_huge_page(m, hstate, vma, index, avoid_reserve=outside)
    if new is None:
        if not outside:
            return vm_fault.VM_FAULT_SIGBUS
        if m.trace is not None:
            m.trace.hugetlb.taken_from_others(vmf.address & -(1 << hstate.shift), old)
        unmap_ref_private(m, vma, old, vmf.address & -(1 << hstate.shift))
        return hugetlb_wp(m, vmf, hstate, table, at)
    rmap.anon_vma_prepare(m, vma)
    user_bytes.copy(m, old, new)
    set_flags(m, new, PG_uptodate)
    remove_rmap(m, old)
    add_new_anon_rmap(m, new, vma, index)
    table.entries[at] = make_huge_pte(m, vma, new, writable=True)
    if m.trace is not None:
        m.trace.memory.entry(vmf.address & -(1 << hstate.shift), table.level, entry, table.entries[at])
    lru.put_page(m, old)
    vmf.page, vmf.kind = new, "hugetlb_cow"
    return 0


def unmap_ref_private(m: Kernel, vma: VmArea, old: int, address: int) -> None:
    """Take a page away from others for the one who reserved it. Kernel: unmap_ref_private

    They get SIGBUS when they touch it again: only the one who called mmap was promised memory.
    """
    assert vma.vm_file is not None
    index = vma.linear_page_index(address)
    for other in list(vma.vm_file.inode.i_mmap):
        if other is vma or other.vm_flags & VM_MAYSHARE:
            continue
        at = other.vm_start + (index - other.vm_pgoff << 12)
        if other.vm_start <= at < other.vm_end:
            tlb = mmu_gather.gather(m, other.vm_mm)
            unmap_hugepage_range(m, tlb, other, at, at + (1 << shift_of(m, vma.vm_file)), only=old)
            mmu_gather.finish(m, tlb)


def remove_rmap(m: Kernel, head: int) -> None:
    """One mapping less."""
    section(m, head).compound_mapcount -= 1


# -- unmapping, forking, changing ------------------------------------------------------------------


def unmap_hugepage_range(
    m: Kernel, tlb: MmuGather, vma: VmArea, start: int, end: int, *, only: int | None = None
) -> None:
    """Unmap huge pages of a range. Kernel: __unmap_hugepage_range"""
    hstate = hstate_vma(m, vma)
    size = 1 << hstate.shift
    mask = pfn_mask(hstate.order)
    for address in range(start, end, size):
        found = slot(vma.vm_mm, hstate.order, address)
        if found is None:
            continue
        table, at = found
        entry = table.entries[at]
        head = pte_pfn(entry, mask)
        if not entry or (only is not None and head != only):
            continue
        table.entries[at] = 0
        if entry & DIRTY:
            set_flags(m, head, PG_dirty)
        vma.vm_mm.hugetlb_usage -= 1 << hstate.order
        remove_rmap(m, head)
        if mmu_gather.remove_page(m, tlb, head):
            mmu_gather.flush(m, tlb)


def copy_hugetlb_page_range(m: Kernel, dst: VmArea, src: VmArea) -> None:
    """Let a child map the huge pages of a private area, write-protected. Kernel: copy_hugetlb_page_range"""
    hstate = hstate_vma(m, src)
    cow = not src.vm_flags & VM_SHARED
    for address in range(src.vm_start, src.vm_end, 1 << hstate.shift):
        found = slot(src.vm_mm, hstate.order, address)
        if found is None:
            continue
        made = alloc_slot(m, dst.vm_mm, hstate.order, address)
        table, at = found
        entry = table.entries[at]
        if not entry or made is None:
            continue
        head = pte_pfn(entry, pfn_mask(hstate.order))
        mem_map.get_page(m, head)
        section(m, head).compound_mapcount += 1
        set_flags(m, head, 0, PG_anon_exclusive)
        if cow:
            entry &= ~RW
            table.entries[at] = entry
        made[0].entries[made[1]] = entry
        dst.vm_mm.hugetlb_usage += 1 << hstate.order


def change_protection(m: Kernel, vma: VmArea, start: int, end: int, prot: int) -> None:
    """Other rights for huge pages. Kernel: hugetlb_change_protection"""
    hstate = hstate_vma(m, vma)
    for address in range(start, end, 1 << hstate.shift):
        found = slot(vma.vm_mm, hstate.order, address)
        if found is not None and found[0].entries[found[1]]:
            table, at = found
            table.entries[at] = pte_modify(m, table.entries[at], prot, pfn_mask(hstate.order))
