"""Requests for page frames: zones against marks, bulk allocation, the slow path, the atomic reserve."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.machine.trace.collector import MAX_LISTED, Area, Collector, count
from app.mm.gfp import pGg
from app.mm.internal import ALLOC_NO_WATERMARKS, ALLOC_WMARK_MASK, WMARK_NAMES, alloc_flags_text
from app.mm.mmzone import MIGRATE_LETTERS, MIGRATE_NAMES, PAGEBLOCK_NR_PAGES

if TYPE_CHECKING:
    from app.mm.internal import AllocContext
    from app.mm.mmzone import Zone


class Comparison(NamedTuple):
    """One full watermark check: `enough` if free − unusable > minimum + lowmem_reserve.

    block: order and type of the first list with a block that the request may use.
    """

    free: int
    unusable: int
    minimum: int
    lowmem_reserve: int
    block: tuple[int, int] | None
    enough: bool


class PageAllocSteps(Area):
    """Reports of page_alloc and freelist."""

    def __init__(self, trace: Collector) -> None:
        super().__init__(trace)
        # Of the zone that is being tried.
        self.comparisons: list[Comparison] = []

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
                "alloc_flags": alloc_flags_text(alloc_flags),
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

    def split_page(self, pfn: int, order: int) -> None:
        """A block becomes pages that are freed by themselves."""
        self.step(
            "split_page",
            f"each of the {count(1 << order, 'frame')} from {pfn:#x} on gets a count of its own",
            numbers={"pfn": pfn, "order": order, "frames": 1 << order},
        )

    def make_alloc_exact(self, pfn: int, order: int, nr: int) -> None:
        """Of a block the first pages are kept, and the others are freed at once."""
        frames = 1 << order
        rest = f", the other {frames - nr} go back to the tail of the free lists" if nr < frames else ""
        self.step(
            "make_alloc_exact",
            f"{nr} of the block's {count(frames, 'frame')} {'is' if nr == 1 else 'are'} kept, with a count"
            f" each{rest}",
            numbers={"pfn": pfn, "order": order, "kept": nr, "freed": frames - nr},
        )

    def free_pages_exact(self, address: int, size: int, pages: int) -> None:
        """How many pages are freed, one by one."""
        self.step(
            "free_pages_exact",
            f"{count(size, 'byte')} are {count(pages, 'page')} from {address:#x} on: each is freed by itself",
            numbers={"address": f"{address:#x}", "size": size, "pages": pages},
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

    def watermark(
        self, free: int, unusable: int, minimum: int, lowmem_reserve: int, block: tuple[int, int] | None,
        *, enough: bool,
    ) -> None:  # fmt: skip
        """A zone's free pages were compared; what follows for the zone is reported by `zone_tried`."""
        self.comparisons.append(Comparison(free, unusable, minimum, lowmem_reserve, block, enough))

    def zone_tried(self, zone: Zone, order: int, mark: int, alloc_flags: int, *, ok: bool) -> None:
        """One zone against one mark: the full comparison and, where that failed, one without the boost."""
        comparisons, self.comparisons = self.comparisons, []
        index = alloc_flags & ALLOC_WMARK_MASK
        free, unusable, minimum, reserve, block, enough = comparisons[0]
        what = (
            f"free {free:,} − {unusable:,} {'>' if enough else '≤'}"
            f" {WMARK_NAMES[index]} {minimum:,}{self.made_up_of(zone, mark, minimum, index)}"
            f" + reserve {reserve:,}"
        )
        if ok and not enough:
            minimum = comparisons[-1].minimum
            what += f"; for an atomic request without the boost: > {minimum:,} + {reserve:,}"
        elif enough and order:
            found = (
                f"and a block of order {block[0]}, {MIGRATE_NAMES[block[1]]}"
                if block
                else f"but no block of order ≥ {order}"
            )
            what += f", {found}"
        if not ok and alloc_flags & ALLOC_NO_WATERMARKS:
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
                "mark": WMARK_NAMES[index],
                "watermark": zone.watermark[index],
                "boost": zone.boost,
                "request": mark - zone.watermark[index] - zone.boost,
                "min_with_reserves": minimum,
                "lowmem_reserve": reserve,
                "highatomic": zone.nr_reserved_highatomic,
                "order": order,
                "suitable_block": [block[0], MIGRATE_NAMES[block[1]]] if block else None,
                "alloc_flags": alloc_flags_text(alloc_flags),
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

    def bulk_begins(self, nr_pages: int) -> None:
        """Pages will be taken from one list without looking at marks again."""
        self.trace.in_bulk = True
        self.step("__alloc_pages_bulk", f"{count(nr_pages, 'page')} wanted", numbers={"request": nr_pages})

    def bulk_ends(self, zone: Zone | None, nr_pages: int, pages: list[int]) -> None:
        """What a bulk allocation got."""
        self.trace.in_bulk = False
        if zone is None:
            what = "no zone stays above its low mark with all of them taken: one page the ordinary way"
        else:
            what = f"{len(pages)} of {count(nr_pages, 'page')} from CPU {self.m.current.cpu}'s list"
        self.step(
            "__alloc_pages_bulk",
            what,
            zone,
            verdict="ok" if len(pages) == nr_pages else "short",
            numbers={"request": nr_pages, "got": len(pages), "pfns": pages[:MAX_LISTED]},
            changed=[[pfn, 1, self.m.pages[pfn].shown] for pfn in pages],
        )

    def highatomic(self, zone: Zone, pfn: int, max_managed: int, *, room: bool, reserved: bool) -> None:
        """Whether a pageblock is set aside for requests like this one.

        room: whether the zone may keep so many.
        """
        if reserved:
            what = f"the pageblock of {pfn:#x} is kept for high-order atomic requests from now on"
        elif not room:
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

    def slowpath(self, gfp: int, order: int, alloc_flags: int) -> None:
        """No zone above its low mark could give."""
        self.step(
            "__alloc_pages_slowpath",
            f"no zone passes its low mark: try again with {alloc_flags_text(alloc_flags)}",
            numbers={"gfp": f"{gfp:#x}", "order": order, "alloc_flags": alloc_flags_text(alloc_flags)},
        )

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
