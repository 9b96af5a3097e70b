"""The bits of a page table entry on x86.

Kernel: arch/x86/include/asm/pgtable_types.h. The processor looks at the low bits and the address in between;
those that it ignores are the kernel's: soft-dirty and special.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.mm_types import VM_SHARED

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea

PRESENT: Final = 0x1
RW: Final = 0x2
USER: Final = 0x4
ACCESSED: Final = 0x20
DIRTY: Final = 0x40
PSE: Final = 0x80
PROTNONE: Final = 0x100
SPECIAL: Final = 0x200
SOFT_DIRTY: Final = 0x800
NX: Final = 1 << 63
PFN_MASK: Final = 0xFFFFFFFFFF000
PMD_PFN_MASK: Final = 0xFFFFFFFE00000
PUD_PFN_MASK: Final = 0xFFFFFC0000000
TABLE: Final = 0x67

PAGE_SHIFT: Final = 12
PMD_SHIFT: Final = 21
PUD_SHIFT: Final = 30
PGDIR_SHIFT: Final = 39
PAGE_SIZE: Final = 1 << PAGE_SHIFT
PAGE_KB: Final = PAGE_SIZE >> 10
PMD_SIZE: Final = 1 << PMD_SHIFT
PUD_SIZE: Final = 1 << PUD_SHIFT
# What an entry of a table of each level maps; index 1 is a page.
SHIFT: Final = (0, PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT, PGDIR_SHIFT)
HPAGE_PMD_NR: Final = 512
HPAGE_PMD_ORDER: Final = 9


def page_prot(m: Kernel, vm_flags: int) -> int:
    """The rights that entries of an area get. Kernel: vm_get_page_prot"""
    return m.vm.protection_map[vm_flags & 15]


def vma_page_prot(m: Kernel, vma: VmArea) -> int:
    """The rights that new entries of an area get. Kernel: vma->vm_page_prot, vma_wants_writenotify

    A file on disk must learn of the first write to each of its pages, so that it can be written back: its
    entries are read-only until then, though the area is shared and writable.
    """
    bits = vma.vm_flags & 15
    if bits & 10 == 10 and vma.vm_file is not None and not vma.vm_file.inode.in_memory:
        bits &= ~VM_SHARED
    return m.vm.protection_map[bits]


def flip(entry: int, mask: int = PFN_MASK) -> int:
    """An entry as it stands in the table: not present means an inverted frame. Kernel: flip_protnone_guard

    The processor might otherwise read from the frame ahead of time, though it must not (L1TF).
    """
    return entry ^ mask if entry and not entry & PRESENT else entry


def pte_pfn(entry: int, mask: int = PFN_MASK) -> int:
    """The frame that an entry names. Kernel: pte_pfn"""
    return (flip(entry, mask) & mask) >> PAGE_SHIFT


def pte_present(entry: int) -> bool:
    """Whether it maps a page, be it without any right. Kernel: pte_present"""
    return bool(entry & (PRESENT | PROTNONE))


def mk_pte(pfn: int, prot: int) -> int:
    """An entry from a frame and rights. Kernel: mk_pte, pfn_pte"""
    return flip(pfn << PAGE_SHIFT | prot)


def pte_modify(m: Kernel, entry: int, prot: int, mask: int = PFN_MASK) -> int:
    """The entry with other rights; frame, accessed, dirty and soft-dirty stay. Kernel: pte_modify"""
    keep = ACCESSED | DIRTY | SPECIAL | SOFT_DIRTY | (PSE if mask != PFN_MASK else 0)
    plain = flip(entry, mask)
    return flip(plain & (mask | keep) | prot & ~ACCESSED, mask)


def mkdirty(m: Kernel, entry: int) -> int:
    """Dirty, and soft-dirty where the kernel tracks that. Kernel: pte_mkdirty"""
    return entry | DIRTY | m.vm.soft_dirty
