"""How long the names, titles and texts of a lab may be; `app.text` has the rules."""

from __future__ import annotations

from typing import Final

from app import text as texts

NAME_LENGTH: Final = 40
TITLE_LENGTH: Final = 100
TEXT_LENGTH: Final = 20_000

line = texts.line
key_of = texts.comparable


def text(field: str, typed: str) -> str:
    """Some lines of Markdown. Raises BadArgument at the field."""
    return texts.lines(field, typed, TEXT_LENGTH)
