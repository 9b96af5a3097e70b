"""The slow path of an allocation: kswapd, reclaim, the OOM killer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import Collector, count
from app.machine.trace.pages import alloc_flags_names

if TYPE_CHECKING:
    from app.mm.mmzone import Zone


class ReclaimSteps(Collector):
    """Reports of page_alloc's slow path and of vmscan."""

    def slowpath(self, gfp: int, order: int, alloc_flags: int) -> None:
        """No zone above its low mark could give."""
        self.step(
            "__alloc_pages_slowpath",
            f"no zone passes its low mark: try again with {alloc_flags_names(alloc_flags)}",
            numbers={"gfp": f"{gfp:#x}", "order": order, "alloc_flags": alloc_flags_names(alloc_flags)},
        )

    def wakeup_kswapd(self, zone: Zone) -> None:
        """kswapd of the zone's node is woken."""
        self.step("wakeup_kswapd", f"kswapd{zone.nid} is woken", zone)

    def no_reclaim(self, gfp: int) -> None:
        """The caller may not wait for memory."""
        self.step(
            "__alloc_pages_slowpath",
            "without __GFP_DIRECT_RECLAIM nothing else may be tried",
            verdict="no",
            numbers={"gfp": f"{gfp:#x}"},
        )

    def reclaim(self, what: str, *, freed: int | None = None) -> None:
        """One round of direct reclaim, and how many frames it brought."""
        self.step(
            "__alloc_pages_direct_reclaim",
            what if freed is None else f"{what}: {count(freed, 'frame')}",
            verdict="no" if not freed else "ok",
            numbers={} if freed is None else {"freed": freed},
        )

    def direct_compact(self, order: int) -> None:
        """Compaction moves pages of user space and of files together; here is none of them."""
        self.step(
            "__alloc_pages_direct_compact",
            "nothing can be moved: compaction moves pages that are on LRU lists, and these are on none",
            verdict="no",
            numbers={"order": order},
        )

    def may_oom(self, what: str, verdict: str) -> None:
        """The OOM killer, or why it is not asked."""
        self.step("__alloc_pages_may_oom", what, verdict=verdict)
