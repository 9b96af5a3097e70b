"""Text that a client sends: measured first, then checked, then put into one form.

Normalisation takes quadratic time for a long run of combining marks. So nothing here costs more than one pass
before the length is known to be within the limit.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from app.errors import BadArgument

# Control characters, surrogates, format characters (which can turn the direction of a line), line separators.
UNWANTED: Final = frozenset({"Cc", "Cs", "Cf", "Zl", "Zp"})
JOINER: Final = "\u200d"  # joins pictures to one
LINE_ENDS: Final = "\n\r\t"

# Letters and a sign that look like nothing: fillers of Hangul, and Braille without a dot.
BLANK: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800")

# How many marks may follow one letter. More would cover the lines above and below.
MOST_MARKS: Final = 4
MARK_CATEGORIES: Final = frozenset({"Mn", "Me"})

# Of a name that is compared. The longest name that can be stored is shorter.
COMPARED: Final = 200


def line(field: str, text: str, most: int, *, allowed: str = "") -> str:
    """One line of at most `most` characters, in normalisation form C, without blanks around it.

    The blanks count. allowed: characters of the unwanted kinds that may stand in it. Raises BadArgument at
    the field.
    """
    if len(text) > most:
        raise BadArgument.at(field, f"1 to {most} characters")
    found = " ".join(unicodedata.normalize("NFC", text).split(" ")).strip()
    if not 0 < len(found) <= most:
        raise BadArgument.at(field, f"1 to {most} characters")
    check_characters(field, found, allowed, "no control characters and no line breaks")
    if not BLANK.isdisjoint(found) or not any(unicodedata.category(c)[0] in "LNPS" for c in found):
        raise BadArgument.at(field, "characters that can be seen")
    return found


def lines(field: str, text: str, most: int) -> str:
    """Text of several lines and at most `most` characters. Raises BadArgument at the field."""
    if len(text) > most:
        raise BadArgument.at(field, f"at most {most} characters")
    check_characters(field, text, LINE_ENDS + JOINER, "no control characters")
    return text.replace("\r\n", "\n")


def check_characters(field: str, text: str, allowed: str, words: str) -> None:
    """Raises BadArgument for an unwanted character (with these words) and for too many marks in a row."""
    if text.isascii() and text.isprintable():
        return
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in UNWANTED and character not in allowed:
            raise BadArgument.at(field, words)
        if category in MARK_CATEGORIES or is_part_of_syllable(character):
            marks += 1
            if marks > MOST_MARKS:
                raise BadArgument.at(field, f"at most {MOST_MARKS} combining marks on one letter")
        elif category != "Cf":  # a joiner has no width: marks go on behind it
            marks = 0


def is_part_of_syllable(character: str) -> bool:
    """Whether a letter of Hangul is drawn over the one before it: a conjoining vowel or final."""
    return "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7ff"


def comparable(name: str) -> str:
    """The form in which names are compared: `Kim`, `kim` and `ＫＩＭ` are the same.

    Only the beginning of a name that is longer than any stored one is compared.
    """
    return " ".join(unicodedata.normalize("NFKC", name[:COMPARED]).casefold().split())
