"""GFP masks as people write them: names of either vocabulary joined with `|`, or a number."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.errors import BadArgument
from app.mm.gfp import __GFP_RECLAIM, __GFP_RETRY_MAYFAIL, NAMES
from app.numerals import unsigned

# Spellings of the 3.x kernels that lectures still use.
LECTURE: Final = {"__GFP_WAIT": __GFP_RECLAIM, "__GFP_REPEAT": __GFP_RETRY_MAYFAIL, "__GFP_COLD": 0}
VALUE: Final[dict[str, int]] = {n.name: n.value for n in NAMES} | LECTURE
GFP_MAX: Final = 0xFFFFFFFF
# Every flag there is, by both its names, needs less. What is parsed is also kept.
TEXT_MAX: Final = 2000


def parse(value: str | int) -> int:
    """The mask that a number or flag names stand for. Raises BadArgument."""
    if isinstance(value, str):
        if len(value) > TEXT_MAX:
            raise BadArgument.at((), f"flag names of at most {TEXT_MAX} characters")
        return parse_names(value)
    if type(value) is not int or not 0 <= value <= GFP_MAX:
        raise BadArgument.at((), "gfp_t is a number from 0 to 0xffffffff, or flag names joined with '|'")
    return value


@lru_cache(maxsize=1024)
def parse_names(text: str) -> int:
    """`GFP_KERNEL|__GFP_COMP`, `0xcc0`, or both mixed."""
    mask = 0
    for word in text.split("|"):
        name = word.strip()
        if name in VALUE:
            mask |= VALUE[name]
        elif (number := as_number(name)) is not None:
            mask |= number
        else:
            raise BadArgument.at(
                (),
                f"unknown flag {name[:40]!r}: GET /api/v1/gfp lists the names, or give a number",
                name,
                VALUE,
            )
    return mask


def as_number(word: str) -> int | None:
    """A decimal or hexadecimal gfp_t; None where the word is no such number."""
    number = unsigned(word)
    return number if number is not None and number <= GFP_MAX else None
