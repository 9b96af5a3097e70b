"""What becomes of a page that reclaim has taken off its list: freed, kept for another round, or activated.

Kernel: mm/vmscan.c shrink_folio_list. A page can go if nobody has used it lately, if nobody holds it, and if
what is in it can be had again: from its file, or from swap once it is written there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from app.mm import gfp as gfp_masks
from app.mm import (
    huge_memory,
    lru,
    mem_map,
    page_io,
    page_writeback,
    pagemap,
    rmap_reclaim,
    shmem_swap,
    swap_alloc,
    swap_map,
    swap_state,
    swapfile,
    workingset,
)
from app.mm.mem_map import PG_reclaim, PG_swapbacked, set_flags
from app.mm.mm_types import VM_EXEC, VM_LOCKED
from app.mm.page import PG_active, PG_dirty, PG_locked, PG_mlocked, PG_private, PG_referenced, PG_writeback
from app.mm.scan_control import ReclaimStat, ScanControl

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# After so many pages others may go first.
PAUSE_EVERY: Final = 256


class Fate(NamedTuple):
    """What becomes of a page, and why (in words: app.machine.trace.vmscan). what: free, keep or activate."""

    what: str
    why: str


FREE: Final = "free"
KEEP: Final = "keep"
ACTIVATE: Final = "activate"


def shrink_folio_list(
    m: Kernel, nid: int, sc: ScanControl, pages: Sequence[int]
) -> tuple[int, ReclaimStat, list[int]]:
    """Try to free isolated pages, oldest first. Kernel: shrink_folio_list

    Returns how many were freed, what the others were like, and those others in the order in which they were
    looked at. The freed ones go to the allocator together at the end, the last first.
    """
    stat = ReclaimStat()
    freed: list[int] = []
    kept: list[int] = []
    fates: list[tuple[int, Fate]] = []
    reclaimed = 0
    work = deque(pages)
    while work:
        head = work.popleft()
        nr = 1 << mem_map.compound_order(m, head)
        fate = page_fate(m, nid, sc, stat, head, work)
        if m.trace is not None:
            fates.append((head, fate))
        if fate.what == FREE:
            reclaimed += nr
            freed.append(head)
            continue
        if fate.what == ACTIVATE:
            activate(m, stat, head)
        kept.append(head)
        if not len(kept) + len(freed) & PAUSE_EVERY - 1:
            m.breathe()
    if m.trace is not None:
        m.trace.vmscan.fates(fates)
    free_lot(m, freed)
    if sum(stat.activated):
        m.vm.count("pgactivate", sum(stat.activated))
    return reclaimed, stat, kept


def free_lot(m: Kernel, pages: Sequence[int]) -> None:
    """Give pages back to the allocator, the last first. Kernel: mm/page_alloc.c free_unref_page_list"""
    if m.trace is not None:
        m.trace.pcp.lot_begins()
    for head in reversed(pages):
        lru.free_order0(m, head)
    if m.trace is not None:
        m.trace.pcp.lot_ends()


def activate(m: Kernel, stat: ReclaimStat, head: int) -> None:
    """The page goes to the active list, and leaves its slot if swap is scarce. Kernel: shrink_folio_list"""
    bits = mem_map.flags(m, head)
    if swap_state.is_swapcache(m, head) and (swap_map.vm_swap_full(m) or bits & PG_mlocked):
        swapfile.try_to_free_swap(m, head)
    if not bits & PG_mlocked:
        set_flags(m, head, PG_active)
        stat.activated[not bits & PG_swapbacked] += 1 << mem_map.compound_order(m, head)


def page_fate(m: Kernel, nid: int, sc: ScanControl, stat: ReclaimStat, head: int, work: deque[int]) -> Fate:
    """Decide on one page, and do it but for the last step. Kernel: shrink_folio_list

    work: the pages that follow; the parts of a huge page that is split for swap come first of them.
    """
    bits = mem_map.flags(m, head)
    if bits & PG_locked:
        return Fate(KEEP, "locked")
    nr = 1 << mem_map.compound_order(m, head)
    sc.nr_scanned += nr
    sc.total_scanned += nr
    if not mem_map.is_evictable(m, head):
        return Fate(ACTIVATE, "mlocked")
    count_dirty(m, stat, head, nr)
    if bits & PG_writeback:
        return under_writeback(m, nid, sc, stat, head, nr)
    references = check_references(m, head)
    if references.what == ACTIVATE:
        return references
    if references.what == KEEP:
        stat.ref_keep += nr
        return references
    return unmap_and_free(m, nid, sc, stat, head, references, work)


def count_dirty(m: Kernel, stat: ReclaimStat, head: int, nr: int) -> None:
    """Note a file page that the flusher should have written. Kernel: folio_check_dirty_writeback

    Anonymous pages are written by reclaim itself, so they say nothing about the flusher.
    """
    bits = mem_map.flags(m, head)
    if bits & PG_swapbacked or mem_map.is_anon(m, head):
        return
    if bits & (PG_dirty | PG_writeback):
        stat.dirty += nr
    if bits & (PG_dirty | PG_writeback) == PG_dirty:
        stat.unqueued_dirty += nr
    if bits & PG_writeback and bits & PG_reclaim:
        stat.congested += nr


def under_writeback(m: Kernel, nid: int, sc: ScanControl, stat: ReclaimStat, head: int, nr: int) -> Fate:
    """A page that is being written is put out of the way, and noted for the moment when that is done

    Kernel: shrink_folio_list. Waiting for the disk would cost more than reading a page again later.
    """
    bits = mem_map.flags(m, head)
    if sc.kswapd and bits & PG_reclaim and m.nodes[nid].many_under_writeback:
        stat.immediate += nr
        return Fate(ACTIVATE, "writeback again")
    set_flags(m, head, PG_reclaim)
    stat.writeback += nr
    return Fate(ACTIVATE, "writeback")


def check_references(m: Kernel, head: int) -> Fate:
    """Whether the page has been used since it was last looked at. Kernel: folio_check_references

    Every mapped page begins with a reference, that of the fault which mapped it. So the first time it only
    gets another round; used again, it is activated. A page that was only read by `read` goes at once.
    """
    referenced_ptes, vm_flags = rmap_reclaim.folio_referenced(m, head)
    referenced = mem_map.test_clear_flag(m, head, PG_referenced)
    file = not mem_map.flags(m, head) & PG_swapbacked
    if vm_flags & VM_LOCKED:
        return Fate(ACTIVATE, "locked area")
    if referenced_ptes:
        set_flags(m, head, PG_referenced)
        if referenced or referenced_ptes > 1:
            return Fate(ACTIVATE, "young again" if referenced else "young in several")
        if vm_flags & VM_EXEC and file:
            return Fate(ACTIVATE, "executed")
        return Fate(KEEP, "young")
    return Fate(FREE, "clean only" if referenced and file else "old")


def unmap_and_free(
    m: Kernel, nid: int, sc: ScanControl, stat: ReclaimStat, head: int, references: Fate, work: deque[int]
) -> Fate:
    """Give the page a place in swap if it needs one, unmap it, write it, and let it go

    Kernel: shrink_folio_list
    """
    nr = 1 << mem_map.compound_order(m, head)
    anon = mem_map.is_anon(m, head)
    if anon and mem_map.flags(m, head) & PG_swapbacked and not swap_state.is_swapcache(m, head):
        no_place = find_place(m, sc, head, work)
        if no_place is not None:
            return no_place
    if mem_map.compound_order(m, head) == 0 and nr > 1:
        sc.nr_scanned -= nr - 1
        nr = 1
    if mem_map.is_mapped(m, head):
        swapbacked = mem_map.flags(m, head) & PG_swapbacked
        rmap_reclaim.try_to_unmap(m, head)
        if mem_map.is_mapped(m, head):
            stat.unmap_fail += nr
            if not swapbacked and mem_map.flags(m, head) & PG_swapbacked:
                stat.lazyfree_fail += nr
                return Fate(ACTIVATE, "written after MADV_FREE")
            return Fate(ACTIVATE, "still mapped")
    written = False
    if mem_map.flags(m, head) & PG_dirty:
        outcome = write_dirty(m, nid, sc, stat, head, references)
        if outcome is not None:
            return outcome
        written = True
    return let_go(m, head, written=written)


def find_place(m: Kernel, sc: ScanControl, head: int, work: deque[int]) -> Fate | None:
    """Give an anonymous page a slot; None when it has one. Kernel: shrink_folio_list, add_to_swap

    A huge page is split first: a disk that turns has no run of slots for it. Its parts are looked at next.
    """
    if not sc.gfp_mask & gfp_masks.__GFP_IO:
        return Fate(KEEP, "no I/O allowed")
    if mem_map.compound_order(m, head):
        order = mem_map.compound_order(m, head)
        if not huge_memory.split_huge_page(m, head, isolated=True):
            return Fate(ACTIVATE, "cannot be split")
        work.extendleft(range(head + (1 << order) - 1, head, -1))
    if not swap_alloc.add_to_swap(m, head):
        return Fate(ACTIVATE, "no slot")
    return None


def write_dirty(
    m: Kernel, nid: int, sc: ScanControl, stat: ReclaimStat, head: int, references: Fate
) -> Fate | None:
    """Write a dirty page if reclaim may; None when it is clean now. Kernel: shrink_folio_list, pageout

    Pages of files are left to the flusher, which writes neighbours together; only kswapd writes them, and
    only when the whole tail of the list is dirty. Whoever holds a file system's locks may not write at all.
    """
    nr = 1 << mem_map.compound_order(m, head)
    file = not mem_map.flags(m, head) & PG_swapbacked
    if file and not (sc.kswapd and mem_map.flags(m, head) & PG_reclaim and m.nodes[nid].many_dirty):
        m.vm.count("vmscan_immediate", nr)
        set_flags(m, head, PG_reclaim)
        return Fate(ACTIVATE, "dirty file")
    if references.why == "clean only":
        return Fate(KEEP, "referenced and dirty")
    if not may_enter_fs(m, head, sc.gfp_mask):
        return Fate(KEEP, "no file system")
    if not sc.may_writepage:
        return Fate(KEEP, "no writing")
    if mem_map.page_count(m, head) > 2 + bool(mem_map.flags(m, head) & PG_private):
        return Fate(KEEP, "held")
    if not pageout(m, sc, head):
        return Fate(ACTIVATE, "no slot")
    stat.pageout += nr
    if mem_map.flags(m, head) & PG_writeback:
        return Fate(KEEP, "being written")
    return Fate(KEEP, "dirty again") if mem_map.flags(m, head) & PG_dirty else None


def may_enter_fs(m: Kernel, head: int, gfp_mask: int) -> bool:
    """Whether the caller's mask allows to write this page: for swap I/O is enough. Kernel: may_enter_fs"""
    if gfp_mask & gfp_masks.__GFP_FS:
        return True
    return swap_state.is_swapcache(m, head) and bool(gfp_mask & gfp_masks.__GFP_IO)


