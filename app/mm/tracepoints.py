"""What the kernel's functions report while a call is explained, area by area.

Kernel: include/trace/events. As a function there fires a tracepoint with what it knows, one here tells
`m.trace`, if that is not None, what it has compared and with which result. Who listens is above the kernel
(`app.machine.trace`), so what can be told is declared here: a protocol for each area. A new area is one more
protocol, one more property of `Tracer`, and the class that puts its reports into words.

A report is handed the numbers of the decision itself, never what is needed to work them out again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from app.mm.compact_tracepoints import CompactionTracer, MigrateTracer
from app.mm.swap_tracepoints import SwapTracer
from app.mm.vm_tracepoints import (
    FaultTracer,
    ForkTracer,
    HugeMemoryTracer,
    HugetlbTracer,
    LruTracer,
    MemoryTracer,
    MmapTracer,
    OomTracer,
    PagecacheTracer,
    RmapTracer,
)
from app.mm.vmscan_tracepoints import VmscanTracer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from app.mm.internal import AllocContext
    from app.mm.mmzone import PerCpuPages, Zone
    from app.mm.sched import Task
    from app.mm.slab import KmemCache, Slab
    from app.mm.vmalloc import VmStruct
    from app.mm.vmap_area import VmapArea

F = TypeVar("F", bound="Callable[..., Any]")

# The functions below which steps are shown one level deeper.
TRACED: Final[list[Any]] = []


def traced(function: F) -> F:
    """Mark a function of the kernel: the steps that are made in it, or in what it calls, are shown below it.

    Explanations name it by the first name in its docstring's `Kernel:` line. The function stays as it is.
    """
    TRACED.append(function)
    return function


class Tracer(Protocol):
    """Who listens, by area."""

    @property
    def page_alloc(self) -> PageAllocTracer: ...

    @property
    def pcp(self) -> PcpTracer: ...

    @property
    def buddy(self) -> BuddyTracer: ...

    @property
    def page_ref(self) -> PageRefTracer: ...

    @property
    def vmscan(self) -> VmscanTracer: ...

    @property
    def compaction(self) -> CompactionTracer: ...

    @property
    def migrate(self) -> MigrateTracer: ...

    @property
    def filemap(self) -> FilemapTracer: ...

    @property
    def slab_common(self) -> SlabCommonTracer: ...

    @property
    def slub(self) -> SlubTracer: ...

    @property
    def vmalloc(self) -> VmallocTracer: ...

    @property
    def highmem(self) -> HighmemTracer: ...

    @property
    def fault(self) -> FaultTracer: ...

    @property
    def memory(self) -> MemoryTracer: ...

    @property
    def pagecache(self) -> PagecacheTracer: ...

    @property
    def lru(self) -> LruTracer: ...

    @property
    def swap(self) -> SwapTracer: ...

    @property
    def rmap(self) -> RmapTracer: ...

    @property
    def mmap(self) -> MmapTracer: ...

    @property
    def fork(self) -> ForkTracer: ...

    @property
    def huge_memory(self) -> HugeMemoryTracer: ...

    @property
    def hugetlb(self) -> HugetlbTracer: ...

    @property
    def oom(self) -> OomTracer: ...

    @property
    def mistakes(self) -> MistakesTracer: ...


class PageAllocTracer(Protocol):
    """Requests for page frames: zones against marks, bulk allocation, the slow path, the atomic reserve."""

    def request(self, gfp: int, order: int, alloc_flags: int, ac: AllocContext) -> None: ...

    def order_too_large(self, order: int, max_order: int) -> None: ...

    def split_page(self, pfn: int, order: int) -> None: ...

    def make_alloc_exact(self, pfn: int, order: int, nr: int) -> None: ...

    def free_pages_exact(self, address: int, size: int, pages: int) -> None: ...

    def alloc(self, pfn: int | None, order: int, gfp: int, migratetype: int) -> None: ...

    def watermark(
        self,
        free: int,
        unusable: int,
        minimum: int,
        lowmem_reserve: int,
        block: tuple[int, int] | None,
        *,
        enough: bool,
    ) -> None: ...

    def zone_tried(self, zone: Zone, order: int, mark: int, alloc_flags: int, *, ok: bool) -> None: ...

    def fragmenting(self, remote: Zone | None) -> None: ...

    def bulk_begins(self, nr_pages: int) -> None: ...

    def bulk_ends(self, zone: Zone | None, nr_pages: int, pages: list[int]) -> None: ...

    def highatomic(self, zone: Zone, pfn: int, max_managed: int, *, room: bool, reserved: bool) -> None: ...

    def unreserve(self, zone: Zone, pfn: int, migratetype: int, moved: int) -> None: ...

    def slowpath(self, gfp: int, order: int, alloc_flags: int) -> None: ...

    def no_reclaim(self, gfp: int) -> None: ...

    def reclaim(self, what: str, *, freed: int | None = None) -> None: ...

    def direct_compact(self, order: int) -> None: ...

    def may_oom(self, what: str, verdict: str) -> None: ...


class PcpTracer(Protocol):
    """Per-CPU lists."""

    def hit(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, migratetype: int) -> None: ...

    def refill_begins(
        self, zone: Zone, pcp: PerCpuPages, order: int, migratetype: int, blocks: int
    ) -> None: ...

    def refill(self, zone: Zone, order: int, pages: list[int]) -> None: ...

    def freed(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, high: int, *, full: bool) -> None: ...

    def lot_begins(self) -> None: ...

    def lot_ends(self) -> None: ...

    def nr_pcp_free(
        self,
        zone: Zone,
        pcp: PerCpuPages,
        high: int,
        free_factor: int,
        to_free: int,
        scaled: tuple[int, int] | None,
        *,
        free_high: bool,
    ) -> None: ...

    def drain(self, zone: Zone, pcp: PerCpuPages, to_free: int) -> None: ...

    def pcpu_drain(self, pfn: int, order: int, migratetype: int) -> None: ...


class BuddyTracer(Protocol):
    """Buddy lists: splits, steals, merges."""

    def half(self, pfn: int, order: int) -> None: ...

    def zone_locked(
        self, zone: Zone, pfn: int, order: int, found_order: int, migratetype: int, *, percpu_refill: bool
    ) -> None: ...

    def no_fallback(self, zone: Zone, order: int, min_order: int, start_type: int) -> None: ...

    def extfrag(
        self, zone: Zone, pfn: int, order: int, fallback_order: int, start_type: int, fallback_mt: int
    ) -> None: ...

    def pageblock(
        self,
        zone: Zone,
        pfn: int,
        free_pages: int,
        movable_pages: int,
        alike_pages: int,
        threshold: int,
        *,
        claimed: bool,
    ) -> None: ...

    def merged(
        self, zone: Zone, whole: tuple[int, int], freed: tuple[int, int], migratetype: int, *, tail: bool
    ) -> None: ...


class PageRefTracer(Protocol):
    """References to page frames, and frees."""

    def got(self, fn: str, pfn: int, head: int, before: int, after: int) -> None: ...

    def put(self, fn: str, pfn: int, order: int, before: int, after: int, *, last: bool) -> None: ...

    def free(self, pfn: int, order: int) -> None: ...

    def tail_freed(self, pfn: int, order: int, piece: int, left: int) -> None: ...

    def lost(self, pfn: int, order: int, total: int) -> None: ...

    def flags(self, fn: str, pfn: int, before: int, after: int) -> None: ...

    def wild(self, fn: str, address: int, pfn: int | None) -> None: ...

    def no_address(self, fn: str, address: int, pfn: int | None) -> None: ...


class FilemapTracer(Protocol):
    """The page lock."""

    def trylock(self, folio: int, *, taken: bool) -> None: ...

    def queued(self, folio: int, queue: list[Task], *, exclusive: bool) -> None: ...

    def lock_not_had(self, folio: int) -> None: ...

    def unlock(self, folio: int, queue: list[Task], *, waiters: bool) -> None: ...

    def waiter(self, folio: int, task: Task, *, exclusive: bool) -> None: ...

    def left_asleep(self, folio: int, queue: list[Task]) -> None: ...


class SlabCommonTracer(Protocol):
    """kmalloc, and the making of caches."""

    def kmalloc(self, address: int | None, requested: int, size: int, gfp: int, nid: int | None) -> None: ...

    def kmalloc_slab(
        self, s: KmemCache, size: int, gfp: int, row: int, index: int, entry: int | None
    ) -> None: ...

    def array_size(self, fn: str, n: int, size: int, total: int, size_max: int, *, fits: bool) -> None: ...

    def zero_size(self) -> None: ...

    def kmalloc_large(self, size: int, order: int, max_cache_size: int) -> None: ...

    def kfree_nothing(self, address: int | None) -> None: ...

    def kfree(self, address: int, slab: Slab | None) -> None: ...

    def free_large_kmalloc(self, pfn: int, order: int) -> None: ...

    def krealloc(self, address: int | None, ksize: int, size: int, *, fits: bool) -> None: ...

    def layout(self, s: KmemCache, cpus: int, wanted: int, *, opened: bool) -> None: ...


class SlubTracer(Protocol):
    """Where objects come from, and where they go."""

    def kmem_cache_alloc(self, s: KmemCache, address: int | None, gfp: int, nid: int | None) -> None: ...

    def kmem_cache_free(self, s: KmemCache, named: KmemCache, address: int) -> None: ...

    def fastpath(self, s: KmemCache, slab: Slab, index: int, left: int) -> None: ...

    def cpu_partial(self, slab: Slab, left: int) -> None: ...

    def node_mismatch(self, slab: Slab, nid: int) -> None: ...

    def get_freelist(self, slab: Slab, objects: int) -> None: ...

    def get_partial(
        self,
        s: KmemCache,
        nid: int,
        found: tuple[Slab, list[int]] | None,
        more: list[Slab],
        before: int,
        limit: int,
    ) -> None: ...

    def other_node(self, s: KmemCache, nid: int, nr_partial: int, *, plenty: bool) -> None: ...

    def allocate_slab(self, s: KmemCache, order: int, gfp: int) -> None: ...

    def new_slab(self, slab: Slab) -> None: ...

    def zeroed_with_ctor(self, s: KmemCache) -> None: ...

    def bulk_alloc(self, s: KmemCache, size: int, got: int, fast: int) -> None: ...

    def detached(self, slab: Slab, freed: list[int], left: int) -> None: ...

    def alloc_single(self, slab: Slab, index: int, *, new: bool) -> None: ...

    def free_fastpath(self, slab: Slab, freed: list[int], free: int) -> None: ...

    def free_slow(
        self, fn: str, slab: Slab, freed: list[int], partial: int, *, was_full: bool, discard: bool
    ) -> None: ...

    def put_cpu_partial(self, s: KmemCache, slab: Slab, before: int, *, drain: bool) -> None: ...

    def unfrozen(self, fn: str, slab: Slab, partial: int, *, discard: bool) -> None: ...

    def discard_slab(self, slab: Slab) -> None: ...


class VmallocTracer(Protocol):
    """Kernel addresses outside the direct map, and what is mapped there."""

    def vmalloc(self, size: int, pages: int, shift: int, vm_range: tuple[int, int]) -> None: ...

    def too_large(self, size: int, pages: int, total_pages: int) -> None: ...

    def module_alloc(self, size: int, vm_range: tuple[int, int]) -> None: ...

    def area_found(
        self, gap: tuple[int, int], address: int, size: int, align: int, vstart: int, vend: int, fit: str
    ) -> None: ...

    def no_area(self, size: int, vstart: int, vend: int, lazy_nr: int) -> None: ...

    def page_array(self, nr_pages: int, array_size: int, *, small: bool) -> None: ...

    def chunk(self, request: int, got: int, total: int, wanted: int, *, complete: bool) -> None: ...

    def area_pages(self, vm: VmStruct, runs: list[tuple[int, int]]) -> None: ...

    def page_table(self, shift: int, address: int, pfn: int | None) -> None: ...

    def mapped(self, address: int, pages: int, page_shift: int, writes: int) -> None: ...

    def vfree_deferred(self, address: int) -> None: ...

    def vunmap(self, vm: VmStruct) -> None: ...

    def area_lazy(self, va_start: int, pages: int, lazy_nr: int, threshold: int, *, over: bool) -> None: ...

    def purge(self, waiting: list[VmapArea], lazy_nr: int) -> None: ...

    def kvmalloc(self, address: int | None, size: int) -> None: ...

    def vmalloc_to_page(self, address: int, pfn: int | None, where: str) -> None: ...


class HighmemTracer(Protocol):
    """The slots of kmap."""

    def kmap(self, pfn: int, nr: int | None, uses: int, waiting: int) -> None: ...

    def kmap_search(self, first: int, nr: int) -> None: ...

    def kmap_flush(self, cleared: list[int], used: int) -> None: ...

    def kunmap(self, pfn: int, nr: int, uses: int, waiting: int, *, unused: bool) -> None: ...


class MistakesTracer(Protocol):
    """Mistakes of callers, by the functions that find them."""

    def mistake(self, name: str, facts: dict[str, Any]) -> None: ...
