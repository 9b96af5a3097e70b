"""What the struct page of a frame says to somebody who walks over all of them.

Kernel: include/linux/page-flags.h PageBuddy, PageCompound, PageLRU, mm/internal.h buddy_order. Compaction
looks at frames by their number and has to tell free ones, parts of larger pages and pages on LRU lists
apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.mmzone import MAX_ORDER, MAX_ORDER_NR_PAGES, PAGEBLOCK_NR_PAGES, PAGEBLOCK_ORDER, Zone
from app.mm.page import PG_head, PG_lru

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# Frames for which there are struct pages or none, all at once. Kernel: PAGES_PER_SECTION
PAGES_PER_SECTION: Final = 1 << 15


def pfn_valid(zone: Zone, pfn: int) -> bool:
    """Whether the frame has a struct page: the hole below 4 GiB has none. Kernel: pfn_valid, page_zone"""
    behind = zone.hole_pfn + PAGES_PER_SECTION - 1 & -PAGES_PER_SECTION
    return zone.start_pfn <= pfn < min(behind, zone.end_pfn)


def buddy_order(zone: Zone, pfn: int) -> int | None:
    """The order of the free block that begins here; None where none does. Kernel: PageBuddy, buddy_order"""
    code = zone.buddy.get(pfn)
    if code is not None:
        return code >> 3
    first, end = zone.untouched
    return MAX_ORDER - 1 if first <= pfn < end and not pfn % MAX_ORDER_NR_PAGES else None


def none_known(m: Kernel, zone: Zone, frames: range) -> bool:
    """Whether no frame of a part of a pageblock is the first of a free or used block, as far as is known."""
    first = frames.start
    if first >> PAGEBLOCK_ORDER in m.vm.sections or zone.untouched[0] <= first < zone.untouched[1]:
        return False
    return zone.buddy.keys().isdisjoint(frames) and m.pages.keys().isdisjoint(frames)


def compound_order(m: Kernel, pfn: int) -> int:
    """The order of the compound page that begins here, else 0. Kernel: compound_order"""
    page = m.pages.get(pfn)
    if page is not None:
        return page.order if page.flags & PG_head else 0
    s = m.vm.sections.get(pfn >> PAGEBLOCK_ORDER)
    return s.order if s is not None and not pfn % PAGEBLOCK_NR_PAGES else 0


def is_on_lru(m: Kernel, pfn: int) -> bool:
    """Whether the page is on an LRU list. Kernel: PageLRU"""
    s = m.vm.sections.get(pfn >> PAGEBLOCK_ORDER)
    return s is not None and bool(s.flags[pfn & PAGEBLOCK_NR_PAGES - 1] & PG_lru)


def pageblock_skip_persistent(m: Kernel, pfn: int) -> bool:
    """Whether the pageblock is part of a page as large as itself, which nothing can break.

    Kernel: mm/compaction.c pageblock_skip_persistent
    """
    s = m.vm.sections.get(pfn >> PAGEBLOCK_ORDER)
    if s is not None and s.order >= PAGEBLOCK_ORDER:
        return True
    return any(compound_order(m, pfn & -(1 << order)) >= order for order in range(PAGEBLOCK_ORDER, MAX_ORDER))
