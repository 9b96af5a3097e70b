"""An exercise with its values drawn for one person, and the right answers that the machine gives for them.

A variant is drawn again where it could not be asked fairly: a call is refused, what is asked about does not
happen, a wrong answer would be right, two wrong answers are the same, a goal holds already, or its solution
does not reach it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.exercises import filling, formula, reaching, sealing, values
from app.exercises.exercise import Exercise
from app.exercises.forms import Shape
from app.exercises.playground import Playground, Refused
from app.exercises.rejected import Rejected
from app.exercises.sealing import FieldVariant, TaskVariant, WrongAnswer
from app.exercises.starting import STARTS, BadMachine
from app.machine.machine import ENGINE

MOST_DRAWS: Final = 50


class CannotVary(Exception):  # noqa: N818 - as the others are named
    """An exercise of which no variant could be made. reasons: why not, and how often."""

    def __init__(self, name: str, reasons: Counter[str]) -> None:
        super().__init__(f"{name}: {'; '.join(f'{why} ({n} times)' for why, n in reasons.most_common(3))}")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Values:
    """What a variant differs by: the machine, as `POST /sessions` takes one, and the values by name."""

    machine: Mapping[str, Any]
    by_name: values.Values


@dataclass(frozen=True, slots=True)
class Variant:
    """An exercise as one person gets it.

    tasks: with templates filled, and with their right answers where these are known. rejected: why values
    that were drawn before these were not taken.
    """

    exercise: Exercise
    values: Values
    prelude: tuple[str, ...]
    tasks: tuple[TaskVariant, ...]
    engine: int = ENGINE
    rejected: tuple[str, ...] = ()

    @property
    def machine(self) -> Mapping[str, Any]:
        """What the session is booted from."""
        return self.values.machine

    def task(self, number: int) -> TaskVariant:
        """A task by its number, from 1."""
        return self.tasks[number - 1]

    def depends(self, number: int) -> bool:
        """Whether what is right in a task depends on what the person has done in a goal before it."""
        for task in reversed([one.task for one in self.tasks[:number]]):
            if task.number < number and task.kind == "goal":
                return True
            if not task.keep:
                return False
        return False

    def start(self) -> Playground:
        """A machine of one's own behind the prelude."""
        return STARTS.at(self.machine, self.prelude)

    def public(self, number: int) -> dict[str, Any]:
        """A task for the person who is to answer it: JSON, and nothing of answers."""
        one = self.task(number)
        task = one.task
        document: dict[str, Any] = {
            "number": number,
            "kind": task.kind,
            "ask": task.ask,
            "weight": task.weight,
            "hints": [{"number": place, "costs": hint.costs} for place, hint in enumerate(task.hints, 1)],
        }
        if task.kind == "goal":
            return document | {"allow": list(task.allow), "calls_at_most": task.calls_at_most}
        fields = [{"label": field.field.label, **field.shape} for field in one.fields]
        return document | {"calls": list(task.calls), "fields": fields}

    def stored(self) -> dict[str, Any]:
        """What is kept of it beside the exercise's text: JSON, and nothing of answers."""
        return {
            "machine": dict(self.machine),
            "values": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self.values.by_name.items()
            },
            "shapes": [[field.shape for field in task.fields] for task in self.tasks],
        }

    def sealed(self) -> dict[str, Any]:
        """The answers, for keeping where nobody reads them before the reveal: JSON."""
        return {"engine": self.engine, "tasks": [seal_of(task) for task in self.tasks]}


def seal_of(task: TaskVariant) -> list[dict[str, Any]]:
    """The answers of a task."""
    return [
        {"right": field.right, "wrong": [[wrong.number, wrong.answer] for wrong in field.wrong]}
        for field in task.fields
    ]


# -- drawing ----------------------------------------------------------------------------------------------


