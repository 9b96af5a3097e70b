"""What the page that compares page replacement policies is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Fact, Link, Page, ShownRefusal, TablePart


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy that can be compared."""

    name: str
    """the name in the API"""
    title: str
    """the name for people"""
    chosen: bool
    """whether the curve has it"""
    stepped: bool
    """whether the table of steps is of it"""


@dataclass(frozen=True, slots=True)
class CurveLine:
    """The faults of a policy by the number of frames."""

    name: str
    """the policy’s name in the API, by which it has its stroke"""
    title: str
    """its name for people"""
    path: str
    """the line, in a drawing of 600 × 100"""
    marks: str
    """dots where there are more faults than with fewer frames"""


@dataclass(frozen=True, slots=True)
class CurveCell:
    """The faults of a policy with one number of frames."""

    faults: str
    """how many"""
    anomaly: bool
    """whether they are more than with fewer frames"""
    fewest: bool
    """whether no policy has fewer"""


@dataclass(frozen=True, slots=True)
class CurveRow:
    """One number of frames."""

    frames: str
    """how many"""
    steps: str | None
    """the address of the page with steps of so many frames; None where it has none"""
    cells: Sequence[CurveCell]
    """a cell for each policy"""


@dataclass(frozen=True, slots=True)
class Curve:
    """Faults by numbers of frames."""

    lines: Sequence[CurveLine]
    """a line for each policy"""
    rows: Sequence[CurveRow]
    """the same as a table"""
    top: str
    """the greatest number of faults"""
    ticks: Sequence[str]
    """what stands along the axis at equal distances: numbers of frames, or nothing"""
    words: str
    """what the picture shows"""
    cut: str
    """why it ends before all pages have a frame; empty where it does not"""
    anomalies: Sequence[str]
    """Belady’s anomaly, where it is"""


@dataclass(frozen=True, slots=True)
class FrameCell:
    """What is in a frame after a reference."""

    page: str
    """the page; empty where there is none"""
    note: str
    """what the policy has noted of it"""
    touched: bool
    """whether the reference was to it"""
    hand: bool
    """whether the clock’s hand points here"""


@dataclass(frozen=True, slots=True)
class StepRow:
    """One reference."""

    at: str
    """its number"""
    page: str
    """the page, and W where it was written"""
    fault: bool
    """whether the page was in no frame"""
    frames: Sequence[FrameCell]
    """what is in the frames then; empty where there are too many of them"""
    victim: str
    """the page that went; empty where none did"""
    why: str
    """what decided"""
    machine: str
    """what the session’s machine did: F or H; empty where that is not known"""


@dataclass(frozen=True, slots=True)
class Steps:
    """The references one by one."""

    title: str
    """which policy with how many frames"""
    summary: str
    """faults, replacements and pages that were written"""
    marks: str
    """F and H of all references; empty where there are too many"""
    columns: Sequence[str]
    """titles of the frames"""
    wide: bool
    """whether the reason stands before the frames, which need all the room"""
    notes: str
    """what the small letters beside a page mean; empty where there are none"""
    rows: Sequence[StepRow]
    """the references"""
    part: TablePart | None
    """which of them, with links to the others; None where these are all"""
    policies: Sequence[Link]
    """links to the same steps of the other policies; empty where the string fits into no address"""
    machine: bool
    """whether there is a column of what the machine did"""


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """Somebody else’s steps beside ours."""

    agrees: bool
    """whether nothing differs"""
    verdict: str
    """in one sentence where they part"""
    theirs: str
    """what they say there"""
    ours: str
    """what we say there, with what decided"""
    explanations: Sequence[str]
    """conventions that would make their steps"""
    rest: str
    """what else there is to say: lines that were no step, or that nothing explains it"""


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of a comparison."""

    facts: Sequence[Fact]
    """how long the string is, and what of it was dropped"""
    machine: str
    """what the session’s machine really did; empty where there is none"""
    curve: Curve
    """faults by numbers of frames"""
    steps: Steps
    """the references one by one"""
    opinion: SecondOpinion | None
    """the second opinion; None where nobody has asked"""
    asks: bool
    """whether one can be asked for"""
    carried: Sequence[tuple[str, str]]
    """the fields that a form for it has to send along"""
    api: str
    """the same as a request to the API, as a terminal accepts it"""


@dataclass(frozen=True, slots=True)
class ReplacementPage(Page):
    """replacement.html: a reference string, and what page replacement policies make of it."""

    TEMPLATE: ClassVar[str] = "replacement.html"
    source: str
    """where the string comes from: `list`, `session` or `trace`"""
    typed: dict[str, str]
    """what stands in the fields"""
    policies: Sequence[PolicyChoice]
    """the policies"""
    sessions: Sequence[tuple[str, str]]
    """the person’s sessions: id and name"""
    tasks: Sequence[Link]
    """the processes of the chosen session"""
    back: Link | None
    """to the machine of the chosen session"""
    examples: Sequence[Link]
    """strings to begin with"""
    refusal: ShownRefusal | None
    """why nothing was compared"""
    compared: Compared | None
    """what came of it; None where nothing was asked, or it was refused"""
    limit: str
    """how large a trace may be"""
    conventions: Sequence[Fact]
    """what textbooks leave open, as it is decided here"""
