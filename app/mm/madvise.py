"""What a program says about its use of a range. Kernel: mm/madvise.c

Some advice only changes flags; MADV_DONTNEED and MADV_FREE give pages back while the range stays mapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import (
    errno,
    fadvise,
    gup,
    huge_memory,
    hugetlb,
    lru,
    madvise_cold,
    mem_map,
    mmap,
    mmu_gather,
    pagemap,
    pgalloc,
    swap,
    swap_readahead,
    swap_state,
    swapfile,
    zap,
)
from app.mm.mm_types import (
    MM_SWAPENTS,
    VM_DONTCOPY,
    VM_DONTDUMP,
    VM_HUGEPAGE,
    VM_HUGETLB,
    VM_IO,
    VM_LOCKED,
    VM_MAYWRITE,
    VM_NOHUGEPAGE,
    VM_PFNMAP,
    VM_RAND_READ,
    VM_SEQ_READ,
    VM_SHARED,
    VM_SPECIAL,
    VM_WIPEONFORK,
    MmStruct,
    VmArea,
)
from app.mm.page import PG_dirty
from app.mm.pgtable_types import ACCESSED, DIRTY, PAGE_SIZE, PMD_SIZE, SPECIAL, pte_pfn
from app.mm.sched import current_mm
from app.mm.swapops import is_swap_pte, pte_to_swp_entry
from app.mm.vma import find_vma, neighbours, vma_lookup, vma_modify

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import PageTable

MADV_NORMAL: Final = 0
MADV_RANDOM: Final = 1
MADV_SEQUENTIAL: Final = 2
MADV_WILLNEED: Final = 3
MADV_DONTNEED: Final = 4
MADV_FREE: Final = 8
MADV_REMOVE: Final = 9
MADV_DONTFORK: Final = 10
MADV_DOFORK: Final = 11
MADV_HUGEPAGE: Final = 14
MADV_NOHUGEPAGE: Final = 15
MADV_DONTDUMP: Final = 16
MADV_DODUMP: Final = 17
MADV_WIPEONFORK: Final = 18
MADV_KEEPONFORK: Final = 19
MADV_COLD: Final = 20
MADV_PAGEOUT: Final = 21
MADV_POPULATE_READ: Final = 22
MADV_POPULATE_WRITE: Final = 23
# Which flags an advice clears and sets.
FLAGS_OF: Final = {
    MADV_NORMAL: (VM_RAND_READ | VM_SEQ_READ, 0),
    MADV_SEQUENTIAL: (VM_RAND_READ, VM_SEQ_READ),
    MADV_RANDOM: (VM_SEQ_READ, VM_RAND_READ),
    MADV_DONTFORK: (0, VM_DONTCOPY),
    MADV_DOFORK: (VM_DONTCOPY, 0),
    MADV_WIPEONFORK: (0, VM_WIPEONFORK),
    MADV_KEEPONFORK: (VM_WIPEONFORK, 0),
    MADV_DONTDUMP: (0, VM_DONTDUMP),
    MADV_DODUMP: (VM_DONTDUMP, 0),
    MADV_HUGEPAGE: (VM_NOHUGEPAGE, VM_HUGEPAGE),
    MADV_NOHUGEPAGE: (VM_HUGEPAGE, VM_NOHUGEPAGE),
}
KNOWN: Final = frozenset((0, 1, 2, 3, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23))
RECLAIMING: Final = frozenset((MADV_COLD, MADV_PAGEOUT))


def madvise(m: Kernel, start: int, length: int, advice: int) -> int:
    """The system call: area by area; a hole is an error, but only at the end. Kernel: do_madvise"""
    mm = current_mm(m)
    known = advice in KNOWN or (m.vm.reclaim and advice in RECLAIMING)
    if not known or start & PAGE_SIZE - 1:
        return -errno.EINVAL
    end = start + mmap.page_align(length)
    if end > 1 << 64:
        return -errno.EINVAL
    if end == start:
        return 0
    unmapped = 0
    vma = find_vma(mm, start)
    prev = None
    if vma is not None:
        prev = vma if start > vma.vm_start else neighbours(mm, vma)[0]
    while True:
        if vma is None:
            return -errno.ENOMEM
        if start < vma.vm_start:
            unmapped = -errno.ENOMEM
            start = vma.vm_start
            if start >= end:
                return unmapped
        stop = min(vma.vm_end, end)
        done = madvise_vma_behavior(m, mm, vma, prev, start, stop, advice)
        if isinstance(done, int):
            return done
        prev = done
        start = max(stop, prev.vm_end)
        if start >= end:
            return unmapped
        vma = find_vma(mm, start)


def madvise_vma_behavior(
    m: Kernel, mm: MmStruct, vma: VmArea, prev: VmArea | None, start: int, end: int, advice: int
) -> VmArea | int:
    """Do to one area what was advised; returns the area that has the range then, or -errno.

    Kernel: madvise_vma_behavior
    """
    error = 0
    if advice == MADV_REMOVE:
        error = madvise_remove(m, vma, start, end)
    elif advice == MADV_WILLNEED:
        madvise_willneed(m, vma, start, end)
    elif advice in (MADV_DONTNEED, MADV_FREE):
        error = madvise_dontneed_free(m, vma, start, end, advice)
    elif advice in RECLAIMING:
        error = madvise_cold.madvise_cold_or_pageout(m, vma, start, end, pageout=advice == MADV_PAGEOUT)
    elif advice in (MADV_POPULATE_READ, MADV_POPULATE_WRITE):
        error = madvise_populate(m, mm, start, end, write=advice == MADV_POPULATE_WRITE)
    else:
        flags = new_flags(vma, advice)
        if flags < 0:
            return flags
        return madvise_update_vma(m, vma, prev, start, end, flags)
    return error or vma


def new_flags(vma: VmArea, advice: int) -> int:
    """The area's flags with the advice, or -EINVAL where it makes no sense."""
    flags = vma.vm_flags
    refused = (
        (advice == MADV_DOFORK and flags & VM_IO)
        or (advice == MADV_WIPEONFORK and (vma.vm_file is not None or flags & VM_SHARED))
        or (advice == MADV_DODUMP and flags & VM_SPECIAL and not flags & VM_HUGETLB)
        or (advice == MADV_HUGEPAGE and flags & VM_SPECIAL)
    )
    if refused:
        return -errno.EINVAL
    clear, set_ = FLAGS_OF[advice]
    return flags & ~clear | set_


