"""Thumbnails: a small map of a whole machine after a row, which never changes and so may be cached.

History is never rewritten, so a picture that has been drawn is right for ever; the browser may keep it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final
from weakref import WeakValueDictionary

from app.machine import show
from app.machine.machine import Machine
from app.sessions import Principal, Sessions
from app.web import wording
from app.web.frame_states import FRAME_STATES, FREE
from app.web.language import _
from app.web.render import drawing

CELLS: Final = 512
COLUMNS: Final = 32
CACHED: Final = 512
OUTSIDE: Final = "outside"
USED: Final = "used"

# Free frames are hardly there, and a bar in them is the part that is in use.
COLOURS: Final = {state.name: state.thumbnail for state in FRAME_STATES} | {USED: "#5b7fa6"}
OPACITY: Final = {state.name: state.thumbnail_opacity for state in FRAME_STATES}
SPOKEN: Final = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """All cells of one state as one path."""

    colour: str
    """the colour of the cells"""
    opacity: str
    """their opacity; empty for full"""
    path: str
    """the outline of the cells"""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture, in no language yet."""

    height: int
    """rows of cells"""
    shapes: Sequence[Shape]
    """the cells by state"""
    in_use: int
    """how much of `whole` is in use"""
    whole: int
    """all of the memory, in the same unit"""
    most: Mapping[str, int]
    """how many cells have each of the most frequent states beside free"""
    cells: int
    """how many cells there are"""

    @property
    def words(self) -> str:
        """The same for who does not see it: how much is in use, and what most of it is."""
        used = wording.percent(self.in_use, self.whole)
        if not self.most:
            return _("%(share)s in use", share=used)
        parts = [f"{state} {wording.percent(count, self.cells)}" for state, count in self.most.items()]
        return _("%(share)s in use; cells of %(states)s", share=used, states=", ".join(parts))

    @property
    def svg(self) -> bytes:
        """The picture."""
        return drawing(
            "thumbnail.svg", width=COLUMNS, height=self.height, shapes=self.shapes, words=self.words
        )


class Thumbnails:
    """The pictures that were drawn last. Of one person's one is drawn at a time: a list may have fifty."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, int], Thumbnail] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def words(self, session_id: str, seq: int) -> str | None:
        """What a picture shows, where it is known without drawing it."""
        kept = self._kept.get((session_id, seq))
        return None if kept is None else kept.words

    async def of(self, sessions: Sessions, who: Principal, session_id: str, seq: int) -> Thumbnail:
        """The session as it was at a row. Raises as `Sessions.past` does.

        Who may not read the session is refused even where the picture is there.
        """
        await sessions.get(who, session_id)
        key = session_id, seq
        if key not in self._kept:
            async with self._turns.setdefault(who.id, asyncio.Lock()):
                if key not in self._kept:
                    self._kept[key] = await sessions.past(who, session_id, seq, drawn)
                    while len(self._kept) > CACHED:
                        self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def drawn(machine: Machine) -> Thumbnail:
    """Draw a machine."""
    doc = show.zonemap(machine, cells=CELLS)
    zones = show.zones(machine)["zones"]
    cells = states(doc, zones)
    inside = [(state, used) for state, used in zip(cells, doc["fill"], strict=True) if state != OUTSIDE]
    return Thumbnail(
        height=-(-len(cells) // COLUMNS),
        shapes=shapes(cells, doc["fill"]),
        in_use=sum(used for _state, used in inside),
        whole=255 * len(inside),
        most=most([state for state, _used in inside]),
        cells=len(inside),
    )


def states(doc: Mapping[str, Any], zones: Sequence[Mapping[str, Any]]) -> list[str]:
    """The state of each cell; of a hole between zones there is nothing to draw."""
    names: Sequence[str] = doc["states"]
    size = 1 << doc["shift"]
    found = []
    for place, state in enumerate(doc["cells"]):
        first = doc["start"] + place * size
        inside = any(z["start_pfn"] < first + size and first < z["start_pfn"] + z["spanned"] for z in zones)
        found.append(names[state] if inside else OUTSIDE)
    return found


def shapes(cells: Sequence[str], fill: Sequence[int]) -> list[Shape]:
    """A path for each state, neighbours in a row as one rectangle, and one for what is used of free cells."""
    paths: dict[str, list[str]] = {}
    for top in range(0, len(cells), COLUMNS):
        column = 0
        for state, group in groupby(cells[top : top + COLUMNS]):
            width = len(list(group))
            if state != OUTSIDE:
                paths.setdefault(state, []).append(f"M{column} {top // COLUMNS}h{width}v1h-{width}z")
            column += width
    bars = [bar(place, fill[place]) for place, state in enumerate(cells) if state == FREE and fill[place]]
    if bars:
        paths[USED] = bars
    return [Shape(COLOURS[state], OPACITY.get(state, ""), "".join(parts)) for state, parts in paths.items()]


def bar(place: int, fill: int) -> str:
    """How much of a cell is in use, from below; of the least bit there is enough to be seen."""
    height = max(25, fill * 100 // 255)
    return f"M{place % COLUMNS} {place // COLUMNS + (100 - height) / 100:g}h1v{height / 100:g}h-1z"


def most(cells: Sequence[str]) -> dict[str, int]:
    """The states that most of the cells have that are not free, and how many have them."""
    counts = Counter(state for state in cells if state != FREE)
    return dict(counts.most_common(SPOKEN))
