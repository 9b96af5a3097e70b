"""Dropping what can be read again, on request. Kernel: fs/drop_caches.c

For measurements: everything that is clean and that nobody maps or holds leaves the page cache at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import pagemap, swap

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

PAGE_CACHE = 1
SLAB = 2


def drop_caches(m: Kernel, what: int) -> None:
    """Drop the page cache, file by file, the newest first. Kernel: drop_caches_sysctl_handler

    what: 1 the page cache, 2 dentries and inodes, 3 both. Pages that wait in batches are held by them, so
    batches are emptied before.
    """
    swap.lru_add_drain(m)
    if what & PAGE_CACHE:
        m.vm.count("drop_pagecache")
        for inode in reversed([*m.vm.mappings.values()]):
            if not inode.is_hugetlb:
                pagemap.drop_pagecache(m, inode)
        swap.lru_add_drain(m)
    if what & SLAB:
        m.vm.count("drop_slab")
