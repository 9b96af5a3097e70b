"""What can be asked about a call before it is made: the right answer, and the wrong ones to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from app.errors import BadArgument
from app.exercises import likely, misconceptions
from app.exercises.forms import FORMS, BadAnswer, Shape
from app.exercises.likely import Choice
from app.labs.poll import CHOICE, LETTERS, Wrong
from app.machine.machine import Machine
from app.machine.outcome import Outcome

# What of the last call is to be predicted.
ASKED: Final = tuple(likely.ASKED)
# So many answers there are to choose from, at most.
MOST: Final = 5


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question that can be asked."""

    form: str
    shape: Mapping[str, Any]
    choices: Sequence[str]
    # A letter, or the answer as its form writes it.
    right: str
    wrong: Mapping[str, Wrong]
    after: str = ""


def draw(asked: str, before: Machine, outcome: Outcome, after: Machine) -> Drawn:
    """The question about a call. Raises BadArgument where it has no answer."""
    found = likely.vote(asked, before, outcome.call, outcome, after, MOST)
    if found is None:
        others = likely.possible(before, outcome.call, outcome, after)
        raise BadArgument.at("predict", f"of this call one can ask {', '.join(others)}", asked, others)
    return chosen(found.choices)


def chosen(choices: Sequence[Choice]) -> Drawn:
    """A question with choices, in their order."""
    lettered = dict(zip(LETTERS, choices, strict=False))
    return Drawn(
        form=CHOICE,
        shape={},
        choices=[choice.text for choice in choices],
        right=next(letter for letter, choice in lettered.items() if choice.right),
        wrong={
            letter: Wrong(choice.because, misconceptions.of(choice.because).sentence)
            for letter, choice in lettered.items()
            if choice.because
        },
    )


def read(form: str, shape: Mapping[str, Any], typed: str) -> str:
    """A typed answer in its form's own words. Raises BadArgument at `choice`."""
    known = cast("Shape", shape)
    try:
        return FORMS[form].text(FORMS[form].read(typed, known), known)
    except BadAnswer as error:
        raise BadArgument.at("choice", str(error)) from None
