"""The page faults of a call, as its outcome tells them.

While a call runs the kernel's functions note each exception and each fault served (`m.vm.faults`); here these
notes become one entry for each access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.machine import pte_text
from app.mm import fault, pgalloc
from app.mm.fault import Signal
from app.mm.vm_fault import (
    FAULT_FLAG_TRIED,
    FAULT_FLAG_USER,
    FAULT_FLAG_WRITE,
    VM_FAULT_MAJOR,
    VM_FAULT_NOPAGE,
)

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct

# As many accesses as an outcome shows.
MAX_SHOWN: Final = 64
# An access leaves an exception, and as many faults as it takes until the page is there.
NOTES_KEPT: Final = 8 * MAX_SHOWN
SIGNALS: Final = {fault.SIGSEGV: "SIGSEGV", fault.SIGBUS: "SIGBUS"}
CODES: Final = {
    (fault.SIGSEGV, fault.SEGV_MAPERR): "SEGV_MAPERR",
    (fault.SIGSEGV, fault.SEGV_ACCERR): "SEGV_ACCERR",
    (fault.SIGSEGV, fault.SI_KERNEL): "SI_KERNEL",
    (fault.SIGBUS, fault.BUS_ADRERR): "BUS_ADRERR",
}

Entry = dict[str, Any]
# (level, index, entry) of each table that a walk looks at.
Walk = list[tuple[int, int, int]]


class Notes(list[Any]):
    """What the kernel notes of faults; of very many only the first."""

    def append(self, note: Any) -> None:
        """One more, unless there are enough."""
        if len(self) < NOTES_KEPT:
            super().append(note)


class Seen(NamedTuple):
    """One access as it was made. notes: what the kernel noted of it. walk: that of its address afterwards.

    top: the level of the highest table.
    """

    address: int
    mode: str
    write: bool
    notes: list[Any]
    signal: Signal | None
    walk: Walk
    top: int


def of_access(mm: MmStruct, address: int, notes: list[Any], signal: Signal | None, *, write: bool) -> Seen:
    """One access by user mode, with what was noted while it was made.

    The processor looks into no table for an address that is not canonical.
    """
    walk = [] if signal is not None and signal[1] == fault.SI_KERNEL else pgalloc.walked(mm, address)
    pgd = mm.pgd
    return Seen(address, "user", write, notes, signal, walk, 0 if pgd is None else pgd.level)


def top_of(mm: MmStruct) -> int:
    """The level of the highest table."""
    return 0 if mm.pgd is None else mm.pgd.level


def of_call(m: Machine, notes: list[Any]) -> list[Seen]:
    """The accesses that the kernel made for a task: at most one more than is shown."""
    found: list[Seen] = []
    last: tuple[str, int] | None = None
    for note in notes:
        who, address = note[1], note[2]
        page = (who, address >> 12)
        if page != last:
            if len(found) > MAX_SHOWN:
                break
            last = page
            user = note[0] == "U" or (note[0] == "H" and note[3] & FAULT_FLAG_USER)
            write = bool(note[3] & 2 if note[0] in "UK" else note[0] == "H" and note[3] & FAULT_FLAG_WRITE)
            found.append(Seen(address, "user" if user else "kernel", write, [], None, [], 0))
        found[-1].notes.append(note)
    return [with_walk(m, seen) for seen in found]


def with_walk(m: Machine, seen: Seen) -> Seen:
    """The same with the walk of its address by now: of the one whose fault was served, or who made it."""
    mm = next((note[7].vma.vm_mm for note in reversed(seen.notes) if note[0] == "H"), None)
    task = m.tasks.get(seen.notes[0][1])
    if mm is None and task is not None:
        mm = task.mm
    if mm is None or fault.is_non_canonical(m, seen.address):
        return seen
    return seen._replace(walk=pgalloc.walked(mm, seen.address), top=top_of(mm))


# -- in words --------------------------------------------------------------------------------------


def entry(seen: Seen) -> Entry:
    """An access by the names of the HTTP contract."""
    doc = blank(seen.address, seen.mode, write=seen.write)
    for note in seen.notes:
        take(doc, note)
    signal = seen.signal
    if signal is not None and signal[0]:
        doc["signal"], doc["code"] = SIGNALS[signal[0]], CODES[signal[:2]]
    doc["walk"] = pte_text.steps(seen.walk, seen.top)
    if doc["signal"] is None and seen.walk:
        level, _, last = seen.walk[-1]
        doc["pfn"] = pte_text.frame_of(level, last, seen.address)
    return doc


def blank(address: int, mode: str, *, write: bool) -> Entry:
    """An access that has met no fault so far."""
    return {
        "addr": f"{address:#x}",
        "write": write,
        "mode": mode,
        "fault": "none",
        "major": False,
        "signal": None,
        "code": None,
        "pfn": None,
        "walk": [],
        "new_tables": [],
        "mapped_around": 0,
    }


def take(entry: Entry, note: Any) -> None:
    """Add what one note says."""
    if note[0] == "G":
        entry["fault"] = "stack"
    if note[0] != "H":
        return
    _, _, _, flags, ret, (before, _), (after, _), vmf = note
    reading = entry["fault"] == "file_read" and vmf.kind == "file_cached"
    if vmf.kind and entry["fault"] != "stack" and not reading:
        entry["fault"] = vmf.kind
    entry["major"] = entry["major"] or bool(ret & VM_FAULT_MAJOR or flags & FAULT_FLAG_TRIED)
    entry["mapped_around"] += vmf.mapped_around - bool(ret & VM_FAULT_NOPAGE and vmf.mapped_around)
    entry["new_tables"] += [pte_text.LEVELS[level] for level in range(before - 1, after - 1, -1)]
