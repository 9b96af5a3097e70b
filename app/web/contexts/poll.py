"""What the pages of polls are given: a phone, the projector, and the instructor's own device."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page, ShownRefusal


@dataclass(frozen=True, slots=True)
class ChoiceView:
    """One answer to choose."""

    letter: str
    """the letter by which it is chosen"""
    text: str
    """the answer"""
    gloss: str
    """what the answer means, where its word does not say it"""
    chosen: bool = False
    """True where it is the vote of the person at the browser"""
    right: bool = False
    """True where it is the right one, and that may be said"""
    why: str = ""
    """why it is wrong, where that may be said"""


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question as everybody sees it."""

    id: str
    """the poll's id"""
    state: str
    """a state of polls, as `vote1`"""
    heading: str
    """the state in words"""
    text: str
    """the question"""
    long: bool
    """True where it takes several lines"""
    calls: Sequence[str]
    """the calls about which is asked; none where the question needs none"""
    numbered: bool
    """True where the answer names lines by their numbers"""
    choices: Sequence[ChoiceView]
    """the answers to choose from; none where one is typed"""
    hint: str
    """how an answer is typed"""
    names: str
    """whether the instructor sees who chose what, in words"""


@dataclass(frozen=True, slots=True)
class OwnVote:
    """What a member has answered in a round."""

    round: int
    """the round"""
    words: str
    """the answer with how sure they are"""
    right: bool
    """True where it was right, and that may be said"""


@dataclass(frozen=True, slots=True)
class VotePage(Page):
    """lab/vote.html: a question on a phone."""

    TEMPLATE: ClassVar[str] = "lab/vote.html"
    lab: Link
    """link to the lab"""
    api: str
    """the lab's address in the API"""
    polls: str
    """the address of the page that waits for a question"""
    question: QuestionView | None
    """the question; None while there is none"""
    round: int | None
    """the round that is open"""
    data: str
    """the same as JSON, for the script"""
    mine: str
    """the member's votes by round, as JSON"""
    words: str
    """what answers, states and questions are called, as JSON"""
    said: str
    """what the member has chosen in the open round, in words"""
    counted: str
    """how many have voted in the open round"""
    typed: str
    """what stands in the field of a typed answer"""
    own: str
    """the member's last answer, to be shown to neighbours"""
    own_letter: str
    """its letter"""
    votes: Sequence[OwnVote]
    """the member's answers, once the right one is known"""
    right: str
    """the right answer, once it is known"""
    why: Sequence[str]
    """why the member's answers were wrong, and what else is said then"""
    past: Sequence[Link] = ()
    """links to earlier questions"""
    refusal: ShownRefusal | None = None
    """why a vote was refused"""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One answer in both rounds, in units of the drawing."""

    letter: str
    """the letter; empty for typed answers"""
    text: str
    """the answer, short"""
    right: bool
    """True for the right one, where it may be marked"""
    y: float
    """the middle of its row"""
    top: float
    """the upper edge of its bars"""
    above: float
    """where the line before its bars begins"""
    below: float
    """where that line ends"""
    first: float
    """the length of the bar of round 1"""
    second: float
    """the length of the bar of round 2"""
    first_end: float
    """where the number of round 1 stands"""
    second_end: float
    """where the number of round 2 stands"""
    first_votes: str
    """the votes of round 1"""
    second_votes: str
    """the votes of round 2; empty while there was none"""


@dataclass(frozen=True, slots=True)
class ChartFlow:
    """Members who moved from one answer to another, or stayed."""

    path: str
    """the line from one bar to the other"""
    width: float
    """its width: by how many they are"""
    kind: str
    """`gained`, `lost`, `moved` or `stayed`"""


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of both rounds, and who moved between them."""

    height: float
    """the height of the drawing; it is 1,000 wide"""
    words: str
    """what the drawing shows, in a sentence"""
    bars: Sequence[ChartBar]
    """one for each answer"""
    flows: Sequence[ChartFlow]
    """one for each pair of answers between which somebody moved"""


@dataclass(frozen=True, slots=True)
class TallyRow:
    """An answer in figures."""

    name: str
    """letter and answer"""
    right: bool
    """True for the right one"""
    misconception: str
    """what is behind the answer where it is wrong"""
    first: str
    """votes of round 1"""
    second: str
    """votes of round 2"""
    sure: str
    """how many of the last round were sure, rather sure, and guessed"""


@dataclass(frozen=True, slots=True)
class RevealView:
    """How the machine has answered."""

    call: str
    """the call; empty where the question needed none"""
    seq: int
    """its row"""
    href: str
    """the address of the machine after it"""
    explain: str
    """the address of the explanation"""
    verdict: str
    """the verdict"""
    returned: str
    """what the call returned"""
    headline: str
    """what the verdict means"""
    conclusion: str
    """why, in a sentence of the explanation"""
    step: str
    """the step that has decided, where that was asked"""
    right: str
    """the right answer"""
    after: str
    """what the exercise says then"""
    drift: str
    """what is said where another answer was held for right before"""
    picture: str
    """the address of a picture of the memory after the call"""


@dataclass(frozen=True, slots=True)
class Counted:
    """How many have voted."""

    words: str
    """`12 of 60 have voted`"""
    share: int
    """the same in thousandths"""


