"""Compaction: whether it is worth it, where the scanners go, what they take, and what becomes of each lot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.machine.trace.collector import MAX_LISTED, Area, Collector, count
from app.mm import page_ref
from app.mm.compact_control import (
    COMPACT_CONTINUE,
    COMPACT_NO_SUITABLE_PAGE,
    COMPACT_NOT_SUITABLE_ZONE,
    WHOLE,
)
from app.mm.compact_suitable import EXTFRAG_THRESHOLD
from app.mm.gfp import pGg
from app.mm.migrate import NO_FRAME
from app.mm.mmzone import MIGRATE_NAMES, PAGEBLOCK_NR_PAGES

if TYPE_CHECKING:
    from app.mm.compact_control import CompactControl
    from app.mm.migrate import MigratePagesStats
    from app.mm.mmzone import Zone

# By COMPACT_ result, as the tracepoints print them. Kernel: include/trace/events/compaction.h
STATUS: Final = (
    "not_suitable_zone", "skipped", "deferred", "no_suitable_page", "continue", "complete",
    "partial_skipped", "contended", "success",
)  # fmt: skip
MODES: Final = ("MIGRATE_ASYNC", "MIGRATE_SYNC_LIGHT", "MIGRATE_SYNC")
PRIORITIES: Final = ("synchronously, all of the zone", "synchronously", "without waiting for anything")
SUITABLE: Final = {
    "not_suitable_zone": "memory is short rather than in pieces, so moving pages would not help",
    "skipped": "too few frames are free to move pages to",
    "continue": "enough frames are free to move pages to",
    "success": "the block can be had without compaction",
}
ENDS: Final = {
    "complete": "the scanners have met: all of the zone was looked at",
    "partial_skipped": "the scanners have met, but they did not begin at the zone's ends",
    "contended": "no free frame was left to move a page to",
    "success": "a block that is large enough is free now",
}
FOLDED: Final = {
    "drained": ("lru_add_drain_cpu_zone", "leave this CPU's lists, so that they can merge"),
    "released": ("release_freepages", "that were taken and not used are given back"),
    "put back": ("putback_movable_pages", "that were not moved wait to go back to their lists"),
}
DEFERRAL: Final = {
    "mm_compaction_defer_compaction": ("defer_compaction", "it was in vain: the next runs are skipped"),
    "mm_compaction_deferred": ("compaction_deferred", "skipped, since the last runs were in vain"),
    "mm_compaction_defer_reset": ("compaction_defer_reset", "smaller orders than that have not failed"),
}


class Scan(NamedTuple):
    """Frames that a scanner looked at, and how many it took of them."""

    start: int
    end: int
    scanned: int
    taken: int


class CompactionSteps(Area):
    """Reports of app.mm.compaction and its scanners."""

    def __init__(self, trace: Collector) -> None:
        super().__init__(trace)
        # Pageblocks in which nothing was taken, one after the other: they are told of together.
        self.in_vain: list[Scan] = []
        self.left: dict[str, int] = {}
        # Pageblocks of other types than the request's, which one that does not wait leaves alone.
        self.passed = 0
        self.wanted_type = 0
        # What the free scanner looked at for the lot that is being moved.
        self.free: list[Scan] = []
        # First frame and order of blocks that were found in the free lists for it.
        self.found: list[tuple[int, int]] = []
        self.free_zone: Zone | None = None

    # -- the run -----------------------------------------------------------------------------------

    def try_to_compact_pages(self, order: int, gfp: int, prio: int) -> None:
        """A request is about to compact by itself."""
        self.point(
            "mm_compaction_try_to_compact_pages",
            f"order={order} gfp_mask={pGg(gfp)} priority={prio}",
        )
        self.step(
            "try_to_compact_pages",
            f"the zones are compacted for a block of order {order}, {PRIORITIES[prio]}",
            numbers={"order": order, "priority": prio},
        )

    def suitable(self, zone: Zone, order: int, ret: int, fragindex: int | None) -> None:
        """Whether a zone is worth it."""
        self.point("mm_compaction_suitable", self.result(zone, order, ret))
        if order == WHOLE:
            return
        status = STATUS[ret]
        numbers: dict[str, Any] = {"order": order, "free": zone.vm_stat_free, "gap": 2 << order}
        index = ""
        if fragindex is not None:
            numbers |= {"fragmentation_index": fragindex, "extfrag_threshold": EXTFRAG_THRESHOLD}
            over = "≤" if ret == COMPACT_NOT_SUITABLE_ZONE else ">" if fragindex >= 0 else "not"
            index = f" (fragmentation index {fragindex} {over} {EXTFRAG_THRESHOLD})"
        self.step("compaction_suitable", f"{SUITABLE[status]}{index}", zone, verdict=status, numbers=numbers)

    def deferral(self, name: str, zone: Zone, order: int) -> None:
        """A run is skipped, or the next ones will be."""
        fn, what = DEFERRAL[name]
        state = zone.compact
        self.point(
            name,
            f"node={zone.nid} zone={zone.name:<8} order={order} order_failed={state.order_failed} "
            f"consider={state.considered} limit={1 << state.defer_shift}",
        )
        self.step(
            fn,
            f"order {order}: {what}",
            zone,
            numbers={
                "order": order,
                "order_failed": state.order_failed,
                "considered": state.considered,
                "limit": 1 << state.defer_shift,
            },
        )

    def begin(self, cc: CompactControl) -> None:
        """Where the scanners start."""
        self.point("mm_compaction_begin", self.scanners(cc))
        self.step(
            "compact_zone",
            f"the migration scanner starts at {cc.migrate_pfn:#x}, the free scanner at {cc.free_pfn:#x}",
            cc.zone,
            numbers={
                "migrate_pfn": cc.migrate_pfn,
                "free_pfn": cc.free_pfn,
                "order": cc.order,
                "sync": cc.sync,
            },
        )

    def finished(self, cc: CompactControl, ret: int) -> None:
        """Whether to go on, asked before each lot."""
        self.point("mm_compaction_finished", self.result(cc.zone, cc.order, ret))
        if ret not in (COMPACT_CONTINUE, COMPACT_NO_SUITABLE_PAGE):
            self.tell_in_vain(cc.zone)
            self.step("compact_finished", ENDS[STATUS[ret]], cc.zone, verdict=STATUS[ret])

    def end(self, cc: CompactControl, ret: int) -> None:
        """The run is over."""
        self.tell_in_vain(cc.zone)
        self.point("mm_compaction_end", f"{self.scanners(cc)} status={STATUS[ret]}")
        self.step(
            "compact_zone",
            f"over: {ENDS[STATUS[ret]]}; the scanners stand at {cc.migrate_pfn:#x} and {cc.free_pfn:#x}",
            cc.zone,
            verdict=STATUS[ret],
            numbers={
                "migrate_pfn": cc.migrate_pfn,
                "free_pfn": cc.free_pfn,
                "migrate_scanned": cc.total_migrate_scanned,
                "free_scanned": cc.total_free_scanned,
            },
        )

    def scanners(self, cc: CompactControl) -> str:
        """The zone and the scanners in it, as tracepoints print them."""
        return (
            f"zone_start={cc.zone.start_pfn:#x} migrate_pfn={cc.migrate_pfn:#x} free_pfn={cc.free_pfn:#x} "
            f"zone_end={cc.zone.end_pfn:#x}, mode={'sync' if cc.sync else 'async'}"
        )

    def result(self, zone: Zone, order: int, ret: int) -> str:
        """A zone's result as tracepoints print it."""
        return f"node={zone.nid} zone={zone.name:<8} order={order} ret={STATUS[ret]}"

    # -- the scanners ------------------------------------------------------------------------------

    def isolated(
        self, zone: Zone, start: int, end: int, nr_scanned: int, nr_taken: int, refusals: dict[str, int]
    ) -> None:
        """The migration scanner has looked at a part of a pageblock."""
        self.point(
            "mm_compaction_isolate_migratepages",
            f"range=({start:#x} ~ {end:#x}) nr_scanned={nr_scanned} nr_taken={nr_taken}",
        )
        scan = Scan(start, end, nr_scanned, nr_taken)
        if not nr_taken:
            self.in_vain.append(scan)
            for why, frames in refusals.items():
                self.left[why] = self.left.get(why, 0) + frames
            return
        self.tell_in_vain(zone)
        again = " again" if start % PAGEBLOCK_NR_PAGES and start != zone.start_pfn else ""
        self.step(
            "isolate_migratepages_block",
            f"{count(nr_taken, 'page')} of pageblock {start & -PAGEBLOCK_NR_PAGES:#x}, visited{again} from "
            f"{start:#x} on, leave their lists to be moved{left_words(refusals)}",
            zone,
            verdict="isolated",
            numbers={**scan._asdict(), "left": refusals},
        )

    def tell_in_vain(self, zone: Zone) -> None:
        """One step for all pageblocks since the last lot that had nothing to move."""
        if self.passed:
            passed, self.passed = self.passed, 0
            self.step(
                "suitable_migration_source",
                f"{count(passed, 'pageblock')} passed over: without waiting only those that are "
                f"{MIGRATE_NAMES[self.wanted_type]}, as the request is, are looked into",
                zone,
                verdict="none",
                numbers={"pageblocks": passed, "migratetype": MIGRATE_NAMES[self.wanted_type]},
            )
        if not self.in_vain:
            return
        scans, self.in_vain = self.in_vain, []
        left, self.left = self.left, {}
        first, last = min(scan.start for scan in scans), max(scan.end for scan in scans)
        self.step(
            "isolate_migratepages_block",
            f"nothing to move in {count(len(scans), 'pageblock')} from frame {first:#x} up to {last:#x}"
            f"{left_words(left)}",
            zone,
            verdict="none",
            numbers={
                "start": first,
                "end": last,
                "pageblocks": len(scans),
                "scanned": sum(scan.scanned for scan in scans),
                "left": left,
            },
        )

    def passed_over(self, migratetype: int) -> None:
        """A pageblock is not of the request's type."""
        self.passed += 1
        self.wanted_type = migratetype

    def found_free(self, pfn: int, order: int) -> None:
        """A block was found in the free lists, without scanning."""
        self.found.append((pfn, order))

    def isolated_free(self, zone: Zone, start: int, end: int, nr_scanned: int, nr_taken: int) -> None:
        """The free scanner has looked at a part of a pageblock."""
        self.point(
            "mm_compaction_isolate_freepages",
            f"range=({start:#x} ~ {end:#x}) nr_scanned={nr_scanned} nr_taken={nr_taken}",
        )
        self.free.append(Scan(start, end, nr_scanned, nr_taken))
        self.free_zone = zone

    def tell_free(self) -> None:
        """One step for all that the free scanner did for a lot."""
        if not self.free and not self.found:
            return
        scans, self.free = self.free, []
        blocks, self.found = self.found, []
        found = [scan for scan in scans if scan.taken]
        listed = sum(1 << order for _, order in blocks)
        taken = listed + sum(scan.taken for scan in found)
        where = ", ".join(f"{scan.start:#x}–{scan.end - 1:#x}" for scan in found[:4])
        if blocks:
            where = f"the free lists: {listed}{', ' if where else ''}{where}"
        empty = len(scans) - len(found)
        rest = f"; {count(empty, 'pageblock')} had none to give" if empty else ""
        self.step(
            "isolate_freepages",
            f"{count(taken, 'free frame')} to move them to, in {where or 'no pageblock'}{rest}",
            self.free_zone,
            verdict="isolated" if taken else "none",
            numbers={
                "taken": taken,
                "blocks": [list(block) for block in blocks],
                "ranges": [list(scan) for scan in scans[:MAX_LISTED]],
            },
        )

    def migratepages(self, nr_migratepages: int, nr_succeeded: int) -> None:
        """A lot was moved."""
        self.point(
            "mm_compaction_migratepages",
            f"nr_migrated={nr_succeeded} nr_failed={nr_migratepages - nr_succeeded}",
        )

    # -- what many pages share ---------------------------------------------------------------------

    def fold(self) -> None:
        """Many pages follow that have one fate."""
        self.trace.folds += 1

    def folded(self, what: str, zone: Zone, nr: int) -> None:
        """They were so many."""
        self.trace.folds -= 1
        fn, words = FOLDED[what]
        if nr:
            self.step(fn, f"{count(nr, 'page')} {words}", zone, verdict=what, numbers={"pages": nr})

    def captured(self, zone: Zone, pfn: int, order: int) -> None:
        """The block came to be in the compactor's own hands."""
        self.step(
            "compaction_capture",
            f"the block of order {order} at {pfn:#x} is kept as it merges: on a list others might get it",
            zone,
            verdict="captured",
            numbers={"pfn": pfn, "order": order},
        )

    # -- kcompactd ---------------------------------------------------------------------------------

    def wakeup_kcompactd(self, nid: int, order: int, highest_zoneidx: int) -> None:
        """kcompactd is woken."""
        self.point("mm_compaction_wakeup_kcompactd", self.daemon(nid, order, highest_zoneidx))
        self.step(
            "wakeup_kcompactd",
            f"kcompactd{nid} is woken to make a block of order {order}",
            node=nid,
            numbers={"order": order, "highest_zoneidx": highest_zoneidx},
        )

    def kcompactd_wake(self, nid: int, order: int, highest_zoneidx: int) -> None:
        """kcompactd begins."""
        self.point("mm_compaction_kcompactd_wake", self.daemon(nid, order, highest_zoneidx))
        self.step(
            "kcompactd_do_work",
            f"kcompactd{nid} compacts until a block of order {order} is free",
            node=nid,
            numbers={"order": order, "highest_zoneidx": highest_zoneidx},
        )

    def daemon(self, nid: int, order: int, highest_zoneidx: int) -> str:
        """What kcompactd is to do, as tracepoints print it."""
        names = {index: name for name, index in self.m.zone_index.items()}
        return f"nid={nid} order={order} classzone_idx={names.get(highest_zoneidx, ''):<8}"


