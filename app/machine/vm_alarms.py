"""What is broken near one address of a process: its tables, and the pages around it.

Only a caller's mistake breaks it, as `app.machine.parts.vm_rules` counts it for a whole machine. Here no more
is looked at than is shown, so that it costs the same however large the process is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from app.machine import pte_text
from app.mm import mem_map, page_ref, pgalloc
from app.mm.page import PG_private
from app.mm.pgtable_types import PAGE_SIZE, SPECIAL

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.mm_types import MmStruct

Doc = dict[str, Any]


def alarms(m: Machine, mm: MmStruct, address: int, first: int, count: int) -> list[Doc]:
    """Freed tables on the walk of an address, and pages of a window that have too few references."""
    return [*freed_tables(m, mm, address), *lost_references(m, mm, first, count)]


def freed_tables(m: Machine, mm: MmStruct, address: int) -> Iterator[Doc]:
    """Tables whose frame somebody else has freed."""
    for table, _, _ in pgalloc.walk(mm, address):
        page = m.pages.get(table.pfn)
        if table.pfn >= 0 and (page is None or page.state != "pagetable" or page.refcount <= 0):
            yield {"what": "table", "pfn": table.pfn}


def lost_references(m: Machine, mm: MmStruct, first: int, count: int) -> Iterator[Doc]:
    """Small pages that more know than have a reference: the next who lets go frees them."""
    waiting = Counter(page for batch in m.vm.batches.values() for page in map(of_batch, batch))
    image = page_ref.image_frames(m)
    for address in range(first, first + count * PAGE_SIZE, PAGE_SIZE):
        level, entry = pgalloc.find_entry(mm, address)
        pfn = pte_text.frame_of(level, entry, address) if level == 1 and not entry & SPECIAL else None
        if pfn is None or pfn in image or mem_map.compound_order(m, pfn):
            continue
        references = mem_map.page_count(m, pfn)
        known = mem_map.page_mapcount(m, pfn) + waiting[pfn] + others(m, pfn)
        if references < known:
            yield {"what": "references", "pfn": pfn, "count": references, "known": known}


def of_batch(page: int | tuple[int, int]) -> int:
    """The frame that an item of a batch is about."""
    return page[0] if isinstance(page, tuple) else page


def others(m: Machine, pfn: int) -> int:
    """References of the page cache, and of a disk's buffers."""
    inode = mem_map.mapping_of(m, pfn)
    cached = inode is not None and inode.i_pages.get(mem_map.index_of(m, pfn)) == pfn
    return cached + bool(mem_map.flags(m, pfn) & PG_private)
