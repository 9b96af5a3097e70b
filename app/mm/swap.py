"""LRU lists and the batches in which pages come to them.

Kernel: mm/swap.c, include/linux/mm_inline.h. A list is shared by all CPUs, so pages are gathered in small
batches and moved fifteen at a time, under one hold of the lock. While a page waits in a batch the batch holds
a reference to it and it is on no list: that is why a fresh page has a count of 2, and why copy on write may
copy a page that nobody else maps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, mlock, workingset
from app.mm.lru import PAGEVEC_SIZE, lruvec_add, lruvec_add_tail, lruvec_del, release_pages, still_there
from app.mm.mem_map import PG_swapbacked, compound_order, set_flags
from app.mm.mm_types import VM_LOCKED, VM_SPECIAL
from app.mm.page import (
    PG_active,
    PG_dirty,
    PG_locked,
    PG_lru,
    PG_mlocked,
    PG_referenced,
    PG_swapcache,
    PG_unevictable,
    PG_writeback,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea


# -- batches ---------------------------------------------------------------------------------------


def batch_add_and_move(m: Kernel, name: str, head: int) -> None:
    """Queue a page; move the whole batch when it is full or the page is large.

    Kernel: folio_batch_add_and_move
    """
    batch = m.vm.batches[name]
    batch.append(head)
    if m.vm.moved is not None:
        m.vm.moved.append(head)
    full = len(batch) == PAGEVEC_SIZE or m.vm.sections[head >> 9].order > 0
    if m.trace is not None:
        m.trace.lru.queued(name, head, len(batch), full=full)
    if full:
        batch_move(m, name)


def batch_move(m: Kernel, name: str) -> None:
    """Do to each page what the batch is for, and drop its references. Kernel: folio_batch_move_lru

    A page that meanwhile left its list is left alone; only new ones have not been on a list yet.
    """
    batch = m.vm.batches[name]
    move = MOVES[name]
    sections = m.vm.sections
    some_gone = False
    for head in batch:
        s, i = sections.get(head >> 9), head & 511
        if s is None or not (s.refcount[i] > 0 or s.flags[i]):
            some_gone = True
            continue
        flags = s.flags
        if name != "add":
            if not flags[i] & PG_lru:
                continue
            flags[i] &= ~PG_lru
        elif flags[i] & PG_lru:
            continue
        move(m, head)
        flags[i] |= PG_lru
    m.vm.batches[name] = []
    if some_gone:
        batch = still_there(m, batch)
    if m.trace is not None:
        m.trace.lru.moved(name, batch)
    release_pages(m, batch)


def lru_add_fn(m: Kernel, head: int) -> None:
    """A new page goes to the head of its list. Kernel: lru_add_fn"""
    if mem_map.flags(m, head) & (PG_unevictable | PG_mlocked):
        was_unevictable = mem_map.test_clear_flag(m, head, PG_unevictable)
        if mem_map.is_evictable(m, head):
            m.vm.count("unevictable_pgs_rescued")
        else:
            set_flags(m, head, PG_unevictable, PG_active)
            if mem_map.flags(m, head) & PG_mlocked:
                m.vm.mlock_counts[head] = 1
            if not was_unevictable:
                m.vm.count("unevictable_pgs_culled")
    lruvec_add(m, head)


def lru_deactivate_file_fn(m: Kernel, head: int) -> None:
    """A page that could not be dropped is looked at first by reclaim. Kernel: lru_deactivate_file_fn"""
    bits = mem_map.flags(m, head)
    if bits & PG_unevictable or mem_map.is_mapped(m, head):
        return
    lruvec_del(m, head)
    set_flags(m, head, 0, PG_active | PG_referenced)
    if bits & (PG_dirty | PG_writeback):
        lruvec_add(m, head)
        set_flags(m, head, mem_map.PG_reclaim)
    else:
        lruvec_add_tail(m, head)
        m.vm.count("pgrotated")
    if bits & PG_active:
        m.vm.count("pgdeactivate")


def lru_move_tail_fn(m: Kernel, head: int) -> None:
    """A page that has been written is the next to be reclaimed. Kernel: lru_move_tail_fn"""
    if not mem_map.flags(m, head) & PG_unevictable:
        lruvec_del(m, head)
        set_flags(m, head, 0, PG_active)
        lruvec_add_tail(m, head)
        m.vm.count("pgrotated", 1 << compound_order(m, head))


def lru_deactivate_fn(m: Kernel, head: int) -> None:
    """A page that its owner calls cold leaves the active list. Kernel: lru_deactivate_fn"""
    if mem_map.flags(m, head) & (PG_active | PG_unevictable) == PG_active:
        lruvec_del(m, head)
        set_flags(m, head, 0, PG_active | PG_referenced)
        lruvec_add(m, head)
        m.vm.count("pgdeactivate", 1 << compound_order(m, head))


def lru_lazyfree_fn(m: Kernel, head: int) -> None:
    """What MADV_FREE gave up stands with clean file pages: it can be dropped without swap.

    Kernel: lru_lazyfree_fn
    """
    bits = mem_map.flags(m, head) & (PG_swapbacked | PG_swapcache | PG_unevictable)
    if mem_map.is_anon(m, head) and bits == PG_swapbacked:
        lruvec_del(m, head)
        set_flags(m, head, 0, PG_active | PG_referenced | PG_swapbacked)
        lruvec_add(m, head)
        m.vm.count("pglazyfree", 1 << compound_order(m, head))


def folio_activate_fn(m: Kernel, head: int) -> None:
    """A page that was used twice moves to the active list. Kernel: folio_activate_fn"""
    if not mem_map.flags(m, head) & (PG_active | PG_unevictable):
        lruvec_del(m, head)
        set_flags(m, head, PG_active)
        lruvec_add(m, head)
        m.vm.count("pgactivate", 1 << compound_order(m, head))


MOVES: Final[dict[str, Callable[[Kernel, int], None]]] = {
    "add": lru_add_fn,
    "rotate": lru_move_tail_fn,
    "deactivate_file": lru_deactivate_file_fn,
    "deactivate": lru_deactivate_fn,
    "lazyfree": lru_lazyfree_fn,
    "activate": folio_activate_fn,
}


def lru_add_drain(m: Kernel) -> None:
    """Empty this CPU's batches. Kernel: lru_add_drain"""
    for name in MOVES:
        if m.vm.batches[name]:
            batch_move(m, name)
    mlock.mlock_page_drain(m)


