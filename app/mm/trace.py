"""What the kernel decided on the way, step by step, and the kmem tracepoints that fired.

A machine has a `Trace` only while a call is explained: the call is made again on the state before it, and the
kernel's functions report the numbers they compare. Otherwise each report is one test of `m.trace`.

Kernel: include/trace/events/kmem.h for the form of the tracepoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.mm.gfp import pGg
from app.mm.mmzone import (
    MIGRATE_NAMES,
    MIGRATE_PCPTYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    PerCpuPages,
    Zone,
    pcp_allowed_order,
)

if TYPE_CHECKING:
    from app.mm.machine import Machine
    from app.mm.page_alloc import AllocContext

PAGE_ALLOC: Final = "mm/page_alloc.c"

# Function → (source file, depth of the call below the one that was asked for).
FUNCTIONS: Final = {
    "__alloc_pages": (PAGE_ALLOC, 0),
    "__alloc_pages_slowpath": (PAGE_ALLOC, 1),
    "get_page_from_freelist": (PAGE_ALLOC, 1),
    "zone_watermark_fast": (PAGE_ALLOC, 2),
    "rmqueue_pcplist": (PAGE_ALLOC, 3),
    "rmqueue_bulk": (PAGE_ALLOC, 4),
    "__rmqueue_smallest": (PAGE_ALLOC, 5),
    "expand": (PAGE_ALLOC, 6),
    "__rmqueue_fallback": (PAGE_ALLOC, 5),
    "steal_suitable_fallback": (PAGE_ALLOC, 6),
    "reserve_highatomic_pageblock": (PAGE_ALLOC, 2),
    "wakeup_kswapd": ("mm/vmscan.c", 2),
    "__alloc_pages_direct_reclaim": (PAGE_ALLOC, 2),
    "__alloc_pages_may_oom": (PAGE_ALLOC, 2),
    "__free_pages": (PAGE_ALLOC, 0),
    "free_unref_page_commit": (PAGE_ALLOC, 1),
    "nr_pcp_free": (PAGE_ALLOC, 2),
    "free_pcppages_bulk": (PAGE_ALLOC, 2),
    "__free_one_page": (PAGE_ALLOC, 3),
}

LECTURE_FN: Final = {"__alloc_pages": "__alloc_pages_nodemask"}

ALLOC_FLAG_NAMES: Final = (
    (0x4, "ALLOC_NO_WATERMARKS"), (0x8, "ALLOC_OOM"), (0x10, "ALLOC_NON_BLOCK"), (0x20, "ALLOC_MIN_RESERVE"),
    (0x40, "ALLOC_CPUSET"), (0x100, "ALLOC_NOFRAGMENT"), (0x200, "ALLOC_HIGHATOMIC"), (0x800, "ALLOC_KSWAPD"),
)  # fmt: skip

MAX_STEPS: Final = 20_000


def alloc_flags_names(alloc_flags: int) -> str:
    """Allocation flags as the kernel's source would write them."""
    names = [("ALLOC_WMARK_MIN", "ALLOC_WMARK_LOW", "ALLOC_WMARK_HIGH", "ALLOC_WMARK_PROMO")[alloc_flags & 3]]
    return "|".join(names + [name for bit, name in ALLOC_FLAG_NAMES if alloc_flags & bit])


