"""How an anonymous page finds those who map it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine import vma_text
from app.machine.trace.collector import Area

if TYPE_CHECKING:
    from app.mm.mm_types import AnonVma, VmArea


class RmapSteps(Area):
    """Reports of app.mm.rmap."""

    def prepared(self, vma: VmArea, anon_vma: AnonVma, *, shared: bool) -> None:
        """An area gets its first anonymous page."""
        whose = "a neighbour's, with which it might merge" if shared else "a new one"
        self.step(
            "__anon_vma_prepare",
            f"the area {vma_text.area(vma)} needs an anon_vma for its first anonymous page: {whose}",
            verdict="shared" if shared else "new",
            numbers={"anon_vma": anon_vma.id, "vm_start": f"{vma.vm_start:#x}", "areas": len(anon_vma.vmas)},
        )

    def forked(self, anon_vma: AnonVma, parent: AnonVma, chain: int, *, reused: bool) -> None:
        """The child's area is found from its parent's pages, and gets an anon_vma for its own."""
        what = "takes over one that nobody uses any more" if reused else "gets one of its own"
        self.step(
            "anon_vma_fork",
            f"the child's area is linked to what finds the parent's pages, and {what} for new ones",
            verdict="reused" if reused else "new",
            numbers={"anon_vma": anon_vma.id, "parent": parent.id, "chain": chain},
        )
