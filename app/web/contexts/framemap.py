"""What a frame map is given: its drawing, its table, and the ways to other windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Link


@dataclass(frozen=True, slots=True)
class Tile:
    """Neighbouring cells of one row that look the same, in the map's own units."""

    x: int
    """left edge"""
    y: int
    """upper edge"""
    width: int
    """width of all cells together"""
    state: str
    """the frame state of the cells"""
    look: str
    """the class of their colour: the state, or the order of the free block"""
    letter: str
    """the letter in the first cell"""
    letter_x: float
    """where the letter stands"""
    letter_y: float
    """the letter's baseline"""
    used: int
    """height of the bar in a free cell that is partly in use"""
    used_y: int
    """upper edge of that bar"""
    title: str
    """the tooltip: frames and state"""


@dataclass(frozen=True, slots=True)
class MapShape:
    """All tiles of one look as one path."""

    state: str
    """the frame state"""
    look: str
    """the class of their colour: the state, or the order of the free block"""
    path: str
    """the outline of all tiles"""
    bars: str
    """the bars of free cells that are partly in use, as a path"""
    letters: str
    """one letter for each tile"""
    letters_x: str
    """where the letters stand"""
    letters_y: str
    """the letters' baselines"""


@dataclass(frozen=True, slots=True)
class MapRow:
    """A row of the map's table: neighbouring cells of one state."""

    start: int
    """first frame"""
    end: int
    """last frame"""
    frames: int
    """how many frames"""
    state: str
    """the frame state"""
    used: str
    """the share of the frames that is not free"""
    href: str
    """the page with the first frame in the inspector"""
    changed: bool
    """True where the last call changed some of them"""


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A frame state with its letter."""

    state: str
    """the name of the state"""
    letter: str
    """the letter on the map"""
    meaning: str
    """what the state means"""
    frames: int | None = None
    """how many frames are in it, where they are counted"""


@dataclass(frozen=True, slots=True)
class PatternView:
    """The pattern of a frame state, for a cell of 12 by 12 units."""

    state: str
    """the name of the state"""
    letter: str
    """the letter in a cell"""
    path: str
    """the lines, as the data of a path"""


@dataclass(frozen=True, slots=True)
class PhysicalZone:
    """A zone on the bar of all memory; places are in per cent of it."""

    name: str
    """the zone, with its node where there are several"""
    x: float
    """where it begins"""
    width: float
    """how long it is"""
    used: float
    """how much of that is in use"""
    odd: bool
    """True for every other zone, so that neighbours can be told apart"""
    current: bool
    """True where the map shows it"""
    roomy: bool
    """True where its name has room"""
    tight: bool
    """True where it has room on a wide screen only"""


@dataclass(frozen=True, slots=True)
class PhysicalMark:
    """An address on the bar of all memory."""

    x: float
    """its place in per cent"""
    label: str
    """the address; empty where it has no room"""
    anchor: str
    """`start` or `end`: which part of the label stands there"""
    tick: bool
    """whether a line marks it"""


@dataclass(frozen=True, slots=True)
class PhysicalBar:
    """All physical memory as one bar."""

    zones: Sequence[PhysicalZone]
    """the zones in the order of addresses"""
    marks: Sequence[PhysicalMark]
    """the addresses that part them"""
    window_x: float
    """where the map's window begins, in per cent"""
    window_width: float
    """how long it is, in per cent"""
    words: str
    """the same in words"""


@dataclass(frozen=True, slots=True)
class CloseUpLabel:
    """The order of a block on the close-up."""

    x: float
    """the middle of the block in per cent"""
    state: str
    """the state of its frames"""
    text: str
    """the order"""


@dataclass(frozen=True, slots=True)
class CloseUp:
    """The frames of a block of the largest order, one unit each."""

    first: int
    """its first frame"""
    last: int
    """its last frame"""
    looks: Sequence[tuple[str, str]]
    """the class of a colour with the path of all blocks that have it"""
    edges: str
    """the borders of all blocks as a path"""
    changed: str
    """the borders of the blocks that the shown call changed"""
    labels: Sequence[CloseUpLabel]
    """the orders of the blocks that have room for it"""
    words: str
    """the same in words"""


@dataclass(frozen=True, slots=True)
class MapView:
    """A window of a zone's frames, as a drawing and as a table."""

    zone: str
    """the zone's name"""
    node: int
    """the zone's node"""
    start: int
    """first frame of the zone in the window"""
    end: int
    """last frame of the zone in the window"""
    first: int
    """first frame of the first cell, which may lie before the zone"""
    shift: int
    """each cell stands for 2^shift frames"""
    cells: int
    """how many cells there are"""
    columns: int
    """cells in a row"""
    width: int
    """width of the drawing"""
    height: int
    """height of the drawing"""
    scale: str
    """how many frames one cell stands for, in words"""
    cell_text: str
    """the same with how much memory that is"""
    tiles: Sequence[Tile]
    """the drawing, tile by tile; empty where `shapes` is used"""
    shapes: Sequence[MapShape]
    """the drawing of very many tiles, one path a state"""
    edges: Sequence[tuple[bool, str]]
    """the borders of blocks of several cells as paths; True for those that are drawn strong"""
    guesses: Sequence[tuple[int, int, int, int]]
    """what was predicted, row by row, as boxes: left, top, width, height"""
    guessed: str
    """the same as frames, for a script: first frame and number of frames of each run"""
    outlines: Sequence[tuple[int, int, int, int]]
    """x, y, width and height of what the last call changed"""
    rows: Sequence[MapRow]
    """the table"""
    hidden_rows: int
    """how many rows of the table are left out"""
    zones: Sequence[Link]
    """links to the zones of the machine"""
    zoom_out: Link
    """link to larger cells"""
    zoom_in: Link
    """link to smaller cells"""
    earlier: Link
    """link to the window before"""
    later: Link
    """link to the window after"""
    whole: Link
    """link to the whole zone"""
    selected: int | None
    """the frame in the inspector"""
    max_shift: int
    """the shift at which the whole zone fits"""
    zoomed: int
    """how far the map is zoomed in from there"""
    zone_first: int
    """first frame of the zone"""
    zone_end: int
    """first frame after the zone"""
