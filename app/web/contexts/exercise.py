"""What the pages are given of exercises: the list on the home page, and the panel beside a machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.journal import JournalRow


@dataclass(frozen=True, slots=True)
class ExerciseRow:
    """An exercise in the list."""

    name: str
    """the name in addresses"""
    title: str
    """the title"""
    teaser: str
    """what it is about, in a line"""
    machine: str
    """profile and view of each machine that it may be asked on"""
    tasks: int
    """how many tasks it has"""
    minutes: int
    """about how long it takes"""
    mark: str
    """how far the reader has come with it; empty for not at all"""
    mastered: bool
    """True where it was solved twice in a row without a hint"""


@dataclass(frozen=True, slots=True)
class TaskDot:
    """A task in the row of all tasks."""

    number: int
    """the task's number"""
    title: str
    """what it asks for, and how far one has come with it"""
    href: str
    """the address of the task"""
    current: bool
    """True where the task is shown"""
    state: str
    """`open`, `tried`, `solved` or `shown`"""
    letter: str
    """the same as a sign"""


@dataclass(frozen=True, slots=True)
class OptionView:
    """One thing to choose."""

    value: str
    """as it is sent"""
    text: str
    """as it is shown"""
    words: str
    """what it means; empty where it says that itself"""
    chosen: bool
    """True where it was chosen"""
    mono: bool
    """True where it is a name or code"""


@dataclass(frozen=True, slots=True)
class BoxView:
    """The box of one order."""

    order: int
    """the order"""
    before: int
    """how many blocks it has before"""
    value: str
    """what stands in the box"""
    tone: str
    """`right`, `wrong`, or empty where that is not told"""
    right: int | None
    """how many it has after the calls; None before that is told"""


@dataclass(frozen=True, slots=True)
class MarkView:
    """What is right of an answer."""

    tone: str
    """`right`, `partly` or `wrong`"""
    words: str
    """how right it is"""
    parts: Sequence[tuple[bool, str]]
    """which parts of it are right, and which are not"""
    say: str
    """the sentence of the misconception that it comes from; empty where it is none that is known"""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One thing to answer."""

    id: str
    """the name in the form, and its id"""
    label: str
    """what is asked"""
    form: str
    """the form of the answer"""
    control: str
    """`text`, `radio`, `checks`, `boxes` or `order`"""
    hint: str
    """how it may be written"""
    unit: str
    """what stands behind it"""
    none: str
    """how it is said that there is none; empty where there always is something"""
    none_chosen: bool
    """True where that was said"""
    value: str
    """what stands in the field of a line"""
    options: Sequence[OptionView]
    """what there is to choose from"""
    places: Sequence[str]
    """of an order: what stands in each place"""
    boxes: Sequence[BoxView]
    """a box for each order"""
    zone: str
    """whose free lists they are"""
    points: str
    """what of the page, clicked, fills the field: `frame`, `list`, `zone`, `level`, or empty"""
    fault: str
    """why what was typed is no answer"""
    given: str
    """the answer that was given; empty before one was"""
    mark: MarkView | None
    """what is right of it; None before one was given"""
    right: str
    """what is right; empty before that is told"""


@dataclass(frozen=True, slots=True)
class ConditionView:
    """A condition of a goal."""

    holds: bool
    """True where it holds"""
    words: str
    """what is the matter where it does not"""
    points: int
    """what it is worth"""
    bonus: bool
    """True where it is worth something beyond the goal"""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """Something that was submitted."""

    number: int
    """which attempt it was"""
    given: str
    """the answers"""
    share: str
    """how much of it was right"""
    tone: str
    """`right`, `partly` or `wrong`"""
    score: str
    """what it has earned"""
    when: str
    """when it came"""
    late: bool
    """True where it was late"""


@dataclass(frozen=True, slots=True)
class GradedView:
    """What a task is beyond practice: one of a sheet."""

    sheet: Link
    """link to the sheet"""
    points: str
    """what the task has earned, of what it is worth"""
    left: str
    """how many attempts are left, and what the next one is worth"""
    due: str
    """when it is due; empty where it never is"""
    closed: str
    """why nothing is taken any more; empty where answers are"""
    attempts: Sequence[AttemptView]
    """what was submitted, the last one first"""
    costs: bool
    """True where showing what is right gives up attempts"""
    hidden: str
    """why what is right is not said yet; empty where it is, or nothing was tried"""
    sealed: bool
    """True where nothing else may be used meanwhile"""
    another: str
    """where the form is sent that gives another variant; empty where there is none"""


@dataclass(frozen=True, slots=True)
class ExercisePanel:
    """One task of an exercise, beside the machine about which it asks."""

    name: str
    """the exercise's name in addresses"""
    title: str
    """the exercise's title"""
    variant: int
    """the number of the variant"""
    number: int
    """the task's number"""
    total: int
    """how many tasks there are"""
    dots: Sequence[TaskDot]
    """the row of all tasks"""
    kind: str
    """`goal`, `predict`, `explain`, `debug` or `ask`"""
    heading: str
    """what one does in it"""
    ask: str
    """the question"""
    calls: str
    """the calls about which is asked, one a line"""
    numbered: bool
    """True where the lines of the calls are what is chosen from"""
    allow: Sequence[str]
    """what may be called; empty for everything"""
    calls_at_most: int | None
    """how many calls may be made"""
    rows: int
    """how many rows have been made since the task began"""
    fields: Sequence[FieldView]
    """what is to be answered"""
    conditions: Sequence[ConditionView]
    """the conditions of a goal, where it was checked"""
    refused: str
    """why a goal could not be checked"""
    action: str
    """where the forms are sent: this, and what is to be done"""
    view: str
    """the query of the address, which the forms carry along"""
    state: str
    """`open`, `tried`, `solved` or `shown`"""
    verdict: str
    """the same in a sentence; empty before anything was tried"""
    tries: int
    """how many answers were given, or checks asked for"""
    acted: bool
    """True where the calls have been made"""
    acts: bool
    """True where showing what is right makes calls"""
    away: Link | None
    """link to the machine as the task asks about it, where it has gone on since"""
    first_left: Link | None
    """link to the earliest task before it that has to be done first"""
    hints: Sequence[str]
    """the hints that were taken"""
    hints_left: int
    """how many are left"""
    hint_price: str
    """what the next one costs; empty where it costs nothing"""
    results: Sequence[tuple[str, JournalRow]]
    """each call with its row of the journal, where it has been made"""
    explain: Link | None
    """link to the explanation of what decided"""
    after: str
    """what is said when all is told"""
    earlier: Link
    """link to the task before"""
    later: Link
    """link to the task after"""
    again: str
    """where the form is sent that makes another variant"""
    mark: str
    """how far the reader has come with the exercise; empty for not at all"""
    focus: str
    """the part of the page that the task is about: `panels` or `map-picture`"""
    leave: str
    """the address without the exercise"""
    refusal: ShownRefusal | None
    """why something was not done"""
    graded: GradedView | None = None
    """what it is of a sheet; None in practice"""
