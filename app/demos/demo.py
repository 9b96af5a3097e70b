"""A demo from its file: checked so that what is wrong is found when it is read, not in front of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.demos import predictions
from app.demos.expect import BadExpectation, Expectation, expectation
from app.demos.predictions import Prediction
from app.errors import BadArgument
from app.machine import bootparam, calltext
from app.tomlfiles.table import BadFile, Table, content, load, name_of

MOST_STEPS: Final = 30
MOST_CALLS: Final = 100

# What a step may point at: parts of the machine page, and panels by their `look`.
LOOKS: Final = (
    *("zones", "map", "outcome", "journal", "inspector"),
    *("free lists", "slab", "vmalloc", "tasks", "log", "/proc"),
)
VIEW_TEXTS: Final = ("zone", "slabs", "file")
VIEW_NUMBERS: Final = ("node", "start", "shift", "pfn")


class BadDemo(BadFile):
    """A file that is no demo: which, where in it, and what would be accepted."""

    what = "a demo"


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    title: str
    # On which of the demo's machines, counted from 1.
    part: int
    # happens, why, notice, you: paragraphs.
    happens: str
    why: str
    notice: str
    you: str
    # Lines of text; none where there is only something to read.
    calls: tuple[str, ...]
    # A key of LOOKS or empty.
    look: str
    # What the map and the inspector show, by the names of the page's address.
    view: Mapping[str, str | int]
    expect: tuple[Expectation, ...]
    # What may be predicted before the calls are made.
    predict: tuple[Prediction, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A machine of a demo, as the API describes one, and which steps are made on it (from, to before)."""

    machine: Mapping[str, Any]
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Demo:
    """A whole demo."""

    # As in addresses.
    name: str
    title: str
    # One line for the list.
    teaser: str
    steps: tuple[Step, ...]
    parts: tuple[Part, ...]

    def part(self, number: int) -> Part | None:
        """A machine by its number, counted from 1."""
        return self.parts[number - 1] if 1 <= number <= len(self.parts) else None


def read(path: Path) -> Demo:
    """The demo of a file. Raises BadDemo."""
    name = name_of(path, BadDemo)
    return demo(load(BadDemo, path.name, content(path, BadDemo)), name)


def demo(table: Table, name: str) -> Demo:
    """The demo that a file's table describes."""
    title, teaser = table.text("title", needed=True), table.text("teaser", needed=True)
    machines = [machine(table)]
    listed = table.take("step")
    table.end()
    if not isinstance(listed, list) or not 1 <= len(listed) <= MOST_STEPS:
        raise table.wrong("step", f"1 to {MOST_STEPS} tables [[step]] are needed")
    steps: list[Step] = []
    firsts = [0]
    for number, entry in enumerate(listed, 1):
        own = table.entry("step", number, entry)
        if "machine" in own.values and number > 1:
            machines.append(machine(own))
            firsts.append(number - 1)
        steps.append(step(own, len(machines)))
    ends = [*firsts[1:], len(steps)]
    parts = tuple(Part(*part) for part in zip(machines, firsts, ends, strict=True))
    return Demo(name, title, teaser, tuple(steps), parts)


def machine(table: Table) -> dict[str, Any]:
    """A machine, as `POST /sessions` takes one."""
    values = table.table("machine", needed=True).values
    if "dump" in values:
        raise table.wrong("machine", "a profile is needed, not a dump")
    try:
        bootparam.parse(values)
    except BadArgument as error:
        fault = error.faults[0]
        raise table.wrong(".".join(map(str, ("machine", *fault.loc))), fault.msg) from None
    return values


def step(table: Table, part: int) -> Step:
    """One step."""
    look = table.text("look")
    if look and look not in LOOKS:
        raise table.wrong("look", f"one of {', '.join(LOOKS)}")
    calls = lines(table)
    expect = expectations(table, len(calls))
    made = Step(
        title=table.text("title", needed=True),
        part=part,
        happens=table.text("happens", needed=True),
        why=table.text("why"),
        notice=table.text("notice"),
        you=table.text("you"),
        calls=calls,
        look=look,
        view=view(table),
        expect=expect,
        predict=predicted(table, expect, calls),
    )
    table.end()
    return made


def lines(table: Table) -> tuple[str, ...]:
    """The step's calls, one a line; each must at least read as a call."""
    found = []
    for number, line in enumerate(table.text("calls").splitlines(), 1):
        try:
            if calltext.parse_line(line).name is not None:
                found.append(line.strip())
        except BadArgument as error:
            fault = error.faults[0]
            place = ".".join(map(str, fault.loc))
            msg = f"{place}: {fault.msg}" if place else fault.msg
            raise table.wrong(f"calls, line {number}", msg) from None
    if len(found) > MOST_CALLS:
        raise table.wrong("calls", f"at most {MOST_CALLS} in a step")
    return tuple(found)


def view(table: Table) -> dict[str, str | int]:
    """Where the step wants the page to look."""
    values = table.table("view")
    found: dict[str, str | int] = {}
    for name in VIEW_TEXTS:
        if text := values.text(name):
            found[name] = text
    for name in VIEW_NUMBERS:
        value = values.take(name)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise values.wrong(name, "a number is needed, as in pfn = 0x400")
        found[name] = value
    values.end()
    return found


def expectations(table: Table, calls: int) -> tuple[Expectation, ...]:
    """What the step must do."""
    listed = table.take("expect")
    if listed is None:
        return ()
    if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
        raise table.wrong("expect", 'a list of texts is needed, as in expect = ["1 verdict ok"]')
    found = []
    for number, text in enumerate(listed, 1):
        try:
            made = expectation(text)
        except BadExpectation as error:
            raise table.wrong(f"expect, entry {number}", str(error)) from None
        if made.call > calls:
            raise table.wrong(f"expect, entry {number}", f"the step has only {calls} calls")
        found.append(made)
    return tuple(found)


def predicted(table: Table, expect: Sequence[Expectation], calls: Sequence[str]) -> tuple[Prediction, ...]:
    """What may be predicted: what the step names, else what its expectations leave to be picked."""
    if "predict" not in table.values:
        return predictions.picked(expect, calls)
    keys = [" ".join(text.split()) for text in table.texts("predict", predictions.MOST)]
    if keys and not calls:
        raise table.wrong("predict", "a step without calls has nothing to predict")
    try:
        return predictions.named(keys, expect)
    except KeyError as error:
        known = ", ".join(predictions.known_keys(expect)) or "nothing that can be asked"
        raise table.wrong("predict", f"{error.args[0]!r}: of what this step expects, {known}") from None
