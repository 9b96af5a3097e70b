"""What an exercise file says, once it has been read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# Kinds of tasks. `goal`: make calls until checks hold. `predict`: say what calls will do. `explain`: find the
# step that decided. `debug`: find the faulty lines. `ask`: a question that needs no act of the machine.
KINDS: Final = ("goal", "predict", "explain", "debug", "ask")
# Which of a person's submissions to a task counts.
COUNTS: Final = ("best", "first", "last")
# Scores are whole numbers of so many parts of a point, shares whole numbers of so many parts of a whole.
PARTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Drawn:
    """One value of `vary`: how it is drawn."""

    name: str
    # `from`: one of `choices`. `between`: low to high in steps, without `leave_out`. `shuffle`: `choices` in
    # another order, of which `{name.1}` is the first. `is`: the formula over values before it.
    how: str
    choices: tuple[int | str, ...] = ()
    low: int = 0
    high: int = 0
    step: int = 1
    leave_out: tuple[int, ...] = ()
    formula: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer that people give, and why."""

    # A template of the answer as it would be typed; for number forms a formula, in which `right` is the right
    # answer. Empty where `like` says how it is computed, or `reads` from what it is read.
    answer: str
    # A key of `likely.LIKELY`: a wrong answer computed from the machine.
    like: str
    # The key of the misconception, and the sentence that the student reads.
    because: str
    say: str
    # Whether it is left out where it would be right; else the values are drawn again.
    maybe: bool = False
    # What somebody reads of the machine in place of what was asked, as in `answer`.
    reads: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to answer in a task: most tasks have one."""

    # What stands before the field where a task has several.
    label: str
    # What is read of the machine after the calls, as the left side of an `expect` line (`1 verdict`,
    # `buddyinfo DMA`), as a formula in tasks of kind `ask`, and as a check of steps in `explain`.
    answer: str
    # A key of `forms.FORMS`.
    form: str
    wrong: tuple[Wrong, ...] = ()
    # How far off is still right: `9`, `2 %`, or empty for exact.
    within: str = ""
    # How far off still earns a share (thousandths) of the points: (`2 %`, 500).
    near: tuple[str, int] | None = None
    # Of the form `choice`: what there is to choose from, as templates. Flags, tasks: the same.
    options: tuple[str, ...] = ()
    # Its part of the task's points.
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Check:
    """A condition of a goal, in the check language."""

    # A line of the language as a template; empty where one of `any` must hold.
    line: str
    any: tuple[str, ...] = ()
    points: int = 1
    # What the student reads where it does not hold.
    otherwise: str = ""
    # Beyond the full points; needs not hold for the goal to be reached.
    bonus: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """A hint, and its price in per cent of the task's points."""

    text: str
    costs: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """One question of an exercise. Texts and calls are templates with `{name}` in them."""

    number: int
    kind: str
    ask: str
    # predict, explain, debug: the calls about which is asked. explain: the last one is explained.
    calls: tuple[str, ...] = ()
    # predict, explain, debug, ask.
    fields: tuple[Field, ...] = ()
    # goal: what the student may call (empty: everything), how many rows, and what must hold then.
    allow: tuple[str, ...] = ()
    calls_at_most: int | None = None
    checks: tuple[Check, ...] = ()
    # goal: calls that reach it; never sent before the reveal.
    solution: tuple[str, ...] = ()
    hints: tuple[Hint, ...] = ()
    # Shown after the reveal.
    after: str = ""
    weight: int = 1
    # Whether it goes on from the state that the task before has left, or begins behind the prelude.
    keep: bool = True
    # Whether it is offered for a class vote, and with how many of the wrong answers.
    live: bool = True
    choices: int = 5
    # Why many people may have the same right answer, where they may: `kmemlab exercises` says so.
    fixed: str = ""
    # Per cent of the points for the first, second, … attempt of a graded sheet; in practice any number.
    attempts: tuple[int, ...] = (100, 60, 30)


@dataclass(frozen=True, slots=True)
class Exercise:
    """A whole exercise."""

    # As in addresses.
    name: str
    title: str
    teaser: str
    topics: tuple[str, ...]
    minutes: int
    # Points of the whole; tasks share them by weight.
    points: int
    # One machine or several of which one is drawn, as `POST /sessions` takes one; `memory`, `cpus` may hold
    # `{name}`.
    machines: tuple[Mapping[str, Any], ...]
    vary: tuple[Drawn, ...]
    prelude: tuple[str, ...]
    # Whether the rows of the prelude are told; else the machine is given as it is.
    prelude_shown: bool
    tasks: tuple[Task, ...]
    count: str
    # The file as it was read, which sheets keep, and its SHA-256.
    text: str
    sha256: str
