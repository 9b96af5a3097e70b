"""/proc/kpagecount and kpageflags: struct page for those who may see it. Kernel: fs/proc/page.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mem_map, page_ref
from app.mm import page as pg

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Bits that are the page's own, as user mode knows them.
KPF_OF: Final = {
    pg.PG_locked: 0, pg.PG_error: 1, pg.PG_referenced: 2, pg.PG_uptodate: 3, pg.PG_dirty: 4, pg.PG_lru: 5,
    pg.PG_active: 6, pg.PG_slab: 7, pg.PG_writeback: 8, mem_map.PG_reclaim: 9, pg.PG_unevictable: 18,
    pg.PG_hwpoison: 19, pg.PG_reserved: 32, pg.PG_mlocked: 33, mem_map.PG_mappedtodisk: 34,
    pg.PG_private: 35, pg.PG_private_2: 36, pg.PG_owner_priv_1: 37, pg.PG_arch_1: 38,
}  # fmt: skip
KPF_BUDDY: Final = 1 << 10
KPF_MMAP: Final = 1 << 11
KPF_ANON: Final = 1 << 12
KPF_SWAPCACHE: Final = 1 << 13
KPF_SWAPBACKED: Final = 1 << 14
KPF_COMPOUND_HEAD: Final = 1 << 15
KPF_COMPOUND_TAIL: Final = 1 << 16
KPF_HUGE: Final = 1 << 17
KPF_NOPAGE: Final = 1 << 20
KPF_THP: Final = 1 << 22
KPF_ZERO_PAGE: Final = 1 << 24
KPF_PGTABLE: Final = 1 << 26


def kpagecount(m: Kernel, pfn: int) -> int:
    """In how many places a frame is mapped. Kernel: kpagecount_read"""
    return mem_map.page_mapcount(m, pfn) if mem_map.known(m, pfn) else 0


def kpageflags(m: Kernel, pfn: int) -> int:
    """What a frame is. Kernel: stable_page_flags"""
    if not any(zone.spans_pfn(pfn) for zone in m.zones):
        return KPF_NOPAGE
    if not mem_map.known(m, pfn):
        return other_flags(m, pfn)
    head = mem_map.compound_head(m, pfn)
    order = mem_map.compound_order(m, pfn)
    bits = mem_map.flags(m, head)
    word = sum(1 << to for bit, to in KPF_OF.items() if bits & bit)
    anon = mem_map.is_anon(m, head)
    if mem_map.page_mapcount(m, pfn):
        word |= KPF_MMAP
    if anon:
        # The bit says there that the page is nobody else's, and nothing of a disk.
        word = (word & ~(1 << KPF_OF[mem_map.PG_mappedtodisk])) | KPF_ANON
    if bits & mem_map.PG_swapbacked:
        word |= KPF_SWAPBACKED | (KPF_SWAPCACHE if bits & pg.PG_swapcache else 0)
    if order:
        word |= KPF_COMPOUND_HEAD if pfn == head else KPF_COMPOUND_TAIL
        word |= KPF_HUGE if head in m.vm.pool_pages else KPF_THP
    if pfn == m.vm.zero_pfn or head == m.vm.huge_zero_page:
        word |= KPF_ZERO_PAGE
    return word


def other_flags(m: Kernel, pfn: int) -> int:
    """A frame that no process and no file uses."""
    zone = m.zone_of(pfn)
    free = zone.free_block_at(pfn)
    if free is not None and (free[0] == pfn or not page_ref.page_ref_count(m, pfn)):
        return KPF_BUDDY
    bits = page_ref.page_flags(m, pfn)
    word = sum(1 << to for bit, to in KPF_OF.items() if bits & bit)
    block = page_ref.block_of(m, pfn)
    if block is not None:
        if block.state == "pagetable":
            word |= KPF_PGTABLE
        if block.flags & pg.PG_head:
            word |= KPF_COMPOUND_HEAD if block.pfn == pfn else KPF_COMPOUND_TAIL
            word |= block.flags & pg.PG_slab and 1 << KPF_OF[pg.PG_slab]
    return word
