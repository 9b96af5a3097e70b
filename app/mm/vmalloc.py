"""Memory that is contiguous for the kernel but not in the machine.

Kernel: mm/vmalloc.c, mm/util.c. Any free frames will do, so vmalloc succeeds where an order-10 request fails;
it pays with page tables, a TLB entry for each page and metadata, and it may sleep. An area ends with a guard
page that is never mapped, so that running over the end faults instead of spoiling the next area.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from app.mm import boot_caches, page_alloc, page_exact, page_free, printk, slab_common, vmap_area
from app.mm import gfp as gfp_masks
from app.mm.internal import GAVE_UP
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE, PMD_SHIFT, PMD_SIZE, PUD_SHIFT, MemoryModel
from app.mm.page import PG_head, PG_locked
from app.mm.pgtable import (
    GFP_PGTABLE_KERNEL,
    alloc_table,
    has_static_pmd_table,
)
from app.mm.sched import fatal_signal_pending
from app.mm.slab import SLAB_PANIC
from app.mm.slab_common import IN_INTERRUPT
from app.mm.tracepoints import traced
from app.mm.vmap_area import VmapArea, VmapSpace

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

VM_ALLOC: Final = 0x2
VM_FLUSH_RESET_PERMS: Final = 0x100
VM_ALLOW_HUGE_VMAP: Final = 0x400

VMALLOC_START: Final = 0xFFFFC90000000000
VMALLOC_END: Final = 0xFFFFE8FFFFFFFFFF
MODULES: Final = (0xFFFFFFFFC0000000, 0xFFFFFFFFFF000000)
VMALLOC_OFFSET: Final = 8 << 20
PKMAP_BASE: Final = 0xFF000000

SIZEOF_VM_STRUCT: Final = {"x86_64": 64, "i386": 36}
SIZEOF_VMAP_AREA: Final = {"x86_64": 64, "i386": 32}
BULK_PAGES: Final = 100
INT_MAX: Final = (1 << 31) - 1


class VmStruct:
    """What is mapped in a range. Kernel: struct vm_struct

    addr, size: the range, guard page included. pages: the frame of each page, in the order of addresses.
    array: where the kernel keeps that list, by kmalloc or, above one page, in an area of its own. page_order:
    9 where huge pages were used. object: where the structure itself is. caller: which function asked.
    page_table_writes: entries that mapping it took.
    """

    __slots__ = (
        "addr", "array", "caller", "flags", "object", "page_order", "page_table_writes", "pages", "seq",
        "size", "task",
    )  # fmt: skip

    def __init__(self, va: VmapArea, flags: int, caller: str, task: str, seq: int) -> None:
        self.addr = va.va_start
        self.size = va.size
        self.flags = flags
        self.caller = caller
        self.task = task
        self.seq = seq
        self.object = 0
        self.array = 0
        self.pages: list[int] = []
        self.page_order = 0
        self.page_table_writes = 0

    @property
    def guard(self) -> int:
        """Address of the page that is left unmapped."""
        return self.addr + self.size - PAGE_SIZE


def vmalloc_init(m: Kernel) -> None:
    """An empty space, as before its first use, and a cache for its structures. Kernel: vmalloc_init"""
    m.vmap = space = empty_space(m.model)
    space.free.insert(VmapArea(1, m.model.ptr_max))
    if boot_caches.find(m, vmap_area.CACHE) is None:
        slab_common.create_boot_cache(m, vmap_area.CACHE, SIZEOF_VMAP_AREA[m.model.arch], SLAB_PANIC)


def empty_space(model: MemoryModel) -> VmapSpace:
    """Where the addresses are. Kernel: pgtable_64_types.h, pgtable_32_areas.h

    i386 has what is left of its last GiB above the direct map, 8 MiB kept clear between them to catch stray
    pointers.
    """
    if model.arch == "x86_64":
        return VmapSpace(VMALLOC_START, VMALLOC_END, MODULES, model.cpus)
    start = model.page_offset + (model.max_low_pfn << PAGE_SHIFT) + VMALLOC_OFFSET
    end = PKMAP_BASE - 2 * PAGE_SIZE
    return VmapSpace(start, end, (start, end), model.cpus)


def is_vmalloc_addr(m: Kernel, addr: int) -> bool:
    """Whether an address lies where vmalloc places its areas. Kernel: is_vmalloc_addr"""
    return m.vmap.vmalloc_start <= addr < m.vmap.vmalloc_end


# -- allocating ------------------------------------------------------------------------------------


def vmalloc(
    m: Kernel, size: int, *, gfp: int = gfp_masks.GFP_KERNEL, caller: str = "vmalloc"
) -> VmStruct | None:
    """Allocate pages and map them one after another. Kernel: vmalloc, __vmalloc_node

    size: bytes, rounded up to pages. Returns the area, or None with the kernel's report in the log.
    """
    space = m.vmap
    return vmalloc_node_range(m, size, (space.vmalloc_start, space.vmalloc_end), gfp, 0, caller)


@traced
def kvmalloc(m: Kernel, size: int, gfp: int) -> int | None:
    """kmalloc if it is to be had without trouble, else vmalloc. Kernel: mm/util.c kvmalloc_node

    Returns the address, which tells where the memory is from. Physically contiguous memory is cheaper to use,
    so it is tried first, but not so hard that others suffer: there is the other way.
    """
    kmalloc_gfp = gfp
    if size > PAGE_SIZE:
        kmalloc_gfp |= gfp_masks.__GFP_NOWARN
        if not gfp & gfp_masks.__GFP_RETRY_MAYFAIL:
            kmalloc_gfp |= gfp_masks.__GFP_NORETRY
        kmalloc_gfp &= ~gfp_masks.__GFP_NOFAIL
    address = slab_common.kmalloc(m, size, kmalloc_gfp)
    if m.trace is not None:
        m.trace.vmalloc.kvmalloc(address, size)
    if address is not None or size <= PAGE_SIZE or not gfp & gfp_masks.__GFP_DIRECT_RECLAIM:
        return address
    if size > INT_MAX:
        m.mistake("kvmalloc_too_large", size=size, most=INT_MAX)
        if not gfp & gfp_masks.__GFP_NOWARN:
            printk.warn_on_once(m, "mm/util.c:596", "kvmalloc_node")
        return None
    space = m.vmap
    vm_range = (space.vmalloc_start, space.vmalloc_end)
    vm = vmalloc_node_range(m, size, vm_range, gfp, VM_ALLOW_HUGE_VMAP, "kvmalloc")
    return None if vm is None else vm.addr


@traced
def kvmalloc_array(m: Kernel, n: int, size: int, gfp: int) -> int | None:
    """kvmalloc of `n` elements; None where so many bytes are no size_t.

    Kernel: include/linux/slab.h kvmalloc_array
    """
    total, fits = slab_common.array_size(m, n, size, "kvmalloc_array")
    return kvmalloc(m, total, gfp) if fits else None


@traced
def vmalloc_node_range(
    m: Kernel, size: int, vm_range: tuple[int, int], gfp: int, vm_flags: int, caller: str
) -> VmStruct | None:
    """Allocate and map an area within a range of addresses. Kernel: __vmalloc_node_range

    With VM_ALLOW_HUGE_VMAP, 2 MiB and more are mapped by huge pages, and by small ones if those cannot be
    had.
    """
    if not size:
        m.mistake("vmalloc_nothing")
        printk.warn_on_once(m, "mm/vmalloc.c:3227", "__vmalloc_node_range")
        return None
    total_pages = sum(zone.managed_pages for zone in m.zones)
    pages = size >> PAGE_SHIFT
    if pages > total_pages:
        if m.trace is not None:
            m.trace.vmalloc.too_large(size, pages, total_pages)
        m.mistake("vmalloc_too_large", size=size, pages=pages, total=total_pages)
        printk.warn_alloc(m, gfp, f"vmalloc error: size {size}, exceeds total pages")
        return None
    shifts: tuple[int, ...] = (PAGE_SHIFT,)
    if vm_flags & VM_ALLOW_HUGE_VMAP and m.model.arch == "x86_64" and size // m.model.nodes >= PMD_SIZE:
        shifts = (PMD_SHIFT, PAGE_SHIFT)
    for shift in shifts:
        if m.trace is not None:
            m.trace.vmalloc.vmalloc(size, align_to(size, shift) >> PAGE_SHIFT, shift, vm_range)
        vm = get_vm_area_node(m, size, shift, vm_range, VM_ALLOC | vm_flags, gfp, caller)
        if vm is None:
            nofail = bool(gfp & gfp_masks.__GFP_NOFAIL)
            retrying = ". Retrying." if nofail else ""
            printk.warn_alloc(m, gfp, f"vmalloc error: size {size}, vm_struct allocation failed{retrying}")
            if nofail:
                m.current.verdict = "hang"
                return None
        elif vmalloc_area_node(m, vm, gfp, shift):
            return vm
    return None


def align_to(size: int, shift: int) -> int:
    """A size rounded up to pages of 2^shift bytes. Kernel: ALIGN"""
    return (size + (1 << shift) - 1) & -(1 << shift)


@traced
def get_vm_area_node(
    m: Kernel, size: int, shift: int, vm_range: tuple[int, int], flags: int, gfp: int, caller: str
) -> VmStruct | None:
    """Reserve addresses for an area, a guard page behind it included. Kernel: __get_vm_area_node"""
    if m.current.context in IN_INTERRUPT:
        m.mistake("vmalloc_in_interrupt", context=m.current.context, size=size)
        printk.bug(m, "kernel BUG at mm/vmalloc.c:2554!")
    size = align_to(size, shift)
    reclaim = gfp & gfp_masks.GFP_RECLAIM_MASK
    object_ = slab_common.kmalloc(m, SIZEOF_VM_STRUCT[m.model.arch], reclaim | gfp_masks.__GFP_ZERO)
    if object_ is None:
        return None
    va = vmap_area.alloc_vmap_area(m, size + PAGE_SIZE, 1 << shift, *vm_range, gfp)
    if va is None:
        slab_common.kfree(m, object_)
        return None
    va.vm = vm = VmStruct(va, flags, caller, m.current.task, m.current.seq)
    vm.object = object_
    return vm


@traced
def vmalloc_area_node(m: Kernel, vm: VmStruct, gfp: int, page_shift: int) -> bool:
    """Fill an area with pages; on failure everything is given back. Kernel: __vmalloc_area_node"""
    nr_small_pages = (vm.size >> PAGE_SHIFT) - 1
    array_size = nr_small_pages * m.model.sizeof_long
    array_gfp = gfp & gfp_masks.GFP_RECLAIM_MASK | gfp_masks.__GFP_ZERO
    array = alloc_page_array(m, nr_small_pages, array_size, array_gfp, vm.caller)
    if array is None:
        size = nr_small_pages << PAGE_SHIFT
        what = f"vmalloc error: size {size}, failed to allocated page array size {array_size}"
        return give_up(m, vm, gfp, page_shift, what)
    if not gfp & (gfp_masks.__GFP_DMA | gfp_masks.__GFP_DMA32):
        gfp |= gfp_masks.__GFP_HIGHMEM
    vm.array = array
    vm.page_order = page_shift - PAGE_SHIFT
    vm.pages = vm_area_alloc_pages(m, gfp | gfp_masks.__GFP_NOWARN, vm.page_order, nr_small_pages)
    m.vmap.nr_vmalloc_pages += len(vm.pages)
    own_pages(m, vm)
    size = len(vm.pages) << PAGE_SHIFT
    if len(vm.pages) != nr_small_pages:
        what = f"vmalloc error: size {size}, page order {vm.page_order}, failed to allocate pages"
        return give_up(m, vm, gfp, page_shift, what)
    writes = vmap_pages_range(m, vm.addr, vm.pages, page_shift, gfp)
    if writes is None:
        return give_up(m, vm, gfp, page_shift, f"vmalloc error: size {size}, failed to map pages")
    vm.page_table_writes = writes
    return True


def give_up(m: Kernel, vm: VmStruct, gfp: int, page_shift: int, what: str) -> bool:
    """Report what failed and give back what was had; small pages may still do where huge ones did not.

    The kernel has added __GFP_NOWARN by now and so swallows its own report. Here it is printed when there is
    no second try, for the mask that the caller gave, because it tells why the answer is NULL.
    """
    if page_shift == PAGE_SHIFT:
        printk.warn_alloc(m, gfp, what)
    vunmap(m, vm.addr)
    vmap_area.drain_vmap_work(m)
    return False


def alloc_page_array(m: Kernel, nr_pages: int, array_size: int, gfp: int, caller: str) -> int | None:
    """Room for the list of an area's pages: itself a vmalloc area when the list is longer than a page."""
    small = array_size <= PAGE_SIZE
    if m.trace is not None:
        m.trace.vmalloc.page_array(nr_pages, array_size, small=small)
    if small:
        return slab_common.kmalloc(m, array_size, gfp)
    nested = vmalloc(m, array_size, gfp=gfp, caller=caller)
    return None if nested is None else nested.addr


