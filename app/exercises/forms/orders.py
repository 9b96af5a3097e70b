"""Free lists: how many free blocks of each order a zone has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.exercises.exercise import PARTS, Field
from app.exercises.forms import typed
from app.exercises.forms.form import (
    Answer,
    BadAnswer,
    BadForm,
    Form,
    Marked,
    Part,
    Picture,
    Setting,
    Shape,
    shares,
)
from app.machine import readings

LENGTH: Final = 400
# More blocks than any machine has.
MOST_BLOCKS: Final = 1 << 40
PAIR: Final = re.compile(r"([0-9]{1,2}) ?[:=] ?([0-9,']+)")


class Orders(Form):
    """The count of each order from 0 on, as /proc/buddyinfo has them.

    Boxes that are as before, and are to be, earn nothing: else who changes nothing would be nearly right.
    """

    name = "orders"

    def shape(self, field: Field, setting: Setting) -> Shape:
        """The zone is the second word of what is read: `buddyinfo DMA`."""
        name = zone_of(field.answer)
        before = readings.buddyinfo(setting.machine, name)
        if before is None:
            raise BadForm(f"this machine has no zone {name}")
        return shape_of(name, before)

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text)
        before = shape["before"]
        if PAIR.search(said):
            return pairs(said, before)
        parts = boxes(said)
        if len(parts) != len(before):
            raise BadAnswer(
                f"{wants(before)} You have written {len(parts)} {'number' if len(parts) == 1 else 'numbers'}."
            )
        return [count(part, order) for order, part in enumerate(parts)]

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, list)
        return " ".join(str(each) for each in answer)

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        assert isinstance(right, list)
        assert isinstance(given, list)
        counts = zip(right, given, shape["before"], strict=True)
        told = [
            (order, wanted == got)
            for order, (wanted, got, was) in enumerate(counts)
            if not wanted == got == was
        ]
        parts = tuple(Part("order", order, hit, f"order {order}") for order, hit in told)
        return Marked(shares(sum(hit for _, hit in told), len(told)), parts)

    def picture(self, right: Answer, given: Answer, shape: Shape) -> Picture | None:
        return {
            "kind": "orders",
            "zone": shape["zone"],
            "before": shape["before"],
            "given": given,
            "right": right,
        }

    def check(self, field: Field) -> None:
        super().check(field)
        if not zone_of(field.answer):
            raise BadForm("an answer of the form 'orders' is read as in 'buddyinfo DMA'")


def shape_of(zone: str, before: Sequence[int]) -> Shape:
    """The boxes of a zone."""
    return {
        "form": Orders.name,
        "control": "boxes",
        "hint": wants(before),
        "most": LENGTH,
        "zone": zone,
        "before": list(before),
    }


def wants(before: Sequence[int]) -> str:
    """What would be accepted."""
    return f"{len(before)} numbers, one for each order from 0 to {len(before) - 1}."


def zone_of(read: str) -> str:
    """The zone in `buddyinfo DMA`; empty where there is none."""
    words = read.split()
    return words[1] if len(words) > 1 and words[0] == "buddyinfo" else ""


def boxes(said: str) -> list[str]:
    """The numbers as they stand beside each other: with `;`, else with blanks, else with commas."""
    if ";" in said:
        return said.split(";")
    said = re.sub(r", +", " ", said.strip("[](){}"))
    return said.split() if " " in said else said.split(",")


def pairs(said: str, before: Sequence[int]) -> list[int]:
    """`3:127 9:1`: some orders, the others as before."""
    found = list(before)
    for item in re.split(r"[;,]? +|;", re.sub(r" ?([:=]) ?", r"\1", said)):
        pair = PAIR.fullmatch(item.rstrip(","))
        if pair is None or int(pair[1]) >= len(before):
            raise BadAnswer(f"{typed.shown(item)} is no order with its count, as in 3:127.")
        found[int(pair[1])] = count(pair[2].strip(","), int(pair[1]))
    return found


def count(text: str, order: int) -> int:
    """One box."""
    if not text.strip():
        raise BadAnswer(f"The box of order {order} is empty: 0 where there is no block.")
    value = typed.integer(text, wants=f"Of order {order}: how many blocks, as in 0 or 12.")
    if not 0 <= value <= MOST_BLOCKS:
        raise BadAnswer(f"Of order {order} there cannot be {value:,} blocks.")
    return value
