"""A poll as a value: the states that it goes through, what is asked, and who is told what when.

    draft → vote1 → closed1 → discuss → vote2 → closed2 → reveal → done

An instructor may skip states and go back, until the answer is out: from then on there is nothing to vote on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadArgument
from app.sessions import Conflict
from app.store.polls import PollRow

DRAFT: Final = "draft"
REVEAL: Final = "reveal"
DONE: Final = "done"
STATES: Final = (DRAFT, "vote1", "closed1", "discuss", "vote2", "closed2", REVEAL, DONE)
# States in which the class is asked; of these one poll of a lab at a time is.
RUNNING: Final = STATES[1:-1]
# Which round of voting is open.
ROUND: Final = {"vote1": 1, "vote2": 2}
# Which round has been the last, in each state.
LAST_ROUND: Final = {
    "vote1": 1, "closed1": 1, "discuss": 1, "vote2": 2, "closed2": 2, REVEAL: 2, DONE: 2,
}  # fmt: skip
ROUNDS: Final = (1, 2)
CONFIDENCES: Final = ("sure", "rather", "guess")
# A poll with choices is answered with the letter of one, any other with what its form reads.
CHOICE: Final = "choice"
MOST_CHOICES: Final = 6
# One more than that many: for what the machine says where it was none of them.
LETTERS: Final = "ABCDEFG"


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why an answer is wrong: the key of the misconception behind it, and a sentence."""

    because: str
    say: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Shares of right answers in per cent: below `low` it is explained first, above `high` one goes on."""

    low: int
    high: int

    def of(self, right: int, voted: int) -> str | None:
        """`explain`, `discuss` or `go on`; None while nobody has voted."""
        if not voted:
            return None
        share = 100 * right
        return "explain" if share < self.low * voted else "go on" if share > self.high * voted else "discuss"


@dataclass(frozen=True, slots=True)
class Poll:
    """A question to a class."""

    id: str
    lab_id: str
    # The machine about which is asked, as it was at a row; None where it was deleted.
    session_id: str | None
    at: int
    # The calls, as lines of the console, and what is to be predicted.
    lines: tuple[str, ...]
    asked: str
    # The exercise and the number of its task, where it comes from one.
    exercise: str | None
    task: int | None
    field: int | None
    # The instructor's words; empty where the pages say it for `asked`.
    question: str
    # `choice`, or the form as which an answer is read.
    form: str
    shape: Mapping[str, Any]
    choices: tuple[str, ...]
    # The letter, or the answer as text; and by letter or text why others are wrong.
    right: str
    wrong: Mapping[str, Wrong]
    # What is said after the reveal.
    after: str
    # How a task of an exercise is asked again, and what was held for right until the machine said otherwise.
    again: Mapping[str, Any]
    drift: str
    state: str
    since: str
    seq: int | None
    named: bool
    advice: Advice
    closes: str | None
    created: str

    @classmethod
    def of(cls, row: PollRow) -> Poll:
        """Make one from the stored row."""
        source, sealed = json.loads(row.source), json.loads(row.sealed)
        return cls(
            id=row.id,
            lab_id=row.lab_id,
            session_id=row.session_id,
            at=row.at,
            lines=tuple(source["lines"]),
            asked=source["asked"],
            exercise=source.get("exercise"),
            task=source.get("task"),
            field=source.get("field"),
            question=row.question,
            form=row.form,
            shape=source.get("shape", {}),
            choices=tuple(json.loads(row.choices)),
            right=sealed["right"],
            wrong={key: Wrong(*why) for key, why in sealed["wrong"].items()},
            after=sealed.get("after", ""),
            again=sealed.get("again", {}),
            drift=sealed.get("drift", ""),
            state=row.state,
            since=row.since,
            seq=row.seq,
            named=row.named,
            advice=Advice(*json.loads(row.advice)),
            closes=row.closes,
            created=row.created,
        )

    @property
    def round(self) -> int | None:
        """The round that is open; None while nobody can vote."""
        return ROUND.get(self.state)

    @property
    def revealed(self) -> bool:
        """Whether the class has been told what is right."""
        return self.seq is not None

    @property
    def letters(self) -> str:
        """The letters of the choices."""
        return LETTERS[: len(self.choices)]

    def text(self, choice: str) -> str:
        """What a vote says: of a letter what stands behind it."""
        return self.choices[LETTERS.index(choice)] if self.form == CHOICE else choice

    def require_next(self, state: str) -> None:
        """Raise BadArgument for a state that there is not, and Conflict where the poll cannot come to it."""
        if state not in STATES[1:]:
            raise BadArgument.at("state", f"one of {', '.join(STATES[1:])}", state, STATES[1:])
        if self.revealed and state not in (REVEAL, DONE):
            raise Conflict("the answer is out: this question cannot be voted on any more")

    def public(self) -> dict[str, Any]:
        """What everybody in the lab may know of it now."""
        found: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "since": self.since,
            "round": self.round,
            "asked": self.asked,
            "question": self.question,
            "calls": list(self.lines),
            "form": self.form,
            "shape": dict(self.shape),
            "choices": list(self.choices),
            "named": self.named,
            "closes": self.closes,
        }
        return found | self.answer() if self.revealed else found

    def answer(self) -> dict[str, Any]:
        """What is right, and why the rest is not."""
        return {
            "right": self.right,
            "wrong": {key: {"because": why.because, "say": why.say} for key, why in self.wrong.items()},
            "after": self.after,
            "drift": self.drift,
            "session": self.session_id,
            "seq": self.seq,
        }


def stored(lines: Sequence[str], asked: str, **more: Any) -> str:
    """The source of a poll, as it is kept."""
    return json.dumps({"lines": list(lines), "asked": asked, **more})


def sealed(right: str, wrong: Mapping[str, Wrong], after: str = "", **more: Any) -> str:
    """What only the instructor may know before the reveal, as it is kept."""
    why = {key: [one.because, one.say] for key, one in wrong.items()}
    return json.dumps({"right": right, "wrong": why, "after": after, **more})
