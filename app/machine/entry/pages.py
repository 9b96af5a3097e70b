"""Calls of the page allocator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine import gfp_text
from app.machine.entry import describe
from app.machine.entry.arguments import (
    ADDR,
    ADDR_OR_PAGE,
    GFP,
    OPTIONAL_ORDER,
    ORDER,
    PAGE,
    PAGE_OR_ADDR,
    SIZE,
)
from app.machine.entry.costs import (
    BLOCK_OF_ORDER,
    FREE_OF_ORDER,
    block_a_frame,
    frames_of_order,
    pages_of_size,
)
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Arg, Cost, Returns
from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_exact, page_free, page_ref

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("pages")


def block_a_split_frame(m: Machine, call: Call) -> int:
    """Live blocks of a call that makes one of every frame of a block."""
    return frames_of_order(call.args)


@calls.allocation(
    "alloc_pages",
    (GFP, ORDER),
    "struct page *alloc_pages(gfp_t gfp, unsigned int order)",
    "mm/page_alloc.c __alloc_pages",
    "Allocate 2^order contiguous page frames.",
    returns=Returns.PAGE,
    cost=BLOCK_OF_ORDER,
    lecture="__alloc_pages_nodemask",
)
def alloc_pages(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_pages"""
    return page_alloc.alloc_pages(m, gfp_text.parse(call.args["gfp"]), call.args["order"])


