"""What the drawings of the panels are given; as in contexts.py nothing is left to compute.

Lengths are in the units of the drawing's viewBox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts import Link


@dataclass(frozen=True, slots=True)
class ProcPanel:
    """One file of /proc. files: which there are. curl: the line that reads it.

    cut: how much of it is shown, empty where it is all; whole: the way to all of it then.
    """

    files: Sequence[Link]
    path: str
    text: str
    curl: str
    cut: str
    whole: Link | None


@dataclass(frozen=True, slots=True)
class ObjectCell:
    """One object of a slab. letter: A allocated, K the kernel's own; a free one has its turn instead.

    words: what it is, for the tooltip and for who cannot see the drawing. href: shows it in the inspector.
    """

    index: int
    kind: str
    text: str
    words: str
    href: str


@dataclass(frozen=True, slots=True)
class SlabView:
    """One slab.

    frame: its first page frame. place: on which list it is. allocated: objects that somebody has; inuse: what
    SLUB's own count adds to them. waste: what is left at its end.
    """

    frame: Link
    address: str
    place: str
    allocated: int
    inuse: str
    objects: Sequence[ObjectCell]
    waste: str


@dataclass(frozen=True, slots=True)
class SlabGrid:
    """One cache's slabs. facts: its layout in a line. earlier, later: where there are more slabs."""

    cache: str
    facts: str
    slabs: Sequence[SlabView]
    total: int
    earlier: Link
    later: Link
    close: Link
    empty: str


@dataclass(frozen=True, slots=True)
class AreaBox:
    """An area on the strip: its mapped part, and the guard page at its end where there is one."""

    x: float
    width: float
    middle: float
    guard: float
    guard_x: float
    label: str
    words: str
    href: str
    current: bool
    lazy: bool


@dataclass(frozen=True, slots=True)
class Gap:
    """Addresses between two areas, drawn short and labelled with their size."""

    x: float
    width: float
    middle: float
    label: str


@dataclass(frozen=True, slots=True)
class Arc:
    """From a run of an area's pages to its frames: top and bottom of a band, as the points of a path."""

    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A zone's place on the line of frames."""

    x: float
    width: float
    label: str


@dataclass(frozen=True, slots=True)
class VmallocStrip:
    """The vmalloc space above, the page frames below, and between them where an area's pages are.

    first, last: the ends of the line of frames, empty where no area's are shown. hidden: how many areas there
    are beside those that are drawn.
    """

    boxes: Sequence[AreaBox]
    gaps: Sequence[Gap]
    arcs: Sequence[Arc]
    zones: Sequence[Tick]
    first: str
    last: str
    title: str
    caption: str
    hidden: int


@dataclass(frozen=True, slots=True)
class Waiter:
    """A task in a page's queue. wants: the function in which it sleeps."""

    name: str
    wants: str
    since: Link


@dataclass(frozen=True, slots=True)
class PageQueue:
    """A locked page: who has the lock, and who waits for it, the longest waiting first.

    more: how many wait beside those.
    """

    page: Link
    holder: str
    waiters: Sequence[Waiter]
    more: int = 0


@dataclass(frozen=True, slots=True)
class CircleNode:
    """A task of a deadlock, its name as far as there is room, and the page it waits for, before the next."""

    name: str
    x: float
    y: float
    page: str
    page_x: float
    page_y: float
    page_href: str
    arrow: str


@dataclass(frozen=True, slots=True)
class Circle:
    """Tasks of which each waits for what the next has locked. words: the same as a sentence."""

    nodes: Sequence[CircleNode]
    words: str


@dataclass(frozen=True, slots=True)
class Queues:
    """Locked pages with their queues, and the deadlocks among them."""

    pages: Sequence[PageQueue]
    circles: Sequence[Circle]
