"""The kernel's globals of virtual memory: address spaces, files, and the pages that they use.

In C these are spread over many files (`vm_node_stat`, `cpu_fbatches`, `huge_zero_page`, `hstates`, the root
of each file system). They are together here so that a machine without processes carries one empty object.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from app.mm.lruvec import NONE, Lruvec
from app.mm.pgtable_types import ACCESSED, NX, PRESENT, PROTNONE, RW, USER

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.hugetlb import Hstate
    from app.mm.memory_model import MemoryModel
    from app.mm.mm_types import AnonVma, MmStruct
    from app.mm.slab import KmemCache
    from app.mm.swap_info import Swap

# Names of the batches in which pages wait before they move to a list, in the order of a drain.
BATCHES = ("add", "rotate", "deactivate_file", "deactivate", "lazyfree", "activate", "mlock")


class Section:
    """`struct page` of 512 frames that processes or files use, as columns. Kernel: struct page

    A record each would cost twenty times the memory. refcount, mapcount (one less than the mappings), flags
    and index as the kernel has them. mapping: twice the number of an inode, or twice that of an anon_vma plus
    one. next, prev: neighbours on the LRU list. order: not 0 where the frames are one compound page, whose
    whole mappings compound_mapcount counts.
    """

    __slots__ = (
        "compound_mapcount",
        "flags",
        "index",
        "mapcount",
        "mapping",
        "next",
        "order",
        "prev",
        "refcount",
    )

    def __init__(self) -> None:
        self.refcount = array("i", bytes(4 * 512))
        self.mapcount = array("i", [-1]) * 512
        self.flags = array("I", bytes(4 * 512))
        self.mapping = array("I", bytes(4 * 512))
        self.index = array("Q", bytes(8 * 512))
        self.next = array("I", [NONE]) * 512
        self.prev = array("I", [NONE]) * 512
        self.order = 0
        self.compound_mapcount = -1


def protection(bits: int, *, nx: bool) -> int:
    """The rights that entries of an area get. Kernel: arch/x86/mm/pgprot.c protection_map

    A private area never gives the right to write here, since its first write must be seen: that is copy on
    write. Without any right the entry is not present, and PROTNONE says why.
    """
    if not bits & 7:
        return ACCESSED | PROTNONE
    prot = PRESENT | USER | ACCESSED | (RW if bits & 10 == 10 else 0)
    return prot if bits & 4 or not nx else prot | NX


class Oom:
    """What the OOM killer is told, and whether it has stopped the machine. Kernel: mm/oom_kill.c

    dump_tasks, kill_allocating_task, panic_on_oom: settings of /proc/sys/vm. panicked: the seq of the call in
    which nobody was left to be killed; 0 while the machine runs.
    """

    __slots__ = ("dump_tasks", "kill_allocating_task", "panic_on_oom", "panicked")

    def __init__(self) -> None:
        self.dump_tasks = 1
        self.kill_allocating_task = 0
        self.panic_on_oom = 0
        self.panicked = 0


class VirtualMemory:
    """All of it."""

    __slots__ = (
        "anon_vmas", "batches", "bytes_kept", "cached_stacks", "contents", "died", "faults", "flusher_woken",
        "forgotten",
        "hstates", "huge_zero_page", "huge_zero_refcount", "inodes", "io_deferred", "last_id",
        "lruvecs", "mappings", "mlock_counts", "mms", "moved", "nr_swap_pages", "object_caches",
        "objects_given", "objects_taken", "oom", "overcommit_memory", "overcommit_ratio", "pool_pages",
        "protection_map", "reclaim", "sections", "shadow_shift", "slots", "soft_dirty", "special_pages",
        "split_queue", "stat", "swap", "task_works", "thp", "threads_woken", "total_swap_pages", "unmapped",
        "vm_committed", "vm_softdirty", "zero_pfn",
    )  # fmt: skip

    def __init__(self, model: MemoryModel) -> None:
        x86_64 = model.arch == "x86_64"
        self.mms: dict[int, MmStruct] = {}
        self.anon_vmas: dict[int, AnonVma] = {}
        self.mappings: dict[int, Inode] = {}
        self.inodes: dict[str, Inode] = {}
        self.last_id = 0
        # The kernel's own objects: caches where there are any, and how many were taken and given back.
        self.object_caches: dict[str, KmemCache] = {}
        self.objects_taken: defaultdict[str, int] = defaultdict(int)
        self.objects_given: defaultdict[str, int] = defaultdict(int)
        # Kernel stacks of dead tasks, kept for new ones.
        self.cached_stacks: list[int] = []
        # Files to be closed at the end of the call.
        self.task_works: list[Inode] = []
        self.sections: defaultdict[int, Section] = defaultdict(Section)
        # Whether pages of processes and files are taken back when memory is short: a switch at boot.
        self.reclaim = False
        # How far left of its node the age stands in a shadow (app.mm.workingset).
        self.shadow_shift = 26 if x86_64 else 16
        # Whether the call has woken a kernel thread, which runs at its end; the flusher is one of them.
        self.threads_woken = False
        self.flusher_woken = False
        # The lists of each node; without reclaim, those of the first are everybody's.
        self.lruvecs = [Lruvec(model.cpus)]
        self.batches: dict[str, list[Any]] = {name: [] for name in BATCHES}
        self.mlock_counts: dict[int, int] = {}
        # Counters by their name in /proc/vmstat.
        self.stat: defaultdict[str, int] = defaultdict(int)
        self.zero_pfn = -1
        self.huge_zero_page = -1
        self.huge_zero_refcount = 0
        # Huge pages that are partly unmapped, until reclaim looks at them.
        self.split_queue: dict[int, None] = {}
        self.hstates: dict[int, Hstate] = {}
        # Pages of the pools, and whether they came from the page allocator and not from boot.
        self.pool_pages: dict[int, bool] = {}
        # The rights of entries for each of read, write, execute and shared.
        self.protection_map = tuple(protection(bits, nx=x86_64) for bits in range(16))
        self.soft_dirty = 0x800 if x86_64 else 0
        self.vm_softdirty = 0x8000000 if x86_64 else 0
        # always, madvise or never. Kernel: /sys/kernel/mm/transparent_hugepage/enabled
        self.thp = "never"
        self.overcommit_memory = 0
        self.vm_committed = 0
        # The bytes that were stored, by frame and offset: only as many as somebody has written.
        self.contents: dict[int, dict[int, int]] = {}
        # How many there are, at most; and by section a bit for each frame whose bytes are not known any more.
        self.bytes_kept = 0
        self.forgotten: dict[int, int] = {}
        # Told of each fault while somebody wants to know.
        self.faults: list[Any] | None = None
        # Pages that came to a list or batch, or left one, while somebody wants to know.
        self.moved: list[int] | None = None
        # Entries that reclaim took away, and slots that came to another use, while somebody wants to know.
        self.unmapped: list[tuple[MmStruct, int]] | None = None
        self.slots: list[int] | None = None
        # At which seq tasks with an address space died, by name, as long as nobody has the name again.
        self.died: dict[str, int] = {}
        # Slots of all swap areas; and those of them that nobody has, nor keeps in a cache of slots.
        self.total_swap_pages = 0
        self.nr_swap_pages = 0
        # Swap areas and the swap cache; None where there has never been any.
        self.swap: Swap | None = None
        # Pages whose writes are held back, oldest first; None where the disk is done at once.
        self.io_deferred: list[int] | None = None
        self.overcommit_ratio = 50
        self.oom = Oom()
        # Frames of mappings that the kernel installs itself: the vdso's.
        self.special_pages: dict[str, tuple[int, ...]] = {}

    def set_reclaim(self, model: MemoryModel) -> None:
        """Switch reclaim on, at boot: from now on each node has lists of its own."""
        self.reclaim = True
        self.lruvecs = [Lruvec(model.cpus) for _ in range(model.nodes)]

    def lruvec_of_node(self, nid: int) -> Lruvec:
        """The lists of a node's pages. Kernel: pgdat->__lruvec"""
        return self.lruvecs[nid if len(self.lruvecs) > 1 else 0]

    def new_id(self) -> int:
        """A number for a new object; none is given twice."""
        self.last_id += 1
        return self.last_id

    def count(self, name: str, nr: int = 1) -> None:
        """Add to a counter. Kernel: mod_node_page_state, count_vm_events"""
        self.stat[name] += nr
