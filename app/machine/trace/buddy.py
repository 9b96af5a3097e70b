"""Buddy lists: splits, steals, merges."""

from __future__ import annotations

from app.machine.trace.collector import Area, Collector, count
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_LETTERS,
    MIGRATE_NAMES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    Zone,
    pcp_allowed_order,
)


class BuddySteps(Area):
    """Reports of app.mm.buddy."""

    def __init__(self, trace: Collector) -> None:
        super().__init__(trace)
        # Of the block that is being split: [first frame, frames, state] of each half that went back.
        self.halves: list[list[int | str]] = []

    def half(self, pfn: int, order: int) -> None:
        """The upper half of a block that is being split went back to its list."""
        self.halves.append([pfn, 1 << order, "free"])

    def zone_locked(
        self, zone: Zone, pfn: int, order: int, found_order: int, migratetype: int, *, percpu_refill: bool
    ) -> None:
        """A block left the buddy lists; its upper halves went back.

        Kernel: trace_mm_page_alloc_zone_locked
        """
        refill = int(percpu_refill)
        halves, self.halves = self.halves, []
        self.point(
            "mm_page_alloc_zone_locked",
            f"{self.page(pfn)} order={order} migratetype={migratetype} percpu_refill={refill}",
            ["Z", f"{pfn:#x}", order, MIGRATE_LETTERS[migratetype], refill],
            locks=3 if refill else 1,
        )
        self.step(
            "__rmqueue_smallest",
            f"the head of the {MIGRATE_NAMES[migratetype]} list of order {found_order}: {pfn:#x}",
            zone,
            numbers={
                "pfn": pfn,
                "order": order,
                "found_order": found_order,
                "migratetype": MIGRATE_NAMES[migratetype],
            },
        )
        if halves:
            self.step(
                "expand",
                f"split from order {found_order} to {order}:"
                " the upper halves go back to the heads of their lists",
                zone,
                numbers={
                    "from_order": found_order,
                    "to_order": order,
                    "halves": [half[:2] for half in halves],
                },
                changed=halves,
            )

    def no_fallback(self, zone: Zone, order: int, min_order: int, start_type: int) -> None:
        """No list of another type may be stolen from."""
        unmixed = " (smaller ones would mix a pageblock)" if min_order > order else ""
        self.step(
            "__rmqueue_fallback",
            f"no {MIGRATE_NAMES[start_type]} block, and none of another type of order ≥ {min_order}{unmixed}",
            zone,
            verdict="none",
            numbers={"order": order, "min_order": min_order, "migratetype": MIGRATE_NAMES[start_type]},
        )

    def extfrag(
        self, zone: Zone, pfn: int, order: int, fallback_order: int, start_type: int, fallback_mt: int
    ) -> None:
        """Memory of another type is taken. Kernel: trace_mm_page_alloc_extfrag"""
        owned = int(start_type == zone.get_pfnblock_migratetype(pfn))
        self.point(
            "mm_page_alloc_extfrag",
            f"{self.page(pfn)} alloc_order={order} fallback_order={fallback_order}"
            f" pageblock_order={PAGEBLOCK_ORDER}"
            f" alloc_migratetype={start_type} fallback_migratetype={fallback_mt}"
            f" fragmenting={int(fallback_order < PAGEBLOCK_ORDER)} change_ownership={owned}",
            [
                "X", f"{pfn:#x}", order, fallback_order, MIGRATE_LETTERS[start_type],
                MIGRATE_LETTERS[fallback_mt],
            ],
            locks=3 if pcp_allowed_order(order) else 1,
        )  # fmt: skip
        self.step(
            "__rmqueue_fallback",
            f"no {MIGRATE_NAMES[start_type]} block: take the {MIGRATE_NAMES[fallback_mt]} block {pfn:#x}"
            f" of order {fallback_order}",
            zone,
            verdict="steal",
            numbers={
                "pfn": pfn,
                "order": order,
                "fallback_order": fallback_order,
                "from": MIGRATE_NAMES[fallback_mt],
                "to": MIGRATE_NAMES[start_type],
                "pageblock_now": MIGRATE_NAMES[zone.get_pfnblock_migratetype(pfn)],
                "boost": zone.boost,
            },
        )

    def pageblock(
        self, zone: Zone, pfn: int, free_pages: int, movable_pages: int, alike_pages: int, threshold: int,
        *, claimed: bool,
    ) -> None:  # fmt: skip
        """Whether enough of a pageblock is free or alike to claim all of it."""
        self.step(
            "steal_suitable_fallback",
            f"free {free_pages} + alike {alike_pages} {'≥' if claimed else '<'} {threshold}:"
            f" the pageblock {'changes' if claimed else 'keeps'} its type",
            zone,
            verdict="claimed" if claimed else "kept",
            numbers={
                "pageblock": pfn & -PAGEBLOCK_NR_PAGES,
                "free_pages": free_pages,
                "movable_pages": movable_pages,
                "alike_pages": alike_pages,
                "threshold": threshold,
            },
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
