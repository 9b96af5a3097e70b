"""The values that one person gets, drawn from a seed, and texts in which they stand.

The same seed gives the same values in every process and on every machine: chance comes from SHA-256, and
nothing else.

    {size}      a value                     {who.1}    the first of a shuffled list
    {pfn:x}     in hexadecimal: 0x400       {size:,}   with commas: 1,536
    {{          the brace itself
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from app.exercises import formula
from app.exercises.exercise import Drawn

Value = int | str | tuple[int | str, ...]
Values = Mapping[str, Value]
T = TypeVar("T")

PLACE: Final = re.compile(r"\{(?:(?P<brace>\{)|(?P<name>[a-z][a-z0-9_]*(?:\.[0-9]{1,2})?)(?P<form>:[x,])?\})")
# The fields of a machine's description in which values may stand.
IN_MACHINE: Final = ("memory", "cpus")


class BadTemplate(Exception):  # noqa: N818 - as the others are named
    """A text with a brace that stands for nothing: what is wrong, and in which column from 1."""

    def __init__(self, msg: str, column: int) -> None:
        super().__init__(f"column {column}: {msg}")
        self.msg = msg
        self.column = column


class Chance:
    """Numbers by chance, the same ones for the same seed."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self.taken = 0

    def below(self, end: int) -> int:
        """A number from 0 on, below `end` (at most 2^64), each as likely as the others."""
        if not 0 < end <= 1 << 64:
            raise ValueError(end)
        fair = (1 << 64) - (1 << 64) % end
        while True:
            block = hashlib.sha256(self.seed + self.taken.to_bytes(8, "big")).digest()
            self.taken += 1
            number = int.from_bytes(block[:8], "big")
            if number < fair:
                return number % end

    def one_of(self, choices: Sequence[T]) -> T:
        """One of some."""
        return choices[self.below(len(choices))]

    def shuffled(self, choices: Sequence[T]) -> tuple[T, ...]:
        """All of them, in any order."""
        found = list(choices)
        for last in range(len(found) - 1, 0, -1):
            other = self.below(last + 1)
            found[last], found[other] = found[other], found[last]
        return tuple(found)


# -- drawing ----------------------------------------------------------------------------------------------


def draw(
    vary: Sequence[Drawn], chance: Chance, facts: formula.Names, found: dict[str, Value] | None = None
) -> dict[str, Value]:
    """The values of an exercise, drawn in the order of the file.

    facts: of the fresh machine; raises KeyError for what is none. Only formulas ask it, so the machine can be
    booted then. found: is filled as values are drawn, for facts of a machine that depends on them. Raises
    BadFormula.
    """
    return each(vary, lambda one: drawn(one, chance), facts, found)


def base(
    vary: Sequence[Drawn], facts: formula.Names, found: dict[str, Value] | None = None
) -> dict[str, Value]:
    """What an exercise is shown with when nothing is drawn: the first choices, lists as the file has them."""
    return each(vary, lambda one: at(one, 0), facts, found)


def each(
    vary: Sequence[Drawn],
    pick: Callable[[Drawn], Value],
    facts: formula.Names,
    found: dict[str, Value] | None = None,
) -> dict[str, Value]:
    """The values, each as it is picked; those of formulas are computed."""
    found = {} if found is None else found
    for one in vary:
        found[one.name] = compute(one, found, facts) if one.how == "is" else pick(one)
    return found


def drawn(one: Drawn, chance: Chance) -> Value:
    """One value by chance."""
    if one.how == "shuffle":
        return chance.shuffled(one.choices)
    return at(one, chance.below(ways(one)))


def ways(one: Drawn) -> int:
    """How many values there are to draw from, where it is no shuffled list."""
    if one.how == "between":
        return (one.high - one.low) // one.step + 1 - len(left_out(one))
    return len(one.choices)


def at(one: Drawn, place: int) -> Value:
    """The value in a place, counted from 0; of a list that is shuffled the list as it stands."""
    if one.how == "shuffle":
        return one.choices
    if one.how == "from":
        return one.choices[place]
    for skipped in left_out(one):
        place += skipped <= place
    return one.low + place * one.step


def left_out(one: Drawn) -> list[int]:
    """The places of values that are not to be drawn, in order."""
    places = {
        (value - one.low) // one.step
        for value in one.leave_out
        if one.low <= value <= one.high and (value - one.low) % one.step == 0
    }
    return sorted(places)


def compute(one: Drawn, found: Values, facts: formula.Names) -> int:
    """The value of a formula over values before it and facts."""
    return formula.parse(one.formula).value(known(found, facts))


def known(found: Values, facts: formula.Names) -> formula.Names:
    """What a formula can know: drawn values, and facts."""

    def name(word: str) -> int:
        value = look_up(found, word)
        if value is None:
            return facts(word)
        if not isinstance(value, int):
            raise KeyError(word)
        return value

    return name


def look_up(found: Values, word: str) -> Value | None:
    """A value by its name, or by its name and place; None where there is none."""
    name, _, place = word.partition(".")
    value = found.get(name)
    if value is None or not place:
        return value
    if isinstance(value, tuple) and place.isdecimal() and 1 <= int(place) <= len(value):
        return value[int(place) - 1]
    return None


# -- filling in -------------------------------------------------------------------------------------------


def fill(template: str, found: Values) -> str:
    """A text with its values. Raises BadTemplate."""
    if "{" not in template and "}" not in template:
        return template
    parts = []
    end = 0
    while (start := template.find("{", end)) >= 0:
        parts.append(unbraced(template[end:start]))
        place = PLACE.match(template, start)
        if place is None:
            raise BadTemplate("a value stands as {name}, and a brace itself as {{", start + 1)
        parts.append("{" if place["brace"] else written(place, found))
        end = place.end()
    return "".join([*parts, unbraced(template[end:])])


def unbraced(text: str) -> str:
    """Text between values: closing braces may be doubled as opening ones must be."""
    return text.replace("}}", "}")


def written(place: re.Match[str], found: Values) -> str:
    """One value as it stands in a text."""
    word, column = place["name"], place.start() + 1
    value = look_up(found, word)
    if value is None:
        raise BadTemplate(f"{word!r} is no value; there are {', '.join(names(found)) or 'none'}", column)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if not place["form"]:
        return str(value)
    if not isinstance(value, int):
        raise BadTemplate(f"{word!r} is no number, so it has no form {place['form'][1:]!r}", column)
    return f"{value:,}" if place["form"] == ":," else f"{value:#x}"


def names(found: Values) -> list[str]:
    """What can stand in braces."""
    return [
        name
        for word, value in found.items()
        for name in (
            [word, *(f"{word}.{place}" for place in range(1, len(value) + 1))]
            if isinstance(value, tuple)
            else [word]
        )
    ]


def machine(description: Mapping[str, Any], found: Values) -> dict[str, Any]:
    """A machine's description with its values. Raises BadTemplate."""
    filled = dict(description)
    for field in IN_MACHINE:
        if isinstance(filled.get(field), str):
            text = fill(filled[field], found)
            filled[field] = int(text) if text.isascii() and text.isdecimal() else text
    return filled
