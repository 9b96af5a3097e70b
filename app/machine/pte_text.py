"""Page table entries in words: the names of levels, and of an entry's bits."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from app.mm import pgalloc
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    NX,
    PFN_MASK,
    PMD_PFN_MASK,
    PRESENT,
    PROTNONE,
    PSE,
    PUD_PFN_MASK,
    RW,
    SOFT_DIRTY,
    SPECIAL,
    USER,
    pte_pfn,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.mm.mm_types import MmStruct

LEVELS: Final = ("", "pte", "pmd", "pud", "pgd")
NAMES: Final = (
    (PRESENT, "present"),
    (PROTNONE, "protnone"),
    (RW, "rw"),
    (USER, "user"),
    (ACCESSED, "accessed"),
    (DIRTY, "dirty"),
    (PSE, "huge"),
    (SPECIAL, "special"),
    (SOFT_DIRTY, "soft_dirty"),
    (NX, "nx"),
)
# The bits of an entry that are no part of a frame number, which may stand inverted.
FLAGS: Final = NX | 0xFFF
MASKS: Final = (0, PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK)


@lru_cache(maxsize=256)
def flags(bits: int) -> str:
    """The flags of an entry, joined with `|`; `none` for an empty one."""
    return "|".join(name for bit, name in NAMES if bits & bit) or "none"


def maps_memory(level: int, entry: int) -> bool:
    """Whether an entry of a table of that level maps a page, and not a further table."""
    return bool(entry) and (level == 1 or bool(entry & PSE))


def frame_of(level: int, entry: int, address: int) -> int | None:
    """The frame that an entry maps an address to; None where it maps nothing."""
    if not maps_memory(level, entry) or not entry & (PRESENT | PROTNONE):
        return None
    within = (1 << 9 * (level - 1)) - 1
    return pte_pfn(entry, MASKS[level]) + (address >> 12 & within)


def walk(mm: MmStruct, address: int) -> list[list[int | str]]:
    """`[level, index, entry]` from the highest table down, as an outcome shows them."""
    return [] if mm.pgd is None else steps(pgalloc.walked(mm, address), mm.pgd.level)


def steps(walked: Iterable[tuple[int, int, int]], top: int) -> list[list[int | str]]:
    """The same of a walk that was made before. top: the level of the highest table."""
    return [["pgd" if level == top else LEVELS[level], at, f"{entry:#x}"] for level, at, entry in walked]