def madvise_update_vma(
    m: Kernel, vma: VmArea, prev: VmArea | None, start: int, end: int, flags: int
) -> VmArea:
    """Give a range other flags, joining and cutting areas. Kernel: madvise_update_vma"""
    if flags == vma.vm_flags:
        return vma
    vma = vma_modify(m, prev, vma, start, end, flags)
    vma.vm_flags = flags
    return vma


# -- giving pages back -----------------------------------------------------------------------------


def madvise_dontneed_free(m: Kernel, vma: VmArea, start: int, end: int, advice: int) -> int:
    """Drop pages now, or let reclaim drop them if they are not written again.

    Kernel: madvise_dontneed_free
    """
    if vma.vm_flags & VM_HUGETLB:
        size = 1 << hugetlb.shift_of(m, vma.vm_file)
        if advice != MADV_DONTNEED or vma.vm_flags & VM_LOCKED or start % size:
            return -errno.EINVAL
        end = end // size * size
    elif vma.vm_flags & (VM_LOCKED | VM_PFNMAP):
        return -errno.EINVAL
    if start == end:
        return 0
    if advice == MADV_DONTNEED:
        zap.zap_page_range(m, vma, start, end)
        return 0
    return madvise_free_single_vma(m, vma, start, end)


def madvise_free_single_vma(m: Kernel, vma: VmArea, start: int, end: int) -> int:
    """Mark pages as no longer needed: clean, and queued for the list that reclaim takes first.

    Kernel: madvise_free_single_vma
    """
    if not vma.is_anonymous:
        return -errno.EINVAL
    mm = vma.vm_mm
    swap.lru_add_drain(m)
    tlb = mmu_gather.gather(m, mm)
    zap.update_hiwater_rss(mm)
    address = start
    while address < end:
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, end)
        huge = pgalloc.is_huge(pgalloc.pmd_of(mm, address))
        if not huge or not huge_memory.madvise_free_huge_pmd(m, vma, address, following):
            table = mm.tables[1].get(address >> 21)
            if table is not None:
                free_pte_range(m, vma, table, address >> 12 & 511, following - address >> 12)
        address = following
    mmu_gather.finish(m, tlb)
    return 0


