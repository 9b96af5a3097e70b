"""Taking pages from the tail of a list, and what comes back to the lists of them.

Kernel: mm/vmscan.c isolate_lru_folios, shrink_inactive_list, shrink_active_list. Pages are taken off their
list in lots of 32 and looked at without its lock. Inactive ones are freed if they may be; active ones become
inactive, whether they were used or not: being used again while inactive is what shows that a page is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from app.mm import flusher, lru, mem_map, rmap_reclaim, swap, vmstat, workingset
from app.mm.lru_isolate import putback_lru_page
from app.mm.lruvec import LRU_INACTIVE_FILE, Lruvec, lru_note_cost, update_lru_size
from app.mm.mem_map import PG_swapbacked, set_flags
from app.mm.mm_types import VM_EXEC
from app.mm.page import PG_active, PG_lru, PG_mlocked, PG_workingset
from app.mm.scan_control import DEACTIVATE_ANON, DEACTIVATE_FILE, ReclaimStat, ScanControl
from app.mm.shrink_folio import shrink_folio_list
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Zone


class Isolated(NamedTuple):
    """Pages taken off a list, oldest first; how many pages were looked at for them, and were taken."""

    pages: list[int]
    scanned: int
    taken: int


# -- off the list and back -------------------------------------------------------------------------


def isolate_lru_folios(m: Kernel, lruvec: Lruvec, lru_list: int, nr: int, sc: ScanControl) -> Isolated:
    """Take up to `nr` pages from the tail of a list. Kernel: isolate_lru_folios

    A page of a zone that would not help is passed over, and goes to the head: at the tail it would be found
    again and again. Such pages do not count towards `nr`, or a list full of them would end reclaim.
    """
    listed = lruvec.lists[lru_list]
    pages: list[int] = []
    passed: list[int] = []
    taken_of: dict[int, int] = {}
    skipped_of: dict[int, int] = {}
    looked_at = total = 0
    while looked_at < nr and listed.count:
        head = listed.tail
        zone = m.zone_of(head)
        size = 1 << mem_map.compound_order(m, head)
        total += size
        lru.list_del(m, listed, head)
        listed.count -= size
        if zone.zid > sc.reclaim_idx:
            skipped_of[zone.idx] = skipped_of.get(zone.idx, 0) + size
            passed.append(head)
            continue
        looked_at += size
        set_flags(m, head, 0, PG_lru)
        mem_map.get_page(m, head)
        pages.append(head)
        taken_of[zone.idx] = taken_of.get(zone.idx, 0) + size
        if m.vm.moved is not None:
            m.vm.moved.append(head)
    for head in passed:
        lru.list_add(m, listed, head)
        listed.count += 1 << mem_map.compound_order(m, head)
    zones: dict[int, Zone] = {zone.idx: zone for zone in m.zones}
    for idx in sorted(skipped_of):
        vmstat.count_zid_vm_event(m, "pgskip", zones[idx].zid, skipped_of[idx])
    taken = sum(taken_of.values())
    if m.trace is not None:
        m.trace.vmscan.isolated(sc, lru_list, nr, total, sum(skipped_of.values()), taken, pages)
    for idx in sorted(taken_of):
        update_lru_size(m, lruvec, zones[idx], lru_list, -taken_of[idx])
    return Isolated(pages, total, taken)


def move_folios_to_lru(m: Kernel, lruvec: Lruvec, pages: Iterable[int]) -> int:
    """Put isolated pages at the head of the lists that their flags name; those that nobody holds are freed

    Kernel: move_folios_to_lru. Returns how many pages came to a list. An active page counts as an activation
    for the age of those that were evicted.
    """
    moved = 0
    unused: list[int] = []
    for head in pages:
        if mem_map.flags(m, head) & PG_mlocked:
            putback_lru_page(m, head)
            continue
        if mem_map.put_page_testzero(m, head):
            set_flags(m, head, 0, PG_active)
            if mem_map.compound_order(m, head):
                lru.put_compound_page(m, head)
            else:
                unused.append(head)
            continue
        set_flags(m, head, PG_lru)
        lru.lruvec_add(m, head)
        nr = 1 << mem_map.compound_order(m, head)
        moved += nr
        if mem_map.flags(m, head) & PG_active:
            workingset.workingset_age_nonresident(lruvec, nr)
    for head in reversed(unused):
        lru.free_order0(m, head)
    return moved


# -- the two kinds of lists ------------------------------------------------------------------------


@traced
def shrink_inactive_list(m: Kernel, nid: int, lruvec: Lruvec, lru_list: int, nr: int, sc: ScanControl) -> int:
    """Free pages of an inactive list; returns how many. Kernel: shrink_inactive_list

    nr: how many to take. Where everything that was taken is dirty and no disk has been told of it, the
    flusher is woken: it should have been earlier.
    """
    file = lru_list >= LRU_INACTIVE_FILE
    swap.lru_add_drain(m)
    isolated = isolate_lru_folios(m, lruvec, lru_list, nr, sc)
    by, kind = "kswapd" if sc.kswapd else "direct", "file" if file else "anon"
    m.vm.count(f"pgscan_{by}", isolated.scanned)
    m.vm.count(f"pgscan_{kind}", isolated.scanned)
    if not isolated.taken:
        return 0
    reclaimed, stat, kept = shrink_folio_list(m, nid, sc, isolated.pages)
    move_folios_to_lru(m, lruvec, kept)
    m.vm.count(f"pgsteal_{by}", reclaimed)
    m.vm.count(f"pgsteal_{kind}", reclaimed)
    lru_note_cost(lruvec, stat.pageout, file=file)
    if stat.unqueued_dirty == isolated.taken:
        flusher.wakeup_flusher_threads(m)
    note(sc, stat, isolated.taken, file=file)
    if m.trace is not None:
        m.trace.vmscan.shrunk_inactive(nid, isolated.scanned, reclaimed, stat, sc.priority, file=file)
    return reclaimed


def note(sc: ScanControl, stat: ReclaimStat, taken: int, *, file: bool) -> None:
    """Add what the pages were like to what the run knows of the node. Kernel: shrink_inactive_list"""
    sc.nr.dirty += stat.dirty
    sc.nr.congested += stat.congested
    sc.nr.unqueued_dirty += stat.unqueued_dirty
    sc.nr.writeback += stat.writeback
    sc.nr.immediate += stat.immediate
    sc.nr.taken += taken
    if file:
        sc.nr.file_taken += taken


@traced
def shrink_active_list(m: Kernel, nid: int, lruvec: Lruvec, lru_list: int, nr: int, sc: ScanControl) -> None:
    """Move pages from an active list to the inactive one. Kernel: shrink_active_list

    Whether they were used is asked only to forget it: used again, they will show it on the inactive list.
    Only code that was run just now gets another round, since without it a program stands still.
    """
    swap.lru_add_drain(m)
    isolated = isolate_lru_folios(m, lruvec, lru_list, nr, sc)
    m.vm.count("pgrefill", isolated.scanned)
    active: list[int] = []
    inactive: list[int] = []
    rotated = 0
    for head in isolated.pages:
        if mem_map.flags(m, head) & PG_mlocked:
            putback_lru_page(m, head)
            continue
        referenced, vm_flags = rmap_reclaim.folio_referenced(m, head)
        if referenced and vm_flags & VM_EXEC and not mem_map.flags(m, head) & PG_swapbacked:
            rotated += 1 << mem_map.compound_order(m, head)
            active.append(head)
            continue
        set_flags(m, head, PG_workingset, PG_active)
        inactive.append(head)
    nr_active = move_folios_to_lru(m, lruvec, active)
    deactivated = move_folios_to_lru(m, lruvec, inactive)
    m.vm.count("pgdeactivate", deactivated)
    if m.trace is not None:
        file = lru_list >= LRU_INACTIVE_FILE
        m.trace.vmscan.shrunk_active(
            nid, isolated.taken, nr_active, deactivated, rotated, sc.priority, inactive, file=file
        )


def shrink_list(m: Kernel, nid: int, lruvec: Lruvec, lru_list: int, nr: int, sc: ScanControl) -> int:
    """Take `nr` pages of a list; returns how many were freed. Kernel: shrink_list"""
    if not lru_list & 1:
        return shrink_inactive_list(m, nid, lruvec, lru_list, nr, sc)
    wanted = DEACTIVATE_FILE if lru_list >= LRU_INACTIVE_FILE else DEACTIVATE_ANON
    if sc.may_deactivate & wanted:
        shrink_active_list(m, nid, lruvec, lru_list, nr, sc)
    else:
        sc.skipped_deactivate = True
    return 0
