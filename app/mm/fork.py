"""A copy of a process: the areas are copied, the pages are shared until somebody writes.

Kernel: kernel/fork.c copy_process, dup_mmap, mm/memory.c copy_page_range. Most children call exec at once, so
copying memory would be wasted. Fork copies entries only where a later fault could not find the page again:
where there are anonymous pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import gfp as gfp_masks
from app.mm import huge_memory, hugetlb, mem_map, objects, pgalloc, rmap, sched, swap_map, thread_stack, zap
from app.mm.mm_types import (
    MM_SWAPENTS,
    MMF_DISABLE_THP,
    VM_ACCOUNT,
    VM_DONTCOPY,
    VM_HUGETLB,
    VM_LOCKED_MASK,
    VM_MAYWRITE,
    VM_MIXEDMAP,
    VM_NOHUGEPAGE,
    VM_PFNMAP,
    VM_SHARED,
    VM_WIPEONFORK,
    MmStruct,
    VmArea,
)
from app.mm.pgtable_types import ACCESSED, DIRTY, PMD_SIZE, PUD_SIZE, RW, SPECIAL, pte_pfn, pte_present
from app.mm.sched import current
from app.mm.swapops import SWP_EXCLUSIVE, pte_to_swp_entry
from app.mm.tracepoints import traced
from app.mm.vma import vm_stat_account, vma_dup

if TYPE_CHECKING:
    from array import array

    from app.mm.kernel import Kernel


def fork(m: Kernel, name: str, pid: int | None = None) -> sched.Task:
    """Start a child of the running task. Kernel: kernel_clone, copy_process"""
    parent = current(m)
    assert parent.mm is not None
    task = sched.new_task(m, name)
    m.vm.died.pop(name, None)
    if pid is not None:
        task.pid = pid
    task.comm = parent.comm
    task.parent = parent.pid
    task.oom_score_adj = parent.oom_score_adj
    task.objects = [("task_struct", objects.take(m, "task_struct"))]
    task.stack = thread_stack.alloc_thread_stack(m)
    task.objects += [(name, objects.take(m, name)) for name in objects.TASK]
    task.mm = dup_mm(m, parent.mm)
    task.objects.append(("pid", objects.take(m, "pid")))
    task.files = dict(parent.files)
    for file in task.files.values():
        file.f_count += 1
    return task


def mm_init(m: Kernel) -> MmStruct:
    """An empty address space with its highest table. Kernel: mm_init"""
    mm = MmStruct(m.vm.new_id())
    m.vm.mms[mm.id] = mm
    pgalloc.pgd_alloc(m, mm)
    return mm


def dup_mm(m: Kernel, old: MmStruct) -> MmStruct:
    """A copy of an address space. Kernel: dup_mm"""
    mm = mm_init(m)
    mm.task_size, mm.mmap_base, mm.start_stack = old.task_size, old.mmap_base, old.start_stack
    mm.start_brk, mm.brk = old.start_brk, old.brk
    mm.start_code, mm.end_code = old.start_code, old.end_code
    mm.def_flags = old.def_flags & VM_NOHUGEPAGE
    mm.flags = old.flags & 1 << MMF_DISABLE_THP
    dup_mmap(m, mm, old)
    mm.hiwater_rss = mm.mm_rss
    mm.hiwater_vm = mm.total_vm
    return mm


@traced
def dup_mmap(m: Kernel, mm: MmStruct, old: MmStruct) -> None:
    """Copy the areas, and the entries of those that need it. Kernel: dup_mmap"""
    mm.total_vm, mm.data_vm, mm.exec_vm, mm.stack_vm = old.total_vm, old.data_vm, old.exec_vm, old.stack_vm
    for vma in old.mmap:
        if m.trace is not None:
            m.trace.fork.area(vma, how_copied(vma))
        if vma.vm_flags & VM_DONTCOPY:
            vm_stat_account(mm, vma.vm_flags, -vma.pages)
            continue
        if vma.vm_flags & VM_ACCOUNT:
            m.vm.vm_committed += vma.pages
        new = vma_dup(m, vma, mm)
        if not vma.vm_flags & VM_WIPEONFORK:
            rmap.anon_vma_fork(m, new, vma)
        new.vm_flags &= ~VM_LOCKED_MASK
        if new.vm_file is not None:
            insert_after(new, vma)
        mm.mmap.append(new)
        if not vma.vm_flags & VM_WIPEONFORK:
            copy_page_range(m, new, vma)


def how_copied(vma: VmArea) -> str:
    """What a child gets of an area: `none`, only the `area`, or its `entries`. Kernel: dup_mmap"""
    if vma.vm_flags & VM_DONTCOPY:
        return "none"
    if vma.vm_flags & VM_WIPEONFORK:
        return "wiped"
    return "entries" if needs_copy(vma) else "area"


def insert_after(new: VmArea, vma: VmArea) -> None:
    """Let a file find the copy right behind the original. Kernel: vma_interval_tree_insert_after"""
    assert new.vm_file is not None
    tree = new.vm_file.inode.i_mmap
    behind = list(tree)
    behind = behind[behind.index(vma) + 1 :] if vma in tree else []
    tree[new] = None
    for other in behind:
        del tree[other]
        tree[other] = None


def copy_page_range(m: Kernel, dst: VmArea, src: VmArea) -> None:
    """Copy the entries of an area that a fault could not bring back. Kernel: copy_page_range"""
    if not needs_copy(src):
        return
    if src.vm_flags & VM_HUGETLB:
        hugetlb.copy_hugetlb_page_range(m, dst, src)
        return
    mm = src.vm_mm
    address = src.vm_start
    while address < src.vm_end:
        if address >> 30 not in mm.tables[2]:
            address = (address & -PUD_SIZE) + PUD_SIZE
            continue
        pgalloc.pmd_alloc(m, dst.vm_mm, address)
        m.breathe()
        following = min((address & -PMD_SIZE) + PMD_SIZE, src.vm_end)
        pmd = pgalloc.pmd_of(mm, address)
        if pgalloc.is_huge(pmd):
            huge_memory.copy_huge_pmd(m, dst, src, address)
        elif pmd:
            copy_pte_range(m, dst, src, address, following)
        address = following


def needs_copy(vma: VmArea) -> bool:
    """Whether a later fault could not bring back what is mapped. Kernel: vma_needs_copy"""
    return bool(vma.vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) or vma.anon_vma is not None


@traced
def copy_pte_range(m: Kernel, dst: VmArea, src: VmArea, address: int, end: int) -> None:
    """Copy the entries of one table. Kernel: mm/memory.c copy_pte_range, copy_present_pte

    In a private area both sides lose the right to write, so that the first write of either is seen. The
    child's entries are not accessed yet.
    """
    table = pgalloc.pte_alloc(m, dst.vm_mm, address)
    if table is None:
        return
    source = src.vm_mm.tables[1][address >> 21].entries
    target = table.entries
    cow = src.vm_flags & (VM_SHARED | VM_MAYWRITE) == VM_MAYWRITE
    rss = [0, 0, 0, 0]
    copied = protected = 0
    first = address >> 12 & 511
    for i in range(first, first + (end - address >> 12)):
        entry = source[i]
        if not entry:
            continue
        if not pte_present(entry):
            target[i] = share_slot(m, source, i, rss)
            copied += 1
            continue
        if not entry & SPECIAL:
            share_page(m, pte_pfn(entry), rss)
        copied += 1
        if cow and entry & RW:
            entry &= ~RW
            source[i] = entry
            protected += 1
        if src.vm_flags & VM_SHARED:
            entry &= ~DIRTY
        target[i] = entry & ~ACCESSED
    if m.trace is not None:
        m.trace.fork.entries(address, copied, rss, protected)
    zap.add_mm_rss_vec(m, dst.vm_mm, rss)


def share_slot(m: Kernel, source: array[int], i: int, rss: list[int]) -> int:
    """One more entry names a slot, which is nobody's alone now; the child's entry, 0 without memory.

    Kernel: copy_nonpresent_pte
    """
    if not swap_map.swap_duplicate(m, pte_to_swp_entry(source[i]), gfp_masks.GFP_KERNEL):
        return 0
    source[i] &= ~SWP_EXCLUSIVE
    rss[MM_SWAPENTS] += 1
    return source[i]


def share_page(m: Kernel, pfn: int, rss: list[int]) -> None:
    """One more process maps a page."""
    mem_map.get_page(m, pfn)
    rss[mem_map.mm_counter(m, pfn)] += 1
    if mem_map.is_anon(m, pfn):
        rmap.page_dup_anon_rmap(m, pfn)
    else:
        mem_map.section(m, pfn).mapcount[pfn & 511] += 1
