"""Pages put out of memory one by one, as reclaim does it to the pages that it has chosen."""

from app.machine.machine import Machine
from app.mm import (
    lru,
    lru_isolate,
    mem_map,
    mmap,
    namei,
    page_io,
    rmap_reclaim,
    shmem_swap,
    swap_alloc,
    swap_state,
    swapon,
    workingset,
)
from app.mm.mem_map import PG_reclaim
from app.mm.mm_types import MmStruct
from app.mm.page import PG_dirty, PG_writeback
from app.mm.pgalloc import pte_of
from app.mm.pgtable_types import pte_pfn

PAGE = 4096
RW, PRIVATE, ANONYMOUS = 3, 2, 0x20


def add_swap(m: Machine, pages: int, path: str = "/swap", *, rotating: bool = True) -> int:
    """A new swap area; pages: with its header."""
    inode = namei.new_inode(m, "bdev" if path.startswith("/dev/") else "ext4", path, pages * PAGE)
    inode.swap_pages = pages
    return swapon.swapon(m, inode, path, rotating=rotating)


def memory(m: Machine, pages: int) -> int:
    """Addresses for so many anonymous pages."""
    return mmap.ksys_mmap(m, 0, pages * PAGE, RW, PRIVATE | ANONYMOUS, None, 0)


def frame(mm: MmStruct, address: int) -> int:
    """What an address maps."""
    return pte_pfn(pte_of(mm, address))


def put_out(m: Machine, pfn: int) -> bool:
    """Reclaim one page: whether it is gone. Kernel: mm/vmscan.c shrink_folio_list, pageout"""
    if not lru_isolate.isolate_lru_page(m, pfn):
        return False
    if can_go(m, pfn) and written(m, pfn) and forgotten(m, pfn):
        lru.release_pages(m, [pfn])
        return True
    lru_isolate.putback_lru_page(m, pfn)
    return False


def can_go(m: Machine, pfn: int) -> bool:
    """Give it a slot, and take it from all who map it."""
    anon = mem_map.is_anon(m, pfn) and bool(mem_map.flags(m, pfn) & mem_map.PG_swapbacked)
    if anon and not swap_state.is_swapcache(m, pfn) and not swap_alloc.add_to_swap(m, pfn):
        return False
    return not mem_map.is_mapped(m, pfn) or rmap_reclaim.try_to_unmap(m, pfn)


def written(m: Machine, pfn: int) -> bool:
    """Write it if it is newer than its slot."""
    if mem_map.flags(m, pfn) & PG_dirty:
        mem_map.set_flags(m, pfn, PG_reclaim, PG_dirty)
        if mem_map.mapping_of(m, pfn) is not None:
            shmem_swap.shmem_writepage(m, pfn)
        else:
            page_io.swap_writepage(m, pfn)
        if not mem_map.flags(m, pfn) & PG_writeback:
            mem_map.set_flags(m, pfn, 0, PG_reclaim)
    return not mem_map.flags(m, pfn) & (PG_dirty | PG_writeback)


def forgotten(m: Machine, pfn: int) -> bool:
    """Take it out of the swap cache, if nobody else holds it."""
    if not swap_state.is_swapcache(m, pfn):
        return mem_map.page_count(m, pfn) == 1
    if mem_map.page_count(m, pfn) != 2:
        return False
    swap_state.delete_from_swap_cache(m, pfn, workingset.workingset_eviction(m, pfn))
    return True
