"""When a page of the swap cache gives up its slot. Kernel: mm/swapfile.c, mm/swap_state.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import lru, mem_map, swap_map, swap_slots, swap_state
from app.mm.page import PG_dirty, PG_locked, PG_writeback
from app.mm.swap_info import SWAP_HAS_CACHE
from app.mm.swapops import swp_entry, swp_offset

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.swap_info import SwapInfo

# When it is time for that. Kernel: TTRS_ANYWAY, TTRS_UNMAPPED, TTRS_FULL
TTRS_ANYWAY: Final = 1
TTRS_UNMAPPED: Final = 2
TTRS_FULL: Final = 4


def try_to_free_swap(m: Kernel, head: int) -> bool:
    """A page of the swap cache gives up its slot, if no entry names it. Kernel: folio_free_swap

    It is dirty then: the slot had its contents, and now only the page has.
    """
    bits = mem_map.flags(m, head)
    if not swap_state.is_swapcache(m, head) or bits & PG_writeback:
        return False
    if swap_map.swap_count(m, swap_map.swap_of(m).entries[head]):
        return False
    entry = swap_map.swap_of(m).entries[head]
    swap_state.delete_from_swap_cache(m, head)
    mem_map.set_flags(m, head, PG_dirty)
    if m.trace is not None:
        m.trace.swap.given_up(head, entry)
    return True


def try_to_reclaim_swap(m: Kernel, si: SwapInfo, offset: int, flags: int) -> bool:
    """The page of a slot gives it up, if it is time; whether it did. Kernel: __try_to_reclaim_swap"""
    pfn = swap_map.swap_of(m).cache.get(swp_entry(si.type, offset))
    if pfn is None or mem_map.flags(m, pfn) & PG_locked:
        return False
    due = (
        flags & TTRS_ANYWAY
        or (flags & TTRS_UNMAPPED and not mem_map.is_mapped(m, pfn))
        or (flags & TTRS_FULL and swap_map.vm_swap_full(m))
    )
    mem_map.get_page(m, pfn)
    done = bool(due) and try_to_free_swap(m, pfn)
    lru.put_page(m, pfn)
    return done


def free_swap_and_cache(m: Kernel, entry: int) -> None:
    """An entry that named the slot is gone: so may be the page of it. Kernel: free_swap_and_cache"""
    if swap_slots.swap_free(m, entry) == SWAP_HAS_CACHE:
        try_to_reclaim_swap(m, swap_map.info_of(m, entry), swp_offset(entry), TTRS_UNMAPPED | TTRS_FULL)


def free_swap_cache(m: Kernel, pfn: int) -> None:
    """A page that was unmapped gives up its slot, if nobody maps it any more. Kernel: free_swap_cache"""
    if (
        swap_state.is_swapcache(m, pfn)
        and not mem_map.is_mapped(m, pfn)
        and not mem_map.flags(m, pfn) & PG_locked
    ):
        try_to_free_swap(m, pfn)
