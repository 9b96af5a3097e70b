"""Transparent huge pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine import vma_text
from app.machine.trace.collector import Area

if TYPE_CHECKING:
    from app.mm.mm_types import VmArea


class HugeMemorySteps(Area):
    """Reports of app.mm.huge_memory."""

    def suitable(self, vma: VmArea, haddr: int, *, fits: bool) -> None:
        """Whether 2 MiB around the address lie in the area."""
        self.step(
            "transhuge_vma_suitable",
            f"the 2 MiB from {haddr:#x} on lie {'wholly' if fits else 'not wholly'} in {vma_text.area(vma)}"
            + ("" if fits else ": small pages"),
            verdict="ok" if fits else "small",
            numbers={"haddr": f"{haddr:#x}", "vm_start": f"{vma.vm_start:#x}", "vm_end": f"{vma.vm_end:#x}"},
        )

    def new_page(self, pfn: int | None, haddr: int) -> None:
        """A huge page, or none."""
        self.step(
            "do_huge_pmd_anonymous_page",
            "no block of 512 frames is free: small pages"
            if pfn is None
            else f"frames {pfn:#x} to {pfn + 511:#x} become a huge page for {haddr:#x}; a table is set aside",
            None if pfn is None else self.m.zone_of(pfn),
            verdict="small" if pfn is None else "new page",
            numbers={"pfn": pfn, "haddr": f"{haddr:#x}"},
            changed=[] if pfn is None else self.shown(pfn, 512),
        )

    def zero_page(self, pfn: int, haddr: int) -> None:
        """A read maps the huge page of zeros."""
        self.step(
            "set_huge_zero_page",
            f"a read: the huge page of zeros, frame {pfn:#x}, which all processes share, will do",
            verdict="zero page",
            numbers={"pfn": pfn, "haddr": f"{haddr:#x}"},
        )

    def write(self, head: int | None, count: int, *, exclusive: bool, reuse: bool) -> None:
        """A write to a huge page that may only be read. head: None for the page of zeros."""
        if head is None:
            what = "the huge page of zeros: split, and only the small page is taken"
        elif exclusive:
            what = f"huge page {head:#x} is this process's alone: it may be written"
        elif reuse:
            what = f"huge page {head:#x}: _refcount {count}: nobody else has it: reuse"
        else:
            what = f"huge page {head:#x}: _refcount {count}: split, and only the small page is copied"
        self.step(
            "do_huge_pmd_wp_page",
            what,
            verdict="reuse" if reuse else "split",
            numbers={"pfn": head, "refcount": count, "exclusive": exclusive},
        )

    def split(self, haddr: int, head: int | None, table: int) -> None:
        """One entry becomes 512. table: the frame that was set aside."""
        after = "the page of zeros" if head is None else f"parts of the page {head:#x}, which stays one"
        self.step(
            "__split_huge_pmd_locked",
            f"the entry for 2 MiB at {haddr:#x} becomes 512 entries of 4 KiB in the table set aside,"
            f" frame {table:#x}: {after}",
            verdict="split",
            numbers={"haddr": f"{haddr:#x}", "pfn": head, "table_pfn": table},
        )