@traced
def vm_area_alloc_pages(m: Kernel, gfp: int, order: int, nr_pages: int) -> list[int]:
    """Frames for an area, as many as can be had. Kernel: vm_area_alloc_pages

    Single pages come a hundred at a time, which holds the per-CPU list only once for each hundred; when a
    hundred comes back incomplete, the rest is asked for one by one, with everything that the mask allows.
    """
    pages: list[int] = []
    nid = m.cpu_node[m.current.cpu]
    while not order and len(pages) < nr_pages:
        m.breathe()
        request = min(BULK_PAGES, nr_pages - len(pages))
        got = page_alloc.alloc_pages_bulk(m, gfp & ~gfp_masks.__GFP_NOFAIL, nid, request)
        pages += got
        complete = len(got) == request
        if m.trace is not None:
            m.trace.vmalloc.chunk(request, len(got), len(pages), nr_pages, complete=complete)
        if not complete:
            break
    if order:
        gfp &= ~gfp_masks.__GFP_NOFAIL
    while len(pages) < nr_pages and m.current.verdict not in GAVE_UP:
        if fatal_signal_pending(m):
            break
        m.breathe()
        pfn = page_alloc.alloc_pages(m, gfp, order)
        if pfn is None:
            break
        if order:
            block = m.pages[pfn]
            block.flags &= ~PG_head
            page_exact.make_pages(m, block, 1 << order)
        pages.extend(range(pfn, pfn + (1 << order)))
    return pages


