"""Faults on pages of files: what a mapping does when it has no page yet.

Kernel: mm/filemap.c filemap_fault, filemap_map_pages, mm/shmem.c shmem_fault.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import lru, mem_map, readahead, shmem_swap, vm_fault
from app.mm.mem_map import PG_readahead
from app.mm.page import PG_locked, PG_uptodate
from app.mm.pagemap import GFP_CACHE, filemap_add_folio, last_index, shmem_get_folio
from app.mm.pgtable_types import PAGE_SHIFT
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.fs import File, Inode
    from app.mm.kernel import Kernel
    from app.mm.vm_fault import VmFault


def fault(m: Kernel, vmf: VmFault) -> int:
    """Find or make the page that a fault wants. Kernel: vm_operations_struct fault"""
    file = vmf.vma.vm_file
    if file is None:
        return special_mapping_fault(m, vmf)
    if file.inode.is_shmem:
        return shmem_fault(m, vmf, file.inode)
    return filemap_fault(m, vmf, file)


def special_mapping_fault(m: Kernel, vmf: VmFault) -> int:
    """A page of the vdso: code of the kernel that user mode may run. Kernel: special_mapping_fault"""
    pages = m.vm.special_pages.get(vmf.vma.special or "", ())
    if vmf.pgoff >= len(pages):
        return vm_fault.VM_FAULT_SIGBUS
    vmf.page = pages[vmf.pgoff]
    mem_map.get_page(m, vmf.page)
    vmf.kind = "file_cached"
    return 0


@traced
def filemap_map_pages(m: Kernel, vmf: VmFault, start: int, end: int) -> int:
    """Map the cached pages of a range where nothing is mapped yet. Kernel: filemap_map_pages

    The page at which read-ahead is to go on is left out: only a fault of its own can start that.
    """
    vma = vmf.vma
    file = vma.vm_file
    assert file is not None
    inode = file.inode
    end = min(end, last_index(inode) - 1)
    mm = vma.vm_mm
    ret = 0
    for index in range(start, end + 1):
        pfn = inode.i_pages.get(index)
        if pfn is None or mem_map.flags(m, pfn) & (PG_locked | PG_uptodate | PG_readahead) != PG_uptodate:
            continue
        vm_fault.install_prealloc(vmf)
        if file.ra.mmap_miss > 0:
            file.ra.mmap_miss -= 1
        address = vma.vm_start + (index - vma.vm_pgoff << 12)
        table = mm.tables[1][address >> 21]
        if table.entries[address >> 12 & 511]:
            continue
        if address == vmf.address:
            ret = vm_fault.VM_FAULT_NOPAGE
            vmf.page = pfn
        mem_map.get_page(m, pfn)
        vm_fault.do_set_pte(m, vmf, pfn, address)
        vmf.mapped_around += 1
    if m.trace is not None:
        m.trace.memory.fault_around(start, end, vmf.mapped_around, hit=bool(ret))
    return ret


@traced
def filemap_fault(m: Kernel, vmf: VmFault, file: File) -> int:
    """A page of a file on disk: from the cache, or read with its neighbours. Kernel: filemap_fault

    Who starts reading gives up the lock of the address space meanwhile, and tries the whole fault again: that
    is the RETRY, and such a fault counts as major.
    """
    inode, index = file.inode, vmf.pgoff
    last = last_index(inode)
    if index >= last:
        if m.trace is not None:
            m.trace.pagecache.behind_the_end(inode, index, last)
        return vm_fault.VM_FAULT_SIGBUS
    ret = 0
    dropped = False
    pfn = inode.i_pages.get(index)
    if m.trace is not None:
        m.trace.pagecache.lookup(inode, index, pfn)
    if pfn is not None:
        vmf.kind = "file_cached"
        if not vmf.flags & vm_fault.FAULT_FLAG_TRIED:
            dropped = readahead.async_mmap_readahead(m, vmf, file, pfn)
    else:
        vmf.kind = "file_read"
        m.vm.count("pgmajfault")
        ret = vm_fault.VM_FAULT_MAJOR
        dropped = readahead.sync_mmap_readahead(m, vmf, file)
        pfn = inode.i_pages.get(index)
        if pfn is None:
            pfn = mem_map.alloc_page(m, GFP_CACHE)
            if pfn is None:
                return vm_fault.VM_FAULT_OOM
            filemap_add_folio(m, inode, index, pfn)
            lru.put_page(m, pfn)
            dropped = dropped or vmf.first_try
            readahead.read_page(m, inode, pfn)
    vmf.page = pfn
    if dropped:
        return ret | vm_fault.VM_FAULT_RETRY
    mem_map.get_page(m, pfn)
    return ret | vm_fault.VM_FAULT_LOCKED


def shmem_fault(m: Kernel, vmf: VmFault, inode: Inode) -> int:
    """A page of tmpfs: made of zeros when it is first wanted. Kernel: mm/shmem.c shmem_fault"""
    if vmf.pgoff << PAGE_SHIFT >= inode.size:
        if m.trace is not None:
            m.trace.pagecache.behind_the_end(inode, vmf.pgoff, last_index(inode))
        return vm_fault.VM_FAULT_SIGBUS
    if vmf.pgoff in inode.swapped:
        vmf.kind = "swap_in"
        found = shmem_swap.shmem_swapin_folio(m, inode, vmf.pgoff, write=False, fault=True)
        if found is None:
            return vm_fault.VM_FAULT_OOM
        vmf.page, read = found
        return vm_fault.VM_FAULT_LOCKED | (vm_fault.VM_FAULT_MAJOR if read else 0)
    vmf.kind = "file_cached" if vmf.pgoff in inode.i_pages else "shmem"
    pfn = shmem_get_folio(m, inode, vmf.pgoff, write=False)
    if pfn is None:
        return vm_fault.VM_FAULT_OOM
    vmf.page = pfn
    return vm_fault.VM_FAULT_LOCKED
