"""What compaction and migration report while a call is explained.

Kernel: include/trace/events/compaction.h, include/trace/events/migrate.h. As `app.mm.tracepoints`: protocols
of those who put reports into words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from app.mm.compact_control import CompactControl
    from app.mm.migrate import MigratePagesStats
    from app.mm.mmzone import Zone


class CompactionTracer(Protocol):
    """Whether a zone is compacted, where the scanners go, what they take, and how it ends."""

    def try_to_compact_pages(self, order: int, gfp: int, prio: int) -> None: ...

    def suitable(self, zone: Zone, order: int, ret: int, fragindex: int | None) -> None: ...

    def deferral(self, name: str, zone: Zone, order: int) -> None: ...

    def begin(self, cc: CompactControl) -> None: ...

    def finished(self, cc: CompactControl, ret: int) -> None: ...

    def isolated(
        self, zone: Zone, start: int, end: int, nr_scanned: int, nr_taken: int, refusals: dict[str, int]
    ) -> None: ...

    def passed_over(self, migratetype: int) -> None: ...

    def found_free(self, pfn: int, order: int) -> None: ...

    def isolated_free(self, zone: Zone, start: int, end: int, nr_scanned: int, nr_taken: int) -> None: ...

    def migratepages(self, nr_migratepages: int, nr_succeeded: int) -> None: ...

    def fold(self) -> None: ...

    def folded(self, what: str, zone: Zone, nr: int) -> None: ...

    def captured(self, zone: Zone, pfn: int, order: int) -> None: ...

    def end(self, cc: CompactControl, ret: int) -> None: ...

    def wakeup_kcompactd(self, nid: int, order: int, highest_zoneidx: int) -> None: ...

    def kcompactd_wake(self, nid: int, order: int, highest_zoneidx: int) -> None: ...


class MigrateTracer(Protocol):
    """What becomes of the pages of one lot."""

    def start(self, mode: int) -> None: ...

    def end(self, mode: int, stats: MigratePagesStats) -> None: ...