class MigrateSteps(Area):
    """Reports of app.mm.migrate."""

    def __init__(self, trace: Collector, compaction: CompactionSteps) -> None:
        super().__init__(trace)
        self.compaction = compaction

    def start(self, mode: int) -> None:
        """A lot is about to be moved; what happens to each page alone is not shown."""
        self.point("mm_migrate_pages_start", f"mode={MODES[mode]} reason=compaction")
        self.compaction.fold()

    def end(self, mode: int, stats: MigratePagesStats) -> None:
        """What became of it."""
        self.trace.folds -= 1
        self.compaction.tell_free()
        moved = stats.moved
        self.point(
            "mm_migrate_pages",
            f"nr_succeeded={len(moved)} nr_failed={stats.nr_failed} nr_thp_succeeded=0 nr_thp_failed=0 "
            f"nr_thp_split=0 mode={MODES[mode]} reason=compaction",
        )
        if moved:
            (first, first_new), (last, last_new) = moved[0], moved[-1]
            many = f", the highest first, down to {last:#x} → {last_new:#x}" if len(moved) > 1 else ""
            self.step(
                "migrate_pages",
                f"{count(len(moved), 'page')} moved: {first:#x} → {first_new:#x}{many}; who maps them finds "
                "them there",
                verdict="moved",
                numbers={"moved": [list(pair) for pair in moved[:MAX_LISTED]]},
                changed=self.frames(stats),
            )
        if stats.out_of_frames:
            self.step(
                "migrate_pages",
                f"no free frame is left for {next(reversed(stats.refusals)):#x}: it and those behind it stay",
                verdict="no frames",
                numbers={"pfn": next(reversed(stats.refusals))},
            )
        for why in dict.fromkeys(why for why in stats.refusals.values() if why != NO_FRAME):
            pages = [pfn for pfn, refusal in stats.refusals.items() if refusal == why]
            self.step(
                "migrate_pages",
                f"{count(len(pages), 'page')} not moved: {why}",
                verdict="not moved",
                numbers={"pages": pages[:MAX_LISTED], "why": why},
            )

    def frames(self, stats: MigratePagesStats) -> list[list[Any]]:
        """What the frames of the moved pages are shown as now."""
        frames = [pfn for pair in stats.moved[:MAX_LISTED] for pfn in pair]
        return [[pfn, 1, page_ref.state_of(self.m, pfn)] for pfn in frames]


def left_words(refusals: dict[str, int]) -> str:
    """Why frames were left where they are."""
    if not refusals:
        return ""
    return "; left: " + ", ".join(f"{frames} {why}" for why, frames in refusals.items())
