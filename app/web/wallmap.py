"""A whole machine as a small drawing of 64 cells, and in words; `static/js/wallmap.js` draws the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Final

from app.labs.board import QUARTERS, Picture
from app.mm.page import STATES
from app.web import wording
from app.web.contexts.wall import WallShape
from app.web.framemap import CELL
from app.web.language import _, decimal

COLUMNS: Final = 16
ROWS: Final = 4
WIDTH: Final = COLUMNS * CELL
HEIGHT: Final = ROWS * CELL
USED: Final = "used"
SPOKEN: Final = 4


def state_of(cell: str) -> str:
    """The state of a cell, as its character says it."""
    return STATES[0] if cell in QUARTERS else STATES[int(cell, 36)]


def shapes(cells: str) -> Iterator[WallShape]:
    """A path for each state, neighbours in a row as one rectangle, and one for what is used of free cells."""
    paths: dict[str, str] = {}
    bars = ""
    for top in range(0, len(cells), COLUMNS):
        x, y = 0, top // COLUMNS * CELL
        for state, group in groupby(cells[top : top + COLUMNS], state_of):
            row = list(group)
            width = len(row) * CELL
            paths[state] = paths.get(state, "") + f"M{x} {y}h{width}v{CELL}h-{width}z"
            for place, cell in enumerate(row):
                used = (QUARTERS.find(cell) + 1) * CELL // len(QUARTERS)
                if used:
                    bars += f"M{x + place * CELL} {y + CELL - used}h{CELL}v{used}h-{CELL}z"
            x += width
    yield from (WallShape(state, path) for state, path in paths.items())
    if bars:
        yield WallShape(USED, bars)


def words(picture: Picture | None) -> str:
    """What a picture shows: how much is in use, and how many cells are mostly in which state."""
    if picture is None:
        return _("not seen yet")
    counts: dict[str, int] = {}
    for cell in picture.cells:
        state = state_of(cell)
        if state != STATES[0]:
            counts[state] = counts.get(state, 0) + 1
    most = sorted(counts.items(), key=lambda item: -item[1])[:SPOKEN]
    used = f"{decimal(picture.used, 1 if picture.used < 10 else 0)} %"
    return _(
        "%(used)s in use; of %(all)s cells %(cells)s",
        used=used,
        all=wording.count(len(picture.cells)),
        cells=", ".join(f"{state} {wording.count(count)}" for state, count in most) or "free",
    )
