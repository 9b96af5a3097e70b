"""The panel of the vmalloc space: a strip of its areas above, the frames they are made of below, and a table.

The space has terabytes and an area a few pages, so nothing is to scale between areas: each is as wide as the
root of its size asks for, and what lies between two is drawn as a short gap with its size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from typing import Any, ClassVar, Final

from app.machine import show
from app.machine.machine import Machine
from app.mm.memory_model import PAGE_SIZE
from app.web import wording
from app.web.address import Address, memory_address
from app.web.contexts.base import Link, TablePart
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.tableparts import ROWS, first_row, table_part

Doc = Mapping[str, Any]

WIDTH: Final = 960.0
DRAWN: Final = 24  # areas on the strip
GAP: Final = 34.0
TOUCHING: Final = 2.0
LEAST: Final = 10.0
# Top and bottom of the space between the strip and the line of frames.
ABOVE, BELOW = 58.0, 168.0
RUNS: Final = 400


@dataclass(frozen=True, slots=True)
class AreaBox:
    """An area on the strip: its mapped part, and the guard page at its end where there is one."""

    x: float
    """left edge"""
    width: float
    """width"""
    middle: float
    """where its label stands"""
    guard: float
    """width of the guard page"""
    guard_x: float
    """left edge of the guard page"""
    label: str
    """its size, where there is room"""
    words: str
    """what it is, for the tooltip and for screen readers"""
    href: str
    """the page with the area in the inspector"""
    current: bool
    """True where its frames are shown"""
    lazy: bool
    """True where it is freed and waits for the next purge"""


@dataclass(frozen=True, slots=True)
class Gap:
    """Addresses between two areas, drawn short and labelled with their size."""

    x: float
    """left edge"""
    width: float
    """width"""
    middle: float
    """where its label stands"""
    label: str
    """how many addresses lie between"""


@dataclass(frozen=True, slots=True)
class Arc:
    """A band from a run of an area's pages to its frames."""

    path: str
    """the outline of the band"""
    words: str
    """which pages and frames, for the tooltip"""


@dataclass(frozen=True, slots=True)
class Tick:
    """A zone's place on the line of frames."""

    x: float
    """left edge"""
    width: float
    """width"""
    label: str
    """the zone's name"""


@dataclass(frozen=True, slots=True)
class VmallocStrip:
    """The vmalloc space above, the page frames below, and bands between an area's pages and frames."""

    boxes: Sequence[AreaBox]
    """the areas"""
    gaps: Sequence[Gap]
    """what lies between them"""
    arcs: Sequence[Arc]
    """the bands of the area that is chosen, or was made last"""
    zones: Sequence[Tick]
    """the zones on the line of frames; empty where no frames are shown"""
    first: str
    """first frame of the line"""
    last: str
    """last frame of the line"""
    title: str
    """which area the bands belong to"""
    caption: str
    """how many areas there are"""
    hidden: int
    """how many areas are not drawn"""


@dataclass(frozen=True, slots=True)
class VmallocPanel(PanelView):
    """The vmalloc space as a strip, and its areas as a table."""

    TEMPLATE: ClassVar[str] = "machine/panels/vmalloc.html"
    strip: VmallocStrip | None
    """the drawing; None where nothing is mapped"""
    table: TablePanel
    """the areas, in the order of addresses"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read a part of the areas, and those that are drawn."""
    total = len(machine.vmap.busy) + len(machine.vmap.purge)
    first = first_row(here, total)
    chosen = None if here.area is None else memory_address(here.area)
    drawn = show.areas_around(machine, chosen, DRAWN)
    return show.vmap_areas(machine, first, ROWS) | {"first": first, "drawn": drawn}


def view(seen: Seen) -> VmallocPanel:
    """Show the strip and the table of areas."""
    doc, here = seen.doc, seen.here
    part = table_part(here, doc["first"], doc["total"])
    return VmallocPanel(
        strip=vmalloc_strip(doc["drawn"], doc["total"], seen.zones, here),
        table=table(doc["areas"], here, part),
    )


def on_strip(area: str, here: Address) -> Address:
    """The same view with the panel open and an area chosen."""
    return here.to(panel=PANEL.name, area=area)


