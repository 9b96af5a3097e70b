"""The window of kmap in a dump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.mm.highmem import LAST_PKMAP, LAST_PKMAP_MASK, Pkmap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_COUNT: Final = 1 << 31


def dump(m: Machine, doc: Dump) -> None:
    """The window: `[slot, count, frame]` of each slot that is not free, and who waits for one."""
    pkmap = m.pkmap
    doc["pkmap"] = {
        "last_pkmap_nr": pkmap.last_pkmap_nr,
        "slots": [[nr, count, pkmap.slots[nr]] for nr, count in enumerate(pkmap.pkmap_count) if count],
        "waiters": [[name, pfn] for name, pfn in pkmap.waiters.items()],
    }


def load(m: Machine, root: Document) -> None:
    """Inverse of `dump`; a dump without it has an empty window."""
    doc = root.get("pkmap", {})
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


def high_page(m: Machine, doc: Document) -> int:
    """A frame that only kmap can give an address."""
    pfn = doc.int(0, m.model.spans[-1][1])
    if not m.model.pfn_valid(pfn) or m.model.pfn_to_virt(pfn) is not None:
        doc.fault("a page frame of HIGHMEM")
    return pfn


def verify(m: Machine) -> Iterator[str]:
    """Slots, counts and addresses say the same; who waits sleeps."""
    pkmap = m.pkmap
    mapped = {pfn: nr for nr, pfn in enumerate(pkmap.slots) if pfn is not None}
    if mapped != pkmap.nr:
        yield "pkmap: the slots and the frames' addresses differ"
    for nr, (count, pfn) in enumerate(zip(pkmap.pkmap_count, pkmap.slots, strict=True)):
        if (count > 0) != (pfn is not None):
            yield f"pkmap: slot {nr} has count {count} and page frame {pfn}"
    for name, pfn in pkmap.waiters.items():
        if name not in m.tasks or m.tasks[name].waiting_for != pfn:
            yield f"pkmap: {name} waits for a slot and does not sleep"


PART: Final = Part("pkmap", dump, load, verify)
