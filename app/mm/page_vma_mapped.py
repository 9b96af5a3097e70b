"""Where a page is really mapped, among the places where it may be. Kernel: mm/page_vma_mapped.c

The reverse map knows areas, not entries: a process may have unmapped the page, or have a copy of its own
there. Whoever needs the entries must look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import mem_map, rmap
from app.mm.pgtable_types import PMD_PFN_MASK, PSE, pte_pfn, pte_present

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.mm.kernel import Kernel
    from app.mm.mm_types import PageTable, VmArea


def mapped_entries(m: Kernel, head: int) -> Iterator[tuple[VmArea, int, PageTable, int]]:
    """(area, address, table, index) of each entry that maps the page or, if it is huge, a part of it.

    Kernel: page_vma_mapped_walk
    """
    order = mem_map.compound_order(m, head)
    if order:
        yield from huge_entries(m, head, 1 << order)
        return
    for vma, address in rmap.rmap_walk(m, head):
        table = vma.vm_mm.tables[1].get(address >> 21)
        if table is None:
            continue
        at = address >> 12 & 511
        entry = table.entries[at]
        if entry and pte_present(entry) and pte_pfn(entry) == head:
            yield vma, address, table, at


def huge_entries(m: Kernel, head: int, nr: int) -> Iterator[tuple[VmArea, int, PageTable, int]]:
    """The same of a huge page: one entry that maps it whole, or one for each part.

    An area may have only some of its pages.
    """
    index = mem_map.index_of(m, head)
    for vma in rmap.areas_of(m, head):
        first = max(index, vma.vm_pgoff)
        behind = min(index + nr, vma.vm_pgoff + vma.pages)
        while first < behind:
            address = vma.vm_start + (first - vma.vm_pgoff << 12)
            upper = vma.vm_mm.tables[2].get(address >> 30)
            pmd = upper.entries[address >> 21 & 511] if upper is not None else 0
            if upper is not None and pmd & PSE:
                if pte_pfn(pmd, PMD_PFN_MASK) == head:
                    yield vma, address, upper, address >> 21 & 511
                break
            table = vma.vm_mm.tables[1].get(address >> 21)
            at = address >> 12 & 511
            entry = table.entries[at] if table is not None else 0
            if table is not None and entry and pte_present(entry) and 0 <= pte_pfn(entry) - head < nr:
                yield vma, address, table, at
            first += 1