def table(areas: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """Ranges of the vmalloc space, in the order of addresses; freed ones stay until a purge."""
    return TablePanel(
        caption=_("Areas of the vmalloc space. Freed ones keep their addresses until the next purge."),
        columns=(
            (_("From"), False),
            (_("To"), False),
            (_("Size"), True),
            (_("What"), False),
            (_("Frames"), True),
            (_("First frame"), False),
            (_("By"), False),
        ),
        rows=[
            (
                Link(area["address"], here.inspect(area["address"]).to(area=area["address"]).href),
                area["end"],
                wording.size(area["size"]),
                area["kind"],
                wording.count(area["nr_pages"]) if "nr_pages" in area else "",
                Link(wording.pfn(area["pfns"][0]), here.at(area["pfns"][0])) if area.get("pfns") else "",
                Link(f"{area['task']} #{area['seq']}", here.to(outcome=area["seq"]).href)
                if area.get("seq")
                else "",
            )
            for area in areas
        ],
        empty=_("Nothing is mapped there."),
        part=part,
    )


def vmalloc_strip(
    shown: Sequence[Doc], total: int, zones: Sequence[Doc], here: Address
) -> VmallocStrip | None:
    """Draw `show.areas_around`, of `total` areas, over `show.zones`. None where nothing is mapped."""
    if not shown:
        return None
    chosen = next((area for area in shown if area["address"] == here.area), None)
    focus = chosen or max((area for area in shown if area.get("pfns")), key=made_at, default=None)
    boxes, gaps = laid_out(shown, focus, here)
    frames = Frames(focus["pfns"], zones) if focus and focus.get("pfns") else None
    return VmallocStrip(
        boxes=boxes,
        gaps=gaps,
        arcs=list(arcs_of(focus, boxes[shown.index(focus)], frames)) if focus and frames else [],
        zones=frames.ticks if frames else [],
        first=wording.pfn(frames.low) if frames else "",
        last=wording.pfn(frames.high - 1) if frames else "",
        title=title(focus),
        caption=ngettext(
            "vmalloc addresses, one area; not to scale",
            "vmalloc addresses, %(num)s areas; not to scale",
            total,
        ),
        hidden=total - len(shown),
    )


def start_of(area: Doc) -> int:
    """Its first address."""
    return int(area["address"], 16)


def made_at(area: Doc) -> int:
    """When it was made; what the kernel itself has mapped was there before."""
    seq: int = area.get("seq") or 0
    return seq


def title(focus: Doc | None) -> str:
    """Say which area the bands belong to."""
    if focus is None or not focus.get("pfns"):
        return _("The vmalloc space.") if focus is None else f"{focus['address']}: {focus['kind']}."
    runs = sum(1 for _ in runs_of(focus["pfns"]))
    pages = ngettext("%(num)s page in a row", "%(num)s pages in a row", focus["nr_pages"])
    pieces = ngettext("their frames lie in one piece", "their frames lie in %(num)s pieces", runs)
    return f"{focus['address']}: {pages}; {pieces}."


def laid_out(shown: Sequence[Doc], focus: Doc | None, here: Address) -> tuple[list[AreaBox], list[Gap]]:
    """Boxes and gaps from left to right, over the whole width."""
    holes = [start_of(after) - int(before["end"], 16) for before, after in pairwise(shown)]
    between = [GAP if hole > 0 else TOUCHING for hole in holes]
    weights = [sqrt(area["size"]) for area in shown]
    room = WIDTH - sum(between) - LEAST * len(shown)
    boxes: list[AreaBox] = []
    gaps: list[Gap] = []
    x = 0.0
    for place, area in enumerate(shown):
        width = LEAST + room * weights[place] / sum(weights)
        boxes.append(box(area, x, width, area is focus, here))
        x += width
        if place < len(holes):
            if holes[place] > 0:
                gaps.append(Gap(round(x, 1), GAP, round(x + GAP / 2, 1), wording.size(holes[place])))
            x += between[place]
    return boxes, gaps


def box(area: Doc, x: float, width: float, current: bool, here: Address) -> AreaBox:
    """One area. The guard page is drawn at least two units wide: it is what the eye shall find."""
    has_guard = area.get("guard") is not None
    guard = max(3.0, width * PAGE_SIZE / area["size"]) if has_guard else 0.0
    words = [f"{area['address']}–{area['end']}", wording.size(area["size"]), area["kind"]]
    if has_guard:
        words.append(_("its last page is the guard"))
    return AreaBox(
        x=round(x, 1),
        width=round(width, 1),
        middle=round(x + width / 2, 1),
        guard=round(guard, 1),
        guard_x=round(x + width - guard, 1),
        label=wording.size(area["size"]) if width > 56 else "",
        words=", ".join(words),
        href=on_strip(area["address"], here.inspect(area["address"])).href + "#panels",
        current=current,
        lazy=area["lazy"],
    )


class Frames:
    """The line of page frames that an area's lie on, to scale: from its first to its last."""

    def __init__(self, pfns: Sequence[int], zones: Sequence[Doc]) -> None:
        self.low, self.high = min(pfns), max(pfns) + 1
        self.ticks = [
            Tick(x, round(self.x(min(end, self.high)) - x, 1), zone["name"])
            for zone in zones
            if (start := zone["start_pfn"]) < self.high and (end := start + zone["spanned"]) > self.low
            for x in [round(self.x(max(start, self.low)), 1)]
        ]

    def x(self, pfn: int) -> float:
        """The place of a frame on the line."""
        return WIDTH * (pfn - self.low) / (self.high - self.low)


def arcs_of(area: Doc, box: AreaBox, frames: Frames) -> Iterator[Arc]:
    """A band from each run of pages to where its frames are; of very many only the first."""
    step = (box.width - box.guard) / max(1, area["nr_pages"])
    middle = (ABOVE + BELOW) / 2
    for number, (place, pfn, length) in enumerate(runs_of(area["pfns"])):
        if number == RUNS:
            return
        left, right = box.x + place * step, box.x + (place + length) * step
        low, high = frames.x(pfn), max(frames.x(pfn + length), frames.x(pfn) + 1)
        yield Arc(
            path=(
                f"M{left:.1f},{ABOVE:g} C{left:.1f},{middle:g} {low:.1f},{middle:g} {low:.1f},{BELOW:g} "
                f"L{high:.1f},{BELOW:g} C{high:.1f},{middle:g} {right:.1f},{middle:g} {right:.1f},{ABOVE:g} Z"
            ),
            words=ngettext(
                "%(num)s page from page %(place)s on: frames from %(pfn)s on",
                "%(num)s pages from page %(place)s on: frames from %(pfn)s on",
                length,
                place=place,
                pfn=wording.pfn(pfn),
            ),
        )


def runs_of(pfns: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Place, first frame and length of each run of pages whose frames lie in a row."""
    place = 0
    while place < len(pfns):
        length = 1
        while place + length < len(pfns) and pfns[place + length] == pfns[place] + length:
            length += 1
        yield place, pfns[place], length
        place += length


PANEL: Final = Panel("vmalloc", "vmalloc", read, view, look="vmalloc")
