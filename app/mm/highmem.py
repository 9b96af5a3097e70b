"""Addresses for memory that the direct map does not reach.

Kernel: mm/highmem.c, include/linux/highmem-internal.h. A 32-bit kernel has one GiB of addresses, so memory
above 879 MiB is mapped only while somebody uses it: kmap takes one of 512 slots of the PKMAP window. A slot
that nobody uses any more is not reused at once, for other CPUs' TLBs may still know it: when the search comes
round to slot 0 again, all unused ones are cleared together, with one flush.

A slot's count: 0 = free; 1 = unused but not flushed yet, its page still has the address; n = n − 1 users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import printk
from app.mm.memory_model import PAGE_SHIFT
from app.mm.tracepoints import traced
from app.mm.vmalloc import PKMAP_BASE

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

LAST_PKMAP: Final = 512
LAST_PKMAP_MASK: Final = LAST_PKMAP - 1
PLACE: Final = "include/linux/highmem-internal.h"


class Pkmap:
    """The window. Kernel: mm/highmem.c pkmap_count, pkmap_page_table, page_address_htable

    slots: by slot, the frame mapped there. waiters: tasks that found no slot, each with the frame it wants,
    the last to come first, as the kernel's wait queue has them.
    """

    __slots__ = ("last_pkmap_nr", "nr", "pkmap_count", "slots", "waiters")

    def __init__(self) -> None:
        self.pkmap_count = [0] * LAST_PKMAP
        self.slots: list[int | None] = [None] * LAST_PKMAP
        self.nr: dict[int, int] = {}
        self.last_pkmap_nr = 0
        self.waiters: dict[str, int] = {}

    def page_address(self, pfn: int) -> int | None:
        """The address that a frame has in the window, if it has one. Kernel: mm/highmem.c page_address"""
        nr = self.nr.get(pfn)
        return None if nr is None else PKMAP_BASE + (nr << PAGE_SHIFT)


def kmap(m: Kernel, pfn: int) -> int | None:
    """Give a page an address. Kernel: kmap, kmap_high

    A page of the direct map has one anyway. Returns None when every slot is in use: then the task sleeps
    until one is not, or, where it must not sleep, the kernel says so.
    """
    printk.might_sleep(m, PLACE, 166 if m.model.arch == "x86_64" else 44)
    address = m.model.pfn_to_virt(pfn)
    if address is not None:
        return address
    address = kmap_high(m, pfn)
    if address is None:
        wait_for_slot(m, pfn)
    return address


@traced
def kmap_high(m: Kernel, pfn: int) -> int | None:
    """Take a slot for a page, or a reference on the one it has; None if all are in use. Kernel: kmap_high"""
    pkmap = m.pkmap
    nr = pkmap.nr.get(pfn)
    if nr is None:
        nr = map_new_virtual(m, pfn)
    if m.trace is not None:
        m.trace.highmem.kmap(pfn, nr, 0 if nr is None else pkmap.pkmap_count[nr], len(pkmap.waiters))
    if nr is None:
        return None
    pkmap.pkmap_count[nr] += 1
    return PKMAP_BASE + (nr << PAGE_SHIFT)


@traced
def map_new_virtual(m: Kernel, pfn: int) -> int | None:
    """Find a free slot, starting behind the last one found. Kernel: map_new_virtual

    The search begins at 1 because the last found is 0 at boot, and it counts anew after each flush.
    """
    pkmap = m.pkmap
    first = (pkmap.last_pkmap_nr + 1) & LAST_PKMAP_MASK
    count = LAST_PKMAP
    while True:
        nr = pkmap.last_pkmap_nr = (pkmap.last_pkmap_nr + 1) & LAST_PKMAP_MASK
        if nr == 0:
            flush_all_zero_pkmaps(m)
            count = LAST_PKMAP
        if not pkmap.pkmap_count[nr]:
            break
        count -= 1
        if not count:
            return None
    if m.trace is not None:
        m.trace.highmem.kmap_search(first, nr)
    pkmap.pkmap_count[nr] = 1
    pkmap.slots[nr] = pfn
    pkmap.nr[pfn] = nr
    return nr


def flush_all_zero_pkmaps(m: Kernel) -> None:
    """Clear all slots without users; their pages have no address any more. Kernel: flush_all_zero_pkmaps"""
    pkmap = m.pkmap
    cleared: list[int] = []
    for nr, count in enumerate(pkmap.pkmap_count):
        if count == 1:
            cleared.append(nr)
            pkmap.pkmap_count[nr] = 0
            pfn = pkmap.slots[nr]
            pkmap.slots[nr] = None
            if pfn is not None:
                del pkmap.nr[pfn]
    if m.trace is not None:
        m.trace.highmem.kmap_flush(cleared, sum(map(bool, pkmap.pkmap_count)))


def wait_for_slot(m: Kernel, pfn: int) -> None:
    """Sleep until somebody unmaps a page. Outside process context nothing could wake the caller again."""
    if m.current.context != "process":
        printk.scheduling_while_atomic(m)
        return
    task = m.tasks[m.current.task]
    task.waiting_for = pfn
    task.since = m.current.seq
    m.pkmap.waiters = {m.current.task: pfn} | m.pkmap.waiters
    m.current.verdict = "blocked"


@traced
def kunmap(m: Kernel, pfn: int) -> None:
    """Drop a kmap reference; the address stays valid until the next flush. Kernel: kunmap_high, kunmap"""
    if m.model.arch == "x86_64":
        return
    printk.might_sleep(m, PLACE, 55)
    if m.model.pfn_to_virt(pfn) is not None:
        return
    pkmap = m.pkmap
    nr = pkmap.nr.get(pfn)
    if nr is None:
        m.mistake("kunmap_unmapped", pfn=pfn)
        printk.bug(m, "kernel BUG at mm/highmem.c:358!")
    if pkmap.pkmap_count[nr] == 1:
        # The kernel dies here with the slot's count at 0 and its lock held; the count is left as it was.
        m.mistake("kunmap_unmapped", pfn=pfn)
        printk.bug(m, "kernel BUG at mm/highmem.c:368!")
    pkmap.pkmap_count[nr] -= 1
    unused = pkmap.pkmap_count[nr] == 1
    if m.trace is not None:
        m.trace.highmem.kunmap(pfn, nr, pkmap.pkmap_count[nr], len(pkmap.waiters), unused=unused)
    if unused:
        wake_up(m)


def wake_up(m: Kernel) -> None:
    """Let every waiter search again; those who find no slot sleep on. Kernel: mm/highmem.c kunmap_high

    All are woken, the last to come first, for none of them waits exclusively. The first to run gets the slot;
    each of the others goes back to sleep in front of those that ran before it.
    """
    pkmap = m.pkmap
    for name, pfn in list(pkmap.waiters.items()):
        del pkmap.waiters[name]
        if kmap_high(m, pfn) is None:
            pkmap.waiters = {name: pfn} | pkmap.waiters
        else:
            m.tasks[name].waiting_for = None
            m.current.woken.append(name)
            m.current.eventful = True
