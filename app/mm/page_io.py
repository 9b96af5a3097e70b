"""Reading and writing of swap, and the end of any write.

Kernel: mm/page_io.c, mm/filemap.c folio_end_writeback. The disk is done at once and in order, unless writes
are held back: then a page stays under writeback, as on a slow disk, until somebody says that they are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_ref, swap, swap_map, swapfile, user_bytes
from app.mm.mem_map import PG_reclaim, set_flags
from app.mm.page import PG_uptodate, PG_writeback
from app.mm.pgtable_types import PAGE_KB
from app.mm.swapops import swp_offset

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.swap_info import SwapInfo

# Slots of one area of which stored bytes are kept; those of the oldest are forgotten.
MOST_KEPT: Final = 1024


def swap_writepage(m: Kernel, pfn: int) -> None:
    """Write a page to its slot. Kernel: swap_writepage, __swap_writepage

    A page of which nobody needs the slot any more gives it up instead: it needs no write.
    """
    if swapfile.try_to_free_swap(m, pfn):
        return
    entry = swap_map.swap_of(m).entries[pfn]
    si, offset = swap_map.info_of(m, entry), swp_offset(entry)
    keep_bytes(m, pfn, si, offset)
    m.vm.count("pswpout")
    m.vm.count("pgpgout", PAGE_KB)
    if m.trace is not None:
        m.trace.swap.written(pfn, entry)
    start_page_writeback(m, pfn)
    if m.vm.io_deferred is None:
        end_page_writeback(m, pfn)
    else:
        m.vm.io_deferred.append(pfn)


def start_page_writeback(m: Kernel, pfn: int) -> None:
    """The disk has been told to write a page. Kernel: mm/page-writeback.c folio_start_writeback"""
    set_flags(m, pfn, PG_writeback)
    m.vm.count("writeback")
    page_ref.tell_state(m, pfn)


def end_page_writeback(m: Kernel, pfn: int) -> None:
    """A page has been written. Kernel: folio_end_writeback, __folio_end_writeback

    One that reclaim waited for is the next to be reclaimed.
    """
    if mem_map.test_clear_flag(m, pfn, PG_reclaim):
        swap.folio_rotate_reclaimable(m, pfn)
    set_flags(m, pfn, 0, PG_writeback)
    m.vm.count("writeback", -1)
    m.vm.count("file_written")
    page_ref.tell_state(m, pfn)


def swap_readpage(m: Kernel, pfn: int, entry: int) -> None:
    """Read a page from its slot. Kernel: swap_readpage"""
    m.vm.count("pswpin")
    m.vm.count("pgpgin", PAGE_KB)
    set_flags(m, pfn, PG_uptodate)
    si, offset = swap_map.info_of(m, entry), swp_offset(entry)
    stored = si.contents.get(offset)
    if stored is not None:
        m.vm.contents[pfn] = dict(stored)
        m.vm.bytes_kept += len(stored)
    elif offset in si.forgotten:
        user_bytes.forget(m, pfn)


def keep_bytes(m: Kernel, pfn: int, si: SwapInfo, offset: int) -> None:
    """Note what is known of a page as its slot's; those of the oldest slot are forgotten.

    The kernel writes whole pages; here only bytes that somebody stored are kept.
    """
    si.contents.pop(offset, None)
    si.forgotten.pop(offset, None)
    stored = m.vm.contents.get(pfn)
    if stored is not None:
        if len(si.contents) >= MOST_KEPT:
            oldest = next(iter(si.contents))
            del si.contents[oldest]
            si.forgotten[oldest] = None
        si.contents[offset] = dict(stored)
    elif user_bytes.is_unknown(m, pfn):
        si.forgotten[offset] = None