def free_pte_range(m: Kernel, vma: VmArea, table: PageTable, first: int, count: int) -> None:
    """Entries of one table. Kernel: madvise_free_pte_range

    What is in swap is dropped at once. A page that somebody else maps, too, is not one's own to give up if it
    is dirty or has a slot.
    """
    column = table.entries
    for i in range(first, first + count):
        entry = column[i]
        if is_swap_pte(entry):
            column[i] = 0
            vma.vm_mm.rss_stat[MM_SWAPENTS] -= 1
            swapfile.free_swap_and_cache(m, pte_to_swp_entry(entry))
            continue
        if not entry or entry & SPECIAL:
            continue
        pfn = pte_pfn(entry)
        if mem_map.compound_order(m, pfn) and not split_shared(m, pfn):
            return
        cached = swap_state.is_swapcache(m, pfn)
        if cached or mem_map.flags(m, pfn) & PG_dirty:
            if mem_map.page_mapcount(m, pfn) != 1 or (cached and not swapfile.try_to_free_swap(m, pfn)):
                continue
            mem_map.set_flags(m, pfn, 0, PG_dirty)
        column[i] = entry & ~(ACCESSED | DIRTY)
        swap.mark_page_lazyfree(m, pfn)


def split_shared(m: Kernel, pfn: int) -> bool:
    """Split the huge page that a small entry maps a part of, if it is one's own.

    Kernel: madvise_free_pte_range
    """
    head = mem_map.compound_head(m, pfn)
    if mem_map.page_mapcount(m, head) != 1:
        return False
    mem_map.get_page(m, head)
    done = huge_memory.split_huge_page(m, head)
    lru.put_page(m, head)
    return done


def madvise_remove(m: Kernel, vma: VmArea, start: int, end: int) -> int:
    """Punch a hole into a file of tmpfs: for everybody. Kernel: madvise_remove, shmem_fallocate"""
    if vma.vm_flags & VM_LOCKED:
        return -errno.EINVAL
    if vma.vm_file is None:
        return -errno.EINVAL
    if vma.vm_flags & (VM_SHARED | VM_MAYWRITE) != VM_SHARED | VM_MAYWRITE:
        return -errno.EACCES
    inode = vma.vm_file.inode
    first = vma.linear_page_index(start)
    last = first + (end - start >> 12) - 1
    zap.unmap_mapping_range(m, inode, first, last, cows=False)
    pagemap.delete_pages(m, inode, first, last)
    return 0


def madvise_willneed(m: Kernel, vma: VmArea, start: int, end: int) -> None:
    """Read pages of a file before they are wanted, and of memory without file what is in swap

    Kernel: madvise_willneed
    """
    file = vma.vm_file
    if file is None or file.inode.is_shmem:
        if m.vm.swap is not None:
            swap_in(m, vma, start, end)
        swap.lru_add_drain(m)
    else:
        offset = vma.linear_page_index(start) << 12
        fadvise.fadvise(m, file, offset, end - start, fadvise.POSIX_FADV_WILLNEED)


def swap_in(m: Kernel, vma: VmArea, start: int, end: int) -> None:
    """Bring pages of a range into the swap cache. Kernel: swapin_walk_pmd_entry, shmem_swapin_range"""
    if vma.vm_file is not None:
        first, last = vma.linear_page_index(start), vma.linear_page_index(end - 1)
        swapped = vma.vm_file.inode.swapped
        found = [swapped[index] for index in sorted(swapped) if first <= index <= last]
    else:
        tables = vma.vm_mm.tables[1]
        numbers = [number for number in sorted(tables) if start >> 21 <= number <= end - 1 >> 21]
        found = [
            pte_to_swp_entry(pte)
            for number in numbers
            for at, pte in enumerate(tables[number].entries)
            if is_swap_pte(pte) and start <= (number << 21) + (at << 12) < end
        ]
    for entry in found:
        m.breathe()
        pfn = swap_readahead.read_swap(m, entry, [])
        if pfn is not None:
            lru.put_page(m, pfn)


def madvise_populate(m: Kernel, mm: MmStruct, start: int, end: int, *, write: bool) -> int:
    """Fault pages in now, and tell if that fails. Kernel: madvise_populate"""
    while start < end:
        vma = vma_lookup(mm, start)
        if vma is None:
            return -errno.ENOMEM
        done = gup.faultin_page_range(m, vma, start, min(end, vma.vm_end), write=write)
        if done < 0:
            return done
        start += done * PAGE_SIZE
    return 0
