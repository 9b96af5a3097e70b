"""In which zone the pages of processes and files are, as /proc/zoneinfo tells it.

Kernel: mm/vmstat.c NR_ZONE_LRU_BASE and NR_MLOCK. The kernel counts while pages move; here only the sums are
counted, and the zones are looked up when somebody asks, on a machine that has more than one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm import mem_map
from app.mm.lruvec import NONE
from app.mm.mem_map import section
from app.mm.page import PG_dirty, PG_lru, PG_mlocked, PG_unevictable, PG_writeback
from app.mm.vmstat import LRU_NAMES, user_zone_sums

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mmzone import Zone

PAUSE_EVERY: Final = 4096


def user_zone_states(m: Kernel) -> dict[Zone, dict[str, int]]:
    """The counters of each zone that follow pages of processes and files. Kernel: zone_page_state"""
    sums = user_zone_sums(m)
    found = {zone: dict.fromkeys(sums, 0) for zone in m.zones}
    if len(m.zones) == 1:
        return {m.zones[0]: sums}
    for number, (head, name) in enumerate(listed(m)):
        if not number % PAUSE_EVERY:
            m.breathe()
        states = found[m.zone_of(head)]
        pages = 1 << mem_map.compound_order(m, head)
        if name:
            states[name] += pages
        bits = mem_map.flags(m, head)
        if bits & PG_mlocked:
            states["nr_mlock"] += pages
        if bits & (PG_dirty | PG_writeback):
            inode = mem_map.mapping_of(m, head)
            if inode is not None and not inode.in_memory:
                states["nr_zone_write_pending"] += bool(bits & PG_dirty) + bool(bits & PG_writeback)
    return found


def listed(m: Kernel) -> Iterator[tuple[int, str]]:
    """(page, counter of its list) of all pages on lists, and of those that wait for one, with no counter."""
    for lruvec in m.vm.lruvecs:
        for name, lru in zip(LRU_NAMES, lruvec.lists, strict=True):
            head = lru.head
            while head != NONE:
                yield head, f"nr_zone_{name}"
                head = section(m, head).next[head & 511]
    wanted = PG_unevictable | PG_lru
    unevictable = [head for head in m.vm.mlock_counts if mem_map.flags(m, head) & wanted == wanted]
    for head in unevictable:
        yield head, "nr_zone_unevictable"
    waiting = (
        page[0] if isinstance(page, tuple) else page for batch in m.vm.batches.values() for page in batch
    )
    for head in dict.fromkeys(waiting):
        if not mem_map.flags(m, head) & PG_lru:
            yield head, ""
