"""What reclaim reports while a call is explained.

Kernel: include/trace/events/vmscan.h. As in app.mm.tracepoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mmzone import Zone
    from app.mm.scan_control import ReclaimStat, ScanControl
    from app.mm.shrink_folio import Fate


class VmscanTracer(Protocol):
    """kswapd, the lists that are scanned, what becomes of pages, and pages that come back."""

    def wakeup_kswapd(self, zone: Zone, order: int = 0, highest: int | None = None, gfp: int = 0) -> None: ...

    def kswapd_not_woken(self, zone: Zone, *, hopeless: bool) -> None: ...

    def kswapd_wakes(self, nid: int, order: int, highest: int) -> None: ...

    def kswapd_sleeps(self, nid: int) -> None: ...

    def balance(
        self, nid: int, sc: ScanControl, zones: Sequence[Zone], boost: int, *, balanced: bool
    ) -> None: ...

    def flusher_woken(self) -> None: ...

    def direct_begins(self, order: int, gfp: int) -> None: ...

    def direct_ends(self, reclaimed: int) -> None: ...

    def scan_count(
        self, nid: int, sc: ScanControl, balance: str, sizes: list[int], pressure: tuple[int, int],
        targets: list[int],
    ) -> None: ...  # fmt: skip

    def isolated(
        self, sc: ScanControl, lru: int, nr: int, scanned: int, skipped: int, taken: int, pages: Sequence[int]
    ) -> None: ...

    def fates(self, fates: Sequence[tuple[int, Fate]]) -> None: ...

    def written(self, pfn: int) -> None: ...

    def shrunk_inactive(
        self, nid: int, scanned: int, reclaimed: int, stat: ReclaimStat, priority: int, *, file: bool
    ) -> None: ...

    def shrunk_active(
        self, nid: int, taken: int, active: int, deactivated: int, rotated: int, priority: int,
        inactive: Sequence[int], *, file: bool,
    ) -> None: ...  # fmt: skip

    def refault(
        self, head: int, distance: int, size: int, *, file: bool, activate: bool, restore: bool
    ) -> None: ...
