"""Checks that several kinds of arguments make, and how their JSON schemas are written."""

from __future__ import annotations

import re
from typing import Any, Final

from app.errors import BadArgument

HEX: Final = re.compile(r"0x[0-9a-fA-F]{1,16}")

Schema = dict[str, Any]


def integer(value: Any, low: int, high: int, what: str) -> int:
    """A JSON integer within the C type's range."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadArgument.at((), f"{what}: an integer from {low} to {high}")
    return value


def matching(value: Any, pattern: re.Pattern[str], what: str) -> str:
    """A string of the given form."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise BadArgument.at((), what)
    return value


def numbers(low: int, high: int) -> Schema:
    """The schema of an integer in a range."""
    return {"type": "integer", "minimum": low, "maximum": high}


def exactly(pattern: str) -> Schema:
    """The schema of a string of a form."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"}
