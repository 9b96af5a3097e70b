"""What lab/wall.html is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts import LegendEntry, Link, Page, TablePart


@dataclass(frozen=True, slots=True)
class WallShape:
    """All cells of one state as one path, in units of the picture."""

    state: str
    path: str


@dataclass(frozen=True, slots=True)
class WallTile:
    """A member, in words and figures.

    href: their machine, or a shared one; None before they have any. words: what the picture shows. verdict:
    of the last call, or `woken`. time: of that call, as rows have it; clock: as it is read, UTC. progress:
    checkpoints, and of how many.
    """

    number: int
    nickname: str
    href: str | None = None
    shapes: Sequence[WallShape] = ()
    words: str = ""
    seq: int = 0
    call: str = ""
    verdict: str = ""
    time: str = ""
    clock: str = ""
    reached: int = 0
    progress: str = ""
    locked: bool = False
    trouble: bool = False


@dataclass(frozen=True, slots=True)
class WallMark:
    """A checkpoint as a bar. said: its number, in words."""

    id: str
    title: str
    reached: int
    said: str


@dataclass(frozen=True, slots=True)
class WallPage(Page):
    """lab/wall.html: a class at a glance, as tiles or as a table.

    waiting: how many wait to be admitted, and waiting_said: with the names of the last of them. version,
    api: with which the page follows; a page that has only a part of the tiles has no version, so that it asks
    for all. part: which those are. view: where the presenter is. sorts: every order, the present one turned
    round. other: the same as a table, or as tiles. here: the address's query, which forms carry along. blank:
    a tile of nobody, of which new ones are made. crowded: so many that tiles must be small.
    """

    TEMPLATE: ClassVar[str] = "lab/wall.html"
    lab: str
    version: str
    api: str
    members: int
    members_said: str
    waiting: int
    waiting_said: str
    active: int
    troubled: int
    frozen: bool
    closed: bool
    view: Link | None
    marks: Sequence[WallMark]
    sorts: Sequence[tuple[str, Link]]
    sort: str
    table: bool
    other: Link
    here: str
    width: int
    height: int
    tiles: Sequence[WallTile]
    blank: WallTile
    legend: Sequence[LegendEntry]
    crowded: bool
    part: TablePart | None
