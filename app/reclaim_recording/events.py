"""What our kernel does, in the recording's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map
from app.mm.compact_control import CompactControl
from app.mm.fs import Inode
from app.mm.mem_map import PG_swapbacked
from app.mm.migrate import MigratePagesStats
from app.mm.mmzone import MIGRATE_LETTERS, Zone
from app.mm.scan_control import ReclaimStat, ScanControl
from app.mm.sched import Task
from app.reclaim_recording.kswapd import MARK
from app.reclaim_recording.others import Others
from app.reclaim_recording.recorded import COMPARED, UNKNOWN

# Why pages move. Kernel: MR_COMPACTION
COMPACTION: Final = 0


class Events:
    """A trace that writes down.

    seen: events of the operation itself, without those of others. of_caller: how many of them are the
    process's, and not kswapd's.
    """

    def __init__(self, m: Machine, others: Others) -> None:
        self.m = m
        self.others = others
        self.kswapd = others.kswapd
        self.seen: list[list[Any]] = []
        self.of_caller = 0
        self.page_alloc: Any = Frames(self)
        self.page_ref: Any = Frames(self)
        self.lru: Any = Lru(self)
        self.pagecache: Any = Pagecache(self)
        self.vmscan: Any = Vmscan(self)
        self.compaction: Any = Compaction(self)
        self.migrate: Any = Migrate(self)
        self.oom: Any = Oom(self)

    def add(self, kind: str, *event: Any) -> None:
        """Note one."""
        if self.others.busy:
            return
        if self.m.current.thread is not None:
            self.kswapd.produced += 1
            kind = MARK + kind
        else:
            self.turn()
            self.of_caller += 1
        self.seen.append([kind, *event])

    def __getattr__(self, name: str) -> Any:
        """Any other area."""
        return Area(self)

    def turn(self) -> None:
        """Let kswapd go on if it did so at this point."""
        stretch = self.others.turns.pop(self.of_caller, None)
        if stretch is not None:
            self.kswapd.go_on(stretch)

    def pause(self) -> None:
        """A loop of the kernel could let others go first."""
        if self.m.current.thread is not None:
            self.kswapd.pause()
        else:
            self.before()

    def end(self) -> None:
        """The operation is over: what is left of the others, and of kswapd."""
        for turn in sorted(self.others.turns):
            self.kswapd.go_on(self.others.turns.pop(turn))
        self.others.flush()

    def before(self) -> None:
        """Before something that the caller does."""
        if self.m.current.thread is None and not self.others.busy:
            self.turn()


class Area:
    """An area of trace points, of which only some say something here."""

    def __init__(self, events: Events) -> None:
        self.events = events

    def __getattr__(self, name: str) -> Any:
        return self.ignore

    def ignore(self, *_: Any, **__: Any) -> None:
        """Any other trace point."""


class Frames(Area):
    """Frames that are handed out and given back: others have done so before."""

    def request(self, *_: Any) -> None:
        """Before an allocation."""
        self.events.before()
        self.events.others.before_own()

    def alloc(self, pfn: int | None, order: int, gfp: int, migratetype: int) -> None:
        """A page was handed out, or none."""
        self.events.others.after_own()
        self.events.add("A", -1 if pfn is None else pfn, order, hex(gfp), MIGRATE_LETTERS[migratetype])

    def free(self, pfn: int, order: int) -> None:
        """A page is given back."""
        self.events.before()
        self.events.others.before_own()
        self.events.others.after_own()
        self.events.add("F", pfn, order)


class Lru(Area):
    """Batches."""

    def queued(self, *_: Any, **__: Any) -> None:
        """A page waits in a batch, which may be emptied next."""
        self.events.before()

    def moved(self, batch: str, pages: Sequence[int]) -> None:
        """A batch was emptied; a page that waits twice to be activated moves once."""
        for pfn in dict.fromkeys(pages):
            if batch == "add":
                self.events.add("LI", pfn, mem_map.lru_index(self.events.m, pfn))
            elif batch == "activate":
                self.events.add("LA", pfn)


class Pagecache(Area):
    """Pages of files."""

    def added(self, inode: Inode, index: int, pfn: int) -> None:
        """A page came to a file."""
        self.events.add("FA", pfn, inode.ino, index)

    def removed(self, inode: Inode, index: int, pfn: int) -> None:
        """A page left its file."""
        self.events.add("FD", pfn, inode.ino, index)


class Vmscan(Area):
    """Reclaim."""

    def wakeup_kswapd(self, _: Zone, order: int, highest: int, gfp: int) -> None:
        """kswapd is woken."""
        self.events.add("wk", highest, order, hex(gfp))

    def direct_begins(self, order: int, gfp: int) -> None:
        """A direct reclaim begins."""
        self.events.add("dr>", order, hex(gfp))

    def direct_ends(self, reclaimed: int) -> None:
        """It ends."""
        self.events.add("dr<", reclaimed)

    def isolated(self, sc: ScanControl, lru: int, *numbers: Any) -> None:
        """Pages were taken off a list."""
        wanted, scanned, skipped, taken, _ = numbers
        self.events.add("iso", sc.reclaim_idx, sc.order, wanted, scanned, skipped, taken, lru)

    def written(self, pfn: int) -> None:
        """Reclaim writes a page."""
        self.events.add("wr", pfn, int(not mem_map.flags(self.events.m, pfn) & PG_swapbacked))

    def shrunk_inactive(
        self, _: int, scanned: int, reclaimed: int, stat: ReclaimStat, priority: int, *, file: bool
    ) -> None:
        """A lot of inactive pages is done."""
        numbers = [stat.dirty, stat.writeback, stat.congested, stat.immediate, *stat.activated]
        numbers += [stat.ref_keep, stat.unmap_fail, priority, int(file)]
        self.events.add("inact", scanned, reclaimed, *numbers)

    def shrunk_active(self, _: int, *numbers: Any, file: bool) -> None:
        """A lot of active pages is done."""
        self.events.add("act", *numbers[:5], int(file))


class Compaction(Area):
    """Compaction. Results and modes have the kernel's numbers."""

    def try_to_compact_pages(self, order: int, gfp: int, prio: int) -> None:
        """A request that needs a large block."""
        self.events.add("ctry", order, hex(gfp), prio)

    def suitable(self, zone: Zone, order: int, ret: int, _: int | None) -> None:
        """Whether a zone can be compacted."""
        self.events.add("csuit", zone.zid, order, ret)

    def finished(self, cc: CompactControl, ret: int) -> None:
        """Whether that is enough."""
        self.events.add("cfin", cc.zone.zid, cc.order, ret)

    def begin(self, cc: CompactControl) -> None:
        """A zone is compacted."""
        zone = cc.zone
        self.events.add("cb", zone.start_pfn, cc.migrate_pfn, cc.free_pfn, zone.end_pfn, int(cc.sync))

    def end(self, cc: CompactControl, ret: int) -> None:
        """It is done."""
        zone = cc.zone
        self.events.add("ce", zone.start_pfn, cc.migrate_pfn, cc.free_pfn, zone.end_pfn, int(cc.sync), ret)

    def isolated(self, _: Zone, start: int, end: int, _scanned: int, taken: int, __: Any) -> None:
        """Pages are taken to be moved."""
        self.events.add("cim", start, end, taken)

    def isolated_free(self, _: Zone, start: int, end: int, scanned: int, taken: int) -> None:
        """Frames are taken to which pages move."""
        self.events.add("cif", start, end, scanned, taken)

    def migratepages(self, taken: int, moved: int) -> None:
        """A lot of pages has moved."""
        self.events.add("cmig", taken, moved)


