"""Answers of a form that nobody has a reason for: beside wrong ones of a file where these are few."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from app.exercises.forms import Answer, BadAnswer
from app.exercises.sealing import FieldVariant
from app.mm.pgtable_types import PAGE_SIZE

# How far apart numbers of a form are, where it is more than one.
STEPS: Final = {"bytes": 8, "address": PAGE_SIZE}


def others(field: FieldVariant) -> Iterator[Answer]:
    """Other answers than the right one, those first that stand nearest to it; not all of them differ."""
    right = field.right
    if field.form.computed:
        yield from numbers(field)
    elif isinstance(right, str):
        yield from (option["value"] for option in field.shape.get("options", ()))
    elif field.field.form == "orders":
        yield from counts(right)
    elif field.field.form == "step":
        yield from ([int(option["value"])] for option in field.shape.get("options", ()))
    elif isinstance(right, list):
        yield from lists(field, right)


def numbers(field: FieldVariant) -> Iterator[Answer]:
    """Numbers around a number; of an address others of its kind."""
    with suppress(ValueError):
        right = int(str(field.right), 0)
        step = STEPS.get(field.field.form, 1)
        found = [-right, 2 * right, right // 2] if step != PAGE_SIZE else []
        for number in (*found, right + step, right - step, right + 2 * step):
            if number >= min(right, 0) or number == -right > 0:
                with suppress(BadAnswer):
                    yield field.form.answer(number, field.shape)


def counts(right: Answer | None) -> Iterator[Answer]:
    """One block more of an order, or one fewer."""
    assert isinstance(right, list)
    blocks = [int(count) for count in right]
    for order, count in enumerate(blocks):
        yield [*blocks[:order], count - 1 if count else 1, *blocks[order + 1 :]]


def lists(field: FieldVariant, right: Sequence[int | str]) -> Iterator[Answer]:
    """Without one of them, with one more, or in another order where that says something else."""
    for names in sets(field, [str(each) for each in right]):
        with suppress(BadAnswer):
            yield field.form.answer(names, field.shape)


def sets(field: FieldVariant, right: Sequence[str]) -> Iterator[Sequence[str]]:
    """The same as texts."""
    for place in range(len(right)):
        yield [*right[:place], *right[place + 1 :]]
    for option in field.shape.get("options", ()):
        if option["value"] not in right:
            yield [*right, option["value"]]
    if field.field.form == "frames" and right:
        yield [*right, str(int(right[-1]) + 1)]
    yield right[::-1]
