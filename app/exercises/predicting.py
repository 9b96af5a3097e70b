"""Predictions of a demo's step: asked in the forms of exercises, and answered by the rows and the machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.demos import expect
from app.demos.predictions import Prediction
from app.exercises import truth
from app.exercises.exercise import Field
from app.exercises.forms import FORMS, Answer, BadAnswer, BadForm, Setting, Shape
from app.exercises.sealing import FieldVariant, callers
from app.machine import readings
from app.machine.machine import Machine

YES: Final = "yes"
NO: Final = "no"
# By the words of a counter.
Figures = Mapping[tuple[str, ...], Sequence[int]]


class Unasked(Exception):  # noqa: N818 - as the others are named
    """What this machine cannot be asked, or has not answered."""


@dataclass(frozen=True, slots=True)
class Begun:
    """What the predictions need of the machine before the calls. shapes: None where one cannot be asked."""

    shapes: tuple[Shape | None, ...]
    figures: Figures


def field(prediction: Prediction, label: str = "") -> Field:
    """A prediction as a task of an exercise would ask it."""
    options = (YES, NO) if prediction.form == "choice" else ()
    return Field(label, prediction.text.removesuffix(" change"), prediction.form, options=options)


def begin(machine: Machine, asked: Sequence[Prediction], calls: Sequence[str]) -> Begun:
    """Look at the machine before the calls."""
    setting = Setting(machine, tuple(calls), tasks=callers(calls))
    return Begun(tuple(shape(one, setting) for one in asked), figures(machine, asked))


def shape(prediction: Prediction, setting: Setting) -> Shape | None:
    """What is needed to ask; None where the machine has nothing of the kind."""
    try:
        return FORMS[prediction.form].shape(field(prediction), setting)
    except BadForm:
        return None


def figures(machine: Machine, asked: Sequence[Prediction]) -> dict[tuple[str, ...], Sequence[int]]:
    """What the machine has of all that is asked about it."""
    subjects = [one.words for one in asked if not one.call]
    found = {subject: readings.read(machine, subject) for subject in subjects}
    return {subject: list(numbers) for subject, numbers in found.items() if numbers is not None}


def variant(prediction: Prediction, label: str, shape: Shape, right: Answer | None = None) -> FieldVariant:
    """A prediction as a page shows it."""
    return FieldVariant(field(prediction, label), shape, right)


def right(
    prediction: Prediction,
    shape: Shape,
    outcomes: Sequence[Mapping[str, Any]],
    before: Figures,
    after: Figures,
) -> Answer:
    """What the machine did. outcomes: of the step's calls. Raises Unasked."""
    try:
        return FORMS[prediction.form].answer(value(prediction, outcomes, before, after), shape)
    except (truth.Unreadable, BadAnswer) as error:
        raise Unasked(str(error)) from None


def value(
    prediction: Prediction, outcomes: Sequence[Mapping[str, Any]], before: Figures, after: Figures
) -> object:
    """The same as the machine has it. Raises Unreadable, Unasked."""
    if not prediction.call:
        return of_machine(prediction, before, after)
    if prediction.call > len(outcomes) or prediction.other > len(outcomes):
        raise Unasked("the call was not made")
    outcome = outcomes[prediction.call - 1]
    if prediction.words[0] == "became" and outcome["changed"] is None:
        raise Unasked("it changed too many frames to name them")
    if prediction.other:
        one, other = (
            expect.last_access(each).get("pfn") for each in (outcome, outcomes[prediction.other - 1])
        )
        return YES if one is not None and one == other else NO
    question = truth.Question("call", prediction.text, prediction.words, prediction.call)
    return truth.of_outcome(question, outcome)


def of_machine(prediction: Prediction, before: Figures, after: Figures) -> object:
    """A figure of the machine, or by how much it was changed."""
    now = after.get(prediction.words)
    if now is None:
        raise Unasked("the machine has none")
    if prediction.form == "orders":
        return list(now)
    if not prediction.change:
        return now[0]
    return now[0] - before.get(prediction.words, [0])[0]
