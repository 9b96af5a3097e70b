"""What the view of processes is given: processes, the areas and pages of one, and the walk of one address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Fact, Link


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process in the list."""

    name: str
    """the task's name"""
    pid: int
    """its pid"""
    href: str
    """the page with this process chosen"""
    current: bool
    """True for the process that is shown"""
    parent: str
    """its parent's pid"""
    resident: int
    """pages that are resident"""
    minor: int
    """minor faults"""
    major: int
    """major faults"""
    compare: str | None
    """the page with this process beside the one that is shown; None for that one itself"""
    compared: bool
    """True where it stands beside the one that is shown"""


@dataclass(frozen=True, slots=True)
class ProcessCall:
    """A button that makes a call as the process that is shown."""

    call: str
    """the name of the call"""
    label: str
    """what the button says"""
    task: str
    """the process that calls"""
    fields: Sequence[tuple[str, str]]
    """names and values of the arguments"""


@dataclass(frozen=True, slots=True)
class AreaBlock:
    """An area on the strip of the address space."""

    name: str
    """what it is, in a word"""
    rights: str
    """rwxp"""
    pages: int
    """how many pages it spans"""
    size: str
    """the same in bytes"""
    start: str
    """its first address"""
    end: str
    """the first address behind it"""
    href: str
    """the page with its first page chosen"""
    current: bool
    """True for the area that is unrolled"""
    kind: str
    """`anon`, `file` or `special`: a class of the style sheet"""
    width: int
    """how wide it is drawn, from 0 to 5"""
    gap: str
    """how much nothing lies before it; empty for none"""
    hint: str
    """range, rights and file"""


@dataclass(frozen=True, slots=True)
class Strip:
    """The areas around an address."""

    blocks: Sequence[AreaBlock]
    """the areas"""
    total: int
    """how many there are in all"""
    earlier: Link | None
    """to the areas before; None where there are none"""
    later: Link | None
    """to the areas behind"""


@dataclass(frozen=True, slots=True)
class PageCell:
    """One page of an area, or several in one cell."""

    href: str
    """the page with the walk of its first address"""
    state: str
    """the state of the frame; `none` where nothing is present"""
    words: str
    """address and what is there, for the tooltip and for screen readers"""
    current: bool
    """True where the address of the walk is"""
    protected: bool = False
    """True where the first write copies the page"""
    changed: bool = False
    """True where the shown call changed the entry"""
    part: int = 0
    """of how many tenths of the cell pages are present; 0 for a cell of one page"""


@dataclass(frozen=True, slots=True)
class PageRow:
    """Cells of an area."""

    title: str
    """what one cell stands for"""
    start: str
    """the first address"""
    cells: Sequence[PageCell]
    """the cells"""
    earlier: Link | None
    """the cells before"""
    later: Link | None
    """the cells behind"""


@dataclass(frozen=True, slots=True)
class AreaPages:
    """The area that is unrolled."""

    name: str
    """what it is"""
    range: str
    """its addresses"""
    rights: str
    """rwxp"""
    facts: Sequence[Fact]
    """pages, how many are present, file and offset"""
    whole: PageRow | None
    """the whole area in cells of several pages; None where it is shown page by page"""
    single: PageRow
    """pages around the address, one by one"""
    key: Sequence[PageCell]
    """one cell of each kind that is shown, with what it means"""
    rows: Sequence[PageTwin]
    """the same pages as a table"""


@dataclass(frozen=True, slots=True)
class PageTwin:
    """A page of the area as a row of the table."""

    address: str
    """its address"""
    href: str
    """the walk of it"""
    what: str
    """what is there"""
    frame: Link | None
    """the frame"""
    share: str
    """its part of the frame: 1/n"""
    flags: str
    """the flags of the entry"""


@dataclass(frozen=True, slots=True)
class WalkLevel:
    """One table on the way to a page."""

    name: str
    """PGD, PUD, PMD or PTE"""
    bits: str
    """the bits of the address that are the index"""
    index: int
    """the index"""
    table: Link
    """the table's frame"""
    entry: str
    """the entry, raw"""
    flags: str
    """the flags of the entry"""
    used: int
    """how many entries of the table are not empty"""
    made: bool
    """True where the shown call made the table"""
    stops: bool
    """True where the entry is empty"""


@dataclass(frozen=True, slots=True)
class Walk:
    """The walk of one address."""

    address: str
    """the address"""
    levels: Sequence[WalkLevel]
    """the tables, from the highest on"""
    offset: str
    """what is left of the address, as bits"""
    offset_words: str
    """the same as a number, and of how many bits"""
    folded: str
    """which levels this architecture has not; empty for none"""
    end: Link | None
    """the frame at the end"""
    end_state: str
    """the state of that frame"""
    end_letter: str
    """its letter"""
    words: str
    """where the walk ends and why, as a sentence"""
    steps: Sequence[Link]
    """the pages before and behind"""
    life: str
    """the address of the page’s life: every row in which something became of it"""


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """One page of two processes."""

    address: str
    """its address"""
    href: str
    """the walk of it"""
    first: PageCell
    """the page of the process that is shown"""
    second: PageCell
    """the same address in the other"""
    shared: bool
    """True where both have the same frame"""
    words: str
    """the same in words"""
    frames: Sequence[Link]
    """the frames of both; nothing where none is"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two processes at the same addresses."""

    first: str
    """the process that is shown"""
    second: str
    """the other"""
    words: str
    """how many pages they share, and how many have frames of their own"""
    pages: Sequence[ComparedPage]
    """the pages around the address"""
    close: str
    """the page without the other process"""


@dataclass(frozen=True, slots=True)
class Ribbon:
    """All memory as a bar, on which the frame at the end of the walk is lit."""

    x: float | None
    """where the frame is, in per cent; None where there is none"""
    words: str
    """the same in words"""
    frame: Link | None
    """the frame"""
