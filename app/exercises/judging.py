"""An answer against what is right, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.exercises.exercise import PARTS
from app.exercises.forms import Answer, BadAnswer, Marked, Part
from app.exercises.sealing import FieldVariant, TaskVariant, WrongAnswer

WHOLE: Final = 100


class BadGiven(Exception):  # noqa: N818 - as the others are named
    """Answers that cannot be read; they cost no attempt. faults: by field, from 0, what would be accepted."""

    def __init__(self, faults: dict[int, str]) -> None:
        super().__init__("; ".join(faults.values()))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class JudgedField:
    """One answer. share: thousandths. wrong: the listed wrong answer that it is, if it is one."""

    share: int
    parts: tuple[Part, ...] = ()
    wrong: WrongAnswer | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is stored and sent; it does not say what would have been right."""
        return {
            "share": self.share,
            "parts": [part.as_json() for part in self.parts],
            "because": self.wrong and self.wrong.because,
            "say": self.wrong and self.wrong.say,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """All answers to a task. share: of the task's points, in thousandths; 1,000 only where all is right."""

    share: int
    fields: tuple[JudgedField, ...]

    @property
    def right(self) -> bool:
        """Whether all of it is right."""
        return self.share == PARTS

    @property
    def misconception(self) -> str:
        """The key of the first misconception that explains an answer; empty where none does."""
        return next((field.wrong.because for field in self.fields if field.wrong is not None), "")


def read(task: TaskVariant, given: Sequence[str]) -> list[Answer]:
    """Answers from texts, one for each field. Raises BadGiven with every field at fault."""
    if len(given) != len(task.fields):
        raise BadGiven({0: f"This task has {len(task.fields)} answers, not {len(given)}."})
    found: list[Answer] = []
    faults: dict[int, str] = {}
    for place, (field, text) in enumerate(zip(task.fields, given, strict=True)):
        try:
            found.append(field.form.read(text, field.shape))
        except BadAnswer as error:
            faults[place] = str(error)
    if faults:
        raise BadGiven(faults)
    return found


def judge(task: TaskVariant, answers: Sequence[Answer]) -> Judged:
    """Answers to a task whose right answers are known."""
    fields = tuple(judge_field(field, answer) for field, answer in zip(task.fields, answers, strict=True))
    weights = [field.field.weight for field in task.fields]
    earned = sum(weight * field.share for weight, field in zip(weights, fields, strict=True))
    return Judged(earned // sum(weights), fields)


def judge_field(field: FieldVariant, answer: Answer) -> JudgedField:
    """One answer. A wrong answer that is listed earns nothing, however near it is."""
    if field.right is None:
        raise ValueError(f"what is right in {field.field.answer!r} was not loaded")
    marked: Marked = field.form.share(field.right, answer, field.shape, field.field)
    if marked.right:
        return JudgedField(marked.share)
    for wrong in field.wrong:
        if field.form.same(wrong.answer, answer):
            return JudgedField(0, marked.parts, wrong)
    return JudgedField(marked.share, marked.parts)


# -- points -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tried:
    """A submission.

    share: thousandths. hints: the prices of those taken before, late: what a late one is worth; in per cent.
    """

    share: int
    hints: int = 0
    late: int = WHOLE


def worth(points: int, weights: Sequence[int], number: int) -> int:
    """What a task is worth, in thousandths of a point: all tasks together exactly the points.

    number: from 1.
    """
    whole = sum(weights)
    until, before = sum(weights[:number]), sum(weights[: number - 1])
    return PARTS * points * until // whole - PARTS * points * before // whole


def value(attempts: Sequence[int], number: int) -> int:
    """What the attempt of a number, from 1, is worth in per cent; the whole where none are listed."""
    if not attempts:
        return WHOLE
    return attempts[number - 1] if number <= len(attempts) else 0


def earned(most: int, attempts: Sequence[int], number: int, tried: Tried) -> int:
    """What one submission earns, in thousandths of a point; never below 0. most: what the task is worth."""
    parts = max(0, tried.share * value(attempts, number) - tried.hints * PARTS)
    return most * parts * tried.late // (PARTS * WHOLE * WHOLE)


def score(most: int, attempts: Sequence[int], tries: Sequence[Tried], count: str = "best") -> int:
    """What a task has earned, in thousandths of a point.

    tries: in order. count: which of them counts. `best` and `first` are never lowered by a later one; who
    sets `last` wants it so.
    """
    found = [earned(most, attempts, number, tried) for number, tried in enumerate(tries, 1)]
    if not found:
        return 0
    return {"first": found[0], "last": found[-1]}.get(count, max(found))
