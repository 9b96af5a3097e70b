"""What the pages are given of guided demos: the list on the home page, and the panel beside a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.exercise import FieldView
from app.web.contexts.journal import JournalRow


@dataclass(frozen=True, slots=True)
class DemoRow:
    """A demo in the list."""

    name: str
    """the name in addresses"""
    title: str
    """the title"""
    teaser: str
    """what it shows, in a line"""
    machine: str
    """profile and view of each of its machines"""
    steps: int
    """how many steps it has"""


@dataclass(frozen=True, slots=True)
class StepDot:
    """A step in the row of all steps."""

    number: int
    """the step's number"""
    title: str
    """the step's title"""
    href: str | None
    """the address of the step"""
    current: bool
    """True where the step is shown"""
    done: bool
    """True where it has been run"""


@dataclass(frozen=True, slots=True)
class DemoPanel:
    """One step of a demo, beside the machine on which it is run."""

    name: str
    """the demo's name in addresses"""
    title: str
    """the demo's title"""
    number: int
    """the step's number"""
    total: int
    """how many steps there are"""
    dots: Sequence[StepDot]
    """the row of all steps"""
    heading: str
    """the step's title, or a question where it would tell what is to be predicted"""
    asks: bool
    """True where the reader is asked before a step is run"""
    offers: bool
    """True where the demo has something to ask"""
    ask: str
    """where the form of that switch is sent"""
    waits: bool
    """True where something is to be predicted first, and what the step tells is not shown yet"""
    questions: Sequence[FieldView]
    """what is to be predicted, or was, with what the machine did"""
    missed: bool
    """True where predictions cannot be compared with what the machine did"""
    score: str
    """how many predictions were right; empty where none were made"""
    happens: str
    """what happens"""
    why: str
    """why it happens"""
    notice: str
    """what to look at"""
    you: str
    """what to try"""
    calls: str
    """the step's calls, one a line"""
    curl: str
    """the same for a terminal"""
    action: str
    """where the form that runs the step is sent"""
    view: str
    """the query of the address, which the form carries along"""
    ready: bool
    """True where the step can be run now"""
    by_one: bool
    """True where more than one call is left, so that the next can be made alone"""
    begun: bool
    """True where some of its calls have been made"""
    worst: str
    """the worst verdict of the step's calls; empty where all went well, or there is one"""
    first_left: Link | None
    """link to the earliest step before it that has not been run"""
    results: Sequence[tuple[str, JournalRow]]
    """each call with its row of the journal, where it has been run"""
    look: Link | None
    """link to what the step points at"""
    focus: str
    """the part of the page that the step is about: a place of `ANCHORS`, or `panels`"""
    earlier: Link
    """link to the step before"""
    later: Link
    """link to the step after"""
    next_machine: str
    """the machine of the next step, where it is another"""
    next_part: int
    """the part of the demo that the next step is in"""
    other_machine: str
    """the machine that this step needs, where it is not this session's"""
    part: int
    """the part of the demo that this step is in"""
    start_part: int
    """the part of the demo that this session is made for"""
    leave: str
    """the address without the demo"""
    refusal: ShownRefusal | None
    """why running the step was refused"""
