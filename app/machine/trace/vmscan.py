"""Reclaim: kswapd and what it is woken for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import Area

if TYPE_CHECKING:
    from app.mm.mmzone import Zone


class VmscanSteps(Area):
    """Reports of app.mm.vmscan."""

    def wakeup_kswapd(self, zone: Zone) -> None:
        """kswapd of the zone's node is woken."""
        self.step("wakeup_kswapd", f"kswapd{zone.nid} is woken", zone)

    def refault(
        self, head: int, distance: int, size: int, *, file: bool, activate: bool, restore: bool
    ) -> None:
        """A page that had been evicted is read again."""
        kind = "file" if file else "anonymous"
        what = f"this {kind} page was evicted {distance:,} evictions and activations ago"
        if activate:
            what += f"; it would have stayed, had the lists had {size:,} pages for it: it is active at once"
        else:
            what += f", more than the {size:,} pages that it competes with: it begins inactive"
        self.step(
            "workingset_refault",
            what,
            verdict="activate" if activate else "inactive",
            numbers={"pfn": head, "distance": distance, "size": size, "restored": restore},
        )
