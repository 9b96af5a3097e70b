"""The zone map: what state the frames of a stretch of memory are in, cell by cell.

Work follows what was touched: a stretch that nothing has asked for is one run, however many frames it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from app.mm.errors import BadArgument
from app.mm.mmzone import PINDEX_ORDER, Zone
from app.mm.page import STATES, PG_locked

if TYPE_CHECKING:
    from app.mm.machine import Machine

MAX_CELLS: Final = 65_536
MAX_SHIFT: Final = 40
DEFAULT_CELLS: Final = 4096
STATE_INDEX: Final = {state: index for index, state in enumerate(STATES)}
FREE: Final = STATE_INDEX["free"]
PCP: Final = STATE_INDEX["pcp"]
RESERVED: Final = STATE_INDEX["reserved"]
LOCKED: Final = STATE_INDEX["locked"]


def zone_runs(m: Machine, zone: Zone) -> Iterator[tuple[int, int, int]]:
    """(first frame, frames, state) of everything in the zone that is not simply reserved, in no order."""
    for pfn, code in zone.buddy.items():
        yield pfn, 1 << (code >> 3), FREE
    first, end = zone.untouched
    if first < end:
        yield first, end - first, FREE
    for pcp in zone.pcp:
        for index, pages in enumerate(pcp.lists):
            frames = 1 << PINDEX_ORDER[index]
            for pfn in pages:
                yield pfn, frames, PCP


def used_runs(m: Machine) -> Iterator[tuple[int, int, int]]:
    """(first frame, frames, state) of every block in use that has a record."""
    for pfn, page in m.pages.items():
        yield pfn, 1 << page.order, LOCKED if page.flags & PG_locked else STATE_INDEX[page.state]


def zonemap(
    m: Machine,
    zone: str | None = None,
    node: int | None = None,
    start: int | None = None,
    shift: int | None = None,
    cells: int = DEFAULT_CELLS,
) -> dict[str, Any]:
    """States of `cells` cells of 2^shift frames, from the cell that holds frame `start`.

    zone, node: stay within that zone; without them the whole machine. `cells` in the answer is the state that
    most frames of each cell are in, as an index into `states`; `fill` is how much of the cell is not free, 0
    to 255. Raises BadArgument.
    """
    zones = selected(m, zone, node)
    first = min(z.start_pfn for z in zones)
    end = max(z.end_pfn for z in zones)
    if not 1 <= cells <= MAX_CELLS:
        raise BadArgument.at("cells", f"a number from 1 to {MAX_CELLS}")
    begin = first if start is None else start
    if not 0 <= begin < end:
        raise BadArgument.at("start", f"a page frame below {end:#x}")
    if shift is None:
        shift = max(0, (-(-(end - begin) // cells) - 1).bit_length())
    if not 0 <= shift <= MAX_SHIFT:
        raise BadArgument.at("shift", f"a number from 0 to {MAX_SHIFT}")
    begin = begin >> shift << shift
    count = min(cells, -(-(end - begin) >> shift))
    painted = Canvas(begin, shift, count)
    for z in zones:
        for pfn, frames, state in zone_runs(m, z):
            painted.add(pfn, frames, state)
    for pfn, frames, state in used_runs(m):
        painted.add(pfn, frames, state)
    states, fill = painted.finish()
    return {"start": begin, "shift": shift, "states": list(STATES), "cells": states, "fill": fill}


def selected(m: Machine, zone: str | None, node: int | None) -> list[Zone]:
    """The zones that a request names."""
    zones = [z for z in m.zones if zone in (None, z.name) and node in (None, z.nid)]
    if not zones:
        names = ", ".join(f"{z.name} of node {z.nid}" for z in m.zones)
        raise BadArgument.at("zone" if zone is not None else "node", f"this machine has {names}")
    return zones


class Canvas:
    """Cells being painted. A run that covers whole cells is one assignment; only ragged edges are counted."""

    __slots__ = ("count", "end", "ragged", "shift", "start", "whole")

    def __init__(self, start: int, shift: int, count: int) -> None:
        self.start = start
        self.shift = shift
        self.count = count
        self.end = start + (count << shift)
        self.whole = bytearray([RESERVED]) * count
        self.ragged: dict[int, dict[int, int]] = {}

    def add(self, pfn: int, frames: int, state: int) -> None:
        """Paint a run; what lies outside is cut off."""
        first = max(pfn, self.start) - self.start
        end = min(pfn + frames, self.end) - self.start
        if first >= end:
            return
        shift = self.shift
        low, high = -(-first >> shift), end >> shift
        if low < high:
            self.whole[low:high] = bytes([state]) * (high - low)
        if low > high:
            self.count_in(first >> shift, end - first, state)
            return
        if first & ((1 << shift) - 1):
            self.count_in(first >> shift, (low << shift) - first, state)
        if end & ((1 << shift) - 1):
            self.count_in(high, end - (high << shift), state)

    def count_in(self, cell: int, frames: int, state: int) -> None:
        """Add frames of a state to a cell that holds several."""
        counts = self.ragged.setdefault(cell, {})
        counts[state] = counts.get(state, 0) + frames

    def finish(self) -> tuple[bytes, bytes]:
        """(dominant state, part that is not free) of each cell."""
        fill = bytearray(0 if state == FREE else 255 for state in self.whole)
        size = 1 << self.shift
        for cell, counts in self.ragged.items():
            rest = size - sum(counts.values())
            if rest > 0:
                counts[RESERVED] = counts.get(RESERVED, 0) + rest
            self.whole[cell] = max(counts, key=lambda state: (counts[state], state))
            fill[cell] = (size - counts.get(FREE, 0)) * 255 // size
        return bytes(self.whole), bytes(fill)
