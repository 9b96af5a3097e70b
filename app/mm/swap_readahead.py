"""Bringing pages back from swap: which slots are read besides the one that is wanted.

Kernel: mm/swap_state.c swapin_readahead. On a disk that turns, the neighbours of a slot cost nearly nothing,
and were probably written at the same time: an aligned window of slots is read, the larger the more of the
last ones were wanted. Where nothing turns, the neighbours of the address are taken instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import lru, mem_map, page_io, swap, swap_map, swap_state, workingset
from app.mm.mem_map import PG_readahead, PG_swapbacked, set_flags
from app.mm.pgtable_types import PMD_SIZE
from app.mm.swapops import is_swap_pte, pte_to_swp_entry, swp_entry, swp_offset, swp_type
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea

GFP_SWAPIN: Final = gfp_masks.GFP_HIGHUSER_MOVABLE | gfp_masks.__GFP_COMP
PAGE_CLUSTER: Final = 3
MOST: Final = 1 << PAGE_CLUSTER


@traced
def swapin_readahead(m: Kernel, entry: int, vma: VmArea | None, address: int) -> int | None:
    """The page of a slot, with a reference, read with others if need be; None without memory.

    Kernel: swapin_readahead. Pages of tmpfs are always read with the neighbours of their slot.
    """
    if vma is None or swap_map.swap_of(m).nr_rotate_swap:
        entries = cluster_window(m, entry)
    else:
        entries = vma_window(m, vma, entry, address)
    read: list[tuple[int, int]] = []
    if entries is not None:
        for other in entries:
            read_ahead(m, other, read, wanted=other == entry)
        swap.lru_add_drain(m)
    pfn = read_swap(m, entry, read)
    if m.trace is not None:
        m.trace.swap.read(entry, read, len(entries or (entry,)))
    return pfn


def read_ahead(m: Kernel, entry: int, read: list[tuple[int, int]], *, wanted: bool) -> None:
    """Read one slot of the window; what was not asked for is marked, so that a later use of it is seen."""
    pfn = read_swap(m, entry, read)
    if pfn is None:
        return
    if not wanted and read and read[-1] == (entry, pfn):
        mem_map.set_flags(m, pfn, PG_readahead)
        m.vm.count("swap_ra")
    lru.put_page(m, pfn)


def read_swap_cache_async(m: Kernel, entry: int) -> tuple[int, bool] | None:
    """The page of a slot, with a reference, and whether it is a new one that is to be read

    Kernel: __read_swap_cache_async. None where nobody uses the slot, or without memory.
    """
    state = swap_map.swap_of(m)
    pfn = state.cache.get(entry)
    if pfn is not None:
        mem_map.get_page(m, pfn)
        return pfn, False
    if not swap_map.swap_count(m, entry) and state.slot_cache_enabled:
        return None
    pfn = mem_map.alloc_page(m, GFP_SWAPIN)
    if pfn is None:
        return None
    if swap_map.swapcache_prepare(m, entry):
        lru.put_page(m, pfn)
        return None
    set_flags(m, pfn, PG_swapbacked)
    # The kernel leaves there what the frame was before, which a state that is loaded does not know.
    mem_map.section(m, pfn).index[pfn & 511] = 0
    shadow = swap_state.add_to_swap_cache(m, pfn, entry)
    if shadow is not None:
        workingset.workingset_refault(m, pfn, shadow)
    swap.folio_add_lru(m, pfn)
    return pfn, True


def read_swap(m: Kernel, entry: int, read: list[tuple[int, int]]) -> int | None:
    """The page of one slot, with a reference. read: gets slot and frame of what had to be read.

    Kernel: read_swap_cache_async
    """
    found = read_swap_cache_async(m, entry)
    if found is None:
        return None
    pfn, new = found
    if new:
        page_io.swap_readpage(m, pfn, entry)
        read.append((entry, pfn))
    return pfn


def window_size(previous: int, offset: int, hits: int, last: int) -> int:
    """How many pages to read. Kernel: __swapin_nr_pages

    hits: how many pages that were read ahead have been wanted since. last: the size of the last window,
    which never shrinks to less than half.
    """
    pages = hits + 2
    if pages == 2:
        if abs(offset - previous) != 1:
            pages = 1
    else:
        pages = max(4, 1 << (pages - 1).bit_length())
    return max(min(pages, MOST), last // 2)


def cluster_window(m: Kernel, entry: int) -> list[int] | None:
    """The aligned window of slots around one; None for one page. Kernel: swapin_nr_pages"""
    state = swap_map.swap_of(m)
    offset = swp_offset(entry)
    hits, state.swapin_readahead_hits = state.swapin_readahead_hits, 0
    pages = window_size(state.prev_offset, offset, hits, state.last_readahead_pages)
    if m.trace is not None:
        m.trace.swap.window(entry, hits, state.prev_offset, state.last_readahead_pages, pages)
    if not hits:
        state.prev_offset = offset
    state.last_readahead_pages = pages
    if pages == 1:
        return None
    mask = pages - 1
    first = max(offset & ~mask, 1)
    last = min(offset | mask, swap_map.info_of(m, entry).max - 1)
    return [swp_entry(swp_type(entry), at) for at in range(first, last + 1)]


def vma_window(m: Kernel, vma: VmArea, entry: int, address: int) -> list[int] | None:
    """The slots of the pages around an address, which were wanted together once. Kernel: swap_vma_readahead

    The window lies ahead of the address, or behind it where the process goes downwards, else around it.
    """
    page = address >> 12
    previous, last, hits = vma.swap_readahead
    pages = window_size(previous, page, hits, last)
    if m.trace is not None:
        m.trace.swap.window(entry, hits, previous, last, pages)
    vma.swap_readahead = (page, pages, 0)
    if pages == 1:
        return None
    if page == previous + 1:
        low, high = page, page + pages
    elif previous == page + 1:
        low, high = page - pages + 1, page + 1
    else:
        low = page - (pages - 1) // 2
        high = low + pages
    low = max(low, vma.vm_start >> 12, (address & -PMD_SIZE) >> 12)
    high = min(high, vma.vm_end >> 12, (address & -PMD_SIZE) + PMD_SIZE >> 12)
    table = vma.vm_mm.tables[1][address >> 21]
    entries = [table.entries[at & 511] for at in range(low, high)]
    return [pte_to_swp_entry(pte) for pte in entries if is_swap_pte(pte)]
