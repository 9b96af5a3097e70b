"""What an explanation, and the drawings of splits, merges and pageblocks, are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Fact, Link, Page
from app.web.contexts.framemap import MapView, PatternView
from app.web.contexts.journal import CauseView, Change
from app.web.contexts.place import PresentingView


@dataclass(frozen=True, slots=True)
class Box:
    """A block of frames in one row of a drawing."""

    x: float
    """left edge"""
    width: float
    """width"""
    kind: str
    """what becomes of it: a class of the style sheet"""


@dataclass(frozen=True, slots=True)
class Level:
    """One row of a drawing: the blocks of one order."""

    y: int
    """upper edge"""
    label_y: int
    """the label's baseline"""
    order: int
    """the order"""
    boxes: Sequence[Box]
    """the blocks"""
    label: str
    """what happens at this order"""


@dataclass(frozen=True, slots=True)
class BlockDrawing:
    """A block being split, or merged with its buddies."""

    kind: str
    """`split` or `merge`"""
    width: int
    """width of the drawing"""
    height: int
    """height of the drawing"""
    levels: Sequence[Level]
    """one row an order"""
    words: str
    """the same in words, for screen readers"""
    caption: str
    """the line below the drawing"""


@dataclass(frozen=True, slots=True)
class PageblockDrawing:
    """A pageblock's frames: free ones, and those in use as the request would use them."""

    free: float
    """width of the free frames"""
    alike: float
    """width of the frames in use that are alike"""
    threshold: float
    """where half of the pageblock is"""
    claimed: bool
    """True where the whole pageblock changes its type"""
    words: str
    """the same in words, for screen readers"""
    caption: str
    """the line below the drawing"""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One decision of one kernel function."""

    number: int
    """the step's number"""
    href: str
    """the page at this step"""
    current: bool
    """True where this step is shown"""
    depth: int
    """how far below the call the function runs"""
    fn: str
    """the function"""
    lecture_fn: str | None
    """the function's older name"""
    file: str
    """the function's file"""
    before: str
    """the text before `losing`"""
    losing: str
    """the part of the text that decided against the request"""
    after: str
    """the text after `losing`"""
    zone: str
    """the zone or node that the step is about"""
    verdict: str
    """what was decided"""
    tone: str
    """`ok` for the request, `no` against it, or empty"""
    numbers: Sequence[Fact]
    """everything that entered the decision"""
    changes: Sequence[Change]
    """the first runs of frames that the step changed"""
    more_changes: int
    """how many runs are left out"""
    blocks: BlockDrawing | None
    """the split or merge as a drawing"""
    pageblock: PageblockDrawing | None
    """the pageblock as a drawing"""


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps that follow each other."""

    rows: Sequence[StepRow]
    """the steps"""
    length: int = 0
    """how many steps one round of a loop has; 0 for steps that are no repetition"""
    rounds: int = 0
    """how many more rounds of the loop are folded here"""
    unfolded: bool = False
    """True where one of the steps is shown"""
    of: str = ""
    """whose steps are folded: `percpu`, which the lecture has not got, or `allocator`, inside another call"""
    more: Link | None = None
    """link to the first folded step that is not on the page, and how many there are"""


@dataclass(frozen=True, slots=True)
class MomentView:
    """The machine at one step of the call."""

    step: int
    """the step; 0 before the first, `total` as the call left it"""
    total: int
    """how many steps there are"""
    words: str
    """which moment that is"""
    what: str
    """the step's text"""
    fn: str
    """the step's function"""
    outlined: str
    """what is outlined on the map"""
    map: MapView
    """the frame map at that moment"""
    start: Link
    """link to the moment before the first step"""
    earlier: Link
    """link to one step before"""
    later: Link
    """link to one step after"""
    end: Link
    """link to the moment after the last step"""


@dataclass(frozen=True, slots=True)
class ExplainPage(Page):
    """explain.html: the decisions of one call, and its tracepoints."""

    TEMPLATE: ClassVar[str] = "explain.html"
    id: str
    """the session's id"""
    name: str
    """the session's name"""
    heading: str
    """what the page answers"""
    text: str
    """the call as a line"""
    returned: str
    """what it returned, as text"""
    ret_href: str | None
    """the machine page with what it returned in the inspector"""
    answered: str
    """the verdict"""
    headline: str
    """the verdict in words"""
    reason: str
    """why"""
    tone: str
    """the colour: the verdict, or `lost`"""
    cause: CauseView | None
    """the caller's mistake, where the call was one"""
    conclusion: str
    """what the explanation comes to, in a sentence"""
    deciding: StepRow | None
    """the step that decided it"""
    back: Link
    """link to the machine"""
    earlier: Link
    """link to the explanation of the row before"""
    later: Link
    """link to the explanation of the row after"""
    moment: MomentView
    """the machine at the step that the address names"""
    patterns: Sequence[PatternView]
    """the pattern of each frame state"""
    groups: Sequence[Steps]
    """the steps, with repetitions folded"""
    listed: str
    """which of the steps are listed"""
    total: int
    """how many steps there are"""
    before: Link
    """link to the steps before those listed"""
    behind: Link
    """link to the steps after those listed"""
    whole: Link | None
    """link to everything as JSON, where something is left out"""
    tracepoints: str
    """the tracepoints, one a line, as the trace file has them"""
    tracepoints_listed: str
    """which of the tracepoints are listed"""
    tracepoints_total: int
    """how many tracepoints there are"""
    api: str
    """the explanation's address in the API"""
    presenting: PresentingView | None
    """presenting, and following, in a lab"""
