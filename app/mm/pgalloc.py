"""Page tables of processes: made on the way down to an address, freed when no area needs them.

Kernel: arch/x86/mm/pgtable.c, mm/memory.c __pud_alloc, __pmd_alloc, __pte_alloc, free_pgtables. A table is a
page frame like any other. Of the 512 GiB that an entry of the highest table stands for, only those parts get
tables of their own in which a page is touched: that is what makes a large, mostly empty address space cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import mmu_gather, page_alloc, page_free, rmap
from app.mm.mm_types import VM_HUGETLB, MmStruct, PageTable, VmArea
from app.mm.pgtable_types import PAGE_SIZE, PMD_SIZE, PRESENT, PSE, SHIFT, TABLE
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.mm.kernel import Kernel
    from app.mm.mmu_gather import MmuGather

GFP_PGTABLE_USER: Final = gfp_masks.GFP_KERNEL_ACCOUNT | gfp_masks.__GFP_ZERO
# User addresses of i386: three tables of 1 GiB are made with the address space.
PREALLOCATED_PMDS: Final = 3


# -- looking up ------------------------------------------------------------------------------------


def find_table(mm: MmStruct, level: int, address: int) -> PageTable | None:
    """The table of a level that maps an address, if there is one."""
    if mm.pgd is not None and level == mm.pgd.level:
        return mm.pgd
    return mm.tables[level].get(address >> SHIFT[level + 1])


def index(level: int, address: int) -> int:
    """Which entry of a table of that level an address uses. Kernel: pte_index, pmd_index, …"""
    return address >> SHIFT[level] & 511


def find_entry(mm: MmStruct, address: int) -> tuple[int, int]:
    """(level, entry) at which the walk of an address ends."""
    table = mm.tables[1].get(address >> 21)
    if table is not None:
        return 1, table.entries[address >> 12 & 511]
    pgd = mm.pgd
    if pgd is None:
        return 4, 0
    for level in range(2, pgd.level):
        table = mm.tables[level].get(address >> SHIFT[level + 1])
        if table is not None:
            return level, table.entries[address >> SHIFT[level] & 511]
    return pgd.level, 0


def walk(mm: MmStruct, address: int) -> Iterator[tuple[PageTable, int, int]]:
    """(table, index, entry) of each level that the processor looks at, from the highest to the last.

    Kernel: include/linux/pgtable.h pgd_offset, pud_offset, pmd_offset, pte_offset_map

    It ends at an entry that is empty or maps memory itself; a huge page takes a level or two less. Levels
    that an architecture folds are not walked: i386 with PAE begins at its four entries of 1 GiB.
    """
    table = mm.pgd
    while table is not None:
        level = table.level
        at = index(level, address)
        yield table, at, table.entries[at]
        table = mm.tables[level - 1].get(address >> SHIFT[level]) if level > 1 else None


def walked(mm: MmStruct, address: int) -> list[tuple[int, int, int]]:
    """(level, index, entry) of each of them, as they are by now."""
    table = mm.pgd
    if table is None:
        return []
    at = address >> SHIFT[table.level] & 511
    found = [(table.level, at, table.entries[at])]
    for level in range(table.level - 1, 0, -1):
        table = mm.tables[level].get(address >> SHIFT[level + 1])
        if table is None:
            break
        at = address >> SHIFT[level] & 511
        found.append((level, at, table.entries[at]))
    return found


def pte_of(mm: MmStruct, address: int) -> int:
    """The page entry of an address; 0 where there is no table. Kernel: pte_offset_map"""
    table = mm.tables[1].get(address >> 21)
    return table.entries[address >> 12 & 511] if table is not None else 0


def pmd_of(mm: MmStruct, address: int) -> int:
    """The 2 MiB entry of an address. Kernel: pmd_offset"""
    table = mm.tables[2].get(address >> 30)
    return table.entries[address >> 21 & 511] if table is not None else 0


def find_leaf(mm: MmStruct, address: int) -> tuple[PageTable, int] | None:
    """(table, index) of the entry that maps an address, or at which the walk ends without one."""
    table = mm.tables[1].get(address >> 21)
    if table is not None:
        return table, address >> 12 & 511
    table = mm.tables[2].get(address >> 30)
    if table is not None:
        return table, address >> 21 & 511
    table = mm.tables[3].get(address >> 39)
    return (table, address >> 30 & 511) if table is not None else None


def is_huge(entry: int) -> bool:
    """Whether a 2 MiB entry maps a page and not a table. Kernel: pmd_trans_huge, pmd_huge"""
    return bool(entry & PSE)


# -- making ----------------------------------------------------------------------------------------


def table_page(m: Kernel, gfp: int, order: int = 0) -> int | None:
    """A frame for a table. Kernel: __get_free_pages, alloc_pages"""
    pfn = page_alloc.alloc_pages(m, gfp, order)
    if pfn is not None:
        page = m.pages[pfn]
        page.state = "pagetable"
        m.changed.frame(pfn, 1 << order, page.shown)
    return pfn


def table_dtor(m: Kernel, pfn: int) -> None:
    """A frame that is going to be freed is no table any more. Kernel: pgtable_pte_page_dtor

    While it says that it is one, whoever frees it does so by mistake.
    """
    page = m.pages.get(pfn)
    if page is not None:
        page.state = "unmovable"


def pgd_alloc(m: Kernel, mm: MmStruct) -> None:
    """The highest table of a new address space. Kernel: pgd_alloc

    x86_64 takes two pages, since a kernel that hides itself from user mode needs a second table. i386 has 32
    bytes from a slab cache, and makes the tables below at once: the processor reads the four entries only
    when the address space is switched.
    """
    if m.model.arch == "i386":
        mm.pgd = PageTable(-1, 3, 0, 4)
        for at in range(PREALLOCATED_PMDS):
            pmd_alloc(m, mm, at << 30)
        return
    pfn = table_page(m, GFP_PGTABLE_USER, 1)
    if m.trace is not None:
        m.trace.memory.table(4, pfn)
    mm.pgd = PageTable(-1 if pfn is None else pfn, 4, 0)


def pgd_free(m: Kernel, mm: MmStruct) -> None:
    """Give the highest table back, and what tables of i386 are left. Kernel: pgd_free, pgd_mop_up_pmds"""
    if mm.pgd is None:
        return
    for number in sorted(mm.tables[2]):
        mm.pgtables_bytes -= PAGE_SIZE
        pte_free(m, mm.tables[2].pop(number))
    if mm.pgd.pfn >= 0:
        table_dtor(m, mm.pgd.pfn)
        page_free.free_pages(m, mm.pgd.pfn, 1)
    mm.pgd = None


def install(mm: MmStruct, table: PageTable, address: int) -> None:
    """Hang a table under the level above. Kernel: pmd_install, pmd_populate, pud_populate"""
    level = table.level
    shift = SHIFT[level + 1]
    table.base = address >> shift << shift
    mm.tables[level][address >> shift] = table
    upper = find_table(mm, level + 1, address)
    assert upper is not None
    folded = upper is mm.pgd and upper.level == 3
    upper.entries[address >> shift & 511] = table.pfn << 12 | (PRESENT if folded else TABLE)
    mm.pgtables_bytes += PAGE_SIZE


def pud_alloc(m: Kernel, mm: MmStruct, address: int) -> bool:
    """Make sure of a table of 1 GiB entries. Kernel: mm/memory.c __pud_alloc, pud_alloc"""
    assert mm.pgd is not None
    if mm.pgd.level == 3 or address >> 39 in mm.tables[3]:
        return True
    pfn = table_page(m, GFP_PGTABLE_USER)
    if m.trace is not None:
        m.trace.memory.table(3, pfn)
    if pfn is None:
        return False
    install(mm, PageTable(pfn, 3, 0), address)
    return True


def pmd_alloc(m: Kernel, mm: MmStruct, address: int) -> PageTable | None:
    """Make sure of a table of 2 MiB entries. Kernel: mm/memory.c __pmd_alloc, pmd_alloc"""
    found = mm.tables[2].get(address >> 30)
    if found is not None:
        return found
    if not pud_alloc(m, mm, address):
        return None
    pfn = table_page(m, GFP_PGTABLE_USER)
    if m.trace is not None:
        m.trace.memory.table(2, pfn)
    if pfn is None:
        return None
    m.vm.count("pagetable")
    table = PageTable(pfn, 2, 0)
    install(mm, table, address)
    return table


def pte_alloc_one(m: Kernel) -> PageTable | None:
    """A table of page entries that hangs nowhere yet. Kernel: pte_alloc_one

    The kernel of i386 may put these into HIGHMEM: it maps them for a moment when it needs them.
    """
    high = gfp_masks.__GFP_HIGHMEM if m.model.arch == "i386" else 0
    pfn = table_page(m, GFP_PGTABLE_USER | high)
    if m.trace is not None:
        m.trace.memory.table(1, pfn)
    if pfn is None:
        return None
    m.vm.count("pagetable")
    return PageTable(pfn, 1, 0)


def pte_free(m: Kernel, table: PageTable) -> None:
    """Give back a table that was not needed after all. Kernel: pte_free"""
    m.vm.count("pagetable", -1)
    table_dtor(m, table.pfn)
    page_free.free_pages(m, table.pfn, 0)


def pte_alloc(m: Kernel, mm: MmStruct, address: int) -> PageTable | None:
    """Make sure of a table of page entries; the levels above exist. Kernel: mm/memory.c __pte_alloc"""
    found = mm.tables[1].get(address >> 21)
    if found is None:
        found = pte_alloc_one(m)
        if found is not None:
            install(mm, found, address)
    return found


# -- freeing ---------------------------------------------------------------------------------------


@traced
def free_pgtables(m: Kernel, tlb: MmuGather, areas: list[VmArea], floor: int, ceiling: int) -> None:
    """Free the tables that only these areas needed. Kernel: mm/memory.c free_pgtables

    floor and ceiling: where the neighbours end and begin. A table goes when no area is left in all the range
    that it maps; whether it has entries does not matter.
    """
    at = 0
    while at < len(areas):
        vma = areas[at]
        address = vma.vm_start
        at += 1
        unlink(m, vma)
        if not vma.vm_flags & VM_HUGETLB:
            while (
                at < len(areas)
                and areas[at].vm_start <= vma.vm_end + PMD_SIZE
                and not areas[at].vm_flags & VM_HUGETLB
            ):
                vma = areas[at]
                at += 1
                unlink(m, vma)
        limit = areas[at].vm_start if at < len(areas) else ceiling
        free_pgd_range(m, tlb, address, vma.vm_end, floor, limit)


def unlink(m: Kernel, vma: VmArea) -> None:
    """Nobody finds the area from its pages any more. Kernel: unlink_anon_vmas, unlink_file_vma"""
    rmap.unlink_anon_vmas(m, vma)
    if vma.vm_file is not None:
        vma.vm_file.inode.i_mmap.pop(vma, None)


def free_pgd_range(m: Kernel, tlb: MmuGather, address: int, end: int, floor: int, ceiling: int) -> None:
    """Free the tables of a range, from the lowest level up. Kernel: mm/memory.c free_pgd_range"""
    address &= -PMD_SIZE
    if address < floor:
        address += PMD_SIZE
    if ceiling:
        ceiling &= -PMD_SIZE
        if not ceiling:
            return
    if ceiling and end > ceiling:
        end -= PMD_SIZE
    if address > end - 1:
        return
    top = tlb.mm.pgd
    assert top is not None
    free_range(m, tlb, top.level, address, end, floor, ceiling)


def free_range(
    m: Kernel, tlb: MmuGather, level: int, address: int, end: int, floor: int, ceiling: int
) -> None:
    """Free the tables under the entries of one table of a level, then those tables' own.

    Kernel: free_p4d_range, free_pud_range, free_pmd_range, free_pte_range
    """
    size = 1 << SHIFT[level]
    mm = tlb.mm
    while address < end:
        following = min((address & -size) + size, end)
        table = mm.tables[level - 1].get(address >> SHIFT[level])
        if table is not None:
            if level > 2:
                free_range(m, tlb, level - 1, address, following, floor, ceiling)
            if level == 2 or is_last(address, following, floor, ceiling, size):
                free_table(m, tlb, table)
        address = following


def is_last(start: int, end: int, floor: int, ceiling: int, size: int) -> bool:
    """Whether no neighbour needs the table of `size` bytes that the range lies in."""
    if start & -size < floor:
        return False
    if ceiling:
        ceiling &= -size
        if not ceiling or end > ceiling:
            return False
    return True


def free_table(m: Kernel, tlb: MmuGather, table: PageTable) -> None:
    """Take a table out of the level above and queue its frame. Kernel: pte_free_tlb, pmd_free_tlb"""
    mm, level = tlb.mm, table.level
    shift = SHIFT[level + 1]
    del mm.tables[level][table.base >> shift]
    upper = find_table(mm, level + 1, table.base)
    assert upper is not None
    upper.entries[table.base >> shift & 511] = 0
    if m.trace is not None:
        m.trace.mmap.table_freed(level, table.base, table.pfn)
    mm.pgtables_bytes -= PAGE_SIZE
    if level < 3:
        m.vm.count("pagetable", -1)
    table_dtor(m, table.pfn)
    if mmu_gather.remove_page(m, tlb, table.pfn):
        mmu_gather.flush(m, tlb)
