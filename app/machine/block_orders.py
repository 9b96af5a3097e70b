"""Which block each cell of a zone map is part of, for those who draw the borders of blocks.

A block of order n begins at a multiple of 2^n, so its order alone tells where it begins and ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from app.machine.frame_states import FREE, PCP, RESERVED
from app.mm.mmzone import MAX_ORDER, Zone

if TYPE_CHECKING:
    from app.machine.machine import Machine

# The order of a cell that lies in no block: it holds several, or its frames are nobody's to give or take.
NO_ORDER: Final = 255
# States of frames that are in nobody's block.
NOBODYS: Final = (PCP, RESERVED)


Bytes = bytes | bytearray
# A block as a step of a call leaves it: its first frame, how many they are, and its order; NO_ORDER where
# the frames are changed one by one.
Reshaped = tuple[int, int, int]


def orders(m: Machine, zones: Sequence[Zone], begin: int, shift: int, cells: Bytes, fill: Bytes) -> bytearray:
    """The order of the block that has all of a cell, cell by cell; of cells larger than blocks, of the first.

    cells, fill: what the zone map shows of them.
    """
    found = bytearray([NO_ORDER]) * len(cells)
    for zone in zones:
        first = max(0, -((begin - zone.start_pfn) >> shift))
        end = min(len(cells), -((begin - zone.end_pfn) >> shift))
        for cell in range(first, end):
            order = order_at(m, zone, begin + (cell << shift), shift, cells[cell], fill[cell])
            if order is not None:
                found[cell] = order
    return found


def order_at(m: Machine, zone: Zone, pfn: int, shift: int, state: int, used: int) -> int | None:
    """The order of the block around a cell of 2^shift frames; None where it lies in none."""
    if state == FREE:
        return None if used else free_order(zone, pfn, shift)
    if state in NOBODYS:
        return None
    at, heads = m.pages.get, range(min(shift, MAX_ORDER - 1), MAX_ORDER)
    page = next((found for order in heads if (found := at(pfn & -(1 << order))) is not None), None)
    if page is None or page.pfn + (1 << page.order) <= pfn or page.order < heads.start:
        return None
    return page.order


def free_order(zone: Zone, pfn: int, shift: int) -> int | None:
    """The order of the free block around a cell."""
    code, heads = zone.buddy.get, range(min(shift, MAX_ORDER - 1), MAX_ORDER)
    found = next((it >> 3 for order in heads if (it := code(pfn & -(1 << order), -1)) >> 3 >= order), None)
    if found is None and zone.untouched[0] <= pfn < zone.untouched[1]:
        return MAX_ORDER - 1
    return found


def reshape(found: bytearray, begin: int, shift: int, blocks: Sequence[Reshaped]) -> None:
    """Bring orders to where steps of a call have left the blocks, the first step first.

    A cell of which a block has a part only lies in no block.
    """
    for pfn, frames, order in blocks:
        first = max(0, pfn - begin >> shift)
        end = min(len(found), -((begin - pfn - frames) >> shift))
        whole = order if order >= shift else NO_ORDER
        for cell in range(first, end):
            found[cell] = whole
