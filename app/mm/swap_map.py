"""The use of swap slots: who names one, and how many are free.

Kernel: mm/swapfile.c. A slot's byte counts the entries that name it; one more bit says that the swap cache
has a page of it. Only when neither is left is the slot free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import errno, page_alloc
from app.mm import gfp as gfp_masks
from app.mm.swap_info import (
    COUNT_CONTINUED,
    SWAP_HAS_CACHE,
    SWAP_MAP_BAD,
    SWAP_MAP_MAX,
    SWAP_MAP_SHMEM,
    SWP_WRITEOK,
)
from app.mm.swapops import swp_entry, swp_offset, swp_type

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.swap_info import Swap, SwapInfo


def swap_of(m: Kernel) -> Swap:
    """The machine's swap, which there is. Kernel: the globals of mm/swapfile.c"""
    swap = m.vm.swap
    assert swap is not None
    return swap


def info_of(m: Kernel, entry: int) -> SwapInfo:
    """The area of an entry. Kernel: swp_swap_info"""
    return swap_of(m).area(swp_type(entry))


def tell(m: Kernel, entry: int) -> None:
    """Note that a slot came to another use, if somebody wants to know."""
    if m.vm.slots is not None:
        m.vm.slots.append(entry)


def get_nr_swap_pages(m: Kernel) -> int:
    """How many slots are free. Kernel: include/linux/swap.h get_nr_swap_pages

    Those in the CPUs' stocks are not: they were taken when the stock was filled.
    """
    return m.vm.nr_swap_pages


def vm_swap_full(m: Kernel) -> bool:
    """Whether more than half of swap is taken; then slots are given up early. Kernel: vm_swap_full"""
    return get_nr_swap_pages(m) * 2 < m.vm.total_swap_pages


# -- counting --------------------------------------------------------------------------------------


def swap_count(m: Kernel, entry: int) -> int:
    """How many entries name the slot, as far as its byte tells. Kernel: __swp_swapcount"""
    return info_of(m, entry).swap_map[swp_offset(entry)] & ~SWAP_HAS_CACHE


def swp_swapcount(m: Kernel, entry: int) -> int:
    """How many entries name the slot, exactly. Kernel: swp_swapcount"""
    si, offset = info_of(m, entry), swp_offset(entry)
    count = si.swap_map[offset] & ~SWAP_HAS_CACHE
    if not count & COUNT_CONTINUED:
        return count
    return (count & ~COUNT_CONTINUED) + si.continued[offset] * (SWAP_MAP_MAX + 1)


def swap_duplicate(m: Kernel, entry: int, gfp: int = gfp_masks.GFP_ATOMIC) -> bool:
    """One more entry names the slot; whether it could be counted. Kernel: swap_duplicate

    The byte counts to 62. Who comes after needs a page for what runs over, which may not be had.
    """
    if duplicate(m, entry):
        return True
    si, offset = info_of(m, entry), swp_offset(entry)
    if si.swap_map[offset] & ~SWAP_HAS_CACHE != SWAP_MAP_MAX or not add_continuation(m, si, offset, gfp):
        return False
    return duplicate(m, entry)


def duplicate(m: Kernel, entry: int) -> bool:
    """The same where the byte, or a page that is there, can count it. Kernel: __swap_duplicate"""
    si, offset = info_of(m, entry), swp_offset(entry)
    byte = si.swap_map[offset]
    cached, count = byte & SWAP_HAS_CACHE, byte & ~SWAP_HAS_CACHE
    if not byte or byte == SWAP_MAP_BAD:
        return False
    tell(m, entry)
    if count & ~COUNT_CONTINUED < SWAP_MAP_MAX:
        si.swap_map[offset] = count + 1 | cached
        return True
    if count & ~COUNT_CONTINUED > SWAP_MAP_MAX or offset >> 12 not in si.continuations:
        return False
    si.continued[offset] = si.continued.get(offset, 0) + 1
    si.swap_map[offset] = COUNT_CONTINUED | cached
    return True


