"""The flusher: dirty pages of files are written back in the background.

Kernel: mm/page-writeback.c, fs/fs-writeback.c. A page that was written to is newer than its file. It stays so
until somebody asks for it to be written, too much of memory is dirty, or reclaim finds nothing but dirty
pages; then a kernel thread writes them. Here it runs at the end of the call that woke it, and the disk is
done at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import page_writeback
from app.mm.lruvec import LRU_ACTIVE_FILE, LRU_INACTIVE_FILE
from app.mm.wmarks import totalreserve_pages

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


def wakeup_flusher_threads(m: Kernel) -> None:
    """Have dirty pages written soon. Kernel: wakeup_flusher_threads"""
    if not m.vm.flusher_woken:
        m.vm.flusher_woken = m.vm.threads_woken = True
        if m.trace is not None:
            m.trace.vmscan.flusher_woken()


def global_dirtyable_memory(m: Kernel) -> int:
    """Pages that may be dirty at all: free ones beyond the reserves, and those of files

    Kernel: global_dirtyable_memory. Pages of HIGHMEM do not count, since the kernel's own structures for
    writing could not keep up with them.
    """
    zones = [zone for zone in m.zones if zone.name != "HighMem"]
    free = max(sum(zone.vm_stat_free for zone in zones), 0)
    reserve = sum(totalreserve_pages(m, node.nid) for node in m.nodes)
    pages = sum(zone.lru_folded[lru] for zone in zones for lru in (LRU_INACTIVE_FILE, LRU_ACTIVE_FILE))
    return free - min(free, reserve) + pages + 1


def dirty_limits(m: Kernel) -> tuple[int, int]:
    """From how many dirty pages on they are written in the background, and writers have to wait

    Kernel: domain_dirty_limits
    """
    available = global_dirtyable_memory(m)
    background = available * m.dirty_background_ratio // 100
    limit = available * m.dirty_ratio // 100
    return (limit // 2 if background >= limit else background), limit


def balance_dirty_pages(m: Kernel) -> None:
    """Somebody has made pages dirty: wake the flusher if there are too many. Kernel: balance_dirty_pages

    A writer would have to wait above the higher limit until the flusher has written enough. Here that is done
    at once, so that nobody waits.
    """
    if m.vm.reclaim and m.vm.stat["file_dirty"] > dirty_limits(m)[0]:
        wakeup_flusher_threads(m)


def run_flusher(m: Kernel) -> int:
    """Write all dirty pages of files back, in the order of the files; how many. Kernel: wb_workfn"""
    m.vm.flusher_woken = False
    before = m.vm.stat["file_written"]
    for inode in list(m.vm.mappings.values()):
        if not inode.in_memory:
            page_writeback.write_range(m, inode, 0, None)
    return m.vm.stat["file_written"] - before
