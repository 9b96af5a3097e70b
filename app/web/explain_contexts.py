"""What explain.html and the drawings of splits, merges and pageblocks are given; nothing is left to compute.

Lengths are in the units of the drawing's viewBox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts import Change, Fact, Link, MapView, Page
from app.web.stage import StageView


@dataclass(frozen=True, slots=True)
class Box:
    """A block of frames in one row of a drawing. kind: what becomes of it, a class of the style sheet."""

    x: float
    width: float
    kind: str


@dataclass(frozen=True, slots=True)
class Level:
    """One row of a drawing: the blocks of one order. label: what is to be said of them; label_y: its line."""

    y: int
    label_y: int
    order: int
    boxes: Sequence[Box]
    label: str


@dataclass(frozen=True, slots=True)
class BlockDrawing:
    """A block being halved, or joined with its buddies. words: the same for who cannot see it."""

    kind: str
    width: int
    height: int
    levels: Sequence[Level]
    words: str
    caption: str


@dataclass(frozen=True, slots=True)
class PageblockDrawing:
    """A pageblock's frames: those that are free, and those in use as the request would use them.

    threshold: where half of the pageblock is.
    """

    free: float
    alike: float
    threshold: float
    claimed: bool
    words: str
    caption: str


@dataclass(frozen=True, slots=True)
class StepRow:
    """One decision of one kernel function.

    href: the page at this step. depth: how far below the call. lecture_fn: the function's older name. losing:
    the part of the text that decided against the request, `before` and `after` what stands around it. tone:
    `ok`, `no` or empty. numbers: everything that entered the decision. changes: the first runs of frames that
    it changed. blocks, pageblock: what it did as a drawing.
    """

    number: int
    href: str
    current: bool
    depth: int
    fn: str
    lecture_fn: str | None
    file: str
    before: str
    losing: str
    after: str
    zone: str
    verdict: str
    tone: str
    numbers: Sequence[Fact]
    changes: Sequence[Change]
    more_changes: int
    blocks: BlockDrawing | None
    pageblock: PageblockDrawing | None


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that follow each other.

    rounds: 0, or how many times more the `length` steps before these were gone through: such are folded,
    unless the step that is shown is one of them.
    """

    rows: Sequence[StepRow]
    length: int = 0
    rounds: int = 0
    unfolded: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """The machine at one step of the call.

    step: 0 before the first one, `total` as the call left it. words: which moment that is. what, fn: the step
    itself. outlined: what on the map is. earlier, later: one step to each side; start, end: before the first
    step and behind the last.
    """

    step: int
    total: int
    words: str
    what: str
    fn: str
    outlined: str
    map: MapView
    start: Link
    earlier: Link
    later: Link
    end: Link


@dataclass(frozen=True, slots=True)
class ExplainPage(Page):
    """explain.html: the decisions of one call, and its tracepoints.

    heading: what the page answers. text, returned, ret_href, answered, headline, reason: the call and its
    answer. back: to the machine. earlier, later: the rows beside it. moment: the machine at the step that the
    address names. listed: which of the `total` steps are; before, behind: to the others. whole:
    to the page with everything, where something is left out. tracepoints: one a line, as the trace file has
    them; tracepoints_listed: which of them. api: where programs read it. stage: presenting, and following, in
    a lab.
    """

    TEMPLATE: ClassVar[str] = "explain.html"
    id: str
    name: str
    seq: int
    heading: str
    text: str
    returned: str
    ret_href: str | None
    answered: str
    headline: str
    reason: str
    back: Link
    earlier: Link
    later: Link
    moment: Moment
    groups: Sequence[Steps]
    listed: str
    total: int
    before: Link
    behind: Link
    whole: Link | None
    tracepoints: str
    tracepoints_listed: str
    tracepoints_total: int
    api: str
    stage: StageView | None
