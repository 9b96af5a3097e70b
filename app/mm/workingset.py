"""Which pages come back soon after they were evicted, and so should not have been.

Kernel: mm/workingset.c. When a page is evicted, a *shadow* takes its place in its file or in the swap cache:
the age of the lists at that moment. If the page is read again, the difference of ages says how many pages
went by in between. A page that would still be there, had the active list's memory been the inactive list's,
is activated at once: otherwise a set of pages that is a little larger than the inactive list would always be
evicted just before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map
from app.mm.lruvec import (
    LRU_ACTIVE_ANON,
    LRU_ACTIVE_FILE,
    LRU_INACTIVE_ANON,
    LRU_INACTIVE_FILE,
    WORKINGSET_ACTIVATE,
    Lruvec,
    lru_note_cost,
    lruvec_of,
)
from app.mm.mem_map import PG_swapbacked, set_flags
from app.mm.page import PG_active, PG_workingset

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# A shadow is one word: a bit that says what it is, PG_workingset, the node, the memory cgroup, and the age in
# what is left. Kernel: CONFIG_NODES_SHIFT of Debian's kernels.
NODES_SHIFT: Final = {"x86_64": 10, "i386": 0}
MEM_CGROUP_ID_SHIFT: Final = 16
BITS_PER_LONG: Final = {"x86_64": 64, "i386": 32}


def eviction_bits(m: Kernel) -> int:
    """How many bits a shadow has for the age. Kernel: EVICTION_MASK"""
    return BITS_PER_LONG[m.model.arch] - 2 - m.vm.shadow_shift


def bucket_order(m: Kernel) -> int:
    """How coarse ages are kept where they do not fit. Kernel: workingset_init"""
    totalram_pages = sum(zone.managed_pages for zone in m.zones)
    return max((totalram_pages - 1).bit_length() - eviction_bits(m), 0)


def pack_shadow(m: Kernel, nid: int, age: int, *, workingset: bool) -> int:
    """A shadow's value. Kernel: pack_shadow"""
    age = age >> bucket_order(m) & (1 << eviction_bits(m)) - 1
    return (age << m.vm.shadow_shift | nid) << 1 | workingset


def workingset_age_nonresident(lruvec: Lruvec, nr: int) -> None:
    """One page more has been evicted or activated: every shadow is a page older

    Kernel: workingset_age_nonresident
    """
    lruvec.nonresident_age += nr


def workingset_eviction(m: Kernel, head: int) -> int:
    """The shadow of a page that is evicted now. Kernel: workingset_eviction"""
    lruvec = lruvec_of(m, head)
    workingset = bool(mem_map.flags(m, head) & PG_workingset)
    shadow = pack_shadow(m, m.zone_of(head).nid, lruvec.nonresident_age, workingset=workingset)
    workingset_age_nonresident(lruvec, 1 << mem_map.compound_order(m, head))
    return shadow


def workingset_activation(m: Kernel, head: int) -> None:
    """A page was activated, so the inactive pages are older. Kernel: workingset_activation"""
    if m.vm.reclaim:
        workingset_age_nonresident(lruvec_of(m, head), 1 << mem_map.compound_order(m, head))


def workingset_refault(m: Kernel, head: int, shadow: int) -> None:
    """A page that was evicted is read again: activate it, if it should not have been evicted

    Kernel: workingset_refault. Anonymous pages compete with all file pages, since what decides between the
    two is how much each refaults; file pages compete with anonymous ones only where those could be swapped.
    """
    lruvec = lruvec_of(m, head)
    nr = 1 << mem_map.compound_order(m, head)
    file = not mem_map.flags(m, head) & PG_swapbacked
    kind = "file" if file else "anon"
    m.vm.count(f"workingset_refault_{kind}", nr)
    distance = refault_distance(m, shadow)
    size = workingset_size(m, lruvec_of_shadow(m, shadow), file=file)
    activate = distance <= size
    restore = activate and bool(shadow & 1)
    if m.trace is not None:
        m.trace.vmscan.refault(head, distance, size, file=file, activate=activate, restore=restore)
    if not activate:
        return
    set_flags(m, head, PG_active)
    workingset_age_nonresident(lruvec, nr)
    m.vm.count(f"workingset_activate_{kind}", nr)
    lruvec.mod(m.current.cpu, WORKINGSET_ACTIVATE + file, nr)
    if restore:
        set_flags(m, head, PG_workingset)
        lru_note_cost(lruvec, nr, file=file)
        m.vm.count(f"workingset_restore_{kind}", nr)


def lruvec_of_shadow(m: Kernel, shadow: int) -> Lruvec:
    """The lists from which the page was evicted. Kernel: unpack_shadow"""
    return m.vm.lruvec_of_node(shadow >> 1 & (1 << NODES_SHIFT[m.model.arch]) - 1)


def refault_distance(m: Kernel, shadow: int) -> int:
    """How many pages were evicted or activated since. Kernel: workingset_refault"""
    eviction = shadow >> 1 >> m.vm.shadow_shift << bucket_order(m)
    age = lruvec_of_shadow(m, shadow).nonresident_age
    return age - eviction & (1 << eviction_bits(m)) - 1


def workingset_size(m: Kernel, lruvec: Lruvec, *, file: bool) -> int:
    """Pages with which one that comes back competes, as the node counts them. Kernel: workingset_refault"""
    sizes = lruvec.folded
    size = sizes[LRU_ACTIVE_FILE]
    if not file:
        size += sizes[LRU_INACTIVE_FILE]
    if m.vm.nr_swap_pages > 0:
        size += sizes[LRU_ACTIVE_ANON]
        if file:
            size += sizes[LRU_INACTIVE_ANON]
    return size
