"""References to page frames, and what happens when the last one goes.

Kernel: include/linux/mm.h, include/linux/page_ref.h, mm/swap.c, mm/page_alloc.c __free_pages. A page frame belongs to
everyone who holds a reference; the allocator takes it back when the count falls to zero. Freeing and putting are the same
act seen from two sides, and most mistakes are about mixing them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import page_alloc, printk
from app.mm.mmzone import MAX_ORDER
from app.mm.page import PG_head, Page

if TYPE_CHECKING:
    from app.mm.machine import Machine


def checked(m: Machine, pfn: int | None, function: str) -> int:
    """The page a function works on; a NULL pointer is an oops at the first field it reads."""
    if pfn is None:
        printk.bug(m, f"BUG: kernel NULL pointer dereference, address: {8:016x}")
    return pfn


def virt_to_page(m: Machine, address: int | None) -> int:
    """The frame behind an address of the direct map. Kernel: arch/x86/include/asm/page.h virt_to_page"""
    pfn = None if address is None else m.model.virt_to_pfn(address)
    if pfn is None:
        printk.bug(m, f"BUG: unable to handle page fault for address: {address or 0:016x}")
    return pfn


def block_of(m: Machine, pfn: int) -> Page | None:
    """The record of the allocated block that a frame belongs to; None for a frame that nobody has allocated."""
    for order in range(MAX_ORDER):
        page = m.pages.get(pfn & -(1 << order))
        if page is not None:
            return page if page.pfn + (1 << page.order) > pfn else None
    return None


def compound_head(m: Machine, pfn: int) -> int:
    """The head of the compound page that a frame is part of, else the frame itself. Kernel: compound_head"""
    block = block_of(m, pfn)
    return block.pfn if block is not None and block.flags & PG_head else pfn


def page_count(m: Machine, pfn: int) -> int:
    """References on a page, or on the head of its compound page. Kernel: page_count"""
    pfn = compound_head(m, pfn)
    page = m.pages.get(pfn)
    return page.refcount if page is not None else m.stray.get(pfn, 0)


def get_page(m: Machine, pfn: int) -> None:
    """Take a reference on a page that has one already. Kernel: get_page"""
    page = m.pages.get(compound_head(m, pfn))
    if page is not None:
        page.refcount += 1


def get_page_unless_zero(m: Machine, pfn: int) -> bool:
    """Take a reference, but do not revive a free page. Kernel: get_page_unless_zero"""
    page = m.pages.get(compound_head(m, pfn))
    if page is None or page.refcount == 0:
        return False
    page.refcount += 1
    return True


def put_page(m: Machine, pfn: int) -> None:
    """Drop a reference; free the page, or all of its compound page, with the last. Kernel: put_page, __put_page"""
    page = m.pages.get(compound_head(m, pfn))
    if page is None:
        return
    page.refcount -= 1
    if page.refcount == 0:
        page_alloc.free_the_page(m, page.pfn, page.order)


def free_pages(m: Machine, pfn: int | None, order: int) -> None:
    """Drop a reference on a block and free it with the last one. Kernel: mm/page_alloc.c __free_pages

    While someone else still holds page 0 of a block that is not compound, the other frames are freed at once, in pieces:
    whoever puts the last reference will free page 0 alone, and the rest would be lost.
    """
    head = checked(m, pfn, "__free_pages")
    page = m.pages.get(head)
    if page is None:
        return
    page.refcount -= 1
    if page.refcount == 0:
        page_alloc.free_the_page(m, head, order)
    elif not page.flags & PG_head:
        page.order = 0
        for piece in range(order - 1, -1, -1):
            page_alloc.free_the_page(m, head + (1 << piece), piece)
