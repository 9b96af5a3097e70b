"""The reverse map: from a page to the places where it is mapped.

Kernel: mm/rmap.c. A page that shall be reclaimed must first be unmapped everywhere, so each one knows where
to look: a file page in the areas that map its file, an anonymous one in the areas of its anon_vma.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.mm import mem_map, mlock, objects, page_ref
from app.mm.mem_map import (
    PAGE_MAPPING_ANON,
    PG_anon_exclusive,
    PG_double_map,
    PG_swapbacked,
    section,
    set_flags,
)
from app.mm.mm_types import VM_ACCESS_FLAGS, VM_SOFTDIRTY, AnonVma, VmArea
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


# -- anon_vma --------------------------------------------------------------------------------------


def anon_vma_alloc(m: Kernel) -> AnonVma:
    """A new one. Kernel: anon_vma_alloc"""
    anon_vma = AnonVma(m.vm.new_id())
    anon_vma.object = objects.take(m, "anon_vma")
    m.vm.anon_vmas[anon_vma.id] = anon_vma
    return anon_vma


def put_anon_vma(m: Kernel, anon_vma: AnonVma) -> None:
    """Drop a reference; the root lives as long as any of its tree. Kernel: put_anon_vma"""
    anon_vma.refcount -= 1
    if not anon_vma.refcount:
        del m.vm.anon_vmas[anon_vma.id]
        objects.give(m, "anon_vma", anon_vma.object)
        if anon_vma.root is not anon_vma:
            put_anon_vma(m, anon_vma.root)


def chain_link(vma: VmArea, anon_vma: AnonVma, link: int) -> None:
    """Let an anon_vma find an area. Kernel: anon_vma_chain_link"""
    vma.links.insert(0, link)
    vma.anon_vma_chain.insert(0, anon_vma)
    anon_vma.vmas[vma] = None


@traced
def anon_vma_prepare(m: Kernel, vma: VmArea) -> None:
    """Give an area its anon_vma before its first anonymous page: a neighbour's, if they might merge.

    Kernel: __anon_vma_prepare
    """
    if vma.anon_vma is not None:
        return
    link = objects.take(m, "anon_vma_chain")
    anon_vma = find_mergeable_anon_vma(vma)
    shared = anon_vma is not None
    if anon_vma is None:
        anon_vma = anon_vma_alloc(m)
        anon_vma.num_children += 1
    vma.anon_vma = anon_vma
    chain_link(vma, anon_vma, link)
    anon_vma.num_active_vmas += 1
    if m.trace is not None:
        m.trace.rmap.prepared(vma, anon_vma, shared=shared)


def find_mergeable_anon_vma(vma: VmArea) -> AnonVma | None:
    """A neighbour's anon_vma that the area may share; the next one is tried first.

    Kernel: mm/mmap.c find_mergeable_anon_vma. Sharing it costs nothing now and lets the two become one area
    later, when their rights are equal.
    """
    areas = vma.vm_mm.mmap
    at = areas.index(vma)
    if at + 1 < len(areas) and anon_vma_compatible(vma, areas[at + 1]):
        found = reusable(areas[at + 1])
        if found is not None:
            return found
    if at and anon_vma_compatible(areas[at - 1], vma):
        return reusable(areas[at - 1])
    return None


def reusable(vma: VmArea) -> AnonVma | None:
    """An area's anon_vma if no fork has copied it. Kernel: reusable_anon_vma"""
    return vma.anon_vma if len(vma.anon_vma_chain) == 1 else None


def anon_vma_compatible(a: VmArea, b: VmArea) -> bool:
    """Whether two areas could be one but for their rights. Kernel: mm/mmap.c anon_vma_compatible"""
    return (
        a.vm_end == b.vm_start
        and a.vm_file is b.vm_file
        and not (a.vm_flags ^ b.vm_flags) & ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)
        and b.vm_pgoff == a.vm_pgoff + ((b.vm_start - a.vm_start) >> 12)
    )


