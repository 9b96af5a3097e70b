"""Tasks of exercises that are asked of a whole class: one variant for all, on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadArgument
from app.exercises.exercise import Exercise, Task
from app.exercises.likely import Choice
from app.exercises.likely.choosing import ordered
from app.exercises.sealing import FieldVariant
from app.exercises.variant import CannotVary, Variant, draw
from app.labs.asking import Drawn
from app.labs.poll import CHOICE, LETTERS, Wrong

# What is asked where a form says it by itself; the exercise's own words stand for all others.
TASK: Final = "task"


@dataclass(frozen=True, slots=True)
class ClassTask:
    """A task as it is asked: the machine, the calls that lead there, those about which is asked."""

    machine: Any
    before: Sequence[str]
    lines: Sequence[str]
    asked: str
    question: str
    drawn: Drawn


def offered(exercise: Exercise) -> Iterator[Task]:
    """The tasks that a class can be asked: predictions that hang on nobody's goal before them."""
    after_goal = False
    for task in exercise.tasks:
        after_goal = after_goal and task.keep
        if task.kind == "predict" and task.live and task.fields and not after_goal:
            yield task
        after_goal = after_goal or task.kind == "goal"


def asked_of_class(exercise: Exercise, number: int, seed: bytes) -> ClassTask:
    """A variant of a task. Raises BadArgument at `task` and `exercise`."""
    numbers = [task.number for task in offered(exercise)]
    if number not in numbers:
        known = ", ".join(map(str, numbers)) or "none"
        raise BadArgument.at("task", f"a prediction that a class can be asked; of this exercise: {known}")
    try:
        variant = draw(exercise, seed)
    except CannotVary as error:
        raise BadArgument.at("exercise", f"one that can be drawn: {error}") from error
    whole = variant.task(number)
    field = whole.fields[0]
    return ClassTask(
        machine=variant.machine,
        before=leading(variant, number),
        lines=whole.task.calls,
        asked=field.field.form if field.field.form == "verdict" else TASK,
        question=plain(" ".join(filter(None, (whole.task.ask, field.field.label)))),
        drawn=drawn_of(field, whole.task.choices, plain(whole.task.after)),
    )


def leading(variant: Variant, number: int) -> list[str]:
    """The calls that lead to a task: of the prelude, and of the tasks from whose state it goes on."""
    found = list(variant.prelude)
    for task in (one.task for one in variant.tasks[:number]):
        if not task.keep:
            found = list(variant.prelude)
        if task.number < number:
            found += task.calls
    return found


def drawn_of(field: FieldVariant, most: int, after: str) -> Drawn:
    """The right answer among wrong ones, or as it is typed where the file has none."""
    form, right = field.form, field.right
    assert right is not None
    wrongs = field.wrong[: min(most, len(LETTERS) - 1)]
    if not wrongs:
        return Drawn(field.field.form, field.shape, (), form.text(right, field.shape), {}, after)
    found = [Choice(right, "", right=True, text=form.text(right, field.shape))]
    found += [
        Choice(one.answer, one.because, right=False, text=form.text(one.answer, field.shape))
        for one in wrongs
    ]
    says = {form.text(one.answer, field.shape): Wrong(one.because, plain(one.say)) for one in wrongs}
    lettered = dict(zip(LETTERS, ordered(found, ()), strict=False))
    return Drawn(
        form=CHOICE,
        shape={},
        choices=[choice.text for choice in lettered.values()],
        right=next(letter for letter, choice in lettered.items() if choice.right),
        wrong={letter: says[choice.text] for letter, choice in lettered.items() if not choice.right},
        after=after,
    )


def plain(text: str) -> str:
    """A text of a file without its marks."""
    return " ".join(text.replace("`", "").split())
