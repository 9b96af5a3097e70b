"""Growing, shrinking and moving a mapping. Kernel: mm/mremap.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, gup, huge_memory, hugetlb, mmap, pgalloc, rmap
from app.mm.mm_types import (
    SYSCTL_MAX_MAP_COUNT,
    VM_ACCOUNT,
    VM_DONTEXPAND,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKED_MASK,
    VM_MAYSHARE,
    VM_PFNMAP,
    VM_SHARED,
    MmStruct,
    VmArea,
)
from app.mm.pgtable_types import PAGE_SIZE, PMD_SIZE, PUD_SIZE, pte_present
from app.mm.sched import current_mm
from app.mm.swapops import SWP_SOFT_DIRTY
from app.mm.vma import (
    find_vma,
    find_vma_intersection,
    position,
    vm_stat_account,
    vma_dup,
    vma_link,
    vma_lookup,
    vma_merge,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

MREMAP_MAYMOVE: Final = 1
MREMAP_FIXED: Final = 2
MREMAP_DONTUNMAP: Final = 4


def mremap(m: Kernel, address: int, old_len: int, new_len: int, flags: int, new_addr: int) -> int:
    """The system call; returns the new address or -errno. Kernel: SYSCALL_DEFINE5(mremap)"""
    mm = current_mm(m)
    if flags & ~7 or (flags & MREMAP_FIXED and not flags & MREMAP_MAYMOVE):
        return -errno.EINVAL
    if flags & MREMAP_DONTUNMAP and (not flags & MREMAP_MAYMOVE or old_len != new_len):
        return -errno.EINVAL
    if address & PAGE_SIZE - 1:
        return -errno.EINVAL
    old_len, new_len = mmap.page_align(old_len), mmap.page_align(new_len)
    if not new_len:
        return -errno.EINVAL
    vma = vma_lookup(mm, address)
    if vma is None:
        return -errno.EFAULT
    if vma.vm_flags & VM_HUGETLB:
        size = 1 << hugetlb.shift_of(m, vma.vm_file)
        old_len, new_len = -(-old_len // size) * size, -(-new_len // size) * size
        if address % size or new_addr % size or new_len > old_len:
            return -errno.EINVAL
    if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP):
        ret = mremap_to(m, mm, address, old_len, new_addr, new_len, flags)
    elif old_len >= new_len:
        error = mmap.do_munmap(m, mm, address + new_len, old_len - new_len) if old_len > new_len else 0
        return error or address
    else:
        ret = grow(m, mm, address, old_len, new_len, flags)
    if ret >= 0 and new_len > old_len:
        moved = find_vma(mm, ret)
        if moved is not None and moved.vm_flags & VM_LOCKED:
            gup.mm_populate(m, mm, ret + old_len, new_len - old_len)
    return ret


def grow(m: Kernel, mm: MmStruct, address: int, old_len: int, new_len: int, flags: int) -> int:
    """Make a mapping longer: where it is if the addresses behind are free, else elsewhere."""
    vma = vma_to_resize(mm, address, old_len, new_len, flags)
    if isinstance(vma, int):
        return vma
    if old_len == vma.vm_end - address and vma_expandable(mm, vma, new_len - old_len):
        pages = new_len - old_len >> 12
        if vma.vm_flags & VM_ACCOUNT and not mmap.vm_enough_memory(m, pages):
            return -errno.ENOMEM
        start = address + old_len
        grown = vma_merge(
            m, mm, vma, start, address + new_len, vma.vm_flags, vma.anon_vma, vma.vm_file,
            vma.linear_page_index(start),
        )  # fmt: skip
        if grown is None:
            return -errno.ENOMEM
        vm_stat_account(mm, grown.vm_flags, pages)
        if grown.vm_flags & VM_LOCKED:
            mm.locked_vm += pages
        return address
    if not flags & MREMAP_MAYMOVE:
        return -errno.ENOMEM
    pgoff = vma.linear_page_index(address)
    new_addr = mmap.get_unmapped_area(m, mm, vma.vm_file, 0, new_len, 0, pgoff)
    if new_addr < 0:
        return new_addr
    return move_vma(m, vma, address, old_len, new_len, new_addr, flags)


def vma_to_resize(mm: MmStruct, address: int, old_len: int, new_len: int, flags: int) -> VmArea | int:
    """The area that is to change, or -errno. Kernel: vma_to_resize"""
    vma = vma_lookup(mm, address)
    if vma is None:
        return -errno.EFAULT
    if not old_len and not vma.vm_flags & (VM_SHARED | VM_MAYSHARE):
        return -errno.EINVAL
    if flags & MREMAP_DONTUNMAP and vma.vm_flags & (VM_DONTEXPAND | VM_PFNMAP):
        return -errno.EINVAL
    if old_len > vma.vm_end - address:
        return -errno.EFAULT
    if new_len == old_len:
        return vma
    if vma.vm_flags & (VM_DONTEXPAND | VM_PFNMAP):
        return -errno.EFAULT
    return vma


def vma_expandable(mm: MmStruct, vma: VmArea, delta: int) -> bool:
    """Whether the addresses behind an area are free. Kernel: vma_expandable"""
    end = vma.vm_end + delta
    if end < vma.vm_end or find_vma_intersection(mm, vma.vm_end, end) is not None:
        return False
    return end <= mm.task_size


def mremap_to(
    m: Kernel, mm: MmStruct, address: int, old_len: int, new_addr: int, new_len: int, flags: int
) -> int:
    """Move to a given address, or anywhere while the old area stays. Kernel: mremap_to"""
    if new_addr & PAGE_SIZE - 1 or new_len > mm.task_size or new_addr > mm.task_size - new_len:
        return -errno.EINVAL
    if address + old_len > new_addr and new_addr + new_len > address:
        return -errno.EINVAL
    if mm.map_count + 2 >= SYSCTL_MAX_MAP_COUNT - 3:
        return -errno.ENOMEM
    if flags & MREMAP_FIXED:
        error = mmap.do_munmap(m, mm, new_addr, new_len)
        if error:
            return error
    if old_len > new_len:
        error = mmap.do_munmap(m, mm, address + new_len, old_len - new_len)
        if error:
            return error
        old_len = new_len
    vma = vma_to_resize(mm, address, old_len, new_len, flags)
    if isinstance(vma, int):
        return vma
    how = mmap.MAP_FIXED if flags & MREMAP_FIXED else 0
    pgoff = vma.linear_page_index(address)
    found = mmap.get_unmapped_area(m, mm, vma.vm_file, new_addr, new_len, how, pgoff)
    if found < 0:
        return found
    return move_vma(m, vma, address, old_len, new_len, new_addr if how else found, flags)


def move_vma(
    m: Kernel, vma: VmArea, old_addr: int, old_len: int, new_len: int, new_addr: int, flags: int
) -> int:
    """Make a new area, move the entries, take the old one away. Kernel: move_vma"""
    mm = vma.vm_mm
    if mm.map_count >= SYSCTL_MAX_MAP_COUNT - 3:
        return -errno.ENOMEM
    dontunmap = bool(flags & MREMAP_DONTUNMAP)
    vm_flags = vma.vm_flags
    account = new_len if dontunmap else new_len - old_len
    if vm_flags & VM_ACCOUNT and not mmap.vm_enough_memory(m, account >> 12):
        return -errno.ENOMEM
    pgoff = vma.linear_page_index(old_addr)
    vma, new_vma = copy_vma(m, vma, new_addr, new_len, pgoff)
    move_page_tables(m, vma, old_addr, new_vma, new_addr, old_len)
    if vma.vm_flags & VM_HUGETLB:
        vma.reserved, new_vma.reserved = None, vma.reserved
    excess = split = False
    if vm_flags & VM_ACCOUNT and not dontunmap:
        vma.vm_flags &= ~VM_ACCOUNT
        excess = vma.vm_end - vma.vm_start > old_len
        split = old_addr > vma.vm_start and old_addr + old_len < vma.vm_end
    hiwater_vm = mm.hiwater_vm
    vm_stat_account(mm, vma.vm_flags, new_len >> 12)
    if dontunmap:
        vma.vm_flags &= ~VM_LOCKED_MASK
        if new_vma is not vma and vma.vm_start == old_addr and vma.vm_end == old_addr + old_len:
            rmap.unlink_anon_vmas(m, vma)
        return new_addr
    if old_len:
        mmap.do_munmap(m, mm, old_addr, old_len)
    if vm_flags & VM_LOCKED:
        mm.locked_vm += new_len >> 12
    mm.hiwater_vm = hiwater_vm
    if excess:
        vma.vm_flags |= VM_ACCOUNT
        if split:
            upper = find_vma(mm, vma.vm_end)
            assert upper is not None
            upper.vm_flags |= VM_ACCOUNT
    return new_addr


def copy_vma(m: Kernel, vma: VmArea, address: int, length: int, pgoff: int) -> tuple[VmArea, VmArea]:
    """The new area, merged with a neighbour if they say the same. Kernel: mm/mmap.c copy_vma

    Returns the old area, which may have become part of the new one, and the new one.
    """
    mm = vma.vm_mm
    start = vma.vm_start
    if vma.is_anonymous and vma.anon_vma is None:
        pgoff = address >> 12
    at = position(mm, address)
    prev = mm.mmap[at - 1] if at else None
    new = vma_merge(m, mm, prev, address, address + length, vma.vm_flags, vma.anon_vma, vma.vm_file, pgoff)
    if new is not None:
        return (new if new.vm_start <= start < new.vm_end else vma), new
    new = vma_dup(m, vma)
    new.vm_start, new.vm_end, new.vm_pgoff = address, address + length, pgoff
    new.anon_vma = vma.anon_vma
    rmap.anon_vma_clone(m, new, vma)
    vma_link(mm, new)
    return vma, new


# -- entries ---------------------------------------------------------------------------------------


def extent(old: int, end: int, new: int, size: int) -> int:
    """How far one step may go without leaving a table of either side. Kernel: get_extent"""
    step = min((old & -size) + size - old, end - old)
    return min(step, (new & -size) + size - new)


def move_page_tables(m: Kernel, vma: VmArea, old: int, new_vma: VmArea, new: int, length: int) -> None:
    """Move the entries of a range; whole tables are hung elsewhere. Kernel: move_page_tables"""
    mm = vma.vm_mm
    end = old + length
    if vma.vm_flags & VM_HUGETLB:
        move_hugetlb_entries(m, vma, old, new, length)
        return
    while old < end:
        step = extent(old, end, new, PUD_SIZE)
        if mm.pgd is not None and mm.pgd.level == 4:
            if old >> 39 not in mm.tables[3]:
                old, new = old + step, new + step
                continue
            pgalloc.pud_alloc(m, mm, new)
            if step == PUD_SIZE and move_table(mm, 2, old, new):
                old, new = old + step, new + step
                continue
        step = extent(old, end, new, PMD_SIZE)
        pmd = pgalloc.pmd_of(mm, old)
        if pmd:
            pgalloc.pmd_alloc(m, mm, new)
            move_pmd(m, vma, new_vma, old, new, step)
        old, new = old + step, new + step


def move_pmd(m: Kernel, vma: VmArea, new_vma: VmArea, old: int, new: int, step: int) -> None:
    """Move what one 2 MiB entry has of a range."""
    mm = vma.vm_mm
    if pgalloc.is_huge(pgalloc.pmd_of(mm, old)):
        if step == PMD_SIZE and not pgalloc.pmd_of(mm, new):
            huge_memory.move_huge_pmd(m, mm, old, new)
            return
        huge_memory.split_huge_pmd(m, vma, old)
    elif step == PMD_SIZE and move_table(mm, 1, old, new):
        return
    target = pgalloc.pte_alloc(m, mm, new)
    if target is not None:
        move_ptes(m, mm, old, new, step)


def move_table(mm: MmStruct, level: int, old: int, new: int) -> bool:
    """Hang a table under another entry; whether the place was free

    Kernel: move_normal_pmd, move_normal_pud
    """
    shift = 12 + 9 * level
    tables = mm.tables[level]
    table = tables.get(old >> shift)
    if table is None:
        return True
    if new >> shift in tables:
        return False
    above_old = pgalloc.find_table(mm, level + 1, old)
    above_new = pgalloc.find_table(mm, level + 1, new)
    assert above_old is not None
    assert above_new is not None
    index_old, index_new = old >> shift & 511, new >> shift & 511
    if above_new.entries[index_new]:
        return False
    del tables[old >> shift]
    tables[new >> shift] = table
    if level == 2:
        for i, entry in enumerate(table.entries):
            low = mm.tables[1].pop((old >> 30 << 9) + i, None) if entry else None
            if low is not None:
                low.base = (new >> 30 << 30) + (i << 21)
                mm.tables[1][low.base >> 21] = low
    table.base = new >> shift << shift
    above_new.entries[index_new] = above_old.entries[index_old]
    above_old.entries[index_old] = 0
    return True


def move_ptes(m: Kernel, mm: MmStruct, old: int, new: int, length: int) -> None:
    """Move entries one by one; they count as soft-dirty from now on. Kernel: move_ptes"""
    source = mm.tables[1].get(old >> 21)
    target = mm.tables[1].get(new >> 21)
    if source is None or target is None:
        return
    i, j = old >> 12 & 511, new >> 12 & 511
    for at in range(length >> 12):
        entry = source.entries[i + at]
        if entry:
            source.entries[i + at] = 0
            target.entries[j + at] = move_soft_dirty_pte(m, entry)


def move_soft_dirty_pte(m: Kernel, entry: int) -> int:
    """The entry as written since the last look, also of a page in swap. Kernel: move_soft_dirty_pte"""
    if pte_present(entry):
        return entry | m.vm.soft_dirty
    return entry | (SWP_SOFT_DIRTY if m.vm.soft_dirty else 0)


def move_hugetlb_entries(m: Kernel, vma: VmArea, old: int, new: int, length: int) -> None:
    """Move entries of huge pages. Kernel: mm/hugetlb.c move_hugetlb_page_tables"""
    hstate = hugetlb.hstate_vma(m, vma)
    for at in range(0, length, 1 << hstate.shift):
        source = hugetlb.slot(vma.vm_mm, hstate.order, old + at)
        if source is not None and source[0].entries[source[1]]:
            target = hugetlb.alloc_slot(m, vma.vm_mm, hstate.order, new + at)
            if target is not None:
                target[0].entries[target[1]] = source[0].entries[source[1]]
                source[0].entries[source[1]] = 0
