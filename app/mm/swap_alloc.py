"""A slot for a page that is to be swapped out. Kernel: mm/swap_slots.c, mm/swap_state.c"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import mem_map, swap_map, swap_slots, swap_state, swapfile_scan
from app.mm.mem_map import set_flags
from app.mm.page import PG_dirty
from app.mm.swap_info import SWAP_SLOTS_CACHE_SIZE
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


@traced
def folio_alloc_swap(m: Kernel) -> int:
    """A slot for a page; 0 where there is none. Kernel: folio_alloc_swap

    Only small pages get one: a huge page is split first.
    """
    swap = swap_map.swap_of(m)
    if swap_slots.check_cache_active(m):
        stock = swap.cpu_slots[m.current.cpu]
        if not stock.slots:
            stock.cur = 0
            stock.slots = swapfile_scan.get_swap_pages(m, SWAP_SLOTS_CACHE_SIZE)
        if stock.slots:
            stock.cur += 1
            entry = stock.slots.pop(0)
            if m.trace is not None:
                m.trace.swap.slot(len(stock.slots), stock=True)
            return entry
    found = swapfile_scan.get_swap_pages(m, 1)
    if m.trace is not None:
        if found:
            m.trace.swap.slot(0, stock=False)
        else:
            m.trace.swap.no_slot()
    return found[0] if found else 0


def add_to_swap(m: Kernel, pfn: int) -> bool:
    """Give an anonymous page a slot, and put it into the cache; whether there was a slot.

    Kernel: add_to_swap. It is dirty from now on, since the slot has nothing yet. A huge page gets none: it
    must be split first.
    """
    if m.vm.swap is None or mem_map.compound_order(m, pfn):
        return False
    entry = folio_alloc_swap(m)
    if not entry:
        return False
    swap_state.add_to_swap_cache(m, pfn, entry)
    set_flags(m, pfn, PG_dirty, mem_map.PG_reclaim)
    if m.trace is not None:
        m.trace.swap.added(pfn, entry)
    return True
