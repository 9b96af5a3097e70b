"""Read-ahead: which pages of a file are read before anybody asks for them.

Kernel: mm/readahead.c, mm/filemap.c do_sync_mmap_readahead, do_async_mmap_readahead. A disk gives thirty-two
pages nearly as fast as one. Whoever reads on and on gets ever larger windows; one page of each is marked, and
using that page starts the next window before the present one is used up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import lru, mem_map, pagemap
from app.mm.mem_map import PG_mappedtodisk, PG_readahead, set_flags
from app.mm.mm_types import VM_RAND_READ, VM_SEQ_READ
from app.mm.page import PG_uptodate, PG_writeback
from app.mm.pgtable_types import PAGE_KB
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.fs import File, Inode, ReadAhead
    from app.mm.kernel import Kernel
    from app.mm.vm_fault import VmFault

MMAP_LOTSAMISS: Final = 100
# What is read ahead may fail, quietly, and must not enter the file system again while it is at work there.
# It is the mask that readahead_gfp_mask gives in the kernel.
GFP_READAHEAD: Final = (
    gfp_masks.GFP_HIGHUSER_MOVABLE | gfp_masks.__GFP_COMP | gfp_masks.__GFP_NORETRY | gfp_masks.__GFP_NOWARN
) & ~gfp_masks.__GFP_FS
# How far a disk reads ahead, in pages.
DISK_RA_PAGES: Final = 32


def read_page(m: Kernel, inode: Inode, pfn: int) -> None:
    """A page has been filled from disk; there the disk is done at once. Kernel: filemap_read_folio"""
    set_flags(m, pfn, PG_uptodate | (PG_mappedtodisk if inode.has_buffers else 0))
    m.vm.count("pgpgin", PAGE_KB)
    stored = inode.on_disk.pop(mem_map.section(m, pfn).index[pfn & 511], None)
    if stored is not None:
        m.vm.contents[pfn] = stored


# -- the faults' side ------------------------------------------------------------------------------


def sync_mmap_readahead(m: Kernel, vmf: VmFault, file: File) -> bool:
    """A fault found its page not cached: read around it. Kernel: mm/filemap.c do_sync_mmap_readahead

    Whether the address space was given up meanwhile. After a hundred misses more than hits nothing is read
    around: the accesses are random.
    """
    ra, flags = file.ra, vmf.vma.vm_flags
    if flags & VM_RAND_READ or not ra.ra_pages:
        if m.trace is not None:
            m.trace.pagecache.not_around(vmf.pgoff, "random", ra.mmap_miss)
        return False
    if flags & VM_SEQ_READ:
        page_cache_sync_ra(m, file, vmf.pgoff, ra.ra_pages)
        return vmf.first_try
    if ra.mmap_miss < MMAP_LOTSAMISS * 10:
        ra.mmap_miss += 1
    if ra.mmap_miss > MMAP_LOTSAMISS:
        if m.trace is not None:
            m.trace.pagecache.not_around(vmf.pgoff, "misses", ra.mmap_miss)
        return False
    ra.start = max(0, vmf.pgoff - ra.ra_pages // 2)
    ra.size = ra.ra_pages
    ra.async_size = ra.ra_pages // 4
    if m.trace is not None:
        m.trace.pagecache.read_around(vmf.pgoff, file, ra.mmap_miss)
    do_page_cache_ra(m, file.inode, ra.start, ra.size, ra.async_size)
    return vmf.first_try


def async_mmap_readahead(m: Kernel, vmf: VmFault, file: File, pfn: int) -> bool:
    """A fault found its page cached; the marked one starts the next window

    Kernel: mm/filemap.c do_async_mmap_readahead
    """
    ra = file.ra
    if vmf.vma.vm_flags & VM_RAND_READ or not ra.ra_pages:
        return False
    if ra.mmap_miss:
        ra.mmap_miss -= 1
    if not mem_map.flags(m, pfn) & PG_readahead:
        return False
    if m.trace is not None:
        m.trace.pagecache.marker(vmf.pgoff, pfn)
    page_cache_async_ra(m, file, vmf.pgoff, pfn, ra.ra_pages)
    return vmf.first_try


# -- windows ---------------------------------------------------------------------------------------


def page_cache_async_ra(m: Kernel, file: File, index: int, pfn: int, req_count: int) -> None:
    """The marked page is used: read the next window. Kernel: page_cache_async_ra"""
    if mem_map.flags(m, pfn) & PG_writeback:
        return
    set_flags(m, pfn, 0, PG_readahead)
    ondemand_readahead(m, file, index, req_count, pfn)


def page_cache_sync_ra(m: Kernel, file: File, index: int, req_count: int) -> None:
    """A read did not find its page. Kernel: page_cache_sync_ra"""
    if file.random:
        force_page_cache_ra(m, file, index, req_count)
    else:
        ondemand_readahead(m, file, index, req_count, None)


def force_page_cache_ra(m: Kernel, file: File, index: int, nr_to_read: int) -> None:
    """Read what was asked for, as far as the disk takes it at once. Kernel: force_page_cache_ra"""
    do_page_cache_ra(m, file.inode, index, min(nr_to_read, max(file.inode.io_pages, file.ra.ra_pages)), 0)


def ondemand_readahead(m: Kernel, file: File, index: int, req_size: int, marked: int | None) -> None:
    """Decide from what was read before how much to read now. Kernel: ondemand_readahead

    A request of more than the window may be read at once as far as the disk takes it.
    """
    ra = file.ra
    most = ra.ra_pages
    if m.vm.reclaim and req_size > most:
        most = max(most, min(req_size, file.inode.io_pages))
    why = "first"
    if not index:
        initial_window(ra, index, req_size, most)
    elif index in (ra.start + ra.size - ra.async_size, ra.start + ra.size):
        ra.start += ra.size
        ra.size = max(ra.size, next_size(ra.size, most))
        ra.async_size = ra.size
        why = "next"
    elif marked is not None:
        start = next_miss(m, file.inode, index + 1, most)
        if start - index > most:
            return
        ra.start = start
        ra.size = next_size(start - index + req_size, most)
        ra.async_size = ra.size
        why = "marked"
    elif req_size > most or (index - prev_index(ra)) % (1 << 64) <= 1:
        initial_window(ra, index, req_size, most)
    elif not context_window(file.inode, ra, index, req_size, most):
        if m.trace is not None:
            m.trace.pagecache.window(index, req_size, file, "alone")
        do_page_cache_ra(m, file.inode, index, req_size, 0)
        return
    else:
        why = "context"
    extend_window(ra, index, most)
    if m.trace is not None:
        m.trace.pagecache.window(index, req_size, file, why)
    do_page_cache_ra(m, file.inode, ra.start, ra.size, ra.async_size)


def prev_index(ra: ReadAhead) -> int:
    """The page that was read last."""
    return ra.prev_pos >> 12 if ra.prev_pos >= 0 else (1 << 52) - 1


def initial_window(ra: ReadAhead, index: int, req_size: int, most: int) -> None:
    """A first guess that somebody reads on. Kernel: get_init_ra_size"""
    size = 1 << (req_size - 1).bit_length() if req_size else 1
    if size <= most // 32:
        size *= 4
    elif size <= most // 4:
        size *= 2
    else:
        size = most
    ra.start, ra.size = index, size
    ra.async_size = size - req_size if size > req_size else size


def extend_window(ra: ReadAhead, index: int, most: int) -> None:
    """A window that begins at the marked page itself takes the next one with it."""
    if index == ra.start and ra.size == ra.async_size:
        more = next_size(ra.size, most)
        if ra.size + more <= most:
            ra.async_size = more
            ra.size += more
        else:
            ra.size = most
            ra.async_size = most >> 1


def next_size(size: int, most: int) -> int:
    """How large the next window is. Kernel: get_next_ra_size"""
    if size < most // 16:
        return 4 * size
    return 2 * size if size <= most // 2 else most


def next_miss(m: Kernel, inode: Inode, index: int, most: int) -> int:
    """The first index that is not cached, at most so far away. Kernel: page_cache_next_miss

    Where all are cached the kernel returns the last that it looked at; machines without reclaim said the one
    behind it.
    """
    for at in range(index, index + most):
        if at not in inode.i_pages:
            return at
    return index + most - m.vm.reclaim


def context_window(inode: Inode, ra: ReadAhead, index: int, req_size: int, most: int) -> bool:
    """Whether cached pages before this one show that somebody reads on. Kernel: try_context_readahead"""
    size = 0
    while size < most and index - 1 - size in inode.i_pages:
        size += 1
    if size <= req_size:
        return False
    if size >= index:
        size *= 2
    ra.start, ra.size, ra.async_size = index, min(size + req_size, most), 1
    return True


@traced
def do_page_cache_ra(m: Kernel, inode: Inode, index: int, nr_to_read: int, lookahead: int) -> None:
    """Read pages that are not cached yet, in order, up to the end of the file.

    Kernel: do_page_cache_ra, page_cache_ra_unbounded
    """
    if not inode.size:
        return
    end_index = (inode.size - 1) >> 12
    if index > end_index:
        return
    if nr_to_read > end_index - index:
        nr_to_read = end_index - index + 1
    read: list[tuple[int, int]] = []
    for at in range(nr_to_read):
        if index + at in inode.i_pages:
            continue
        pfn = mem_map.alloc_page(m, GFP_READAHEAD)
        if pfn is None:
            break
        read.append((index + at, pfn))
        pagemap.filemap_add_folio(m, inode, index + at, pfn)
        if at == nr_to_read - lookahead:
            set_flags(m, pfn, PG_readahead)
        read_page(m, inode, pfn)
        lru.put_page(m, pfn)
    if m.trace is not None:
        marked = index + nr_to_read - lookahead if lookahead else None
        m.trace.pagecache.read(inode, read, marked)
