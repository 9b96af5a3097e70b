"""Swap areas begun and ended: swapon and swapoff.

Kernel: mm/swapfile.c SYSCALL_DEFINE2(swapon), SYSCALL_DEFINE1(swapoff). An area is a file or a device whose
first page says how large it is. Ending one brings everything back that is in it, which needs as much memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import (
    errno,
    lru,
    mem_map,
    mmap,
    namei,
    page_free,
    printk,
    rmap,
    shmem_swap,
    swap_map,
    swap_readahead,
    swap_slots,
    swap_state,
    swapfile,
    vmalloc,
)
from app.mm import gfp as gfp_masks
from app.mm.fs import File
from app.mm.mm_types import MM_ANONPAGES, MM_SWAPENTS, VM_HUGETLB
from app.mm.pgtable_types import ACCESSED, mk_pte, vma_page_prot
from app.mm.swap_info import (
    SWAPFILE_CLUSTER,
    SWP_BLKDEV,
    SWP_SOLIDSTATE,
    SWP_USED,
    SWP_WRITEOK,
    Swap,
    SwapCluster,
    SwapInfo,
)
from app.mm.swapops import (
    MAX_SWAPFILES,
    SWP_EXCLUSIVE,
    SWP_SOFT_DIRTY,
    is_swap_pte,
    pte_to_swp_entry,
    swp_type,
)
from app.mm.tracepoints import traced
from app.mm.vmstat_text import config

if TYPE_CHECKING:
    from app.mm.fs import Inode
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct, PageTable, VmArea

KB: Final = 2
# What is below is a device.
DEVICES: Final = "/dev/"


# -- swapon ----------------------------------------------------------------------------------------


def mkswap(m: Kernel, inode: Inode | None, path: str, pages: int) -> Inode | None:
    """Give a file the header of a swap area, if it is new, or an area that is not in use.

    A program does that, and not the kernel: mkswap(8). A file that is not there is made first.
    """
    if inode is None:
        kind = "bdev" if path.startswith(DEVICES) else "tmpfs" if path.startswith(namei.TMPFS) else "ext4"
        inode = namei.new_inode(m, kind, path, pages << 12)
    elif not inode.swap_pages or inode.is_swapfile:
        return inode
    inode.size = pages << 12
    inode.swap_pages = pages
    return inode


@traced
def swapon(m: Kernel, inode: Inode | None, path: str, *, rotating: bool) -> int:
    """Begin to swap to a file or device; 0 or -errno. Kernel: swapon

    rotating: whether neighbouring slots are cheaper than others, as on a disk that turns.
    """
    if inode is None:
        return -errno.ENOENT
    if path == namei.DISK or inode.is_swapfile:
        return -errno.EBUSY
    pages = read_swap_header(m, inode)
    if not pages:
        return -errno.EINVAL
    state = m.vm.swap = m.vm.swap or Swap(m.model.cpus)
    type = alloc_swap_info(state)
    if type >= MAX_SWAPFILES:
        return -errno.EPERM
    # vzalloc
    area = vmalloc.vmalloc(m, pages, gfp=gfp_masks.GFP_KERNEL | gfp_masks.__GFP_ZERO, caller="swapon")
    if area is None:
        return -errno.ENOMEM
    flags = SWP_USED | (0 if rotating else SWP_SOLIDSTATE) | (SWP_BLKDEV if inode.fs == "bdev" else 0)
    si = SwapInfo(type, File(inode, path=path), pages, flags)
    si.map_address = area.addr
    if not rotating:
        setup_clusters(m, si)
    state.nr_rotate_swap += rotating
    if type == len(state.info):
        state.info.append(None)
    state.info[type] = si
    state.least_priority -= 1
    si.prio = state.least_priority
    enable_swap_info(m, si)
    kilobytes = si.pages << KB
    kind = ("" if rotating else "SS") + ("FS" if "ZSWAP" in config(m) else "")
    printk.printk(
        m,
        f"Adding {kilobytes}k swap on {path}.  Priority:{si.prio} extents:1 across:{kilobytes}k {kind}",
    )
    if m.trace is not None:
        m.trace.swap.begun(si)
    state.slot_cache_enabled = True
    inode.is_swapfile = True
    return 0


def read_swap_header(m: Kernel, inode: Inode) -> int:
    """How many pages an area has with its header, as mkswap wrote there; 0 for none. Kernel: read_swap_header

    A file of tmpfs cannot be swapped to: it is in memory.
    """
    if inode.in_memory:
        return 0
    if not inode.swap_pages:
        printk.printk(m, "Unable to find swap-space signature")
    elif inode.swap_pages > inode.size >> 12:
        printk.printk(m, "Swap area shorter than signature indicates")
    else:
        return inode.swap_pages
    return 0


def alloc_swap_info(state: Swap) -> int:
    """The number of a new area: the lowest that nobody has. Kernel: alloc_swap_info"""
    return next((at for at, si in enumerate(state.info) if si is None), len(state.info))


def setup_clusters(m: Kernel, si: SwapInfo) -> None:
    """Cut an area without moving parts into clusters, each of which one CPU fills.

    Kernel: setup_swap_map_and_extents. Where its end or the header is in a cluster, that one is never free.
    The kernel begins at a random slot, so that the device wears evenly; here it is the first.
    """
    size = SWAPFILE_CLUSTER[m.model.arch]
    clusters = si.cluster_info = SwapCluster(size, m.model.cpus)
    nr = -(-si.max // size)
    clusters.counts = [0] * nr
    clusters.counts[0] = 1
    clusters.counts[-1] += nr * size - si.max
    columns = max(16, (1 << 14) // size)
    for column in range(columns):
        for at in range(column, nr, columns):
            if not clusters.counts[at]:
                clusters.free[at] = None
    si.cluster_next_cpu = [1] * m.model.cpus


def enable_swap_info(m: Kernel, si: SwapInfo) -> None:
    """An area may be used from now on. Kernel: _enable_swap_info"""
    state = swap_map.swap_of(m)
    si.flags |= SWP_WRITEOK
    m.vm.nr_swap_pages += si.pages
    m.vm.total_swap_pages += si.pages
    at = 0
    while at < len(state.active) and state.area(state.active[at]).prio >= si.prio:
        at += 1
    state.active.insert(at, si.type)
    state.add_to_avail_list(si)


def active_area(m: Kernel, inode: Inode) -> SwapInfo | None:
    """The area of a file that is swapped to."""
    state = m.vm.swap
    areas = [] if state is None else [state.area(type) for type in state.active]
    return next((si for si in areas if si.file.inode is inode), None)


# -- swapoff ---------------------------------------------------------------------------------------


def swapoff(m: Kernel, inode: Inode | None) -> int:
    """Stop to swap to a file or device: 0 or -errno. Kernel: swapoff"""
    si = None if inode is None else active_area(m, inode)
    if inode is None:
        return -errno.ENOENT
    if si is None:
        return -errno.EINVAL
    if not mmap.vm_enough_memory(m, si.pages):
        return -errno.ENOMEM
    m.vm.vm_committed -= si.pages
    state = swap_map.swap_of(m)
    disable_swap_info(m, state, si)
    state.slot_cache_enabled = False
    swap_slots.drain_swap_slots_cache(m)
    done = try_to_unuse(m, si)
    if not done:
        state.least_priority -= 1
        si.prio = state.least_priority
        enable_swap_info(m, si)
    state.slot_cache_enabled = bool(state.active)
    if not done:
        return -errno.ENOMEM
    for pfn in si.continuations.values():
        page_free.free_pages(m, pfn, 0)
    state.nr_rotate_swap -= not si.flags & SWP_SOLIDSTATE
    state.info[si.type] = None
    vmalloc.vfree(m, si.map_address)
    si.file.inode.is_swapfile = False
    mmap.fput(m, si.file)
    return 0


def disable_swap_info(m: Kernel, state: Swap, si: SwapInfo) -> None:
    """No new slots from the area; areas that came after it move up one priority. Kernel: swapoff"""
    if si.type in state.avail:
        state.avail.remove(si.type)
    at = state.active.index(si.type)
    for type in state.active[at + 1 :]:
        state.area(type).prio += 1
    state.least_priority += 1
    state.active.remove(si.type)
    m.vm.nr_swap_pages -= si.pages
    m.vm.total_swap_pages -= si.pages
    si.flags &= ~SWP_WRITEOK


@traced
def try_to_unuse(m: Kernel, si: SwapInfo) -> bool:
    """Bring back all that is in the area; false without memory. Kernel: try_to_unuse"""
    while si.inuse_pages:
        if not shmem_swap.shmem_unuse(m, si.type):
            return False
        for mm in [*m.vm.mms.values()]:
            if si.inuse_pages and not unuse_mm(m, mm, si):
                return False
        for entry, pfn in [*swap_map.swap_of(m).cache.items()]:
            if swp_type(entry) == si.type:
                mem_map.get_page(m, pfn)
                swapfile.try_to_free_swap(m, pfn)
                lru.put_page(m, pfn)
    return True


def unuse_mm(m: Kernel, mm: MmStruct, si: SwapInfo) -> bool:
    """Bring back what a process has in the area. Kernel: unuse_mm"""
    for vma in mm.mmap:
        if vma.anon_vma is None or vma.vm_flags & VM_HUGETLB:
            continue
        for number in sorted(mm.tables[1]):
            if number + 1 << 21 > vma.vm_start and number << 21 < vma.vm_end:
                m.breathe()
                if not unuse_pte_range(m, vma, mm.tables[1][number], si):
                    return False
    return True


def unuse_pte_range(m: Kernel, vma: VmArea, table: PageTable, si: SwapInfo) -> bool:
    """The entries of one table that name slots of the area. Kernel: unuse_pte_range"""
    first = max(vma.vm_start - table.base, 0) >> 12
    behind = min(vma.vm_end - table.base >> 12, 512)
    for at in range(first, behind):
        pte = table.entries[at]
        if not is_swap_pte(pte) or swp_type(entry := pte_to_swp_entry(pte)) != si.type:
            continue
        address = table.base + (at << 12)
        pfn = swap_state.swap_cache_get_folio(m, entry, vma, address)
        if pfn is None:
            pfn = swap_readahead.swapin_readahead(m, entry, vma, address)
        if pfn is None:
            return False
        unuse_pte(m, vma, table, at, pfn)
        swap_slots.swap_free(m, entry)
        swapfile.try_to_free_swap(m, pfn)
        lru.put_page(m, pfn)
    return True


def unuse_pte(m: Kernel, vma: VmArea, table: PageTable, at: int, pfn: int) -> None:
    """Map a page that has come back; nobody has used it yet. Kernel: unuse_pte"""
    pte = table.entries[at]
    vma.vm_mm.rss_stat[MM_SWAPENTS] -= 1
    vma.vm_mm.rss_stat[MM_ANONPAGES] += 1
    mem_map.get_page(m, pfn)
    exclusive = bool(pte & SWP_EXCLUSIVE)
    rmap.page_add_anon_rmap(m, pfn, vma, table.base + (at << 12), exclusive=exclusive)
    new = mk_pte(pfn, vma_page_prot(m, vma)) & ~ACCESSED
    table.entries[at] = new | (m.vm.soft_dirty if pte & SWP_SOFT_DIRTY else 0)
    if m.trace is not None:
        m.trace.swap.unused(pfn, table.base + (at << 12), vma.vm_mm.id)
