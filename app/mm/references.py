"""References to page frames: taking one, and what happens when the last one goes.

Kernel: include/linux/mm.h, mm/swap.c __folio_put. A page frame belongs to everyone who holds a reference; the
allocator takes it back when the count falls to zero. Freeing and putting are the same act seen from two
sides, and most mistakes are about mixing them up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import lru, page_check, page_free, page_ref
from app.mm.page import PG_head
from app.mm.page_free import put_page_testzero
from app.mm.page_ref import (
    compound_head,
    folio_ref_zero_or_close_to_overflow,
    page_ref_add,
    page_ref_count,
    user_page,
)
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel


@traced
def get_page(m: Kernel, pfn: int) -> None:
    """Take a reference on a page that has one already. Kernel: get_page, folio_get

    Without a reference the page may be freed at any moment, so the debugging kernel takes a count of
    zero, and one that is about to overflow, for a bug.
    """
    head = compound_head(m, pfn)
    page = m.pages.get(head)
    if page is not None and page.refcount > 0:
        if m.trace is not None:
            m.trace.page_ref.got("get_page", pfn, head, page.refcount, page.refcount + 1)
        page.refcount += 1
        return
    refused = m.debug and folio_ref_zero_or_close_to_overflow(m, head)
    count = page_ref_count(m, head)
    if m.trace is not None:
        m.trace.page_ref.got("get_page", pfn, head, count, count if refused else count + 1)
    if count <= 0:
        state = page_ref.state_of(m, head)
        m.mistake("get_free_page", pfn=head, count=count, state=state, refused=refused)
    if refused:
        condition = "((unsigned int) folio_ref_count(folio) + 127u <= 127u)"
        page_check.vm_bug_on_folio(m, head, condition, "include/linux/mm.h:1146")
    page_ref_add(m, head, 1)


@traced
def get_page_unless_zero(m: Kernel, pfn: int) -> bool:
    """Take a reference, but do not revive a free page. Kernel: get_page_unless_zero

    It looks at the very page it is given: on a compound page's tail, whose own count is always zero, it
    fails.
    """
    count = page_ref_count(m, pfn)
    taken = count != 0
    if m.trace is not None:
        m.trace.page_ref.got("get_page_unless_zero", pfn, pfn, count, count + taken)
    if not taken:
        return False
    page_ref_add(m, pfn, 1)
    return True


@traced
def put_page(m: Kernel, pfn: int) -> None:
    """Drop a reference; free the page, or all of its compound page, with the last.

    Kernel: put_page, __folio_put. A block that is not compound does not know its size: its first page is
    freed alone, and the others are lost.
    """
    head = compound_head(m, pfn)
    page = m.pages.get(head)
    if page is None and head not in m.stray and user_page(m, head) is not None:
        lru.put_page(m, head)
        return
    order = page.order if page is not None and page.flags & PG_head else 0
    if put_page_testzero(m, head, order, "put_page"):
        page_free.free_the_page(m, head, order)
