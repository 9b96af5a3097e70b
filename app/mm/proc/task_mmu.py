"""/proc/PID/maps, smaps, smaps_rollup, statm and pagemap: an address space as text.

Kernel: fs/proc/task_mmu.c. `maps` and `statm` read what is written down; `smaps` walks the tables, and is
therefore exact where the kernel's own counters lag behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from app.mm import huge_memory, hugetlb, mem_map, pgalloc, swap_map
from app.mm.mem_map import PG_swapbacked
from app.mm.mm_types import (
    MM_ANONPAGES,
    MM_FILEPAGES,
    MM_SHMEMPAGES,
    VM_EXEC,
    VM_HUGETLB,
    VM_LOCKED,
    VM_MAYSHARE,
    VM_READ,
    VM_SHARED,
    VM_SOFTDIRTY,
    VM_WRITE,
    MmStruct,
    VmArea,
)
from app.mm.page import PG_dirty, PG_referenced
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    HPAGE_PMD_NR,
    PAGE_SHIFT,
    PAGE_SIZE,
    PFN_MASK,
    PMD_PFN_MASK,
    PMD_SIZE,
    PRESENT,
    PUD_PFN_MASK,
    SOFT_DIRTY,
    SPECIAL,
    pte_pfn,
    pte_present,
)
from app.mm.swapops import (
    SWP_SOFT_DIRTY,
    SWP_TYPE_BITS,
    is_swap_pte,
    pte_to_swp_entry,
    swp_offset,
    swp_type,
)

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel

PSS_SHIFT: Final = 12
PM_SOFT_DIRTY: Final = 1 << 55
PM_MMAP_EXCLUSIVE: Final = 1 << 56
PM_FILE: Final = 1 << 61
PM_SWAP: Final = 1 << 62
PM_PRESENT: Final = 1 << 63

# Two letters for each flag, from the lowest bit on. Kernel: show_smap_vma_flags
MNEMONICS: Final = {
    0: "rd", 1: "wr", 2: "ex", 3: "sh", 4: "mr", 5: "mw", 6: "me", 7: "ms", 8: "gd", 10: "pf", 13: "lo",
    14: "io", 15: "sr", 16: "rr", 17: "dc", 18: "de", 19: "lf", 20: "ac", 21: "nr", 22: "ht", 25: "wf",
    26: "dd", 27: "sd", 28: "mm", 29: "hg", 30: "nh",
}  # fmt: skip


# -- maps ------------------------------------------------------------------------------------------


def maps(m: Kernel, mm: MmStruct) -> str:
    """One line for each area. Kernel: show_map"""
    return "".join(map_line(m, vma) for vma in mm.mmap)


def map_line(m: Kernel, vma: VmArea) -> str:
    """Range, rights, offset, device, inode, and a name if there is one. Kernel: show_map_vma"""
    rights = "".join(
        letter if vma.vm_flags & bit else "-"
        for letter, bit in (("r", VM_READ), ("w", VM_WRITE), ("x", VM_EXEC))
    )
    rights += "s" if vma.vm_flags & VM_MAYSHARE else "p"
    offset, device, ino = 0, "00:00", 0
    if vma.vm_file is not None:
        inode = vma.vm_file.inode
        offset, device, ino = vma.vm_pgoff << PAGE_SHIFT, inode.device, inode.ino
    line = f"{vma.vm_start:08x}-{vma.vm_end:08x} {rights} {offset:08x} {device} {ino} "
    name = area_name(vma)
    if name:
        line = f"{line:<{name_column(m)}}{name}"
    return line + "\n"


def name_column(m: Kernel) -> int:
    """Where names begin: further right where addresses are longer. Kernel: show_vma_header_prefix"""
    return 73 if m.model.arch == "x86_64" else 49


def area_name(vma: VmArea) -> str:
    """What an area is. Kernel: get_vma_name"""
    mm = vma.vm_mm
    if vma.vm_file is not None:
        return vma.vm_file.path or vma.vm_file.inode.name
    if vma.special is not None:
        return vma.special
    if vma.vm_start <= mm.brk and vma.vm_end >= mm.start_brk:
        return "[heap]"
    if vma.vm_start <= mm.start_stack <= vma.vm_end:
        return "[stack]"
    return ""


# -- smaps -----------------------------------------------------------------------------------------


class MemSize:
    """What a walk adds up, in bytes; pss with 12 more bits. Kernel: struct mem_size_stats"""

    __slots__ = (
        "anonymous", "anonymous_thp", "lazyfree", "private_clean", "private_dirty", "private_hugetlb", "pss",
        "pss_anon", "pss_dirty", "pss_file", "pss_locked", "pss_shmem", "pss_swap", "referenced", "resident",
        "shared_clean", "shared_dirty", "shared_hugetlb", "swap",
    )  # fmt: skip

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    def add(self, name: str, value: int) -> None:
        """Add to one of them."""
        setattr(self, name, getattr(self, name) + value)

    def get(self, name: str) -> int:
        """One of them in kB."""
        value: int = getattr(self, name)
        return value >> (10 + PSS_SHIFT if name.startswith("pss") else 10)


def smaps(m: Kernel, mm: MmStruct) -> str:
    """The lines of `maps`, each with what its walk found. Kernel: show_smap"""
    return "".join(smap(m, vma) for vma in mm.mmap)


def smap(m: Kernel, vma: VmArea) -> str:
    """One area. Kernel: show_smap"""
    mss = MemSize()
    gather(m, vma, mss)
    page_size = (1 << hugetlb.shift_of(m, vma.vm_file)) >> 10 if vma.vm_flags & VM_HUGETLB else 4
    lines = [
        field("Size", (vma.vm_end - vma.vm_start) >> 10),
        field("KernelPageSize", page_size),
        field("MMUPageSize", page_size),
        *fields(mss, rollup=False),
        f"THPeligible:    {int(thp_eligible(m, vma))}\n",
        "VmFlags: "
        + "".join(f"{word} " for bit, word in MNEMONICS.items() if vma.vm_flags >> bit & 1)
        + "\n",
    ]
    return map_line(m, vma) + "".join(lines)


def smaps_rollup(m: Kernel, mm: MmStruct) -> str:
    """The sums of all areas. Kernel: show_smaps_rollup"""
    mss = MemSize()
    for vma in mm.mmap:
        gather(m, vma, mss)
    start = mm.mmap[0].vm_start if mm.mmap else 0
    end = mm.mmap[-1].vm_end if mm.mmap else 0
    head = f"{start:08x}-{end:08x} ---p 00000000 00:00 0 "
    return f"{head:<{name_column(m)}}[rollup]\n" + "".join(fields(mss, rollup=True))


def field(name: str, kilobytes: int) -> str:
    """One line."""
    return f"{name + ':':<16}{kilobytes:8d} kB\n"


def fields(mss: MemSize, *, rollup: bool) -> Iterator[str]:
    """What a walk found, in the kernel's order. Kernel: __show_smap"""
    yield field("Rss", mss.get("resident"))
    yield field("Pss", mss.get("pss"))
    yield field("Pss_Dirty", mss.get("pss_dirty"))
    if rollup:
        yield field("Pss_Anon", mss.get("pss_anon"))
        yield field("Pss_File", mss.get("pss_file"))
        yield field("Pss_Shmem", mss.get("pss_shmem"))
    yield field("Shared_Clean", mss.get("shared_clean"))
    yield field("Shared_Dirty", mss.get("shared_dirty"))
    yield field("Private_Clean", mss.get("private_clean"))
    yield field("Private_Dirty", mss.get("private_dirty"))
    yield field("Referenced", mss.get("referenced"))
    yield field("Anonymous", mss.get("anonymous"))
    yield field("LazyFree", mss.get("lazyfree"))
    yield field("AnonHugePages", mss.get("anonymous_thp"))
    yield field("ShmemPmdMapped", 0)
    yield field("FilePmdMapped", 0)
    yield field("Shared_Hugetlb", mss.get("shared_hugetlb"))
    yield field("Private_Hugetlb", mss.get("private_hugetlb"))
    yield field("Swap", mss.get("swap"))
    yield field("SwapPss", mss.get("pss_swap"))
    yield field("Locked", mss.get("pss_locked"))


