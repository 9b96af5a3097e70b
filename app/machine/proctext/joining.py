"""Lines of a report that the log has torn to pieces, put together again.

From 4.9 on a piece that continues a line says so; those that did not, for some versions, stand on lines of
their own: `Node 0`, `DMA:`, `1*4kB`, `(U)` and so on up to `= 15864kB`.

Kernel: kernel/printk/printk.c, KERN_CONT
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

# What may stand between a stamp or the log's source and the piece.
BEFORE: Final = ("] ", "kernel: ")
NODE: Final = re.compile(r"Node [0-9]{1,4}", re.ASCII)
ZONE: Final = re.compile(r"\w{1,16}:", re.ASCII)
SIZES: Final = re.compile(r"\w{1,16} free:[0-9]", re.ASCII)
RESERVE: Final = "lowmem_reserve[]:"
NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
BLOCKS: Final = re.compile(r"[0-9]{1,12}\*[0-9]{1,8}kB|\([A-Z]{1,8}\)|= [0-9]{1,15}kB", re.ASCII)
# A line that goes on has less pieces, and a piece is shorter.
MOST: Final = 40
LONGEST: Final = 600

Loc = TypeVar("Loc")


def joined(lines: Iterable[tuple[Loc, str]]) -> Iterator[tuple[Loc, str]]:
    """The lines, each with its place; pieces that belong together as one line, at the place of the last."""
    held: list[str] = []
    place: Loc | None = None
    for loc, line in lines:
        piece = piece_of(line)
        if held and place is not None and (len(held) == MOST or not goes_on(held, piece)):
            yield place, " ".join(held)
            held = []
        if held or begins(piece):
            held.append(piece)
            place = loc
        else:
            yield loc, line
    if held and place is not None:
        yield place, " ".join(held)


def piece_of(line: str) -> str:
    """What a line says, without its stamp; empty for one that is no piece."""
    if len(line) > LONGEST + 100:
        return ""
    for words in BEFORE:
        line = line.rpartition(words)[2]
    return line.strip()


def begins(piece: str) -> bool:
    """Whether others may continue it."""
    return piece == RESERVE or any(form.fullmatch(piece) for form in (NODE, ZONE))


def goes_on(held: list[str], piece: str) -> bool:
    """Whether a piece continues those before it."""
    if held[0] == RESERVE:
        return NUMBER.fullmatch(piece) is not None
    if NODE.fullmatch(held[-1]):
        return ZONE.fullmatch(piece) is not None or SIZES.match(piece) is not None
    if SIZES.match(held[-1]):
        return False
    return BLOCKS.fullmatch(piece) is not None
