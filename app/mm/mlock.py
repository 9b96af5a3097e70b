"""Locked memory: pages that reclaim may not take.

Kernel: mm/mlock.c. A locked page is moved away from the lists that reclaim walks. Like all moves between
lists that is done in batches of fifteen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import lru, mem_map, page_ref
from app.mm.mem_map import set_flags
from app.mm.mm_types import VM_LOCKED, VM_SPECIAL
from app.mm.page import PG_active, PG_lru, PG_mlocked, PG_unevictable

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea

LRU_PAGE: Final = 1
NEW_PAGE: Final = 2


def mlock_folio(m: Kernel, head: int) -> None:
    """Lock a page that may be on a list. Kernel: mlock_folio"""
    if not mem_map.test_set_flag(m, head, PG_mlocked):
        count_locked(m, head)
        page_ref.tell_state(m, head)
    mem_map.get_page(m, head)
    queue(m, head, LRU_PAGE)


def mlock_new_page(m: Kernel, head: int) -> None:
    """Lock a page that was just allocated; it never comes to an evictable list. Kernel: mlock_new_page"""
    set_flags(m, head, PG_mlocked)
    count_locked(m, head)
    page_ref.tell_state(m, head)
    mem_map.get_page(m, head)
    queue(m, head, NEW_PAGE)


def munlock_page(m: Kernel, head: int) -> None:
    """Unlock a page, if no other area locks it. Kernel: munlock_page"""
    mem_map.get_page(m, head)
    queue(m, head, 0)


def count_locked(m: Kernel, head: int) -> None:
    """Count a page as locked."""
    nr = 1 << mem_map.compound_order(m, head)
    m.vm.count("mlock", nr)
    m.vm.count("unevictable_pgs_mlocked", nr)


def queue(m: Kernel, head: int, kind: int) -> None:
    """Put a page into the batch, which moves when it is full or the page is large."""
    batch = m.vm.batches["mlock"]
    batch.append((head, kind))
    if m.vm.moved is not None:
        m.vm.moved.append(head)
    if len(batch) == lru.PAGEVEC_SIZE or mem_map.compound_order(m, head):
        mlock_pagevec(m)


def mlock_page_drain(m: Kernel) -> None:
    """Empty the batch. Kernel: mlock_page_drain_local"""
    if m.vm.batches["mlock"]:
        mlock_pagevec(m)


def mlock_pagevec(m: Kernel) -> None:
    """Do to each page of the batch what it waits for. Kernel: mlock_pagevec"""
    there = dict.fromkeys(lru.still_there(m, [head for head, _ in m.vm.batches["mlock"]]))
    batch = [(head, kind) for head, kind in m.vm.batches["mlock"] if head in there]
    m.vm.batches["mlock"] = []
    for head, kind in batch:
        if kind == LRU_PAGE:
            move_to_unevictable(m, head)
        elif kind == NEW_PAGE:
            add_unevictable(m, head)
        else:
            unlock(m, head)
    lru.release_pages(m, [head for head, _ in batch])


def move_to_unevictable(m: Kernel, head: int) -> None:
    """Take a locked page off its list, or count one more who locks it. Kernel: __mlock_page"""
    if not mem_map.test_clear_flag(m, head, PG_lru):
        return
    bits = mem_map.flags(m, head)
    if mem_map.is_evictable(m, head):
        if bits & PG_unevictable:
            rescue(m, head)
    elif bits & PG_unevictable:
        m.vm.mlock_counts[head] = m.vm.mlock_counts.get(head, 0) + 1
    else:
        lru.lruvec_del(m, head)
        set_flags(m, head, PG_unevictable, PG_active)
        m.vm.mlock_counts[head] = 1
        lru.lruvec_add(m, head)
        m.vm.count("unevictable_pgs_culled", 1 << mem_map.compound_order(m, head))
    set_flags(m, head, PG_lru)


def add_unevictable(m: Kernel, head: int) -> None:
    """Bring a new locked page to its list. Kernel: __mlock_new_page"""
    if mem_map.on_lru(m, head):
        return
    if not mem_map.is_evictable(m, head):
        set_flags(m, head, PG_unevictable)
        m.vm.mlock_counts[head] = 1
        m.vm.count("unevictable_pgs_culled", 1 << mem_map.compound_order(m, head))
    lru.lruvec_add(m, head)
    set_flags(m, head, PG_lru)


def unlock(m: Kernel, head: int) -> None:
    """One who locked the page less; with the last it goes back to an evictable list

    Kernel: __munlock_page
    """
    nr = 1 << mem_map.compound_order(m, head)
    isolated = mem_map.test_clear_flag(m, head, PG_lru)
    if isolated and mem_map.flags(m, head) & PG_unevictable:
        counts = m.vm.mlock_counts
        counts[head] = max(counts.get(head, 0) - 1, 0)
        if counts[head]:
            set_flags(m, head, PG_lru)
            return
    if mem_map.test_clear_flag(m, head, PG_mlocked):
        m.vm.count("mlock", -nr)
        stranded = not isolated and mem_map.flags(m, head) & PG_unevictable
        m.vm.count("unevictable_pgs_stranded" if stranded else "unevictable_pgs_munlocked", nr)
    if isolated and mem_map.flags(m, head) & PG_unevictable and mem_map.is_evictable(m, head):
        rescue(m, head)
    if isolated:
        set_flags(m, head, PG_lru)
    page_ref.tell_state(m, head)


def rescue(m: Kernel, head: int) -> None:
    """Move a page that is not locked any more from the unevictable list."""
    lru.lruvec_del(m, head)
    set_flags(m, head, 0, PG_unevictable)
    m.vm.mlock_counts.pop(head, None)
    lru.lruvec_add(m, head)
    m.vm.count("unevictable_pgs_rescued", 1 << mem_map.compound_order(m, head))


def mlock_vma_page(m: Kernel, vma: VmArea, pfn: int, *, compound: bool) -> None:
    """Lock a page that was mapped in a locked area. Kernel: mm/internal.h mlock_vma_page

    A huge page that is mapped in small parts is not locked by them.
    """
    if vma.vm_flags & (VM_LOCKED | VM_SPECIAL) == VM_LOCKED:
        head = mem_map.compound_head(m, pfn)
        if compound or not mem_map.compound_order(m, head):
            mlock_folio(m, head)


def munlock_vma_page(m: Kernel, vma: VmArea, pfn: int, *, compound: bool) -> None:
    """Unlock a page that is unmapped from a locked area. Kernel: mm/internal.h munlock_vma_page"""
    if vma.vm_flags & VM_LOCKED:
        head = mem_map.compound_head(m, pfn)
        if compound or not mem_map.compound_order(m, head):
            munlock_page(m, head)
