"""Areas of an address space: finding them, joining neighbours, cutting one in two.

Kernel: mm/mmap.c find_vma, vma_merge, __vma_adjust, __split_vma. An area costs memory and each fault looks
one up, so neighbours that say the same become one, and a call that changes part of an area cuts it. The
kernel keeps them in a tree; here they are a sorted list.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

from app.mm import huge_memory, objects, rmap
from app.mm.mm_types import (
    VM_ACCESS_FLAGS,
    VM_EXEC,
    VM_GROWSDOWN,
    VM_HUGETLB,
    VM_SHARED,
    VM_SOFTDIRTY,
    VM_SPECIAL,
    VM_WRITE,
    VmArea,
)

if TYPE_CHECKING:
    from app.mm.fs import File
    from app.mm.kernel import Kernel
    from app.mm.mm_types import AnonVma, MmStruct

_END = attrgetter("vm_end")


# -- looking up ------------------------------------------------------------------------------------


def position(mm: MmStruct, address: int) -> int:
    """Where in the list the first area stands that ends above an address."""
    return bisect_right(mm.mmap, address, key=_END)


def find_vma(mm: MmStruct, address: int) -> VmArea | None:
    """The first area that ends above an address; it may begin above it, too. Kernel: find_vma"""
    at = bisect_right(mm.mmap, address, key=_END)
    return mm.mmap[at] if at < len(mm.mmap) else None


def vma_lookup(mm: MmStruct, address: int) -> VmArea | None:
    """The area that an address lies in. Kernel: vma_lookup"""
    vma = find_vma(mm, address)
    return vma if vma is not None and vma.vm_start <= address else None


def find_vma_intersection(mm: MmStruct, start: int, end: int) -> VmArea | None:
    """The first area that has a part of a range. Kernel: find_vma_intersection"""
    vma = find_vma(mm, start)
    return vma if vma is not None and vma.vm_start < end else None


def neighbours(mm: MmStruct, vma: VmArea) -> tuple[VmArea | None, VmArea | None]:
    """The areas before and after one."""
    at = position(mm, vma.vm_start)
    return (
        mm.mmap[at - 1] if at else None,
        mm.mmap[at + 1] if at + 1 < len(mm.mmap) else None,
    )


# -- in and out ------------------------------------------------------------------------------------


def vma_link(mm: MmStruct, vma: VmArea) -> None:
    """Put an area into the address space, and into its file's. Kernel: vma_link"""
    mm.mmap.insert(position(mm, vma.vm_start), vma)
    if vma.vm_file is not None:
        vma.vm_file.inode.i_mmap[vma] = None


def vm_area_alloc(m: Kernel, mm: MmStruct, start: int, end: int, flags: int, pgoff: int) -> VmArea:
    """A new area, not in the address space yet. Kernel: vm_area_alloc"""
    vma = VmArea(mm, start, end, flags, pgoff)
    vma.object = objects.take(m, "vm_area_struct")
    return vma


def vm_area_free(m: Kernel, vma: VmArea) -> None:
    """The end of an area. Kernel: vm_area_free"""
    objects.give(m, "vm_area_struct", vma.object)


def vma_dup(m: Kernel, vma: VmArea, mm: MmStruct | None = None) -> VmArea:
    """A copy without links. Kernel: vm_area_dup"""
    new = vm_area_alloc(m, mm or vma.vm_mm, vma.vm_start, vma.vm_end, vma.vm_flags, vma.vm_pgoff)
    new.vm_file = vma.vm_file
    new.special = vma.special
    new.swap_readahead = vma.swap_readahead
    if new.vm_file is not None:
        new.vm_file.f_count += 1
    return new


def vm_stat_account(mm: MmStruct, flags: int, npages: int) -> None:
    """Count pages of an area in the address space's statistics. Kernel: vm_stat_account"""
    mm.total_vm += npages
    if flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN) == VM_EXEC:
        mm.exec_vm += npages
    elif flags & VM_GROWSDOWN:
        mm.stack_vm += npages
    elif flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN) == VM_WRITE:
        mm.data_vm += npages


def is_accessible(vma: VmArea) -> bool:
    """Whether anything at all may be done there. Kernel: vma_is_accessible"""
    return bool(vma.vm_flags & VM_ACCESS_FLAGS)


# -- merging ---------------------------------------------------------------------------------------


def is_mergeable_vma(vma: VmArea, file: File | None, flags: int) -> bool:
    """Whether an area says the same as a new one would. Kernel: is_mergeable_vma

    What has to be told when it is closed must stay apart: huge pages, and the kernel's own mappings.
    """
    return (
        not (vma.vm_flags ^ flags) & ~VM_SOFTDIRTY
        and vma.vm_file is file
        and vma.special is None
        and not vma.vm_flags & VM_HUGETLB
    )


