"""What an entry holds when its page is in swap: the area and the slot.

Kernel: include/linux/swapops.h, arch/x86/include/asm/pgtable_64.h, pgtable-3level.h. The processor looks at
no other bit of an entry that is not present, so the kernel keeps there where the page is. The slot is stored
inverted, so that such an entry never names memory that exists (L1TF).
"""

from __future__ import annotations

from typing import Final

from app.mm.pgtable_types import RW, pte_present

MAX_SWAPFILES: Final = 22
SWP_TYPE_BITS: Final = 5
SWP_TYPE_SHIFT: Final = 58
SWP_OFFSET_MASK: Final = (1 << SWP_TYPE_SHIFT) - 1
# Bits of the entry in a table. The slot stands from bit 9 on, above what would make the entry present.
SWP_OFFSET_FIRST_BIT: Final = 9
SWP_OFFSET_BITS: Final = 64 - SWP_OFFSET_FIRST_BIT - SWP_TYPE_BITS
SWP_EXCLUSIVE: Final = 0x8
SWP_SOFT_DIRTY: Final = RW


def swp_entry(type: int, offset: int) -> int:
    """Area and slot as one number; 0 is none. Kernel: swp_entry"""
    return type << SWP_TYPE_SHIFT | offset


def swp_type(entry: int) -> int:
    """The area. Kernel: swp_type"""
    return entry >> SWP_TYPE_SHIFT


def swp_offset(entry: int) -> int:
    """The slot within its area. Kernel: swp_offset"""
    return entry & SWP_OFFSET_MASK


def swp_entry_to_pte(entry: int) -> int:
    """The entry of a table that says so. Kernel: swp_entry_to_pte"""
    inverted = ~swp_offset(entry) & (1 << SWP_OFFSET_BITS) - 1
    return swp_type(entry) << 64 - SWP_TYPE_BITS | inverted << SWP_OFFSET_FIRST_BIT


def pte_to_swp_entry(pte: int) -> int:
    """Area and slot that an entry of a table names. Kernel: pte_to_swp_entry"""
    offset = ~(pte >> SWP_OFFSET_FIRST_BIT) & (1 << SWP_OFFSET_BITS) - 1
    return swp_entry(pte >> 64 - SWP_TYPE_BITS, offset)


def is_swap_pte(pte: int) -> bool:
    """Whether an entry names a slot and not a frame. Kernel: is_swap_pte"""
    return bool(pte) and not pte_present(pte)
