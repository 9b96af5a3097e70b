"""How the routes of polls describe themselves: shapes, bodies, examples."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, Field

from app.api.docs import Doc, shows
from app.api.lab_docs import ID, NO_BODY, SESSION_ID, body
from app.labs.asking import ASKED
from app.labs.poll import CONFIDENCES, STATES
from app.machine.calls import JSON_INT_MAX

POLL_ID: Final = "Tq8Rm1Yc5Kd2"


class PollWrong(BaseModel):
    because: str = Field(description="the key of the misconception behind it, or empty")
    say: str = Field(description="why it is wrong")


class PollVote(BaseModel):
    choice: str = Field(description="the letter of a choice, or the answer as text")
    confidence: Literal[CONFIDENCES]  # type: ignore[valid-type]


class PollVoted(PollVote):
    number: int
    nickname: str
    round: int
    time: str


class PollBar(BaseModel):
    choice: str = Field(description="a letter, or the answer as text; empty for all others together")
    votes: int
    sure: int
    rather: int
    guess: int


class PollRound(BaseModel):
    round: int
    voted: int
    right: int
    choices: list[PollBar]


class PollShift(BaseModel):
    """Of those who have voted in both rounds."""

    both: int
    right_right: int
    right_wrong: int
    wrong_right: int
    wrong_wrong: int


class PollMove(BaseModel):
    origin: str = Field(alias="from")
    to: str
    members: int


class PollTally(BaseModel):
    """The votes, counted."""

    rounds: list[PollRound]
    shift: PollShift
    moves: list[PollMove]
    gain: float | None = Field(description="what was gained of what could be: 1 is all")
    advice: Literal["explain", "discuss", "go on"] | None


class PollSource(BaseModel):
    session: str | None
    at: int = Field(description="the row at which it is asked")
    head: int | None = Field(description="the row at which the machine is now")
    exercise: str | None
    task: int | None
    field: int | None = Field(description="which of the task's answers, from 1")


class PollInList(BaseModel):
    """A question to the class. `right`, `wrong`, `after`, `drift`, `session` and `seq` from the reveal on."""

    id: str
    state: Literal[STATES]  # type: ignore[valid-type]
    since: str = Field(description="when it came into this state")
    round: int | None = Field(description="the round of votes that is open")
    asked: str = Field(description="what is to be predicted of the last call")
    question: str = Field(description="the instructor's words; empty where `asked` says it")
    calls: list[str]
    form: str = Field(description="`choice`, or the form in which an answer is typed")
    shape: dict[str, Any] = Field(description="what the form needs to be shown")
    choices: list[str] = Field(description="behind the letters A, B, …")
    named: bool = Field(description="whether the instructor sees who chose what")
    closes: str | None = Field(description="when the round is said to end; nothing ends by itself")
    right: str | None = Field(default=None, description="the letter, or the answer as text")
    wrong: dict[str, PollWrong] | None = None
    after: str | None = None
    drift: str | None = Field(
        default=None, description="what was held for right until the machine said otherwise; empty as a rule"
    )
    session: str | None = None
    seq: int | None = Field(
        default=None, description="the row that has answered it; without calls, the row asked about"
    )


class PollList(BaseModel):
    items: list[PollInList]
    next: str | None


class Poll(PollInList):
    """`mine` for members; `tally`, `source` and, where names are told, `votes` for the instructor."""

    voted: dict[str, int] = Field(description="how many have voted, by round")
    members: int
    mine: dict[str, PollVote] | None = Field(default=None, description="by round")
    tally: PollTally | None = None
    source: PollSource | None = None
    votes: list[PollVoted] | None = None


class Participant(BaseModel):
    number: int
    nickname: str
    polls: int = Field(description="in which they have voted")
    votes: int = Field(description="in all rounds of these")


class ParticipantList(BaseModel):
    items: list[Participant]
    next: str | None


LISTED_EXAMPLE: Final[dict[str, Any]] = {
    "id": POLL_ID,
    "state": "vote1",
    "since": "2026-11-26T09:40:02.001Z",
    "round": 1,
    "asked": "verdict",
    "question": "",
    "calls": ["alloc_pages(GFP_NOWAIT, 1)"],
    "form": "choice",
    "shape": {},
    "choices": ["ok", "null", "oom", "bug"],
    "named": False,
    "closes": None,
}
POLL_EXAMPLE: Final = {
    **LISTED_EXAMPLE,
    "voted": {"1": 17},
    "members": 60,
    "mine": {"1": {"choice": "B", "confidence": "rather"}},
}

POLLS: Final[Doc] = shows(PollList, {"items": [LISTED_EXAMPLE], "next": None})
POLL: Final[Doc] = shows(Poll, POLL_EXAMPLE)

CREATE: Final[Doc] = {
    **shows(
        Poll,
        {
            **LISTED_EXAMPLE,
            "state": "draft",
            "round": None,
            "voted": {},
            "members": 60,
            "right": "B",
            "wrong": {"A": {"because": "free-is-enough", "say": "Free memory must also be in one piece."}},
            "after": "",
            "drift": "",
            "session": SESSION_ID,
            "seq": None,
            "source": {
                "session": SESSION_ID,
                "at": 41,
                "head": 41,
                "exercise": None,
                "task": None,
                "field": None,
            },
            "tally": {
                "rounds": [],
                "shift": {"both": 0, "right_right": 0, "right_wrong": 0, "wrong_right": 0, "wrong_wrong": 0},
                "moves": [],
                "gain": None,
                "advice": None,
            },
        },
        201,
        created=True,
    ),
    "extra": body(
        {"session": SESSION_ID, "line": "alloc_pages(GFP_NOWAIT, 1)", "predict": "verdict"},
        (),
        session={**ID, "description": "one of your own"},
        line={"type": "string", "maxLength": 4000, "description": "calls, as the console takes them"},
        predict={"enum": list(ASKED), "description": "of the last call"},
        question={"type": "string", "maxLength": 400, "description": "in words of your own"},
        at={
            "type": "integer",
            "minimum": 0,
            "maximum": JSON_INT_MAX,
            "description": "the row after which it is asked; the last by default",
        },
        exercise={
            "type": "string",
            "description": "as GET /exercises names it, instead of `session` and `line`",
        },
        task={"type": "integer", "minimum": 1, "maximum": 100, "description": "of the exercise, no goal"},
        field={
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "description": "which of the task's answers; the first by default",
        },
        named={"type": "boolean", "description": "you see who chose what, which those who vote are told"},
    ),
}

STATE: Final[Doc] = {
    **POLL,
    "extra": body(
        {"state": "vote1", "seconds": 60},
        ("state",),
        state={"enum": list(STATES[1:])},
        seconds={"type": "number", "minimum": 5, "maximum": 3600, "description": "a clock, which only shows"},
    ),
}

VOTE: Final[Doc] = {
    **POLL,
    "extra": body(
        {"choice": "B", "confidence": "rather", "round": 1},
        ("choice", "confidence"),
        choice={"type": "string", "minLength": 1, "maxLength": 4096},
        confidence={"enum": list(CONFIDENCES)},
        round={"enum": [1, 2], "description": "for which it is meant: refused where another one is open"},
    ),
}

FORK: Final[Doc] = {**shows(Poll, POLL_EXAMPLE, 201), "extra": NO_BODY}

PARTICIPATION: Final[Doc] = shows(
    ParticipantList, {"items": [{"number": 7, "nickname": "Kim", "polls": 3, "votes": 6}], "next": None}
)

PARTICIPATION_CSV: Final[Doc] = {
    "responses": {
        200: {
            "description": "a line of names, and one for each member",
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": "number,nickname,polls,votes\r\n"}
            },
            "headers": {"Content-Disposition": {"schema": {"type": "string"}}},
        }
    }
}
