"""Splits, merges and pageblocks as drawings, made of the numbers that a step of an explanation reports.

A block of order 10 has a thousand frames and its last half one, so orders are not to scale: every halving
takes the same width off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.mm.mmzone import PAGEBLOCK_NR_PAGES
from app.web import wording
from app.web.explain_contexts import BlockDrawing, Box, Level, PageblockDrawing

Step = Mapping[str, Any]

WIDTH: Final = 196.0
ROW: Final = 18
# With the labels beside the blocks.
SPLIT, MERGE = 366, 420
BASELINE: Final = 12


def blocks(step: Step) -> BlockDrawing | None:
    """The split or the merge that a step reports."""
    if step["fn"] == "expand":
        return split(step["numbers"])
    if step["fn"] == "__free_one_page" and step["numbers"]["merges"]:
        return merge(step["numbers"])
    return None


def split(numbers: Mapping[str, Any]) -> BlockDrawing:
    """From the block that was found, half by half, to the one that is given out: always the lowest."""
    found, asked, halves = numbers["from_order"], numbers["to_order"], numbers["halves"]
    pfn = halves[-1][0] - halves[-1][1]
    step = WIDTH / (len(halves) + 1)
    levels = [level(0, found, [Box(0, WIDTH, "found")], f"{wording.pfn(pfn)} found")]
    for row, (half, _) in enumerate(halves, 1):
        edge = WIDTH - row * step
        boxes = [Box(0, round(edge, 1), "kept"), Box(round(edge, 1), round(step, 1), "back")]
        levels.append(level(row, found - row, boxes, f"{wording.pfn(half)} put back"))
    levels.append(
        level(len(levels), asked, [Box(0, round(step, 1), "given")], f"{wording.pfn(pfn)} given out")
    )
    back = ", ".join(f"{half:#x} of order {found - row}" for row, (half, _) in enumerate(halves, 1))
    return BlockDrawing(
        kind="split",
        width=SPLIT,
        height=ROW * len(levels),
        levels=levels,
        words=f"The block {pfn:#x} of order {found} is halved down to order {asked}. "
        f"Put back: {back}. Given out: {pfn:#x} of order {asked}.",
        caption=f"Order {found} halved to order {asked}: one half is put back at each order.",
    )


def merge(numbers: Mapping[str, Any]) -> BlockDrawing:
    """From the freed block, buddy by buddy, to the block that is put on a list."""
    freed, first, order = numbers["freed_pfn"], numbers["first_order"], numbers["order"]
    pairs = list(joined(freed, first, order))
    step = WIDTH / (order - first + 1)
    left, right = 0.0, WIDTH
    rows: list[list[Box]] = []
    # From the whole block back, for only there the edges are known.
    for block, buddy in reversed(pairs):
        below = buddy < block
        inner = (left + step, right) if below else (left, right - step)
        other = left if below else inner[1]
        rows.insert(0, [box(inner[0], inner[1], "kept"), box(other, other + step, "buddy")])
        left, right = inner
    rows[0][0] = box(left, right, "given")
    labels = [
        f"{wording.pfn(block)} ^ {1 << first + row:#x} = {wording.pfn(buddy)}"
        for row, (block, buddy) in enumerate(pairs)
    ]
    levels = [level(row, first + row, boxes, labels[row]) for row, boxes in enumerate(rows)]
    whole = f"{wording.pfn(numbers['pfn'])} on its list"
    levels.append(level(len(levels), order, [Box(0, WIDTH, "found")], whole))
    buddies = ", ".join(f"{buddy:#x} of order {first + row}" for row, (_, buddy) in enumerate(pairs))
    return BlockDrawing(
        kind="merge",
        width=MERGE,
        height=ROW * len(levels),
        levels=levels,
        words=f"The freed block {freed:#x} of order {first} is joined with its free buddies {buddies}: "
        f"{numbers['pfn']:#x} of order {order}.",
        caption=f"Order {first} joined to order {order}: the buddy is pfn XOR 2^order.",
    )


def joined(pfn: int, order: int, last: int) -> Iterator[tuple[int, int]]:
    """The block at each order on the way up, with the buddy that it is joined with."""
    for each in range(order, last):
        buddy = pfn ^ 1 << each
        yield pfn, buddy
        pfn &= buddy


def box(left: float, right: float, kind: str) -> Box:
    """By its edges."""
    return Box(round(left, 1), round(right - left, 1), kind)


def level(row: int, order: int, boxes: list[Box], label: str) -> Level:
    """A row of the drawing."""
    return Level(row * ROW, row * ROW + BASELINE, order, boxes, label)


def pageblock(step: Step) -> PageblockDrawing | None:
    """The counts that decide whether a steal takes the whole pageblock."""
    if step["fn"] != "steal_suitable_fallback":
        return None
    numbers = step["numbers"]
    free, alike, threshold = numbers["free_pages"], numbers["alike_pages"], numbers["threshold"]
    claimed = free + alike >= threshold
    return PageblockDrawing(
        free=scaled(free),
        alike=scaled(alike),
        threshold=scaled(threshold),
        claimed=claimed,
        words=f"Of the {PAGEBLOCK_NR_PAGES} frames of the pageblock {numbers['pageblock']:#x}, {free} are "
        f"free and {alike} in use alike; from {threshold} on it is claimed.",
        caption=f"{free} free, {alike} alike, of {PAGEBLOCK_NR_PAGES}; the mark is at {threshold}.",
    )


def scaled(frames: int) -> float:
    """Frames of a pageblock as a length."""
    return round(WIDTH * frames / PAGEBLOCK_NR_PAGES, 1)