def thp_eligible(m: Kernel, vma: VmArea) -> bool:
    """Whether huge pages could be used there. Kernel: hugepage_vma_check with smaps"""
    suitable = huge_memory.transhuge_vma_suitable(vma, max(vma.vm_end - PMD_SIZE, 0))
    return suitable and huge_memory.hugepage_vma_check(m, vma)


def mapped(m: Kernel, vma: VmArea) -> Iterator[tuple[int, int, int]]:
    """(address, entry, level) of all that is mapped in an area, or in swap."""
    mm = vma.vm_mm
    for base in ranges_with_tables(vma):
        m.breathe()
        pmd = pgalloc.pmd_of(mm, base)
        if pgalloc.is_huge(pmd):
            yield base, pmd, 2
            continue
        table = mm.tables[1].get(base >> 21)
        if table is None:
            continue
        first = max(vma.vm_start - base, 0) >> PAGE_SHIFT
        behind = min(vma.vm_end - base, PMD_SIZE) >> PAGE_SHIFT
        for i in range(first, behind):
            entry = table.entries[i]
            if entry:
                yield base + (i << PAGE_SHIFT), entry, 1


def ranges_with_tables(vma: VmArea) -> Iterable[int]:
    """Where the 2 MiB begin of which a table or a huge page may map something of an area, in order."""
    mm, first, behind = vma.vm_mm, vma.vm_start >> 21, (vma.vm_end - 1 >> 21) + 1
    if behind - first <= len(mm.tables[1]) + HPAGE_PMD_NR * len(mm.tables[2]):
        return range(first << 21, behind << 21, PMD_SIZE)
    within = {number for number in mm.tables[1] if first <= number < behind}
    for number, table in mm.tables[2].items():
        if number << 9 < behind and number + 1 << 9 > first:
            huge = (number << 9 | at for at, entry in enumerate(table.entries) if pgalloc.is_huge(entry))
            within.update(at for at in huge if first <= at < behind)
    return (number << 21 for number in sorted(within))


