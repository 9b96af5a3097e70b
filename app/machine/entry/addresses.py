"""Calls that translate: pages, frame numbers, kernel and physical addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.entry import describe
from app.machine.entry.arguments import ADDR, PAGE
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Arg, Returns
from app.mm import address as mm_address

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("pages")


@calls.other(
    "page_to_pfn",
    (PAGE,),
    "unsigned long page_to_pfn(const struct page *page)",
    "include/asm-generic/memory_model.h page_to_pfn",
    "The number of the frame that a struct page describes.",
    returns=Returns.NUMBER,
)
def page_to_pfn(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/asm-generic/memory_model.h page_to_pfn"""
    pfn = call.args["page"]
    if pfn is None:
        pfn = mm_address.page_to_pfn(m, 0)
    else:
        outcome.seen = describe.page(m, pfn)
    outcome.ret = pfn
    outcome.result = ("number", pfn)


@calls.other(
    "pfn_to_page",
    (Arg("pfn", "number", "unsigned long", "number of a page frame", example=18944),),
    "struct page *pfn_to_page(unsigned long pfn)",
    "include/asm-generic/memory_model.h pfn_to_page",
    "The struct page of a frame, whether or not there is such a frame.",
    returns=Returns.POINTER,
)
def pfn_to_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/asm-generic/memory_model.h pfn_to_page"""
    returned_page(m, mm_address.pfn_to_page(m, call.args["pfn"]), outcome)


def returned_page(m: Machine, pointer: int, outcome: Outcome) -> None:
    """A `struct page *`, which is one of this machine's or just a number."""
    outcome.ret = f"{pointer:#x}"
    pfn = m.model.page_to_pfn(pointer)
    if pfn is None:
        outcome.result = ("addr", pointer)
    else:
        outcome.result = ("page", pfn)
        outcome.seen = describe.page(m, pfn)


@calls.other(
    "virt_to_phys",
    (ADDR,),
    "phys_addr_t virt_to_phys(volatile void *address)",
    "arch/x86/include/asm/io.h virt_to_phys",
    "The physical address of a direct-map address; of another one, nonsense.",
    returns=Returns.NUMBER,
)
def virt_to_phys(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: arch/x86/include/asm/io.h virt_to_phys"""
    physical = mm_address.virt_to_phys(m, call.args["addr"] or 0)
    outcome.ret = f"{physical:#x}"
    outcome.result = ("number", physical)


@calls.other(
    "phys_to_virt",
    (Arg("address", "number", "phys_addr_t", "a physical address", example=77594624),),
    "void *phys_to_virt(phys_addr_t address)",
    "arch/x86/include/asm/io.h phys_to_virt",
    "The direct-map address of a physical address, whether or not it is mapped.",
    returns=Returns.ADDRESS,
)
def phys_to_virt(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: arch/x86/include/asm/io.h phys_to_virt"""
    address = mm_address.phys_to_virt(m, call.args["address"])
    outcome.ret = f"{address:#x}"
    outcome.result = ("addr", address)


@calls.other(
    "vmalloc_to_page",
    (ADDR,),
    "struct page *vmalloc_to_page(const void *addr)",
    "mm/vmalloc.c vmalloc_to_page",
    "The page that is mapped at an address; NULL where none is.",
    returns=Returns.POINTER,
)
def vmalloc_to_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/vmalloc.c vmalloc_to_page"""
    pfn = mm_address.vmalloc_to_page(m, call.args["addr"] or 0)
    if pfn is None:
        outcome.result = ("page", None)
        m.worsen_null()
    else:
        returned_page(m, m.model.pfn_to_page(pfn), outcome)
