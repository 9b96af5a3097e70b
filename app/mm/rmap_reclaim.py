"""Who has used a page, and taking it away from all who map it.

Kernel: mm/rmap.c folio_referenced, try_to_unmap. This is what reclaim needs the reverse map for. The
processor notes in each entry that it was used; nobody but reclaim clears that again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import huge_memory, lru, mem_map, mlock, page_vma_mapped, pagemap, rmap, swap_map, swap_state, zap
from app.mm.mem_map import PG_anon_exclusive, PG_swapbacked
from app.mm.mm_types import MM_ANONPAGES, MM_SWAPENTS, VM_LOCKED, VM_SEQ_READ
from app.mm.page import PG_dirty, PG_locked
from app.mm.pgtable_types import ACCESSED, DIRTY, PSE, pte_pfn
from app.mm.swapops import SWP_EXCLUSIVE, SWP_SOFT_DIRTY, swp_entry_to_pte

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import PageTable, VmArea


def folio_referenced(m: Kernel, pfn: int, *, is_locked: bool = True) -> tuple[int, int]:
    """In how many areas the page was used since the last look, and the flags of those areas.

    Kernel: folio_referenced. A page of a locked area has VM_LOCKED among the flags: it is not to be taken.
    is_locked: the caller has the page's lock; a file page that somebody else has locked counts as used.
    """
    head = mem_map.compound_head(m, pfn)
    if not mem_map.is_mapped(m, head):
        return 0, 0
    if not is_locked and not mem_map.is_anon(m, head) and mem_map.flags(m, head) & PG_locked:
        return 1, 0
    referenced: dict[VmArea, None] = {}
    vm_flags = 0
    for vma, _, table, at in page_vma_mapped.mapped_entries(m, head):
        entry = table.entries[at]
        if vma.vm_flags & VM_LOCKED and (table.level == 2 or not mem_map.compound_order(m, head)):
            mlock.mlock_vma_page(m, vma, head, compound=table.level == 2)
            return len(referenced), vm_flags | VM_LOCKED
        if entry & ACCESSED:
            table.entries[at] = entry & ~ACCESSED
            if not vma.vm_flags & VM_SEQ_READ:
                referenced[vma] = None
                vm_flags |= vma.vm_flags & ~VM_LOCKED
    return len(referenced), vm_flags


def try_to_unmap(m: Kernel, pfn: int) -> bool:
    """Take the page away from all who map it; whether nobody does any more. Kernel: try_to_unmap

    The entries of an anonymous page say from then on in which slot it is. A huge page that is mapped whole
    is mapped in parts first.
    """
    head = mem_map.compound_head(m, pfn)
    if mem_map.compound_order(m, head):
        for vma, address, table, at in [*page_vma_mapped.mapped_entries(m, head)]:
            if table.level == 2 and table.entries[at] & PSE:
                huge_memory.split_huge_pmd(m, vma, address)
    for vma, address, table, at in [*page_vma_mapped.mapped_entries(m, head)]:
        if not try_to_unmap_one(m, head, vma, table, at):
            break
        if m.vm.unmapped is not None:
            m.vm.unmapped.append((vma.vm_mm, address))
        if m.trace is not None:
            m.trace.swap.unmapped(head, vma, address, table.entries[at])
    return not mem_map.is_mapped(m, head)


def try_to_unmap_one(m: Kernel, head: int, vma: VmArea, table: PageTable, at: int) -> bool:
    """Take the page away from one place; whether to go on with the others. Kernel: try_to_unmap_one"""
    if vma.vm_flags & VM_LOCKED:
        mlock.mlock_vma_page(m, vma, head, compound=False)
        return False
    entry = table.entries[at]
    pfn = pte_pfn(entry)
    mm = vma.vm_mm
    table.entries[at] = 0
    if entry & DIRTY:
        pagemap.set_page_dirty(m, head)
    zap.update_hiwater_rss(mm)
    if not mem_map.is_anon(m, head):
        mm.rss_stat[mem_map.mm_counter(m, head)] -= 1
    elif not mem_map.flags(m, head) & PG_swapbacked:
        if not may_discard(m, head):
            table.entries[at] = entry
            mem_map.set_flags(m, head, PG_swapbacked)
            return False
        mm.rss_stat[MM_ANONPAGES] -= 1
    elif not swap_entry_for(m, head, pfn, table, at, entry):
        table.entries[at] = entry
        return False
    else:
        mm.rss_stat[MM_ANONPAGES] -= 1
        mm.rss_stat[MM_SWAPENTS] += 1
    rmap.page_remove_rmap(m, pfn, vma)
    lru.put_page(m, head)
    return True


def may_discard(m: Kernel, head: int) -> bool:
    """Whether a page that its owner gave up is really unused: nobody wrote it or holds it since."""
    nobody_else = mem_map.page_count(m, head) == 1 + mapcount(m, head)
    return nobody_else and not mem_map.flags(m, head) & PG_dirty


def mapcount(m: Kernel, head: int) -> int:
    """By how many entries a page, or any part of it, is mapped. Kernel: folio_mapcount"""
    s = mem_map.section(m, head)
    if not s.order:
        return s.mapcount[head & 511] + 1
    whole = s.compound_mapcount + 1
    parts = sum(count + 1 for count in s.mapcount)
    doubled = s.flags[(head & 511) + 1] & mem_map.PG_double_map
    return whole + parts - (1 << s.order if doubled else 0)


def swap_entry_for(m: Kernel, head: int, pfn: int, table: PageTable, at: int, entry: int) -> bool:
    """Write where the page is now; whether there is a slot that can be named once more.

    What is this process's alone is noted with it, since it will be so when the page comes back.
    """
    if not swap_state.is_swapcache(m, head):
        return False
    slot = swap_map.swap_of(m).entries[head]
    if not swap_map.swap_duplicate(m, slot):
        return False
    swapped = swp_entry_to_pte(slot)
    if mem_map.test_clear_flag(m, pfn, PG_anon_exclusive) and m.model.arch == "x86_64":
        swapped |= SWP_EXCLUSIVE
    if entry & m.vm.soft_dirty:
        swapped |= SWP_SOFT_DIRTY
    table.entries[at] = swapped
    return True
