"""Per-CPU lists: hits, refills, frees, drains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm.mmzone import (
    MIGRATE_LETTERS,
    MIGRATE_NAMES,
    PAGE_ALLOC_COSTLY_ORDER,
    PCP_BATCH_SCALE_MAX,
)

if TYPE_CHECKING:
    from app.mm.mmzone import PerCpuPages, Zone


class PcpSteps(Area):
    """Reports of app.mm.pcp."""

    def hit(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, migratetype: int) -> None:
        """The per-CPU list had a page."""
        if self.trace.in_bulk:
            return
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.current.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} gives its head,"
            f" {pfn:#x}",
            zone,
            verdict="hit",
            numbers={"pfn": pfn, "order": order, "count": pcp.count, "free_factor": pcp.free_factor},
        )

    def refill_begins(self, zone: Zone, pcp: PerCpuPages, order: int, migratetype: int, blocks: int) -> None:
        """The per-CPU list was empty."""
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.current.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} is empty:"
            f" refill it with {blocks}",
            zone,
            verdict="refill",
            numbers={"batch": pcp.batch, "order": order, "blocks": blocks, "count": pcp.count},
        )

    def refill(self, zone: Zone, order: int, pages: list[int]) -> None:
        """The refill is over."""
        self.step(
            "rmqueue_bulk",
            f"{count(len(pages), 'block')} of order {order} moved from the buddy lists",
            zone,
            numbers={
                "blocks": len(pages),
                "order": order,
                "free_change": -(len(pages) << order),
                "pfns": pages[:MAX_LISTED],
            },
            changed=[[pfn, 1 << order, "pcp"] for pfn in pages[:MAX_LISTED]],
        )

    def freed(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, high: int, *, full: bool) -> None:
        """A block was pushed onto the per-CPU list; at `high` pages a batch is given back."""
        if self.trace.pushed is not None and not full:
            self.trace.pushed.append(pfn)
            return
        self.step(
            "free_unref_page_commit",
            f"pushed onto CPU {self.m.current.cpu}'s list: {count(pcp.count, 'page')} there"
            f" {'≥' if full else '<'} high {high}",
            zone,
            verdict="drain" if full else "kept",
            numbers={
                "pfn": pfn,
                "order": order,
                "count": pcp.count,
                "high": high,
                "batch": pcp.batch,
                "free_factor": pcp.free_factor,
            },
            changed=[[pfn, 1 << order, "pcp"]],
        )

    def lot_begins(self) -> None:
        """Pages that were reclaimed together are given back."""
        self.trace.pushed = []

    def lot_ends(self) -> None:
        """They have been; those that a full list gave on stand as steps of their own."""
        pushed, self.trace.pushed = self.trace.pushed or [], None
        if pushed:
            self.step(
                "free_unref_page_list",
                f"{count(len(pushed), 'page')} pushed onto CPU {self.m.current.cpu}'s lists, the last first",
                verdict="kept",
                numbers={"pages": pushed[:MAX_LISTED]},
                changed=[[pfn, 1, "pcp"] for pfn in pushed[:MAX_LISTED]],
            )

    def nr_pcp_free(
        self, zone: Zone, pcp: PerCpuPages, high: int, free_factor: int, to_free: int,
        scaled: tuple[int, int] | None, *, free_high: bool,
    ) -> None:  # fmt: skip
        """How many pages are given back, and why so many.

        scaled: where neither all nor one are, the batch times 2^free_factor, and the most that may go.
        """
        if free_high:
            what = f"orders 1 to {PAGE_ALLOC_COSTLY_ORDER} come back without being asked for: all {to_free}"
        elif scaled is None:
            what = f"high {high} < batch {pcp.batch}: one at least"
        else:
            batch, most = scaled
            what = (
                f"batch {pcp.batch} × 2^{free_factor} = {batch},"
                f" at most high {high} − batch {pcp.batch} = {most}: {to_free}"
            )
        self.step(
            "nr_pcp_free",
            what,
            zone,
            numbers={
                "count": pcp.count,
                "high": high,
                "batch": pcp.batch,
                "free_factor": free_factor,
                "free_factor_next": pcp.free_factor,
                "free_factor_max": PCP_BATCH_SCALE_MAX,
                "free_high": free_high,
                "to_free": to_free,
            },
        )

    def drain(self, zone: Zone, pcp: PerCpuPages, to_free: int) -> None:
        """A batch of per-CPU pages goes back."""
        self.step(
            "free_pcppages_bulk",
            f"{'all' if to_free == pcp.count else f'at least {to_free}'} of CPU {self.m.current.cpu}'s"
            f" {count(pcp.count, 'page')} go back to the buddy lists, in whole blocks",
            zone,
            numbers={
                "to_free": to_free,
                "count": pcp.count,
                "batch": pcp.batch,
                "free_factor": pcp.free_factor,
            },
        )

    def pcpu_drain(self, pfn: int, order: int, migratetype: int) -> None:
        """A per-CPU page went back to the buddy lists. Kernel: trace_mm_page_pcpu_drain"""
        self.point(
            "mm_page_pcpu_drain",
            f"{self.page(pfn)} order={order} migratetype={migratetype}",
            ["D", f"{pfn:#x}", order, MIGRATE_LETTERS[migratetype]],
            locks=2,
        )
