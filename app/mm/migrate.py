"""Moving pages: another frame takes the place of one that a process or a file uses, and nobody notices.

Kernel: mm/migrate.c. Every entry that maps the page is taken away, so that nobody can write to it; its
contents, flags and place in the page cache go to the new frame, and the entries come back with that one's
number. It fails where somebody holds a reference that is not accounted for, since he would go on with the old
frame.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from app.mm import compact_free, lru, mem_map, migrate_ptes, page_ref, swap, swap_state, user_bytes
from app.mm.compact_control import CompactControl
from app.mm.mem_map import PAGE_MAPPING_ANON, PG_anon_exclusive, PG_readahead, PG_swapbacked
from app.mm.page import (
    PG_active,
    PG_dirty,
    PG_error,
    PG_locked,
    PG_private,
    PG_referenced,
    PG_swapcache,
    PG_unevictable,
    PG_uptodate,
    PG_workingset,
    PG_writeback,
)
from app.mm.tracepoints import traced
from app.mm.vmstat import count_vm_events

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

NR_MAX_MIGRATE_PAGES_RETRY: Final = 10
# File systems that cannot move their pages: nothing stands behind them. Kernel: fs/ramfs/inode.c ram_aops
WITHOUT_MIGRATE_FOLIO: Final = frozenset(("ramfs",))

# Why a page is not moved. With `NO_FRAME` all that are left are given up.
LOCKED: Final = "locked"
REFERENCED: Final = "held"
WRITEBACK: Final = "being written"
NO_WAY: Final = "without a way to be moved"
NO_FRAME: Final = "no free frame"
TRIED_AGAIN: Final = (LOCKED, REFERENCED)

SWAPCACHE: Final = PG_swapcache | PG_swapbacked

# Kernel: folio_migrate_flags, folio_migrate_mapping
MOVED_FLAGS: Final = (
    PG_error | PG_referenced | PG_uptodate | PG_active | PG_unevictable | PG_workingset | PG_dirty
    | PG_anon_exclusive | PG_readahead | PG_swapbacked | PG_swapcache
)  # fmt: skip


class MigratePagesStats:
    """What came of a list of pages. Kernel: struct migrate_pages_stats

    moved: each page with the frame that it has now. refusals: why others were not moved, by page.
    out_of_frames: no free frame was left for one, which ended it.
    """

    __slots__ = ("moved", "nr_failed", "out_of_frames", "refusals")

    def __init__(self) -> None:
        self.moved: list[tuple[int, int]] = []
        self.refusals: dict[int, str] = {}
        self.nr_failed = 0
        self.out_of_frames = False


# -- a list of pages -------------------------------------------------------------------------------


@traced
def migrate_pages(m: Kernel, cc: CompactControl) -> MigratePagesStats:
    """Move the isolated pages, each to the next free frame; those that stay are left in the list.

    Kernel: migrate_pages. Up to ten passes: what fails for a moment may succeed later. What fails for good
    stands first in the list then.
    """
    if m.trace is not None:
        m.trace.migrate.start(cc.mode)
    stats = MigratePagesStats()
    for_good: deque[int] = deque()
    retry = 0
    for _ in range(NR_MAX_MIGRATE_PAGES_RETRY):
        retry = migrate_pages_batch(m, cc, stats, for_good)
        if not retry or stats.out_of_frames:
            break
    stats.nr_failed += retry
    cc.migratepages.extendleft(reversed(for_good))
    for event, pages in (("pgmigrate_success", len(stats.moved)), ("pgmigrate_fail", stats.nr_failed)):
        if pages:
            count_vm_events(m, event, pages)
    if m.trace is not None:
        m.trace.migrate.end(cc.mode, stats)
    return stats


def migrate_pages_batch(m: Kernel, cc: CompactControl, stats: MigratePagesStats, for_good: deque[int]) -> int:
    """One pass over the list; how many pages are to be tried again. Kernel: migrate_pages_batch"""
    staying: deque[int] = deque()
    pages = cc.migratepages
    while pages:
        src = pages[0]
        dst = compact_free.compaction_alloc(m, cc)
        if dst is None:
            stats.refusals[src] = NO_FRAME
            stats.nr_failed += 1
            stats.out_of_frames = True
            break
        pages.popleft()
        refusal = migrate_folio(m, src, dst)
        if not refusal:
            stats.moved.append((src, dst))
            continue
        compact_free.compaction_free(cc, dst)
        stats.refusals[src] = refusal
        if refusal in TRIED_AGAIN:
            staying.append(src)
        else:
            for_good.append(src)
            stats.nr_failed += 1
    retry = len(staying)
    staying.extend(pages)
    cc.migratepages = staying
    return retry


# -- one page --------------------------------------------------------------------------------------


def migrate_folio(m: Kernel, src: int, dst: int) -> str:
    """Move a page to a free frame; why not, if it stays.

    Kernel: __migrate_folio_unmap, __migrate_folio_move. The new page comes to the lists as if it were new,
    before the entries, so that a locked one is counted there. A page whose lock somebody holds is passed
    over here, where the kernel would wait for it in a synchronous run: no task can fall asleep in between.
    """
    s, i = m.vm.sections[src >> 9], src & 511
    if s.flags[i] & PG_locked:
        return LOCKED
    if s.flags[i] & PG_writeback:
        return WRITEBACK
    taken = migrate_ptes.try_to_migrate(m, src) if s.mapcount[i] >= 0 else []
    refusal = REFERENCED if s.mapcount[i] >= 0 else move_to_new_folio(m, src, dst)
    if not refusal:
        swap.folio_add_lru(m, dst)
        if taken:
            swap.lru_add_drain(m)
    migrate_ptes.remove_migration_ptes(m, taken, src if refusal else dst)
    if not refusal:
        page_ref.tell_state(m, dst)
        lru.put_page(m, dst)
        lru.put_page(m, src)
    return refusal


def move_to_new_folio(m: Kernel, src: int, dst: int) -> str:
    """Give the new frame all that the page is; why not, if it cannot be.

    Kernel: move_to_new_folio, folio_expected_refs. Who isolated the page has a reference, the cache one, and
    the records of its disk blocks one: any other cannot be accounted for.
    """
    s, i = m.vm.sections[src >> 9], src & 511
    cached = has_mapping(m, src)
    if cached and s.flags[i] & PG_dirty and not has_migrate_folio(m, src):
        # Kernel: fallback_migrate_folio, writeout: there is nowhere to write it to
        return NO_WAY
    if s.refcount[i] != (2 + bool(s.flags[i] & PG_private) if cached else 1):
        return REFERENCED
    folio_migrate_mapping(m, src, dst)
    folio_migrate_flags(m, src, dst)
    user_bytes.move(m, src, dst)
    return ""


def folio_migrate_mapping(m: Kernel, src: int, dst: int) -> None:
    """Put the new frame in the page's place in the cache of its file, or of the swap.

    Kernel: folio_migrate_mapping
    """
    old, i = mem_map.section(m, src), src & 511
    new, j = mem_map.section(m, dst), dst & 511
    new.refcount[j] = 1
    new.mapping[j], new.index[j] = old.mapping[i], old.index[i]
    if not has_mapping(m, src):
        return
    inode = mem_map.mapping_of(m, src)
    if inode is None:
        swap_state.replace_in_swap_cache(m, src, dst)
    else:
        inode.i_pages[old.index[i]] = dst
        old.mapping[i] = 0
    new.refcount[j] += 1
    old.refcount[i] -= 1


def folio_migrate_flags(m: Kernel, src: int, dst: int) -> None:
    """Hand on what is known of the page's use, and the records of its disk blocks.

    Kernel: folio_migrate_flags, include/linux/pagemap.h folio_attach_private
    """
    old, i = mem_map.section(m, src), src & 511
    new, j = mem_map.section(m, dst), dst & 511
    new.flags[j] = old.flags[i] & MOVED_FLAGS
    if old.flags[i] & PG_private:
        new.flags[j] |= PG_private
        new.refcount[j] += 1
        old.refcount[i] -= 1
    old.flags[i] = 0
    m.vm.mlock_counts.pop(src, None)


def has_mapping(m: Kernel, pfn: int) -> bool:
    """Whether a small page is in the cache of a file or of the swap. Kernel: mm/util.c folio_mapping"""
    s, i = m.vm.sections[pfn >> 9], pfn & 511
    if s.mapping[i] and not s.mapping[i] & PAGE_MAPPING_ANON:
        return True
    return s.flags[i] & SWAPCACHE == SWAPCACHE


def has_migrate_folio(m: Kernel, pfn: int) -> bool:
    """Whether its file system can move a page. Kernel: struct address_space_operations migrate_folio"""
    inode = mem_map.mapping_of(m, pfn)
    return inode is None or inode.fs not in WITHOUT_MIGRATE_FOLIO
