"""Each CPU's own stock of swap slots, so that the area's lock is taken once for many of them.

Kernel: mm/swap_slots.c. Slots are taken 64 at a time, and those given back are gathered in a second stock of
64. While swap is short there are no stocks: a slot in one of them is no use to anybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import swap_map
from app.mm.swap_info import SWAP_HAS_CACHE, SWAP_SLOTS_CACHE_SIZE
from app.mm.swapops import swp_offset

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Free slots, for each CPU, above which the stocks are used, and below which they are given up.
THRESHOLD_ACTIVATE: Final = 5 * SWAP_SLOTS_CACHE_SIZE
THRESHOLD_DEACTIVATE: Final = 2 * SWAP_SLOTS_CACHE_SIZE


def check_cache_active(m: Kernel) -> bool:
    """Whether the stocks are used now; there must be enough slots for all. Kernel: check_cache_active"""
    swap = swap_map.swap_of(m)
    if not swap.slot_cache_enabled:
        return False
    cpus = len(swap.cpu_slots)
    if not swap.slot_cache_active:
        swap.slot_cache_active = m.vm.nr_swap_pages > cpus * THRESHOLD_ACTIVATE
    elif m.vm.nr_swap_pages < cpus * THRESHOLD_DEACTIVATE:
        swap.slot_cache_active = False
        drain_swap_slots_cache(m)
    return swap.slot_cache_active


def drain_swap_slots_cache(m: Kernel) -> None:
    """Give all slots of the stocks back to their areas. Kernel: __drain_swap_slots_cache"""
    for stock in swap_map.swap_of(m).cpu_slots:
        slots, stock.slots, stock.cur = stock.slots, [], 0
        swap_map.swapcache_free_entries(m, slots)
        slots, stock.slots_ret = stock.slots_ret, []
        swap_map.swapcache_free_entries(m, slots)


def free_swap_slot(m: Kernel, entry: int) -> None:
    """A slot that nobody uses any more goes to the stock; a full stock goes to its area first.

    Kernel: free_swap_slot
    """
    swap = swap_map.swap_of(m)
    if not (swap.slot_cache_active and swap.slot_cache_enabled):
        swap_map.swapcache_free_entries(m, [entry])
        if m.trace is not None:
            m.trace.swap.returned(entry, 0, stock=False)
        return
    stock = swap.cpu_slots[m.current.cpu]
    if len(stock.slots_ret) >= SWAP_SLOTS_CACHE_SIZE:
        slots, stock.slots_ret = stock.slots_ret, []
        swap_map.swapcache_free_entries(m, slots)
    stock.slots_ret.append(entry)
    if m.trace is not None:
        m.trace.swap.returned(entry, len(stock.slots_ret), stock=True)


def swap_free(m: Kernel, entry: int) -> int:
    """One entry less names the slot; what is left of its use. Kernel: swap_free, __swap_entry_free"""
    left = swap_map.entry_free(m, swap_map.info_of(m, entry), swp_offset(entry), 1)
    if not left:
        free_swap_slot(m, entry)
    return left


def put_swap_folio(m: Kernel, entry: int) -> None:
    """The swap cache has no page of the slot any more. Kernel: put_swap_folio"""
    if not swap_map.entry_free(m, swap_map.info_of(m, entry), swp_offset(entry), SWAP_HAS_CACHE):
        free_swap_slot(m, entry)
