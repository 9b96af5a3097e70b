"""The page faults of a call, as its outcome tells them.

While a call runs the kernel's functions note each exception and each fault served (`m.vm.faults`); here these
notes become one entry for each access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

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


class Notes(list[Any]):
    """What the kernel notes of faults; of very many only the first."""

    def append(self, note: Any) -> None:
        """One more, unless there are enough."""
        if len(self) < NOTES_KEPT:
            super().append(note)


def of_access(
    m: Machine, mm: MmStruct, address: int, notes: list[Any], signal: Signal | None, *, write: bool
) -> Entry:
    """The entry of one access by user mode, from what was noted while it was made."""
    entry = blank(address, "user", write=write)
    for note in notes:
        take(entry, note)
    if signal is not None and signal[0]:
        entry["signal"], entry["code"] = SIGNALS[signal[0]], CODES[signal[:2]]
    conclude(entry, mm, address)
    return entry


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


def conclude(entry: Entry, mm: MmStruct, address: int) -> None:
    """Add where the walk of the address ends by now."""
    entry["walk"] = pte_text.walk(mm, address)
    if entry["signal"] is None:
        entry["pfn"] = pte_text.frame_of(*pgalloc.find_entry(mm, address), address)


def of_call(m: Machine, notes: list[Any]) -> list[Entry]:
    """The entries of the accesses that the kernel made for a task: at most one more than is shown."""
    found: list[Entry] = []
    spaces: list[MmStruct | None] = []
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
            found.append(blank(address, "user" if user else "kernel", write=write))
            spaces.append(None)
        take(found[-1], note)
        if note[0] == "H":
            spaces[-1] = note[7].vma.vm_mm
    for entry, mm in zip(found, spaces, strict=True):
        if mm is not None:
            conclude(entry, mm, int(entry["addr"], 16))
    return found