def is_mergeable_anon_vma(one: AnonVma | None, other: AnonVma | None, vma: VmArea | None) -> bool:
    """Whether the pages of both could be found from one area. Kernel: is_mergeable_anon_vma

    An area that was copied by a fork is found from several anon_vmas; adding foreign addresses to it would
    make every search longer.
    """
    if (one is None or other is None) and (vma is None or len(vma.anon_vma_chain) == 1):
        return True
    return one is other


def can_vma_merge_before(
    vma: VmArea, flags: int, anon_vma: AnonVma | None, file: File | None, pgoff: int
) -> bool:
    """Whether a new area may be joined to the beginning of another. Kernel: can_vma_merge_before"""
    return (
        is_mergeable_vma(vma, file, flags)
        and is_mergeable_anon_vma(anon_vma, vma.anon_vma, vma)
        and vma.vm_pgoff == pgoff
    )


def can_vma_merge_after(
    vma: VmArea, flags: int, anon_vma: AnonVma | None, file: File | None, pgoff: int
) -> bool:
    """Whether a new area may be joined to the end of another. Kernel: can_vma_merge_after"""
    return (
        is_mergeable_vma(vma, file, flags)
        and is_mergeable_anon_vma(anon_vma, vma.anon_vma, vma)
        and vma.vm_pgoff + vma.pages == pgoff
    )


def vma_merge(
    m: Kernel, mm: MmStruct, prev: VmArea | None, address: int, end: int, flags: int,
    anon_vma: AnonVma | None, file: File | None, pgoff: int,
) -> VmArea | None:  # fmt: skip
    """Let a neighbour take over a range that is about to say what it says. Kernel: vma_merge

    prev: the area before the range, or the one that its beginning is part of. Returns the area that has the
    range now, None if it must stay on its own.
    """
    if flags & VM_SPECIAL:
        return None
    pglen = (end - address) >> 12
    after = find_vma(mm, prev.vm_end if prev is not None else 0)
    mid = after
    if after is not None and after.vm_end == end:
        after = find_vma(mm, after.vm_end)
    merge_prev = (
        prev is not None
        and prev.vm_end == address
        and can_vma_merge_after(prev, flags, anon_vma, file, pgoff)
    )
    merge_next = (
        after is not None
        and end == after.vm_start
        and can_vma_merge_before(after, flags, anon_vma, file, pgoff + pglen)
    )
    if merge_prev and merge_next and is_mergeable_anon_vma(prev.anon_vma, after.anon_vma, None):  # type: ignore[union-attr]
        assert prev is not None
        assert after is not None
        if m.trace is not None:
            m.trace.mmap.merged(prev, address, end, sides="both")
        vma_adjust(m, prev, prev.vm_start, after.vm_end, prev.vm_pgoff, None, prev)
        return prev
    if merge_prev:
        assert prev is not None
        if m.trace is not None:
            m.trace.mmap.merged(prev, address, end, sides="before")
        vma_adjust(m, prev, prev.vm_start, end, prev.vm_pgoff, None, prev)
        return prev
    if merge_next:
        assert after is not None
        assert mid is not None
        if m.trace is not None:
            m.trace.mmap.merged(after, address, end, sides="after")
        if prev is not None and address < prev.vm_end:
            vma_adjust(m, prev, prev.vm_start, address, prev.vm_pgoff, None, after)
        else:
            vma_adjust(m, mid, address, after.vm_end, after.vm_pgoff - pglen, None, after)
        return after
    return None


def vma_adjust(
    m: Kernel, vma: VmArea, start: int, end: int, pgoff: int, insert: VmArea | None, expand: VmArea | None
) -> None:
    """Move the borders of an area, which may shrink its neighbour, swallow it, or make room for another.

    Kernel: __vma_adjust. insert: an area that was split off. expand: the one that grows. The anonymous pages
    of what shrinks must be found from what grows.
    """
    mm = vma.vm_mm
    original = vma
    after = find_vma(mm, vma.vm_end)
    swallowed: list[VmArea] = []
    adjust_next = 0
    exporter = importer = None
    if after is not None and insert is None:
        if end >= after.vm_end:
            if after is expand:
                swallowed = [vma]
                vma, after = after, vma
            else:
                swallowed = [after]
                if end > after.vm_end:
                    beyond = find_vma(mm, after.vm_end)
                    assert beyond is not None
                    swallowed.append(beyond)
            exporter, importer = after, vma
            if len(swallowed) == 2 and after.anon_vma is None:
                exporter = swallowed[1]
        elif end > after.vm_start:
            adjust_next = end - after.vm_start
            exporter, importer = after, vma
        elif end < vma.vm_end:
            adjust_next = end - vma.vm_end
            exporter, importer = vma, after
        export_anon_vma(m, exporter, importer)
    huge_memory.vma_adjust_trans_huge(m, original, start, end, adjust_next)
    vma.vm_start, vma.vm_end, vma.vm_pgoff = start, end, pgoff
    if adjust_next:
        assert after is not None
        after.vm_start += adjust_next
        after.vm_pgoff += adjust_next >> 12
    relink_file(insert, after if adjust_next else None, vma)
    for gone in swallowed:
        remove_swallowed(m, mm, gone)
    if insert is not None:
        mm.mmap.insert(mm.mmap.index(vma) + (insert.vm_start >= end), insert)


