"""What a recording of processes says: the state of processes, pages and files after the latest operation."""

from __future__ import annotations

from typing import Any, Final

# Of the flags of a page, the kernel's own; above them stand zone and node.
FLAGS_COMPARED: Final = (1 << 22) - 1
PFN_MASKS: Final = (0xFFFFFFFFFF000, 0xFFFFFFFE00000, 0xFFFFFC0000000)
# Of the entry of a table, what the processor reads: above the frame a kernel that hides itself sets one more.
BITS_COMPARED: Final = 0xFFF

Key = tuple[str, int]


def number(text: Any) -> int:
    """A recorded number."""
    return int(text, 16) if isinstance(text, str) else int(text)


def frame_of(level: int, entry: int) -> int | None:
    """The frame that an entry names; None where it is not present."""
    if not entry & 1:
        return None
    return (entry & PFN_MASKS[level - 1 if entry & 0x80 else 0]) >> 12


class Process:
    """An address space: counters, areas, entries by address, tables by level and first address."""

    __slots__ = ("leaf", "mm", "pgd", "tab", "vma")

    def __init__(self) -> None:
        self.mm: dict[str, Any] = {}
        self.vma: list[Any] = []
        self.leaf: dict[int, tuple[int, int]] = {}
        self.tab: dict[tuple[int, int], tuple[int, int]] = {}
        self.pgd: str | None = None

    def update(self, changed: dict[str, Any]) -> None:
        """Take over what changed since it was last shown; null means gone."""
        self.mm = {**self.mm, **changed.get("mm", {})}
        self.vma = changed.get("vma", self.vma)
        self.pgd = changed.get("pgd", self.pgd)
        for address, level, *entry in changed.get("leaf", []):
            if level is None:
                self.leaf.pop(number(address), None)
            else:
                self.leaf[number(address)] = (level, number(entry[0]))
        for level, base, pfn, *entry in changed.get("tab", []):
            if pfn is None:
                self.tab.pop((level, number(base)), None)
            else:
                self.tab[level, number(base)] = (number(pfn), number(entry[0]) & BITS_COMPARED)


class Recorded:
    """All of them. pages: frame → its description, in the recording's form without the frame."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        self.lines = lines
        self.meta = lines[0]
        self.bits = 32 if self.meta["arch"] == "i386" else 64
        self.procs: dict[int, Process] = {}
        self.pages: dict[int, list[Any]] = {}
        self.files: dict[Key, dict[int, Any]] = {}
        self.sizes: dict[Key, int] = {}
        self.batches: dict[str, list[str]] | None = {}

    def update(self, line: dict[str, Any]) -> None:
        """Take over what an operation changed."""
        if "d" in line:
            self.process(line["l"], line["d"])
        if "child" in line:
            child = number(line["a"][0])
            self.procs.pop(child, None)
            self.process(child, line["child"])
        for _, file_system, ino, size, _, changed in line.get("fc", []):
            self.sizes[file_system, ino] = size
            pages = self.files.setdefault((file_system, ino), {})
            for index, page in changed:
                if page is None:
                    pages.pop(index, None)
                else:
                    pages[index] = page
                    self.pages[number(page[0])] = page[1:]
        self.batches = line.get("lb")

    def process(self, label: int, changed: dict[str, Any]) -> None:
        """Take over what changed in one process."""
        self.procs.setdefault(label, Process()).update(changed)
        for page in changed.get("page", []):
            self.pages[number(page[0])] = page[1:]

    def changes(self, kind: str, first: int = 0) -> list[tuple[dict[str, Any], list[Any]]]:
        """(line, item) of all changes of a kind (`leaf`, `page`) from a line on."""
        return [
            (line, item)
            for line in self.lines[first:]
            if line["t"] == "op"
            for item in line.get("d", {}).get(kind, ())
        ]


def page_wanted(description: list[Any]) -> list[Any]:
    """A description with its flags as a number, and only those that are compared."""
    return [*description[:3], number(description[3]) & FLAGS_COMPARED, *description[4:]]
