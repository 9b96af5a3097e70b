"""What a file asks is tried: whether this machine can tell it, and whether wrong answers are answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from app.exercises import facts, filling, formula, truth
from app.exercises.cases import Case
from app.exercises.exercise import Field, Wrong
from app.exercises.forms import FORMS, BadAnswer, BadForm, Setting, Shape
from app.exercises.values import BadTemplate
from app.tomlfiles.table import BadFile, Table

# What a form may refuse of a field, and what stands there if it has none.
REFUSABLE: Final[tuple[tuple[str, Any], ...]] = (("within", ""), ("near", None), ("options", ()))
# The right answer in a formula of a wrong one, or that of the task's second field.
RIGHT: Final = re.compile(r"right(?:\.([1-9][0-9]?))?")

# Forms that are asked for by means of the calls.
OF_CALLS: Final = ("lines", "tasks")

# What was asked, and by what.
Tried = set[tuple[Any, ...]]
# Makes the fault of a place in the file.
Fault = Callable[[str], BadFile]


@dataclass(frozen=True, slots=True)
class Asked:
    """Something to answer."""

    # Where it stands in the file.
    table: Table
    field: Field
    kind: str
    # Of its task.
    calls: tuple[str, ...]
    # How many fields the task has.
    fields: int


def check_form(table: Table, field: Field) -> None:
    """Whether there is the form, and whether it can be of this field. Raises the fault of its place."""
    if field.form not in FORMS:
        raise table.wrong("form", f"one of {', '.join(FORMS)}")
    try:
        FORMS[field.form].check(field)
    except BadForm as error:
        raise table.wrong(refused(field), str(error)) from None


def refused(field: Field) -> str:
    """What a form does not take of a field."""
    form = FORMS[field.form]
    for name, none in REFUSABLE:
        try:
            form.check(replace(field, **{name: none}))
        except BadForm:
            continue
        return name
    return "options" if form.needs_options else "form"


def try_answers(asked: Asked, case: Case, tried: Tried) -> None:
    """What is asked, and each wrong answer. Raises the fault of its place."""
    field = filled(asked, case)
    form = FORMS[field.form]
    calls = filling.lines(asked.calls, case.values) if field.form in OF_CALLS else ()
    key = (asked, case.key, field, calls)
    again = key in tried
    tried.add(key)
    shape = None if again else shape_of(asked, field, calls, case)
    if form.computed or not again:
        try_right(asked, field, shape, case)
    for number, wrong in enumerate(field.wrong, 1):
        fault = fault_of(asked.table, f"wrong {number}: {'reads' if wrong.reads else 'is'}")
        if wrong.reads:
            try_reads(wrong, asked, field, case, fault)
        elif form.computed and wrong.answer and not truth.is_null(wrong.answer):
            try_formula(wrong, asked, case, fault)
        elif wrong.answer and shape is not None:
            try_text(wrong, field, shape, case, fault)


def filled(asked: Asked, case: Case) -> Field:
    """The field with its values. Raises the fault of its place."""
    try:
        return filling.field(asked.field, case.values)
    except BadTemplate as error:
        raise asked.table.wrong("answer", str(error)) from None


def shape_of(asked: Asked, field: Field, calls: tuple[str, ...], case: Case) -> Shape | None:
    """How it is asked for on the fresh machine; None where only the calls will say that."""
    if field.form == "step":
        return None
    try:
        return FORMS[field.form].shape(field, Setting(case.machine, calls, tasks=tuple(case.tasks)))
    except BadForm as error:
        raise asked.table.wrong("answer", case.told(str(error))) from None


def try_right(asked: Asked, field: Field, shape: Shape | None, case: Case) -> None:
    """What is read or computed. Raises the fault of its place."""
    fault = fault_of(asked.table, "answer")
    try:
        question = truth.question(field, asked.kind)
        if question.call > len(asked.calls):
            raise fault(f"{field.answer!r}: the task has only {len(asked.calls)} calls")
        if question.what == "formula":
            compute(question.text, case)
        elif question.what == "text" and shape is not None:
            FORMS[field.form].read(question.text, shape)
    except (truth.BadQuestion, BadAnswer) as error:
        raise fault(case.told(str(error)) if field.answer != asked.field.answer else str(error)) from None
    except formula.BadFormula as error:
        raise fault(explained(error, case)) from None


def compute(text: str, case: Case) -> None:
    """A formula over values and facts, as far as it can be before the prelude. Raises BadFormula."""
    found = formula.parse(text)
    for name in found.names:
        formula.parse(name).value(case.known)
    if not any(name.startswith("free.") for name in found.names):
        found.value(case.known)


def explained(error: formula.BadFormula, case: Case) -> str:
    """What is wrong with a formula, and what it could know."""
    if isinstance(error, formula.UnknownName):
        return f"{error}; {known(case)}"
    return case.told(str(error))


def try_text(wrong: Wrong, field: Field, shape: Shape, case: Case, fault: Fault) -> None:
    """A wrong answer as it would be typed."""
    try:
        FORMS[field.form].read(wrong.answer, shape)
    except BadAnswer as error:
        raise fault(case.told(str(error))) from None


def try_reads(wrong: Wrong, asked: Asked, field: Field, case: Case, fault: Fault) -> None:
    """A wrong answer that is read from the machine, as the right one is. Raises the fault of its place."""
    try:
        question = truth.reads(wrong, field, asked.kind)
    except truth.BadQuestion as error:
        raise fault(case.told(str(error))) from None
    if question.call > len(asked.calls):
        raise fault(f"{wrong.reads!r}: the task has only {len(asked.calls)} calls")


def try_formula(wrong: Wrong, asked: Asked, case: Case, fault: Fault) -> None:
    """A wrong answer that is computed, as far as it can be while the right one is not known."""
    try:
        for name in formula.parse(wrong.answer).names:
            place = RIGHT.fullmatch(name)
            if place is None:
                formula.parse(name).value(case.known)
            elif int(place[1] or 1) > asked.fields:
                raise fault(f"{name!r}: the task has only {asked.fields} fields")
    except formula.UnknownName as error:
        raise fault(f"{error.msg}; {known(case)}, and right") from None
    except formula.BadFormula as error:
        raise fault(str(error)) from None


def fault_of(table: Table, name: str) -> Fault:
    """The fault of a field, or of a part of it."""
    return lambda msg: table.wrong(name, msg)


def known(case: Case) -> str:
    """What formulas know, in words."""
    names = [
        name if isinstance(value, int) else f"{name}.1"
        for name, value in case.values.items()
        if isinstance(value, int) or (isinstance(value, tuple) and isinstance(value[0], int))
    ]
    return (
        f"there are {', '.join((*names, *facts.OF_MACHINE))}, and of a zone "
        f"{', '.join(facts.OF_ZONE)} and reserve, as in managed.DMA or reserve.DMA.DMA32"
    )
