"""Breakages of address spaces, faults and what stands on them. The numbers are 100 and the rule's own."""

from typing import Final

from tests.mutations.mutation import Mutation


def broken(rule: int, file: str, old: str, new: str, what: str) -> Mutation:
    """A breakage in app/mm."""
    return Mutation(100 + rule, f"mm/{file}.py", old, new, what)


PROCESSES: Final = (
    broken(
        2,
        "mm_types",
        "STACK_GUARD_GAP: Final = 256 << 12",
        "STACK_GUARD_GAP: Final = 0",
        "a stack keeps a megabyte",
    ),
    broken(
        2,
        "mmap",
        "    room = length + align - PAGE_SIZE",
        "    room = length",
        "an aligned area needs a larger gap",
    ),
    broken(3, "mmap", "max(address, MMAP_MIN_ADDR) if address else 0", "address", "no hint is below 64 KiB"),
    broken(
        5,
        "mmap",
        "enough = pages <= limit",
        "enough = pages + 50000 <= limit",
        "more than all memory is refused, less is not",
    ),
    broken(7, "vma", "len(vma.anon_vma_chain) == 1)", "True)", "an area that a fork copied does not grow"),
    broken(7, "vma", "and vma.vm_pgoff == pgoff", "", "areas join where their offsets go on"),
    broken(
        8,
        "mprotect",
        "prev = vma if start > vma.vm_start else neighbours(mm, vma)[0]",
        "prev = None",
        "mprotect joins with what is before",
    ),
    broken(
        11, "mmap", "newbrk + PAGE_SIZE + STACK_GUARD_GAP", "newbrk", "the heap keeps away from the next area"
    ),
    broken(12, "pgalloc", "(PRESENT if folded else TABLE)", "TABLE", "PAE's highest entries are bare"),
    broken(
        13,
        "pgalloc",
        '__GFP_HIGHMEM if m.model.arch == "i386" else 0',
        "__GFP_HIGHMEM & 0",
        "tables of i386 lie in HIGHMEM",
    ),
    broken(
        15,
        "pgalloc",
        "if start & -size < floor:",
        "if start < floor:",
        "the neighbours decide whether a table goes",
    ),
    broken(
        16, "virtual_memory", "prot if bits & 4 or not nx else prot | NX", "prot", "data is not executable"
    ),
    broken(
        17,
        "pgtable_types",
        "return entry ^ mask if entry and not entry & PRESENT else entry",
        "return entry",
        "PROT_NONE inverts the frame",
    ),
    broken(
        19,
        "memory",
        "    if not vmf.write:\n        entry",
        "    if False:\n        entry",
        "a read maps the page of zeros",
    ),
    broken(
        20,
        "rmap",
        "    if at + 1 < len(areas) and anon_vma_compatible(vma, areas[at + 1]):",
        "    if False:",
        "the next area's anon_vma is tried first",
    ),
    broken(20, "rmap", "PG_swapbacked | PG_anon_exclusive", "PG_swapbacked", "a new page is exclusive"),
    broken(
        22,
        "gup",
        "    swap.lru_add_drain(m)\n    return done\n\n\ndef faultin",
        "    return done\n\n\ndef faultin",
        "populate drains the batches",
    ),
    broken(
        23,
        "madvise",
        "column[i] = entry & ~(ACCESSED | DIRTY)",
        "column[i] = entry & ~DIRTY",
        "MADV_FREE clears both bits",
    ),
    broken(24, "lru", "PAGEVEC_SIZE: Final = 15", "PAGEVEC_SIZE: Final = 14", "a batch holds fifteen"),
    broken(
        25,
        "mmap",
        "    swap.lru_add_drain(m)\n    tlb = mmu_gather.gather(m, mm)\n    zap.update",
        "    tlb = mmu_gather.gather(m, mm)\n    zap.update",
        "munmap drains before it unmaps",
    ),
    broken(
        25,
        "memory",
        "    if drained:\n",
        "    if False:\n",
        "a write fault drains before it looks at the count",
    ),
    broken(
        26,
        "lru",
        "(0 if bits & PG_swapbacked else 2) + bool(bits & PG_active)\n    lru",
        "2 + bool(bits & PG_active)\n    lru",
        "anonymous pages have lists of their own",
    ),
    broken(
        26,
        "swap",
        "        set_flags(m, head, 0, PG_referenced)\n        workingset",
        "        workingset",
        "activation forgets the reference",
    ),
    broken(
        27,
        "mmu_gather",
        "MMU_GATHER_BUNDLE: Final = 8",
        "MMU_GATHER_BUNDLE: Final = 9",
        "eight pages are gathered on the stack",
    ),
    broken(27, "mmu_gather", '"x86_64": 510', '"x86_64": 511', "and 510 in a page"),
    broken(
        27,
        "mmu_gather",
        "RELEASE_AT_ONCE: Final = 512",
        "RELEASE_AT_ONCE: Final = 4096",
        "a chunk of 512 is freed at once",
    ),
    broken(
        27,
        "lru",
        "for pfn in reversed(to_free):",
        "for pfn in to_free:",
        "the last of a chunk is freed first",
    ),
    broken(
        28, "zap", "force_flush |= bool(entry & DIRTY)", "force_flush |= False", "a dirty file page flushes"
    ),
    broken(
        29,
        "mmap",
        "inode = m.vm.task_works.pop()",
        "inode = m.vm.task_works.pop(0)",
        "the last file is closed first",
    ),
    broken(
        30, "pagemap", "PAGEVEC_SIZE: Final = 15", "PAGEVEC_SIZE: Final = 16", "truncation frees by fifteen"
    ),
    broken(
        31, "rmap", "and anon_vma.num_children < 2", "and False", "an anon_vma that nobody uses is taken over"
    ),
    broken(
        32,
        "fork",
        "    if not needs_copy(src):\n",
        "    if False:\n",
        "fork copies only where there is an anon_vma",
    ),
    broken(33, "fork", "target[i] = entry & ~ACCESSED", "target[i] = entry", "the child's entries are old"),
    broken(34, "fork", "        new.vm_flags &= ~VM_LOCKED_MASK\n", "", "a child's memory is not locked"),
    broken(35, "memory", "before <= WP_MOST_REFERENCES and count == 1", "False", "the last owner reuses"),
    broken(
        35,
        "memory",
        " and count == 1\n",
        " and mem_map.page_mapcount(m, pfn) == 1\n",
        "references decide, not mappings",
    ),
    broken(
        36,
        "memory",
        "            inc_mm_counter(m, vma, mem_map.mm_counter(m, old), -1)\n",
        "",
        "a copied file page is no file page",
    ),
    broken(
        37,
        "mprotect",
        "if not entry & PRESENT or not entry & DIRTY:",
        "if not entry & PRESENT:",
        "only a dirty page becomes writable at once",
    ),
    broken(
        38,
        "memory",
        "FAULT_AROUND_PAGES: Final = 16",
        "FAULT_AROUND_PAGES: Final = 8",
        "64 KiB are mapped around",
    ),
    broken(
        39, "readahead", "max(0, vmf.pgoff - ra.ra_pages // 2)", "vmf.pgoff", "reading goes around the fault"
    ),
    broken(
        40,
        "filemap_fault",
        "(PG_locked | PG_uptodate | PG_readahead) != PG_uptodate",
        "(PG_locked | PG_uptodate) != PG_uptodate",
        "the marked page is not mapped around",
    ),
    broken(
        42,
        "readahead",
        "        size *= 4\n    elif",
        "        size *= 2\n    elif",
        "the first window is four times what is asked",
    ),
    broken(
        44, "memory", "        pagemap.page_mkwrite(m, pfn)\n", "", "the file system is told of a first write"
    ),
    broken(
        47,
        "pagemap",
        "                deactivate_file_folio(m, pfn)\n",
        "",
        "what stays is deactivated",
    ),
    broken(
        48,
        "mm_types",
        "TASK_RSS_EVENTS_THRESH: Final = 64",
        "TASK_RSS_EVENTS_THRESH: Final = 63",
        "the 66th fault folds",
    ),
    broken(
        49,
        "memory",
        "if ret & VM_FAULT_MAJOR or flags & FAULT_FLAG_TRIED:",
        "if ret & VM_FAULT_MAJOR:",
        "a fault that was tried twice is major",
    ),
    broken(
        52,
        "mlock",
        "    if compound or not mem_map.compound_order(m, head):\n            mlock_folio",
        "    if True:\n            mlock_folio",
        "parts of a huge page are not locked",
    ),
    broken(
        53,
        "huge_memory",
        "haddr >= vma.vm_start and haddr + PMD_SIZE <= vma.vm_end",
        "haddr >= vma.vm_start",
        "a huge page lies wholly in its area",
    ),
    broken(
        54,
        "huge_memory",
        "    vm_fault.add_mm_counter(m, vma.vm_mm, MM_ANONPAGES, HPAGE_PMD_NR)\n",
        "",
        "a huge page counts at once",
    ),
    broken(
        55,
        "huge_memory",
        "    if not is_huge_zero(m, pmd):\n        head = pte_pfn(pmd, PMD_PFN_MASK)\n        exclusive",
        "    if True:\n        head = pte_pfn(pmd, PMD_PFN_MASK)\n        exclusive",
        "a write to the huge zero page splits it",
    ),
    broken(
        56,
        "huge_memory",
        "    s.refcount[0] += HPAGE_PMD_NR - 1\n",
        "",
        "each part of a split page holds a reference",
    ),
    broken(
        58,
        "huge_memory",
        "[table, *ring[1:], *ring[:1]]",
        "[table, *ring]",
        "tables set aside: newest, then oldest first",
    ),
    broken(
        60,
        "lru",
        "m.vm.hstates[s.order].freelist.insert(0, head)",
        "m.vm.hstates[s.order].freelist.append(head)",
        "a huge page goes to the pool's head",
    ),
    broken(
        60,
        "hugetlb",
        "alone = s.compound_mapcount == 0 and mem_map.is_anon(m, old)",
        "alone = s.refcount[old & 511] == 1 and False",
        "there the mappings decide",
    ),
    broken(
        61,
        "fault",
        "return SIGSEGV, SI_KERNEL, 0",
        "return SIGSEGV, SEGV_MAPERR, address",
        "a non-canonical address is another fault",
    ),
    broken(
        63,
        "proc/task_mmu",
        "(size << PSS_SHIFT) // max(page.mapcount, 1)",
        "size << PSS_SHIFT",
        "a shared page counts in parts",
    ),
    broken(
        65,
        "proc/task_mmu",
        "        word |= PM_MMAP_EXCLUSIVE\n",
        "        pass\n",
        "pagemap tells what is mapped once",
    ),
    broken(
        1,
        "exec",
        "self.task_size - (128 << 20)",
        "self.task_size - (8 << 20)",
        "mmap begins below the stack's gap",
    ),
    broken(
        4,
        "mmap",
        "if start & PAGE_SIZE - 1 or start > mm.task_size or",
        "if start > mm.task_size or",
        "munmap wants an aligned address",
    ),
    broken(
        9, "mm_types", "RLIMIT_STACK: Final = 8 << 20", "RLIMIT_STACK: Final = 1 << 30", "a stack has a limit"
    ),
    broken(10, "mremap", "return entry | m.vm.soft_dirty\n", "return entry\n", "a moved page is soft-dirty"),
    broken(18, "memory", "entry | ACCESSED | (DIRTY if write else 0)", "entry | ACCESSED", "a write sets D"),
    broken(
        41,
        "readahead",
        "    if flags & VM_RAND_READ or not ra.ra_pages:",
        "    if not ra.ra_pages:",
        "MADV_RANDOM reads a single page",
    ),
    broken(
        43,
        "memory",
        "        lru.put_page(m, cow)\n        return ret\n    user_bytes",
        "        return ret\n    user_bytes",
        "the page for a copy goes back when the file has none",
    ),
    broken(
        45,
        "filemap_fault",
        "    if index >= last:\n",
        "    if index > last:\n",
        "the page behind the end of a file is a bus error",
    ),
    broken(50, "memory", '    m.vm.count("pgreuse")\n', "", "a reuse is counted"),
    broken(
        51,
        "vma",
        "    elif flags & VM_GROWSDOWN:\n        mm.stack_vm += npages\n",
        "",
        "the stack is counted apart",
    ),
    broken(
        57,
        "huge_memory",
        "        s.flags[0] &= ~PG_anon_exclusive\n        s.compound_mapcount += 1\n",
        "        s.compound_mapcount += 1\n",
        "a huge page that fork shares is not exclusive",
    ),
    broken(62, "proc/task_mmu", "return 73 if", "return 72 if", "names stand in column 73"),
    broken(
        64,
        "proc/array",
        '"VmData": mm.data_vm * 4',
        '"VmData": mm.total_vm * 4',
        "VmData is private and writable",
    ),
)