def own_pages(m: Kernel, vm: VmStruct) -> None:
    """Note on the frames where vmalloc maps them: `private` counts pages from VMALLOC_START."""
    place = vm.addr - m.vmap.vmalloc_start >> PAGE_SHIFT
    pages = m.pages
    for pfn in vm.pages:
        page = pages[pfn]
        page.state = "vmalloc"
        page.private = place
        place += 1
    for first, frames in ascending_runs(vm.pages):
        m.changed.frame(first, frames, "vmalloc")
    for pfn in vm.pages:
        if pages[pfn].flags & PG_locked:  # left there by a mistake, when the frame was free
            m.changed.frame(pfn, 1, "locked")
    if m.trace is not None:
        m.trace.vmalloc.area_pages(vm, list(ascending_runs(vm.pages)))


def ascending_runs(pages: Sequence[int]) -> Iterator[tuple[int, int]]:
    """`(first frame, frames)` for each stretch of consecutive frames."""
    start = 0
    for place in range(1, len(pages) + 1):
        if place == len(pages) or pages[place] != pages[place - 1] + 1:
            yield pages[start], place - start
            start = place


# -- freeing ---------------------------------------------------------------------------------------


def vfree(m: Kernel, addr: int) -> None:
    """Free an area: its pages now, its addresses at the next purge. Kernel: vfree, __vfree_deferred

    In an interrupt it is left to a kernel worker, which may sleep; the worker is run before the call returns.
    NULL is ignored.
    """
    deferred = m.current.context in IN_INTERRUPT
    if not deferred:
        printk.might_sleep(m, "mm/vmalloc.c", 2858)
    if not addr:
        return
    context = m.current.context
    if deferred:
        if m.trace is not None:
            m.trace.vmalloc.vfree_deferred(addr)
        m.current.context = "process"
    vunmap(m, addr)
    vmap_area.drain_vmap_work(m)
    m.current.context = context