@calls.allocation(
    "alloc_pages_node",
    (
        Arg("node", "node", "int", "node to start with; -1 = the CPU's own", example=0, prefill="-1"),
        GFP,
        ORDER,
    ),
    "struct page *alloc_pages_node(int nid, gfp_t gfp_mask, unsigned int order)",
    "include/linux/gfp.h alloc_pages_node",
    "Allocate 2^order page frames, trying the given node's zones first.",
    returns=Returns.PAGE,
    cost=BLOCK_OF_ORDER,
)
def alloc_pages_node(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_pages_node"""
    node = call.args["node"]
    mask = gfp_text.parse(call.args["gfp"])
    return page_alloc.alloc_pages(m, mask, call.args["order"], None if node < 0 else node)


@calls.allocation(
    "alloc_page",
    (GFP,),
    "struct page *alloc_page(gfp_t gfp)",
    "include/linux/gfp.h alloc_page",
    "Allocate one page frame.",
    returns=Returns.PAGE,
    cost=BLOCK_OF_ORDER,
)
def alloc_page(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_page"""
    return page_alloc.alloc_pages(m, gfp_text.parse(call.args["gfp"]), 0)


@calls.allocation(
    "__get_free_pages",
    (GFP, ORDER),
    "unsigned long __get_free_pages(gfp_t gfp_mask, unsigned int order)",
    "mm/page_alloc.c __get_free_pages",
    "Allocate page frames and return their address, so never from HIGHMEM.",
    returns=Returns.PAGE_ADDRESS,
    cost=BLOCK_OF_ORDER,
)
@calls.allocation(
    "__get_free_page",
    (GFP,),
    "unsigned long __get_free_page(gfp_t gfp_mask)",
    "include/linux/gfp.h __get_free_page",
    "Allocate one page frame and return its address.",
    returns=Returns.PAGE_ADDRESS,
    cost=BLOCK_OF_ORDER,
)
def get_free_pages(m: Machine, call: Call) -> int | None:
    """Kernel: mm/page_alloc.c __get_free_pages"""
    return page_alloc.get_free_pages(m, gfp_text.parse(call.args["gfp"]), call.args.get("order", 0))


@calls.allocation(
    "__get_dma_pages",
    (GFP, ORDER),
    "unsigned long __get_dma_pages(gfp_t gfp_mask, unsigned int order)",
    "include/linux/gfp.h __get_dma_pages",
    "__get_free_pages with GFP_DMA.",
    returns=Returns.PAGE_ADDRESS,
    cost=BLOCK_OF_ORDER,
)
def get_dma_pages(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h __get_dma_pages"""
    return page_alloc.get_free_pages(m, call.mask() | gfp_masks.GFP_DMA, call.args["order"])


@calls.allocation(
    "get_zeroed_page",
    (GFP,),
    "unsigned long get_zeroed_page(gfp_t gfp_mask)",
    "mm/page_alloc.c get_zeroed_page",
    "Allocate one page frame filled with zeroes.",
    returns=Returns.PAGE_ADDRESS,
    cost=BLOCK_OF_ORDER,
)
def get_zeroed_page(m: Machine, call: Call) -> int | None:
    """Kernel: mm/page_alloc.c get_zeroed_page"""
    return page_alloc.get_free_pages(m, gfp_text.parse(call.args["gfp"]) | gfp_masks.__GFP_ZERO, 0)


@calls.allocation(
    "alloc_pages_exact",
    (SIZE, GFP),
    "void *alloc_pages_exact(size_t size, gfp_t gfp_mask)",
    "mm/page_alloc.c alloc_pages_exact",
    "Allocate just as many page frames as hold the bytes, each with a count of its own.",
    returns=Returns.ADDRESS,
    cost=Cost(pages_of_size, each=pages_of_size, blocks=block_a_frame),
)
def alloc_pages_exact(m: Machine, call: Call) -> int | None:
    """Kernel: mm/page_alloc.c alloc_pages_exact"""
    return page_exact.alloc_pages_exact(m, call.args["size"], call.mask())


@calls.release(
    "__free_pages",
    (PAGE, ORDER),
    "void __free_pages(struct page *page, unsigned int order)",
    "mm/page_alloc.c __free_pages",
    "Drop a reference and free the block when it was the last.",
    cost=FREE_OF_ORDER,
)
@calls.release(
    "__free_page",
    (PAGE_OR_ADDR, OPTIONAL_ORDER),
    "void __free_page(struct page *page)",
    "include/linux/gfp.h __free_page",
    "__free_pages of order 0.",
    cost=FREE_OF_ORDER,
    lecture="__free_page(page, order)",
)
@calls.release(
    "free_pages",
    (ADDR_OR_PAGE, OPTIONAL_ORDER),
    "void free_pages(unsigned long addr, unsigned int order)",
    "mm/page_alloc.c free_pages",
    "__free_pages of the page behind an address.",
    cost=FREE_OF_ORDER,
)
@calls.release(
    "free_page",
    (ADDR_OR_PAGE, OPTIONAL_ORDER),
    "void free_page(unsigned long addr)",
    "include/linux/gfp.h free_page",
    "free_pages of order 0.",
    cost=FREE_OF_ORDER,
    lecture="free_page(addr, order)",
)
def free_pages(m: Machine, call: Call, value: int | None) -> None:
    """`__free_pages` of a page, or of the page behind an address; an address of 0 is ignored.

    Kernel: mm/page_alloc.c __free_pages, free_pages
    """
    if "addr" in call.args:
        page_free.free_pages_at(m, value, call.args["order"])
    else:
        page_free.free_pages(m, value, call.args["order"])


@calls.release(
    "free_pages_exact",
    (ADDR, SIZE),
    "void free_pages_exact(void *virt, size_t size)",
    "mm/page_alloc.c free_pages_exact",
    "Free what alloc_pages_exact returned, page by page.",
    cost=Cost(pages_of_size, each=pages_of_size),
)
def free_pages_exact(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/page_alloc.c free_pages_exact"""
    page_exact.free_pages_exact(m, value or 0, call.args["size"])


@calls.other(
    "split_page",
    (PAGE, ORDER),
    "void split_page(struct page *page, unsigned int order)",
    "mm/page_alloc.c split_page",
    "Give each page frame of a block a count of its own, so that it is freed by itself.",
    returns=Returns.NOTHING,
    cost=Cost(frames_of_order, each=frames_of_order, blocks=block_a_split_frame),
)
def split_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/page_alloc.c split_page"""
    pfn = call.args["page"]
    page_exact.split_page(m, pfn, call.args["order"])
    outcome.seen = describe.page(m, pfn)


@calls.other(
    "page_address",
    (PAGE,),
    "void *page_address(const struct page *page)",
    "include/linux/mm.h page_address",
    "The page's kernel address; NULL for a HIGHMEM page that is not mapped.",
    returns=Returns.ADDRESS,
)
def page_address(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h page_address"""
    pfn = page_ref.checked(m, call.args["page"], "page_address")
    address = m.page_address(pfn)
    outcome.ret = None if address is None else f"{address:#x}"
    outcome.result = ("addr", address)
    outcome.seen = describe.page(m, pfn)
    if address is None:
        m.worsen_null()


@calls.other(
    "virt_to_page",
    (ADDR,),
    "struct page *virt_to_page(const void *addr)",
    "arch/x86/include/asm/page.h virt_to_page",
    "The struct page behind a direct-map address.",
    returns=Returns.POINTER,
)
def virt_to_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: arch/x86/include/asm/page.h virt_to_page"""
    address = call.args["addr"] or 0
    pointer = page_ref.page_pointer(m, address)
    outcome.ret = f"{pointer:#x}"
    pfn = m.model.virt_to_pfn(address)
    outcome.result = ("addr", pointer) if pfn is None else ("page", pfn)
    if pfn is None:
        start = f"{m.model.page_offset:#x}"
        m.mistake("no_struct_page", address=f"{address:#x}", start=start, page=outcome.ret)
    if pfn is not None:
        outcome.seen = describe.page(m, pfn)
