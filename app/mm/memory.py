"""Page faults: what the kernel does when an access finds no entry that allows it.

Kernel: mm/memory.c handle_mm_fault and what it calls. Nothing is in memory until it is touched. The fault
decides by the area what the page shall be: a zeroed page, a page of a file, a copy of a page that was shared;
writes the entry, and the processor makes the access again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import (
    filemap_fault,
    huge_memory,
    hugetlb,
    lru,
    mem_map,
    pagemap,
    pgalloc,
    rmap,
    swap,
    swap_map,
    swap_readahead,
    swap_slots,
    swap_state,
    swapfile,
    user_bytes,
    zap,
)
from app.mm import gfp as gfp_masks
from app.mm.mem_map import PG_anon_exclusive
from app.mm.mm_types import (
    MM_ANONPAGES,
    MM_SWAPENTS,
    TASK_RSS_EVENTS_THRESH,
    VM_HUGETLB,
    VM_LOCKED,
    VM_SHARED,
    VM_WRITE,
    MmStruct,
    VmArea,
)
from app.mm.page import PG_lru, PG_mlocked, PG_uptodate
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    PRESENT,
    PSE,
    RW,
    SPECIAL,
    mk_pte,
    mkdirty,
    pte_pfn,
    pte_present,
    vma_page_prot,
)
from app.mm.sched import current
from app.mm.swapops import SWP_EXCLUSIVE, SWP_SOFT_DIRTY, pte_to_swp_entry
from app.mm.tracepoints import traced
from app.mm.vm_fault import (
    FAULT_FLAG_TRIED,
    VM_FAULT_COMPLETED,
    VM_FAULT_ERROR,
    VM_FAULT_FALLBACK,
    VM_FAULT_MAJOR,
    VM_FAULT_NOPAGE,
    VM_FAULT_OOM,
    VM_FAULT_RETRY,
    VM_FAULT_SIGBUS,
    VM_FAULT_WRITE,
    VmFault,
    do_set_pte,
    inc_mm_counter,
    install_prealloc,
    maybe_mkwrite,
    set_pte,
)

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

GFP_ZEROED: Final = gfp_masks.GFP_HIGHUSER_MOVABLE | gfp_masks.__GFP_COMP | gfp_masks.__GFP_ZERO
GFP_USER_PAGE: Final = gfp_masks.GFP_HIGHUSER_MOVABLE | gfp_masks.__GFP_COMP
FAULT_AROUND_PAGES: Final = 16
WP_MOST_REFERENCES: Final = 3


@traced
def handle_mm_fault(m: Kernel, vma: VmArea, address: int, flags: int) -> int:
    """Serve a fault in an area that allows the access. Kernel: handle_mm_fault, mm_account_fault

    Returns VM_FAULT_ bits. The task counts the fault when it is complete: as major if it had to wait for a
    disk, and with it each that was tried twice.
    """
    task = current(m)
    vm = m.vm
    vm.stat["pgfault"] += 1
    # check_sync_rss_stat
    task.rss_events += 1
    if task.rss_events > TASK_RSS_EVENTS_THRESH + 1:
        zap.sync_mm_rss(m)
    trace = m.trace
    if trace is not None:
        for table, at, entry in pgalloc.walk(vma.vm_mm, address):
            trace.memory.level(table.level, at, entry)
    watcher = vm.faults
    before = pgalloc.find_entry(vma.vm_mm, address) if watcher is not None else (0, 0)
    vmf = VmFault(vma, address, flags)
    ret = hugetlb.hugetlb_fault(m, vmf) if vma.vm_flags & VM_HUGETLB else walk_and_handle(m, vmf)
    if watcher is not None:
        watcher.append(
            ("H", m.current.task, address, flags, ret, before, pgalloc.find_entry(vma.vm_mm, address), vmf)
        )
    counted = "none"
    if not ret & (VM_FAULT_ERROR | VM_FAULT_RETRY):
        if ret & VM_FAULT_MAJOR or flags & FAULT_FLAG_TRIED:
            task.maj_flt += 1
            counted = "major"
        else:
            task.min_flt += 1
            counted = "minor"
    if trace is not None:
        trace.memory.accounted(ret, flags, counted, task)
    return ret


def walk_and_handle(m: Kernel, vmf: VmFault) -> int:
    """Make the tables down to the 2 MiB level, and look whether one entry there can do.

    Kernel: __handle_mm_fault
    """
    vma = vmf.vma
    address = vmf.address
    table = vma.vm_mm.tables[2].get(address >> 30) or pgalloc.pmd_alloc(m, vma.vm_mm, address)
    if table is None:
        return VM_FAULT_OOM
    pmd = table.entries[address >> 21 & 511]
    if not pmd:
        if huge_memory.hugepage_vma_check(m, vma):
            ret = huge_memory.create_huge_pmd(m, vmf)
            if not ret & VM_FAULT_FALLBACK:
                return ret
    elif pmd & PSE:
        if vmf.write and not pmd & RW:
            ret = huge_memory.do_huge_pmd_wp_page(m, vmf)
            if not ret & VM_FAULT_FALLBACK:
                return ret
        else:
            table.entries[address >> 21 & 511] = pmd | ACCESSED
            vmf.kind = "spurious"
            return 0
    return handle_pte_fault(m, vmf)


def handle_pte_fault(m: Kernel, vmf: VmFault) -> int:
    """Choose by the entry: none yet, or one that does not allow the write. Kernel: handle_pte_fault"""
    mm = vmf.vma.vm_mm
    vmf.orig_pte = pgalloc.pte_of(mm, vmf.address)
    if not vmf.orig_pte:
        handler = do_anonymous_page if vmf.vma.is_anonymous else do_fault
        if m.trace is not None:
            m.trace.memory.handler(vmf, handler.__name__)
        return handler(m, vmf)
    if not pte_present(vmf.orig_pte):
        if m.trace is not None:
            m.trace.memory.handler(vmf, "do_swap_page")
        return do_swap_page(m, vmf)
    if vmf.write and not vmf.orig_pte & RW:
        if m.trace is not None:
            m.trace.memory.handler(vmf, "do_wp_page")
        return do_wp_page(m, vmf)
    entry = mkdirty(m, vmf.orig_pte) | ACCESSED if vmf.write else vmf.orig_pte | ACCESSED
    if m.trace is not None:
        m.trace.memory.no_entry_needed(vmf, vmf.orig_pte, entry)
    set_pte(mm, vmf.address, entry)
    vmf.kind = "spurious"
    return 0


# -- anonymous memory ------------------------------------------------------------------------------


@traced
def do_anonymous_page(m: Kernel, vmf: VmFault) -> int:
    """The first touch of anonymous memory. Kernel: do_anonymous_page

    A read maps the one page of zeros that all share; only a write takes a page, which is zeroed, since it
    might hold what another process left.
    """
    vma, address = vmf.vma, vmf.address
    if vma.vm_flags & VM_SHARED:
        if m.trace is not None:
            m.trace.memory.nothing_behind()
        return VM_FAULT_SIGBUS
    table = vma.vm_mm.tables[1].get(address >> 21) or pgalloc.pte_alloc(m, vma.vm_mm, address)
    if table is None:
        return VM_FAULT_OOM
    prot = vma_page_prot(m, vma)
    if not vmf.write:
        entry = table.entries[address >> 12 & 511] = mk_pte(m.vm.zero_pfn, prot) | SPECIAL
        if m.trace is not None:
            m.trace.memory.zero_page(m.vm.zero_pfn)
            m.trace.memory.entry(address, 1, 0, entry)
        vmf.kind = "anon_zero"
        return 0
    rmap.anon_vma_prepare(m, vma)
    pfn = mem_map.alloc_page(m, GFP_ZEROED, 0, PG_uptodate)
    if pfn is None:
        return VM_FAULT_OOM
    entry = mk_pte(pfn, prot)
    if vma.vm_flags & VM_WRITE:
        entry = mkdirty(m, entry) | RW
    inc_mm_counter(m, vma, MM_ANONPAGES)
    rmap.page_add_new_anon_rmap(m, pfn, vma, address)
    swap.lru_cache_add_inactive_or_unevictable(m, vma, pfn)
    table.entries[address >> 12 & 511] = entry
    if m.trace is not None:
        m.trace.memory.new_page("do_anonymous_page", pfn, zeroed=True)
        m.trace.memory.entry(address, 1, 0, entry)
    vmf.page, vmf.kind = pfn, "anon_page"
    return 0


# -- swap ------------------------------------------------------------------------------------------


@traced
def do_swap_page(m: Kernel, vmf: VmFault) -> int:
    """The page is in swap: bring it back, and map it. Kernel: do_swap_page

    Only a fault that had to read counts as major. The page stays in the swap cache, so that it need not be
    written again while nobody changes it, unless it is written now, or swap is short.
    """
    vma = vmf.vma
    entry = pte_to_swp_entry(vmf.orig_pte)
    ret = 0
    vmf.kind = "swap_in"
    pfn = swap_state.swap_cache_get_folio(m, entry, vma, vmf.address)
    if pfn is None:
        pfn = swap_readahead.swapin_readahead(m, entry, vma, vmf.address)
        if pfn is None:
            return VM_FAULT_OOM
        ret = VM_FAULT_MAJOR
        m.vm.count("pgmajfault")
    vmf.page = pfn
    if vmf.write and not mem_map.flags(m, pfn) & PG_lru:
        swap.lru_add_drain(m)
    exclusive = bool(vmf.orig_pte & SWP_EXCLUSIVE)
    swap_slots.swap_free(m, entry)
    full = swap_map.vm_swap_full(m)
    gives_up = should_try_to_free_swap(m, pfn, vma, vmf) and swapfile.try_to_free_swap(m, pfn)
    inc_mm_counter(m, vma, MM_ANONPAGES)
    inc_mm_counter(m, vma, MM_SWAPENTS, -1)
    pte = mk_pte(pfn, vma_page_prot(m, vma))
    references = mem_map.page_count(m, pfn)
    exclusive = exclusive or references == 1
    if m.trace is not None:
        m.trace.swap.brought_back(pfn, entry, references, exclusive=exclusive, gives_up=gives_up, full=full)
    written = vmf.write
    if exclusive and written:
        pte = maybe_mkwrite(m, vma, mkdirty(m, pte))
        vmf.write = 0
        ret |= VM_FAULT_WRITE
    if vmf.orig_pte & SWP_SOFT_DIRTY:
        pte |= m.vm.soft_dirty
    rmap.page_add_anon_rmap(m, pfn, vma, vmf.address, exclusive=exclusive)
    set_pte(vma.vm_mm, vmf.address, pte)
    if m.trace is not None:
        m.trace.memory.entry(vmf.address, 1, vmf.orig_pte, pte)
    vmf.orig_pte = pte
    if not written or exclusive:
        return ret
    ret |= do_wp_page(m, vmf)
    vmf.kind = "swap_in"
    return ret & VM_FAULT_ERROR or ret


def should_try_to_free_swap(m: Kernel, pfn: int, vma: VmArea, vmf: VmFault) -> bool:
    """Whether the page had better give its slot up. Kernel: should_try_to_free_swap

    That is so if it cannot go back soon, if swap is more than half full, or if it is written and is probably
    nobody else's: the swap cache's reference would make it look shared.
    """
    if not swap_state.is_swapcache(m, pfn):
        return False
    if swap_map.vm_swap_full(m) or vma.vm_flags & VM_LOCKED or mem_map.flags(m, pfn) & PG_mlocked:
        return True
    return bool(vmf.write) and mem_map.page_count(m, pfn) == 2


# -- write protection: copy on write ---------------------------------------------------------------


@traced
def do_wp_page(m: Kernel, vmf: VmFault) -> int:
    """A write through an entry that only allows reads. Kernel: do_wp_page

    An anonymous page that is known to be this process's alone is simply made writable. If a fork shared it,
    the count of references decides: more than one, and it is copied. That count also has the batches' and
    everybody else's references in it, so that a page may be copied needlessly, but never shared wrongly.
    """
    vma = vmf.vma
    if vmf.orig_pte & SPECIAL:
        if m.trace is not None:
            m.trace.memory.over_zero_page()
        return wp_page_copy(m, vmf, None)
    pfn = vmf.page = pte_pfn(vmf.orig_pte)
    if mem_map.is_anon(m, pfn):
        if may_reuse(m, vma, pfn):
            return wp_page_reuse(m, vmf)
    else:
        shared = vma.vm_flags & (VM_WRITE | VM_SHARED) == VM_WRITE | VM_SHARED
        if m.trace is not None:
            m.trace.memory.not_anonymous(pfn, shared=shared)
        if shared:
            return wp_page_shared(m, vmf)
    return wp_page_copy(m, vmf, pfn)


def may_reuse(m: Kernel, vma: VmArea, pfn: int) -> bool:
    """Whether an anonymous page is this process's alone; then it is from now on. Kernel: do_wp_page

    A new page waits in a batch, which holds a reference; draining it may leave only the entry's own. More
    than three references could not be explained by that.
    """
    if mem_map.flags(m, pfn) & PG_anon_exclusive:
        if m.trace is not None:
            m.trace.memory.exclusive(pfn)
        return True
    head = mem_map.compound_head(m, pfn)
    before = count = mem_map.page_count(m, head)
    drained = count <= WP_MOST_REFERENCES and not mem_map.flags(m, head) & PG_lru
    if drained:
        swap.lru_add_drain(m)
        count = mem_map.page_count(m, head)
    if before <= WP_MOST_REFERENCES and count == 2 and swapfile.try_to_free_swap(m, head):
        count = mem_map.page_count(m, head)
    reuse = before <= WP_MOST_REFERENCES and count == 1
    if m.trace is not None:
        m.trace.memory.references(pfn, before, count, WP_MOST_REFERENCES, drained=drained, reuse=reuse)
    if reuse:
        rmap.page_move_anon_rmap(m, pfn, vma)
    return reuse


def wp_page_reuse(m: Kernel, vmf: VmFault) -> int:
    """Allow writing to the page that is there. Kernel: wp_page_reuse"""
    entry = maybe_mkwrite(m, vmf.vma, mkdirty(m, vmf.orig_pte | ACCESSED))
    set_pte(vmf.vma.vm_mm, vmf.address, entry)
    if m.trace is not None:
        m.trace.memory.entry(vmf.address, 1, vmf.orig_pte, entry)
    m.vm.count("pgreuse")
    vmf.kind = vmf.kind or "cow_reuse"
    return VM_FAULT_WRITE


def wp_page_shared(m: Kernel, vmf: VmFault) -> int:
    """The first write to a page of a shared file: its file system is told. Kernel: wp_page_shared"""
    pfn = vmf.page
    mem_map.get_page(m, pfn)
    vmf.kind = "file_shared"
    if pagemap.has_page_mkwrite(vmf.vma):
        vmf.kind = "mkwrite"
        pagemap.page_mkwrite(m, pfn)
    ret = wp_page_reuse(m, vmf)
    ret |= fault_dirty_shared_page(m, vmf)
    lru.put_page(m, pfn)
    return ret


@traced
def wp_page_copy(m: Kernel, vmf: VmFault, old: int | None) -> int:
    """Give the writer a page of its own. Kernel: wp_page_copy

    Over the page of zeros nothing has to be copied: a zeroed page will do.
    """
    vma = vmf.vma
    if old is not None:
        mem_map.get_page(m, old)
    rmap.anon_vma_prepare(m, vma)
    pfn = mem_map.alloc_page(m, GFP_USER_PAGE | (gfp_masks.__GFP_ZERO if old is None else 0))
    if pfn is None:
        if old is not None:
            lru.put_page(m, old)
        return VM_FAULT_OOM
    if old is None:
        inc_mm_counter(m, vma, MM_ANONPAGES)
        vmf.kind = "anon_page"
    else:
        user_bytes.copy(m, old, pfn)
        anon = mem_map.is_anon(m, old)
        vmf.kind = vmf.kind or ("cow_copy" if anon else "file_cow")
        if not anon:
            inc_mm_counter(m, vma, mem_map.mm_counter(m, old), -1)
            inc_mm_counter(m, vma, MM_ANONPAGES)
    mem_map.set_flags(m, pfn, PG_uptodate)
    entry = maybe_mkwrite(m, vma, mkdirty(m, mk_pte(pfn, vma_page_prot(m, vma))))
    rmap.page_add_new_anon_rmap(m, pfn, vma, vmf.address)
    swap.lru_cache_add_inactive_or_unevictable(m, vma, pfn)
    set_pte(vma.vm_mm, vmf.address, entry)
    if m.trace is not None:
        m.trace.memory.new_page("wp_page_copy", pfn, zeroed=old is None)
        m.trace.memory.entry(vmf.address, 1, vmf.orig_pte, entry)
    if old is not None:
        rmap.page_remove_rmap(m, old, vma)
        lru.put_page(m, old)  # the entry's
        if m.trace is not None:
            left = mem_map.page_count(m, old) - 1
            m.trace.memory.copied(old, pfn, mem_map.page_mapcount(m, old), left)
        lru.put_page(m, old)  # our own
    vmf.page = pfn
    return VM_FAULT_WRITE


# -- files -----------------------------------------------------------------------------------------


def do_fault(m: Kernel, vmf: VmFault) -> int:
    """The first touch of a page of a file. Kernel: do_fault"""
    vma = vmf.vma
    if not vmf.write:
        ret = do_read_fault(m, vmf)
    elif not vma.vm_flags & VM_SHARED:
        ret = do_cow_fault(m, vmf)
    else:
        ret = do_shared_fault(m, vmf)
    if vmf.prealloc_pte is not None:
        if m.trace is not None:
            m.trace.memory.table_unused(vmf.prealloc_pte.pfn)
        pgalloc.pte_free(m, vmf.prealloc_pte)
        vmf.prealloc_pte = None
    return ret


@traced
def do_read_fault(m: Kernel, vmf: VmFault) -> int:
    """Map a page of a file for reading, and its cached neighbours. Kernel: do_read_fault"""
    if pagemap.has_map_pages(vmf.vma):
        ret = do_fault_around(m, vmf)
        if ret:
            vmf.kind = "file_cached"
            return ret
    ret = ask_file(m, vmf)
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY):
        return ret
    ret |= finish_fault(m, vmf)
    if ret & VM_FAULT_NOPAGE:
        lru.put_page(m, vmf.page)
    return ret


def do_fault_around(m: Kernel, vmf: VmFault) -> int:
    """Map what is cached around the address, within 64 KiB of addresses. Kernel: do_fault_around

    Sixteen entries cost little more than one, and save up to fifteen faults.
    """
    vma = vmf.vma
    address = max(vmf.address & -(FAULT_AROUND_PAGES << 12), vma.vm_start)
    start = vmf.pgoff - ((vmf.address - address) >> 12)
    end = min(
        start - (address >> 12 & 511) + 511,
        vma.pages + vma.vm_pgoff - 1,
        start + FAULT_AROUND_PAGES - 1,
    )
    if vmf.address >> 21 not in vma.vm_mm.tables[1]:
        vmf.prealloc_pte = pgalloc.pte_alloc_one(m)
        if vmf.prealloc_pte is None:
            return VM_FAULT_OOM
    return filemap_fault.filemap_map_pages(m, vmf, start, end)


def ask_file(m: Kernel, vmf: VmFault) -> int:
    """Have the file find or make the page; the table is made first. Kernel: __do_fault

    A table allocated under the page's lock might have to wait for that very page to be written.
    """
    if vmf.address >> 21 not in vmf.vma.vm_mm.tables[1] and vmf.prealloc_pte is None:
        vmf.prealloc_pte = pgalloc.pte_alloc_one(m)
        if vmf.prealloc_pte is None:
            return VM_FAULT_OOM
    return filemap_fault.fault(m, vmf)


def finish_fault(m: Kernel, vmf: VmFault) -> int:
    """Write the entry of the page that the file gave, or of its copy. Kernel: finish_fault"""
    vma = vmf.vma
    pfn = vmf.cow_page if vmf.write and not vma.vm_flags & VM_SHARED else vmf.page
    install_prealloc(vmf)
    if pgalloc.pte_alloc(m, vma.vm_mm, vmf.address) is None:
        return VM_FAULT_OOM
    if pgalloc.pte_of(vma.vm_mm, vmf.address):
        return VM_FAULT_NOPAGE
    do_set_pte(m, vmf, pfn, vmf.address)
    return 0


@traced
def do_cow_fault(m: Kernel, vmf: VmFault) -> int:
    """A write to a page of a private mapping that was never read: only the copy is mapped.

    Kernel: do_cow_fault. The page for the copy is allocated first, before the file's page is locked.
    """
    rmap.anon_vma_prepare(m, vmf.vma)
    cow = mem_map.alloc_page(m, GFP_USER_PAGE)
    if cow is None:
        return VM_FAULT_OOM
    vmf.cow_page = cow
    if m.trace is not None:
        m.trace.memory.new_page("do_cow_fault", cow, zeroed=False)
    vmf.kind = "file_cow"
    ret = ask_file(m, vmf)
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY):
        lru.put_page(m, cow)
        return ret
    user_bytes.copy(m, vmf.page, cow)
    mem_map.set_flags(m, cow, PG_uptodate)
    ret |= finish_fault(m, vmf)
    if m.trace is not None:
        m.trace.memory.copied(
            vmf.page, cow, mem_map.page_mapcount(m, vmf.page), mem_map.page_count(m, vmf.page) - 1
        )
    lru.put_page(m, vmf.page)
    vmf.kind, vmf.page = "file_cow", cow
    return ret


@traced
def do_shared_fault(m: Kernel, vmf: VmFault) -> int:
    """A write to a page of a shared mapping. Kernel: do_shared_fault"""
    ret = ask_file(m, vmf)
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY):
        return ret
    if pagemap.has_page_mkwrite(vmf.vma):
        pagemap.page_mkwrite(m, vmf.page)
    ret |= finish_fault(m, vmf)
    vmf.kind = vmf.kind if vmf.kind in ("shmem", "file_read", "swap_in") else "file_shared"
    return ret | fault_dirty_shared_page(m, vmf)


def fault_dirty_shared_page(m: Kernel, vmf: VmFault) -> int:
    """Mark the page dirty; whoever made it so may have to help writing. Kernel: fault_dirty_shared_page"""
    dirtied = pagemap.set_page_dirty(m, vmf.page)
    told = pagemap.has_page_mkwrite(vmf.vma)
    if m.trace is not None:
        m.trace.memory.dirtied(vmf.page, was_clean=dirtied, told_file=told)
    if (dirtied or told) and vmf.first_try:
        return VM_FAULT_COMPLETED
    return 0


# -- what the processor does -----------------------------------------------------------------------


def cpu_access(mm: MmStruct, address: int, *, write: bool, execute: bool = False) -> int | None:
    """Walk the tables as the processor does: the exception's error code without its user bit, or None.

    An access that is allowed sets the accessed bit, and a write the dirty bit, in the entry itself.
    """
    code = (2 if write else 0) | (0x10 if execute else 0)
    table = mm.tables[1].get(address >> 21)
    at = address >> 12 & 511
    if table is None:
        found = pgalloc.find_leaf(mm, address)
        if found is None:
            return code
        table, at = found
    entry = table.entries[at]
    if not entry & PRESENT:
        return code
    if (write and not entry & RW) or (execute and entry >> 63):
        return code | 1
    table.entries[at] = entry | ACCESSED | (DIRTY if write else 0)
    return None