def kvfree(m: Kernel, addr: int) -> None:
    """Free what kvmalloc returned: the address tells which of the two it was. Kernel: mm/util.c kvfree"""
    if is_vmalloc_addr(m, addr):
        vfree(m, addr)
    else:
        slab_common.kfree(m, addr)


@traced
def vunmap(m: Kernel, addr: int) -> None:
    """Unmap the area that an address lies in and free its pages. Kernel: __vunmap

    An address in the middle of an area frees the whole of it. A range that the kernel took before the
    machine's first dump counts as none: nobody knows its pages.
    """
    if addr & (PAGE_SIZE - 1):
        m.mistake("vfree_unaligned", address=f"{addr:#x}", page_size=PAGE_SIZE)
        printk.warn(
            m, "mm/vmalloc.c:2752", "__vunmap", f"Trying to vfree() bad address ({printk.pointer(m, addr)})"
        )
        return
    va = m.vmap.busy.find(addr)
    if va is None or va.vm is None:
        found = "vfree_nothing" if is_vmalloc_addr(m, addr) else "vfree_of_kmalloc"
        m.mistake(found, address=f"{addr:#x}")
        printk.warn(
            m,
            "mm/vmalloc.c:2758",
            "__vunmap",
            f"Trying to vfree() nonexistent vm area ({printk.pointer(m, addr)})",
        )
        return
    vm = va.vm
    if m.trace is not None:
        m.trace.vmalloc.vunmap(vm)
    remove_vm_area(m, vm)
    if vm.flags & VM_FLUSH_RESET_PERMS:
        vmap_area.purge_vmap_area_lazy(m)
    m.vmap.nr_vmalloc_pages -= len(vm.pages)
    for place, pfn in enumerate(vm.pages):
        if not place % BULK_PAGES:
            m.breathe()
        free_vmalloc_page(m, pfn)
    if is_vmalloc_addr(m, vm.array):
        vunmap(m, vm.array)
    else:
        slab_common.kfree(m, vm.array)
    slab_common.kfree(m, vm.object)


