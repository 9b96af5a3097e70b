"""Which addresses a process may use: mmap, munmap, brk, and the growth of the stack.

Kernel: mm/mmap.c. These calls only write down promises. Frames come later, page by page, when an access needs
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from app.mm import errno, gup, huge_memory, hugetlb, mmu_gather, pagemap, pgalloc, rmap, swap, zap
from app.mm import fs as file_systems
from app.mm.mm_types import (
    RLIMIT_STACK,
    STACK_GUARD_GAP,
    SYSCTL_MAX_MAP_COUNT,
    VM_ACCESS_FLAGS,
    VM_ACCOUNT,
    VM_DATA_DEFAULT_FLAGS,
    VM_GROWSDOWN,
    VM_HUGETLB,
    VM_LOCKED,
    VM_LOCKED_MASK,
    VM_MAYEXEC,
    VM_MAYREAD,
    VM_MAYSHARE,
    VM_MAYWRITE,
    VM_NORESERVE,
    VM_SHARED,
    VM_SPECIAL,
    VM_WRITE,
    MmStruct,
    VmArea,
)
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current_mm
from app.mm.tracepoints import traced
from app.mm.vma import (
    can_vma_merge_after,
    can_vma_merge_before,
    find_vma,
    find_vma_intersection,
    position,
    split_vma,
    vm_area_alloc,
    vm_area_free,
    vm_stat_account,
    vma_expand,
    vma_link,
)

if TYPE_CHECKING:
    from app.mm.fs import File
    from app.mm.kernel import Kernel

MAP_SHARED: Final = 0x1
MAP_PRIVATE: Final = 0x2
MAP_SHARED_VALIDATE: Final = 0x3
MAP_TYPE: Final = 0xF
MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_GROWSDOWN: Final = 0x100
MAP_LOCKED: Final = 0x2000
MAP_NORESERVE: Final = 0x4000
MAP_POPULATE: Final = 0x8000
MAP_NONBLOCK: Final = 0x10000
MAP_HUGETLB: Final = 0x40000
MAP_FIXED_NOREPLACE: Final = 0x100000
MAP_HUGE_SHIFT: Final = 26
PROT_READ: Final = 1
PROT_WRITE: Final = 2
PROT_EXEC: Final = 4
MMAP_MIN_ADDR: Final = 0x10000


def page_align(value: int) -> int:
    """Rounded up to whole pages. Kernel: PAGE_ALIGN"""
    return -(-value // PAGE_SIZE) * PAGE_SIZE


# -- mmap ------------------------------------------------------------------------------------------


def ksys_mmap(
    m: Kernel, address: int, length: int, prot: int, flags: int, file: File | None, pgoff: int
) -> int:
    """The system call: places the area, and fills it at once if asked. Kernel: ksys_mmap_pgoff, vm_mmap_pgoff

    file: what `fd` stands for. Returns an address, or -errno.
    """
    mm = current_mm(m)
    shift = 0
    if flags & MAP_HUGETLB and file is None:
        hstate = hugetlb.hstate_of(m, flags >> MAP_HUGE_SHIFT & 0x3F)
        if hstate is None:
            return -errno.EINVAL
        shift = hstate.shift
        length = -(-length >> shift) << shift
        file = hugetlb.hugetlb_file_setup(m, hstate, length)
    ret = do_mmap(m, mm, file, address, length, prot, flags, pgoff)
    if ret < 0:
        if shift and file is not None:
            fput(m, file)
        return ret
    if shift and file is not None:
        fput(m, file)
    vma = find_vma(mm, ret)
    assert vma is not None
    if vma.vm_flags & VM_LOCKED or flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE:
        gup.mm_populate(m, mm, ret, page_align(length))
    return ret


def do_mmap(
    m: Kernel, mm: MmStruct, file: File | None, address: int, length: int, prot: int, flags: int, pgoff: int
) -> int:
    """Check a request, find addresses for it, and work out the area's rights. Kernel: do_mmap"""
    if not length:
        if m.trace is not None:
            m.trace.mmap.refused("do_mmap", "the length is 0", -errno.EINVAL)
        return -errno.EINVAL
    if flags & MAP_FIXED_NOREPLACE:
        flags |= MAP_FIXED
    if not flags & MAP_FIXED:
        address &= -PAGE_SIZE
        address = max(address, MMAP_MIN_ADDR) if address else 0
    length = page_align(length)
    if length >= 1 << 64 or mm.map_count > SYSCTL_MAX_MAP_COUNT:
        return -errno.ENOMEM
    address = get_unmapped_area(m, mm, file, address, length, flags, pgoff)
    if address < 0:
        return address
    if flags & MAP_FIXED_NOREPLACE and find_vma_intersection(mm, address, address + length):
        if m.trace is not None:
            m.trace.mmap.refused("do_mmap", "something is there already", -errno.EEXIST)
        return -errno.EEXIST
    vm_flags = flags_of(mm, file, prot, flags)
    if vm_flags < 0:
        if m.trace is not None:
            m.trace.mmap.refused("do_mmap", "these rights and flags cannot be had together", vm_flags)
        return vm_flags
    if file is None:
        pgoff = 0 if vm_flags & VM_SHARED else address >> 12
    if flags & MAP_NORESERVE and (
        m.vm.overcommit_memory != 2 or (file is not None and file.inode.is_hugetlb)
    ):
        vm_flags |= VM_NORESERVE
    return mmap_region(m, mm, file, address, length, vm_flags, pgoff)


