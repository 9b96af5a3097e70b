"""Per-CPU page lists: refilling, freeing and draining.

Kernel: mm/page_alloc.c (rmqueue_bulk, free_unref_page_commit, free_pcppages_bulk and their kin). The lists
trade a little memory for speed: pages move between them and the buddy system in batches, under one hold of
the zone's lock.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from app.mm import buddy, page_check
from app.mm.mmzone import (
    MIGRATE_HIGHATOMIC,
    MIGRATE_ISOLATE,
    MIGRATE_MOVABLE,
    MIGRATE_PCPTYPES,
    MIGRATE_RECLAIMABLE,
    MIGRATE_UNMOVABLE,
    NR_PCP_LISTS,
    PAGE_ALLOC_COSTLY_ORDER,
    PCP_BATCH_SCALE_MAX,
    PINDEX_ORDER,
    ZONE_RECLAIM_ACTIVE,
    PerCpuPages,
    Zone,
    order_to_pindex,
)
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


@traced
def rmqueue_pcplist(m: Kernel, zone: Zone, order: int, migratetype: int, alloc_flags: int) -> int | None:
    """Take a page from this CPU's list of the zone, refilling it when it is empty. Kernel: rmqueue_pcplist

    Each attempt halves `free_factor`: a CPU that allocates again will want its pages back, so fewer are given
    away.
    """
    pcp = zone.pcp[m.current.cpu]
    pcp.free_factor >>= 1
    return take(m, zone, pcp, order, migratetype, alloc_flags)


def take(
    m: Kernel, zone: Zone, pcp: PerCpuPages, order: int, migratetype: int, alloc_flags: int
) -> int | None:
    """Kernel: __rmqueue_pcplist"""
    pages = pcp.lists[order_to_pindex(migratetype, order)]
    while True:
        if not pages:
            batch = max(pcp.batch >> order, 2) if pcp.batch > 1 else pcp.batch
            if m.trace is not None:
                m.trace.pcp.refill_begins(zone, pcp, order, migratetype, batch)
            pcp.count += rmqueue_bulk(m, zone, order, batch, pages, migratetype, alloc_flags) << order
            if not pages:
                return None
        elif m.trace is not None:
            m.trace.pcp.hit(zone, pcp, pages[0], order, migratetype)
        pcp.count -= 1 << order
        pfn = pages.popleft()
        if zone.pcp_migratetype:
            zone.pcp_migratetype.pop(pfn, None)
        if not m.stray or not m.debug or not page_check.check_new_pages(m, pfn, order):
            return pfn


@traced
def rmqueue_bulk(
    m: Kernel, zone: Zone, order: int, count: int, pages: deque[int], migratetype: int, alloc_flags: int
) -> int:
    """Move up to `count` blocks from the buddy lists to the tail of a per-CPU list. Kernel: rmqueue_bulk

    Returns how many. They are appended in the order in which the buddy system gave them, so that consecutive
    allocations tend to be physically consecutive. The free-page counter is changed once, by the sum.
    """
    allocated = dropped = 0
    changed = m.changed
    while allocated + dropped < count:
        pfn = buddy.rmqueue(m, zone, order, migratetype, alloc_flags)
        if pfn is None:
            break
        if m.stray and not m.debug and page_check.check_new_pages(m, pfn, order):
            dropped += 1
            continue
        pages.append(pfn)
        allocated += 1
        if order > PAGE_ALLOC_COSTLY_ORDER:
            note_huge(zone, pfn, migratetype)
        changed.frame(pfn, 1 << order, "pcp")
    if m.trace is not None:
        m.trace.pcp.refill(zone, order, list(pages)[len(pages) - allocated :])
    buddy.mod_zone_freepage_state(m, zone, -(allocated + dropped << order))
    return allocated


def free_unref_page(m: Kernel, zone: Zone, pfn: int, order: int) -> None:
    """Free a block to this CPU's list. Kernel: free_unref_page

    Only three types have lists of their own; a page of a HIGHATOMIC pageblock waits on the movable list,
    noted as HIGHATOMIC, so that the drain can bring it back to where it belongs.
    """
    migratetype = zone.get_pfnblock_migratetype(pfn)
    pcp_migratetype = migratetype
    if migratetype >= MIGRATE_PCPTYPES:
        if migratetype == MIGRATE_ISOLATE:
            free_to_buddy(m, zone, pfn, order, migratetype)
            return
        zone.pcp_migratetype[pfn] = MIGRATE_HIGHATOMIC
        pcp_migratetype = MIGRATE_MOVABLE
    elif order > PAGE_ALLOC_COSTLY_ORDER:
        note_huge(zone, pfn, migratetype)
    free_unref_page_commit(m, zone, zone.pcp[m.current.cpu], pfn, pcp_migratetype, order)


def note_huge(zone: Zone, pfn: int, migratetype: int) -> None:
    """One huge page list holds two types, unmovable and reclaimable, which only a note tells apart."""
    if migratetype == MIGRATE_RECLAIMABLE:
        zone.pcp_migratetype[pfn] = migratetype


def free_to_buddy(
    m: Kernel, zone: Zone, pfn: int, order: int, migratetype: int, *, to_tail: bool = False
) -> None:
    """Free a block past the per-CPU lists. Kernel: free_one_page"""
    buddy.free_one_page(m, zone, pfn, order, migratetype, to_tail=to_tail)
    m.changed.frame(pfn, 1 << order, "free")


@traced
def free_unref_page_commit(
    m: Kernel, zone: Zone, pcp: PerCpuPages, pfn: int, migratetype: int, order: int
) -> None:
    """Push a block onto the list; give a batch back when the lists hold too much.

    Kernel: free_unref_page_commit
    """
    pindex = order_to_pindex(migratetype, order)
    pcp.lists[pindex].appendleft(pfn)
    pcp.count += 1 << order
    m.changed.frames.append((pfn, 1 << order, "pcp"))  # as `frame`, without the call
    free_high = bool(pcp.free_factor and order and order <= PAGE_ALLOC_COSTLY_ORDER)
    high = nr_pcp_high(zone, pcp, free_high=free_high)
    full = pcp.count >= high
    if m.trace is not None:
        m.trace.pcp.freed(zone, pcp, pfn, order, high, full=full)
    if full:
        free_pcppages_bulk(m, zone, pcp, nr_pcp_free(m, zone, pcp, high, free_high=free_high), pindex)


def nr_pcp_high(zone: Zone, pcp: PerCpuPages, *, free_high: bool) -> int:
    """How many pages the lists may hold at this moment. Kernel: nr_pcp_high"""
    if free_high:
        return 0
    if zone.flags & ZONE_RECLAIM_ACTIVE:
        return min(pcp.batch << 2, pcp.high)
    return pcp.high


def nr_pcp_free(m: Kernel, zone: Zone, pcp: PerCpuPages, high: int, *, free_high: bool) -> int:
    """How many pages to give back; twice as many each time nothing was allocated in between.

    Kernel: nr_pcp_free
    """
    free_factor = pcp.free_factor
    scaled = None
    if free_high:
        count = pcp.count
    elif high < pcp.batch:
        count = 1
    else:
        max_nr_free = high - pcp.batch
        batch = pcp.batch << free_factor
        if batch < max_nr_free and free_factor < PCP_BATCH_SCALE_MAX:
            pcp.free_factor += 1
        count = max(pcp.batch, min(batch, max_nr_free))
        scaled = batch, max_nr_free
    if m.trace is not None:
        m.trace.pcp.nr_pcp_free(zone, pcp, high, free_factor, count, scaled, free_high=free_high)
    return count


@traced
def free_pcppages_bulk(m: Kernel, zone: Zone, pcp: PerCpuPages, count: int, pindex: int) -> None:
    """Return `count` pages to the buddy lists, list `pindex` first. Kernel: free_pcppages_bulk

    A list is emptied from its tail, where the pages are that have been cold for longest; then the others
    follow in turn. Each page goes to the type that it was noted as. The kernel looks again where pageblocks
    are isolated, to take memory away from a running machine; nothing does that here.
    """
    count = min(pcp.count, count)
    if m.trace is not None:
        m.trace.pcp.drain(zone, pcp, count)
    min_pindex, max_pindex = 0, NR_PCP_LISTS - 1
    pindex -= 1
    changed = m.changed
    while count > 0:
        while True:
            pindex += 1
            if pindex > max_pindex:
                pindex = min_pindex
            if pcp.lists[pindex]:
                break
            if pindex == max_pindex:
                max_pindex -= 1
            if pindex == min_pindex:
                min_pindex += 1
        pages = pcp.lists[pindex]
        order = PINDEX_ORDER[pindex]
        while count > 0 and pages:
            pfn = pages.pop()
            count -= 1 << order
            pcp.count -= 1 << order
            migratetype = pcp_page_migratetype(zone, pfn, order, pindex)
            if m.stray and page_check.bulkfree_pcp_prepare(m, pfn, order):
                continue
            buddy.free_one_page(m, zone, pfn, order, migratetype)
            changed.frame(pfn, 1 << order, "free")
            if m.trace is not None:
                m.trace.pcp.pcpu_drain(pfn, order, migratetype)


def pcp_page_migratetype(zone: Zone, pfn: int, order: int, pindex: int) -> int:
    """The type a page was noted as when it came to its list. Kernel: get_pcppage_migratetype"""
    noted = zone.pcp_migratetype.pop(pfn, None) if zone.pcp_migratetype else None
    if noted is not None:
        return noted
    if order > PAGE_ALLOC_COSTLY_ORDER:
        return MIGRATE_MOVABLE if pindex == NR_PCP_LISTS - 1 else MIGRATE_UNMOVABLE
    return pindex % MIGRATE_PCPTYPES


def drain_pages_zone(m: Kernel, zone: Zone, cpu: int) -> None:
    """Return everything that one CPU holds of a zone. Kernel: drain_pages_zone"""
    pcp = zone.pcp[cpu]
    while pcp.count:
        m.breathe()
        free_pcppages_bulk(m, zone, pcp, min(pcp.count, pcp.batch << PCP_BATCH_SCALE_MAX), 0)


@traced
def drain_all_pages(m: Kernel, only: Zone | None = None) -> None:
    """Return all pages of all per-CPU lists, or of one zone, to the buddy system. Kernel: drain_all_pages

    Each CPU drains its own lists, so its own counter differences are charged, whoever asked for it.
    """
    caller = m.current.cpu
    for cpu in range(m.model.cpus):
        m.current.cpu = cpu
        for zone in m.zones if only is None else (only,):
            drain_pages_zone(m, zone, cpu)
    m.current.cpu = caller
