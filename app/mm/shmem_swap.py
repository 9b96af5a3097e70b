"""Files of tmpfs in swap: they have no disk to be written to, so their pages go where anonymous ones go.

Kernel: mm/shmem.c shmem_writepage, shmem_swapin_folio, shmem_unuse. The file itself notes the slot of a page,
in the place where the page stood; no entry of a page table ever does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import (
    lru,
    mem_map,
    page_io,
    swap,
    swap_alloc,
    swap_map,
    swap_readahead,
    swap_slots,
    swap_state,
    swapfile,
)
from app.mm.mem_map import set_flags
from app.mm.page import PG_dirty
from app.mm.swapops import swp_type

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel


def shmem_writepage(m: Kernel, pfn: int) -> bool:
    """Write a page of tmpfs to swap; false where there is no slot: the caller activates the page.

    Kernel: shmem_writepage. Reclaim has unmapped it before.
    """
    inode = mem_map.mapping_of(m, pfn)
    assert inode is not None
    entry = swap_alloc.folio_alloc_swap(m) if m.vm.total_swap_pages else 0
    if not entry:
        set_flags(m, pfn, PG_dirty)
        return False
    swap_state.add_to_swap_cache(m, pfn, entry)
    swap_map.swap_shmem_alloc(m, entry)
    s, i = mem_map.section(m, pfn), pfn & 511
    index = s.index[i]
    del inode.i_pages[index]
    inode.swapped[index] = entry
    s.mapping[i] = 0
    s.refcount[i] -= 1
    m.vm.count("file_pages", -1)
    m.vm.count("shmem", -1)
    page_io.swap_writepage(m, pfn)
    return True


def shmem_swapin_folio(
    m: Kernel, inode: Inode, index: int, *, write: bool, fault: bool = False
) -> tuple[int, bool] | None:
    """Bring a page of tmpfs back; the page, with a reference, and whether it was read. None without memory.

    Kernel: shmem_swapin_folio. It leaves the swap cache at once, and so is dirty. write: for `write`, which
    counts as a use of the page. fault: a process faulted on it.
    """
    entry = inode.swapped[index]
    read = False
    pfn = swap_state.swap_cache_get_folio(m, entry, None, 0)
    if pfn is None:
        read = True
        if fault:
            m.vm.count("pgmajfault")
        pfn = swap_readahead.swapin_readahead(m, entry, None, 0)
        if pfn is None:
            return None
    s, i = mem_map.section(m, pfn), pfn & 511
    s.refcount[i] += 1
    s.mapping[i] = inode.id << 1
    s.index[i] = index
    del inode.swapped[index]
    inode.i_pages[index] = pfn
    m.vm.count("file_pages")
    m.vm.count("shmem")
    if write:
        swap.mark_page_accessed(m, pfn)
    swap_state.delete_from_swap_cache(m, pfn)
    set_flags(m, pfn, PG_dirty)
    swap_slots.swap_free(m, entry)
    return pfn, read


def shmem_free_swap(m: Kernel, inode: Inode, first: int, last: int | None) -> None:
    """Give up the slots of pages from an index up to another, or to the end. Kernel: shmem_free_swap"""
    found = [index for index in inode.swapped if index >= first and (last is None or index <= last)]
    for index in sorted(found):
        swapfile.free_swap_and_cache(m, inode.swapped.pop(index))


def shmem_unuse(m: Kernel, type: int) -> bool:
    """Bring all pages of tmpfs back from an area; false without memory. Kernel: shmem_unuse

    The file that was swapped out last is the first.
    """
    for inode in reversed([*m.vm.mappings.values()]):
        for index in [at for at, entry in sorted(inode.swapped.items()) if swp_type(entry) == type]:
            m.breathe()
            found = shmem_swapin_folio(m, inode, index, write=False)
            if found is None:
                return False
            lru.put_page(m, found[0])
    return True