def flags_of(mm: MmStruct, file: File | None, prot: int, flags: int) -> int:
    """The rights of a new area, and what mprotect may make of them; or -errno. Kernel: do_mmap"""
    vm_flags = prot & VM_ACCESS_FLAGS | mm.def_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC
    if flags & MAP_GROWSDOWN:
        vm_flags |= VM_GROWSDOWN
    if flags & MAP_LOCKED:
        vm_flags |= VM_LOCKED
    kind = flags & MAP_TYPE
    if kind not in (MAP_SHARED, MAP_PRIVATE) and (kind != MAP_SHARED_VALIDATE or file is None):
        return -errno.EINVAL
    if file is not None:
        return file_flags(file, vm_flags, prot, kind)
    if kind == MAP_SHARED:
        return -errno.EINVAL if vm_flags & VM_GROWSDOWN else vm_flags | VM_SHARED | VM_MAYSHARE
    return vm_flags


def file_flags(file: File, vm_flags: int, prot: int, kind: int) -> int:
    """What the way in which a file was opened allows; -errno where that is less than was asked for."""
    readable, writable = file.flags & 3 != 1, bool(file.flags & 3)
    if kind != MAP_PRIVATE:
        if prot & PROT_WRITE and not writable:
            return -errno.EACCES
        vm_flags |= VM_SHARED | VM_MAYSHARE
        if not writable:
            vm_flags &= ~(VM_MAYWRITE | VM_SHARED)
    if not readable:
        return -errno.EACCES
    if vm_flags & VM_GROWSDOWN:
        return -errno.EINVAL
    return vm_flags


def accountable_mapping(file: File | None, vm_flags: int) -> bool:
    """Whether an area may come to need memory of its own for all its pages. Kernel: accountable_mapping"""
    if file is not None and file.inode.is_hugetlb:
        return False
    return vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE) == VM_WRITE


def vm_enough_memory(m: Kernel, pages: int) -> bool:
    """Whether so many pages may be promised. Kernel: mm/util.c __vm_enough_memory

    By default only the absurd is refused: what alone is more than all memory and swap.
    """
    m.vm.vm_committed += pages
    total = sum(zone.managed_pages for zone in m.zones)
    limit = None
    enough = True
    if m.vm.overcommit_memory == 0:
        limit = total + m.vm.total_swap_pages
        enough = pages <= limit
    elif m.vm.overcommit_memory != 1:
        limit = total * m.vm.overcommit_ratio // 100 + m.vm.total_swap_pages
        enough = m.vm.vm_committed < limit
    if m.trace is not None:
        m.trace.mmap.commitment(pages, m.vm.vm_committed, limit, m.vm.overcommit_memory, enough=enough)
    if not enough:
        m.vm.vm_committed -= pages
    return enough


