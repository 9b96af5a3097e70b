"""An exercise from its file: what is wrong is found when it is read, not in front of a class.

`README.md` describes the file. The fields are read here and in `reading_tasks`; what depends on the values
that can be drawn is tried in `trying`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from app.exercises import facts, formula
from app.exercises.bad import BadExercise
from app.exercises.exercise import COUNTS, Drawn, Exercise
from app.exercises.reading_tasks import calls, tasks
from app.exercises.trying import Trial
from app.exercises.values import IN_MACHINE, ways
from app.tomlfiles.table import Table, content, load, name_of

MOST_VALUES: Final = 12
MOST_CHOICES: Final = 64
MOST_MACHINES: Final = 6
MOST_TOPICS: Final = 8
MOST_MINUTES: Final = 600
MOST_POINTS: Final = 1000

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
TOPIC: Final = re.compile(r"[a-z0-9]+(?:[ -][a-z0-9]+)*")
# What else formulas know; a value of that name could not be told from it.
TAKEN: Final = {*facts.OF_MACHINE, "right", *formula.FUNCTIONS}
HOW: Final = ("from", "between", "shuffle", "is")

__all__ = ["BadExercise", "parse", "read"]


def read(path: Path, *, tried: bool = False) -> Exercise:
    """The exercise of a file. tried: with values that can be drawn, before now. Raises BadExercise."""
    name_of(path, BadExercise)
    return parse(path.name, content(path, BadExercise), tried=tried)


def parse(file: str, text: str, *, tried: bool = False) -> Exercise:
    """The exercise of a text, read as `read` does. file: the name that it has, or would have."""
    name = name_of(Path(file), BadExercise)
    table = load(BadExercise, file, text)
    trial = Trial(table)
    title, teaser = table.text("title", needed=True), table.text("teaser", needed=True)
    topics = topics_of(table)
    minutes = table.number("minutes", 1, MOST_MINUTES, 5)
    machines = machines_of(table)
    vary = vary_of(table)
    prelude, shown = prelude_of(table, trial)
    found = tasks(table, trial)
    points = table.number("points", 1, MOST_POINTS, sum(task.weight for task in found))
    count = table.one_of("count", COUNTS, COUNTS[0])
    table.end()
    if not tried:
        trial.run(machines, vary)
    return Exercise(
        name=name,
        title=title,
        teaser=teaser,
        topics=topics,
        minutes=minutes,
        points=points,
        machines=machines,
        vary=vary,
        prelude=prelude,
        prelude_shown=shown,
        tasks=found,
        count=count,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def topics_of(table: Table) -> tuple[str, ...]:
    """What it is about, for statistics and for finding."""
    found = table.texts("topics", MOST_TOPICS)
    for topic in found:
        if not TOPIC.fullmatch(topic):
            raise table.wrong("topics", f"{topic!r}: a topic has a-z, 0-9, and - or a blank between")
    return found


# -- the machine and what is made on it -------------------------------------------------------------------


def machines_of(table: Table) -> tuple[Mapping[str, Any], ...]:
    """The machine, or several of which one is drawn; whether they boot is tried with values."""
    own = table.table("machine", needed=True)
    if "one_of" not in own.values:
        return (machine_of(own),)
    listed = own.tables("one_of", MOST_MACHINES, needed=True)
    own.end()
    return tuple(machine_of(each) for each in listed)


def machine_of(table: Table) -> Mapping[str, Any]:
    """One machine."""
    for whole in ("dump", "proc"):
        if whole in table.values:
            raise table.wrong(whole, "a profile is needed, not the state of a machine")
    if table.values.get("nodes", 1) != 1:
        raise table.wrong("nodes", "1: facts and checks know a zone by its name alone")
    for name, value in table.values.items():
        if isinstance(value, str) and "{" in value and name not in IN_MACHINE:
            raise table.wrong(name, f"values can stand in {' and '.join(IN_MACHINE)} only")
    return table.values


def prelude_of(table: Table, trial: Trial) -> tuple[tuple[str, ...], bool]:
    """What has been done on the machine before, and whether it is told."""
    own = table.table("prelude")
    made = calls(own, "calls", trial, begin=True)
    shown = own.flag("shown", otherwise=True)
    own.end()
    if own.values and not made:
        raise own.wrong("calls", "at least one call is needed, or no [prelude]")
    return made, shown


# -- what is drawn ----------------------------------------------------------------------------------------


def vary_of(table: Table) -> tuple[Drawn, ...]:
    """What differs from person to person."""
    own = table.table("vary")
    if len(own.values) > MOST_VALUES:
        raise table.wrong("vary", f"at most {MOST_VALUES} values")
    return tuple(drawn(own, name) for name in own.values)


def drawn(vary: Table, name: str) -> Drawn:
    """One value."""
    if not NAME.fullmatch(name):
        raise vary.wrong(name, "a value is named with a-z, 0-9 and _, as in share or size_2")
    if name in TAKEN:
        raise vary.wrong(name, "formulas know something else by this name; give it another")
    own = vary.table(name)
    given = [how for how in HOW if how in own.values]
    if len(given) != 1:
        raise vary.wrong(name, f"exactly one of {', '.join(HOW)} is needed, as in {{ from = [1, 2, 3] }}")
    (how,) = given
    if how == "is":
        found = Drawn(name, how, formula=own.text("is", needed=True))
        try:
            formula.parse(found.formula)
        except formula.BadFormula as error:
            raise own.wrong("is", str(error)) from None
    elif how == "between":
        found = between(own, name)
    else:
        found = Drawn(name, how, choices=choices(own, how))
    own.end()
    return found


def choices(table: Table, how: str) -> tuple[int | str, ...]:
    """A list of which one is drawn, or that is shuffled."""
    listed = table.take(how)
    if not isinstance(listed, list) or not 2 <= len(listed) <= MOST_CHOICES:
        raise table.wrong(how, f"a list of 2 to {MOST_CHOICES} numbers or texts is needed")
    for kind in (int, str):
        if all(type(value) is kind for value in listed):
            break
    else:
        raise table.wrong(how, "whole numbers only or texts only, as in [40, 45, 50]")
    for value in listed:
        if isinstance(value, int) and not formula.LEAST <= value <= formula.MOST:
            raise table.wrong(how, "numbers of at most 64 bits")
        if listed.count(value) > 1 and how == "shuffle":
            raise table.wrong(how, f"{value!r} stands in it twice")
    return tuple(listed)


def between(table: Table, name: str) -> Drawn:
    """A number from a range."""
    ends = table.take("between")
    if not isinstance(ends, list) or len(ends) != 2 or not all(type(end) is int for end in ends):
        raise table.wrong("between", "two whole numbers are needed, as in between = [1, 8192]")
    low, high = ends
    if not formula.LEAST <= low < high <= formula.MOST:
        raise table.wrong("between", "the first number is below the second, and both have at most 64 bits")
    step = table.number("step", 1, high - low, 1)
    left_out = table.take("not") or []
    if not isinstance(left_out, list) or not all(type(value) is int for value in left_out):
        raise table.wrong("not", "a list of whole numbers is needed, as in not = [8, 16]")
    found = Drawn(name, "between", low=low, high=high, step=step, leave_out=tuple(left_out))
    if ways(found) < 1:
        raise table.wrong("not", "nothing is left to draw")
    return found
