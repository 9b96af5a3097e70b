"""Typed text: what people write for a number, read generously.

1,536 · 1 536 · 1_536 · 0x600 · 0X600 · 1.5K · 6 MiB · 2^12 · １５３６
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from typing import Final

from app.exercises.forms.form import LENGTH, BadAnswer

# Of what was written, as much is repeated in an answer.
SHOWN: Final = 40
LARGEST: Final = (1 << 63) - 1

HYPHENS: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d\u301c\uff5e"
QUOTES: Final = "\u2018\u2019\u02bc"
# Commas that NFKC leaves, and middle dots between items.
COMMAS: Final = "\u3001\u060c\u066c"
SIGNS: Final = str.maketrans(
    dict.fromkeys(HYPHENS, "-") | dict.fromkeys(QUOTES, "'") | dict.fromkeys(COMMAS, ",")
)
FULL_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}

HEX: Final = re.compile(
    r"([+-]?) ?0x([0-9a-f](?:[_']?[0-9a-f])*) ?(?:([kmgt])(?:ib)?)?( ?[a-z%\uac00-\ud7a3]*)"
)
GROUPS: Final = r"[0-9]{1,3}(?P<comma>[,'_ ])[0-9]{3}(?:(?P=comma)[0-9]{3})*"
DECIMAL: Final = re.compile(
    rf"([+-]?) ?({GROUPS}|[0-9]+)(\.[0-9]+)? ?(?:([kmgt])(?:i?b)?(?![a-z]))? ?([a-z%\uac00-\ud7a3]*)"
)
POWER: Final = re.compile(r"2 ?(?:\^|\*\*) ?([0-9]{1,2})")
# A frame number or an address without 0x, as logs print it: with a letter in it, it can be no decimal number.
BARE: Final = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{2,16}")
UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
BYTES: Final = frozenset(("b", "byte", "bytes", "바이트"))
COUNTED: Final = frozenset(
    (
        *("%", "page", "pages", "frame", "frames", "block", "blocks", "object", "objects", "slab", "slabs"),
        *("area", "areas", "table", "tables", "fault", "faults", "time", "times", "bit", "bits"),
        *("개", "번", "회", "페이지", "프레임", "블록", "객체", "비트"),
    )
)


def plain(text: str) -> str:
    """A text in ASCII where it means ASCII, in lower case or not, with single blanks. Raises BadAnswer.

    Digits, letters and signs of full width become narrow ones, as do digits of other scripts; every kind of
    blank, dash, comma and apostrophe becomes the usual one. What has no width is dropped.
    """
    if len(text) > LENGTH:
        raise BadAnswer(f"At most {LENGTH:,} characters.")
    text = text.translate(FULL_WIDTH).translate(SIGNS)
    if not text.isascii():
        text = "".join(map(narrow, text))
    return " ".join(text.split())


def narrow(character: str) -> str:
    """One character."""
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category in ("Cf", "Cs"):
        return ""
    return " " if category in ("Zs", "Zl", "Zp", "Cc") else character


def shown(text: str) -> str:
    """What was written, as an answer repeats it."""
    text = "".join(character if character.isprintable() else "?" for character in text)
    return f"“{text[:SHOWN]}{'…' if len(text) > SHOWN else ''}”"


def integer(
    text: str, words: frozenset[str] = COUNTED, *, bare: bool = False, most: int = LARGEST, wants: str
) -> int:
    """A whole number. Raises BadAnswer.

    words: what may stand behind it. bare: whether hexadecimal digits may stand without 0x. most: how large it
    may be. wants: what would be accepted.
    """
    said = plain(text).lower()
    if not said:
        raise BadAnswer(f"Nothing is written here. {wants}")
    value = number_of(said, words, wants, bare=bare)
    if abs(value) > most:
        raise BadAnswer(f"{shown(said)} is too large. {wants}")
    return value


def number_of(said: str, words: frozenset[str], wants: str, *, bare: bool) -> int:
    """The number that a plain text in lower case is."""
    if power := POWER.fullmatch(said):
        return 1 << int(power[1])
    if bare and BARE.fullmatch(said):
        return int(said, 16)
    if found := HEX.fullmatch(said):
        sign, digits, unit, word = found.groups()
        whole = Fraction(int(digits.replace("_", "").replace("'", ""), 16))
    elif found := DECIMAL.fullmatch(said):
        sign, digits, _, part, unit, word = found.groups()
        whole = Fraction(re.sub(r"[^0-9]", "", digits) + (part or ""))
    else:
        raise BadAnswer(f"{shown(said)} cannot be read as a number. {wants}")
    if word.strip() and word.strip() not in words:
        raise BadAnswer(f"{shown(word.strip())} behind the number says nothing here. {wants}")
    value = whole * UNITS.get(unit or "", 1)
    if value.denominator != 1:
        raise BadAnswer(f"{shown(said)} is not a whole number. {wants}")
    return -value.numerator if sign == "-" else value.numerator
