"""The frame map: a window of a zone as cells, as a drawing and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, Final, Protocol

from app.machine.block_orders import NO_ORDER
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.framemap import MapRow, MapShape, MapView, Tile
from app.web.frame_states import FREE, LETTERS
from app.web.language import _, ngettext

Doc = Mapping[str, Any]

COLUMNS: Final = 64
# So many rows leave room for outcome and panel on one screen, and hold 5 GiB in blocks of order 10.
CELLS: Final = 1280
CELL: Final = 12
ROWS_SHOWN: Final = 100
TILES: Final = 400  # drawn one by one
OUTLINED: Final = 300
ZOOM_STEP: Final = 2
STRONG: Final = 8  # cells of a block whose border is drawn strong


@dataclass(frozen=True, slots=True)
class Window:
    """Which frames the map shows."""

    zone: str
    """the name of the zone"""
    node: int
    """the node of the zone"""
    start: int
    """the first frame of the first cell"""
    shift: int
    """each cell stands for 2^shift frames"""
    cells: int
    """how many cells there are"""

    @property
    def end(self) -> int:
        """First frame behind it."""
        return self.start + (self.cells << self.shift)


def end_of(zone: Doc) -> int:
    """First frame behind a zone."""
    return int(zone["start_pfn"] + zone["spanned"])


# Zones that GFP_KERNEL never takes from: their frames have no address of their own, or have to stay movable.
NOT_KERNEL: Final = ("HighMem", "Movable")


def zone_to_show(zones: Sequence[Doc], here: Address, touched: int | None = None) -> Doc:
    """Choose the zone on the map: the one that the address names.

    Else the one of the inspected frame; else the one of the frame that the shown call touched; else the one
    that GFP_KERNEL tries first.
    """
    for zone in zones:
        if zone["name"] == here.zone and here.node in (None, zone["node"]):
            return zone
    for pfn in (here.pfn, touched):
        for zone in zones:
            if pfn is not None and zone["start_pfn"] <= pfn < end_of(zone):
                return zone
    return [zone for zone in zones if zone["node"] == zones[0]["node"] and zone["name"] not in NOT_KERNEL][-1]


def whole_shift(zone: Doc) -> int:
    """The smallest cell with which the whole zone fits."""
    shift = 0
    while cells_of(zone, row_of(zone["start_pfn"], shift), shift) > CELLS:
        shift += 1
    return shift


def row_of(pfn: int, shift: int) -> int:
    """The first frame of the row that a frame is in."""
    return pfn // (COLUMNS << shift) * (COLUMNS << shift)


def cells_of(zone: Doc, start: int, shift: int) -> int:
    """Cells from there to the zone's end."""
    return -((start - end_of(zone)) >> shift)


