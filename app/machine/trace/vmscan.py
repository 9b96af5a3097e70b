"""Reclaim: kswapd and what it is woken for, the lists that are scanned, and what becomes of each page."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from app.machine.fates import FATES
from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm.gfp import pGg
from app.mm.lruvec import LRU_INACTIVE_FILE
from app.mm.mem_map import PG_swapbacked, flags
from app.mm.mmzone import WMARK_HIGH
from app.mm.vmstat import LRU_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mmzone import Zone
    from app.mm.scan_control import ReclaimStat, ScanControl
    from app.mm.shrink_folio import Fate

BALANCE: Final = {
    "file": "only file pages",
    "anon": "only anonymous pages: hardly any pages of files are left",
    "equal": "all lists alike, since nothing else has helped",
    "fractions": "both kinds, by what each has cost lately",
}


class VmscanSteps(Area):
    """Reports of app.mm.vmscan, kswapd, shrink_list, shrink_folio, scan_count and workingset."""

    # -- kswapd ------------------------------------------------------------------------------------

    def wakeup_kswapd(self, zone: Zone, order: int = 0, highest: int | None = None, gfp: int = 0) -> None:
        """kswapd of the zone's node is woken. Kernel: trace_mm_vmscan_wakeup_kswapd"""
        self.step("wakeup_kswapd", f"kswapd{zone.nid} is woken", zone)
        if highest is not None:
            self.point(
                "mm_vmscan_wakeup_kswapd",
                f"nid={zone.nid} order={order} gfp_flags={pGg(gfp) or 'none'}",
                ["wk", highest, order, f"{gfp:#x}"],
            )

    def kswapd_not_woken(self, zone: Zone, *, hopeless: bool) -> None:
        """It would find nothing to do, or nothing to reclaim."""
        why = "it has found nothing so often that it waits" if hopeless else "a zone is above its high mark"
        self.step("wakeup_kswapd", f"kswapd{zone.nid} sleeps on: {why}", zone, verdict="asleep")

    def kswapd_wakes(self, nid: int, order: int, highest: int) -> None:
        """kswapd begins. Kernel: trace_mm_vmscan_kswapd_wake"""
        self.step(
            "kswapd",
            f"kswapd{nid} runs, for order {order} and zones up to index {highest}",
            node=nid,
            numbers={"order": order, "highest_zoneidx": highest},
        )
        self.point("mm_vmscan_kswapd_wake", f"nid={nid} order={order}", ["kw", highest, order])

    def kswapd_sleeps(self, nid: int) -> None:
        """kswapd is done. Kernel: trace_mm_vmscan_kswapd_sleep"""
        self.step("kswapd_try_to_sleep", f"kswapd{nid} sleeps again", node=nid)
        self.point("mm_vmscan_kswapd_sleep", f"nid={nid}", ["ks"])

    def balance(
        self, nid: int, sc: ScanControl, zones: Sequence[Zone], boost: int, *, balanced: bool
    ) -> None:
        """Before each pass: is it enough?"""
        marks = ", ".join(
            f"{zone.name} {zone.vm_stat_free:,} of {zone.wmark_pages(WMARK_HIGH):,}" for zone in zones
        )
        what = f"free pages against the high mark: {marks}"
        if balanced and boost:
            what += f"; enough, but {count(boost, 'page')} of boost are to be reclaimed"
        elif balanced:
            what += ": one zone above it is enough"
        else:
            what += f": priority {sc.priority}"
        self.step(
            "balance_pgdat",
            what,
            node=nid,
            verdict="balanced" if balanced and not boost else None,
            numbers={
                "priority": sc.priority,
                "free": [zone.vm_stat_free for zone in zones],
                "high": [zone.wmark_pages(WMARK_HIGH) for zone in zones],
                "boost": boost,
            },
        )

    def flusher_woken(self) -> None:
        """All that was looked at was dirty."""
        self.step("wakeup_flusher_threads", "the flusher is woken: dirty pages of files are to be written")

    # -- direct reclaim ----------------------------------------------------------------------------

    def direct_begins(self, order: int, gfp: int) -> None:
        """Kernel: trace_mm_vmscan_direct_reclaim_begin"""
        self.step(
            "try_to_free_pages",
            f"{self.m.current.task} reclaims pages itself, for order {order} with {pGg(gfp) or '0'}",
            numbers={"order": order, "gfp": f"{gfp:#x}"},
        )
        self.point(
            "mm_vmscan_direct_reclaim_begin",
            f"order={order} gfp_flags={pGg(gfp) or 'none'}",
            ["dr>", order, f"{gfp:#x}"],
        )

    def direct_ends(self, reclaimed: int) -> None:
        """Kernel: trace_mm_vmscan_direct_reclaim_end"""
        self.step(
            "try_to_free_pages", f"{count(reclaimed, 'page')} reclaimed", numbers={"reclaimed": reclaimed}
        )
        self.point("mm_vmscan_direct_reclaim_end", f"nr_reclaimed={reclaimed}", ["dr<", reclaimed])

    # -- lists -------------------------------------------------------------------------------------

    def scan_count(
        self, nid: int, sc: ScanControl, balance: str, sizes: list[int], pressure: tuple[int, int],
        targets: list[int],
    ) -> None:  # fmt: skip
        """How many pages of each list are looked at, with the arithmetic."""
        parts = [
            f"{LRU_NAMES[lru]} {sizes[lru]:,} >> {sc.priority}"
            + (f" × {pressure[lru >= LRU_INACTIVE_FILE]}/{sum(pressure)}" if balance == "fractions" else "")
            + f" = {targets[lru]:,}"
            for lru in range(4)
            if balance in ("fractions", "equal") or (balance == "file") == (lru >= LRU_INACTIVE_FILE)
        ]
        self.step(
            "get_scan_count",
            f"priority {sc.priority}: {BALANCE[balance]}; {', '.join(parts)}",
            node=nid,
            verdict=None if any(targets) else "nothing",
            numbers={
                "priority": sc.priority,
                "balance": balance,
                "sizes": sizes,
                "targets": targets,
                "swappiness": self.m.swappiness,
                "anon_cost": sc.anon_cost,
                "file_cost": sc.file_cost,
                "pressure": list(pressure),
                "may_deactivate": sc.may_deactivate,
            },
        )

    def isolated(
        self, sc: ScanControl, lru: int, nr: int, scanned: int, skipped: int, taken: int, pages: Sequence[int]
    ) -> None:
        """Pages are taken off the tail of a list. Kernel: trace_mm_vmscan_lru_isolate"""
        what = f"{count(taken, 'page')} from the tail of {LRU_NAMES[lru]}"
        if skipped:
            what += f"; {count(skipped, 'page')} of too high a zone went to the head"
        self.step(
            "isolate_lru_folios",
            what,
            numbers={
                "list": LRU_NAMES[lru], "requested": nr, "scanned": scanned, "skipped": skipped,
                "taken": taken, "pages": list(pages[:MAX_LISTED]),
            },
        )  # fmt: skip
        self.point(
            "mm_vmscan_lru_isolate",
            f"isolate_mode=0 classzone={sc.reclaim_idx} order={sc.order} nr_requested={nr} "
            f"nr_scanned={scanned} nr_skipped={skipped} nr_taken={taken} lru={LRU_NAMES[lru]}",
            ["iso", sc.reclaim_idx, sc.order, nr, scanned, skipped, taken, lru],
            locks=1,
        )

    def fates(self, fates: Sequence[tuple[int, Fate]]) -> None:
        """What becomes of pages, those of one fate that follow each other together."""
        for fate, group in groupby(fates, key=lambda found: found[1]):
            pages = [pfn for pfn, _ in group]
            one = f"frame {pages[0]:#x}" if len(pages) == 1 else count(len(pages), "page")
            self.step(
                "shrink_folio_list",
                f"{one}: {FATES[fate.why]}",
                verdict=fate.what,
                numbers={"pages": pages[:MAX_LISTED], "why": fate.why},
            )

    def written(self, pfn: int) -> None:
        """A page goes to its disk. Kernel: trace_mm_vmscan_write_folio"""
        file = not flags(self.m, pfn) & PG_swapbacked
        self.point(
            "mm_vmscan_write_folio",
            f"{self.page(pfn)} flags={self.io_flags(file=file)}",
            ["wr", pfn, int(file)],
        )

    def shrunk_inactive(
        self, nid: int, scanned: int, reclaimed: int, stat: ReclaimStat, priority: int, *, file: bool
    ) -> None:
        """Kernel: trace_mm_vmscan_lru_shrink_inactive"""
        anon, files = stat.activated
        self.point(
            "mm_vmscan_lru_shrink_inactive",
            f"nid={nid} nr_scanned={scanned} nr_reclaimed={reclaimed} nr_dirty={stat.dirty} "
            f"nr_writeback={stat.writeback} nr_congested={stat.congested} nr_immediate={stat.immediate} "
            f"nr_activate_anon={anon} nr_activate_file={files} nr_ref_keep={stat.ref_keep} "
            f"nr_unmap_fail={stat.unmap_fail} priority={priority} flags={self.io_flags(file=file)}",
            [
                "inact", scanned, reclaimed, stat.dirty, stat.writeback, stat.congested, stat.immediate, anon,
                files, stat.ref_keep, stat.unmap_fail, priority, int(file),
            ],
        )  # fmt: skip

    def shrunk_active(
        self, nid: int, taken: int, active: int, deactivated: int, rotated: int, priority: int,
        inactive: Sequence[int], *, file: bool,
    ) -> None:  # fmt: skip
        """Active pages become inactive. Kernel: trace_mm_vmscan_lru_shrink_active"""
        what = f"{count(deactivated, 'page')} of the active list are inactive now, used or not"
        if rotated:
            what += f"; {count(rotated, 'page')} of running code stay"
        self.step(
            "shrink_active_list",
            what,
            node=nid,
            numbers={"deactivated": deactivated, "rotated": rotated, "pages": list(inactive[:MAX_LISTED])},
        )
        self.point(
            "mm_vmscan_lru_shrink_active",
            f"nid={nid} nr_taken={taken} nr_active={active} nr_deactivated={deactivated} "
            f"nr_referenced={rotated} priority={priority} flags={self.io_flags(file=file)}",
            ["act", taken, active, deactivated, rotated, priority, int(file)],
        )

    def io_flags(self, *, file: bool) -> str:
        """As these tracepoints print the kind of pages. Kernel: trace_reclaim_flags"""
        return f"RECLAIM_WB_{'FILE' if file else 'ANON'}|RECLAIM_WB_ASYNC"

    # -- pages that come back ----------------------------------------------------------------------

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
