"""Who goes next: what reclaim would do to the pages at the tail of a list, without doing it.

Kernel: mm/vmscan.c shrink_folio_list, folio_check_references. The kernel decides while it acts: it clears the
bits that say that a page was used, takes slots, unmaps. Here the same questions are asked in the same order
(app.mm.shrink_folio, whose words these are), and nothing changes. A request that all zones can serve is
supposed, which may write to swap and wait for disks, as that of a process is.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.machine.lru_walk import from_tail, head_of
from app.machine.rmap_views import areas_that_may
from app.mm import gfp, huge_memory, mem_map, page_vma_mapped, scan_count, swap_state
from app.mm.lruvec import LRU_INACTIVE_FILE
from app.mm.mem_map import PG_swapbacked, section
from app.mm.mm_types import VM_EXEC, VM_LOCKED, VM_SEQ_READ
from app.mm.page import PG_dirty, PG_locked, PG_private, PG_referenced, PG_writeback
from app.mm.pgtable_types import ACCESSED, DIRTY
from app.mm.rmap_reclaim import mapcount
from app.mm.scan_control import DEF_PRIORITY, ScanControl
from app.mm.shrink_folio import ACTIVATE, FREE, KEEP, Fate
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from app.machine.machine import Machine

# So many areas are asked whether they map a page.
AREAS: Final = 64
# What may become of a page besides: another list first, parts that are looked at instead of it, not known.
MOVES: Final = "moves"
SPLIT: Final = "split"
UNKNOWN: Final = "unknown"


class Uses(NamedTuple):
    """What the entries say that map a page. young: in how many areas one was used since the last look."""

    young: int
    vm_flags: int
    dirty: bool


# -- how much of each list -------------------------------------------------------------------------


def scans(m: Machine, nid: int) -> dict[str, Any]:
    """From which priority on each list is looked at, and how many pages of it then, as the lists are now.

    Kernel: get_scan_count. balance: which kinds are looked at, at the first priority that has any.
    """
    lruvec = m.vm.lruvec_of_node(nid)
    first: dict[str, dict[str, int] | None] = dict.fromkeys(LRU_NAMES[:4])
    balance = None
    for priority in range(DEF_PRIORITY, -1, -1):
        sc = request(m)
        sc.priority = priority
        scan_count.prepare_scan_count(m, nid, lruvec, sc)
        for lru, pages in enumerate(scan_count.get_scan_count(m, nid, lruvec, sc)):
            if pages and first[LRU_NAMES[lru]] is None:
                balance = balance or scan_count.scan_balance(m, sc)
                first[LRU_NAMES[lru]] = {"priority": priority, "pages": pages}
    return {"balance": balance, "lists": first}


def request(m: Machine) -> ScanControl:
    """A request for which any page would do."""
    return ScanControl(gfp.GFP_HIGHUSER_MOVABLE, 0, max(zone.zid for zone in m.zones), ())


# -- page by page ----------------------------------------------------------------------------------


def tail(m: Machine, nid: int, lru: int, limit: int) -> list[tuple[int, Fate]]:
    """The last pages of a list, that of the tail first, and what would become of each."""
    room = free_slots(m)
    waits = {head_of(page): name for name, batch in m.vm.batches.items() if name != "add" for page in batch}
    found: list[tuple[int, Fate]] = []
    for head in from_tail(m, m.vm.lruvec_of_node(nid).lists[lru], limit):
        fate = Fate(MOVES, waits[head]) if head in waits else fate_of(m, head, room)
        room -= fate.what == FREE and takes_slot(m, head)
        found.append((head, fate))
    return found


def free_slots(m: Machine) -> int:
    """How many slots of swap this CPU can still have: free ones, and those in its stock."""
    if m.vm.swap is None:
        return 0
    return m.vm.nr_swap_pages + len(m.vm.swap.cpu_slots[0].slots)


def takes_slot(m: Machine, head: int) -> bool:
    """Whether a page needs a slot of swap before it can go."""
    return bool(mem_map.flags(m, head) & PG_swapbacked) and not swap_state.is_swapcache(m, head)


def uses(m: Machine, head: int) -> Uses | None:
    """What is known of a page from the entries that map it; None where too many areas may

    Kernel: folio_referenced
    """
    if not mem_map.is_mapped(m, head):
        return Uses(0, 0, dirty=False)
    if len(areas_that_may(m, head)) > AREAS:
        return None
    young: dict[int, None] = {}
    vm_flags, dirty = 0, False
    for vma, _, table, at in page_vma_mapped.mapped_entries(m, head):
        entry = table.entries[at]
        dirty |= bool(entry & DIRTY)
        if vma.vm_flags & VM_LOCKED:
            vm_flags |= VM_LOCKED
        elif entry & ACCESSED and not vma.vm_flags & VM_SEQ_READ:
            young[id(vma)] = None
            vm_flags |= vma.vm_flags
    return Uses(len(young), vm_flags, dirty)


def accessed(m: Machine, head: int) -> bool | None:
    """Whether an entry says that the page was used since reclaim last looked; None where too many may."""
    found = uses(m, head)
    return None if found is None else bool(found.young)


def fate_of(m: Machine, head: int, room: int) -> Fate:
    """What would become of a page. room: slots that swap has. Kernel: shrink_folio_list"""
    bits = mem_map.flags(m, head)
    if bits & PG_locked:
        return Fate(KEEP, "locked")
    if not mem_map.is_evictable(m, head):
        return Fate(ACTIVATE, "mlocked")
    if bits & PG_writeback:
        return Fate(ACTIVATE, "writeback")
    found = uses(m, head)
    if found is None:
        return Fate(UNKNOWN, "areas")
    return used(bits, found) or unused(m, head, found, room)


def used(bits: int, found: Uses) -> Fate | None:
    """What becomes of a page that was used since the last look. Kernel: folio_check_references"""
    if found.vm_flags & VM_LOCKED:
        return Fate(ACTIVATE, "locked area")
    if not found.young:
        return None
    if bits & PG_referenced:
        return Fate(ACTIVATE, "young again")
    if found.young > 1:
        return Fate(ACTIVATE, "young in several")
    if found.vm_flags & VM_EXEC and not bits & PG_swapbacked:
        return Fate(ACTIVATE, "executed")
    return Fate(KEEP, "young")


def unused(m: Machine, head: int, found: Uses, room: int) -> Fate:
    """What becomes of one that was not: a slot, if it needs one, then it is unmapped, written, and let go

    Kernel: shrink_folio_list
    """
    bits = mem_map.flags(m, head)
    anon, lazy = mem_map.is_anon(m, head), not bits & PG_swapbacked
    dirty = found.dirty or bool(bits & PG_dirty)
    others = held_by_others(m, head)
    if anon and lazy:
        if dirty or others:
            return Fate(ACTIVATE, "written after MADV_FREE")
        return Fate(FREE, "MADV_FREE")
    if anon and takes_slot(m, head):
        if mem_map.compound_order(m, head):
            whole = section(m, head).refcount[0] == huge_memory.total_mapcount(m, head)
            return Fate(SPLIT, "split") if whole else Fate(ACTIVATE, "cannot be split")
        if room <= 0:
            return Fate(ACTIVATE, "no slot")
        dirty = True
    if dirty:
        fate = not_written(m, head, others, room)
        if fate is not None:
            return fate
    if others or (not anon and mem_map.mapping_of(m, head) is None):
        return Fate(KEEP, "held")
    return Fate(FREE, "written" if dirty else "clean")


def not_written(m: Machine, head: int, others: int, room: int) -> Fate | None:
    """Why a dirty page would not be clean afterwards; None where it would. Kernel: pageout"""
    if not mem_map.flags(m, head) & PG_swapbacked:
        return Fate(ACTIVATE, "dirty file")
    if others:
        return Fate(KEEP, "held")
    if not mem_map.is_anon(m, head) and takes_slot(m, head) and room <= 0:
        return Fate(ACTIVATE, "no slot")
    return Fate(KEEP, "being written") if m.vm.io_deferred is not None else None


def held_by_others(m: Machine, head: int) -> int:
    """References that neither an entry, nor a cache, nor the records of its disk blocks hold."""
    cached = swap_state.is_swapcache(m, head) or mem_map.mapping_of(m, head) is not None
    own = mapcount(m, head) + cached + bool(mem_map.flags(m, head) & PG_private)
    return mem_map.page_count(m, head) - own


# -- as it is read ---------------------------------------------------------------------------------


def next_pages(m: Machine, nid: int, limit: int) -> dict[str, Any]:
    """For each inactive list when it is looked at, and the next pages that would be."""
    found = scans(m, nid)
    return {
        "balance": found["balance"],
        "lists": found["lists"],
        "next": {
            LRU_NAMES[lru]: [
                {"pfn": head, "what": fate.what, "why": fate.why, "owner": owner(m, head)}
                for head, fate in tail(m, nid, lru, limit)
            ]
            for lru in (0, LRU_INACTIVE_FILE)
        },
    }


def owner(m: Machine, head: int) -> dict[str, Any]:
    """Whose page it is: a file's, by index, or a process's, by address; nothing where nobody is found."""
    inode = mem_map.mapping_of(m, head)
    if inode is not None:
        return {"file": inode.name, "index": mem_map.index_of(m, head)}
    if len(areas_that_may(m, head)) > AREAS:
        return {}
    places = islice(page_vma_mapped.mapped_entries(m, head), 1)
    for vma, address, _, _ in places:
        mm = vma.vm_mm
        return next(
            (
                {"task": task.name, "pid": task.pid, "addr": f"{address:#x}"}
                for task in m.tasks.values()
                if task.mm is mm
            ),
            {},
        )
    return {}


def cost(m: Machine, limit: int) -> int:
    """About how much work it is to look at so many pages of two lists."""
    return 2 * limit * (8 + min(AREAS, len(m.vm.mms)) // 8) + 16
