"""Reads traces that students have: of valgrind's lackey, of `address R|W` lines, and dinero's.

Which it is shows at the first line that is one of them. Lines that are none of that form are dropped, and
counted by the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from app.machine.replacement.strings import MOST_REFERENCES

PAGE_SHIFT: Final = 12
PAUSE_EVERY: Final = 4096
# Why lines are dropped.
VALGRINDS: Final = "valgrind's own words"
NO_REFERENCE: Final = "no reference"

# Found one by one: a list of all lines takes many times the memory of the text.
LINE: Final = re.compile(r"[^\n]+")
# Kinds: I fetches an instruction, L loads, S stores, M does both at one address.
LACKEY: Final = re.compile(r"(I ?| [LSM]) ?([0-9a-fA-F]{1,16}),([0-9]{1,6})\s*")
HEX_RW: Final = re.compile(r"\s*(?:0x)?([0-9a-fA-F]{1,16})[\s,]+([RWrw])\s*")
DIN: Final = re.compile(r"\s*([012])\s+(?:0x)?([0-9a-fA-F]{1,16})\s*")

FORMS: Final = "lackey (` L 1ffeffe540,8`), `address R|W` in hexadecimal, or din (`0 7fff0010`)"


class Trace(NamedTuple):
    """What was read. form: which of the three. dropped: lines that were not taken, by why."""

    form: str
    references: list[tuple[int, bool]]
    dropped: dict[str, int]


def lackey(line: str) -> Iterator[tuple[int, bool]] | None:
    """An access to some bytes, which may lie in two pages."""
    found = LACKEY.fullmatch(line)
    if found is None:
        return None
    kind, address, size = found[1].strip(), int(found[2], 16), int(found[3])
    first, last = address >> PAGE_SHIFT, address + max(size, 1) - 1 >> PAGE_SHIFT
    return ((page, kind in "SM") for page in range(first, last + 1))


def hex_rw(line: str) -> Iterator[tuple[int, bool]] | None:
    """An address and how it is used."""
    found = HEX_RW.fullmatch(line)
    return None if found is None else iter(((int(found[1], 16) >> PAGE_SHIFT, found[2] in "Ww"),))


def din(line: str) -> Iterator[tuple[int, bool]] | None:
    """0 reads, 1 writes, 2 fetches an instruction."""
    found = DIN.fullmatch(line)
    return None if found is None else iter(((int(found[2], 16) >> PAGE_SHIFT, found[1] == "1"),))


READERS: Final[dict[str, Callable[[str], Iterator[tuple[int, bool]] | None]]] = {
    "lackey": lackey,
    "hexaddr": hex_rw,
    "din": din,
}


def read(text: str, pause: Callable[[], None]) -> Trace | None:
    """The references of a trace, those of whole pages; None where no line has any of the forms."""
    form: str | None = None
    references: list[tuple[int, bool]] = []
    dropped: Counter[str] = Counter()
    for number, ended in enumerate(LINE.finditer(text)):
        if not number % PAUSE_EVERY:
            pause()
        line = ended[0].rstrip("\r")
        form = form or next((name for name, reader in READERS.items() if reader(line) is not None), None)
        found = None if form is None else READERS[form](line)
        if found is None:
            if line.strip():
                dropped[VALGRINDS if line.startswith("==") else NO_REFERENCE] += 1
        elif len(references) >= MOST_REFERENCES:
            dropped[f"behind the first {MOST_REFERENCES} references"] += 1
        else:
            references += found
    return None if form is None else Trace(form, references[:MOST_REFERENCES], dict(dropped))
