"""The bytes that were stored: just those, so that two processes can show two values at one address.

The kernel has no such file: it keeps whole pages. A frame has an entry for each byte that somebody stored,
and `UNKNOWN` where it holds besides what nobody can say, such as the contents of a program. Only so many
bytes are kept; of frames whose bytes were forgotten a bit says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, pgalloc
from app.mm.pgtable_types import PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK, pte_pfn

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct

UNKNOWN: Final = -1
MAX_KEPT: Final = 4096
MASKS: Final = (PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK)


def frame_at(mm: MmStruct, address: int) -> int:
    """The frame that an address is mapped to; the caller has just made an access there."""
    small = mm.tables[1].get(address >> 21)
    if small is not None:
        return pte_pfn(small.entries[address >> 12 & 511])
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
        return None if is_unknown(m, pfn) else 0
    return stored.get(address & 4095, None if UNKNOWN in stored else 0)


def store(m: Kernel, mm: MmStruct, address: int, value: int) -> None:
    """Keep a byte; where there are too many, the oldest pages' bytes are forgotten."""
    pfn = frame_at(mm, address)
    vm = m.vm
    stored = vm.contents.get(pfn)
    if stored is None:
        stored = vm.contents[pfn] = {UNKNOWN: 0} if is_unknown(m, pfn) else {}
    if address & 4095 not in stored:
        vm.bytes_kept += 1
    stored[address & 4095] = value & 255
    if vm.bytes_kept > MAX_KEPT:
        forget_oldest(m)


def store_new(m: Kernel, pfns: list[int], offset: int, value: int) -> None:
    """Keep the same byte of each of some pages that were zeroed just before."""
    vm = m.vm
    contents = vm.contents
    value &= 255
    for pfn in pfns:
        contents[pfn] = {offset: value}
        vm.bytes_kept += 1
        if vm.bytes_kept > MAX_KEPT:
            forget_oldest(m)


def is_unknown(m: Kernel, pfn: int) -> bool:
    """Whether nobody can say what a page holds of which no byte is kept: it is a file's, or was forgotten."""
    if m.vm.forgotten and m.vm.forgotten.get(pfn >> 9, 0) >> (pfn & 511) & 1:
        return True
    s = m.vm.sections.get(pfn >> 9)
    if s is None or (not s.order and s.mapping[pfn & 511] & mem_map.PAGE_MAPPING_ANON):
        return False
    inode = mem_map.mapping_of(m, pfn)
    return inode is not None and not inode.is_shmem


def forget_oldest(m: Kernel) -> None:
    """Make room: a quarter goes, so that it is not done for each byte."""
    vm = m.vm
    vm.bytes_kept = sum(map(len, vm.contents.values()))
    for pfn in [*vm.contents]:
        if vm.bytes_kept <= MAX_KEPT * 3 // 4:
            break
        vm.bytes_kept -= len(vm.contents[pfn])
        forget(m, pfn)


def copy(m: Kernel, old: int, new: int) -> None:
    """What is known of a page is known of its copy. Kernel: include/linux/highmem.h copy_user_highpage"""
    stored = m.vm.contents.get(old)
    if stored is not None:
        m.vm.contents[new] = dict(stored)
        m.vm.bytes_kept += len(stored)
    elif is_unknown(m, old):
        forget(m, new)


def move(m: Kernel, old: int, new: int) -> None:
    """A page has another frame; what is known of it goes along. Kernel: mm/util.c folio_copy"""
    vm = m.vm
    stored = vm.contents.pop(old, None)
    if stored is not None:
        vm.contents[new] = stored
    elif vm.forgotten and vm.forgotten.get(old >> 9, 0) >> (old & 511) & 1:
        forget(m, new)


def forget(m: Kernel, pfn: int) -> None:
    """Something was written there of which nobody keeps a record."""
    m.vm.contents.pop(pfn, None)
    m.vm.forgotten[pfn >> 9] = m.vm.forgotten.get(pfn >> 9, 0) | 1 << (pfn & 511)


def zero_from(m: Kernel, pfn: int, offset: int) -> None:
    """What stood behind the new end of a file is gone. Kernel: zero_user_segment"""
    stored = m.vm.contents.get(pfn)
    if stored is not None:
        m.vm.contents[pfn] = {at: value for at, value in stored.items() if at < offset}
