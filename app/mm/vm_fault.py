"""One page fault: what it is about, and the writing of the entry at its end.

Kernel: include/linux/mm.h struct vm_fault, enum fault_flag, include/linux/mm_types.h enum vm_fault_reason,
mm/memory.c do_set_pte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, pgalloc, rmap, swap
from app.mm.mm_types import MM_ANONPAGES, VM_SHARED, VM_WRITE
from app.mm.pgtable_types import RW, mk_pte, mkdirty, vma_page_prot
from app.mm.sched import current

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct, PageTable, VmArea

FAULT_FLAG_WRITE: Final = 0x1
FAULT_FLAG_ALLOW_RETRY: Final = 0x4
FAULT_FLAG_KILLABLE: Final = 0x10
FAULT_FLAG_TRIED: Final = 0x20
FAULT_FLAG_USER: Final = 0x40
FAULT_FLAG_INSTRUCTION: Final = 0x100
FAULT_FLAG_INTERRUPTIBLE: Final = 0x200

VM_FAULT_OOM: Final = 0x1
VM_FAULT_SIGBUS: Final = 0x2
VM_FAULT_MAJOR: Final = 0x4
VM_FAULT_WRITE: Final = 0x8
VM_FAULT_SIGSEGV: Final = 0x40
VM_FAULT_NOPAGE: Final = 0x100
VM_FAULT_LOCKED: Final = 0x200
VM_FAULT_RETRY: Final = 0x400
VM_FAULT_FALLBACK: Final = 0x800
VM_FAULT_COMPLETED: Final = 0x4000
VM_FAULT_ERROR: Final = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_FALLBACK


class VmFault:
    """One fault being served. Kernel: struct vm_fault

    prealloc_pte: a table that was allocated before it was known whether it is needed.
    """

    # Most faults set only a few of these.
    orig_pte = 0
    page = -1
    cow_page = -1
    prealloc_pte: PageTable | None = None
    # What came of it, for those who explain: the kernel keeps no such record.
    kind = ""
    mapped_around = 0

    def __init__(self, vma: VmArea, address: int, flags: int) -> None:
        self.vma = vma
        self.address = address = address & -4096
        self.flags = flags
        self.pgoff = vma.vm_pgoff + ((address - vma.vm_start) >> 12)
        self.write = flags & FAULT_FLAG_WRITE

    @property
    def first_try(self) -> bool:
        """Whether it may give up its lock to wait, and has not yet. Kernel: fault_flag_allow_retry_first"""
        return self.flags & (FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_TRIED) == FAULT_FLAG_ALLOW_RETRY


def set_pte(mm: MmStruct, address: int, entry: int) -> None:
    """Write a page entry; its table exists. Kernel: include/linux/pgtable.h set_pte_at"""
    mm.tables[1][address >> 21].entries[address >> 12 & 511] = entry


def inc_mm_counter(m: Kernel, vma: VmArea, member: int, nr: int = 1) -> None:
    """Count resident pages with the task, which is cheaper than with the mm. Kernel: add_mm_counter_fast"""
    task = current(m)
    if task.mm is vma.vm_mm:
        task.rss_stat[member] += nr
    else:
        add_mm_counter(m, vma.vm_mm, member, nr)


def add_mm_counter(m: Kernel, mm: MmStruct, member: int, nr: int) -> None:
    """Count resident pages with the mm at once. Kernel: include/linux/mm.h add_mm_counter"""
    mm.rss_stat[member] += nr
    if m.trace is not None:
        m.trace.memory.rss_stat(mm, member, mm.rss_stat[member])


def maybe_mkwrite(m: Kernel, vma: VmArea, entry: int) -> int:
    """Writable if the area is. Kernel: maybe_mkwrite"""
    return entry | RW if vma.vm_flags & VM_WRITE else entry


def install_prealloc(vmf: VmFault) -> None:
    """Hang the table made before under its level, if none is there. Kernel: pmd_install"""
    mm = vmf.vma.vm_mm
    if vmf.prealloc_pte is not None and vmf.address >> 21 not in mm.tables[1]:
        pgalloc.install(mm, vmf.prealloc_pte, vmf.address)
        vmf.prealloc_pte = None


def do_set_pte(m: Kernel, vmf: VmFault, pfn: int, address: int) -> None:
    """Write an entry for a file page, or for a private copy of one. Kernel: do_set_pte"""
    vma = vmf.vma
    entry = mk_pte(pfn, vma_page_prot(m, vma))
    if vmf.write:
        entry = maybe_mkwrite(m, vma, mkdirty(m, entry))
    if vmf.write and not vma.vm_flags & VM_SHARED:
        inc_mm_counter(m, vma, MM_ANONPAGES)
        rmap.page_add_new_anon_rmap(m, pfn, vma, address)
        swap.lru_cache_add_inactive_or_unevictable(m, vma, pfn)
    else:
        inc_mm_counter(m, vma, mem_map.mm_counter(m, pfn))
        rmap.page_add_file_rmap(m, pfn, vma)
    set_pte(vma.vm_mm, address, entry)
    if m.trace is not None:
        m.trace.memory.entry(address, 1, 0, entry)
