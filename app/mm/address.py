"""Which page or physical address stands behind a kernel address, and the other way round.

Kernel: arch/x86/include/asm/page.h, include/asm-generic/memory_model.h, mm/vmalloc.c vmalloc_to_page. All but
the last are plain arithmetic, right for the direct map alone and silently wrong for any other address;
vmalloc_to_page looks into the page tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import printk
from app.mm.highmem import LAST_PKMAP
from app.mm.memory_model import PAGE_SHIFT, VMEMMAP_START
from app.mm.tracepoints import traced
from app.mm.vmalloc import PKMAP_BASE

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

START_KERNEL_MAP: Final = 0xFFFFFFFF80000000


def virt_to_phys(m: Kernel, address: int) -> int:
    """The physical address, by arithmetic. Kernel: arch/x86/include/asm/io.h virt_to_phys, __phys_addr

    x86_64 has the kernel's own code and data mapped a second time, at the top; a kernel that was not
    relocated lies at physical address 0 on.
    """
    if m.model.arch == "x86_64" and address >= START_KERNEL_MAP:
        return address - START_KERNEL_MAP
    return address - m.model.page_offset & m.model.ptr_max


def phys_to_virt(m: Kernel, physical: int) -> int:
    """The address in the direct map, mapped or not. Kernel: arch/x86/include/asm/io.h phys_to_virt

    A 32-bit kernel cuts a physical address off to the length of a pointer.
    """
    return physical + m.model.page_offset & m.model.ptr_max


def pfn_to_page(m: Kernel, pfn: int) -> int:
    """The struct page of a frame, whether or not there is one. Kernel: __pfn_to_page"""
    return m.model.pfn_to_page(pfn) & m.model.ptr_max


def page_to_pfn(m: Kernel, pointer: int) -> int:
    """The frame of a struct page, whether or not it is one. Kernel: __page_to_pfn"""
    half = m.model.ptr_max + 1 >> 1
    distance = (pointer - m.model.mem_map + half & m.model.ptr_max) - half
    return distance // m.model.sizeof_page & m.model.ptr_max


@traced
def vmalloc_to_page(m: Kernel, address: int) -> int | None:
    """The frame that is mapped at an address; None where none is. Kernel: vmalloc_to_page

    The direct map has entries in the page tables as well, so it serves any address that is mapped.
    """
    pfn, where = mapped_at(m, address)
    if m.trace is not None:
        m.trace.vmalloc.vmalloc_to_page(address, pfn, where)
    return pfn


def mapped_at(m: Kernel, address: int) -> tuple[int | None, str]:
    """The frame at an address, and what lies there."""
    pfn = m.model.virt_to_pfn(address)
    if pfn is not None:
        return pfn, "in the direct map"
    slot = address - PKMAP_BASE >> PAGE_SHIFT
    if m.model.arch == "i386" and 0 <= slot < LAST_PKMAP:
        return m.pkmap.slots[slot], f"slot {slot} of kmap"
    va = m.vmap.busy.find(address)
    if va is None:
        if VMEMMAP_START <= address < VMEMMAP_START + m.model.spans[-1][1] * m.model.sizeof_page:
            printk.refused(
                m, "which frames hold struct pages is not kept: the kernel would return one of them"
            )
        return None, "nobody's"
    if va.vm is None:
        printk.refused(m, "which frames were mapped there before the machine's dump is not known")
        return None, "in an area of which only the addresses are known"
    place = address - va.vm.addr >> PAGE_SHIFT
    if place < len(va.vm.pages):
        return va.vm.pages[place], f"page {place} of the area at {va.vm.addr:#x}"
    return None, f"the guard page of the area at {va.vm.addr:#x}"
