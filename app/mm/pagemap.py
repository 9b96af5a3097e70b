"""The page cache: pages of files in memory, and the faults that want one.

Kernel: mm/filemap.c, mm/shmem.c, include/linux/pagemap.h. A page of a file is read once and then served to
everybody: to `read`, and to each process that maps it. On tmpfs the page cache is all that there is of a
file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.mm import gfp as gfp_masks
from app.mm import lru, mem_map, page_ref, shmem_swap, swap, workingset
from app.mm.mem_map import PG_reclaim, PG_swapbacked, set_flags
from app.mm.page import PG_dirty, PG_private, PG_referenced, PG_swapcache, PG_uptodate, PG_writeback
from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel
    from app.mm.mm_types import VmArea

GFP_CACHE: Final = gfp_masks.GFP_HIGHUSER_MOVABLE | gfp_masks.__GFP_COMP
GFP_CACHE_WRITE: Final = GFP_CACHE | gfp_masks.__GFP_WRITE
PAGEVEC_SIZE: Final = 15
# Pages of a file of which stored bytes are kept while they are not in memory; the oldest are forgotten.
MOST_ON_DISK: Final = 1024


def has_map_pages(vma: VmArea) -> bool:
    """Whether a fault may map cached neighbours, too. Kernel: vm_operations_struct map_pages"""
    return vma.vm_file is not None


def has_page_mkwrite(vma: VmArea) -> bool:
    """Whether the file wants to know of first writes. Kernel: vm_operations_struct page_mkwrite"""
    return vma.vm_file is not None and not vma.vm_file.inode.in_memory


def last_index(inode: Inode) -> int:
    """The first index behind the end of the file."""
    return -(-inode.size >> PAGE_SHIFT) if inode.size else 0


# -- pages in and out ------------------------------------------------------------------------------


def filemap_add_folio(m: Kernel, inode: Inode, index: int, pfn: int, *, write: bool = False) -> None:
    """Put a page into the cache, which holds a reference, and queue it for its list

    Kernel: filemap_add_folio

    write: it is made to be written, so that nothing is read that was evicted before. Pages of tmpfs are
    marked so that they stand with anonymous pages: only swap could take them away.
    """
    s, i = mem_map.section(m, pfn), pfn & 511
    s.refcount[i] += 1
    s.mapping[i] = inode.id << 1
    s.index[i] = index
    inode.i_pages[index] = pfn
    m.vm.count("file_pages")
    if inode.is_shmem:
        s.flags[i] |= PG_swapbacked
        m.vm.count("shmem")
    elif m.trace is not None:
        m.trace.pagecache.added(inode, index, pfn)
    page_ref.tell_state(m, pfn)
    shadow = inode.shadows.pop(index, None)
    if shadow is not None and not write:
        workingset.workingset_refault(m, pfn, shadow)
    swap.folio_add_lru(m, pfn)


def filemap_remove_folio(m: Kernel, inode: Inode, pfn: int, shadow: int | None = None) -> None:
    """Take a page out of the cache; its reference is the caller's now. Kernel: __filemap_remove_folio

    shadow: what reclaim leaves in its place.
    """
    s, i = mem_map.section(m, pfn), pfn & 511
    if m.trace is not None:
        m.trace.pagecache.removed(inode, s.index[i], pfn)
    del inode.i_pages[s.index[i]]
    if shadow is not None:
        inode.shadows[s.index[i]] = shadow
    m.vm.count("file_pages", -1)
    if inode.is_shmem:
        m.vm.count("shmem", -1)
    s.mapping[i] = 0
    page_ref.tell_state(m, pfn)


def set_page_dirty(m: Kernel, pfn: int) -> bool:
    """Mark a page as newer than its file; whether it was not so before. Kernel: folio_mark_dirty"""
    head = mem_map.compound_head(m, pfn)
    inode = mem_map.mapping_of(m, head)
    if inode is not None or mem_map.flags(m, head) & PG_swapcache:
        set_flags(m, head, 0, PG_reclaim)
    if mem_map.test_set_flag(m, head, PG_dirty):
        return False
    if inode is not None and not inode.in_memory:
        m.vm.count("file_dirty")
        m.vm.count("file_dirtied")
        page_ref.tell_state(m, head)
    return True


def create_buffers(m: Kernel, pfn: int) -> None:
    """Attach the records of a page's disk blocks, which hold a reference. Kernel: attach_page_private"""
    if not mem_map.test_set_flag(m, pfn, PG_private):
        mem_map.get_page(m, pfn)


def drop_buffers(m: Kernel, pfn: int) -> None:
    """Take them away. Kernel: try_to_free_buffers"""
    if mem_map.test_clear_flag(m, pfn, PG_private):
        mem_map.section(m, pfn).refcount[pfn & 511] -= 1


def page_mkwrite(m: Kernel, pfn: int) -> None:
    """The file system prepares a page for a write. Kernel: ext4_page_mkwrite, filemap_page_mkwrite"""
    inode = mem_map.mapping_of(m, pfn)
    if inode is not None and inode.has_buffers:
        create_buffers(m, pfn)
    set_page_dirty(m, pfn)


# -- tmpfs ----------------------------------------------------------------------------------------


