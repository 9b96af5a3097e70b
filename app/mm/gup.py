"""Faults that the kernel makes on a process's behalf: to fill a range before it is used.

Kernel: mm/gup.c populate_vma_page_range, __get_user_pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import errno, mem_map, memory, pagemap, pgalloc, swap
from app.mm.mm_types import (
    VM_HUGETLB,
    VM_IO,
    VM_LOCKONFAULT,
    VM_PFNMAP,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
    MmStruct,
    VmArea,
)
from app.mm.pgtable_types import DIRTY, PAGE_SIZE, PRESENT, PSE, RW, pte_pfn
from app.mm.sched import fatal_signal_pending
from app.mm.vm_fault import (
    FAULT_FLAG_ALLOW_RETRY,
    FAULT_FLAG_KILLABLE,
    FAULT_FLAG_WRITE,
    VM_FAULT_COMPLETED,
    VM_FAULT_ERROR,
    VM_FAULT_OOM,
    VM_FAULT_RETRY,
)
from app.mm.vma import find_vma_intersection

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

PMD_PFN = 0xFFFFFFFE00000


def mm_populate(m: Kernel, mm: MmStruct, start: int, length: int) -> int:
    """Fault in every page of a range, area by area; errors are not told. Kernel: __mm_populate"""
    end = start + length
    while start < end:
        vma = find_vma_intersection(mm, start, end)
        if vma is None:
            return 0
        stop = min(end, vma.vm_end)
        if vma.vm_flags & (VM_IO | VM_PFNMAP):
            start = stop
            continue
        start = max(start, vma.vm_start)
        done = populate_vma_page_range(m, vma, start, stop)
        start = stop if done < 0 else start + done * PAGE_SIZE
    return 0


def populate_vma_page_range(m: Kernel, vma: VmArea, start: int, end: int) -> int:
    """Fault in pages of one area: for writing where they are private, so that none is copied later.

    Kernel: populate_vma_page_range. Returns how many pages are done, or -errno.
    """
    if vma.vm_flags & VM_LOCKONFAULT:
        return end - start >> 12
    write = vma.vm_flags & (VM_WRITE | VM_SHARED) == VM_WRITE
    done = get_user_pages(m, vma, start, end, write=write, force=bool(vma.vm_flags & 7))
    swap.lru_add_drain(m)
    return done


def faultin_page_range(m: Kernel, vma: VmArea, start: int, end: int, *, write: bool) -> int:
    """As above for MADV_POPULATE_READ and _WRITE, which tell errors. Kernel: faultin_page_range"""
    if not allowed(vma, write=write, force=False):
        return -errno.EINVAL
    done = get_user_pages(m, vma, start, end, write=write, force=False)
    swap.lru_add_drain(m)
    return done


def allowed(vma: VmArea, *, write: bool, force: bool) -> bool:
    """Whether the area's rights allow it; force: as a debugger may. Kernel: check_vma_flags"""
    if vma.vm_flags & (VM_IO | VM_PFNMAP):
        return False
    if write:
        return bool(vma.vm_flags & VM_WRITE)
    return bool(vma.vm_flags & VM_READ) or (force and bool(vma.vm_flags & 0x10))


def get_user_pages(m: Kernel, vma: VmArea, start: int, end: int, *, write: bool, force: bool) -> int:
    """Look at each page, and fault in those that are missing. Kernel: __get_user_pages

    A fault that had to give up its lock ends the walk; the caller comes back.
    """
    if not allowed(vma, write=write, force=force):
        return -errno.EFAULT
    address = start
    flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | (FAULT_FLAG_WRITE if write else 0)
    while address < end:
        if fatal_signal_pending(m):
            return address - start >> 12 or -errno.EINTR
        m.breathe()
        step = follow_page(m, vma, address, write=write)
        if step:
            address += min(step, end - address)
            continue
        ret = memory.handle_mm_fault(m, vma, address, flags)
        if ret & (VM_FAULT_COMPLETED | VM_FAULT_RETRY):
            break
        if ret & VM_FAULT_ERROR:
            error = -errno.ENOMEM if ret & VM_FAULT_OOM else -errno.EFAULT
            return address - start >> 12 or error
    return address - start >> 12


def follow_page(m: Kernel, vma: VmArea, address: int, *, write: bool) -> int:
    """Mark a page that is there as used, and dirty if it shall be written. Kernel: follow_page_mask

    Returns how many bytes are there from the address on; 0 where a fault is needed.
    """
    found = pgalloc.find_leaf(vma.vm_mm, address)
    if found is None:
        return 0
    table, at = found
    entry = table.entries[at]
    if not entry & PRESENT or (write and not entry & RW):
        return 0
    if vma.vm_flags & VM_HUGETLB:
        size = 1 << (12 + 9 * (table.level - 1))
        return size - address % size
    huge = table.level == 2 and entry & PSE
    pfn = pte_pfn(entry, PMD_PFN) + (address >> 12 & 511) if huge else pte_pfn(entry)
    head = mem_map.compound_head(m, pfn)
    if write and not entry & DIRTY and not mem_map.flags(m, head) & 8:
        pagemap.set_page_dirty(m, head)
    swap.mark_page_accessed(m, pfn)
    return (512 - (address >> 12 & 511)) << 12 if huge else PAGE_SIZE