@dataclass(frozen=True, slots=True)
class ProjectorPage(Page):
    """lab/poll_projector.html: a question for the whole room."""

    TEMPLATE: ClassVar[str] = "lab/poll_projector.html"
    api: str
    """the lab's address in the API"""
    question: QuestionView
    """the question"""
    counted: Counted | None
    """how many have voted, while a round is open or was just closed"""
    age: int
    """for how many seconds the question has been in its state"""
    left: int | None
    """in how many seconds the round is said to end; None where that is not said"""
    picture: str | None
    """the address of a picture of the machine as it is asked about; None where it was deleted"""
    reveal: RevealView | None
    """how the machine has answered"""
    chart: Chart | None
    """the votes, once the right answer is known"""
    rows: Sequence[TallyRow]
    """the same in figures"""
    second: bool
    """True where there was a second round"""
    join: str
    """where members find the question: the server's name and the path"""
    qr: str
    """the address of a QR code of that"""
    desk: str
    """the address of the instructor's own page"""


@dataclass(frozen=True, slots=True)
class StepButton:
    """A state to which the instructor can bring the question."""

    state: str
    """the state"""
    words: str
    """what the button says"""
    current: bool
    """True where it is there"""
    next: bool
    """True where that is the usual next step"""


@dataclass(frozen=True, slots=True)
class ShiftCell:
    """Members who were right or not before, and then."""

    before: str
    """`right` or `wrong` in the page's language"""
    right: str
    """how many of them were right then"""
    wrong: str
    """how many were not"""


@dataclass(frozen=True, slots=True)
class NamedVote:
    """A member's answers in a poll where names are told."""

    number: int
    """the member's number"""
    nickname: str
    """the nickname"""
    first: str
    """the answer of round 1"""
    second: str
    """the answer of round 2"""


@dataclass(frozen=True, slots=True)
class DeskPage(Page):
    """lab/poll_desk.html: a question on the instructor's own device."""

    TEMPLATE: ClassVar[str] = "lab/poll_desk.html"
    lab: Link
    """link to the lab"""
    api: str
    """the lab's address in the API"""
    at: str
    """the address of the poll's pages"""
    question: QuestionView
    """the question, with the right answer"""
    counted: Counted
    """how many have voted in the last round"""
    steps: Sequence[StepButton]
    """the states to go to; none once the lab is closed"""
    moved: str
    """what is to be said where the machine has been changed since; empty where not"""
    forks: bool
    """True where a fork can answer instead"""
    machine: Link | None
    """link to the machine, at the row about which is asked"""
    share: str
    """how many were right in the last round, in words; empty before the first vote"""
    advice: str
    """what is advised after it"""
    advised: str
    """`explain`, `discuss`, `go on` or empty"""
    chart: Chart | None
    """the votes; None before the first"""
    rows: Sequence[TallyRow]
    """the same in figures"""
    second: bool
    """True where there was a second round"""
    shift: Sequence[ShiftCell]
    """who was right before and then; none before the second round"""
    gain: str
    """the normalized gain in words; empty where there is none"""
    named: Sequence[NamedVote]
    """who chose what, where that was told"""
    reveal: RevealView | None
    """how the machine has answered"""
    refusal: ShownRefusal | None = None
    """why a step was refused"""


@dataclass(frozen=True, slots=True)
class PollEntry:
    """A question in the list."""

    text: str
    """the question with its calls"""
    href: str
    """the address of its page"""
    state: str
    """its state in words"""
    running: bool
    """True where it is before the class"""
    created: str
    """when it was made"""
    first: str
    """how many were right in round 1"""
    second: str
    """how many were right in round 2"""


@dataclass(frozen=True, slots=True)
class PollsPage(Page):
    """lab/polls.html: the questions of a lab, for its instructor."""

    TEMPLATE: ClassVar[str] = "lab/polls.html"
    lab: Link
    """link to the lab"""
    polls: Sequence[PollEntry]
    """the questions, the newest first"""
    machines: Sequence[Link]
    """links to forms that ask about machines of the lab"""
    tasks: Sequence[tuple[str, str]]
    """tasks of exercises that the class can be asked, each with its words"""
    action: str
    """where the form with a task is sent"""
    participation: str
    """the address of the list of who has taken part"""
    refusal: ShownRefusal | None = None
    """why nothing was asked"""


@dataclass(frozen=True, slots=True)
class ParticipationRow:
    """A member's part in the questions of a lab."""

    number: int
    """the number"""
    nickname: str
    """the nickname"""
    polls: str
    """in how many they have voted"""
    votes: str
    """how many votes they have given"""


@dataclass(frozen=True, slots=True)
class ParticipationPage(Page):
    """lab/participation.html: who has voted how often."""

    TEMPLATE: ClassVar[str] = "lab/participation.html"
    lab: Link
    """link to the lab"""
    polls: Link
    """link to the questions"""
    rows: Sequence[ParticipationRow]
    """one for each member"""
    save: str
    """the address of the same as a table"""


@dataclass(frozen=True, slots=True)
class AskPage(Page):
    """lab/ask.html: a call becomes a question to the class."""

    TEMPLATE: ClassVar[str] = "lab/ask.html"
    machine: Link
    """link to the machine"""
    action: str
    """where the form is sent"""
    at: str
    """the row after which is asked"""
    labs: Sequence[tuple[str, str]]
    """the labs that can be asked, each with its title"""
    lab: str
    """the lab that is asked"""
    line: str
    """the call"""
    asked: Sequence[tuple[str, str]]
    """what can be predicted, each with its question"""
    predict: str
    """what is to be predicted"""
    question: str
    """the instructor's own words"""
    named: bool
    """True where names are told"""
    refusal: ShownRefusal | None = None
    """why nothing was asked"""
