"""Allocating page frames: zones against marks, per-CPU lists, splits and steals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.trace.collector import Collector, count
from app.mm.gfp import pGg
from app.mm.mmzone import (
    MIGRATE_HIGHATOMIC,
    MIGRATE_LETTERS,
    MIGRATE_NAMES,
    MIGRATE_PCPTYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    PerCpuPages,
    Zone,
    pcp_allowed_order,
)

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.internal import AllocContext

MARKS: Final = ("min", "low", "high", "promo")
ALLOC_FLAG_NAMES: Final = (
    (0x4, "ALLOC_NO_WATERMARKS"), (0x8, "ALLOC_OOM"), (0x10, "ALLOC_NON_BLOCK"), (0x20, "ALLOC_MIN_RESERVE"),
    (0x40, "ALLOC_CPUSET"), (0x100, "ALLOC_NOFRAGMENT"), (0x200, "ALLOC_HIGHATOMIC"), (0x800, "ALLOC_KSWAPD"),
)  # fmt: skip
# Lists of page frames in a step are cut here; the numbers beside them are not.
MAX_LISTED: Final = 512


def alloc_flags_names(alloc_flags: int) -> str:
    """Allocation flags as the kernel's source would write them."""
    names = [f"ALLOC_WMARK_{MARKS[alloc_flags & 3].upper()}"]
    return "|".join(names + [name for bit, name in ALLOC_FLAG_NAMES if alloc_flags & bit])


def with_reserves(mark: int, alloc_flags: int) -> int:
    """What is left of a mark for those who may go below it. Kernel: __zone_watermark_ok"""
    if alloc_flags & 0x20:
        mark -= mark // 2
        if alloc_flags & 0x10:
            mark -= mark // 4
    return mark - mark // 2 if alloc_flags & 0x8 else mark


def suitable_block(zone: Zone, order: int, alloc_flags: int) -> list[Any] | None:
    """`[order, type]` of the first list with a block that a request may use; None where there is none."""
    types = [*range(MIGRATE_PCPTYPES), *([MIGRATE_HIGHATOMIC] if alloc_flags & 0x208 else [])]
    for larger in range(order, len(zone.free_area)):
        for migratetype in types:
            if zone.free_area[larger].free_list[migratetype]:
                return [larger, MIGRATE_NAMES[migratetype]]
    return None


