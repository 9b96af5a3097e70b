"""The binary files of /proc: 64-bit words, one for each page. Kernel: fs/proc/task_mmu.c, fs/proc/page.c

A file is read in parts, since it is as long as the memory, or as the addresses of a process.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.proc import page, task_mmu

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.kernel import Kernel

WORD: Final = 8
PAGES_PER_SECTION: Final = 1 << 15
# Frames of which words are made at a time: some tens of milliseconds.
FRAMES_AT_ONCE: Final = 8192

OF_FRAMES: Final[dict[str, Callable[[Kernel, int], int]]] = {
    "kpageflags": page.kpageflags,
    "kpagecount": page.kpagecount,
}
"""The files with a word for each frame, by their name."""


def frames(m: Machine) -> int:
    """How many words such a file has: x86_64 keeps records of whole sections. Kernel: get_max_dump_pfn"""
    end = max(zone.end_pfn for zone in m.zones)
    return -(-end // PAGES_PER_SECTION) * PAGES_PER_SECTION if m.model.arch == "x86_64" else end


def addresses(m: Machine, name: str) -> int:
    """How many pages of addresses a task has; none is a kernel thread's. Raises KeyError."""
    mm = m.tasks[name].mm
    return 0 if mm is None else mm.task_size >> PAGE_SHIFT


def of_frames(m: Machine, file: str, first: int, count: int) -> bytes:
    """Words of so many frames from one on."""
    word = OF_FRAMES[file]
    made = array("Q")
    for pfn in range(first, first + count):
        if not pfn & 0xFF:
            m.breathe()
        made.append(word(m, pfn))
    return little_endian(made)


def of_addresses(m: Machine, name: str, first: int, count: int) -> bytes:
    """Words of so many pages of a task's addresses. Raises KeyError."""
    mm = m.tasks[name].mm
    return b"" if mm is None else little_endian(array("Q", task_mmu.pagemap(m, mm, first, count)))


def little_endian(words: array[int]) -> bytes:
    """As x86 has them in memory."""
    if sys.byteorder == "big":
        words.byteswap()
    return words.tobytes()
