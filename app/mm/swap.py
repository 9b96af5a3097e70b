"""References to page frames, and what happens when the last one goes.

Kernel: include/linux/mm.h, mm/swap.c, mm/page_alloc.c __free_pages. A page frame belongs to everyone who
holds a reference; the allocator takes it back when the count falls to zero. Freeing and putting are the
same act seen from two sides, and most mistakes are about mixing them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import page_alloc, page_check, page_free, printk
from app.mm.memory_model import PAGE_SHIFT
from app.mm.page import PG_head
from app.mm.page_ref import (
    block_of,
    compound_head,
    folio_ref_zero_or_close_to_overflow,
    page_count,
    page_ref_add,
    page_ref_count,
)

if TYPE_CHECKING:
    from app.mm.machine import Machine

__all__ = [
    "block_of", "checked", "compound_head", "free_pages", "free_pages_at", "get_page", "get_page_unless_zero",
    "page_count", "page_pointer", "page_ref_count", "put_page", "virt_to_page",
]  # fmt: skip

# Functions that read `page->flags` or, for a mere count, `page->_refcount` of a page; all others begin
# with the pointer to the compound head, the second word of struct page.
READS_FLAGS = frozenset(("__free_pages", "page_address", "kmap", "kunmap"))
READS_REFCOUNT = frozenset(("get_page_unless_zero",))
REFCOUNT_OFFSET = {"x86_64": 52, "i386": 28}


def checked(m: Machine, pfn: int | None, function: str) -> int:
    """The page a function works on; a NULL pointer is an oops at the first field that it touches."""
    if pfn is None:
        field = m.model.sizeof_long
        if function in READS_FLAGS:
            field = 0
        elif function in READS_REFCOUNT:
            field = REFCOUNT_OFFSET[m.model.arch]
        printk.page_fault(m, field)
    return pfn


def page_pointer(m: Machine, address: int) -> int:
    """The `struct page *` of an address. Kernel: arch/x86/include/asm/page.h virt_to_page

    The translation is arithmetic and cannot fail. Of an address outside the direct map it makes a pointer
    to no page.
    """
    return (
        m.model.pfn_to_page((address - m.model.page_offset & m.model.ptr_max) >> PAGE_SHIFT) & m.model.ptr_max
    )


def virt_to_page(m: Machine, address: int | None) -> int:
    """The frame behind an address of the direct map; another address faults when its page is looked at."""
    pfn = None if address is None else m.model.virt_to_pfn(address)
    if pfn is None:
        printk.page_fault(m, page_pointer(m, address or 0) + m.model.sizeof_long & m.model.ptr_max)
    return pfn


def get_page(m: Machine, pfn: int) -> None:
    """Take a reference on a page that has one already. Kernel: get_page, folio_get

    Without a reference the page may be freed at any moment, so the debugging kernel takes a count of
    zero, and one that is about to overflow, for a bug.
    """
    head = compound_head(m, pfn)
    page = m.pages.get(head)
    if m.trace is not None:
        m.trace.got("get_page", pfn, head, taken=True)
    if page is not None and page.refcount > 0:
        page.refcount += 1
        return
    if m.debug and folio_ref_zero_or_close_to_overflow(m, head):
        condition = "((unsigned int) folio_ref_count(folio) + 127u <= 127u)"
        page_check.vm_bug_on_folio(m, head, condition, "include/linux/mm.h:1146")
    page_ref_add(m, head, 1)


def get_page_unless_zero(m: Machine, pfn: int) -> bool:
    """Take a reference, but do not revive a free page. Kernel: get_page_unless_zero

    It looks at the very page it is given: on a compound page's tail, whose own count is always zero, it
    fails.
    """
    taken = page_ref_count(m, pfn) != 0
    if m.trace is not None:
        m.trace.got("get_page_unless_zero", pfn, pfn, taken=taken)
    if not taken:
        return False
    page_ref_add(m, pfn, 1)
    return True


def put_page_testzero(m: Machine, pfn: int) -> bool:
    """Drop a reference; whether it was the last. Kernel: put_page_testzero"""
    if m.debug and page_ref_count(m, pfn) == 0:
        page_free.abandon(m, pfn)
        page_check.vm_bug_on_page(m, pfn, "page_ref_count(page) == 0", "include/linux/mm.h:780")
    count = page_ref_add(m, pfn, -1)
    if count < 0:
        page_free.abandon(m, pfn)
    return count == 0


def put_page(m: Machine, pfn: int) -> None:
    """Drop a reference; free the page, or all of its compound page, with the last.

    Kernel: put_page, __folio_put. A block that is not compound does not know its size: its first page is
    freed alone, and the others are lost.
    """
    head = compound_head(m, pfn)
    page = m.pages.get(head)
    order = page.order if page is not None and page.flags & PG_head else 0
    if m.trace is not None:
        m.trace.put("put_page", head, order)
    if put_page_testzero(m, head):
        page_alloc.free_the_page(m, head, order)


def free_pages(m: Machine, pfn: int | None, order: int) -> None:
    """Drop a reference on a block and free it with the last one. Kernel: mm/page_alloc.c __free_pages

    While someone else still holds page 0 of a block that is not compound, the other frames are freed at
    once, in pieces: whoever puts the last reference will free page 0 alone, and the rest would be lost.
    """
    pfn = checked(m, pfn, "__free_pages")
    if m.trace is not None:
        m.trace.put("__free_pages", pfn, order)
    page = m.pages.get(pfn)
    if page is not None and page.refcount == 1:
        # What put_page_testzero comes to in nearly all cases.
        page.refcount = 0
        page_alloc.free_the_page(m, pfn, order)
        return
    compound = page is not None and page.flags & PG_head
    if put_page_testzero(m, pfn):
        page_alloc.free_the_page(m, pfn, order)
    elif not compound:
        page_free.free_tail(m, pfn, order)


def free_pages_at(m: Machine, address: int | None, order: int) -> None:
    """Free a block by its address; an address of 0 is ignored. Kernel: mm/page_alloc.c free_pages"""
    if address is None:
        return
    if m.debug and m.model.virt_to_pfn(address) is None:
        printk.bug(m, "kernel BUG at mm/page_alloc.c:5757!")
    free_pages(m, virt_to_page(m, address), order)
