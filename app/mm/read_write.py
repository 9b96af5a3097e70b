"""read, write, and what else changes a file. Kernel: mm/filemap.c, mm/shmem.c, fs/open.c, fs/sync.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import (
    errno,
    fault,
    flusher,
    lru,
    mem_map,
    page_writeback,
    pagemap,
    readahead,
    swap,
    user_bytes,
    zap,
)
from app.mm.fs import File, Inode
from app.mm.mem_map import set_flags
from app.mm.mm_types import VM_SHARED, MmStruct
from app.mm.page import PG_uptodate
from app.mm.pagemap import GFP_CACHE, GFP_CACHE_WRITE
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current_mm, fatal_signal_pending
from app.mm.vma import find_vma

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Pages between two pauses of a long loop.
PAUSE_EVERY: Final = 64

MS_SYNC = 4


def copy_to_user(m: Kernel, buf: int | None, count: int) -> int:
    """Write to the caller's memory, which may fault; returns how many bytes went. Kernel: copy_page_to_iter

    buf: None where nobody wants the bytes.
    """
    return count if buf is None else touch(m, buf, count, write=True)


def touch(m: Kernel, address: int, count: int, *, write: bool) -> int:
    """The kernel's access to each page of a range; returns how many bytes it reached."""
    mm = current_mm(m)
    done = 0
    while done < count:
        if not done >> 12 & PAUSE_EVERY - 1:
            m.breathe()
        if fault.kernel_access(m, address + done, write=write, copy=write):
            return done
        if write:
            user_bytes.forget(m, user_bytes.frame_at(mm, address + done))
        done += min(PAGE_SIZE - (address + done) % PAGE_SIZE, count - done)
    return count


# -- read ------------------------------------------------------------------------------------------


def read(m: Kernel, file: File, buf: int | None, count: int, pos: int | None = None) -> int:
    """The system call; returns bytes or -errno. Kernel: vfs_read"""
    start = file.pos if pos is None else pos
    reader = shmem_read if file.inode.is_shmem else filemap_read
    done = reader(m, file, buf, count, start)
    if pos is None and done > 0:
        file.pos = start + done
    return done


def filemap_read(m: Kernel, file: File, buf: int | None, count: int, pos: int) -> int:
    """Read from the page cache, and ahead of the reader. Kernel: filemap_read

    A page counts as used once for each read of it, but not again while the reads go on within it.
    """
    inode, ra = file.inode, file.ra
    done = 0
    while done < count and pos < inode.size:
        m.breathe()
        batch = get_pages(m, file, pos, count - done)
        if batch is None:
            return done or (-errno.EINTR if fatal_signal_pending(m) else -errno.ENOMEM)
        end = min(inode.size, pos + count - done)
        first = batch[0]
        if ra.prev_pos < 0 or (ra.prev_pos - 1) >> 12 != pos >> 12:
            swap.mark_page_accessed(m, first)
        stopped = False
        for pfn in batch:
            if pos >= end:
                break
            if pfn != first:
                swap.mark_page_accessed(m, pfn)
            bytes_ = min(end - pos, PAGE_SIZE - pos % PAGE_SIZE)
            copied = copy_to_user(m, None if buf is None else buf + done, bytes_)
            done += copied
            pos += copied
            ra.prev_pos = pos
            if copied < bytes_:
                stopped = True
                break
        for pfn in batch:
            lru.put_page(m, pfn)
        if stopped:
            return done or -errno.EFAULT
    return done


def get_pages(m: Kernel, file: File, pos: int, count: int) -> list[int] | None:
    """Up to fifteen pages that follow each other, read if need be; each with a reference.

    Kernel: filemap_get_pages
    """
    if fatal_signal_pending(m):
        return None
    inode = file.inode
    index, last = pos >> 12, -(-(pos + count) >> 12)
    batch = read_batch(m, inode, index, last)
    if not batch:
        readahead.page_cache_sync_ra(m, file, index, last - index)
        batch = read_batch(m, inode, index, last)
    if not batch:
        pfn = mem_map.alloc_page(m, GFP_CACHE)
        if pfn is None:
            return None
        pagemap.filemap_add_folio(m, inode, index, pfn)
        readahead.read_page(m, inode, pfn)
        return [pfn]
    marked = batch[-1]
    if mem_map.flags(m, marked) & mem_map.PG_readahead:
        at = mem_map.index_of(m, marked)
        readahead.page_cache_async_ra(m, file, at, marked, last - at)
    return batch


def read_batch(m: Kernel, inode: Inode, index: int, last: int) -> list[int]:
    """The cached pages from an index on; the one marked for read-ahead ends it

    Kernel: filemap_get_read_batch
    """
    batch: list[int] = []
    while index < last and len(batch) < 15:
        pfn = inode.i_pages.get(index)
        if pfn is None:
            break
        mem_map.get_page(m, pfn)
        batch.append(pfn)
        index += 1
        if mem_map.flags(m, pfn) & mem_map.PG_readahead or not mem_map.flags(m, pfn) & PG_uptodate:
            break
    return batch


def find_page(m: Kernel, inode: Inode, index: int) -> int | None:
    """A page of a file that is there, with a reference; it may come back from swap. Kernel: SGP_READ"""
    pfn = inode.i_pages.get(index)
    if pfn is not None:
        mem_map.get_page(m, pfn)
    elif index in inode.swapped:
        return pagemap.shmem_get_folio(m, inode, index, write=False)
    return pfn


