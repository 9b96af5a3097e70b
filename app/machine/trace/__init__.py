"""What the kernel decided on the way, step by step, and the tracepoints that fired.

A machine has a `Trace` only while a call is explained: the call is made again on the state before it, and the
kernel's functions report what they compare, and with which result. Otherwise each report is one test of
`m.trace`.

Kernel: include/trace/events/kmem.h, filemap.h, pagemap.h, compaction.h, migrate.h, oom.h and
arch/x86/include/asm/trace/exceptions.h for the form of the tracepoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.buddy import BuddySteps
from app.machine.trace.collector import Collector
from app.machine.trace.compaction import CompactionSteps, MigrateSteps
from app.machine.trace.fault import FaultSteps
from app.machine.trace.filemap import FilemapSteps
from app.machine.trace.fork import ForkSteps
from app.machine.trace.highmem import HighmemSteps
from app.machine.trace.huge_memory import HugeMemorySteps
from app.machine.trace.hugetlb import HugetlbSteps
from app.machine.trace.lru import LruSteps
from app.machine.trace.memory import MemorySteps
from app.machine.trace.mistakes import MistakeSteps
from app.machine.trace.mmap import MmapSteps
from app.machine.trace.oom import OomSteps
from app.machine.trace.page_alloc import PageAllocSteps
from app.machine.trace.page_ref import PageRefSteps
from app.machine.trace.pagecache import PagecacheSteps
from app.machine.trace.pcp import PcpSteps
from app.machine.trace.rmap import RmapSteps
from app.machine.trace.slab_common import SlabCommonSteps
from app.machine.trace.slub import SlubSteps
from app.machine.trace.swap import SwapSteps
from app.machine.trace.vmalloc import VmallocSteps
from app.machine.trace.vmscan import VmscanSteps

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

__all__ = ["Trace"]


class Trace(Collector):
    """The steps and tracepoints of one call, reported by the areas of the kernel: `m.trace.pcp.refill(…)`."""

    def __init__(self, m: Kernel) -> None:
        super().__init__(m)
        self.page_alloc = PageAllocSteps(self)
        self.pcp = PcpSteps(self)
        self.buddy = BuddySteps(self)
        self.page_ref = PageRefSteps(self)
        self.vmscan = VmscanSteps(self)
        self.compaction = CompactionSteps(self)
        self.migrate = MigrateSteps(self, self.compaction)
        self.filemap = FilemapSteps(self)
        self.slab_common = SlabCommonSteps(self)
        self.slub = SlubSteps(self)
        self.vmalloc = VmallocSteps(self)
        self.highmem = HighmemSteps(self)
        self.fault = FaultSteps(self)
        self.memory = MemorySteps(self)
        self.pagecache = PagecacheSteps(self)
        self.lru = LruSteps(self)
        self.swap = SwapSteps(self)
        self.rmap = RmapSteps(self)
        self.mmap = MmapSteps(self)
        self.fork = ForkSteps(self)
        self.huge_memory = HugeMemorySteps(self)
        self.hugetlb = HugetlbSteps(self)
        self.oom = OomSteps(self)
        self.mistakes = MistakeSteps(self)

    def close(self) -> None:
        """The call is over: its last step states the cause of a mistake."""
        self.mistakes.close()
