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