def add_continuation(m: Kernel, si: SwapInfo, offset: int, gfp: int) -> bool:
    """Get the page that counts on for a page of the map. Kernel: add_swap_count_continuation"""
    if offset >> 12 not in si.continuations:
        pfn = page_alloc.alloc_pages(m, gfp | gfp_masks.__GFP_HIGHMEM, 0)
        if pfn is None:
            return False
        si.continuations[offset >> 12] = pfn
    return True


def swapcache_prepare(m: Kernel, entry: int) -> int:
    """The swap cache shall have a page of the slot: 0, −EEXIST where it has, −ENOENT where nobody needs it.

    Kernel: swapcache_prepare
    """
    si, offset = info_of(m, entry), swp_offset(entry)
    byte = si.swap_map[offset]
    if byte & ~SWAP_HAS_CACHE == SWAP_MAP_BAD or not byte:
        return -errno.ENOENT
    if byte & SWAP_HAS_CACHE:
        return -errno.EEXIST
    si.swap_map[offset] = byte | SWAP_HAS_CACHE
    tell(m, entry)
    return 0


def swap_shmem_alloc(m: Kernel, entry: int) -> None:
    """The slot is a file's of tmpfs, which names it once and never more. Kernel: swap_shmem_alloc"""
    si, offset = info_of(m, entry), swp_offset(entry)
    si.swap_map[offset] = SWAP_MAP_SHMEM | si.swap_map[offset] & SWAP_HAS_CACHE
    tell(m, entry)


def entry_free(m: Kernel, si: SwapInfo, offset: int, usage: int) -> int:
    """One use less: an entry's (1), or the swap cache's; what is left. Kernel: __swap_entry_free_locked

    With the last the byte still says that the cache has it, so that nobody takes the slot before it is back.
    """
    byte = si.swap_map[offset]
    cached, count = byte & SWAP_HAS_CACHE, byte & ~SWAP_HAS_CACHE
    if usage == SWAP_HAS_CACHE:
        cached = 0
    elif count == SWAP_MAP_SHMEM:
        count = 0
    elif count == COUNT_CONTINUED:
        si.continued[offset] -= 1
        more = si.continued[offset] > 0
        if not more:
            del si.continued[offset]
        count = SWAP_MAP_MAX | (COUNT_CONTINUED if more else 0)
    else:
        count -= 1
    left = count | cached
    si.swap_map[offset] = left or SWAP_HAS_CACHE
    tell(m, swp_entry(si.type, offset))
    return left


# -- slots back to their area ----------------------------------------------------------------------


def swapcache_free_entries(m: Kernel, entries: list[int]) -> None:
    """Give slots back to their areas. Kernel: swapcache_free_entries, swap_entry_free"""
    if len(swap_of(m).info) > 1:
        entries = sorted(entries, key=swp_type)
    for entry in entries:
        si, offset = info_of(m, entry), swp_offset(entry)
        si.swap_map[offset] = 0
        tell(m, entry)
        if si.cluster_info is not None:
            si.cluster_info.dec(offset)
        swap_range_free(m, si, offset)


def swap_range_free(m: Kernel, si: SwapInfo, offset: int) -> None:
    """A slot is free: what is known of the area, and what reclaim had left there. Kernel: swap_range_free"""
    swap = swap_of(m)
    si.lowest_bit = min(si.lowest_bit, offset)
    if offset > si.highest_bit:
        if not si.highest_bit and si.flags & SWP_WRITEOK:
            swap.add_to_avail_list(si)
        si.highest_bit = offset
    m.vm.nr_swap_pages += 1
    si.inuse_pages -= 1
    si.contents.pop(offset, None)
    si.forgotten.pop(offset, None)
    entry = swp_entry(si.type, offset)
    if entry not in swap.cache:
        swap.shadows.pop(entry, None)
