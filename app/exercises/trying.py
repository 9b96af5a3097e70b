"""What a file says is tried with values that can be drawn.

While the file is read, its texts, calls, checks and answers are noted with their places. `Trial.run` fills
each in and reads it, as it will be read for the person who gets these values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BadArgument
from app.exercises import checks, filling, formula, values
from app.exercises.asking import Asked, Fault, Tried, check_form, explained, fault_of, try_answers
from app.exercises.cases import Case, Pick, picks
from app.exercises.exercise import Check, Drawn
from app.exercises.values import BadTemplate
from app.machine import calltext, parsing
from app.machine.linetext import Line
from app.tomlfiles.table import Table


@dataclass(frozen=True, slots=True)
class Call:
    """A line with a call."""

    fault: Fault
    template: str
    # Of the prelude.
    begin: bool
    # What may be called, if not all.
    allow: Sequence[str]


# In a whole file, which is tried many times.
MOST_CALLS: Final = 400
MOST_FIELDS: Final = 40

# Lines that were read: by their place, the machine and the text, how the result is called and who calls.
Read = dict[tuple[int, str, str], tuple[str | None, str | None]]


class Trial:
    """Collects what is to be tried. table: the whole file."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.templates: list[tuple[Fault, str]] = []
        # None: from here on only names of the prelude stand for something.
        self.lines: list[Call | None] = []
        self.checks: list[tuple[Fault, str]] = []
        self.goals: list[tuple[Fault, Sequence[Check]]] = []
        self.asked: list[Asked] = []

    # -- noted while the file is read ---------------------------------------------------------------------

    def text(self, table: Table, name: str, *, needed: bool = False) -> str:
        """A text with values in it."""
        found = table.text(name, needed=needed)
        self.templates.append((fault_of(table, name), found))
        return found

    def texts(self, table: Table, name: str, most: int) -> tuple[str, ...]:
        """A list of such texts."""
        found = table.texts(name, most)
        for number, one in enumerate(found, 1):
            self.templates.append((fault_of(table, f"{name}, entry {number}"), one))
        return found

    def calls(
        self, table: Table, name: str, lines: Sequence[tuple[int, str]], *, begin: bool, allow: Sequence[str]
    ) -> None:
        """Calls with the numbers of their lines."""
        if sum(isinstance(line, Call) for line in self.lines) + len(lines) > MOST_CALLS:
            raise table.wrong(name, f"at most {MOST_CALLS} calls in a file")
        self.lines += [
            Call(fault_of(table, f"{name}, line {number}"), line, begin, allow) for number, line in lines
        ]

    def back_to_prelude(self) -> None:
        """The calls that come now are made behind the prelude."""
        self.lines.append(None)

    def goal(self, table: Table, found: Sequence[Check], places: Sequence[Table]) -> None:
        """The checks of a goal, with the place of each."""
        self.goals.append((fault_of(table, "check"), found))
        for check, place in zip(found, places, strict=True):
            lines = {f"any, entry {number}": line for number, line in enumerate(check.any, 1)}
            for name, line in (lines or {"is": check.line}).items():
                self.checks.append((fault_of(place, name), line))

    def answer(self, asked: Asked) -> None:
        """Something to answer. Raises a fault of its form."""
        check_form(asked.table, asked.field)
        if len(self.asked) >= MOST_FIELDS:
            raise asked.table.wrong("answer", f"at most {MOST_FIELDS} answers in a file")
        self.asked.append(asked)

    # -- tried --------------------------------------------------------------------------------------------

    def run(self, machines: Sequence[Mapping[str, Any]], vary: Sequence[Drawn]) -> None:
        """Everything, with many values. Raises the first fault."""
        for number, description in enumerate(machines, 1):
            place = "machine" if len(machines) == 1 else f"machine: one_of {number}"
            boots: dict[str, Any] = {}
            read: Read = {}
            tried: Tried = set()
            for turn, pick in enumerate(picks(vary)):
                case = Case(description, boots)
                self.draw(case, vary, pick, place)
                if turn == 0:
                    self.try_texts(case)
                self.try_calls(case, read)
                self.try_checks(case)
                self.try_answers(case, tried)

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
        for fault, template in self.templates:
            filled(template, case, fault)

    def try_calls(self, case: Case, read: Read) -> None:
        """Whether each line is a call of this machine."""
        prelude: set[str] = set()
        known: set[str] = set()
        machine = case.key
        for place, line in enumerate(self.lines):
            if line is None:
                known = set(prelude)
                continue
            key = (place, machine, filled(line.template, case, line.fault))
            if key not in read:
                read[key] = read_call(line, key[2], case, known)
            name, task = read[key]
            if task is not None:
                case.tasks[task] = None
            if name is not None:
                known.add(name)
                if line.begin:
                    prelude.add(name)

    def try_checks(self, case: Case) -> None:
        """Whether each check of a goal can be read, and all of them together."""
        for fault, line in self.checks:
            text = filled(line, case, fault)
            try:
                checks.parse(text)
            except checks.BadCheck as error:
                raise fault(str(error) if text == line else f"{error}, in {text!r}") from None
        for fault, found in self.goals:
            try:
                checks.parse_all([filling.check(check, case.values) for check in found])
            except checks.BadCheck as error:
                raise fault(error.msg) from None

    def try_answers(self, case: Case, tried: Tried) -> None:
        """Whether what is asked can be read or computed. tried: what need not be tried again."""
        for asked in self.asked:
            try_answers(asked, case, tried)


# -- one by one -------------------------------------------------------------------------------------------


def filled(template: str, case: Case, fault: Fault) -> str:
    """A text with its values. Raises the fault of its place."""
    try:
        return values.fill(template, case.values)
    except BadTemplate as error:
        raise fault(str(error)) from None


def read_call(line: Call, text: str, case: Case, names: set[str]) -> tuple[str | None, str | None]:
    """How the result of a call is named, and who calls. Raises the fault of its place."""
    drawn = text != line.template
    try:
        found = calltext.parse_line(text)
        if found.name is not None:
            parsing.parse(found.name, found.body, case.machine.model, names)
    except BadArgument as error:
        first = error.faults[0]
        place = ".".join(map(str, first.loc))
        msg = f"{place}: {first.msg}" if place else first.msg
        raise line.fault(case.told(msg) if drawn else msg) from None
    check_allowed(line, found)
    task = found.body.get("task")
    return found.as_name, task if isinstance(task, str) else None


def check_allowed(line: Call, found: Line) -> None:
    """Only what may be called. Raises the fault of its place."""
    if found.name is None:
        raise line.fault("no call stands here")
    if line.allow and found.name not in line.allow:
        raise line.fault(f"{found.name} is not in allow, where there are {', '.join(line.allow)}")