def free_vmalloc_page(m: Kernel, pfn: int) -> None:
    """Drop the area's reference on a page; with someone else's it lives on as an ordinary page."""
    page = m.pages.get(pfn)
    if page is not None and page.refcount > 1 and page.state == "vmalloc":
        page.state = "unmovable"
        page.private = 0
        m.changed.frame(pfn, 1, page.shown)
    page_free.free_pages(m, pfn, 0)


def remove_vm_area(m: Kernel, vm: VmStruct) -> None:
    """Take an area out of the busy ones; its addresses wait for the purge. Kernel: remove_vm_area"""
    printk.might_sleep(m, "mm/vmalloc.c", 2663)
    va = m.vmap.busy.find(vm.addr)
    assert va is not None
    vmap_area.free_vmap_area_noflush(m, va)


@traced
def vmap_pages_range(m: Kernel, addr: int, pages: Sequence[int], page_shift: int, gfp: int) -> int | None:
    """Map frames one after another from an address on. Kernel: vmap_pages_range

    pages: frame of each 4 KiB. page_shift: 12, or 21 to map 2 MiB by one entry of the level above. gfp: the
    caller's mask, of which only the ban on I/O or file systems reaches the tables. Returns how many entries
    were written in all levels, or None where there was no memory for a table.
    """
    table_gfp = GFP_PGTABLE_KERNEL & ~nested_restriction(gfp)
    start, end = addr, addr + (len(pages) << PAGE_SHIFT)
    writes = 0
    while addr < end:
        following = min((addr | (PMD_SIZE - 1)) + 1, end)
        if has_static_pmd_table(m, addr):
            written = 0
        elif (new := alloc_table(m, addr, PUD_SHIFT, table_gfp)) is None:
            return None
        else:
            written = new
        if page_shift == PMD_SHIFT:
            free_pte_table(m, addr)
            written += 1
        elif (new := alloc_table(m, addr, PMD_SHIFT, table_gfp)) is None:
            return None
        else:
            written += new + (following - addr >> PAGE_SHIFT)
        writes += written
        addr = following
    if m.trace is not None:
        m.trace.vmalloc.mapped(start, len(pages), page_shift, writes)
    return writes


def free_pte_table(m: Kernel, addr: int) -> None:
    """A huge entry takes the place of an empty table of small ones. Kernel: pmd_free_pte_page"""
    pfn = m.vmap.page_tables.pop((PMD_SHIFT, addr >> PMD_SHIFT), None)
    if pfn is not None:
        page_free.free_pages(m, pfn, 0)


def nested_restriction(gfp: int) -> int:
    """The bits that a caller under NOFS or NOIO keeps from those it calls. Kernel: memalloc_nofs_save"""
    allowed = gfp & (gfp_masks.__GFP_FS | gfp_masks.__GFP_IO)
    if allowed == gfp_masks.__GFP_IO:
        return gfp_masks.__GFP_FS
    return 0 if allowed else gfp_masks.__GFP_IO | gfp_masks.__GFP_FS