class PageSteps(Collector):
    """Reports of page_alloc, pcp and buddy on the way of an allocation."""

    def __init__(self, m: Machine) -> None:
        super().__init__(m)
        # Whether the pages of a bulk allocation are being taken: they are reported together.
        self.in_bulk = False

    # -- a request, and its end -------------------------------------------------------------------

    def request(self, gfp: int, order: int, alloc_flags: int, ac: AllocContext) -> None:
        """What the mask means: the highest zone, the lists, the first pass's flags."""
        zones = " → ".join(zone.name for zone in ac.zonelist) or "none"
        self.step(
            "__alloc_pages",
            f"{pGg(gfp) or '0'}, order {order}: {MIGRATE_NAMES[ac.migratetype]} lists, zones {zones}",
            ac.preferred_zone,
            numbers={
                "gfp": f"{gfp:#x}",
                "order": order,
                "pages": 1 << order,
                "highest_zoneidx": ac.highest_zoneidx,
                "migratetype": MIGRATE_NAMES[ac.migratetype],
                "alloc_flags": alloc_flags_names(alloc_flags),
                "zonelist": [[zone.nid, zone.name] for zone in ac.zonelist],
            },
        )

    def order_too_large(self, order: int, max_order: int) -> None:
        """No free list has blocks of that order."""
        self.step(
            "__alloc_pages",
            f"order {order} ≥ MAX_ORDER {max_order}: NULL at once",
            verdict="null",
            numbers={"order": order, "max_order": max_order},
        )

    def alloc(self, pfn: int | None, order: int, gfp: int, migratetype: int) -> None:
        """The end of a request. Kernel: trace_mm_page_alloc, whose pfn is all ones for NULL"""
        self.point(
            "mm_page_alloc",
            f"{self.page(pfn)} order={order} migratetype={migratetype} gfp_flags={pGg(gfp) or 'none'}",
            [
                "A", f"{self.m.model.ptr_max if pfn is None else pfn:#x}", order, f"{gfp:#x}",
                MIGRATE_LETTERS[migratetype],
            ],
        )  # fmt: skip
        self.step(
            "__alloc_pages",
            "returns NULL" if pfn is None else f"returns page frame {pfn:#x}",
            verdict="null" if pfn is None else "ok",
            numbers={"pfn": pfn, "order": order},
            changed=[] if pfn is None else [[pfn, 1 << order, self.m.pages[pfn].shown]],
        )

    # -- zones ------------------------------------------------------------------------------------

    def zone_tried(
        self, zone: Zone, order: int, mark: int, highest_zoneidx: int, alloc_flags: int, *, ok: bool
    ) -> None:
        """One zone against one mark, with everything that entered the comparison."""
        index = alloc_flags & 3
        free = zone.vm_stat_free
        reserve = zone.lowmem_reserve[highest_zoneidx]
        unusable = (1 << order) - 1 + (0 if alloc_flags & 0x38 else zone.nr_reserved_highatomic)
        minimum = with_reserves(mark, alloc_flags)
        block = suitable_block(zone, order, alloc_flags)
        enough = free - unusable > minimum + reserve
        what = (
            f"free {free:,} − {unusable:,} {'>' if enough else '≤'}"
            f" {MARKS[index]} {minimum:,}{self.made_up_of(zone, mark, minimum, index)} + reserve {reserve:,}"
        )
        if ok and not enough:
            minimum = with_reserves(zone.watermark[index], alloc_flags)
            what += f"; for an atomic request without the boost: > {minimum:,} + {reserve:,}"
        elif enough and order:
            found = (
                f"and a block of order {block[0]}, {block[1]}"
                if block
                else f"but no block of order ≥ {order}"
            )
            what += f", {found}"
        if not ok and alloc_flags & 0x4:
            what += "; the request may ignore it"
        self.step(
            "zone_watermark_fast",
            what,
            zone,
            verdict="ok" if ok else "no",
            numbers={
                "free": free,
                "exact_free": zone.nr_free_pages,
                "unusable": unusable,
                "mark": MARKS[index],
                "watermark": zone.watermark[index],
                "boost": zone.boost,
                "request": mark - zone.watermark[index] - zone.boost,
                "min_with_reserves": minimum,
                "lowmem_reserve": reserve,
                "highatomic": zone.nr_reserved_highatomic,
                "order": order,
                "suitable_block": block,
                "alloc_flags": alloc_flags_names(alloc_flags),
            },
        )

    @staticmethod
    def made_up_of(zone: Zone, mark: int, minimum: int, index: int) -> str:
        """Where a mark in a comparison is not the zone's own: what it is made of."""
        watermark = zone.watermark[index]
        if minimum == watermark:
            return ""
        wanted = mark - watermark - zone.boost
        parts = [f"{watermark:,}"]
        parts += [f"{zone.boost:,} boost"] if zone.boost else []
        parts += [f"{wanted:,} wanted"] if wanted else []
        return f" ({'of ' if minimum != mark else ''}{' + '.join(parts)})"

    def fragmenting(self, remote: Zone | None) -> None:
        """The pass that steals nothing has found nothing. remote: the zone of another node that came next."""
        why = "no zone gives" if remote is None else f"before node {remote.nid} is asked"
        self.step(
            "get_page_from_freelist",
            f"{why} without mixing pageblocks: again without ALLOC_NOFRAGMENT",
            remote,
            verdict="again",
        )

    # -- per-CPU lists ----------------------------------------------------------------------------

    def pcp_hit(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, migratetype: int) -> None:
        """The per-CPU list had a page."""
        if self.in_bulk:
            return
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} gives its head, {pfn:#x}",
            zone,
            verdict="hit",
            numbers={"pfn": pfn, "order": order, "count": pcp.count, "free_factor": pcp.free_factor},
        )

    def refill_begins(self, zone: Zone, pcp: PerCpuPages, order: int, migratetype: int, blocks: int) -> None:
        """The per-CPU list was empty."""
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} is empty:"
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

    def bulk_begins(self, nr_pages: int) -> None:
        """Pages will be taken from one list without looking at marks again."""
        self.in_bulk = True
        self.step("__alloc_pages_bulk", f"{count(nr_pages, 'page')} wanted", numbers={"request": nr_pages})

    def bulk_ends(self, zone: Zone | None, nr_pages: int, pages: list[int]) -> None:
        """What a bulk allocation got."""
        self.in_bulk = False
        if zone is None:
            what = "no zone stays above its low mark with all of them taken: one page the ordinary way"
        else:
            what = f"{len(pages)} of {count(nr_pages, 'page')} from CPU {self.m.cpu}'s list"
        self.step(
            "__alloc_pages_bulk",
            what,
            zone,
            verdict="ok" if len(pages) == nr_pages else "short",
            numbers={"request": nr_pages, "got": len(pages), "pfns": pages[:MAX_LISTED]},
            changed=[[pfn, 1, self.m.pages[pfn].shown] for pfn in pages],
        )

    # -- buddy lists ------------------------------------------------------------------------------

    def zone_locked(self, zone: Zone, pfn: int, order: int, found_order: int, migratetype: int) -> None:
        """A block left the buddy lists; its upper halves went back.

        Kernel: trace_mm_page_alloc_zone_locked
        """
        refill = int(pcp_allowed_order(order) and migratetype < MIGRATE_PCPTYPES)
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
        if found_order > order:
            halves = [
                [pfn + (1 << high), 1 << high, "free"] for high in range(found_order - 1, order - 1, -1)
            ]
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

    def pageblock(self, zone: Zone, pfn: int, free_pages: int, movable_pages: int, alike_pages: int) -> None:
        """Whether enough of a pageblock is free or alike to claim all of it."""
        threshold = PAGEBLOCK_NR_PAGES // 2
        claimed = free_pages + alike_pages >= threshold
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

    # -- the high-order atomic reserve ------------------------------------------------------------

    def highatomic(self, zone: Zone, pfn: int, max_managed: int, *, reserved: bool) -> None:
        """Whether a pageblock is set aside for requests like this one."""
        if reserved:
            what = f"the pageblock of {pfn:#x} is kept for high-order atomic requests from now on"
        elif zone.nr_reserved_highatomic >= max_managed:
            what = f"{zone.nr_reserved_highatomic:,} ≥ {max_managed:,} pages are kept already"
        else:
            what = f"the pageblock of {pfn:#x} is one already"
        self.step(
            "reserve_highatomic_pageblock",
            what,
            zone,
            verdict="reserved" if reserved else "not",
            numbers={
                "pageblock": pfn & -PAGEBLOCK_NR_PAGES,
                "nr_reserved_highatomic": zone.nr_reserved_highatomic,
                "max_managed": max_managed,
            },
        )

    def unreserve(self, zone: Zone, pfn: int, migratetype: int, moved: int) -> None:
        """A pageblock that was set aside is given back."""
        self.step(
            "unreserve_highatomic_pageblock",
            f"the pageblock of {pfn:#x} with {count(moved, 'free page')} is"
            f" {MIGRATE_NAMES[migratetype]} again",
            zone,
            verdict="given back" if moved else "nothing free",
            numbers={
                "pageblock": pfn & -PAGEBLOCK_NR_PAGES,
                "free_pages": moved,
                "nr_reserved_highatomic": zone.nr_reserved_highatomic,
            },
        )
