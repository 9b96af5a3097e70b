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
from app.mm.swapops import (
    SWP_EXCLUSIVE,
    SWP_SOFT_DIRTY,
    is_swap_pte,
    pte_to_swp_entry,
    swp_offset,
    swp_type,
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
# Of an entry of a page in swap, whose other bits are part of the slot, in `shown`.
SWAPPED: Final = 1 << 12
MASKS: Final = (0, PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK)


@lru_cache(maxsize=256)
def flags(bits: int) -> str:
    """The flags of an entry, joined with `|`; `none` for an empty one. bits: as `shown` gives them."""
    if bits & SWAPPED:
        kept = ((SWP_EXCLUSIVE, "exclusive"), (SWP_SOFT_DIRTY, "soft_dirty"))
        return "|".join(("swap", *(name for bit, name in kept if bits & bit)))
    return "|".join(name for bit, name in NAMES if bits & bit) or "none"


def shown(entry: int) -> int:
    """What of an entry is said in words: its flags, or that its page is in swap."""
    if entry and not entry & (PRESENT | PROTNONE):
        return SWAPPED | entry & (SWP_EXCLUSIVE | SWP_SOFT_DIRTY)
    return entry & FLAGS


def words(entry: int) -> str:
    """An entry in words; of a page in swap with its slot."""
    if not is_swap_pte(entry):
        return flags(entry & FLAGS)
    slot = pte_to_swp_entry(entry)
    return f"{flags(shown(entry))}, slot {swp_offset(slot)} of area {swp_type(slot)}"


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