def pageout(m: Kernel, sc: ScanControl, head: int) -> bool:
    """Write one page; false where a page of tmpfs finds no slot. Kernel: pageout

    PG_reclaim says that it is to be freed as soon as the disk is done with it.
    """
    set_flags(m, head, PG_reclaim)
    if swap_state.is_swapcache(m, head):
        set_flags(m, head, 0, PG_dirty)
        page_io.swap_writepage(m, head)
        sc.swapped_out += 1
    elif mem_map.flags(m, head) & PG_swapbacked:
        set_flags(m, head, 0, PG_dirty)
        if not shmem_swap.shmem_writepage(m, head):
            set_flags(m, head, 0, PG_reclaim)
            return False
        sc.swapped_out += 1
    else:
        page_writeback.write_page(m, head)
    sc.written += 1
    if not mem_map.flags(m, head) & PG_writeback:
        set_flags(m, head, 0, PG_reclaim)
    m.vm.count("vmscan_write", 1 << mem_map.compound_order(m, head))
    if m.trace is not None:
        m.trace.vmscan.written(head)
    return True


def let_go(m: Kernel, head: int, *, written: bool) -> Fate:
    """Take a clean page that nobody maps out of its file or of the swap cache

    Kernel: shrink_folio_list, __remove_mapping

    Only the cache and reclaim itself may hold it now; a shadow takes its place.
    """
    if mem_map.flags(m, head) & PG_private:
        pagemap.drop_buffers(m, head)
    s, i = mem_map.section(m, head), head & 511
    if mem_map.is_anon(m, head) and not s.flags[i] & PG_swapbacked:
        if s.refcount[i] != 1:
            return Fate(KEEP, "held")
        m.vm.count("pglazyfreed", 1 << s.order)
        s.refcount[i] = 0
        return Fate(FREE, "MADV_FREE")
    if s.refcount[i] != 2 or s.flags[i] & PG_dirty:
        return Fate(KEEP, "held")
    if swap_state.is_swapcache(m, head):
        shadow = workingset.workingset_eviction(m, head)
        swap_state.delete_from_swap_cache(m, head, shadow)
    else:
        inode = mem_map.mapping_of(m, head)
        if inode is None:
            return Fate(KEEP, "held")
        file_shadow = None if s.flags[i] & PG_swapbacked else workingset.workingset_eviction(m, head)
        pagemap.keep_on_disk(m, inode, head)
        pagemap.filemap_remove_folio(m, inode, head, file_shadow)
    s.refcount[i] = 0
    return Fate(FREE, "written" if written else "clean")
