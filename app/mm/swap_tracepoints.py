"""What swap reports while a call is explained, as in app.mm.tracepoints. 6.1 has no tracepoints for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.mm.mm_types import VmArea
    from app.mm.swap_info import SwapInfo


class SwapTracer(Protocol):
    """Slots, the swap cache, what is written, read, and read with it."""

    def searched(
        self, si: SwapInfo, base: int, found: Sequence[int], goal: int, looked_at: int, stretch: str
    ) -> None: ...

    def slot(self, left: int, *, stock: bool) -> None: ...

    def no_slot(self) -> None: ...

    def returned(self, entry: int, waiting: int, *, stock: bool) -> None: ...

    def added(self, pfn: int, entry: int) -> None: ...

    def given_up(self, pfn: int, entry: int) -> None: ...

    def unmapped(self, pfn: int, vma: VmArea, address: int, entry: int) -> None: ...

    def written(self, pfn: int, entry: int) -> None: ...

    def lookup(self, address: int, entry: int, pfn: int | None, *, ahead: bool) -> None: ...

    def window(self, entry: int, hits: int, previous: int, last: int, pages: int) -> None: ...

    def read(self, entry: int, read: Sequence[tuple[int, int]], asked: int) -> None: ...

    def brought_back(
        self, pfn: int, entry: int, references: int, *, exclusive: bool, gives_up: bool, full: bool
    ) -> None: ...

    def begun(self, si: SwapInfo) -> None: ...

    def unused(self, pfn: int, address: int, mm: int) -> None: ...
