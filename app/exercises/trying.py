"""What a file says is tried with values that can be drawn.

While the file is read, its texts, calls, checks and answers are noted with their places. `Trial.run` fills
each in and reads it, as it will be read for the person who gets these values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import BadArgument
from app.exercises import facts, formula, values
from app.exercises.cases import Case, Pick, picks
from app.exercises.exercise import Drawn, Field
from app.exercises.values import BadTemplate
from app.machine import calltext, parsing
from app.machine.linetext import Line
from app.tomlfiles.table import BadFile, Table

# Makes the fault of a place in the file.
Wrong = Callable[[str], BadFile]


@dataclass(frozen=True, slots=True)
class Call:
    """A line with a call. begin: of the prelude. allow: what may be called, if not all."""

    wrong: Wrong
    template: str
    begin: bool
    allow: Sequence[str]


@dataclass(frozen=True, slots=True)
class Answer:
    """Something to answer. made: how many calls its task has."""

    table: Table
    field: Field
    kind: str
    made: int


class Trial:
    """Collects what is to be tried. table: the whole file."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.templates: list[tuple[Wrong, str]] = []
        # None: from here on only names of the prelude stand for something.
        self.lines: list[Call | None] = []
        self.answers: list[Answer] = []

    # -- noted while the file is read ---------------------------------------------------------------------

    def text(self, table: Table, name: str, *, needed: bool = False) -> str:
        """A text with values in it."""
        found = table.text(name, needed=needed)
        self.templates.append((at(table, name), found))
        return found

    def texts(self, table: Table, name: str, most: int) -> tuple[str, ...]:
        """A list of such texts."""
        found = table.texts(name, most)
        for number, one in enumerate(found, 1):
            self.templates.append((at(table, f"{name}, entry {number}"), one))
        return found

    def calls(
        self, table: Table, name: str, lines: Sequence[tuple[int, str]], *, begin: bool, allow: Sequence[str]
    ) -> None:
        """Calls with the numbers of their lines."""
        self.lines += [
            Call(at(table, f"{name}, line {number}"), line, begin, allow) for number, line in lines
        ]

    def back_to_prelude(self) -> None:
        """The calls that come now are made behind the prelude."""
        self.lines.append(None)

    def check(self, wrong: Wrong, line: str) -> None:
        """A check of a goal."""
        self.templates.append((wrong, line))

    def field(self, table: Table, asked: Field, kind: str, made: int) -> None:
        """Something to answer."""
        self.answers.append(Answer(table, asked, kind, made))

    # -- tried --------------------------------------------------------------------------------------------

    def run(self, machines: Sequence[Mapping[str, Any]], vary: Sequence[Drawn]) -> None:
        """Everything, with many values. Raises the first fault."""
        for number, description in enumerate(machines, 1):
            place = "machine" if len(machines) == 1 else f"machine: one_of {number}"
            boots: dict[str, Any] = {}
            read: dict[tuple[int, str, str], str | None] = {}
            for turn, pick in enumerate(picks(vary)):
                case = Case(description, boots)
                self.draw(case, vary, pick, place)
                if turn == 0:
                    self.try_texts(case)
                self.try_calls(case, read)
                self.try_answers(case)

    def draw(self, case: Case, vary: Sequence[Drawn], pick: Pick, place: str) -> None:
        """Pick the values, and boot the machine."""
        wrong = self.table.wrong
        try:
            values.each(vary, pick, case.fact, case.values)
            case.boot()
        except formula.BadFormula as error:
            name = next(one.name for one in vary if one.name not in case.values)
            raise wrong(f"vary: {name}: is", explained(error, case)) from None
        except BadTemplate as error:
            before = "" if len(case.values) == len(vary) else ", before facts of the machine are asked for"
            raise wrong(place, f"{error}{before}") from None
        except BadArgument as error:
            fault = error.faults[0]
            raise wrong(".".join(map(str, (place, *fault.loc))), case.told(fault.msg)) from None

    def try_texts(self, case: Case) -> None:
        """Whether each brace stands for a value; which ones there are depends on no chance."""
        for wrong, template in self.templates:
            filled(template, case, wrong)

    def try_calls(self, case: Case, read: dict[tuple[int, str, str], str | None]) -> None:
        """Whether each line is a call of this machine. read: lines that were, and the names they give."""
        prelude: set[str] = set()
        known: set[str] = set()
        for place, line in enumerate(self.lines):
            if line is None:
                known = set(prelude)
                continue
            key = (place, case.key, filled(line.template, case, line.wrong))
            if key not in read:
                read[key] = read_call(line, key[2], case, known)
            if (name := read[key]) is not None:
                known.add(name)
                if line.begin:
                    prelude.add(name)

    def try_answers(self, case: Case) -> None:
        """Whether what is asked can be read or computed."""
        for answer in self.answers:
            try_answer(answer, case)


# -- one by one -------------------------------------------------------------------------------------------


def at(table: Table, name: str) -> Wrong:
    """The fault of a field, or of a part of it."""
    return lambda msg: table.wrong(name, msg)


def filled(template: str, case: Case, wrong: Wrong) -> str:
    """A text with its values. Raises the fault of its place."""
    try:
        return values.fill(template, case.values)
    except BadTemplate as error:
        raise wrong(str(error)) from None


def read_call(line: Call, text: str, case: Case, known: set[str]) -> str | None:
    """What the result of a call is named. Raises the fault of its place."""
    drawn = text != line.template
    try:
        found = calltext.parse_line(text)
        if found.name is not None:
            parsing.parse(found.name, found.body, case.machine.model, known)
    except BadArgument as error:
        fault = error.faults[0]
        place = ".".join(map(str, fault.loc))
        msg = f"{place}: {fault.msg}" if place else fault.msg
        raise line.wrong(case.told(msg) if drawn else msg) from None
    check_allowed(line, found)
    return found.as_name


def check_allowed(line: Call, found: Line) -> None:
    """Only what may be called. Raises the fault of its place."""
    if found.name is None:
        raise line.wrong("no call stands here")
    if line.allow and found.name not in line.allow:
        raise line.wrong(f"{found.name} is not in allow, where there are {', '.join(line.allow)}")


def try_answer(answer: Answer, case: Case) -> None:
    """What is asked, and its wrong answers."""


def explained(error: formula.BadFormula, case: Case) -> str:
    """What is wrong with a formula, and what it could know."""
    if not isinstance(error, formula.UnknownName):
        return case.told(str(error))
    zones = ", ".join(zone.name for zone in case.machine.zones)
    names = [name for name, value in case.values.items() if isinstance(value, int)]
    return (
        f"{error}; there are {', '.join((*names, *facts.OF_MACHINE))}, and of {zones}: "
        f"{', '.join(facts.OF_ZONE)} and reserve, as in managed.{case.machine.zones[0].name}"
    )
