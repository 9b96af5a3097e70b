"""Freeing page frames: references, per-CPU lists, drains and merges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import Collector, count
from app.mm import page_ref
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_LETTERS,
    MIGRATE_NAMES,
    PAGE_ALLOC_COSTLY_ORDER,
    PCP_BATCH_SCALE_MAX,
)

if TYPE_CHECKING:
    from app.mm.mmzone import PerCpuPages, Zone


class FreeSteps(Collector):
    """Reports of page_alloc, pcp and buddy on the way of a free."""

    def free(self, pfn: int, order: int) -> None:
        """A block's last reference is gone. Kernel: trace_mm_page_free"""
        self.point("mm_page_free", f"{self.page(pfn)} order={order}", ["F", f"{pfn:#x}", order])

    def tail_freed(self, pfn: int, order: int, piece: int) -> None:
        """A piece of a block whose first frame was not given up with the last reference to it."""
        left = page_ref.page_ref_count(self.m, pfn)
        why = (
            "is still held"
            if left > 0
            else f"was held by nobody, so that its count, {left}, did not come to 0"
        )
        self.step(
            "__free_pages",
            f"page frame {pfn:#x} {why}: of its block of order {order},"
            f" {pfn + (1 << piece):#x} of order {piece} is freed alone",
            verdict="tail",
            numbers={"pfn": pfn, "order": order, "piece": pfn + (1 << piece), "piece_order": piece},
        )
        self.free(pfn + (1 << piece), piece)

    def freed_to_pcp(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, high: int) -> None:
        """A block was pushed onto the per-CPU list; at `high` pages a batch is given back."""
        full = pcp.count >= high
        self.step(
            "free_unref_page_commit",
            f"pushed onto CPU {self.m.cpu}'s list: {count(pcp.count, 'page')} there"
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

    def nr_pcp_free(
        self, zone: Zone, pcp: PerCpuPages, high: int, free_factor: int, to_free: int, *, free_high: bool
    ) -> None:
        """How many pages are given back, and why so many."""
        if free_high:
            what = f"orders 1 to {PAGE_ALLOC_COSTLY_ORDER} come back without being asked for: all {to_free}"
        elif high < pcp.batch:
            what = f"high {high} < batch {pcp.batch}: one at least"
        else:
            what = (
                f"batch {pcp.batch} × 2^{free_factor} = {pcp.batch << free_factor},"
                f" at most high {high} − batch {pcp.batch} = {high - pcp.batch}: {to_free}"
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
            f"{'all' if to_free == pcp.count else f'at least {to_free}'} of CPU {self.m.cpu}'s"
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

    def merged(
        self, zone: Zone, whole: tuple[int, int], freed: tuple[int, int], migratetype: int, *, tail: bool
    ) -> None:
        """A freed block reached its place in the buddy lists as part of the whole that it merged into.

        Both as first frame and order.
        """
        (pfn, order), (freed_pfn, first_order) = whole, freed
        merges = order - first_order
        none = "the largest order has no buddy:" if order == MAX_ORDER - 1 else "the buddy is not free:"
        size = f"merged with {count(merges, 'buddy', 'buddies')} to" if merges else none
        self.step(
            "__free_one_page",
            f"{size} order {order} at {pfn:#x}, {'tail' if tail else 'head'}"
            f" of the {MIGRATE_NAMES[migratetype]} list",
            zone,
            numbers={
                "pfn": pfn,
                "order": order,
                "freed_pfn": freed_pfn,
                "first_order": first_order,
                "merges": merges,
                "migratetype": MIGRATE_NAMES[migratetype],
                "to_tail": tail,
            },
            changed=[[pfn, 1 << order, "free"]],
        )
