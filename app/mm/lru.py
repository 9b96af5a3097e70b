"""LRU lists, and what becomes of a page that nobody holds any more.

Kernel: include/linux/mm_inline.h, mm/swap.c release_pages. Pages stand in lists in the order of their last
use, as far as the kernel knows it; reclaim takes from the tail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_free, page_ref
from app.mm.lruvec import LRU_UNEVICTABLE, NONE, lruvec_of, update_lru_size
from app.mm.mem_map import PG_swapbacked, compound_order, lru_index, section, set_flags
from app.mm.page import PG_active, PG_lru, PG_mlocked, PG_unevictable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.mm.kernel import Kernel
    from app.mm.lruvec import LruList, Lruvec

PAGEVEC_SIZE: Final = 15


# -- the lists -------------------------------------------------------------------------------------


def lruvec_add(m: Kernel, head: int) -> None:
    """Put a page at the head of the list that its flags name. Kernel: lruvec_add_folio

    Unevictable pages are only counted: nobody ever walks them.
    """
    s, i = m.vm.sections[head >> 9], head & 511
    bits = s.flags[i]
    which = 4 if bits & PG_unevictable else (0 if bits & PG_swapbacked else 2) + bool(bits & PG_active)
    lruvec = count_on(m, head, which, 1 << s.order)
    if m.vm.moved is not None:
        m.vm.moved.append(head)
    if which != LRU_UNEVICTABLE:
        list_add(m, lruvec.lists[which], head)


def count_on(m: Kernel, head: int, which: int, nr: int) -> Lruvec:
    """Note that a list has `nr` pages more; returns the lists to which it belongs."""
    if not m.vm.reclaim:
        lruvec = m.vm.lruvecs[0]
    else:
        zone = m.zone_of(head)
        lruvec = m.vm.lruvec_of_node(zone.nid)
        update_lru_size(m, lruvec, zone, which, nr)
    lruvec.lists[which].count += nr
    return lruvec


def list_add(m: Kernel, lru: LruList, head: int) -> None:
    """Put a page at the head of a list. Kernel: list_add"""
    sections = m.vm.sections
    s, i = sections[head >> 9], head & 511
    after = lru.head
    s.prev[i], s.next[i] = NONE, after
    if after == NONE:
        lru.tail = head
    else:
        sections[after >> 9].prev[after & 511] = head
    lru.head = head


def lruvec_add_tail(m: Kernel, head: int) -> None:
    """Put a page at the tail of its list, where reclaim looks first. Kernel: lruvec_add_folio_tail"""
    which = lru_index(m, head)
    lruvec = count_on(m, head, which, 1 << compound_order(m, head))
    if m.vm.moved is not None:
        m.vm.moved.append(head)
    if which != LRU_UNEVICTABLE:
        list_add_tail(m, lruvec.lists[which], head)


def list_add_tail(m: Kernel, lru: LruList, head: int) -> None:
    """Put a page at the tail of a list. Kernel: list_add_tail"""
    sections = m.vm.sections
    s, i = sections[head >> 9], head & 511
    before = lru.tail
    s.prev[i], s.next[i] = before, NONE
    if before == NONE:
        lru.head = head
    else:
        sections[before >> 9].next[before & 511] = head
    lru.tail = head


def insert_before(m: Kernel, pfn: int, head: int) -> None:
    """Put a page before another on that one's list. Kernel: mm/huge_memory.c lru_add_page_tail"""
    sections = m.vm.sections
    s, i = sections[head >> 9], head & 511
    t, j = sections[pfn >> 9], pfn & 511
    before = s.prev[i]
    t.prev[j], t.next[j], s.prev[i] = before, head, pfn
    if before == NONE:
        lruvec_of(m, head).lists[lru_index(m, head)].head = pfn
    else:
        sections[before >> 9].next[before & 511] = pfn


def lruvec_del(m: Kernel, head: int) -> None:
    """Take a page off its list. Kernel: lruvec_del_folio"""
    which = lru_index(m, head)
    lruvec = count_on(m, head, which, -(1 << compound_order(m, head)))
    if m.vm.moved is not None:
        m.vm.moved.append(head)
    if which != LRU_UNEVICTABLE:
        list_del(m, lruvec.lists[which], head)


def list_del(m: Kernel, lru: LruList, head: int) -> None:
    """Take a page off a list, without counting. Kernel: list_del"""
    sections = m.vm.sections
    s, i = sections[head >> 9], head & 511
    before, after = s.prev[i], s.next[i]
    if before == NONE:
        lru.head = after
    else:
        sections[before >> 9].next[before & 511] = after
    if after == NONE:
        lru.tail = before
    else:
        sections[after >> 9].prev[after & 511] = before
    s.prev[i] = s.next[i] = NONE


