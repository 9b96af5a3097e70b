"""What a recording of page reclaim says: pages, flags, batches, counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from app.mm.exec import VDSO_PAGES, VVAR_PAGES, Layout
from app.mm.mem_map import PG_reclaim, PG_swapbacked
from app.mm.page import (
    PG_active,
    PG_dirty,
    PG_locked,
    PG_lru,
    PG_mlocked,
    PG_owner_priv_1,
    PG_private,
    PG_referenced,
    PG_unevictable,
    PG_uptodate,
    PG_workingset,
    PG_writeback,
)
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.vmstat import XA_CHUNK_SHIFT

# A flag's letter and its bit, in the order in which a recording writes them. A page of anonymous memory has
# an A, and an E where it is its owner's alone.
FLAGS: Final = {
    "l": PG_locked, "r": PG_referenced, "u": PG_uptodate, "d": PG_dirty, "L": PG_lru, "a": PG_active,
    "w": PG_workingset, "p": PG_private, "B": PG_writeback, "R": PG_reclaim, "s": PG_swapbacked,
    "U": PG_unevictable, "m": PG_mlocked, "c": PG_owner_priv_1,
}  # fmt: skip
ANON: Final = "A"
EXCLUSIVE: Final = "E"
LISTS: Final = ("inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable")
# Kinds of events that are compared, where they are not others'.
COMPARED: Final = frozenset((
    "A", "F", "LI", "LA", "FA", "FD", "iso", "inact", "act", "wr", "dr>", "dr<", "wk",
    "ctry", "csuit", "cfin", "cb", "ce", "cim", "cif", "cmig", "mig", "retry", "victim",
))  # fmt: skip
# Where in an event stands what this machine cannot know.
UNKNOWN: Final = {"cim": 3}
# How the recording names the batches.
BATCHES: Final = {
    "lru_add": "add", "rotate": "rotate", "deactivate_file": "deactivate_file", "deactivate": "deactivate",
    "lazyfree": "lazyfree", "activate": "activate", "mlock": "mlock",
}  # fmt: skip
# Of which file a page is: f0 is 1.
FILE_ANON: Final = -1
FILE_BLOCK_DEVICE: Final = -2
FILES: Final = 16
# No recording hands out this one.
FIRST_FRAME: Final = 1
NO_INODE: Final = 0
# Of a kernel that saves memory (CONFIG_BASE_SMALL).
SMALL_CHUNK_SHIFT: Final = 4
# Pages of the program that takes memory, without the range that it fills.
PROGRAM_PAGES: Final = 41
FILE_PAGES: Final = 4096
BIT_EXEC: Final = 1
BIT_LOCKED: Final = 2
BIT_DIRTY: Final = 4


@dataclass(frozen=True, slots=True)
class RecordedPage:
    """A page of a full list. mapped: in how many places; young: in how many the processor used it."""

    pfn: int
    flags: str
    count: int
    mapped: int
    young: int
    bits: int
    file: int
    index: int


def flag_bits(letters: str) -> int:
    """The PG_ bits that a recording's letters stand for."""
    return sum(FLAGS[letter] for letter in letters if letter in FLAGS)


def is_of_reclaim(lines: list[dict[str, Any]]) -> bool:
    """Whether a recording that begins so is one of these."""
    return any(line["t"] == "lru" or "nlru" in line for line in lines)


@dataclass(frozen=True, slots=True)
class Hog:
    """A process that takes memory, as /proc shows it: its one large range has so many `pages`.

    size, anon, file: of its program and the range together, in pages.
    """

    name: str
    comm: str
    pid: int
    adj: int
    score: int
    size: int
    anon: int
    file: int

    @property
    def pages(self) -> int:
        """Of the range."""
        return self.size - PROGRAM_PAGES


class Told:
    """What later lines say of the state before the first operation.

    top: where the process's first mapping ends, below what the kernel maps for itself. zero_pfn: the frame
    of zeros, which shows where a page was dropped and is read. device: the disk's own inode.
    chunk_shift: entries of a node of a file's tree, as a power of two.
    """

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.machine: str = lines[0]["machine"]
        self.hogs = [hog(line) for line in lines if line["t"] == "task" and line["comm"] != "init"]
        self.pid: int = next((line["pid"] for line in lines if line["t"] == "begin" and "pid" in line), 1)
        self.top = Layout("x86_64").mmap_base - (VDSO_PAGES + VVAR_PAGES) * PAGE_SIZE
        self.zero_pfn = FIRST_FRAME
        self.chunk_shift = SMALL_CHUNK_SHIFT if self.machine.startswith("plain") else XA_CHUNK_SHIFT
        self.device = next(of_device(lines), NO_INODE)
        for line in reversed(lines):
            if line["t"] == "op" and line["op"] in ("mmapa", "mmapf"):
                pages = int(line["a"][1 if line["op"] == "mmapa" else 3])
                self.top = int(line["ret"], 16) + pages * PAGE_SIZE
            elif line["t"] == "pte":
                read = [page[0] for page in line["pages"] if page and page[1:] == ["y"]]
                self.zero_pfn = next((pfn for pfn in read if read.count(pfn) > 1), self.zero_pfn)


def of_device(lines: list[dict[str, Any]]) -> Iterator[int]:
    """The inode of pages that are of no file: the disk's own."""
    for line in lines:
        for event in line["ev"] if line["t"] == "op" else ():
            if event[0].endswith("FD") and not 1 <= event[2] <= FILES:
                yield event[2]


def hog(line: dict[str, Any]) -> Hog:
    """A process of the list before a run that ends in the OOM killer."""
    size, resident, shared, *_ = map(int, line["statm"].split())
    name = f"{line['comm']}{line['pid']}"
    return Hog(name, line["comm"], line["pid"], line["adj"], line["score"], size, resident - shared, shared)
