"""What a call did to processes, noted as it is, and put into the contract's words when somebody asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.machine import faulting, observing, pte_text
from app.mm.mm_types import MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS

if TYPE_CHECKING:
    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task

# Task, size, resident pages by counter and exactly, bytes of its tables.
Figures = tuple[str, int, list[int], int, int]
Runs = list[list[Any]]


class Told:
    """What became of processes and their pages.

    minor, major: faults. view: the caller's address space. access, pte, vma, lru: None where there is more
    of them than an outcome shows.
    """

    __slots__ = ("access", "found", "lru", "major", "minor", "pte", "view", "vma")

    def __init__(self, minor: int, major: int, view: Figures | None) -> None:
        self.minor = minor
        self.major = major
        self.view = view
        self.access: list[faulting.Seen] | None = []
        self.pte: list[observing.Run] | None = []
        self.vma: list[observing.Run] | None = []
        self.lru: list[observing.Run] | None = []
        self.found: dict[str, Any] | None = None

    @property
    def document(self) -> dict[str, Any]:
        """By the names of the HTTP contract; worked out once."""
        if self.found is None:
            self.found = self.in_words()
        return self.found

    def in_words(self) -> dict[str, Any]:
        """The same, worked out."""
        return {
            "access": None if self.access is None else [faulting.entry(seen) for seen in self.access],
            "faults": {"min": self.minor, "maj": self.major},
            "mm": None if self.view is None else mm_document(self.view),
            "pte": entries(self.pte),
            "vma": self.vma,
            "lru": self.lru,
        }


def entries(runs: Runs | None) -> Runs | None:
    """Runs of entries in the contract's words."""
    if runs is None:
        return None
    return [[task, f"{at:#x}", pages, pte_text.flags(bits)] for task, at, pages, bits in runs]


def figures(task: Task, mm: MmStruct) -> Figures:
    """An address space as a call leaves it."""
    rss, own = mm.rss_stat, task.rss_stat
    file, anon, _, shmem = rss
    resident = file + own[MM_FILEPAGES] + anon + own[MM_ANONPAGES] + shmem + own[MM_SHMEMPAGES]
    return task.name, mm.total_vm, rss[:], resident, mm.pgtables_bytes


def mm_document(view: Figures) -> dict[str, Any]:
    """An address space in figures. rss: the kernel's counters, which lag; resident: the exact number."""
    task, total_vm, rss, resident, tables = view
    return {
        "task": task,
        "total_vm": total_vm,
        "rss": {
            "anon": rss[MM_ANONPAGES],
            "file": rss[MM_FILEPAGES],
            "shmem": rss[MM_SHMEMPAGES],
            "swap": rss[MM_SWAPENTS],
        },
        "resident": resident,
        "pgtables_bytes": tables,
    }
