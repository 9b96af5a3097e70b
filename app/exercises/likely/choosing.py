"""Choices for a vote on any call: the right answer among wrong ones that people give."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from app.exercises.exercise import Field
from app.exercises.forms import FORMS, Answer, Setting, Shape
from app.exercises.likely import faults, frames, free_lists, given_back, served, verdicts
from app.exercises.likely.act import Act, Likely
from app.exercises.likely.asked import ASKED, sleepers
from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome

# In the order in which they are taken where there are too many.
ALL: Final[tuple[Likely, ...]] = (
    *frames.LIKELY, *free_lists.LIKELY, *verdicts.LIKELY, *served.LIKELY, *given_back.LIKELY, *faults.LIKELY,
)  # fmt: skip
# So many choices there are, if wrong answers that people give are fewer. Others stand in for them.
ENOUGH: Final = 4
MOST: Final = 6


@dataclass(frozen=True, slots=True)
class Choice:
    """An answer to choose. because: the key of its misconception; empty for the right one, and for some."""

    answer: Answer
    because: str
    right: bool
    # As people write it.
    text: str


@dataclass(frozen=True, slots=True)
class Vote:
    """A question about a call, with choices in an order that does not tell which is right."""

    what: str
    form: str
    shape: Shape
    right: Answer
    choices: tuple[Choice, ...]


def possible(before: Machine, call: Call, outcome: Outcome, after: Machine) -> list[str]:
    """What can be asked about a call."""
    act = Act(before, call, outcome, after)
    return [what for what, asked in ASKED.items() if asked.right(act) is not None]


def vote(
    what: str, before: Machine, call: Call, outcome: Outcome, after: Machine, most: int = 5
) -> Vote | None:
    """A question about a call with at most so many choices; None where it cannot be asked.

    what: a key of `ASKED`.
    """
    asked = ASKED[what]
    act = Act(before, call, outcome, after)
    right = asked.right(act)
    if right is None:
        return None
    form = FORMS[asked.form]
    read = f"buddyinfo {act.zone.name}" if what == "orders" and act.zone is not None else ""
    shape = form.shape(Field("", read, asked.form), Setting(before, tasks=(call.task, *sleepers(act))))
    wrong = wrongs(what, act, right, min(max(most, 2), MOST) - 1)
    found = [Choice(right, "", right=True, text=form.text(right, shape))]
    found += [Choice(each, because, right=False, text=form.text(each, shape)) for each, because in wrong]
    return Vote(what, asked.form, shape, right, tuple(ordered(found, asked.order)))


def choices_for(
    what: str, before: Machine, call: Call, outcome: Outcome, after: Machine, most: int = 5
) -> list[tuple[Answer, str]]:
    """The choices of a vote, each with the key of its misconception; none where it cannot be asked."""
    found = vote(what, before, call, outcome, after, most)
    return [] if found is None else [(choice.answer, choice.because) for choice in found.choices]


def wrongs(what: str, act: Act, right: Answer, most: int) -> list[tuple[Answer, str]]:
    """At most so many wrong answers, all different: those that people give, then others if these are few."""
    found: list[tuple[Answer, str]] = []
    known: list[Answer] = [right]
    likely = ((one.of(act, right), one.because) for one in ALL if one.about == what)
    fill = ((answer, "") for answer in ASKED[what].others(act, right))
    for answer, because in chain(likely, fill):
        if len(found) >= (most if because else min(most, ENOUGH - 1)):
            break
        if answer is not None and answer not in known:
            found.append((answer, because))
            known.append(answer)
    return found


def ordered(choices: list[Choice], order: Sequence[Answer]) -> list[Choice]:
    """In the order that everybody knows, else in one that follows from the answers and tells nothing."""
    if order:
        places = {str(answer): place for place, answer in enumerate(order)}
        return sorted(choices, key=lambda choice: (places.get(str(choice.answer), len(places)), choice.text))
    whole = json.dumps(sorted(choice.text for choice in choices))
    return sorted(choices, key=lambda choice: hashlib.sha256(f"{whole}{choice.text}".encode()).digest())
