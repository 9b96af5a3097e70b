"""Calls of the page allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine import gfp_text
from app.machine.calls import Call
from app.machine.entry import describe
from app.machine.outcome import Outcome
from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_free, page_ref, pcp

if TYPE_CHECKING:
    from app.machine.machine import Machine


def alloc_pages(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_pages"""
    return page_alloc.alloc_pages(m, gfp_text.parse(call.args["gfp"]), call.args["order"])


def alloc_pages_node(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_pages_node"""
    node = call.args["node"]
    mask = gfp_text.parse(call.args["gfp"])
    return page_alloc.alloc_pages(m, mask, call.args["order"], None if node < 0 else node)


def alloc_page(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/gfp.h alloc_page"""
    return page_alloc.alloc_pages(m, gfp_text.parse(call.args["gfp"]), 0)


def get_free_pages(m: Machine, call: Call) -> int | None:
    """Kernel: mm/page_alloc.c __get_free_pages"""
    return page_alloc.get_free_pages(m, gfp_text.parse(call.args["gfp"]), call.args.get("order", 0))


def get_zeroed_page(m: Machine, call: Call) -> int | None:
    """Kernel: mm/page_alloc.c get_zeroed_page"""
    return page_alloc.get_free_pages(m, gfp_text.parse(call.args["gfp"]) | gfp_masks.__GFP_ZERO, 0)


def free_pages(m: Machine, call: Call, value: int | None) -> None:
    """`__free_pages` of a page, or of the page behind an address; an address of 0 is ignored.

    Kernel: mm/page_alloc.c __free_pages, free_pages
    """
    if "addr" in call.args:
        page_free.free_pages_at(m, value, call.args["order"])
    else:
        page_free.free_pages(m, value, call.args["order"])


def page_address(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: include/linux/mm.h page_address"""
    pfn = page_ref.checked(m, call.args["page"], "page_address")
    address = m.page_address(pfn)
    outcome.ret = None if address is None else f"{address:#x}"
    outcome.seen = describe.page(m, pfn)
    if address is None:
        m.worsen_null()


def virt_to_page(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: arch/x86/include/asm/page.h virt_to_page"""
    address = call.args["addr"] or 0
    outcome.ret = f"{page_ref.page_pointer(m, address):#x}"
    pfn = m.model.virt_to_pfn(address)
    if pfn is not None:
        outcome.seen = describe.page(m, pfn)


def drain_all_pages(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/page_alloc.c drain_all_pages"""
    pcp.drain_all_pages(m)


ALLOCATORS: Final[dict[str, Callable[[Machine, Call], int | None]]] = {
    "alloc_pages": alloc_pages,
    "alloc_pages_node": alloc_pages_node,
    "alloc_page": alloc_page,
    "__get_free_pages": get_free_pages,
    "__get_free_page": get_free_pages,
    "get_zeroed_page": get_zeroed_page,
}

RELEASERS: Final[dict[str, Callable[[Machine, Call, int | None], None]]] = dict.fromkeys(
    ("__free_pages", "__free_page", "free_pages", "free_page"), free_pages
)

CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "page_address": page_address,
    "virt_to_page": virt_to_page,
    "drain_all_pages": drain_all_pages,
}
