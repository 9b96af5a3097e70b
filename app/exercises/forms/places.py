"""Where something is: a page frame, an address."""

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
    ZoneSpan,
)
from app.exercises.forms.numbers import DISTANCE, LENGTH, distance
from app.machine.machine import Machine
from app.mm.mmzone import MAX_ORDER

NULL: Final = "NULL"
# What people write where there is none.
NULLS: Final = frozenset(("null", "(null)", "nil", "none", "nothing", "없음"))
BLOCK: Final = re.compile(r"block ([0-9]{1,2})")
LARGEST_ADDRESS: Final = (1 << 64) - 1
PAGE_SHIFT: Final = 12


def zones_of(machine: Machine) -> list[ZoneSpan]:
    """The zones of a machine that have frames."""
    return [
        {"name": zone.name, "start": zone.start_pfn, "end": zone.end_pfn}
        for zone in machine.zones
        if zone.spanned_pages
    ]


def zone_at(zones: Sequence[ZoneSpan], pfn: int) -> str:
    """The zone of a frame; empty where it is in none."""
    return next((zone["name"] for zone in zones if zone["start"] <= pfn < zone["end"]), "")


def check_frame(pfn: int, shape: Shape) -> int:
    """The same frame, which the machine must have. Raises BadAnswer."""
    last = max((zone["end"] for zone in shape.get("zones", ())), default=1 << 52) - 1
    if not 0 <= pfn <= last:
        raise BadAnswer(f"{pfn:#x} is no frame of this machine: frames go from 0x0 to {last:#x}.")
    return pfn


class Pfn(Form):
    """A page frame's number, or NULL.

    Near is a distance in frames, `zone` for one of the same zone, or `block 3` for one of the same aligned
    block of order 3.
    """

    name = "pfn"
    distances = True
    computed = True
    wants = "A frame number, as in 0x400 or 1024, or NULL."

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {
            "form": self.name,
            "control": "text",
            "hint": self.wants,
            "most": LENGTH,
            "zones": zones_of(setting.machine),
        }

    def read(self, text: str, shape: Shape) -> Answer:
        if typed.plain(text).lower() in NULLS:
            return NULL
        return check_frame(typed.integer(text, frozenset(), bare=True, wants=self.wants), shape)

    def text(self, answer: Answer, shape: Shape) -> str:
        return f"{answer:#x}" if isinstance(answer, int) else NULL

    def answer(self, value: object, shape: Shape) -> Answer:
        return check_frame(value, shape) if isinstance(value, int) else super().answer(value, shape)

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        if not (isinstance(right, int) and isinstance(given, int)):
            return Marked(0)
        if field.within and abs(right - given) <= distance(field.within, right):
            return Marked(PARTS)
        if field.near:
            return near(right, given, shape, *field.near)
        return Marked(0)

    def picture(self, right: Answer, given: Answer, shape: Shape) -> Picture | None:
        both: dict[str, Answer] = {"given": given, "right": right}
        runs = [
            [pfn, 1, [who for who in both if both[who] == pfn]]
            for pfn in sorted({pfn for pfn in (given, right) if isinstance(pfn, int)})
        ]
        return {"kind": "frames", "runs": runs} if runs else None

    def check(self, field: Field) -> None:
        super().check(field)
        if field.within:
            distance(field.within, 0)
        if field.near is None:
            return
        how, share = field.near
        block = BLOCK.fullmatch(how)
        if how != "zone" and block is None and not DISTANCE.fullmatch(how):
            raise BadForm(f"near: {how!r} is no distance, nor 'zone', nor 'block 3'")
        if block is not None and int(block[1]) >= MAX_ORDER:
            raise BadForm(f"near: no block has the order {block[1]}")
        if not 0 < share < PARTS:
            raise BadForm("near: its share is below the whole and above nothing")


def near(right: int, given: int, shape: Shape, how: str, share: int) -> Marked:
    """A frame that is another than the right one."""
    block = BLOCK.fullmatch(how)
    if block is not None:
        hit = right >> int(block[1]) == given >> int(block[1])
        part = Part("block", int(block[1]), hit, f"{'in' if hit else 'not in'} the right block")
    elif how == "zone":
        zones = shape.get("zones", [])
        hit = zone_at(zones, right) == zone_at(zones, given) != ""
        part = Part("zone", 0, hit, f"{'in' if hit else 'not in'} the right zone")
    else:
        hit = abs(right - given) <= distance(how, right)
        part = Part("near", 0, right=False, text="near, but not near enough" if hit else "not near")
    return Marked(share if hit else 0, (part,))


class Address(Form):
    """An address, or NULL. Kept as text in hexadecimal: no number of JSON is so large.

    Near is a distance in bytes, or `page` for one of the same page.
    """

    name = "address"
    distances = True
    computed = True
    wants = "An address, as in 0xffff888000400000, or NULL."

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {"form": self.name, "control": "text", "hint": self.wants, "most": LENGTH}

    def read(self, text: str, shape: Shape) -> Answer:
        if typed.plain(text).lower() in NULLS:
            return NULL
        return self.answer(
            typed.integer(text, frozenset(), bare=True, most=LARGEST_ADDRESS, wants=self.wants), shape
        )

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, str)
        return answer

    def answer(self, value: object, shape: Shape) -> Answer:
        if not isinstance(value, int):
            return super().answer(value, shape)
        if not 0 <= value <= LARGEST_ADDRESS:
            raise BadAnswer(f"{value} is no address. {self.wants}")
        return f"{value:#x}" if value else NULL

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        if NULL in (right, given):
            return Marked(0)
        wanted, got = int(str(right), 16), int(str(given), 16)
        if field.within and abs(wanted - got) <= distance(field.within, wanted):
            return Marked(PARTS)
        if field.near is None:
            return Marked(0)
        how, share = field.near
        hit = (
            wanted >> PAGE_SHIFT == got >> PAGE_SHIFT
            if how == "page"
            else abs(wanted - got) <= distance(how, wanted)
        )
        text = "near, but not near enough" if hit else "not near"
        return Marked(share if hit else 0, (Part("near", 0, right=False, text=text),))

    def check(self, field: Field) -> None:
        super().check(field)
        if field.within:
            distance(field.within, 0)
        if field.near is None:
            return
        how, share = field.near
        if how != "page" and not DISTANCE.fullmatch(how):
            raise BadForm(f"near: {how!r} is no distance, nor 'page'")
        if not 0 < share < PARTS:
            raise BadForm("near: its share is below the whole and above nothing")
