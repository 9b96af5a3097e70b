"""The tasks of an exercise file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.exercises import misconceptions
from app.exercises.asking import Asked
from app.exercises.exercise import KINDS, Check, Field, Hint, Task, Wrong
from app.exercises.likely import LIKELY
from app.exercises.trying import Trial
from app.machine.entry import CALLS
from app.tomlfiles.table import Table

MOST_TASKS: Final = 12
MOST_FIELDS: Final = 12
MOST_CALLS: Final = 100
MOST_WRONG: Final = 10
MOST_OPTIONS: Final = 40
MOST_CHECKS: Final = 20
MOST_HINTS: Final = 10
MOST_ATTEMPTS: Final = 10
MOST_WEIGHT: Final = 100
# A class vote shows so many wrong answers beside the right one.
MOST_CHOICES: Final = 5

ANY_NUMBER: Final = Task(0, "", "").attempts
BECAUSE: Final = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9]+)*")
LONGEST_KEY: Final = 40
PLACE: Final = re.compile(r"zone|page|block [0-9]{1,2}")
WITHIN: Final = re.compile(r"([0-9]{1,15}) ?(%?)")
# The form of what is asked in tasks of a kind, where the file names none.
FORM_OF: Final = {"explain": "step", "debug": "lines"}
# What stands in a task that has one thing to answer, and else in each [[task.field]].
ANSWER: Final = ("answer", "form", "wrong", "within", "near", "options")
# How a wrong answer can be stated.
SAID: Final = ("is", "like", "reads")


def tasks(table: Table, trial: Trial) -> tuple[Task, ...]:
    """All of them."""
    attempts = attempts_of(table, ANY_NUMBER)
    listed = table.tables("task", MOST_TASKS, needed=True)
    return tuple(task(own, number, attempts, trial) for number, own in enumerate(listed, 1))


def task(table: Table, number: int, attempts: tuple[int, ...], trial: Trial) -> Task:
    """One."""
    kind = table.one_of("kind", KINDS)
    keep = table.flag("keep", otherwise=True)
    if not keep:
        trial.back_to_prelude()
    goal = kind == "goal"
    ask = trial.text(table, "ask", needed=True)
    made = calls(table, "calls", trial) if kind in {"predict", "explain", "debug"} else ()
    allow = allowed(table) if goal else ()
    most = table.number("calls_at_most", 1, MOST_CALLS * 10, 0) if goal else 0
    found = Task(
        number=number,
        kind=kind,
        ask=ask,
        calls=made,
        fields=() if goal else fields(table, kind, made, trial),
        allow=allow,
        calls_at_most=most or None,
        checks=checks(table, trial) if goal else (),
        solution=calls(table, "solution", trial, allow=allow) if goal else (),
        hints=hints(table, trial),
        after=trial.text(table, "after"),
        weight=table.number("weight", 1, MOST_WEIGHT, 1),
        keep=keep,
        live=not goal and table.flag("live", otherwise=True),
        choices=MOST_CHOICES if goal else table.number("choices", 1, MOST_CHOICES, MOST_CHOICES),
        fixed="" if goal else table.text("fixed"),
        attempts=attempts_of(table, attempts),
    )
    table.end()
    for name in ("solution",) if goal else ("calls",) if kind != "ask" else ():
        if not getattr(found, name):
            raise table.wrong(name, f"a task of kind {kind} needs {name}, one call a line")
    if most and len(found.solution) > most:
        raise table.wrong("calls_at_most", f"the solution has {len(found.solution)} calls")
    return found


def calls(
    table: Table, name: str, trial: Trial, *, begin: bool = False, allow: Sequence[str] = ()
) -> tuple[str, ...]:
    """Calls, one a line. begin: they are the prelude. allow: which ones may be made, if not all."""
    text = table.text(name)
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and not line.startswith("#")]
    if len(lines) > MOST_CALLS:
        raise table.wrong(name, f"at most {MOST_CALLS} calls")
    trial.calls(table, name, lines, begin=begin, allow=allow)
    return tuple(line for _, line in lines)


def allowed(table: Table) -> tuple[str, ...]:
    """What may be called."""
    found = table.texts("allow", len(CALLS))
    for name in found:
        if name not in CALLS:
            raise table.wrong("allow", f"{name!r} is no call: GET /api/v1/calls lists them")
    return found


def attempts_of(table: Table, otherwise: tuple[int, ...]) -> tuple[int, ...]:
    """Per cent of the points for the first, second, … attempt."""
    listed = table.take("attempts")
    if listed is None:
        return otherwise
    if (
        not isinstance(listed, list)
        or not 1 <= len(listed) <= MOST_ATTEMPTS
        or not all(type(share) is int and 0 < share <= 100 for share in listed)
        or sorted(listed, reverse=True) != listed
    ):
        raise table.wrong("attempts", "per cent for each attempt, never rising, as in [100, 60, 30]")
    return tuple(listed)


def hints(table: Table, trial: Trial) -> tuple[Hint, ...]:
    """Hints in the order in which they can be taken."""
    found = []
    for own in table.tables("hints", MOST_HINTS):
        found.append(Hint(trial.text(own, "text", needed=True), own.number("costs", 0, 100, 0)))
        own.end()
    if sum(hint.costs for hint in found) > 100:
        raise table.wrong("hints", "together they cost more than 100 per cent")
    return tuple(found)


# -- goals ------------------------------------------------------------------------------------------------


def checks(table: Table, trial: Trial) -> tuple[Check, ...]:
    """What must hold."""
    found = []
    each = table.tables("check", MOST_CHECKS, needed=True)
    for own in each:
        if ("is" in own.values) == ("any" in own.values):
            raise own.wrong("is", 'either is = "…" or any = ["…", "…"] is needed')
        check = Check(
            line=own.text("is"),
            any=own.texts("any", MOST_CHECKS),
            points=own.number("points", 1, MOST_WEIGHT, 1),
            otherwise=trial.text(own, "else"),
            bonus=own.flag("bonus", otherwise=False),
        )
        own.end()
        found.append(check)
    if all(check.bonus for check in found):
        raise table.wrong("check", "at least one check must be no bonus")
    trial.goal(table, found, each)
    return tuple(found)


# -- answers ----------------------------------------------------------------------------------------------


def fields(table: Table, kind: str, made: tuple[str, ...], trial: Trial) -> tuple[Field, ...]:
    """What there is to answer."""
    if "field" not in table.values:
        found = field(table, kind, trial)
        trial.answer(Asked(table, found, kind, made, 1))
        return (found,)
    for name in ANSWER:
        if name in table.values:
            raise table.wrong(name, "stands in each [[task.field]] where a task has several")
    each = table.tables("field", MOST_FIELDS, needed=True)
    several = []
    for own in each:
        label = trial.text(own, "label", needed=True)
        found = field(own, kind, trial, label, own.number("weight", 1, MOST_WEIGHT, 1))
        trial.answer(Asked(own, found, kind, made, len(each)))
        own.end()
        several.append(found)
    return tuple(several)


def field(table: Table, kind: str, trial: Trial, label: str = "", weight: int = 1) -> Field:
    """One thing to answer."""
    return Field(
        label=label,
        answer=trial.text(table, "answer", needed=True),
        form=table.text("form", needed=kind not in FORM_OF) or FORM_OF[kind],
        wrong=tuple(wrong(own, trial) for own in table.tables("wrong", MOST_WRONG)),
        within=within(table),
        near=near(table),
        options=trial.texts(table, "options", MOST_OPTIONS),
        weight=weight,
    )


def wrong(table: Table, trial: Trial) -> Wrong:
    """A wrong answer."""
    if sum(name in table.values for name in SAID) != 1:
        raise table.wrong("is", 'one of is = "…", like = "…" and reads = "…" is needed')
    like = table.text("like")
    if like and like not in LIKELY:
        raise table.wrong("like", f"one of {', '.join(LIKELY)}")
    because = table.text("because", needed=not like) or LIKELY[like].because
    if not BECAUSE.fullmatch(because) or len(because) > LONGEST_KEY:
        raise table.wrong("because", "a key of a-z, 0-9, and - or a blank between, as in 'memory full'")
    known = misconceptions.shipped().get(because)
    say = trial.text(table, "say", needed=known is None)
    number = type(table.values.get("is")) is int
    found = Wrong(
        answer=str(table.take("is")) if number else trial.text(table, "is"),
        like=like,
        because=because,
        say=say or (known.sentence if known else ""),
        maybe=table.flag("maybe", otherwise=False),
        reads=trial.text(table, "reads"),
    )
    table.end()
    return found


def within(table: Table, name: str = "within") -> str:
    """How far off is near: `9`, `2 %`, or nothing."""
    value = table.take(name)
    if value is None:
        return ""
    found = WITHIN.fullmatch(str(value)) if type(value) in {int, str} else None
    if found is None or int(found[1]) == 0 or (found[2] and int(found[1]) > 100):
        raise table.wrong(name, 'a number or per cent, as in within = 9 or within = "2 %"')
    return f"{int(found[1])} %" if found[2] else str(int(found[1]))


def place(table: Table) -> str:
    """The part of memory that is near: `zone`, `page` or `block 3`; empty where it is a distance."""
    value = table.values.get("within")
    return str(table.take("within")) if isinstance(value, str) and PLACE.fullmatch(value) else ""


def near(table: Table) -> tuple[str, int] | None:
    """How far off earns which share, which the file has in per cent."""
    if "near" not in table.values:
        return None
    own = table.table("near")
    distance = place(own) or within(own)
    if not distance:
        raise own.wrong("within", 'how far off is near: within = 9 or within = "2 %"')
    share = own.number("share", 1, 99, 50)
    own.end()
    return distance, share * 10
