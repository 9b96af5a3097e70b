"""The bytes that were stored: just those, so that two processes can show two values at one address.

The kernel has no such file: it keeps whole pages. A frame has an entry for each byte that somebody stored,
and `UNKNOWN` where it holds what nobody can say, such as the contents of a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, pgalloc
from app.mm.pgtable_types import PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK, pte_pfn

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct

UNKNOWN: Final = -1
MASKS: Final = (PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK)


def frame_at(mm: MmStruct, address: int) -> int:
    """The frame that an address is mapped to; the caller has just made an access there."""
    found = pgalloc.find_leaf(mm, address)
    assert found is not None
    table, at = found
    shift = 9 * (table.level - 1)
    return pte_pfn(table.entries[at], MASKS[table.level - 1]) + (address >> 12 & (1 << shift) - 1)


def load(m: Kernel, mm: MmStruct, address: int) -> int | None:
    """The byte at an address: what was last stored there, 0 where nothing was, None where it is not kept."""
    pfn = frame_at(mm, address)
    stored = m.vm.contents.get(pfn)
    if stored is None:
        inode = mem_map.mapping_of(m, pfn)
        return 0 if inode is None or inode.is_shmem else None
    return stored.get(address & 4095, None if UNKNOWN in stored else 0)


def store(m: Kernel, mm: MmStruct, address: int, value: int) -> None:
    """Keep a byte."""
    pfn = frame_at(mm, address)
    stored = m.vm.contents.get(pfn)
    if stored is None:
        inode = mem_map.mapping_of(m, pfn)
        stored = m.vm.contents[pfn] = {} if inode is None or inode.is_shmem else {UNKNOWN: 0}
    stored[address & 4095] = value & 255


def copy(m: Kernel, old: int, new: int) -> None:
    """What is known of a page is known of its copy. Kernel: copy_user_highpage"""
    stored = m.vm.contents.get(old)
    if stored is not None:
        m.vm.contents[new] = dict(stored)
    elif (inode := mem_map.mapping_of(m, old)) is not None and not inode.is_shmem:
        m.vm.contents[new] = {UNKNOWN: 0}


def forget(m: Kernel, pfn: int) -> None:
    """Something was written there of which nobody keeps a record."""
    m.vm.contents[pfn] = {UNKNOWN: 0}


def zero_from(m: Kernel, pfn: int, offset: int) -> None:
    """What stood behind the new end of a file is gone. Kernel: zero_user_segment"""
    stored = m.vm.contents.get(pfn)
    if stored is not None:
        m.vm.contents[pfn] = {at: value for at, value in stored.items() if at < offset}
