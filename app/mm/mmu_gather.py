"""Gathering what is unmapped, so that translations are flushed once and frames freed afterwards.

Kernel: mm/mmu_gather.c. A frame may not be used again while a processor might still have the old translation.
So an unmapping collects user pages and page tables in one queue, flushes, and only then frees them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import lru, page_alloc, page_free, swap, swapfile
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct

MMU_GATHER_BUNDLE: Final = 8
MAX_GATHER_BATCH: Final = {"x86_64": 510, "i386": 1021}
MAX_GATHER_COUNT: Final = 10000
RELEASE_AT_ONCE: Final = 512


class MmuGather:
    """The queue of one unmapping. Kernel: struct mmu_gather

    batches: frames, the first eight on the stack, each further list in a page of `pages`. active: which list
    is being filled.
    """

    __slots__ = ("active", "batches", "limit", "mm", "pages")

    def __init__(self, mm: MmStruct, arch: str) -> None:
        self.mm = mm
        self.batches: list[list[int]] = [[]]
        self.pages: list[int] = []
        self.active = 0
        self.limit = MAX_GATHER_BATCH[arch]


def gather(m: Kernel, mm: MmStruct) -> MmuGather:
    """Begin. Kernel: tlb_gather_mmu"""
    return MmuGather(mm, m.model.arch)


def remove_page(m: Kernel, tlb: MmuGather, pfn: int) -> bool:
    """Queue a frame; whether the queue can take no more and must be flushed. Kernel: __tlb_remove_page"""
    batch = tlb.batches[tlb.active]
    batch.append(pfn)
    if len(batch) == (tlb.limit if tlb.active else MMU_GATHER_BUNDLE):
        return not next_batch(m, tlb)
    return False


@traced
def next_batch(m: Kernel, tlb: MmuGather) -> bool:
    """Go on to a further page of the queue, a new one if need be. Kernel: tlb_next_batch

    Without memory the queue just stays short: unmapping must never fail.
    """
    if tlb.active + 1 == len(tlb.batches):
        if len(tlb.pages) == MAX_GATHER_COUNT // tlb.limit:
            return False
        pfn = page_alloc.get_free_pages(m, gfp_masks.GFP_NOWAIT | gfp_masks.__GFP_NOWARN, 0)
        if pfn is None:
            return False
        if m.trace is not None:
            m.trace.mmap.gather_page(pfn, len(tlb.batches[tlb.active]))
        tlb.pages.append(pfn)
        tlb.batches.append([])
    tlb.active += 1
    return True


@traced
def flush(m: Kernel, tlb: MmuGather) -> None:
    """Flush translations and free what is queued. Kernel: tlb_flush_mmu, tlb_batch_pages_flush

    The drain before is for the references that the LRU batches hold: without it many of the pages would not
    be free yet.
    """
    if m.trace is not None and tlb.batches[0]:
        m.trace.mmap.flush(sum(map(len, tlb.batches)))
    for batch in tlb.batches:
        if not batch:
            break
        for start in range(0, len(batch), RELEASE_AT_ONCE):
            swap.lru_add_drain(m)
            if m.vm.swap is not None:
                free_swap_caches(m, batch[start : start + RELEASE_AT_ONCE])
            lru.release_pages(m, batch[start : start + RELEASE_AT_ONCE])
            m.breathe()
        batch.clear()
    tlb.active = 0


def free_swap_caches(m: Kernel, pages: list[int]) -> None:
    """Pages that nobody maps any more give up their slots. Kernel: free_pages_and_swap_cache"""
    for pfn in pages:
        if pfn not in m.pages:
            swapfile.free_swap_cache(m, pfn)


def finish(m: Kernel, tlb: MmuGather) -> None:
    """Flush, and give the pages of the queue itself back. Kernel: tlb_finish_mmu"""
    flush(m, tlb)
    for pfn in tlb.pages:
        page_free.free_pages(m, pfn, 0)
    tlb.pages = []
    tlb.batches = [[]]