def anon_vma_clone(m: Kernel, dst: VmArea, src: VmArea) -> AnonVma | None:
    """Let everyone who finds one area find its copy, too. Kernel: anon_vma_clone

    Returns the copy's own anon_vma, if it has one. One that no area uses any more and that has at most one
    child is taken over by the copy: long lines of forks would otherwise never end growing.
    """
    for anon_vma in reversed(src.anon_vma_chain):
        chain_link(dst, anon_vma, objects.take(m, "anon_vma_chain"))
        if (
            dst.anon_vma is None
            and src.anon_vma is not None
            and anon_vma.num_children < 2
            and anon_vma.num_active_vmas == 0
        ):
            dst.anon_vma = anon_vma
    if dst.anon_vma is not None:
        dst.anon_vma.num_active_vmas += 1
    return dst.anon_vma


@traced
def anon_vma_fork(m: Kernel, vma: VmArea, pvma: VmArea) -> None:
    """Link a child's area to its parent's anon_vmas, and give it one of its own. Kernel: anon_vma_fork"""
    if pvma.anon_vma is None:
        return
    vma.anon_vma = None
    reused = anon_vma_clone(m, vma, pvma)
    if reused is not None:
        if m.trace is not None:
            m.trace.rmap.forked(reused, pvma.anon_vma, len(vma.anon_vma_chain), reused=True)
        return
    anon_vma = anon_vma_alloc(m)
    anon_vma.num_active_vmas += 1
    link = objects.take(m, "anon_vma_chain")
    anon_vma.root = pvma.anon_vma.root
    anon_vma.parent = pvma.anon_vma
    anon_vma.root.refcount += 1
    vma.anon_vma = anon_vma
    chain_link(vma, anon_vma, link)
    anon_vma.parent.num_children += 1
    if m.trace is not None:
        m.trace.rmap.forked(anon_vma, pvma.anon_vma, len(vma.anon_vma_chain), reused=False)


def unlink_anon_vmas(m: Kernel, vma: VmArea) -> None:
    """Take an area out of all its anon_vmas; those that nobody is linked to die. Kernel: unlink_anon_vmas"""
    empty = []
    for anon_vma, link in zip(vma.anon_vma_chain, vma.links, strict=True):
        anon_vma.vmas.pop(vma, None)
        if anon_vma.vmas:
            objects.give(m, "anon_vma_chain", link)
        else:
            anon_vma.parent.num_children -= 1
            empty.append((anon_vma, link))
    vma.anon_vma_chain, vma.links = [], []
    if vma.anon_vma is not None:
        vma.anon_vma.num_active_vmas -= 1
        vma.anon_vma = None
    for anon_vma, link in empty:
        put_anon_vma(m, anon_vma)
        objects.give(m, "anon_vma_chain", link)


# -- who maps a page -------------------------------------------------------------------------------


def rmap_walk(m: Kernel, pfn: int) -> Iterator[tuple[VmArea, int]]:
    """(area, address) of each place where the page may be mapped. Kernel: rmap_walk, vma_address"""
    index = mem_map.index_of(m, pfn)
    for vma in areas_of(m, pfn):
        address = vma.vm_start + ((index - vma.vm_pgoff) << 12)
        if vma.vm_start <= address < vma.vm_end:
            yield vma, address


def areas_of(m: Kernel, pfn: int) -> list[VmArea]:
    """The areas in which to look for a page."""
    head = mem_map.compound_head(m, pfn)
    number = section(m, head).mapping[head & 511]
    if number & PAGE_MAPPING_ANON:
        anon_vma = m.vm.anon_vmas.get(number >> 1)
        return [] if anon_vma is None else list(anon_vma.vmas)
    inode = m.vm.mappings.get(number >> 1)
    return [] if inode is None else list(inode.i_mmap)


# -- mapping and unmapping -------------------------------------------------------------------------


def page_add_new_anon_rmap(m: Kernel, pfn: int, vma: VmArea, address: int) -> None:
    """A new anonymous page gets its first mapping. Kernel: page_add_new_anon_rmap"""
    s, i = section(m, pfn), pfn & 511
    if s.order:
        s.compound_mapcount = 0
        m.vm.stat["anon_thps"] += 1 << s.order
        m.vm.stat["anon_mapped"] += 1 << s.order
    else:
        s.mapcount[i] = 0
        m.vm.stat["anon_mapped"] += 1
    assert vma.anon_vma is not None
    s.mapping[i] = vma.anon_vma.id << 1 | PAGE_MAPPING_ANON
    s.index[i] = vma.linear_page_index(address)
    s.flags[i] |= PG_swapbacked | PG_anon_exclusive
    m.changed.frame(pfn, 1 << s.order, "anon")


