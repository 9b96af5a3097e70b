"""What the wall of a lab is given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page, TablePart
from app.web.contexts.framemap import LegendEntry, PatternView


@dataclass(frozen=True, slots=True)
class WallShape:
    """All cells of one state as one path, in units of the picture."""

    state: str
    """the frame state, or `used` for what is in use of free cells"""
    path: str
    """the outline of the cells"""


@dataclass(frozen=True, slots=True)
class WallTile:
    """A member, in words and figures."""

    number: int
    """the member's number"""
    nickname: str
    """the member's nickname"""
    href: str | None = None
    """the member's machine, or a shared one; None before there is any"""
    shapes: Sequence[WallShape] = ()
    """the picture of the machine"""
    words: str = ""
    """what the picture shows"""
    seq: int = 0
    """the last row"""
    call: str = ""
    """the last call as text"""
    verdict: str = ""
    """the verdict of the last call, or `woken`"""
    sentence: str = ""
    """what came of the last call, in words; empty where all is well"""
    time: str = ""
    """when the last call was made, as rows have it"""
    clock: str = ""
    """the same as a time of day, UTC"""
    reached: int = 0
    """how many checkpoints the member has reached"""
    progress: str = ""
    """the same in figures, with how many there are: `✓2 ·1/4` is two done, one said or caught up"""
    ways: str = ""
    """how many of them were done, said and caught up, in words"""
    locked: bool = False
    """True where the machine is locked"""
    trouble: bool = False
    """True where the last call went wrong"""


@dataclass(frozen=True, slots=True)
class WallMark:
    """A checkpoint as a bar."""

    id: str
    """the checkpoint's id"""
    title: str
    """the checkpoint's title"""
    reached: int
    """how many members have reached it"""
    said: str
    """the same in words"""
    ways: str
    """how many of them have done it, say so, and have caught up, in words"""


@dataclass(frozen=True, slots=True)
class WallPage(Page):
    """lab/wall.html: a class at a glance, as tiles or as a table."""

    TEMPLATE: ClassVar[str] = "lab/wall.html"
    lab: str
    """the lab's id"""
    version: str
    """the version from which the page follows; empty for a page with only a part of the tiles"""
    api: str
    """where the page follows"""
    members: int
    """how many members there are"""
    waiting: int
    """how many wait to be admitted"""
    waiting_said: str
    """the same in words, with the names of the last of them"""
    active: int
    """how many have called in the last minute"""
    troubled: int
    """how many are in trouble"""
    frozen: bool
    """True where the lab is frozen"""
    closed: bool
    """True where the lab is closed"""
    view: Link | None
    """link to what is presented"""
    marks: Sequence[WallMark]
    """the checkpoints"""
    sorts: Sequence[tuple[str, Link]]
    """name and link of each order; the present one leads to its reverse"""
    sort: str
    """the present order"""
    table: bool
    """True where members are rows of a table"""
    other: Link
    """link to the same as a table, or as tiles"""
    here: str
    """the query of the address, which forms carry along"""
    width: int
    """width of a picture"""
    height: int
    """height of a picture"""
    tiles: Sequence[WallTile]
    """the members of this part"""
    blank: WallTile
    """a tile without a member, from which the script makes new ones"""
    legend: Sequence[LegendEntry]
    """every frame state with its letter"""
    seen: Collection[str]
    """the states that pictures of the page have: the legend's others are hidden"""
    patterns: Sequence[PatternView]
    """the pattern of each frame state"""
    states: str
    """names of the frame states in the kernel's order, from which the script decodes pictures"""
    sentences: str
    """what comes of a call, in words, by verdict: JSON for the script"""
    mistakes: str
    """what was wrong with a call, by mistake, with a placeholder for each fact: JSON for the script"""
    frames: str
    """names of the facts that are frame numbers"""
    crowded: bool
    """True where there are so many that tiles must be small"""
    part: TablePart | None
    """which part of the members is shown"""
