"""What the pages of a sheet's results are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Fact, Link, Page, ShownRefusal, TablePart


@dataclass(frozen=True, slots=True)
class SortHead:
    """The head of a column, which leads to the order by it."""

    text: str
    """what stands above the column"""
    href: str
    """the address of the order by it; of the present order, of its reverse"""
    order: str = ""
    """`ascending` or `descending` where the table is in the order of this column"""
    hint: str = ""
    """the tooltip"""


@dataclass(frozen=True, slots=True)
class ResultCell:
    """What a member has done in a task."""

    state: str
    """`first`, `right`, `part`, `wrong`, `missed`, `shown`, `open` or `none`"""
    letter: str
    """the same as a letter"""
    number: str
    """the number that is chosen to be shown; empty for a task without an answer"""
    late: bool
    """True where the answer that counts came late"""
    words: str
    """all of it in words"""
    href: str | None
    """the address of their attempts; None where there are none"""


@dataclass(frozen=True, slots=True)
class ResultLine:
    """A member as a row of the matrix."""

    number: int
    """the member's number"""
    nickname: str
    """the member's nickname"""
    total: str
    """the points of the whole sheet"""
    cells: Sequence[ResultCell]
    """their tasks in the order of the columns"""
    due: str
    """their own due time; empty without an extension"""


@dataclass(frozen=True, slots=True)
class StateKey:
    """A state of cells in the legend."""

    state: str
    """the state"""
    letter: str
    """its letter"""
    words: str
    """what it means"""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task in the list of tasks."""

    label: str
    """as the matrix names it"""
    title: str
    """the exercise's title, and what kind of task it is"""
    href: str
    """the address of the task's page"""
    points: str
    """what it is worth"""
    tried: str
    """how many have tried it"""
    first: str
    """how many of them were right at once"""
    right: str
    """how many of them were right in the end"""
    attempts: str
    """the median of attempts"""
    minutes: str
    """the median of minutes until it was right"""


@dataclass(frozen=True, slots=True)
class StuckRow:
    """A member who may need help."""

    number: int
    """the member's number"""
    nickname: str
    """the member's nickname"""
    task: Link
    """link to what they have done in the task"""
    why: str
    """why they may need help"""
    since: str
    """when they have done something last"""


@dataclass(frozen=True, slots=True)
class ResultsPage(Page):
    """lab/results.html: what came of a sheet, members by tasks."""

    TEMPLATE: ClassVar[str] = "lab/results.html"
    lab: Link
    """link to the lab"""
    sheet: Link
    """link to the sheet"""
    api: str
    """the sheet's address in the API"""
    opened: bool
    """True where the sheet has opened"""
    live: bool
    """True where answers may still come"""
    members: int
    """how many members there are"""
    worked: str
    """how many have begun, and the mean of their points, in words"""
    shows: Sequence[Link]
    """which number cells show"""
    heads: Sequence[SortHead]
    """heads of number, nickname and total"""
    columns: Sequence[SortHead]
    """heads of the tasks"""
    lines: Sequence[ResultLine]
    """the members of this part"""
    part: TablePart | None
    """which part of the members is shown"""
    legend: Sequence[StateKey]
    """what letters mean"""
    tasks: Sequence[TaskRow]
    """the tasks"""
    stuck: Sequence[StuckRow]
    """who may need help"""
    misconceptions: str
    """the address of the class's misconceptions"""


@dataclass(frozen=True, slots=True)
class TryRow:
    """One answer of a member."""

    number: int
    """which attempt it was"""
    time: str
    """when it came"""
    answer: str
    """what was answered"""
    right: bool
    """True where all of it was right"""
    share: str
    """how much of it was right"""
    points: str
    """what it has earned"""
    before: Sequence[str]
    """what it had earned before it was marked again"""
    misconception: str
    """what may stand behind it"""
    said: Sequence[str]
    """what the member was told"""
    facts: str
    """late, hints, time taken, in words"""
    evidence: Link | None
    """link to the machine and its journal when the answer came"""


@dataclass(frozen=True, slots=True)
class AttemptPage(Page):
    """lab/result_attempt.html: what a member has done in a task, with the evidence."""

    TEMPLATE: ClassVar[str] = "lab/result_attempt.html"
    lab: Link
    """link to the lab"""
    results: Link
    """link to the results of the sheet"""
    task: Link
    """link to the task over all members"""
    who: str
    """the member's number and nickname"""
    state: StateKey
    """how far they are"""
    ask: str
    """the question, with their values"""
    calls: Sequence[str]
    """the calls about which is asked"""
    prelude: Sequence[str]
    """the calls made before"""
    facts: Sequence[Fact]
    """points, values, times"""
    right: Sequence[Fact]
    """what is right"""
    tries: Sequence[TryRow]
    """their answers"""
    reveal: Sequence[Link]
    """links to the rows that have answered, and why"""
    machine: Link | None
    """link to their machine"""
    variant: str
    """the address of the exercise beside that machine"""
    resets: bool
    """True where they can be given another variant instead"""
    variants: Sequence[Link]
    """links to all variants of the exercise that they have opened, where these are several"""


