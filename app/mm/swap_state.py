"""The swap cache: pages that are in memory and have a slot in swap.

Kernel: mm/swap_state.c. A page on its way out is in it until it is written and unmapped; a page on its way in
is in it from before it is read, so that all who want it get the same one. As long as it stays there unchanged
it need not be written again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_ref, swap_map, swap_slots
from app.mm.mem_map import PG_readahead, PG_swapbacked, set_flags
from app.mm.page import PG_swapcache

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea

SWAP_RA_HITS_MAX: Final = 63


def is_swapcache(m: Kernel, pfn: int) -> bool:
    """Whether the swap cache has the page. Kernel: folio_test_swapcache"""
    both = PG_swapcache | PG_swapbacked
    return mem_map.flags(m, mem_map.compound_head(m, pfn)) & both == both


def add_to_swap_cache(m: Kernel, pfn: int, entry: int) -> int | None:
    """Put a page into the cache, which holds a reference; returns the shadow that stood there.

    Kernel: add_to_swap_cache
    """
    state = swap_map.swap_of(m)
    mem_map.get_page(m, pfn)
    set_flags(m, pfn, PG_swapcache)
    state.cache[entry] = pfn
    state.entries[pfn] = entry
    m.vm.count("file_pages")
    m.vm.count("swapcached")
    page_ref.tell_state(m, pfn)
    return state.shadows.pop(entry, None)


def delete_from_swap_cache(m: Kernel, pfn: int, shadow: int | None = None) -> None:
    """Take a page out of the cache, with the cache's reference; the slot has one use less.

    Kernel: delete_from_swap_cache, and mm/vmscan.c __remove_mapping for what reclaim does: then `shadow` says
    when the page was evicted, and stays in its place as long as anybody needs the slot.
    """
    state = swap_map.swap_of(m)
    entry = state.entries.pop(pfn)
    del state.cache[entry]
    if shadow is not None:
        state.shadows[entry] = shadow
    set_flags(m, pfn, 0, PG_swapcache)
    m.vm.count("file_pages", -1)
    m.vm.count("swapcached", -1)
    swap_slots.put_swap_folio(m, entry)
    mem_map.section(m, pfn).refcount[pfn & 511] -= 1
    if mem_map.known(m, pfn):
        page_ref.tell_state(m, pfn)


def replace_in_swap_cache(m: Kernel, old: int, new: int) -> None:
    """Another frame takes the page's place. Kernel: mm/migrate.c folio_migrate_mapping"""
    state = swap_map.swap_of(m)
    entry = state.entries[new] = state.entries.pop(old)
    state.cache[entry] = new


def swap_cache_get_folio(m: Kernel, entry: int, vma: VmArea | None, address: int) -> int | None:
    """The page of a slot, with a reference, if the cache has it. Kernel: swap_cache_get_folio

    If it was read ahead, reading ahead was right, and the next window will be larger.
    """
    state = swap_map.swap_of(m)
    pfn = state.cache.get(entry)
    if m.trace is not None:
        ahead = pfn is not None and bool(mem_map.flags(m, pfn) & PG_readahead)
        m.trace.swap.lookup(address, entry, pfn, ahead=ahead)
    if pfn is None:
        return None
    mem_map.get_page(m, pfn)
    hit = mem_map.test_clear_flag(m, pfn, PG_readahead)
    by_address = vma is not None and not state.nr_rotate_swap
    if vma is not None and by_address:
        _, window, hits = vma.swap_readahead
        vma.swap_readahead = (address >> 12, window, min(hits + hit, SWAP_RA_HITS_MAX))
    if hit:
        m.vm.count("swap_ra_hit")
        state.swapin_readahead_hits += not by_address
    return pfn
