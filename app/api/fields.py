"""Checks the members of a JSON object: which are required, which optional, and the kind of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from app.api.bodies import refuse_others
from app.machine.calls import JSON_INT_MAX

ID_FORM: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Kind(NamedTuple):
    """What would be accepted, in words, and whether a value is that."""

    words: str
    fits: Callable[[Any], bool]


# PostgreSQL keeps no text with a NUL in it, and nobody types one.
STRING: Final = Kind("a string", lambda value: isinstance(value, str) and "\0" not in value)
ID: Final = Kind("an id, as lists have it", lambda value: isinstance(value, str) and is_id(value))
SEQ: Final = Kind("the seq of a row", lambda value: type(value) is int and 0 <= value <= JSON_INT_MAX)
FLAG: Final = Kind("true or false", lambda value: isinstance(value, bool))


def is_id(value: str) -> bool:
    """Whether a string could be the id of anything."""
    return ID_FORM.fullmatch(value) is not None


def between(least: float, most: float, what: str) -> Kind:
    """A number with bounds. what: of what."""
    return Kind(
        f"{what}, from {least:g} to {most:g}",
        lambda value: type(value) in (int, float) and least <= value <= most,
    )


def taken(
    document: dict[str, Any], required: Mapping[str, Kind], optional: Mapping[str, Kind] | None = None
) -> dict[str, Any]:
    """The members that are there. Raises BadArgument with a fault for each that is missing or cannot be."""
    optional = optional or {}
    known = {**required, **optional}
    faults = refuse_others(document, *known)
    for name, kind in known.items():
        if name not in document:
            if name in required:
                faults.add(name, f"required: {kind.words}")
        elif not kind.fits(document[name]):
            faults.add(name, kind.words)
    faults.check()
    return document