# -- entries ---------------------------------------------------------------------------------------


def folio_add_lru(m: Kernel, head: int) -> None:
    """Queue a new page for its list. Kernel: folio_add_lru"""
    m.vm.sections[head >> 9].refcount[head & 511] += 1
    batch_add_and_move(m, "add", head)


def folio_add_lru_many(m: Kernel, pfns: list[int]) -> None:
    """Queue new small pages, whose counts have the batch's reference in them."""
    vm = m.vm
    batch = vm.batches["add"]
    if vm.moved is not None:
        vm.moved.extend(pfns)
    for pfn in pfns:
        batch.append(pfn)
        if len(batch) == PAGEVEC_SIZE:
            batch_move(m, "add")
            batch = vm.batches["add"]


def folio_activate(m: Kernel, head: int) -> None:
    """Queue a page for the active list. Kernel: folio_activate"""
    if mem_map.flags(m, head) & (PG_lru | PG_active | PG_unevictable) == PG_lru:
        mem_map.get_page(m, head)
        batch_add_and_move(m, "activate", head)


def mark_page_accessed(m: Kernel, pfn: int) -> None:
    """Note a use that the kernel has seen: the first sets a bit, the second activates.

    Kernel: folio_mark_accessed. Page faults do not call it; the processor's accessed bit is looked at later.
    """
    head = mem_map.compound_head(m, pfn)
    bits = mem_map.flags(m, head)
    if not bits & PG_referenced:
        set_flags(m, head, PG_referenced)
    elif not bits & (PG_unevictable | PG_active):
        if bits & PG_lru:
            folio_activate(m, head)
        elif head in m.vm.batches["add"]:
            set_flags(m, head, PG_active)
        set_flags(m, head, 0, PG_referenced)
        workingset.workingset_activation(m, head)


def folio_rotate_reclaimable(m: Kernel, head: int) -> None:
    """Queue a page whose writeback has ended for the tail of its list. Kernel: folio_rotate_reclaimable"""
    if mem_map.flags(m, head) & (PG_locked | PG_dirty | PG_unevictable | PG_lru) == PG_lru:
        mem_map.get_page(m, head)
        batch_add_and_move(m, "rotate", head)


def deactivate_page(m: Kernel, head: int) -> None:
    """Queue an active page for the inactive list. Kernel: deactivate_page"""
    if mem_map.flags(m, head) & (PG_lru | PG_active | PG_unevictable) == PG_lru | PG_active:
        mem_map.get_page(m, head)
        batch_add_and_move(m, "deactivate", head)


def mark_page_lazyfree(m: Kernel, pfn: int) -> None:
    """Queue a page that its owner does not need any more. Kernel: folio_mark_lazyfree"""
    head = mem_map.compound_head(m, pfn)
    bits = mem_map.flags(m, head) & (PG_lru | PG_swapbacked | PG_swapcache | PG_unevictable)
    if mem_map.is_anon(m, head) and bits == PG_lru | PG_swapbacked:
        mem_map.get_page(m, head)
        batch_add_and_move(m, "lazyfree", head)


def lru_cache_add_inactive_or_unevictable(m: Kernel, vma: VmArea, head: int) -> None:
    """Queue a new page of an area. Kernel: lru_cache_add_inactive_or_unevictable"""
    if vma.vm_flags & (VM_LOCKED | VM_SPECIAL) == VM_LOCKED:
        mlock.mlock_new_page(m, head)
    else:
        folio_add_lru(m, head)
