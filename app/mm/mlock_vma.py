"""The calls that lock memory: mlock, munlock, mlockall. Kernel: mm/mlock.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, gup, mem_map, mlock, pgalloc, swap
from app.mm.huge_memory import is_huge_zero
from app.mm.mm_types import (
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKED_MASK,
    VM_LOCKONFAULT,
    VM_SPECIAL,
    VmArea,
)
from app.mm.mmap import page_align
from app.mm.pgtable_types import PAGE_SIZE, PMD_PFN_MASK, PMD_SIZE, SPECIAL, pte_pfn, pte_present
from app.mm.sched import current_mm
from app.mm.vma import find_vma, neighbours, vma_lookup, vma_modify

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

MCL_CURRENT: Final = 1
MCL_FUTURE: Final = 2
MCL_ONFAULT: Final = 4


def do_mlock(m: Kernel, start: int, length: int, flags: int) -> int:
    """Lock a range and fault it in. Kernel: do_mlock"""
    mm = current_mm(m)
    length = page_align(length + (start & PAGE_SIZE - 1))
    start &= -PAGE_SIZE
    error = apply_vma_lock_flags(m, start, length, flags)
    if not error:
        gup.mm_populate(m, mm, start, length)
    return error


def munlock(m: Kernel, start: int, length: int) -> int:
    """Unlock a range. Kernel: SYSCALL_DEFINE2(munlock)"""
    length = page_align(length + (start & PAGE_SIZE - 1))
    return apply_vma_lock_flags(m, start & -PAGE_SIZE, length, 0)


def apply_vma_lock_flags(m: Kernel, start: int, length: int, flags: int) -> int:
    """Give each area of a range other lock flags. Kernel: apply_vma_lock_flags"""
    mm = current_mm(m)
    end = start + length
    if end == start:
        return 0
    vma = vma_lookup(mm, start)
    if vma is None:
        return -errno.ENOMEM
    prev = vma if start > vma.vm_start else neighbours(mm, vma)[0]
    while True:
        stop = min(vma.vm_end, end)
        prev = mlock_fixup(m, vma, prev, start, stop, vma.vm_flags & ~VM_LOCKED_MASK | flags)
        start = max(stop, prev.vm_end)
        if start >= end:
            return 0
        vma = find_vma(mm, prev.vm_end)
        if vma is None or vma.vm_start != start:
            return -errno.ENOMEM


def mlock_fixup(m: Kernel, vma: VmArea, prev: VmArea | None, start: int, end: int, flags: int) -> VmArea:
    """Lock or unlock one area or a part of it. Kernel: mlock_fixup"""
    mm = vma.vm_mm
    old = vma.vm_flags
    if flags == old or old & (VM_SPECIAL | VM_HUGETLB):
        return vma
    vma = vma_modify(m, prev, vma, start, end, flags)
    pages = end - start >> 12
    if not flags & VM_LOCKED:
        mm.locked_vm -= pages
    elif not old & VM_LOCKED:
        mm.locked_vm += pages
    vma.vm_flags = flags
    if not flags & old & VM_LOCKED:
        mlock_vma_pages_range(m, vma, start, end)
    return vma


def mlock_vma_pages_range(m: Kernel, vma: VmArea, start: int, end: int) -> None:
    """Move the pages that are there to the list that reclaim leaves alone, or back.

    Kernel: mlock_vma_pages_range, mlock_pte_range
    """
    swap.lru_add_drain(m)
    mm = vma.vm_mm
    lock = bool(vma.vm_flags & VM_LOCKED)
    address = start
    while address < end:
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, end)
        pmd = pgalloc.pmd_of(mm, address)
        table = mm.tables[1].get(address >> 21)
        if pgalloc.is_huge(pmd):
            if not is_huge_zero(m, pmd):
                change_page(m, pte_pfn(pmd, PMD_PFN_MASK), lock=lock)
        elif table is not None:
            first = address >> 12 & 511
            for entry in table.entries[first : first + (following - address >> 12)]:
                if entry and pte_present(entry) and not entry & SPECIAL:
                    pfn = pte_pfn(entry)
                    if not mem_map.compound_order(m, pfn):
                        change_page(m, pfn, lock=lock)
        address = following
    swap.lru_add_drain(m)


def change_page(m: Kernel, head: int, *, lock: bool) -> None:
    """Lock or unlock one page."""
    if lock:
        mlock.mlock_folio(m, head)
    else:
        mlock.munlock_page(m, head)


def mlockall(m: Kernel, flags: int) -> int:
    """Lock what there is, what will be, or both. Kernel: SYSCALL_DEFINE1(mlockall)"""
    mm = current_mm(m)
    if not flags or flags & ~7 or flags == MCL_ONFAULT:
        return -errno.EINVAL
    on_fault = VM_LOCKONFAULT if flags & MCL_ONFAULT else 0
    mm.def_flags &= ~VM_LOCKED_MASK
    if flags & MCL_FUTURE:
        mm.def_flags |= VM_LOCKED | on_fault
    if flags & MCL_CURRENT:
        lock_all(m, VM_LOCKED | on_fault)
        gup.mm_populate(m, mm, 0, mm.task_size)
    return 0


def munlockall(m: Kernel) -> int:
    """Unlock everything. Kernel: SYSCALL_DEFINE0(munlockall)"""
    mm = current_mm(m)
    mm.def_flags &= ~VM_LOCKED_MASK
    lock_all(m, 0)
    return 0


def lock_all(m: Kernel, flags: int) -> None:
    """Give all areas other lock flags. Kernel: apply_mlockall_flags"""
    mm = current_mm(m)
    prev = None
    vma = find_vma(mm, 0)
    while vma is not None:
        prev = mlock_fixup(m, vma, prev, vma.vm_start, vma.vm_end, vma.vm_flags & ~VM_LOCKED_MASK | flags)
        vma = find_vma(mm, prev.vm_end)
