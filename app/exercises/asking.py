"""What a file asks is tried: whether this machine can tell it, and whether wrong answers are answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from app.exercises import facts, formula, values
from app.exercises.cases import Case
from app.exercises.exercise import Field, Wrong
from app.exercises.forms import FORMS, BadAnswer, BadForm, Setting, Shape
from app.exercises.values import BadTemplate
from app.tomlfiles.table import BadFile, Table

# What a form may refuse of a field, and what stands there if it has none.
REFUSABLE: Final[tuple[tuple[str, Any], ...]] = (("within", ""), ("near", None), ("options", ()))
# The right answer in a formula of a wrong one, or that of the task's second field.
RIGHT: Final = re.compile(r"right(?:\.([1-9][0-9]?))?")

# Makes the fault of a place in the file.
Fault = Callable[[str], BadFile]


@dataclass(frozen=True, slots=True)
class Asked:
    """Something to answer. calls: of its task. fields: how many the task has."""

    table: Table
    field: Field
    kind: str
    calls: tuple[str, ...]
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


def try_answers(asked: Asked, case: Case) -> None:
    """What is asked, and each wrong answer. Raises the fault of its place."""
    form = FORMS[asked.field.form]
    shape = None if form.computed else shape_of(asked, case)
    for number, wrong in enumerate(asked.field.wrong, 1):
        if wrong.like:
            continue
        fault = fault_of(asked.table, f"wrong {number}: is")
        if form.computed:
            try_formula(wrong, asked, case, fault)
        elif shape is not None:
            try_text(wrong, asked, shape, case, fault)


def shape_of(asked: Asked, case: Case) -> Shape | None:
    """How it is asked for on the fresh machine; None where only the calls will say that."""
    if asked.field.form == "step":
        return None
    fault = fault_of(asked.table, "answer")
    try:
        field = replace(
            asked.field,
            answer=values.fill(asked.field.answer, case.values),
            options=tuple(values.fill(option, case.values) for option in asked.field.options),
        )
        lines = tuple(values.fill(line, case.values) for line in asked.calls)
        return FORMS[field.form].shape(field, Setting(case.machine, lines, tasks=tuple(case.tasks)))
    except (BadForm, BadTemplate) as error:
        raise fault(case.told(str(error))) from None


def try_text(wrong: Wrong, asked: Asked, shape: Shape, case: Case, fault: Fault) -> None:
    """A wrong answer as it would be typed."""
    try:
        FORMS[asked.field.form].read(values.fill(wrong.answer, case.values), shape)
    except BadTemplate as error:
        raise fault(str(error)) from None
    except BadAnswer as error:
        raise fault(case.told(str(error)) if "{" in wrong.answer else str(error)) from None


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