@traced
def mmap_region(
    m: Kernel, mm: MmStruct, file: File | None, address: int, length: int, vm_flags: int, pgoff: int
) -> int:
    """Put an area into the address space: a part of a neighbour if one says the same. Kernel: mmap_region"""
    end = address + length
    pglen = length >> 12
    do_munmap(m, mm, address, length)
    if accountable_mapping(file, vm_flags):
        if not vm_enough_memory(m, pglen):
            return -errno.ENOMEM
        vm_flags |= VM_ACCOUNT
    at = position(mm, address)
    after = mm.mmap[at] if at < len(mm.mmap) else None
    before = mm.mmap[at - 1] if at else None
    vma = None
    merged = ""
    start, stop, first = address, end, pgoff
    if not vm_flags & VM_SPECIAL:
        touches = after is not None and after.vm_start == end
        if after is not None and touches and can_vma_merge_before(after, vm_flags, None, file, pgoff + pglen):
            vma, stop, first = after, after.vm_end, after.vm_pgoff - pglen
            merged = "after"
        if before is not None and before.vm_end == address:
            anon_vma = vma.anon_vma if vma is not None else None
            if can_vma_merge_after(before, vm_flags, anon_vma, file, pgoff):
                vma, start, first = before, before.vm_start, before.vm_pgoff
                merged = "both" if merged else "before"
    if vma is not None:
        vma_expand(m, vma, start, stop, first, after)
    else:
        vma = vm_area_alloc(m, mm, address, end, vm_flags, pgoff)
        error = attach_file(m, vma, file)
        if error:
            vm_area_free(m, vma)
            return error
        vma_link(mm, vma)
    vm_flags = vma.vm_flags
    vm_stat_account(mm, vm_flags, pglen)
    if vm_flags & VM_LOCKED:
        if vm_flags & (VM_SPECIAL | VM_HUGETLB):
            vma.vm_flags &= ~VM_LOCKED_MASK
        else:
            mm.locked_vm += pglen
    vma.vm_flags |= m.vm.vm_softdirty
    if m.trace is not None:
        m.trace.mmap.placed(vma, address, end, merged=merged)
    return address


def attach_file(m: Kernel, vma: VmArea, file: File | None) -> int:
    """Tell the file of a new area; shared memory without a file gets a hidden one. Kernel: mmap_file

    Returns 0, or -errno where the file refuses.
    """
    if file is not None:
        if file.inode.is_hugetlb:
            error = hugetlb.hugetlbfs_file_mmap(m, vma, file)
            if error:
                return error
        vma.vm_file = file
        file.f_count += 1
    elif vma.vm_flags & VM_SHARED:
        inode = new_shmem_inode(m, vma.vm_end - vma.vm_start)
        vma.vm_file = file_systems.File(inode)
    return 0


def new_shmem_inode(m: Kernel, size: int) -> file_systems.Inode:
    """A hidden file of tmpfs, which nobody can open. Kernel: mm/shmem.c shmem_zero_setup"""
    number = m.vm.new_id()
    inode = file_systems.Inode(number, "shm", number, "/dev/zero (deleted)", size)
    inode.nlink = 0
    m.vm.mappings[number] = inode
    return inode


def fput(m: Kernel, file: File) -> None:
    """One who held an open file less; with the last the file is closed at the end of the call

    Kernel: fput
    """
    file.f_count -= 1
    if not file.f_count:
        m.vm.task_works.append(file.inode)


def task_work_run(m: Kernel) -> None:
    """Before the task returns to user mode: the files it let go are closed, the last one first.

    Kernel: kernel/task_work.c task_work_run
    """
    while m.vm.task_works:
        inode = m.vm.task_works.pop()
        inode.opens -= 1
        evict_inode(m, inode)


def evict_inode(m: Kernel, inode: file_systems.Inode) -> None:
    """Free what is cached of a file without names and users. Kernel: fs/inode.c evict"""
    if inode.nlink or inode.opens:
        return
    if inode.is_hugetlb:
        hugetlb.evict_inode(m, inode)
    else:
        pagemap.delete_pages(m, inode, 0, None)
    m.vm.mappings.pop(inode.id, None)


