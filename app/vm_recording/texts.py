"""The files of /proc/PID that a recording quotes, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from app.machine.machine import Machine
from app.mm.mm_types import VM_EXEC, MmStruct
from app.mm.proc import array, task_mmu
from app.mm.sched import Task
from app.vm_recording.recorded import number
from app.vm_recording.start import task_name

# Lines of `status` that are not about memory: signals, rights, who runs where.
STATUS_COMPARED: Final = ("Vm", "Rss", "Huge", "THP")
# The page of user memory from which a program wrote down its own pagemap: where it looked.
PAGEMAP_START: Final = 0x40000

FILES: Final[dict[str, Callable[[Machine, Task, MmStruct], str]]] = {
    "maps": lambda m, _, mm: task_mmu.maps(m, mm),
    "smaps": lambda m, _, mm: task_mmu.smaps(m, mm),
    "smaps_rollup": lambda m, _, mm: task_mmu.smaps_rollup(m, mm),
    "statm": lambda _, __, mm: task_mmu.statm(mm),
    "status": lambda m, task, _: of_memory(array.status(m, task)),
}


def of_memory(text: str) -> str:
    """The lines of `status` that are about memory."""
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(STATUS_COMPARED))


def differing_lines(m: Machine, line: dict[str, Any]) -> list[str] | None:
    """What differs in a quoted text; None for one that is not of a process."""
    task = m.tasks[task_name(line["l"])]
    mm = task.mm
    if mm is None or (line["t"] == "proc" and line["file"] not in FILES):
        return None
    if line["t"] == "ubuf":
        count = len(line["hex"]) // 16
        words = task_mmu.pagemap(m, mm, PAGEMAP_START, count)
        ours, theirs = b"".join(word.to_bytes(8, "little") for word in words).hex(), line["hex"]
    else:
        learn(mm, line)
        ours, theirs = FILES[line["file"]](m, task, mm), line["text"]
        theirs = of_memory(theirs) if line["file"] == "status" else theirs
    return [] if ours == theirs else list(first_lines(ours, theirs))


def learn(mm: MmStruct, line: dict[str, Any]) -> None:
    """Names and devices of files, and where the program's code ends, are only in these texts."""
    code = next((vma for vma in mm.mmap if vma.vm_flags & VM_EXEC and vma.vm_file is not None), None)
    if code is not None:
        mm.start_code, mm.end_code = code.vm_start, code.vm_end
    if line["file"] in ("maps", "smaps"):
        files = {vma.vm_start: vma.vm_file.inode for vma in mm.mmap if vma.vm_file is not None}
        for words in (text.split(None, 5) for text in line["text"].splitlines()):
            inode = files.get(number(words[0].split("-")[0])) if len(words) > 5 and "-" in words[0] else None
            if inode is not None:
                inode.device, inode.ino, inode.name = words[3], int(words[4]), words[5]


def first_lines(ours: str, theirs: str) -> Iterator[str]:
    """The first three lines that differ."""
    pairs = zip(ours.splitlines(), theirs.splitlines(), strict=False)
    apart = [f"{one!r}, the kernel {other!r}" for one, other in pairs if one != other][:3]
    yield from apart or ["the number of lines"]
