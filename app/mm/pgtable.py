"""Page tables of the kernel's own addresses.

Kernel: mm/vmalloc.c vmap_pages_range and below, arch/x86/mm/pgtable.c. What vmalloc costs more than kmalloc:
one entry must be written for every page, tables for the entries are allocated where they are missing, and
nothing ever frees them again. The direct map has all this from boot, in large pages.

A table is known by the power of two of the addresses that it covers, and which of those ranges it is: a PTE
table maps 2 MiB by 512 entries, a PMD table 1 GiB. The levels above exist from boot
(`preallocate_vmalloc_pages`), as does every PMD table on i386 and in the x86_64 kernel image's last 2 GiB,
where modules live.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import page_alloc
from app.mm.memory_model import PAGE_SIZE

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

START_KERNEL_MAP: Final = 0xFFFFFFFF80000000

GFP_PGTABLE_KERNEL: Final = gfp_masks.GFP_KERNEL | gfp_masks.__GFP_ZERO


def has_static_pmd_table(m: Kernel, addr: int) -> bool:
    """Whether the table of 2 MiB entries is part of the kernel image."""
    return m.model.arch == "i386" or addr >= START_KERNEL_MAP


def alloc_table(m: Kernel, addr: int, shift: int, gfp: int) -> int | None:
    """Make sure that the table behind an entry of 2^shift bytes exists.

    Kernel: mm/memory.c __pte_alloc_kernel, __pmd_alloc, include/linux/pgalloc-track.h pte_alloc_kernel_track

    Returns how many entries that wrote: 1 in the level above for a new table, 0 for one that was there.
    None without memory.
    """
    tables = m.vmap.page_tables
    key = (shift, addr >> shift)
    if key in tables or mapped_at_boot(m, addr, shift):
        return 0
    pfn = page_alloc.get_free_pages(m, gfp, 0)
    if m.trace is not None:
        m.trace.vmalloc.page_table(shift, addr, pfn)
    if pfn is None:
        return None
    page = m.pages[pfn]
    page.state = "pagetable"
    m.changed.frame(pfn, 1, page.shown)
    tables[key] = pfn
    return 1


def mapped_at_boot(m: Kernel, addr: int, shift: int) -> bool:
    """Whether a recording shows something in the table's range: then the table exists, in some frame."""
    start = addr >> shift << shift
    end = start + (1 << shift)
    va = m.vmap.busy.prev(start + 1) or m.vmap.busy.next(start)
    while va is not None and va.va_start < end:
        if va.vm is None and va.va_end - PAGE_SIZE > start:
            return True
        va = m.vmap.busy.next(va.va_end)
    return False
