"""Reads a list of pages as people write it: `7 0 1 2 0 3 0 4`, with R or W behind a page where it matters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.errors import BadArgument
from app.machine.replacement.strings import MOST_REFERENCES, ReferenceString

WORD: Final = re.compile(r"[^\s,;|\[\]]+")
PAGE: Final = re.compile(r"(0[xX][0-9a-fA-F]{1,13}|[0-9]{1,15})([rRwW]?)")
PAUSE_EVERY: Final = 4096
SHOWN: Final = 20


def read(text: str, pause: Callable[[], None]) -> ReferenceString:
    """The references of a list. Raises BadArgument at `string`, with the first word that is no page."""
    references: list[tuple[int, bool]] = []
    for number, word in enumerate(WORD.finditer(text), 1):
        if not number % PAUSE_EVERY:
            pause()
        found = PAGE.fullmatch(word[0])
        if found is None:
            raise BadArgument.at(
                "string",
                f"word {number}, {word[0][:SHOWN]!r}, is no page: a page is a number, decimal or with 0x, "
                "and may have R or W behind it",
            )
        if number > MOST_REFERENCES:
            raise BadArgument.at("string", f"at most {MOST_REFERENCES} references")
        page = int(found[1], 16 if found[1][1:2] in ("x", "X") else 10)
        references.append((page, found[2] in ("w", "W")))
    if not references:
        raise BadArgument.at("string", "pages, as 7 0 1 2 0 3 0 4")
    return ReferenceString(references)


def written(string: ReferenceString) -> str:
    """The same string as a list again."""
    return " ".join(
        f"{string.names[page]}{'W' if write else ''}"
        for page, write in zip(string.pages, string.writes, strict=True)
    )