def shmem_read(m: Kernel, file: File, buf: int | None, count: int, pos: int) -> int:
    """Read from tmpfs; a page that was never written reads as zeros, without one

    Kernel: shmem_file_read_iter
    """
    inode = file.inode
    done = 0
    while done < count and pos < inode.size:
        if not done >> 12 & PAUSE_EVERY - 1:
            m.breathe()
        bytes_ = min(PAGE_SIZE - pos % PAGE_SIZE, inode.size - pos, count - done)
        pfn = find_page(m, inode, pos >> 12)
        if pfn is not None and not pos % PAGE_SIZE:
            swap.mark_page_accessed(m, pfn)
        copied = copy_to_user(m, None if buf is None else buf + done, bytes_)
        if pfn is not None:
            lru.put_page(m, pfn)
        done += copied
        pos += copied
        if copied < bytes_:
            return done or -errno.EFAULT
    return done


# -- write -----------------------------------------------------------------------------------------


def write(m: Kernel, file: File, buf: int | None, count: int, pos: int | None = None) -> int:
    """The system call; returns bytes or -errno. Kernel: vfs_write, generic_perform_write"""
    start = at = file.pos if pos is None else pos
    done = 0
    if file.inode.is_swapfile and count:
        return -errno.ETXTBSY
    while done < count:
        if not done >> 12 & PAUSE_EVERY - 1:
            m.breathe()
        bytes_ = min(PAGE_SIZE - at % PAGE_SIZE, count - done)
        if buf is not None and not touch(m, buf + done, bytes_, write=False):
            break
        if fatal_signal_pending(m):
            return done or -errno.EINTR
        if not write_page(m, file.inode, at, bytes_):
            return done or -errno.ENOMEM
        at += bytes_
        done += bytes_
    if pos is None:
        file.pos = start + done
    flusher.balance_dirty_pages(m)
    return done or (-errno.EFAULT if count else 0)


def write_page(m: Kernel, inode: Inode, pos: int, count: int) -> bool:
    """Write within one page: it is made or brought in, and dirty afterwards

    Kernel: write_begin, write_end
    """
    index = pos >> 12
    if inode.is_shmem:
        pfn = pagemap.shmem_get_folio(m, inode, index, write=True)
        if pfn is None:
            return False
    else:
        pfn = grab_cache_page(m, inode, index, whole=count == PAGE_SIZE)
        if pfn is None:
            return False
    inode.size = max(inode.size, pos + count)
    set_flags(m, pfn, PG_uptodate)
    pagemap.set_page_dirty(m, pfn)
    user_bytes.forget(m, pfn)
    lru.put_page(m, pfn)
    return True


def grab_cache_page(m: Kernel, inode: Inode, index: int, *, whole: bool) -> int | None:
    """A page of a file on disk to write to, with a reference. Kernel: grab_cache_page_write_begin"""
    pfn = inode.i_pages.get(index)
    if pfn is None:
        pfn = mem_map.alloc_page(m, GFP_CACHE_WRITE)
        if pfn is None:
            return None
        pagemap.filemap_add_folio(m, inode, index, pfn, write=True)
        if not whole and index < pagemap.last_index(inode):
            set_flags(m, pfn, PG_uptodate)
    else:
        mem_map.get_page(m, pfn)
    if inode.has_buffers:
        pagemap.create_buffers(m, pfn)
    return pfn


# -- truncation and writing back -------------------------------------------------------------------


def ftruncate(m: Kernel, inode: Inode, size: int) -> int:
    """Make a file shorter or longer. Kernel: do_truncate, shmem_setattr, truncate_setsize

    What was mapped behind the new end is unmapped from everybody, private copies included.
    """
    if inode.is_swapfile:
        return -errno.ETXTBSY
    old, inode.size = inode.size, size
    first = -(-size >> 12) if size else 0
    if size < old or (inode.is_shmem and size == old):
        if old > first << 12:
            zap.unmap_mapping_range(m, inode, first, None, cows=True)
        pagemap.delete_pages(m, inode, first, None)
        if size % PAGE_SIZE:
            partial_page(m, inode, size >> 12, size % PAGE_SIZE)
        if old > first << 12:
            zap.unmap_mapping_range(m, inode, first, None, cows=True)
    return 0


def partial_page(m: Kernel, inode: Inode, index: int, offset: int) -> None:
    """The rest of the last page is zeroed. Kernel: truncate_inode_partial_folio"""
    pfn = find_page(m, inode, index)
    if pfn is not None:
        pagemap.set_page_dirty(m, pfn)
        user_bytes.zero_from(m, pfn, offset)
        lru.put_page(m, pfn)


def fsync(m: Kernel, inode: Inode) -> int:
    """Write a file back. Kernel: vfs_fsync"""
    page_writeback.write_range(m, inode, 0, None)
    return 0


def msync(m: Kernel, start: int, length: int, flags: int) -> int:
    """Write back what was written through shared mappings of a range. Kernel: mm/msync.c"""
    mm = current_mm(m)
    if flags & ~7 or start % PAGE_SIZE or flags & 5 == 5:
        return -errno.EINVAL
    end = start + -(-length // PAGE_SIZE) * PAGE_SIZE
    return sync_areas(m, mm, start, end, sync=bool(flags & MS_SYNC)) if end > start else 0


def sync_areas(m: Kernel, mm: MmStruct, start: int, end: int, *, sync: bool) -> int:
    """Area by area; a hole is an error at the end."""
    unmapped = 0
    while start < end:
        vma = find_vma(mm, start)
        if vma is None:
            return -errno.ENOMEM
        if start < vma.vm_start:
            unmapped = -errno.ENOMEM
            start = vma.vm_start
            continue
        stop = min(end, vma.vm_end)
        if sync and vma.vm_file is not None and vma.vm_flags & VM_SHARED:
            page_writeback.write_range(
                m, vma.vm_file.inode, vma.linear_page_index(start), vma.linear_page_index(stop - 1)
            )
        start = stop
    return unmapped