def draw(
    exercise: Exercise, seed: bytes, make: Callable[[Exercise, Values], Variant] | None = None
) -> Variant:
    """The variant of a seed, the same one each time. Raises CannotVary.

    make: `made`, or something that remembers what it has made.
    """
    rejected: list[str] = []
    for number in range(MOST_DRAWS):
        chance = values.Chance(seed + number.to_bytes(2, "big"))
        try:
            return replace((make or made)(exercise, drawn(exercise, chance)), rejected=tuple(rejected))
        except Rejected as error:
            rejected.append(str(error))
    raise CannotVary(exercise.name, Counter(rejected))


def base(exercise: Exercise) -> Variant:
    """What an exercise is shown with where nothing is drawn. Raises Rejected."""
    return made(exercise, drawn(exercise, None))


def drawn(exercise: Exercise, chance: values.Chance | None) -> Values:
    """A machine and values by chance, or the first ones. Raises Rejected."""
    many = chance is not None and len(exercise.machines) > 1
    template = chance.one_of(exercise.machines) if chance is not None and many else exercise.machines[0]
    found: dict[str, values.Value] = {}

    def fact(name: str) -> int:
        machine = values.machine(template, found)
        return STARTS.facts(machine)[name]

    try:
        if chance is None:
            values.base(exercise.vary, fact, found)
        else:
            values.draw(exercise.vary, chance, fact, found)
        return Values(values.machine(template, found), found)
    except (formula.BadFormula, values.BadTemplate, BadMachine) as error:
        raise Rejected(0, str(error)) from error


def made(exercise: Exercise, of: Values) -> Variant:
    """The variant with these values. Raises Rejected."""
    found = of.by_name
    try:
        prelude = filling.lines(exercise.prelude, found)
        tasks = [filling.task(task, found) for task in exercise.tasks]
        place = STARTS.at(of.machine, prelude)
    except (values.BadTemplate, BadMachine, Refused) as error:
        raise Rejected(0, str(error)) from error
    variant = Variant(exercise, of, prelude, ())
    sealed: list[TaskVariant] = []
    untouched = True
    for task in tasks:
        if not (task.keep or untouched):
            place = variant.start()
        untouched = task.kind == "ask" and (untouched or not task.keep)
        if task.kind == "goal":
            place = reaching.prove(task, place)
            sealed.append(TaskVariant(task))
        else:
            sealed.append(sealing.seal(task, place, found))
    return replace(variant, tasks=tuple(sealed))


def asked_on(variant: Variant, number: int, place: Playground) -> TaskVariant:
    """A task asked on another machine than behind the variant's own calls: where a person's goal has left it.

    place: makes the task's calls. Raises Rejected.
    """
    return sealing.seal(variant.task(number).task, place, variant.values.by_name)


# -- and back ---------------------------------------------------------------------------------------------


def load(exercise: Exercise, stored: Mapping[str, Any], sealed: Mapping[str, Any] | None = None) -> Variant:
    """A variant from what was kept of it, with its answers where they are given."""
    found = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored["values"].items()
    }
    answers: Sequence[Any] = [None] * len(exercise.tasks) if sealed is None else sealed["tasks"]
    tasks = tuple(
        loaded(TaskVariant(filling.task(task, found)), shapes, seal)
        for task, shapes, seal in zip(exercise.tasks, stored["shapes"], answers, strict=True)
    )
    engine = ENGINE if sealed is None else sealed["engine"]
    of = Values(stored["machine"], found)
    return Variant(exercise, of, filling.lines(exercise.prelude, found), tasks, engine)


def loaded(task: TaskVariant, shapes: Sequence[Shape], seal: Sequence[Any] | None) -> TaskVariant:
    """A task with its shapes and answers."""
    fields = []
    answers: Sequence[Any] = [None] * len(shapes) if seal is None else seal
    for field, shape, one in zip(task.task.fields, shapes, answers, strict=True):
        if one is None:
            fields.append(FieldVariant(field, shape, None))
            continue
        wrong = tuple(
            WrongAnswer(number, answer, field.wrong[number].because, field.wrong[number].say)
            for number, answer in one["wrong"]
        )
        fields.append(FieldVariant(field, shape, one["right"], wrong))
    return replace(task, fields=tuple(fields))