def gather(m: Kernel, vma: VmArea, mss: MemSize) -> None:
    """Walk an area. Kernel: smap_gather_stats"""
    if vma.vm_flags & VM_HUGETLB:
        gather_hugetlb(m, vma, mss)
        return
    locked = bool(vma.vm_flags & VM_LOCKED)
    alike: Counter[Small] = Counter()
    for _, entry, level in mapped(m, vma):
        if level == 2:
            if not huge_memory.is_huge_zero(m, entry):
                mss.add("anonymous_thp", PMD_SIZE)
                account_huge(m, mss, entry, locked=locked)
        elif is_swap_pte(entry):
            account_swap(m, mss, entry)
        elif not entry & SPECIAL:
            alike[small(m, entry)] += 1
    for page, count in alike.items():
        account(mss, page, count, locked=locked)
    if vma.vm_file is not None and vma.vm_file.inode.swapped:
        mss.add("swap", shmem_swap_usage(vma, vma.vm_file.inode) * PAGE_SIZE)


def account_swap(m: Kernel, mss: MemSize, entry: int) -> None:
    """Add a page in swap: its share by how many entries name its slot. Kernel: smaps_pte_entry"""
    mss.add("swap", PAGE_SIZE)
    count = swap_map.swp_swapcount(m, pte_to_swp_entry(entry))
    mss.add("pss_swap", (PAGE_SIZE << PSS_SHIFT) // max(count, 1))


def shmem_swap_usage(vma: VmArea, inode: Inode) -> int:
    """How many pages that an area maps of a file of tmpfs are in swap. Kernel: shmem_swap_usage

    Of a private area those do not count of which it has a copy.
    """
    private = vma.vm_flags & (VM_SHARED | VM_WRITE) == VM_WRITE
    behind = vma.vm_pgoff + vma.pages
    return sum(
        vma.vm_pgoff <= index < behind
        and not (private and pgalloc.pte_of(vma.vm_mm, vma.vm_start + (index - vma.vm_pgoff << PAGE_SHIFT)))
        for index in inode.swapped
    )


class Small(NamedTuple):
    """What smaps asks of a small page: pages that are alike in it are added up together."""

    anon: bool
    swapbacked: bool
    dirty: bool
    referenced: bool
    mapcount: int


def small(m: Kernel, entry: int) -> Small:
    """The page of an entry. One with a single reference is mapped nowhere else, whatever its count says."""
    pfn = pte_pfn(entry, PFN_MASK)
    head = mem_map.compound_head(m, pfn)
    s = mem_map.section(m, head)
    bits = s.flags[head & 511]
    return Small(
        bool(s.mapping[head & 511] & mem_map.PAGE_MAPPING_ANON),
        bool(bits & PG_swapbacked),
        bool(entry & DIRTY or bits & PG_dirty),
        bool(entry & ACCESSED or bits & PG_referenced),
        1 if s.refcount[head & 511] == 1 else mem_map.page_mapcount(m, pfn),
    )


def account(mss: MemSize, page: Small, count: int, *, locked: bool) -> None:
    """Add so many pages that are alike. Kernel: smaps_account"""
    account_folio(mss, page, count * PAGE_SIZE)
    account_share(mss, page, PAGE_SIZE, count, locked=locked)


def account_huge(m: Kernel, mss: MemSize, entry: int, *, locked: bool) -> None:
    """Add a huge page: each of its frames may be mapped in parts elsewhere. Kernel: smaps_account"""
    first = pte_pfn(entry, PMD_PFN_MASK)
    page = small(m, first << PAGE_SHIFT | entry & (ACCESSED | DIRTY) | PRESENT)
    account_folio(mss, page, PMD_SIZE)
    if mem_map.page_count(m, first) == 1:
        account_share(mss, page, PMD_SIZE, 1, locked=locked)
        return
    for pfn in range(first, first + HPAGE_PMD_NR):
        share = page._replace(mapcount=mem_map.page_mapcount(m, pfn))
        account_share(mss, share, PAGE_SIZE, 1, locked=locked)


def account_folio(mss: MemSize, page: Small, size: int) -> None:
    """What counts a page whole, however many share it."""
    if page.anon:
        mss.add("anonymous", size)
        if not page.swapbacked and not page.dirty:
            mss.add("lazyfree", size)
    mss.add("resident", size)
    if page.referenced:
        mss.add("referenced", size)


def account_share(mss: MemSize, page: Small, size: int, count: int, *, locked: bool) -> None:
    """The share of so many parts of a page of that size. Kernel: smaps_page_accumulate"""
    kind = "pss_anon" if page.anon else "pss_shmem" if page.swapbacked else "pss_file"
    pss = (size << PSS_SHIFT) // max(page.mapcount, 1)
    for name in ("pss", kind, *(["pss_locked"] if locked else []), *(["pss_dirty"] if page.dirty else [])):
        mss.add(name, pss * count)
    shared = "private_" if page.mapcount < 2 else "shared_"
    mss.add(shared + ("dirty" if page.dirty else "clean"), size * count)


def gather_hugetlb(m: Kernel, vma: VmArea, mss: MemSize) -> None:
    """Huge pages of a pool stand beside all other sums. Kernel: smaps_hugetlb_range"""
    hstate = hugetlb.hstate_vma(m, vma)
    for address in range(vma.vm_start, vma.vm_end, 1 << hstate.shift):
        found = hugetlb.slot(vma.vm_mm, hstate.order, address)
        entry = found[0].entries[found[1]] if found is not None else 0
        if entry and pte_present(entry):
            shared = mem_map.page_mapcount(m, pte_pfn(entry, hugetlb.pfn_mask(hstate.order))) >= 2
            mss.add("shared_hugetlb" if shared else "private_hugetlb", 1 << hstate.shift)


# -- statm -----------------------------------------------------------------------------------------


def statm(mm: MmStruct) -> str:
    """Sizes in pages, from the folded counters. Kernel: task_statm, proc_pid_statm"""
    shared = mm.rss_stat[MM_FILEPAGES] + mm.rss_stat[MM_SHMEMPAGES]
    resident = shared + mm.rss_stat[MM_ANONPAGES]
    text = (mm.end_code + PAGE_SIZE - 1 >> PAGE_SHIFT) - (mm.start_code >> PAGE_SHIFT)
    return f"{mm.total_vm} {resident} {shared} {text} 0 {mm.data_vm + mm.stack_vm} 0\n"


# -- pagemap ---------------------------------------------------------------------------------------


def pagemap(m: Kernel, mm: MmStruct, first: int, count: int) -> list[int]:
    """A word for each page from a page number on: frame and bits. Kernel: pagemap_read, pagemap_pmd_range"""
    words = [0] * count
    start, end = first << PAGE_SHIFT, first + count << PAGE_SHIFT
    for vma in mm.mmap:
        if vma.vm_end <= start or vma.vm_start >= end:
            continue
        low, high = max(vma.vm_start, start), min(vma.vm_end, end)
        soft = PM_SOFT_DIRTY if vma.vm_flags & VM_SOFTDIRTY else 0
        for address in range(low, high, PAGE_SIZE):
            if not address & PMD_SIZE - 1:
                m.breathe()
            words[(address >> PAGE_SHIFT) - first] = pagemap_entry(m, vma, address) | soft
    return words


def pagemap_entry(m: Kernel, vma: VmArea, address: int) -> int:
    """The word of one page of an area. Kernel: pte_to_pagemap_entry"""
    found = pgalloc.find_leaf(vma.vm_mm, address)
    if found is None:
        return 0
    table, at = found
    entry = table.entries[at]
    if table.level == 1 and is_swap_pte(entry):
        return swapped_entry(m, entry)
    if not entry or not pte_present(entry) or (table.level > 1 and not pgalloc.is_huge(entry)):
        return 0
    shift = 9 * (table.level - 1)
    mask = (PFN_MASK, PMD_PFN_MASK, PUD_PFN_MASK)[table.level - 1]
    head = pte_pfn(entry, mask)
    word = PM_PRESENT | head + (address >> PAGE_SHIFT & (1 << shift) - 1)
    if entry & SOFT_DIRTY and m.vm.soft_dirty and not vma.vm_flags & VM_HUGETLB:
        word |= PM_SOFT_DIRTY
    if (entry & SPECIAL and table.level == 1) or (table.level == 2 and huge_memory.is_huge_zero(m, entry)):
        return word
    if not mem_map.is_anon(m, head):
        word |= PM_FILE
    if mem_map.page_mapcount(m, head) == 1:
        word |= PM_MMAP_EXCLUSIVE
    return word


def swapped_entry(m: Kernel, entry: int) -> int:
    """The word of a page in swap: area and slot. Kernel: pte_to_pagemap_entry"""
    slot = pte_to_swp_entry(entry)
    word = PM_SWAP | swp_type(slot) | swp_offset(slot) << SWP_TYPE_BITS
    return word | (PM_SOFT_DIRTY if entry & SWP_SOFT_DIRTY and m.vm.soft_dirty else 0)