def window_of(zone: Doc, here: Address) -> Window:
    """The window that the address asks for, moved so that it lies in the zone."""
    widest = whole_shift(zone)
    shift = widest if here.shift is None else min(max(here.shift, 0), widest)
    row = COLUMNS << shift
    first = row_of(zone["start_pfn"], shift)
    start = first if here.start is None else row_of(here.start, shift)
    rows = -(-(end_of(zone) - first) // row)
    last = first + max(0, rows - CELLS // COLUMNS) * row
    start = min(max(start, first), last)
    if cells_of(zone, start, shift) <= 0:
        start = first
    return Window(zone["name"], zone["node"], start, shift, min(CELLS, cells_of(zone, start, shift)))


def around(zone: Doc, pfn: int, shift: int) -> int:
    """The start of a window that has a frame in its middle, at the beginning of a row."""
    row = COLUMNS << shift
    first: int = zone["start_pfn"] // row
    return max(first, pfn // row - CELLS // COLUMNS // 2) * row


class MapReading(Protocol):
    """What a frame map is drawn from: a machine page's `Reading`, or an explanation's `MomentReading`."""

    @property
    def zones(self) -> Sequence[Doc]:
        """Every zone."""

    @property
    def zone(self) -> Doc:
        """The zone on the map."""

    @property
    def window(self) -> Window:
        """The window of the map."""

    @property
    def cells(self) -> Doc:
        """`app.machine.show.zonemap` of the window."""


def map_view(
    reading: MapReading,
    changed: Sequence[Sequence[Any]],
    here: Address,
    guessed: Sequence[tuple[int, int]] = (),
) -> MapView:
    """The map. changed: the `[pfn, frames, state]` runs that are outlined; guessed: the predicted ones."""
    zones, zone, window = reading.zones, reading.zone, reading.window
    cells = states(zone, window, reading.cells)
    fill = reading.cells["fill"]
    inside = within(window, [(pfn, frames) for pfn, frames, _state in changed])
    rows = list(islice(table_rows(zone, window, cells, fill, inside, here), ROWS_SHOWN))
    orders = orders_of(cells, reading.cells)
    drawn = list(tiles(window, cells, fill, orders))
    few = len(drawn) <= TILES
    centre = middle(zone, window, inside, here)
    whole = whole_shift(zone)
    return MapView(
        zone=window.zone,
        node=window.node,
        start=max(window.start, zone["start_pfn"]),
        end=min(window.end, end_of(zone)) - 1,
        first=window.start,
        shift=window.shift,
        cells=len(cells),
        columns=COLUMNS,
        width=COLUMNS * CELL,
        height=-(-len(cells) // COLUMNS) * CELL,
        scale=scale(window.shift),
        cell_text=cell_text(window.shift),
        tiles=drawn if few else [],
        shapes=[] if few else list(shapes(drawn)),
        edges=edges(window, orders),
        guesses=list(outlines(window, within(window, guessed))),
        guessed=" ".join(f"{pfn}+{frames}" for pfn, frames in guessed[:OUTLINED]),
        outlines=list(outlines(window, inside)),
        rows=rows,
        hidden_rows=sum(state != "outside" for state, _same in groupby(cells)) - len(rows),
        zones=[zone_link(each, each is zone, len({z["node"] for z in zones}) > 1, here) for each in zones],
        zoom_out=zoom(zone, "−", min(whole, window.shift + ZOOM_STEP), centre, window, here),
        zoom_in=zoom(zone, "+", max(0, window.shift - ZOOM_STEP), centre, window, here),
        earlier=pan(zone, "◂", -1, window, here),
        later=pan(zone, "▸", 1, window, here),
        whole=Link(
            _("all"),
            here.to(**at(zone, None, None)).href if window.shift < whole else None,
            hint=_("The whole zone"),
        ),
        selected=here.pfn,
        max_shift=whole,
        zoomed=whole - window.shift,
        zone_first=zone["start_pfn"],
        zone_end=end_of(zone),
    )


def within(window: Window, runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The runs of which a part is in the window."""
    return [(pfn, frames) for pfn, frames in runs if pfn < window.end and pfn + frames > window.start][
        :OUTLINED
    ]


def states(zone: Doc, window: Window, doc: Doc) -> list[str]:
    """The state of each cell; `outside` where a row begins before the zone."""
    names: list[str] = list(doc["states"])
    before = max(0, zone["start_pfn"] - window.start >> window.shift)
    return ["outside"] * before + [names[index] for index in doc["cells"][before:]]


def orders_of(cells: Sequence[str], doc: Doc) -> list[int]:
    """The order of the block around each cell; NO_ORDER where there is none."""
    known = list(doc["orders"])
    return [NO_ORDER] * (len(cells) - len(known)) + known


def at(zone: Doc, start: int | None, shift: int | None) -> dict[str, Any]:
    """The parts of an address that name a window."""
    return {"zone": zone["name"], "node": zone["node"], "start": start, "shift": shift}


def zone_link(zone: Doc, current: bool, nodes: bool, here: Address) -> Link:
    """A zone to show; its node where there are several."""
    text = _("Node %(node)s › %(zone)s", node=zone["node"], zone=zone["name"]) if nodes else zone["name"]
    return Link(text, here.to(**at(zone, None, None)).href, current)


def middle(zone: Doc, window: Window, changed: Sequence[tuple[int, int]], here: Address) -> int:
    """The frame to zoom to: the inspected one, else what the last call changed, else the window's middle."""
    if here.pfn is not None and window.start <= here.pfn < window.end:
        return here.pfn
    if changed:
        return max(changed[0][0], window.start)
    return min((window.start + window.end) // 2, end_of(zone) - 1)


def zoom(zone: Doc, text: str, shift: int, centre: int, window: Window, here: Address) -> Link:
    """Link to cells of another size, with the centre still in view."""
    if shift == window.shift:
        return Link(text, None)
    return Link(text, here.to(**at(zone, around(zone, centre, shift), shift)).href, hint=cell_text(shift))


def pan(zone: Doc, text: str, direction: int, window: Window, here: Address) -> Link:
    """Link to the window before or after, with nothing left out between."""
    width = CELLS << window.shift
    start = max(0, window.start + direction * width)
    other = window_of(zone, here.to(**at(zone, start, window.shift)))
    if other.start == window.start:
        return Link(text, None)
    return Link(text, here.to(**at(zone, other.start, window.shift)).href)


def scale(shift: int) -> str:
    """How many frames one cell stands for."""
    return ngettext("1 cell = %(num)s frame", "1 cell = %(num)s frames", 1 << shift)


def cell_text(shift: int) -> str:
    """What one cell stands for, and how much memory that is."""
    frames = 1 << shift
    return ngettext(
        "1 cell = %(num)s frame, %(size)s",
        "1 cell = %(num)s frames, %(size)s",
        frames,
        size=wording.frames(frames),
    )


def tiles(window: Window, cells: Sequence[str], fill: Sequence[int], orders: Sequence[int]) -> Iterator[Tile]:
    """Draw neighbouring cells that look alike as one rectangle: a zone of free memory is one a row."""
    looks = [
        (state, used_height(state, used), look_of(state, order))
        for state, used, order in zip(cells, fill, orders, strict=True)
    ]
    for top in range(0, len(looks), COLUMNS):
        column = 0
        for (state, used, look), group in groupby(looks[top : top + COLUMNS]):
            width = len(list(group))
            first = window.start + (top + column << window.shift)
            last = first + (width << window.shift) - 1
            x, y = column * CELL, top // COLUMNS * CELL
            yield Tile(
                x=x,
                y=y,
                width=width * CELL,
                state=state,
                look=look,
                letter=LETTERS.get(state, ""),
                letter_x=x + CELL / 2,
                letter_y=y + 9.2,
                used_y=y + CELL - used,
                used=used,
                title=f"{wording.pfn(first)}–{wording.pfn(last)} {state}",
            )
            column += width


def shapes(drawn: Sequence[Tile]) -> Iterator[MapShape]:
    """Put very many tiles together by look: a hundredth of the elements, without tooltips."""
    looks: dict[str, list[Tile]] = {}
    for tile in drawn:
        looks.setdefault(tile.look, []).append(tile)
    for look, alike in looks.items():
        state = alike[0].state
        letter = LETTERS.get(state, "")
        yield MapShape(
            state=state,
            look=look,
            path="".join(f"M{tile.x} {tile.y}h{tile.width}v{CELL}h-{tile.width}z" for tile in alike),
            bars="".join(
                f"M{tile.x} {tile.used_y}h{tile.width}v{tile.used}h-{tile.width}z"
                for tile in alike
                if tile.used
            ),
            letters=letter * len(alike),
            letters_x=" ".join(f"{tile.letter_x:g}" for tile in alike) if letter else "",
            letters_y=" ".join(f"{tile.letter_y:g}" for tile in alike) if letter else "",
        )


def used_height(state: str, used: int) -> int:
    """How high the bar stands in a free cell that is partly in use."""
    return min(CELL - 2, max(2, used * CELL // 256)) if state == FREE and used else 0


def look_of(state: str, order: int) -> str:
    """The class of a cell's colour: free blocks are the lighter the larger they are."""
    return f"free-{order}" if state == FREE and order != NO_ORDER else state


def edges(window: Window, orders: Sequence[int]) -> list[tuple[bool, str]]:
    """The borders of the blocks that have several cells, those of many cells apart."""
    paths: dict[bool, list[str]] = {True: [], False: []}
    cell = 0
    while cell < len(orders):
        order, pfn = orders[cell], window.start + (cell << window.shift)
        after = cell + 1
        if order != NO_ORDER and order > window.shift:
            after = max(after, ((pfn & -(1 << order)) + (1 << order) - window.start) >> window.shift)
            block = (pfn, min(after, len(orders)) - cell << window.shift)
            for x, y, width, height in outlines(window, [block]):
                paths[after - cell >= STRONG].append(f"M{x} {y}h{width}v{height}h-{width}z")
        cell = after
    return [(strong, "".join(path)) for strong, path in paths.items() if path]


def outlines(window: Window, changed: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int, int]]:
    """Outline what changed, row by row; whole rows that follow each other are one outline."""
    for pfn, frames in changed:
        first = max(pfn, window.start) - window.start >> window.shift
        end = (min(pfn + frames, window.end) - 1 - window.start >> window.shift) + 1
        while first < end:
            row, column = divmod(first, COLUMNS)
            rows = 1 if column else max(1, (end - first) // COLUMNS)
            last = min(end, (row + rows) * COLUMNS)
            width = COLUMNS if rows > 1 else last - first
            yield column * CELL, row * CELL, width * CELL, rows * CELL
            first = last


def table_rows(
    zone: Doc,
    window: Window,
    cells: Sequence[str],
    fill: Sequence[int],
    changed: Sequence[tuple[int, int]],
    here: Address,
) -> Iterator[MapRow]:
    """Make the table's rows: neighbouring cells of one state, and the share of frames in use."""
    place = 0
    for state, group in groupby(cells):
        width = len(list(group))
        if state == "outside":
            place += width
            continue
        start = max(window.start + (place << window.shift), zone["start_pfn"])
        end = min(window.start + (place + width << window.shift), end_of(zone))
        used = sum(fill[place : place + width])
        place += width
        yield MapRow(
            start=start,
            end=end - 1,
            frames=end - start,
            state=state,
            used=wording.percent(used, 255 * width),
            href=here.at(start),
            changed=any(pfn < end and pfn + frames > start for pfn, frames in changed),
        )