@traced
def shmem_get_folio(m: Kernel, inode: Inode, index: int, *, write: bool) -> int | None:
    """The page at an index of a tmpfs file, with a reference; made if need be.

    Kernel: mm/shmem.c shmem_get_folio_gfp

    write: for `write`, which counts as a use of the page.
    """
    pfn = inode.i_pages.get(index)
    if pfn is not None:
        if m.trace is not None:
            m.trace.pagecache.shmem(inode, index, pfn, made=False)
        mem_map.get_page(m, pfn)
        if write:
            swap.mark_page_accessed(m, pfn)
        return pfn
    if index in inode.swapped:
        found = shmem_swap.shmem_swapin_folio(m, inode, index, write=write)
        return None if found is None else found[0]
    pfn = mem_map.alloc_page(m, GFP_CACHE)
    if pfn is None:
        return None
    set_flags(m, pfn, PG_uptodate | (PG_referenced if write else 0))
    filemap_add_folio(m, inode, index, pfn)
    if m.trace is not None:
        m.trace.pagecache.shmem(inode, index, pfn, made=True)
    return pfn


# -- truncation ------------------------------------------------------------------------------------


def delete_pages(m: Kernel, inode: Inode, first: int, last: int | None) -> None:
    """Take pages out of the cache and free them, fifteen at a time. Kernel: truncate_inode_pages_range"""
    drained = False
    for group in lots(m, inode, first, last):
        m.breathe()
        for pfn in group:
            mem_map.get_page(m, pfn)
            remove_page(m, inode, pfn)
        if not drained:
            swap.lru_add_drain(m)
            drained = True
        lru.release_pages(m, group)
    forget_range(inode.on_disk, first, last)
    forget_range(inode.shadows, first, last)
    if inode.swapped:
        shmem_swap.shmem_free_swap(m, inode, first, last)


def lots(m: Kernel, inode: Inode, first: int, last: int | None) -> list[list[int]]:
    """The cached pages of a range in lots of fifteen entries, of which some may be shadows

    Kernel: find_lock_entries. Pages that are being written are passed over.
    """
    found = sorted(
        index
        for pages in (inode.i_pages, inode.shadows)
        for index, entry in pages.items()
        if index >= first
        and (last is None or index <= last)
        and (pages is inode.shadows or not mem_map.flags(m, entry) & PG_writeback)
    )
    groups = [found[start : start + PAGEVEC_SIZE] for start in range(0, len(found), PAGEVEC_SIZE)]
    pages = ([inode.i_pages[index] for index in group if index in inode.i_pages] for group in groups)
    return [group for group in pages if group]


def forget_range(found: dict[int, Any], first: int, last: int | None) -> None:
    """Drop what is kept of pages from an index up to another, or to the end."""
    for index in [at for at in found if at >= first and (last is None or at <= last)]:
        del found[index]


def remove_page(m: Kernel, inode: Inode, pfn: int) -> None:
    """A page of a file that has become shorter. Kernel: truncate_inode_folio, truncate_cleanup_folio"""
    drop_buffers(m, pfn)
    if mem_map.test_clear_flag(m, pfn, PG_dirty) and not inode.in_memory:
        m.vm.count("file_dirty", -1)
    set_flags(m, pfn, 0, mem_map.PG_mappedtodisk | PG_writeback)
    filemap_remove_folio(m, inode, pfn)
    mem_map.section(m, pfn).refcount[pfn & 511] -= 1


def drop_pagecache(m: Kernel, inode: Inode, first: int = 0, last: int | None = None) -> int:
    """Drop what nobody needs of a file's cache; returns how many pages stayed

    Kernel: fs/drop_caches.c drop_pagecache_sb, mm/truncate.c invalidate_mapping_pagevec
    """
    stayed = 0
    drained = False
    for group in lots(m, inode, first, last):
        m.breathe()
        for pfn in group:
            mem_map.get_page(m, pfn)
            if not evict(m, inode, pfn):
                deactivate_file_folio(m, pfn)
                stayed += 1
        if not drained:
            swap.lru_add_drain(m)
            drained = True
        lru.release_pages(m, group)
    forget_range(inode.shadows, first, last)
    return stayed


def evict(m: Kernel, inode: Inode, pfn: int) -> bool:
    """Remove a page from the cache if only the cache wants it. Kernel: mapping_evict_folio"""
    bits = mem_map.flags(m, pfn)
    if bits & (PG_dirty | PG_writeback):
        return False
    if mem_map.page_count(m, pfn) > 2 + bool(bits & PG_private):
        return False
    drop_buffers(m, pfn)
    keep_on_disk(m, inode, pfn)
    filemap_remove_folio(m, inode, pfn)
    mem_map.section(m, pfn).refcount[pfn & 511] -= 1
    return True


def keep_on_disk(m: Kernel, inode: Inode, pfn: int) -> None:
    """Note what a page holds that leaves memory, as the file has it; the oldest such page is forgotten."""
    if (stored := m.vm.contents.get(pfn)) is not None:
        if len(inode.on_disk) >= MOST_ON_DISK:
            del inode.on_disk[next(iter(inode.on_disk))]
        inode.on_disk[mem_map.section(m, pfn).index[pfn & 511]] = stored


def deactivate_file_folio(m: Kernel, pfn: int) -> None:
    """Queue a page that could not be dropped to be looked at first by reclaim

    Kernel: deactivate_file_folio
    """
    if not mem_map.flags(m, pfn) & 1 << 20:
        mem_map.get_page(m, pfn)
        swap.batch_add_and_move(m, "deactivate_file", pfn)
