"""Advice about how a file will be read. Kernel: mm/fadvise.c

A program knows more of its future than the kernel can guess from its past: whether it reads on in order or at
random, what it wants soon, and what it will not want again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import errno, page_writeback, pagemap, readahead, swap
from app.mm.pgtable_types import PAGE_SHIFT, PAGE_SIZE

if TYPE_CHECKING:
    from app.mm.fs import File
    from app.mm.kernel import Kernel

POSIX_FADV_NORMAL: Final = 0
POSIX_FADV_RANDOM: Final = 1
POSIX_FADV_SEQUENTIAL: Final = 2
POSIX_FADV_WILLNEED: Final = 3
POSIX_FADV_DONTNEED: Final = 4
POSIX_FADV_NOREUSE: Final = 5
LLONG_MAX: Final = (1 << 63) - 1


def fadvise(m: Kernel, file: File, offset: int, length: int, advice: int) -> int:
    """The system call; a file that is only in memory takes all advice and follows none

    Kernel: generic_fadvise
    """
    if length < 0 or not POSIX_FADV_NORMAL <= advice <= POSIX_FADV_NOREUSE:
        return -errno.EINVAL
    if file.inode.in_memory:
        return 0
    last = offset + length - 1 if length and offset + length <= LLONG_MAX else LLONG_MAX
    if advice in (POSIX_FADV_NORMAL, POSIX_FADV_RANDOM, POSIX_FADV_SEQUENTIAL):
        file.random = advice == POSIX_FADV_RANDOM
        if not file.random:
            file.ra.ra_pages = readahead.DISK_RA_PAGES << (advice == POSIX_FADV_SEQUENTIAL)
    elif advice == POSIX_FADV_WILLNEED:
        first = offset >> PAGE_SHIFT
        count = (last >> PAGE_SHIFT) - first + 1
        readahead.force_page_cache_ra(m, file, first, count)
    elif advice == POSIX_FADV_DONTNEED:
        dont_need(m, file, offset, last)
    return 0


def dont_need(m: Kernel, file: File, offset: int, last: int) -> None:
    """Write back and drop whole pages; part of a page is only dropped where the file ends in it.

    Pages that wait in a batch cannot be dropped, so batches are emptied first.
    """
    inode = file.inode
    page_writeback.write_range(m, inode, offset >> PAGE_SHIFT, last >> PAGE_SHIFT)
    first, end = -(-offset // PAGE_SIZE), last >> PAGE_SHIFT
    if (last + 1) % PAGE_SIZE and last != inode.size - 1:
        end -= 1
    if end < first:
        return
    swap.lru_add_drain(m)
    if pagemap.drop_pagecache(m, inode, first, end):
        swap.lru_add_drain(m)
        pagemap.drop_pagecache(m, inode, first, end)