# -- the end of references -------------------------------------------------------------------------


def release_pages(m: Kernel, pages: Iterable[int]) -> None:
    """Drop a reference on each page, and free those that nobody holds any more, last first.

    Kernel: mm/swap.c release_pages, mm/page_alloc.c free_unref_page_list. Freeing together takes the zone's
    lock once; each freed page is put at the head of a list, which turns their order round. A compound page is
    freed on the spot.
    """
    to_free: list[int] = []
    below_zero: list[int] = []
    sections = m.vm.sections
    for pfn in pages:
        s = sections.get(pfn >> 9)
        i = pfn & 511
        if s is not None and not s.order and s.refcount[i] > 0:
            s.refcount[i] -= 1
            if not s.refcount[i]:
                page_cache_release(m, pfn)
                to_free.append(pfn)
        elif (page := m.pages.get(pfn)) is not None:
            page.refcount -= 1
            if not page.refcount:
                to_free.append(pfn)
            elif page.refcount < 0:
                page_free.abandon(m, pfn)
        elif pfn != m.vm.huge_zero_page:
            head = mem_map.compound_head(m, pfn)
            if mem_map.put_page_testzero(m, head):
                put_compound_page(m, head)
            else:
                below_zero.append(head)
    if m.trace is not None:
        m.trace.mmap.released(len(to_free))
    for pfn in reversed(to_free):
        free_order0(m, pfn)
    for head in below_zero:
        lose(m, head)


def free_order0(m: Kernel, pfn: int) -> None:
    """Free a user page, or a page of the kernel's that waited in the same queue."""
    if pfn in m.pages:
        page_free.free_the_page(m, pfn, 0)
    else:
        mem_map.free_page(m, pfn)


def page_cache_release(m: Kernel, head: int) -> None:
    """Take a page without references off its list. Kernel: __page_cache_release"""
    bits = mem_map.flags(m, head)
    if bits & PG_lru:
        lruvec_del(m, head)
        set_flags(m, head, 0, PG_lru | PG_active | PG_unevictable)
    if bits & PG_mlocked:
        nr = 1 << compound_order(m, head)
        set_flags(m, head, 0, PG_mlocked)
        m.vm.count("mlock", -nr)
        m.vm.count("unevictable_pgs_cleared", nr)
        m.vm.mlock_counts.pop(head, None)


def put_compound_page(m: Kernel, head: int) -> None:
    """Free a huge page: to the allocator, or to the pool it came from.

    Kernel: __folio_put_large, free_transhuge_page, free_huge_page
    """
    if head in m.vm.pool_pages:
        s, i = section(m, head), head & 511
        s.mapping[i] = 0
        s.flags[i] &= ~mem_map.PG_anon_exclusive
        mem_map.clear_bytes(m, head, s.order)
        m.vm.hstates[s.order].freelist.insert(0, head)
        return
    page_cache_release(m, head)
    m.vm.split_queue.pop(head, None)
    mem_map.free_page(m, head)


def still_there(m: Kernel, batch: list[int]) -> list[int]:
    """The pages of a batch without those that were freed, by mistake, while they waited in it."""
    sections = m.vm.sections
    return [
        head
        for head in batch
        if (s := sections.get(head >> 9)) is not None and (s.refcount[head & 511] > 0 or s.flags[head & 511])
    ]


def put_page(m: Kernel, pfn: int) -> None:
    """Drop a reference, and free the page with the last. Kernel: folio_put, __folio_put"""
    head = mem_map.compound_head(m, pfn)
    if mem_map.put_page_testzero(m, head):
        if compound_order(m, head):
            put_compound_page(m, head)
        else:
            page_cache_release(m, head)
            mem_map.free_page(m, head)
    else:
        lose(m, head)


def lose(m: Kernel, head: int) -> None:
    """Count as lost a page that was freed before its last user had gone, now that there is none.

    The kernel has put it on a free list in between, and dropped it for good where it saw that it is bad. One
    that stands on a free list now has a count below zero there, for the next check to see.
    """
    s, i = section(m, head), head & 511
    if not page_ref.in_use(s, i):
        s.refcount[i] = 0
        page_ref.page_ref_add(m, head, -1)
        return
    if s.refcount[i] >= 0 or mem_map.is_mapped(m, head) or mem_map.mapping_of(m, head) is not None:
        return
    if head not in m.vm.pool_pages and head not in page_ref.image_frames(m):
        page_cache_release(m, head)
        m.vm.split_queue.pop(head, None)
        mem_map.give_up(m, head)
