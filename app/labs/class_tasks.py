"""Tasks of exercises that are asked of a whole class: one variant for all, on one machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadArgument
from app.exercises import likely
from app.exercises.exercise import Exercise, Task
from app.exercises.likely import Choice
from app.exercises.likely.choosing import ordered
from app.exercises.sealing import FieldVariant
from app.exercises.variant import CannotVary, Variant, draw
from app.labs.asking import Drawn
from app.labs.poll import CHOICE, LETTERS, Wrong

# What is asked where a form says it by itself; the exercise's own words stand for all others.
TASK: Final = "task"
# So many answers there are, where wrong ones can be computed; and for which forms they can.
ENOUGH: Final = 4
COMPUTED: Final = {asked.form: what for what, asked in likely.ASKED.items()}


@dataclass(frozen=True, slots=True)
class ClassTask:
    """A task as it is asked: the machine, the calls that lead there, those about which is asked."""

    machine: Any
    before: Sequence[str]
    lines: Sequence[str]
    asked: str
    question: str
    # As which the answer would be typed.
    form: str
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
        question=plain(" – ".join(filter(None, (whole.task.ask, field.field.label)))),
        form=field.field.form,
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
    says = {form.text(one.answer, field.shape): Wrong(one.because, plain(one.say)) for one in wrongs}
    return lettered(form.text(right, field.shape), says, after)


def lettered(right: str, wrong: Mapping[str, Wrong | None], after: str) -> Drawn:
    """A question with these answers, in an order that tells nothing. wrong: with why, where that is known."""
    texts = [right, *wrong]
    found = ordered([Choice(text, "", right=text == right, text=text) for text in texts], ())
    letters = {choice.text: letter for letter, choice in zip(LETTERS, found, strict=False)}
    return Drawn(
        form=CHOICE,
        shape={},
        choices=list(letters),
        right=letters[right],
        wrong={letters[text]: why for text, why in wrong.items() if why is not None},
        after=after,
    )


def filled(drawn: Drawn, others: Drawn) -> Drawn:
    """A question with few answers, with those that are computed for any call of the kind."""
    right = drawn.choices[LETTERS.index(drawn.right)]
    if right != others.choices[LETTERS.index(others.right)]:
        return drawn
    wrong = {
        text: of.wrong.get(letter)
        for of in (others, drawn)
        for letter, text in zip(LETTERS, of.choices, strict=False)
        if text != right
    }
    own = [text for text in drawn.choices if text != right]
    kept = dict.fromkeys([*own, *wrong])
    return lettered(right, {text: wrong[text] for text in list(kept)[: ENOUGH - 1]}, drawn.after)


def plain(text: str) -> str:
    """A text of a file without its marks."""
    return " ".join(text.replace("`", "").split())
