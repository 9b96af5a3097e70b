"""Blocks cut into pages of their own, so that a caller need not keep a power of two.

Kernel: mm/page_alloc.c split_page, alloc_pages_exact, free_pages_exact. A block that is not compound has one
count, that of its first frame. Given a count each, its frames are freed one by one; the allocator never sees
that they were handed out together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_check, page_free, page_ref, pcp, printk
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.page import Page, PG_head
from app.mm.slub_layout import get_order
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

_NOT_EXACT: Final = gfp_masks.__GFP_COMP | gfp_masks.__GFP_HIGHMEM
# Pages of a free between two pauses.
PAUSE_EVERY: Final = 64


@traced
def split_page(m: Kernel, pfn: int | None, order: int) -> None:
    """Give each frame of a block a count of its own, so that it must be freed by itself. Kernel: split_page

    The order is believed. Only a debugging kernel notices that the block is compound or free, or that a frame
    has a count already; another one sets the count of whatever lies there.
    """
    if pfn is None:
        m.mistake("null_page", function="split_page", offset=0)
        split_null(m, order)
    page = m.pages.get(pfn)
    if m.debug:
        if page_ref.compound_head(m, pfn) != pfn or (page is not None and page.flags & PG_head):
            m.mistake("split_compound", pfn=pfn)
            page_check.vm_bug_on_page(m, pfn, "PageCompound(page)", "mm/page_alloc.c:3644")
        if not page_ref.page_count(m, pfn):
            m.mistake("split_free", pfn=pfn)
            page_check.vm_bug_on_page(m, pfn, "!page_count(page)", "mm/page_alloc.c:3645")
    if not page_free.in_memory(m, pfn, order):
        return
    if m.trace is not None:
        m.trace.page_alloc.split_page(pfn, order)
    if page is not None and is_plain(m, page, order):
        make_pages(m, page, 1 << order)
    else:
        for frame in range(pfn + 1, pfn + (1 << order)):
            set_page_refcounted(m, frame)


def split_null(m: Kernel, order: int) -> NoReturn:
    """The NULL page: an oops at the first field that is touched.

    A debugging kernel looks at the flags. Another one sets the count of the page behind it, where the order
    has one, and reads the pointer to the compound head at the end.
    """
    if m.debug:
        printk.page_fault(m, 0)
    if order:
        printk.page_fault(m, m.model.sizeof_page + page_ref.REFCOUNT_OFFSET[m.model.arch], write=True)
    printk.page_fault(m, m.model.sizeof_long)


def is_plain(m: Kernel, page: Page, order: int) -> bool:
    """Whether a block is as it was allocated, with nothing to remember of its other frames."""
    pfn = page.pfn
    if page.order != order or page.flags or page.state == "lost":
        return False
    if m.pieces and (pfn in m.pieces or pfn in m.pieces.values()):
        return False
    return not m.stray or all(frame not in m.stray for frame in range(pfn, pfn + (1 << order)))


def make_pages(m: Kernel, block: Page, nr: int) -> None:
    """Make the first `nr` frames of a block independent pages, each with a count of 1."""
    block.order = 0
    for frame in range(block.pfn + 1, block.pfn + nr):
        m.pages[frame] = Page(frame, 0, block.flags, block.gfp, block.state, block.task, block.seq)


def set_page_refcounted(m: Kernel, pfn: int) -> None:
    """Set the count of a frame that has none to 1. Kernel: mm/internal.h set_page_refcounted"""
    if m.debug and page_ref.compound_head(m, pfn) != pfn:
        page_check.vm_bug_on_page(m, pfn, "PageTail(page)", "mm/internal.h:180")
    if m.debug and page_ref.page_ref_count(m, pfn):
        page_check.vm_bug_on_page(m, pfn, "page_ref_count(page)", "mm/internal.h:181")
    page_ref.page_ref_add(m, pfn, 1 - page_ref.page_ref_count(m, pfn))


def alloc_pages_exact(m: Kernel, size: int, gfp: int) -> int | None:
    """Allocate just as many pages as hold `size` bytes; their address, or None.

    Kernel: alloc_pages_exact, make_alloc_exact

    The block has a power of two of them: what is not needed goes back at once, to the tail of the free lists,
    since nobody has touched it. A compound page cannot be cut, and HIGHMEM has no address.
    """
    if gfp & _NOT_EXACT:
        m.mistake("exact_flags", dropped=gfp_masks.pGg(gfp & _NOT_EXACT))
        printk.warn_on_once(m, "mm/page_alloc.c:5930", "alloc_pages_exact")
        gfp &= ~_NOT_EXACT
    # No bytes are a block of the whole address space: size - 1 wraps around.
    order = get_order(size) if size else 8 * m.model.sizeof_long - PAGE_SHIFT
    pfn = page_alloc.get_free_pages(m, gfp, order)
    if pfn is None:
        return None
    nr = -(-size // PAGE_SIZE)
    if m.trace is not None:
        m.trace.page_alloc.make_alloc_exact(pfn, order, nr)
    make_pages(m, m.pages[pfn], nr)
    for frame in range(pfn + nr, pfn + (1 << order)):
        free_pages_ok(m, frame)
    return m.page_address(pfn)


def free_pages_ok(m: Kernel, pfn: int) -> None:
    """Free a page that nobody has used past the per-CPU lists, to the tail. Kernel: __free_pages_ok"""
    if m.trace is not None:
        m.trace.page_ref.free(pfn, 0)
    zone = m.zone_of(pfn)
    pcp.free_to_buddy(m, zone, pfn, 0, zone.get_pfnblock_migratetype(pfn), to_tail=True)
    m.vm_events["pgfree"] += 1


@traced
def free_pages_exact(m: Kernel, address: int, size: int) -> None:
    """Free as many pages as hold `size` bytes, one after the other. Kernel: free_pages_exact

    Nothing remembers how many there were: with a smaller size than was allocated, the rest stays in use for
    ever; with a larger one, the neighbour's pages go too.
    """
    end = address + (size + PAGE_SIZE - 1 & -PAGE_SIZE & m.model.ptr_max) & m.model.ptr_max
    pages = range(address, end, PAGE_SIZE)
    if m.trace is not None:
        m.trace.page_alloc.free_pages_exact(address, size, len(pages))
    for freed, page in enumerate(pages):
        if not freed % PAUSE_EVERY:
            m.breathe()
        page_free.free_pages_at(m, page or None, 0)