def page_add_anon_rmap(m: Kernel, pfn: int, vma: VmArea, address: int, *, exclusive: bool) -> None:
    """A page that comes back from swap is mapped. Kernel: page_add_anon_rmap, __page_set_anon_rmap

    One that may be shared belongs to the oldest anon_vma of the family, from which all can find it. One that
    stayed in the swap cache knows where it belongs.
    """
    s, i = section(m, pfn), pfn & 511
    s.mapcount[i] += 1
    if not s.mapcount[i]:
        m.vm.stat["anon_mapped"] += 1
        anon_vma = vma.anon_vma
        assert anon_vma is not None
        if not s.mapping[i] & PAGE_MAPPING_ANON:
            owner = anon_vma if exclusive else anon_vma.root
            s.mapping[i] = owner.id << 1 | PAGE_MAPPING_ANON
            s.index[i] = vma.linear_page_index(address)
        if exclusive:
            s.flags[i] |= PG_anon_exclusive
        page_ref.tell_state(m, pfn)
    mlock.mlock_vma_page(m, vma, pfn, compound=False)


def page_add_file_rmap(m: Kernel, pfn: int, vma: VmArea) -> None:
    """One more mapping of a file page. Kernel: page_add_file_rmap"""
    s = section(m, pfn)
    s.mapcount[pfn & 511] += 1
    if not s.mapcount[pfn & 511]:
        m.vm.count("file_mapped")
    mlock.mlock_vma_page(m, vma, pfn, compound=False)


def page_dup_anon_rmap(m: Kernel, pfn: int) -> None:
    """A fork maps an anonymous page once more; it is nobody's alone now. Kernel: page_try_dup_anon_rmap"""
    s, i = section(m, pfn), pfn & 511
    s.flags[i] &= ~PG_anon_exclusive
    s.mapcount[i] += 1


def page_move_anon_rmap(m: Kernel, pfn: int, vma: VmArea) -> None:
    """The last owner of a shared page makes it its own. Kernel: page_move_anon_rmap"""
    head = mem_map.compound_head(m, pfn)
    assert vma.anon_vma is not None
    section(m, head).mapping[head & 511] = vma.anon_vma.id << 1 | PAGE_MAPPING_ANON
    set_flags(m, pfn, PG_anon_exclusive)


def page_remove_rmap(m: Kernel, pfn: int, vma: VmArea) -> None:
    """One mapping of a small page, or of a part of a huge one, less. Kernel: page_remove_rmap"""
    s, i = section(m, pfn), pfn & 511
    s.mapcount[i] -= 1
    if s.mapcount[i] < 0:
        anon = mem_map.is_anon(m, pfn)
        m.vm.count("anon_mapped" if anon else "file_mapped", -1)
        if anon and s.order:
            deferred_split(m, mem_map.compound_head(m, pfn))
    mlock.munlock_vma_page(m, vma, pfn, compound=False)


def page_remove_compound_rmap(m: Kernel, head: int, vma: VmArea) -> None:
    """One mapping of a whole huge page less. Kernel: page_remove_anon_compound_rmap

    Where parts of it are still mapped on their own, the extra count of each part goes too.
    """
    s = section(m, head)
    s.compound_mapcount -= 1
    if s.compound_mapcount < 0:
        nr = 1 << s.order
        m.vm.count("anon_thps", -nr)
        unmapped = nr
        if s.flags[1] & PG_double_map:
            s.flags[1] &= ~PG_double_map
            unmapped = 0
            for i in range(nr):
                s.mapcount[i] -= 1
                unmapped += s.mapcount[i] < 0
            if 0 < unmapped < nr:
                deferred_split(m, head)
        m.vm.count("anon_mapped", -unmapped)
    mlock.munlock_vma_page(m, vma, head, compound=True)


def deferred_split(m: Kernel, head: int) -> None:
    """Note a huge page of which parts are unused, for reclaim. Kernel: deferred_split_huge_page"""
    if head not in m.vm.split_queue:
        m.vm.split_queue[head] = None
        m.vm.count("thp_deferred_split_page")
