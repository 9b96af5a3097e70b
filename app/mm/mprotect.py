"""Other rights for a range. Kernel: mm/mprotect.c"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import errno, gup, huge_memory, hugetlb, mem_map, mmap, pgalloc
from app.mm.mem_map import PG_anon_exclusive
from app.mm.mm_types import (
    VM_ACCESS_FLAGS,
    VM_ACCOUNT,
    VM_GROWSDOWN,
    VM_HUGETLB,
    VM_LOCKED,
    VM_NORESERVE,
    VM_SHARED,
    VM_WRITE,
    VmArea,
)
from app.mm.pgtable_types import (
    DIRTY,
    PAGE_SIZE,
    PMD_SIZE,
    PRESENT,
    RW,
    SPECIAL,
    pte_modify,
    pte_pfn,
    pte_present,
    vma_page_prot,
)
from app.mm.sched import current_mm
from app.mm.vma import find_vma, neighbours, vm_stat_account, vma_modify

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

PROT_GROWSDOWN = 0x1000000
PROT_GROWSUP = 0x2000000


def mprotect(m: Kernel, start: int, length: int, prot: int) -> int:
    """The system call: area by area, until one refuses or is missing. Kernel: do_mprotect_pkey"""
    mm = current_mm(m)
    grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP)
    prot &= ~grows
    if grows == PROT_GROWSDOWN | PROT_GROWSUP or start & PAGE_SIZE - 1:
        return -errno.EINVAL
    if not length:
        return 0
    end = start + mmap.page_align(length)
    if end > 1 << 64:
        return -errno.ENOMEM
    if prot & ~0xF:
        return -errno.EINVAL
    vma = find_vma(mm, start)
    if vma is None:
        return -errno.ENOMEM
    if grows:
        if grows & PROT_GROWSUP or not vma.vm_flags & VM_GROWSDOWN:
            return -errno.EINVAL
        start = vma.vm_start
    if vma.vm_start > start or start >= end:
        return -errno.ENOMEM
    return protect_areas(m, vma, start, end, prot)


def protect_areas(m: Kernel, vma: VmArea, start: int, end: int, prot: int) -> int:
    """Area by area of a range without holes. Kernel: do_mprotect_pkey"""
    mm = vma.vm_mm
    prev = vma if start > vma.vm_start else neighbours(mm, vma)[0]
    while True:
        flags = prot & VM_ACCESS_FLAGS | vma.vm_flags & ~VM_ACCESS_FLAGS
        if flags & ~(flags >> 4) & VM_ACCESS_FLAGS:
            return -errno.EACCES
        stop = min(vma.vm_end, end)
        cut = mmap.may_split(m, vma, start) and mmap.may_split(m, vma, stop)
        if vma.vm_flags & VM_HUGETLB and not cut:
            return -errno.EINVAL
        changed = mprotect_fixup(m, vma, prev, start, stop, flags)
        if isinstance(changed, int):
            return changed
        prev = changed
        start = max(stop, prev.vm_end)
        if start >= end:
            return 0
        following = find_vma(mm, prev.vm_end)
        if following is None or following.vm_start != start:
            return -errno.ENOMEM
        vma = following


def mprotect_fixup(
    m: Kernel, vma: VmArea, prev: VmArea | None, start: int, end: int, flags: int
) -> VmArea | int:
    """Change one area or a part of it; returns the area that has the range then. Kernel: mprotect_fixup"""
    mm = vma.vm_mm
    old = vma.vm_flags
    pages = end - start >> 12
    if flags == old:
        return vma
    if flags & VM_WRITE and not old & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE):
        if not mmap.vm_enough_memory(m, pages):
            return -errno.ENOMEM
        flags |= VM_ACCOUNT
    vma = vma_modify(m, prev, vma, start, end, flags)
    vma.vm_flags = flags
    change_protection(m, vma, start, end)
    if old & (VM_WRITE | VM_SHARED | VM_LOCKED) == VM_LOCKED and flags & VM_WRITE:
        gup.populate_vma_page_range(m, vma, start, end)
    vm_stat_account(mm, old, -pages)
    vm_stat_account(mm, flags, pages)
    return vma


def change_protection(m: Kernel, vma: VmArea, start: int, end: int) -> None:
    """Rewrite the entries of a range with the area's rights. Kernel: change_protection"""
    prot = vma_page_prot(m, vma)
    mm = vma.vm_mm
    if vma.vm_flags & VM_HUGETLB:
        hugetlb.change_protection(m, vma, start, end, prot)
        return
    address = start
    while address < end:
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, end)
        if pgalloc.is_huge(pgalloc.pmd_of(mm, address)):
            if following - address == PMD_SIZE:
                huge_memory.change_huge_pmd(m, vma, address, prot)
                address = following
                continue
            huge_memory.split_huge_pmd(m, vma, address)
        table = mm.tables[1].get(address >> 21)
        if table is not None:
            first, count = address >> 12 & 511, following - address >> 12
            changed = change_pte_range(m, vma, table.entries, first, count, prot)
            if m.trace is not None:
                m.trace.mmap.protected(vma, address, following, changed)
        address = following


def change_pte_range(m: Kernel, vma: VmArea, entries: object, first: int, count: int, prot: int) -> int:
    """Rewrite entries of one table; how many there were. Kernel: change_pte_range"""
    writable = wants_to_write(vma)
    pages = 0
    column: list[int] = entries  # type: ignore[assignment]
    for i in range(first, first + count):
        entry = column[i]
        if entry and pte_present(entry):
            entry = pte_modify(m, entry, prot)
            if writable and not entry & RW and can_change_pte_writable(m, vma, entry):
                entry |= RW
            column[i] = entry
            pages += 1
    return pages


def wants_to_write(vma: VmArea) -> bool:
    """Whether single entries may get the right to write at once. Kernel: mprotect_fixup"""
    if vma.vm_flags & VM_SHARED:
        both = vma.vm_flags & VM_WRITE and vma.vm_file is not None
        return bool(both) and not vma.vm_file.inode.in_memory  # type: ignore[union-attr]
    return bool(vma.vm_flags & VM_WRITE)


def can_change_pte_writable(m: Kernel, vma: VmArea, entry: int) -> bool:
    """Whether the next write would only make the entry writable. Kernel: can_change_pte_writable

    Then the fault can be saved: of a page that is dirty already, and nobody else's.
    """
    if not entry & PRESENT or not entry & DIRTY:
        return False
    if m.vm.soft_dirty and not vma.vm_flags & m.vm.vm_softdirty and not entry & m.vm.soft_dirty:
        return False
    if vma.vm_flags & VM_SHARED:
        return True
    if entry & SPECIAL:
        return False
    pfn = pte_pfn(entry)
    return mem_map.is_anon(m, pfn) and bool(mem_map.flags(m, pfn) & PG_anon_exclusive)
