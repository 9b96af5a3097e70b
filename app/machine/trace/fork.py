"""What a child gets a copy of, and what it is left to fault in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import vma_text
from app.machine.trace.collector import Area, count
from app.machine.trace.memory import rss_numbers, rss_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mm_types import VmArea

HOW: Final = {
    "none": ("the child does not get it (MADV_DONTFORK)", "left out"),
    "wiped": ("the child gets it empty (MADV_WIPEONFORK)", "left out"),
    "area": (
        "no anonymous page: the child gets the area and no entries, a fault finds its pages",
        "left out",
    ),
    "entries": ("it may have pages that no fault could find again: its entries are copied", "copied"),
}


class ForkSteps(Area):
    """Reports of app.mm.fork."""

    def area(self, vma: VmArea, how: str) -> None:
        """What becomes of one area."""
        what, verdict = HOW[how]
        self.step(
            "dup_mmap",
            f"{vma_text.area(vma)}: {what}",
            verdict=verdict,
            numbers={
                "vm_start": f"{vma.vm_start:#x}",
                "vm_end": f"{vma.vm_end:#x}",
                "vm_flags": f"{vma.vm_flags:#x}",
                "anon_vma": None if vma.anon_vma is None else vma.anon_vma.id,
            },
        )

    def entries(self, address: int, copied: int, rss: Sequence[int], protected: int) -> None:
        """The entries of one table are copied: the pages are shared."""
        self.step(
            "copy_pte_range",
            f"{count(copied, 'entry', 'entries')} from {address:#x} on copied, no page;"
            f" {protected} lost the right to write on both sides; the child's pages: {rss_text(rss)}",
            verdict="shared",
            numbers={
                "address": f"{address:#x}",
                "entries": copied,
                "protected": protected,
                **rss_numbers(rss),
            },
        )

    def huge(self, address: int, head: int | None) -> None:
        """An entry of 2 MiB is copied."""
        whose = "the huge page of zeros" if head is None else f"the huge page {head:#x}"
        self.step(
            "copy_huge_pmd",
            f"the entry for 2 MiB at {address:#x} is copied: both map {whose}, neither may write to it",
            verdict="shared",
            numbers={"address": f"{address:#x}", "pfn": head},
        )
