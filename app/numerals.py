"""Numbers as text: ASCII digits, decimal or hexadecimal, and nothing else that Python's `int` would read."""

from __future__ import annotations

import re
from typing import Final

# No leading zero: in C it makes a number octal. 20 digits are enough for any unsigned 64-bit number; `int`
# refuses more than 4,300 with an error of its own.
NUMERAL: Final = re.compile(r"(?:0[xX]([0-9a-fA-F]{1,16})|(0|[1-9][0-9]{0,19}))")


def unsigned(text: str) -> int | None:
    """The number that a text such as `12` or `0xc0` stands for; None where it is no such number."""
    found = NUMERAL.fullmatch(text)
    if found is None:
        return None
    hexadecimal, decimal = found.groups()
    return int(hexadecimal, 16) if hexadecimal is not None else int(decimal)
