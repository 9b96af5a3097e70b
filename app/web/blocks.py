"""Splits, merges and pageblocks as drawings, made of the numbers that a step of an explanation reports.

Blocks are to scale: each half is half as wide. What would be too narrow to be seen is two units wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from app.mm.mmzone import PAGEBLOCK_NR_PAGES
from app.web import wording
from app.web.contexts.explain import BlockDrawing, Box, Level, PageblockDrawing
from app.web.language import _

Step = Mapping[str, Any]

WIDTH: Final = 196.0
ROW: Final = 18
NARROWEST: Final = 2.0
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
    levels = [level(0, found, [Box(0, WIDTH, "found")], _("%(pfn)s found", pfn=wording.pfn(pfn)))]
    for row, (half, _frames) in enumerate(halves, 1):
        edge = wide(WIDTH, row)
        boxes = [box(0, edge, "kept"), box(edge, edge + wide(WIDTH, row), "back")]
        levels.append(level(row, found - row, boxes, _("%(pfn)s put back", pfn=wording.pfn(half))))
    levels.append(
        level(
            len(levels),
            asked,
            [box(0, wide(WIDTH, len(halves)), "given")],
            _("%(pfn)s given out", pfn=wording.pfn(pfn)),
        )
    )
    back = listed((half, found - row) for row, (half, _frames) in enumerate(halves, 1))
    return BlockDrawing(
        kind="split",
        width=SPLIT,
        height=ROW * len(levels),
        levels=levels,
        words=_(
            "The block %(pfn)s of order %(found)s is halved down to order %(asked)s. "
            "Put back: %(back)s. Given out: %(pfn)s of order %(asked)s.",
            pfn=wording.hexadecimal(pfn),
            found=found,
            asked=asked,
            back=back,
        ),
        caption=_(
            "Order %(found)s halved to order %(asked)s: one half is put back at each order.",
            found=found,
            asked=asked,
        ),
    )


def merge(numbers: Mapping[str, Any]) -> BlockDrawing:
    """From the freed block, buddy by buddy, to the block that is put on a list."""
    freed, first, order = numbers["freed_pfn"], numbers["first_order"], numbers["order"]
    pairs = list(joined(freed, first, order))
    left, right = 0.0, WIDTH
    rows: list[list[Box]] = []
    # From the whole block back, for only there the edges are known.
    for block, buddy in reversed(pairs):
        half = max(NARROWEST, (right - left) / 2)
        below = buddy < block
        inner = (right - half, right) if below else (left, left + half)
        other = right - 2 * half if below else left + half
        rows.insert(0, [box(*inner, "kept"), box(other, other + half, "buddy")])
        left, right = inner
    rows[0][0] = box(left, right, "given")
    labels = [
        f"{wording.pfn(block)} ^ {1 << first + row:#x} = {wording.pfn(buddy)}"
        for row, (block, buddy) in enumerate(pairs)
    ]
    levels = [level(row, first + row, boxes, labels[row]) for row, boxes in enumerate(rows)]
    whole = _("%(pfn)s on its list", pfn=wording.pfn(numbers["pfn"]))
    levels.append(level(len(levels), order, [Box(0, WIDTH, "found")], whole))
    buddies = listed((buddy, first + row) for row, (_block, buddy) in enumerate(pairs))
    return BlockDrawing(
        kind="merge",
        width=MERGE,
        height=ROW * len(levels),
        levels=levels,
        words=_(
            "The freed block %(freed)s of order %(first)s is joined with its free buddies %(buddies)s: "
            "%(pfn)s of order %(order)s.",
            freed=wording.hexadecimal(freed),
            first=first,
            buddies=buddies,
            pfn=wording.hexadecimal(numbers["pfn"]),
            order=order,
        ),
        caption=_(
            "Order %(first)s joined to order %(order)s: the buddy is pfn XOR 2^order.",
            first=first,
            order=order,
        ),
    )


def wide(whole: float, halvings: int) -> float:
    """How wide a block is drawn after so many halvings."""
    return max(NARROWEST, whole / (1 << halvings))


def listed(blocks_: Iterable[tuple[int, int]]) -> str:
    """Blocks in words."""
    return ", ".join(
        _("%(pfn)s of order %(order)s", pfn=wording.hexadecimal(pfn), order=order) for pfn, order in blocks_
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
    counts = {"all": PAGEBLOCK_NR_PAGES, "free": free, "alike": alike, "threshold": threshold}
    return PageblockDrawing(
        free=scaled(free),
        alike=scaled(alike),
        threshold=scaled(threshold),
        claimed=claimed,
        words=_(
            "Of the %(all)s frames of the pageblock %(pfn)s, %(free)s are free and %(alike)s in use alike; "
            "from %(threshold)s on it is claimed.",
            pfn=wording.hexadecimal(numbers["pageblock"]),
            **counts,
        ),
        caption=_(
            "%(free)s free, %(alike)s alike, of %(all)s; the mark is at %(threshold)s.",
            **counts,
        ),
    )


def scaled(frames: int) -> float:
    """Frames of a pageblock as a length."""
    return round(WIDTH * frames / PAGEBLOCK_NR_PAGES, 1)
