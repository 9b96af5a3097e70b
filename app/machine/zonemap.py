"""The zone map: what state the frames of a stretch of memory are in, cell by cell.

Work follows what was touched: the states of frames are kept as `app.machine.frame_states` says, and a
stretch that nothing has asked for is one range, however many frames it has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine import block_orders, changes
from app.machine.frame_states import FREE, PCP, RESERVED, FrameStates, most
from app.mm.mmzone import Zone
from app.mm.page import STATES

if TYPE_CHECKING:
    from app.machine.machine import Machine

MAX_CELLS: Final = 65_536
MAX_SHIFT: Final = 40
DEFAULT_CELLS: Final = 4096


def zonemap(
    m: Machine,
    zone: str | None = None,
    node: int | None = None,
    start: int | None = None,
    shift: int | None = None,
    cells: int = DEFAULT_CELLS,
    over: Sequence[changes.Mention] = (),
    reshaped: Sequence[block_orders.Reshaped] = (),
) -> dict[str, Any]:
    """States of `cells` cells of 2^shift frames, from the cell that holds frame `start`.

    zone, node: stay within that zone; without them the whole machine. `cells` in the answer is the state that
    most frames of each cell are in, as an index into `states`; `fill` is how much of the cell is not free, 0
    to 255; `orders` is the order of the block that has all of the cell, NO_ORDER where none has. over: runs
    that are drawn as if their frames were in these states, the last mention of a frame last, and
    reshaped what has become of blocks; the machine stays as it is. Raises BadArgument.
    """
    zones = selected(m, zone, node)
    begin, shift, count = window_of(m, zone, node, start, shift, cells)
    shown, fill = states_of(m).cells(begin, shift, count)
    counts = hidden(m, [z for z in m.zones if z not in zones], begin, shift, count)
    recount(counts, shown, fill, shift)
    orders = block_orders.orders(m, zones, begin, shift, shown, fill)
    if over:
        overlay(m, zones, over, (begin, shift, count), counts)
        recount(counts, shown, fill, shift)
        block_orders.reshape(orders, begin, shift, reshaped)
    return {
        "start": begin,
        "shift": shift,
        "states": list(STATES),
        "cells": bytes(shown),
        "fill": bytes(fill),
        "orders": bytes(orders),
    }


def recount(counts: dict[int, list[int]], shown: bytearray, fill: bytearray, shift: int) -> None:
    """Show cells by what was counted in them."""
    for cell, of_cell in counts.items():
        shown[cell] = most(of_cell)
        fill[cell] = ((1 << shift) - of_cell[FREE]) * 255 >> shift


def window_of(
    m: Machine, zone: str | None, node: int | None, start: int | None, shift: int | None, cells: int
) -> tuple[int, int, int]:
    """First frame, size and number of the cells that a request asks for. Raises BadArgument."""
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
    return begin, shift, min(cells, -(-(end - begin) >> shift))


def census(m: Machine, zone: str, node: int) -> list[int]:
    """How many frames of a zone are in each state, as `STATES` counts them."""
    (it,) = selected(m, zone, node)
    return states_of(m).census(it.start_pfn, it.end_pfn)


def selected(m: Machine, zone: str | None, node: int | None) -> list[Zone]:
    """The zones that a request names."""
    zones = [z for z in m.zones if zone in (None, z.name) and node in (None, z.nid)]
    if not zones:
        names = ", ".join(f"{z.name} of node {z.nid}" for z in m.zones)
        raise BadArgument.at("zone" if zone is not None else "node", f"this machine has {names}")
    return zones


def states_of(m: Machine) -> FrameStates:
    """The states of the machine's frames, which are put together when they are first asked for."""
    if m.frame_states is None:
        m.frame_states = FrameStates(m)
    return m.frame_states


def hidden(m: Machine, others: list[Zone], begin: int, shift: int, cells: int) -> dict[int, list[int]]:
    """Counts of cells that reach into zones which were not asked for, without what is free there.

    Those frames stand as reserved: nothing can be had from them here. What is in use stays visible.
    """
    states = states_of(m)
    counts: dict[int, list[int]] = {}
    for zone in others:
        low, high = max(zone.start_pfn, begin), min(zone.end_pfn, begin + (cells << shift))
        for cell, first, end in pieces(low, high, begin, shift):
            of_cell = counts_of(states, counts, cell, begin, shift)
            inside = states.count(first, end)
            for state in (FREE, PCP):
                of_cell[state] -= inside[state]
                of_cell[RESERVED] += inside[state]
    return counts


def overlay(
    m: Machine,
    zones: list[Zone],
    over: Sequence[changes.Mention],
    window: tuple[int, int, int],
    counts: dict[int, list[int]],
) -> None:
    """Count the cells of a window anew where runs lie over them."""
    begin, shift, cells = window
    states = states_of(m)
    for pfn, frames, state in changes.last_mentions(over):
        for zone in zones:
            low = max(pfn, zone.start_pfn, begin)
            high = min(pfn + frames, zone.end_pfn, begin + (cells << shift))
            for cell, first, end in pieces(low, high, begin, shift):
                of_cell = counts_of(states, counts, cell, begin, shift)
                for index, number in enumerate(states.count(first, end)):
                    of_cell[index] -= number
                of_cell[changes.STATE_INDEX[state]] += end - first


def pieces(low: int, high: int, begin: int, shift: int) -> Iterator[tuple[int, int, int]]:
    """What of a stretch lies in which cell of a window: the cell's place, the first frame and the end."""
    for cell in range(low - begin >> shift, -(begin - high >> shift) if high > low else 0):
        first = begin + (cell << shift)
        yield cell, max(first, low), min(first + (1 << shift), high)


def counts_of(
    states: FrameStates, counts: dict[int, list[int]], cell: int, begin: int, shift: int
) -> list[int]:
    """A cell's frames by state, counted when it is first asked for."""
    if cell not in counts:
        first = begin + (cell << shift)
        counts[cell] = states.count(first, first + (1 << shift))
    return counts[cell]
