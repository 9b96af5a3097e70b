"""The window of kmap in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.document import Document
from app.mm.highmem import LAST_PKMAP, LAST_PKMAP_MASK, Pkmap

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def dump_pkmap(m: Kernel) -> dict[str, object]:
    """The window: `[slot, count, frame]` of each slot that is not free, and who waits for one."""
    pkmap = m.pkmap
    return {
        "last_pkmap_nr": pkmap.last_pkmap_nr,
        "slots": [[nr, count, pkmap.slots[nr]] for nr, count in enumerate(pkmap.pkmap_count) if count],
        "waiters": [[name, pfn] for name, pfn in pkmap.waiters.items()],
    }


def load_pkmap(m: Kernel, doc: Document) -> None:
    """Inverse of `dump_pkmap`; a dump without it has an empty window."""
    m.pkmap = pkmap = Pkmap()
    pkmap.last_pkmap_nr = doc.get("last_pkmap_nr", 0).int(0, LAST_PKMAP_MASK)
    for entry in doc.get("slots", []).list(LAST_PKMAP):
        nr_doc, count, pfn_doc = entry.list(3, exactly=3)
        nr, pfn = nr_doc.int(0, LAST_PKMAP_MASK), high_page(m, pfn_doc)
        if pkmap.pkmap_count[nr] or pfn in pkmap.nr:
            entry.fault("each slot and each page frame once")
        pkmap.pkmap_count[nr] = count.int(1, MAX_COUNT)
        pkmap.slots[nr] = pfn
        pkmap.nr[pfn] = nr
    for entry in doc.get("waiters", []).list(len(m.tasks)):
        name, pfn_doc = entry.list(2, exactly=2)
        task = m.tasks.get(name.str(32))
        if task is None or task.waiting_for is None:
            name.fault("a task that sleeps")
        pkmap.waiters[task.name] = high_page(m, pfn_doc)


def high_page(m: Kernel, doc: Document) -> int:
    """A frame that only kmap can give an address."""
    pfn = doc.int(0, m.model.spans[-1][1])
    if not m.model.pfn_valid(pfn) or m.model.pfn_to_virt(pfn) is not None:
        doc.fault("a page frame of HIGHMEM")
    return pfn


MAX_COUNT: Final = 1 << 31
