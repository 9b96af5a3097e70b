"""Some of several things: flags of a mask, lines of a list, steps of an explanation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.exercises.exercise import PARTS, Field
from app.exercises.forms import typed
from app.exercises.forms.chosen import chosen
from app.exercises.forms.form import (
    LENGTH,
    Answer,
    BadAnswer,
    Form,
    Marked,
    Option,
    Part,
    Setting,
    Shape,
    shares,
)
from app.exercises.forms.places import NULLS

# What `|` may join, beside which `,` and blanks do.
FLAGS: Final = (
    "__GFP_DMA", "__GFP_HIGHMEM", "__GFP_DMA32", "__GFP_MOVABLE", "__GFP_HIGH", "__GFP_ATOMIC",
    "__GFP_DIRECT_RECLAIM", "__GFP_KSWAPD_RECLAIM", "__GFP_IO", "__GFP_FS", "__GFP_HARDWALL", "__GFP_COMP",
    "__GFP_NORETRY", "__GFP_NOFAIL", "__GFP_MEMALLOC", "__GFP_ZERO",
)  # fmt: skip
NUMBERED: Final = re.compile(r"#?([0-9]{1,5})(?: ?- ?#?([0-9]{1,5}))?")
MOST: Final = 2000
NONE: Final = "none"


class Some(Form):
    """A set of the options. Who marks everything has as many wrong as right, and gets nothing for it."""

    kind = "named"

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        assert isinstance(right, list)
        assert isinstance(given, list)
        wanted = set(right)
        places = {option["value"]: place for place, option in enumerate(shape["options"], 1)}
        parts = [
            Part(self.kind, places.get(str(each), 0), each in wanted, self.named(each)) for each in given
        ]
        hits = sum(part.right for part in parts)
        missing = len(wanted) - hits
        if missing:
            parts.append(Part("missing", missing, right=False, text=f"{missing} that you did not mark"))
        worth = max(0, hits - (len(given) - hits))
        return Marked(shares(worth, len(wanted)) if wanted else 0, tuple(parts))

    def named(self, item: int | str) -> str:
        """One of them in words."""
        return str(item)


class Flags(Some):
    """Flags of a mask, or other names."""

    name = "flags"
    takes_options = True

    def shape(self, field: Field, setting: Setting) -> Shape:
        options: list[Option] = [{"value": name, "label": name} for name in field.options or FLAGS]
        return {
            "form": self.name,
            "control": "checks",
            "hint": "Names joined with | or commas, or none.",
            "most": LENGTH,
            "none": NONE,
            "options": options,
        }

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text)
        if said.lower() in NULLS or said == "0":
            return []
        if not said:
            raise BadAnswer(f"Nothing is marked: write {NONE} if there is none.")
        options = shape["options"]
        found = {flag(name, options) for name in re.split(r" *[|,;] *| +", said) if name}
        return [option["value"] for option in options if option["value"] in found]

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, list)
        return "|".join(str(name) for name in answer) or NONE


def flag(name: str, options: list[Option]) -> str:
    """One flag, with or without what all of them begin with."""
    values = {option["value"].casefold(): option["value"] for option in options}
    said = name.casefold()
    return values.get(said) or values.get(f"__gfp_{said}") or chosen(name, options)


class Numbered(Some):
    """A set of numbered things: `2, 4-5`."""

    wants: str

    def items(self, setting: Setting) -> Sequence[tuple[int, str]]:
        """Number and text of each."""
        raise NotImplementedError

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {
            "form": self.name,
            "control": "checks",
            "hint": self.wants,
            "most": LENGTH,
            "none": NONE,
            "options": [{"value": str(number), "label": text} for number, text in self.items(setting)],
        }

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text).lower()
        if said in NULLS:
            return []
        if not said:
            raise BadAnswer(f"Nothing is marked. {self.wants}")
        known = {int(option["value"]) for option in shape["options"]}
        found: set[int] = set()
        for item in re.split(r"[,;| ]+", re.sub(r" ?[-~] ?", "-", said)):
            if item:
                found |= self.numbers(item, known)
        return sorted(found)

    def numbers(self, item: str, known: set[int]) -> set[int]:
        """`4-5`."""
        found = NUMBERED.fullmatch(item)
        if found is None:
            raise BadAnswer(f"{typed.shown(item)} is no number. {self.wants}")
        first, last = int(found[1]), int(found[2] or found[1])
        if last - first >= MOST:
            raise BadAnswer(f"{typed.shown(item)} is too long. {self.wants}")
        numbers = set(range(first, last + 1))
        if not numbers or not numbers <= known:
            raise BadAnswer(f"{typed.shown(item)} is not there. {self.wants}")
        return numbers

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, list)
        return ", ".join(str(number) for number in answer) or NONE


class Lines(Numbered):
    """Lines of a list of calls."""

    name = "lines"
    kind = "line"
    wants = "Numbers of lines, as in 2, 4-5, or none."

    def items(self, setting: Setting) -> Sequence[tuple[int, str]]:
        return list(enumerate(setting.lines, 1))

    def named(self, item: int | str) -> str:
        return f"line {item}"


class Step(Numbered):
    """Steps of an explanation: usually the one that decided."""

    name = "step"
    kind = "step"
    wants = "The number of a step, as in 7."

    def items(self, setting: Setting) -> Sequence[tuple[int, str]]:
        return setting.steps

    def named(self, item: int | str) -> str:
        return f"step {item}"
