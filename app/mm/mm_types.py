"""Address spaces: what a process may touch, and the tables that say where it is.

Kernel: include/linux/mm_types.h, include/linux/mm.h, include/linux/rmap.h. A process does not own frames but
addresses: areas that it may use (`vm_area_struct`), and page tables that are filled only where it has used
them. Both hang from one `mm_struct`.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.fs import File

VM_READ: Final = 0x1
VM_WRITE: Final = 0x2
VM_EXEC: Final = 0x4
VM_SHARED: Final = 0x8
VM_MAYREAD: Final = 0x10
VM_MAYWRITE: Final = 0x20
VM_MAYEXEC: Final = 0x40
VM_MAYSHARE: Final = 0x80
VM_GROWSDOWN: Final = 0x100
VM_PFNMAP: Final = 0x400
VM_LOCKED: Final = 0x2000
VM_IO: Final = 0x4000
VM_SEQ_READ: Final = 0x8000
VM_RAND_READ: Final = 0x10000
VM_DONTCOPY: Final = 0x20000
VM_DONTEXPAND: Final = 0x40000
VM_LOCKONFAULT: Final = 0x80000
VM_ACCOUNT: Final = 0x100000
VM_NORESERVE: Final = 0x200000
VM_HUGETLB: Final = 0x400000
VM_WIPEONFORK: Final = 0x2000000
VM_DONTDUMP: Final = 0x4000000
VM_SOFTDIRTY: Final = 0x8000000
VM_MIXEDMAP: Final = 0x10000000
VM_HUGEPAGE: Final = 0x20000000
VM_NOHUGEPAGE: Final = 0x40000000

VM_ACCESS_FLAGS: Final = VM_READ | VM_WRITE | VM_EXEC
VM_SPECIAL: Final = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP
VM_LOCKED_MASK: Final = VM_LOCKED | VM_LOCKONFAULT
VM_DATA_DEFAULT_FLAGS: Final = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC

# Indexes of the counters of resident pages.
MM_FILEPAGES: Final = 0
MM_ANONPAGES: Final = 1
MM_SWAPENTS: Final = 2
MM_SHMEMPAGES: Final = 3
NR_MM_COUNTERS: Final = 4

# A task folds its own counts into its mm after so many faults. Kernel: mm/memory.c
TASK_RSS_EVENTS_THRESH: Final = 64
STACK_GUARD_GAP: Final = 256 << 12
RLIMIT_STACK: Final = 8 << 20
SYSCTL_MAX_MAP_COUNT: Final = 65530
MMF_OOM_SKIP: Final = 21
MMF_UNSTABLE: Final = 22
MMF_DISABLE_THP: Final = 24
NO_SWAP_READAHEAD: Final = (0, 0, 4)


class PageTable:
    """One page of entries. Kernel: pte_t, pmd_t, pud_t or pgd_t [PTRS_PER_…]

    pfn: the frame that it is. level: 1 for a table of page entries, 2 for one of 2 MiB entries, 3, 4.
    base: the first address that it maps. deposited: page entry tables kept for huge pages that may have to be
    split, in the order in which they are taken (`pmd_huge_pte`); only on level 2. used: entries that are not
    zero.
    """

    __slots__ = ("base", "deposited", "entries", "level", "pfn")

    def __init__(self, pfn: int, level: int, base: int, size: int = 512) -> None:
        self.pfn = pfn
        self.level = level
        self.base = base
        self.entries = array("Q", bytes(8 * size))
        self.deposited: list[PageTable] = []


class AnonVma:
    """Who may map the anonymous pages of some areas: the areas of a family of processes. Kernel: anon_vma

    A page remembers one of these, not its processes: after a fork parent and child may both map it. parent
    and root tie the generations together. vmas: the areas linked here (`rb_root`).
    """

    __slots__ = ("id", "num_active_vmas", "num_children", "object", "parent", "refcount", "root", "vmas")

    def __init__(self, number: int) -> None:
        self.id = number
        self.object = 0
        self.root = self
        self.parent = self
        self.refcount = 1
        self.num_children = 0
        self.num_active_vmas = 0
        self.vmas: dict[VmArea, None] = {}


class VmArea:
    """A range of addresses with one set of rights and one backing. Kernel: struct vm_area_struct

    vm_pgoff: index of the first page in its file; in a private anonymous area the page number of the address
    at which it was made. anon_vma_chain: newest first. special: name of a mapping that the kernel installs
    itself (`[vdso]`, `[vvar]`), which has neither file nor anonymous pages.
    """

    __slots__ = (
        "anon_vma", "anon_vma_chain", "links", "object", "reserved", "special", "swap_readahead", "vm_end",
        "vm_file", "vm_flags", "vm_mm", "vm_pgoff", "vm_start",
    )  # fmt: skip

    def __init__(self, mm: MmStruct, start: int, end: int, flags: int, pgoff: int) -> None:
        self.vm_mm = mm
        self.vm_start = start
        self.vm_end = end
        self.vm_flags = flags
        self.vm_pgoff = pgoff
        self.vm_file: File | None = None
        self.anon_vma: AnonVma | None = None
        self.anon_vma_chain: list[AnonVma] = []
        # Addresses of its own object, and of those that link it to each anon_vma.
        self.object = 0
        self.links: list[int] = []
        self.special: str | None = None
        # Huge pages that were set aside for this private mapping: index → taken. None without reservation.
        self.reserved: dict[int, bool] | None = None
        # The page last read from swap, how many were read with it, and how many of them were wanted since.
        self.swap_readahead = NO_SWAP_READAHEAD

    @property
    def pages(self) -> int:
        """How many pages it spans. Kernel: vma_pages"""
        return (self.vm_end - self.vm_start) >> 12

    @property
    def is_anonymous(self) -> bool:
        """Whether no file stands behind it. Kernel: vma_is_anonymous"""
        return self.vm_file is None and self.special is None

    @property
    def start_gap(self) -> int:
        """Where others must end below it: a stack that grows keeps a distance. Kernel: vm_start_gap"""
        if self.vm_flags & VM_GROWSDOWN:
            return max(self.vm_start - STACK_GUARD_GAP, 0)
        return self.vm_start

    def linear_page_index(self, address: int) -> int:
        """Index of an address in the file, or in the anonymous object. Kernel: linear_page_index"""
        return self.vm_pgoff + ((address - self.vm_start) >> 12)


class MmStruct:
    """An address space. Kernel: struct mm_struct

    mmap: the areas in ascending order; the kernel keeps them in a maple tree. tables: for each level, address
    divided by what such a table maps → the table. rss_stat: as `MM_FILEPAGES` and so on say.
    """

    __slots__ = (
        "brk", "data_vm", "def_flags", "end_code", "exec_vm", "flags", "hiwater_rss", "hiwater_vm",
        "hugetlb_usage", "id", "locked_vm", "mm_count", "mm_users", "mmap", "mmap_base", "pgd",
        "pgtables_bytes", "rss_stat", "stack_vm", "start_brk", "start_code", "start_stack", "tables",
        "task_size", "total_vm",
    )  # fmt: skip

    def __init__(self, number: int) -> None:
        self.id = number
        self.mmap: list[VmArea] = []
        self.pgd: PageTable | None = None
        self.tables: tuple[dict[int, PageTable], ...] = ({}, {}, {}, {})
        self.task_size = 0
        self.mmap_base = 0
        self.start_code = 0
        self.end_code = 0
        self.start_brk = 0
        self.brk = 0
        self.start_stack = 0
        self.total_vm = 0
        self.data_vm = 0
        self.exec_vm = 0
        self.stack_vm = 0
        self.locked_vm = 0
        self.pgtables_bytes = 0
        self.rss_stat = [0] * NR_MM_COUNTERS
        self.hiwater_rss = 0
        self.hiwater_vm = 0
        self.hugetlb_usage = 0
        self.def_flags = 0
        self.flags = 0
        self.mm_users = 1
        self.mm_count = 1

    @property
    def map_count(self) -> int:
        """How many areas there are."""
        return len(self.mmap)

    @property
    def mm_rss(self) -> int:
        """Resident pages as the folded counters have them. Kernel: get_mm_rss"""
        rss = self.rss_stat
        return rss[MM_FILEPAGES] + rss[MM_ANONPAGES] + rss[MM_SHMEMPAGES]
