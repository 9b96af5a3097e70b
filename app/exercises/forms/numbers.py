"""Numbers: of anything, of bytes, in hexadecimal."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from app.exercises.exercise import PARTS, Field
from app.exercises.forms import typed
from app.exercises.forms.form import Answer, BadForm, Form, Marked, Part, Setting, Shape

# Of a number, with everything around it.
LENGTH: Final = 100
DISTANCE: Final = re.compile(r"([0-9]{1,15})|([0-9]{1,3}(?:\.[0-9]{1,3})?) ?%")


def distance(text: str, right: int) -> Fraction:
    """How far off `9` or `2 %` of the right answer is. Raises BadForm."""
    found = DISTANCE.fullmatch(text)
    if found is None:
        raise BadForm(f"{text!r}: a distance is a number, or a share of the right answer as in '2 %'")
    plain, share = found.groups()
    return Fraction(plain) if plain else Fraction(share) * abs(right) / 100


class Number(Form):
    """A whole number."""

    name = "number"
    distances = True
    computed = True
    words = typed.COUNTED
    wants = "A whole number, as in 1,536, 1536, 0x600 or 1.5K."

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {"form": self.name, "control": "text", "hint": self.wants, "most": LENGTH}

    def read(self, text: str, shape: Shape) -> Answer:
        return typed.integer(text, self.words, wants=self.wants)

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, int)
        return f"{answer:,}"

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        assert isinstance(right, int)
        assert isinstance(given, int)
        off = abs(given - right)
        if not off or (field.within and off <= distance(field.within, right)):
            return Marked(PARTS)
        if field.near and off <= distance(field.near[0], right):
            return Marked(field.near[1], (Part("near", 0, right=False, text="near, but not near enough"),))
        return Marked(0)

    def check(self, field: Field) -> None:
        super().check(field)
        if field.within:
            distance(field.within, 0)
        if field.near:
            distance(field.near[0], 0)
            if not 0 < field.near[1] < PARTS:
                raise BadForm("near: its share is below the whole and above nothing")


class Bytes(Number):
    """A number of bytes."""

    name = "bytes"
    words = typed.BYTES
    wants = "A number of bytes, as in 24,576, 0x6000, 24K or 1.5 MiB."

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {**super().shape(field, setting), "unit": "bytes"}

    def text(self, answer: Answer, shape: Shape) -> str:
        return f"{super().text(answer, shape)} {'byte' if answer == 1 else 'bytes'}"


class Hex(Number):
    """A number that people write in hexadecimal: an offset, a mask."""

    name = "hex"
    wants = "A number, as in 0xabc or 2748."

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, int)
        return f"{answer:#x}"