class Trace:
    """Collects the steps of one call.

    steps: as the HTTP contract has them. points: tracepoint lines of 6.1's form. events: the page
    allocator's tracepoints as the recordings write them, for comparing.
    """

    def __init__(self, m: Machine) -> None:
        self.m = m
        self.steps: list[dict[str, Any]] = []
        self.points: list[str] = []
        self.events: list[list[Any]] = []

    def step(
        self, fn: str, what: str, zone: Zone | None = None, *, verdict: str | None = None,
        numbers: dict[str, Any] | None = None, changed: list[list[Any]] | None = None, deeper: int = 0,
    ) -> None:  # fmt: skip
        """Report one decision."""
        if len(self.steps) >= MAX_STEPS:
            return
        file, depth = FUNCTIONS[fn]
        self.steps.append(
            {
                "fn": fn,
                "file": file,
                "lecture_fn": LECTURE_FN.get(fn),
                "depth": depth + deeper,
                "what": what,
                "zone": None if zone is None else zone.name,
                "node": None if zone is None else zone.nid,
                "numbers": numbers or {},
                "verdict": verdict,
                "changed": changed or [],
            }
        )

    def point(self, name: str, text: str, event: list[Any] | None = None) -> None:
        """Report a tracepoint, in the form of the trace file."""
        m = self.m
        irqs_off = "d" if m.context == "hardirq" else "."
        context = {"hardirq": "h", "softirq": "s", "tasklet": "s"}.get(m.context, ".")
        depth = "1" if m.context == "atomic" else "."
        stamp = f"{m.seq // 1_000_000:5d}.{m.seq % 1_000_000:06d}"
        self.points.append(
            f"{m.task:>16}-{m.pid():<7} [{m.cpu:03d}] {irqs_off}.{context}{depth}. {stamp}: {name}: {text}"
        )
        if event is not None:
            self.events.append(event)

    def page(self, pfn: int) -> str:
        """A page as the tracepoints print it."""
        width = 16 if self.m.model.arch == "x86_64" else 8
        return f"page={self.m.model.pfn_to_page(pfn):0{width}x} pfn={pfn:#x}"

    # -- allocating -------------------------------------------------------------------------------

    def request(self, gfp: int, order: int, alloc_flags: int, ac: AllocContext) -> None:
        """What the mask means: the highest zone, the lists, the first pass's flags."""
        zones = " → ".join(f"{zone.name}" for zone in ac.zonelist) or "none"
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

    def alloc(self, pfn: int | None, order: int, gfp: int, migratetype: int) -> None:
        """Kernel: trace_mm_page_alloc"""
        where = "page=0000000000000000 pfn=0x0" if pfn is None else self.page(pfn)
        names = pGg(gfp) or "none"
        self.point(
            "mm_page_alloc",
            f"{where} order={order} migratetype={migratetype} gfp_flags={names}",
            ["A", f"{(1 << 64) - 1 if pfn is None else pfn:#x}", order, f"{gfp:#x}", "UMEHI"[migratetype]],
        )
        self.step(
            "__alloc_pages",
            "returns NULL" if pfn is None else f"returns page frame {pfn:#x}",
            verdict="null" if pfn is None else "ok",
            numbers={"pfn": pfn, "order": order},
        )

    def zone_tried(
        self, zone: Zone, order: int, mark: int, highest_zoneidx: int, alloc_flags: int, *, ok: bool
    ) -> None:
        """One zone against one mark, with everything that entered the comparison."""
        marks = ("min", "low", "high", "promo")
        index = alloc_flags & 3
        reserves = bool(alloc_flags & 0x38)
        minimum = mark
        if alloc_flags & 0x20:
            minimum -= minimum // 2
            if alloc_flags & 0x10:
                minimum -= minimum // 4
        if alloc_flags & 0x8:
            minimum -= minimum // 2
        unusable = (1 << order) - 1 + (0 if reserves else zone.nr_reserved_highatomic)
        reserve = zone.lowmem_reserve[highest_zoneidx]
        free = zone.vm_stat_free
        blocks = any(area.nr_free for area in zone.free_area[order:])
        sign = ">" if free - unusable > minimum + reserve else "≤"
        self.step(
            "zone_watermark_fast",
            f"free {free:,} − {unusable:,} {sign} {marks[index]} {minimum:,} + reserve {reserve:,}",
            zone,
            verdict="ok" if ok else "no",
            numbers={
                "free": free,
                "exact_free": zone.nr_free_pages,
                "unusable": unusable,
                "mark": marks[index],
                "watermark": zone.watermark[index],
                "boost": zone.boost,
                "min_with_reserves": minimum,
                "lowmem_reserve": reserve,
                "highatomic": zone.nr_reserved_highatomic,
                "order": order,
                "block_of_order": blocks,
                "alloc_flags": alloc_flags_names(alloc_flags),
            },
        )

    def pcp_hit(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, migratetype: int) -> None:
        """The per-CPU list had a page."""
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} gives its head, {pfn:#x}",
            zone,
            verdict="hit",
            numbers={"pfn": pfn, "order": order, "count": pcp.count, "free_factor": pcp.free_factor},
        )

    def refill_begins(self, zone: Zone, pcp: PerCpuPages, order: int, migratetype: int, count: int) -> None:
        """The per-CPU list was empty."""
        self.step(
            "rmqueue_pcplist",
            f"CPU {self.m.cpu}'s {MIGRATE_NAMES[migratetype]} list of order {order} is empty:"
            f" refill it with {count}",
            zone,
            verdict="refill",
            numbers={"batch": pcp.batch, "order": order, "blocks": count, "count": pcp.count},
        )

    def refill(self, zone: Zone, order: int, pages: list[int]) -> None:
        """The refill is over."""
        self.step(
            "rmqueue_bulk",
            f"{len(pages)} blocks of order {order} moved from the buddy lists",
            zone,
            numbers={
                "blocks": len(pages),
                "order": order,
                "free_change": -(len(pages) << order),
                "pfns": pages[:512],
            },
            changed=[[pfn, 1 << order, "pcp"] for pfn in pages[:512]],
        )

    def zone_locked(self, zone: Zone, pfn: int, order: int, found_order: int, migratetype: int) -> None:
        """A block left the buddy lists; its upper halves went back.

        Kernel: trace_mm_page_alloc_zone_locked
        """
        refill = int(pcp_allowed_order(order) and migratetype < MIGRATE_PCPTYPES)
        self.point(
            "mm_page_alloc_zone_locked",
            f"{self.page(pfn)} order={order} migratetype={migratetype} percpu_refill={refill}",
            ["Z", f"{pfn:#x}", order, "UMEHI"[migratetype], refill],
        )
        self.step(
            "__rmqueue_smallest",
            f"the head of the {MIGRATE_NAMES[migratetype]} list of order {found_order}: {pfn:#x}",
            zone,
            numbers={"pfn": pfn, "order": order, "found_order": found_order},
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
            ["X", f"{pfn:#x}", order, fallback_order, "UMEHI"[start_type], "UMEHI"[fallback_mt]],
        )
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
        claimed = bool(free_pages) and free_pages + alike_pages >= threshold
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

    def highatomic(self, zone: Zone, pfn: int) -> None:
        """A pageblock was set aside."""
        self.step(
            "reserve_highatomic_pageblock",
            f"the pageblock of {pfn:#x} is kept for high-order atomic requests from now on",
            zone,
            numbers={
                "pageblock": pfn & -PAGEBLOCK_NR_PAGES,
                "nr_reserved_highatomic": zone.nr_reserved_highatomic,
            },
        )

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

    def reclaim(self, what: str, *, freed: int | None = None) -> None:
        """One round of direct reclaim, and how many frames it brought."""
        self.step(
            "__alloc_pages_direct_reclaim",
            what if freed is None else f"{what}: {freed:,} frames",
            verdict="no" if not freed else "ok",
            numbers={} if freed is None else {"freed": freed},
        )

    def may_oom(self, what: str, verdict: str) -> None:
        """The OOM killer, or why it is not asked."""
        self.step("__alloc_pages_may_oom", what, verdict=verdict)

    # -- freeing ----------------------------------------------------------------------------------

    def free(self, pfn: int, order: int) -> None:
        """A block's last reference is gone. Kernel: trace_mm_page_free"""
        self.point("mm_page_free", f"{self.page(pfn)} order={order}", ["F", f"{pfn:#x}", order])
        where = "by way of the per-CPU list" if pcp_allowed_order(order) else "straight to the buddy lists"
        self.step(
            "__free_pages",
            f"{pfn:#x} of order {order} is free: {where}",
            numbers={"pfn": pfn, "order": order},
        )

    def freed_to_pcp(self, zone: Zone, pcp: PerCpuPages, pfn: int, order: int, high: int) -> None:
        """A block was pushed onto the per-CPU list; at `high` pages a batch is given back."""
        self.step(
            "free_unref_page_commit",
            f"pushed onto CPU {self.m.cpu}'s list: {pcp.count} pages there, high {high}",
            zone,
            verdict="drain" if pcp.count >= high else "kept",
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

    def drain(self, zone: Zone, pcp: PerCpuPages, count: int) -> None:
        """A batch of per-CPU pages goes back."""
        self.step(
            "free_pcppages_bulk",
            f"{count} of CPU {self.m.cpu}'s {pcp.count} pages go back to the buddy lists",
            zone,
            numbers={
                "to_free": count,
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
            ["D", f"{pfn:#x}", order, "UMEHI"[migratetype]],
        )

    def merged(
        self, zone: Zone, pfn: int, order: int, first_order: int, migratetype: int, *, tail: bool
    ) -> None:
        """A block of `first_order` reached its place in the buddy lists, merged up to `order`."""
        merges = order - first_order
        size = (
            f"merged with {merges} {'buddy' if merges == 1 else 'buddies'} to"
            if merges
            else "no buddy is free:"
        )
        self.step(
            "__free_one_page",
            f"{size} order {order} at {pfn:#x}, {'tail' if tail else 'head'}"
            f" of the {MIGRATE_NAMES[migratetype]} list",
            zone,
            numbers={
                "pfn": pfn,
                "order": order,
                "first_order": first_order,
                "merges": merges,
                "to_tail": tail,
            },
            changed=[[pfn, 1 << order, "free"]],
        )