@dataclass(frozen=True, slots=True)
class AnswerBar:
    """An answer in the histogram, in units of the drawing."""

    text: str
    """the answer, short"""
    whole: str
    """the answer"""
    count: str
    """how often it was given"""
    right: str
    """how often it was right"""
    misconception: str
    """what may stand behind it"""
    y: float
    """the top of its row"""
    baseline: float
    """of its texts"""
    length: float
    """the length of the bar"""
    good: float
    """the part of it that was right"""
    end: float
    """where the number stands"""


@dataclass(frozen=True, slots=True)
class ValueRow:
    """Members whose variants have a value."""

    name: str
    """the name of the value"""
    value: str
    """the value"""
    tried: str
    """how many have tried it"""
    first: str
    """how many of them were right at once"""
    right: str
    """how many of them were right in the end"""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One answer of somebody."""

    time: str
    """when it came"""
    who: Link
    """link to the member's attempts"""
    number: int
    """which attempt it was"""
    answer: str
    """what was answered"""
    share: str
    """how much of it was right"""
    misconception: str
    """what may stand behind it"""


@dataclass(frozen=True, slots=True)
class TaskPage(Page):
    """lab/result_task.html: a task over all members."""

    TEMPLATE: ClassVar[str] = "lab/result_task.html"
    lab: Link
    """link to the lab"""
    results: Link
    """link to the results of the sheet"""
    kind: str
    """the kind of task"""
    ask: str
    """the question as the file has it, names in the place of values"""
    facts: Sequence[Fact]
    """figures"""
    height: float
    """the height of the drawing"""
    words: str
    """what the drawing shows"""
    bars: Sequence[AnswerBar]
    """the answers, the most frequent first"""
    counted: bool
    """True where answers are counted: a goal has none"""
    values: Sequence[ValueRow]
    """members by the values they have"""
    raw: Sequence[RawRow]
    """the answers of this part"""
    part: TablePart | None
    """which part of the answers is shown"""
    polls: str
    """where the class is asked; empty where it cannot be asked this"""
    asked: str
    """the task as that form names it"""
    others: Sequence[Link]
    """links to the other tasks"""


@dataclass(frozen=True, slots=True)
class MisconceptionRow:
    """A misconception of the class."""

    name: str
    """its name"""
    sentence: str
    """what is to be said about it"""
    members: str
    """how many members have had it"""
    times: str
    """how many answers it is behind"""
    gone: str
    """how many of the members were right in the end"""
    share: int
    """the members as thousandths of the class"""
    exercises: Sequence[str]
    """titles of exercises in which it was seen"""
    tasks: Sequence[tuple[str, str]]
    """tasks with it among their choices that the class can be asked: name for the form, words"""


@dataclass(frozen=True, slots=True)
class MisconceptionsPage(Page):
    """lab/misconceptions.html: what a class misunderstands, over all its sheets."""

    TEMPLATE: ClassVar[str] = "lab/misconceptions.html"
    lab: Link
    """link to the lab"""
    polls: str
    """where the class is asked"""
    rows: Sequence[MisconceptionRow]
    """the most frequent first"""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """An answer that is worth something else."""

    who: str
    """the member's number and nickname"""
    task: str
    """the exercise and the task"""
    attempt: int
    """which attempt it was"""
    before: str
    """its points before"""
    after: str
    """its points by the file of today"""


@dataclass(frozen=True, slots=True)
class RegradePage(Page):
    """lab/regrade.html: a sheet is marked again."""

    TEMPLATE: ClassVar[str] = "lab/regrade.html"
    lab: Link
    """link to the lab"""
    results: Link
    """link to the results of the sheet"""
    action: str
    """where the form is sent"""
    compared: str
    """how many answers would change, or have changed; empty before it was compared"""
    applied: bool
    """True where the new scores were taken"""
    may: bool
    """True where there is something to take"""
    edited: Sequence[str]
    """exercises whose files are other ones than the sheet has"""
    rows: Sequence[ChangeRow]
    """what changes"""
    more: int
    """how many more there are"""
    unmarked: Sequence[str]
    """what could not be marked again"""
    refusal: ShownRefusal | None = None
    """why nothing was marked"""


@dataclass(frozen=True, slots=True)
class OwnTask:
    """A task with what the member has done in it."""

    label: str
    """as tables name it"""
    title: str
    """the exercise's title, and what kind of task it is"""
    state: StateKey
    """how far they are"""
    points: str
    """what they have earned of what it is worth"""
    tries: Sequence[TryRow]
    """their answers"""
    href: str | None
    """the address of their variant; None before they have opened it"""


@dataclass(frozen=True, slots=True)
class OwnResultsPage(Page):
    """lab/own_results.html: what a member has earned on a sheet."""

    TEMPLATE: ClassVar[str] = "lab/own_results.html"
    lab: Link
    """link to the lab"""
    sheet: Link
    """link to the sheet"""
    total: str
    """what they have earned of what the sheet is worth"""
    file: str
    """the address of the same as a file"""
    tasks: Sequence[OwnTask]
    """the tasks"""
