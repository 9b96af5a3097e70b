"""What people type: names, titles, texts. Bounded, and without what would break a line or a terminal."""

from __future__ import annotations

import unicodedata
from typing import Final

from app.mm.errors import BadArgument

NAME_LENGTH: Final = 40
TITLE_LENGTH: Final = 100
TEXT_LENGTH: Final = 20_000

# Control characters, halves of characters, and marks that turn the direction of what stands around them.
UNWANTED: Final = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
IN_TEXT: Final = frozenset("\n\r\t\u200d")

# Letters and a sign that look like nothing: fillers of Hangul, and Braille without a dot.
BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")


def line(field: str, text: str, most: int) -> str:
    """One line, without blanks around it, though they count. Raises BadArgument at the field."""
    found = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not found or max(len(found), len(text)) > most:
        raise BadArgument.at(field, f"1 to {most} characters")
    if any(unicodedata.category(character) in UNWANTED for character in found):
        raise BadArgument.at(field, "no control characters and no line breaks")
    if not BLANK.isdisjoint(found) or not any(unicodedata.category(c)[0] in "LNPS" for c in found):
        raise BadArgument.at(field, "characters that can be seen")
    return found


def text(field: str, typed: str) -> str:
    """Some lines of Markdown. Raises BadArgument at the field."""
    if len(typed) > TEXT_LENGTH:
        raise BadArgument.at(field, f"at most {TEXT_LENGTH} characters")
    if any(unicodedata.category(c) in UNWANTED and c not in IN_TEXT for c in typed):
        raise BadArgument.at(field, "no control characters")
    return typed.replace("\r\n", "\n")


def key_of(name: str) -> str:
    """A name as it is compared: `Kim`, `kim` and `ＫＩＭ` are one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