def relink_file(insert: VmArea | None, after: VmArea | None, vma: VmArea) -> None:
    """Let the file find areas whose borders have moved. Kernel: vma_interval_tree_insert"""
    if vma.vm_file is None:
        return
    tree = vma.vm_file.inode.i_mmap
    for area in (insert, after, vma):
        if area is not None:
            tree.pop(area, None)
            tree[area] = None


def export_anon_vma(m: Kernel, exporter: VmArea | None, importer: VmArea | None) -> None:
    """What grows over anonymous pages must be found from them. Kernel: __vma_adjust"""
    if exporter is None or importer is None or exporter.anon_vma is None:
        return
    if importer.anon_vma is None:
        importer.anon_vma = exporter.anon_vma
        rmap.anon_vma_clone(m, importer, exporter)


def remove_swallowed(m: Kernel, mm: MmStruct, gone: VmArea) -> None:
    """An area that another has taken over. Kernel: the end of __vma_adjust, anon_vma_merge"""
    mm.mmap.remove(gone)
    if gone.vm_file is not None:
        gone.vm_file.inode.i_mmap.pop(gone, None)
        gone.vm_file.f_count -= 1
    if gone.anon_vma is not None:
        rmap.unlink_anon_vmas(m, gone)
    vm_area_free(m, gone)


def vma_expand(m: Kernel, vma: VmArea, start: int, end: int, pgoff: int, after: VmArea | None) -> None:
    """Let an area grow over new addresses, and over the next area if it reaches it. Kernel: vma_expand"""
    mm = vma.vm_mm
    remove_next = after is not None and vma is not after and end == after.vm_end
    if remove_next:
        assert after is not None
        if after.anon_vma is not None and vma.anon_vma is None:
            vma.anon_vma = after.anon_vma
            rmap.anon_vma_clone(m, vma, after)
    huge_memory.vma_adjust_trans_huge(m, vma, start, end, 0)
    vma.vm_start, vma.vm_end, vma.vm_pgoff = start, end, pgoff
    if vma.vm_file is not None:
        tree = vma.vm_file.inode.i_mmap
        tree.pop(vma, None)
        tree[vma] = None
    if remove_next:
        assert after is not None
        remove_swallowed(m, mm, after)


# -- splitting -------------------------------------------------------------------------------------


def split_vma(m: Kernel, vma: VmArea, address: int, *, new_below: bool) -> None:
    """Cut an area in two at an address; the new one is the lower or the upper part. Kernel: __split_vma"""
    if m.trace is not None:
        m.trace.mmap.split(vma, address)
    new = vma_dup(m, vma)
    if new_below:
        new.vm_end = address
    else:
        new.vm_start = address
        new.vm_pgoff += (address - vma.vm_start) >> 12
    new.anon_vma = vma.anon_vma
    rmap.anon_vma_clone(m, new, vma)
    if new_below:
        pgoff = vma.vm_pgoff + ((address - vma.vm_start) >> 12)
        vma_adjust(m, vma, address, vma.vm_end, pgoff, new, None)
    else:
        vma_adjust(m, vma, vma.vm_start, address, vma.vm_pgoff, new, None)


def vma_modify(m: Kernel, prev: VmArea | None, vma: VmArea, start: int, end: int, flags: int) -> VmArea:
    """Make a range one area that may be given these flags: of a neighbour that has them, or cut off.

    Kernel: what mprotect_fixup, mlock_fixup and madvise_update_vma begin with; later kernels call it so.
    """
    pgoff = vma.linear_page_index(start)
    merged = vma_merge(m, vma.vm_mm, prev, start, end, flags, vma.anon_vma, vma.vm_file, pgoff)
    if merged is not None:
        return merged
    if start != vma.vm_start:
        split_vma(m, vma, start, new_below=True)
    if end != vma.vm_end:
        split_vma(m, vma, end, new_below=False)
    return vma