class Migrate(Area):
    """Pages that move."""

    def end(self, mode: int, stats: MigratePagesStats) -> None:
        """A lot is done."""
        self.events.add("mig", len(stats.moved), stats.nr_failed, mode, COMPACTION)


class Oom(Area):
    """What is asked before somebody must die, and who dies."""

    def retry_zone(self, zone: Zone, *numbers: int, ok: bool) -> None:
        """Whether another round could help."""
        self.events.add("retry", zone.zid, *numbers, int(ok))

    def mark_victim(self, victim: Task) -> None:
        """Somebody dies."""
        self.events.add("victim", victim.pid)


def compared(events: list[Any]) -> list[list[Any]]:
    """Those of a recording's events that are compared."""
    return [known(event) for event in events if event[0].removeprefix(MARK) in COMPARED]


def around_kills(events: list[list[Any]], *, first: bool) -> list[list[Any]]:
    """Who is killed, and what is decided before; first: nobody was before, so all up to the first victim.

    Where the frames of a victim are, and when they come back, the recording does not show.
    """
    kinds = [event[0] for event in events]
    end = kinds.index("victim") + 1 if first and "victim" in kinds else 0
    later = [event for event in events[end:] if event[0] in ("victim", "retry")]
    return events[:end] + [event if event[0] == "victim" else [event[0], *event[-2:]] for event in later]


def known(event: list[Any]) -> list[Any]:
    """An event without what this machine cannot know."""
    at = UNKNOWN.get(event[0].removeprefix(MARK))
    return [*event] if at is None else [*event[:at], *event[at + 1 :]]
