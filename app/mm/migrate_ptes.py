"""The entries that map a page, taken away while it is moved, and written again with its new frame.

Kernel: mm/rmap.c try_to_migrate, mm/migrate.c remove_migration_ptes. In between the kernel leaves migration
entries, so that whoever touches the page waits. Here nobody runs in between, so what they would keep is kept
in a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from app.mm import mlock, pagemap, pgalloc, rmap, zap
from app.mm.mem_map import PAGE_MAPPING_ANON, PG_anon_exclusive
from app.mm.mm_types import VM_LOCKED, VmArea
from app.mm.page import PG_dirty
from app.mm.pgtable_types import (
    ACCESSED,
    DIRTY,
    RW,
    SOFT_DIRTY,
    mk_pte,
    mkdirty,
    pte_pfn,
    pte_present,
    vma_page_prot,
)
from app.mm.vm_fault import maybe_mkwrite, set_pte

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


class MigrationEntry(NamedTuple):
    """What stood in a page table. Kernel: include/linux/swapops.h make_writable_migration_entry

    exclusive: the page was this process's alone.
    """

    vma: VmArea
    address: int
    entry: int
    exclusive: bool


def try_to_migrate(m: Kernel, pfn: int) -> list[MigrationEntry]:
    """Take away all entries that map a page, and their references. Kernel: mm/rmap.c try_to_migrate

    That it was written to is now known of the page itself.
    """
    taken: list[MigrationEntry] = []
    for vma, address in rmap.rmap_walk(m, pfn):
        entry = pgalloc.pte_of(vma.vm_mm, address)
        if pte_present(entry) and pte_pfn(entry) == pfn:
            taken.append(try_to_migrate_one(m, pfn, vma, address, entry))
    return taken


def try_to_migrate_one(m: Kernel, pfn: int, vma: VmArea, address: int, entry: int) -> MigrationEntry:
    """Take away one. Kernel: mm/rmap.c try_to_migrate_one"""
    s, i = m.vm.sections[pfn >> 9], pfn & 511
    exclusive = bool(s.mapping[i] & PAGE_MAPPING_ANON and s.flags[i] & PG_anon_exclusive)
    if exclusive:
        s.flags[i] &= ~PG_anon_exclusive
    set_pte(vma.vm_mm, address, 0)
    if entry & DIRTY:
        pagemap.set_page_dirty(m, pfn)
    zap.update_hiwater_rss(vma.vm_mm)
    rmap.page_remove_rmap(m, pfn, vma)
    if vma.vm_flags & VM_LOCKED:
        mlock.mlock_page_drain(m)
    s.refcount[i] -= 1
    return MigrationEntry(vma, address, entry, exclusive)


def remove_migration_ptes(m: Kernel, taken: list[MigrationEntry], new: int) -> None:
    """Map a page where it, or the one it was moved from, was mapped before. Kernel: remove_migration_ptes"""
    for found in taken:
        remove_migration_pte(m, found, new)


def remove_migration_pte(m: Kernel, found: MigrationEntry, new: int) -> None:
    """Write one entry again: rights from the area, the rest from what stood there.

    Kernel: remove_migration_pte
    """
    vma, address, old, exclusive = found
    s, i = m.vm.sections[new >> 9], new & 511
    s.refcount[i] += 1
    entry = mk_pte(new, vma_page_prot(m, vma)) | old & SOFT_DIRTY
    if not old & ACCESSED:
        entry &= ~ACCESSED
    if old & DIRTY and s.flags[i] & PG_dirty:
        entry = mkdirty(m, entry)
    entry = maybe_mkwrite(m, vma, entry) if old & RW else entry & ~RW
    if s.mapping[i] & PAGE_MAPPING_ANON:
        rmap.page_add_anon_rmap(m, new, vma, address, exclusive=exclusive or bool(old & RW))
    else:
        rmap.page_add_file_rmap(m, new, vma)
    set_pte(vma.vm_mm, address, entry)
    if vma.vm_flags & VM_LOCKED:
        mlock.mlock_page_drain(m)
