"""Writing dirty pages of files back to their disk.

Kernel: mm/page-writeback.c, mm/filemap.c filemap_fdatawrite_range. Before a page is written its entries
become read-only and clean, so that the next write is noticed and the page is dirty again. The disk is done at
once, unless writes are held back (app.mm.page_io).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_io, page_ref, rmap, swap
from app.mm.lru import PAGEVEC_SIZE
from app.mm.mem_map import PG_reclaim, set_flags
from app.mm.mm_types import VM_SHARED
from app.mm.page import PG_dirty, PG_writeback
from app.mm.pgalloc import pte_of
from app.mm.pgtable_types import DIRTY, PAGE_KB, RW
from app.mm.vm_fault import set_pte

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel

PAUSE_EVERY: Final = 64


def write_range(m: Kernel, inode: Inode, first: int, last: int | None) -> None:
    """Write dirty pages of a file back, from an index up to another or to the end

    Kernel: filemap_fdatawrite_range, write_cache_pages. Dirty pages are found in lots of fifteen; the batches
    are emptied after the first lot and not again.
    """
    if inode.in_memory:
        return
    written = 0
    for index in sorted(inode.i_pages):
        if index < first or (last is not None and index > last):
            continue
        pfn = inode.i_pages[index]
        if not index & PAUSE_EVERY - 1:
            m.breathe()
        if mem_map.flags(m, pfn) & (PG_dirty | PG_writeback) == PG_dirty:
            write_page(m, pfn)
            written += 1
            if written == PAGEVEC_SIZE:
                swap.lru_add_drain(m)
    if 0 < written < PAGEVEC_SIZE:
        swap.lru_add_drain(m)


def write_page(m: Kernel, pfn: int) -> None:
    """Write one page. Kernel: folio_clear_dirty_for_io, folio_start_writeback, folio_end_writeback"""
    mkclean(m, pfn)
    set_flags(m, pfn, 0, PG_dirty)
    m.vm.count("file_dirty", -1)
    m.vm.count("pgpgout", PAGE_KB)
    if m.vm.io_deferred is not None:
        page_io.start_page_writeback(m, pfn)
        m.vm.io_deferred.append(pfn)
        return
    m.vm.count("file_written")
    if m.vm.reclaim and mem_map.test_clear_flag(m, pfn, PG_reclaim):
        swap.folio_rotate_reclaimable(m, pfn)
    page_ref.tell_state(m, pfn)


def mkclean(m: Kernel, pfn: int) -> None:
    """Take the right to write, and the dirty bit, from all shared entries. Kernel: mm/rmap.c folio_mkclean"""
    for vma, address in rmap.rmap_walk(m, pfn):
        if vma.vm_flags & VM_SHARED:
            entry = pte_of(vma.vm_mm, address)
            if entry & (RW | DIRTY) and entry & 1:
                set_pte(vma.vm_mm, address, entry & ~(RW | DIRTY))