# -- where there is room ---------------------------------------------------------------------------


class UnmappedArea(NamedTuple):
    """What is searched for. Kernel: include/linux/mm.h struct vm_unmapped_area_info"""

    flags: int
    length: int
    low_limit: int
    high_limit: int
    align_mask: int
    align_offset: int


def get_unmapped_area(
    m: Kernel, mm: MmStruct, file: File | None, address: int, length: int, flags: int, pgoff: int = 0
) -> int:
    """Addresses for an area: the wanted ones if they are free, else the highest gap that fits.

    Kernel: get_unmapped_area, arch/x86/kernel/sys_x86_64.c arch_get_unmapped_area_topdown
    """
    align = 1 << hugetlb.shift_of(m, file) if file is not None and file.inode.is_hugetlb else PAGE_SIZE
    if length > mm.task_size:
        return -errno.ENOMEM
    if align > PAGE_SIZE and length & align - 1:
        return -errno.EINVAL
    if flags & MAP_FIXED:
        if address > mm.task_size - length:
            return -errno.ENOMEM
        if m.trace is not None:
            m.trace.mmap.fixed(address, length)
        return -errno.EINVAL if address & align - 1 else address
    if address:
        address = -(-address // align) * align
        vma = find_vma(mm, address)
        free = address + length <= mm.task_size and (vma is None or address + length <= vma.start_gap)
        if m.trace is not None:
            m.trace.mmap.hint(address, length, vma, free=free)
        if free:
            return address
    found = vm_unmapped_area(m, mm, length, align, pgoff, down=True)
    return found if found > 0 else vm_unmapped_area(m, mm, length, align, pgoff, down=False)


def vm_unmapped_area(m: Kernel, mm: MmStruct, length: int, align: int, pgoff: int, *, down: bool) -> int:
    """Search from above or from below. Kernel: vm_unmapped_area"""
    found = (unmapped_area_topdown if down else unmapped_area)(m, mm, length, align)
    if m.trace is not None:
        plain = align == PAGE_SIZE and m.model.arch == "x86_64"
        lowest = PAGE_SIZE if plain or align > PAGE_SIZE else MMAP_MIN_ADDR
        low, high = (lowest, mm.mmap_base) if down else (page_align(mm.task_size // 3), mm.task_size)
        offset = pgoff * PAGE_SIZE if plain else 0
        m.trace.mmap.searched(found, UnmappedArea(int(down), length, low, high, align - PAGE_SIZE, offset))
    return found


def unmapped_area_topdown(m: Kernel, mm: MmStruct, length: int, align: int) -> int:
    """The highest gap below `mmap_base`; its upper end is used. Kernel: unmapped_area_topdown

    Below an area that grows downwards a megabyte stays free. A gap must be large enough wherever the
    alignment falls.
    """
    high = mm.mmap_base
    room = length + align - PAGE_SIZE
    for vma in reversed(mm.mmap):
        if vma.vm_end + room <= high:
            low: int | None = vma.vm_end
            break
        high = min(high, vma.start_gap)
    else:
        low = None
        if high - room < MMAP_MIN_ADDR:
            if m.trace is not None:
                m.trace.mmap.no_gap("unmapped_area_topdown", length)
            return -errno.ENOMEM
    address = high - length & -align
    if m.trace is not None:
        m.trace.mmap.gap("unmapped_area_topdown", low, high, length, address, mm.mmap_base)
    return address


def unmapped_area(m: Kernel, mm: MmStruct, length: int, align: int) -> int:
    """The lowest gap above a third of the address space. Kernel: unmapped_area"""
    base = low = page_align(mm.task_size // 3)
    for vma in mm.mmap:
        address = -(-low // align) * align
        if vma.vm_end <= low:
            continue
        if address + length <= vma.start_gap:
            high = vma.start_gap
            break
        low = vma.vm_end
    else:
        high = mm.task_size
        address = -(-low // align) * align
        if address + length > high:
            if m.trace is not None:
                m.trace.mmap.no_gap("unmapped_area", length)
            return -errno.ENOMEM
    if m.trace is not None:
        m.trace.mmap.gap("unmapped_area", low, high, length, address, base)
    return address


# -- munmap ----------------------------------------------------------------------------------------


def munmap(m: Kernel, address: int, length: int) -> int:
    """The system call. Kernel: __vm_munmap"""
    mm = current_mm(m)
    return do_munmap(m, mm, address, length)


@traced
def do_munmap(m: Kernel, mm: MmStruct, start: int, length: int) -> int:
    """Take a range out of the address space. Kernel: do_mas_align_munmap, do_mas_munmap

    Areas that reach over its ends are cut. Nothing there is no mistake.
    """
    if start & PAGE_SIZE - 1 or start > mm.task_size or length > mm.task_size - start:
        return -errno.EINVAL
    end = start + page_align(length)
    if end == start:
        return -errno.EINVAL
    vma = find_vma_intersection(mm, start, end)
    if vma is None:
        return 0
    if start > vma.vm_start:
        if end < vma.vm_end and mm.map_count >= SYSCTL_MAX_MAP_COUNT:
            return -errno.ENOMEM
        if not may_split(m, vma, start):
            return -errno.EINVAL
        split_vma(m, vma, start, new_below=False)
    last = find_vma_intersection(mm, end - 1, end)
    if last is not None and last.vm_end > end:
        if not may_split(m, last, end):
            return -errno.EINVAL
        split_vma(m, last, end, new_below=True)
    first = position(mm, start)
    behind = first
    while behind < len(mm.mmap) and mm.mmap[behind].vm_start < end:
        behind += 1
    areas = mm.mmap[first:behind]
    if m.trace is not None:
        m.trace.mmap.unmap(start, end, areas)
    del mm.mmap[first:behind]
    mm.locked_vm -= sum(area.pages for area in areas if area.vm_flags & VM_LOCKED)
    unmap_region(m, mm, areas, first, start, end)
    mm.hiwater_vm = max(mm.hiwater_vm, mm.total_vm)
    for area in areas:
        if area.vm_flags & VM_ACCOUNT:
            m.vm.vm_committed -= area.pages
        vm_stat_account(mm, area.vm_flags, -area.pages)
        remove_vma(m, area)
    return 0


def may_split(m: Kernel, vma: VmArea, address: int) -> bool:
    """Whether an area may be cut there: huge pages only between two

    Kernel: vm_operations_struct may_split
    """
    if vma.special is not None:
        return False
    return not vma.vm_flags & VM_HUGETLB or not address & (1 << hugetlb.shift_of(m, vma.vm_file)) - 1


def unmap_region(m: Kernel, mm: MmStruct, areas: list[VmArea], at: int, start: int, end: int) -> None:
    """Unmap pages and free the tables that nobody else needs. Kernel: unmap_region

    at: where in the list of areas the range was.
    """
    floor = mm.mmap[at - 1].vm_end if at else 0
    ceiling = mm.mmap[at].vm_start if at < len(mm.mmap) else 0
    swap.lru_add_drain(m)
    tlb = mmu_gather.gather(m, mm)
    zap.update_hiwater_rss(mm)
    zap.unmap_vmas(m, tlb, areas, start, end)
    pgalloc.free_pgtables(m, tlb, areas, floor, ceiling)
    mmu_gather.finish(m, tlb)


def remove_vma(m: Kernel, vma: VmArea) -> None:
    """Close an area that is in no address space any more. Kernel: remove_vma"""
    if vma.vm_flags & VM_HUGETLB:
        hugetlb.vm_op_close(m, vma)
    if vma.vm_file is not None:
        fput(m, vma.vm_file)
        vma.vm_file = None
    vm_area_free(m, vma)


# -- brk -------------------------------------------------------------------------------------------


def brk(m: Kernel, wanted: int) -> int:
    """Move the end of the heap; returns where it is then. Kernel: SYSCALL_DEFINE1(brk)"""
    mm = current_mm(m)
    before = mm.brk
    why = move_brk(m, mm, wanted)
    if m.trace is not None:
        m.trace.mmap.break_moved(before, mm.brk, why=why)
    return mm.brk


@traced
def move_brk(m: Kernel, mm: MmStruct, wanted: int) -> str:
    """Move the end of the heap if that can be; what stands against it, else nothing. Kernel: brk"""
    if wanted < mm.start_brk:
        return "that is below where the heap begins"
    newbrk, oldbrk = page_align(wanted), page_align(mm.brk)
    if newbrk == oldbrk:
        mm.brk = wanted
        return ""
    if wanted <= mm.brk:
        vma = find_vma_intersection(mm, newbrk, oldbrk)
        if vma is None or vma.vm_start >= oldbrk:
            return "the heap has no such part any more"
        original, mm.brk = mm.brk, wanted
        if do_munmap(m, mm, newbrk, oldbrk - newbrk):
            mm.brk = original
            return "its pages could not be unmapped"
        return ""
    if newbrk > mm.task_size:
        return "that is beyond all addresses of a process"
    after = find_vma_intersection(mm, oldbrk, newbrk + PAGE_SIZE + STACK_GUARD_GAP)
    if after is not None and newbrk + PAGE_SIZE > after.start_gap:
        return "another area is in the way"
    if do_brk_flags(m, mm, oldbrk, newbrk - oldbrk):
        return "so much memory is not promised"
    mm.brk = wanted
    if mm.def_flags & VM_LOCKED:
        gup.mm_populate(m, mm, oldbrk, newbrk - oldbrk)
    return ""


def do_brk_flags(m: Kernel, mm: MmStruct, address: int, length: int) -> int:
    """Let the heap grow: its area, or a new one behind it. Kernel: do_brk_flags"""
    flags = VM_DATA_DEFAULT_FLAGS | VM_ACCOUNT | mm.def_flags
    pages = length >> 12
    if not vm_enough_memory(m, pages):
        return -errno.ENOMEM
    at = position(mm, address)
    vma = mm.mmap[at - 1] if at else None
    if (
        vma is not None
        and vma.vm_end == address
        and can_vma_merge_after(vma, flags, None, None, address >> 12)
    ):
        huge_memory.vma_adjust_trans_huge(m, vma, vma.vm_start, address + length, 0)
        vma.vm_end = address + length
    else:
        vma = vm_area_alloc(m, mm, address, address + length, flags, address >> 12)
        vma_link(mm, vma)
    mm.total_vm += pages
    mm.data_vm += pages
    if flags & VM_LOCKED:
        mm.locked_vm += pages
    vma.vm_flags |= m.vm.vm_softdirty
    return 0


# -- the stack -------------------------------------------------------------------------------------


def expand_downwards(m: Kernel, vma: VmArea, address: int) -> bool:
    """Let a stack grow to an address, if that is near enough to its top. Kernel: expand_downwards"""
    address &= -PAGE_SIZE
    grow = max(0, vma.vm_start - address >> 12)
    why = grow_downwards(m, vma, address, grow)
    if m.trace is not None:
        m.trace.mmap.expand(vma, address, grow, why)
    return not why


def grow_downwards(m: Kernel, vma: VmArea, address: int, grow: int) -> str:
    """Let a stack grow by so many pages; what stands against it, else nothing. Kernel: expand_downwards"""
    mm = vma.vm_mm
    if address < MMAP_MIN_ADDR:
        return "the lowest addresses are nobody's"
    at = mm.mmap.index(vma)
    before = mm.mmap[at - 1] if at else None
    if (
        before is not None
        and not before.vm_flags & VM_GROWSDOWN
        and before.vm_flags & VM_ACCESS_FLAGS
        and address - before.vm_end < STACK_GUARD_GAP
    ):
        return "the area below would be nearer than the guard gap of 1 MiB"
    rmap.anon_vma_prepare(m, vma)
    if address < vma.vm_start:
        if grow > vma.vm_pgoff or vma.vm_end - address > RLIMIT_STACK:
            return "the stack would be larger than its limit of 8 MiB"
        if not vm_enough_memory(m, grow):
            return "so much memory is not promised"
        if vma.vm_flags & VM_LOCKED:
            mm.locked_vm += grow
        vm_stat_account(mm, vma.vm_flags, grow)
        vma.vm_start = address
        vma.vm_pgoff -= grow
    return ""
