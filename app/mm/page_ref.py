"""The `struct page` of any frame: its count, its flags, and which block it belongs to.

Kernel: include/linux/page_ref.h, include/linux/page-flags.h. An allocated block keeps one record, that of
its first frame; another frame gets one of its own (`Machine.stray`) only when it differs from what such a
frame normally is: count 0 and no flags, or count 1 and PG_reserved for memory that the kernel has used
since boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.mm.document import Document
from app.mm.mmzone import MAX_ORDER, PINDEX_ORDER, Zone
from app.mm.page import PAGEFLAGS_MASK, Page, PG_head, PG_reserved, StrayPage

if TYPE_CHECKING:
    from app.mm.machine import Machine


def block_of(m: Machine, pfn: int) -> Page | None:
    """The record of the allocated block that a frame belongs to; None where nobody has allocated it."""
    for order in range(MAX_ORDER):
        page = m.pages.get(pfn & -(1 << order))
        if page is not None:
            return page if page.pfn + (1 << page.order) > pfn else None
    return None


def compound_head(m: Machine, pfn: int) -> int:
    """The head of the compound page that a frame is part of, else the frame itself. Kernel: compound_head"""
    page = m.pages.get(pfn)
    if page is None:
        page = block_of(m, pfn)
        if page is not None and page.flags & PG_head:
            return page.pfn
    return pfn


def on_pcp_list(zone: Zone, pfn: int) -> bool:
    """Whether a frame waits on one of the zone's per-CPU lists."""
    heads = [pfn & -(1 << order) for order in PINDEX_ORDER]
    return any(head in pages for pcp in zone.pcp for head, pages in zip(heads, pcp.lists, strict=True))


def is_free(m: Machine, pfn: int) -> bool:
    """Whether a frame is on a free list or a per-CPU list."""
    zone = m.zone_of(pfn)
    return zone.free_block_at(pfn) is not None or on_pcp_list(zone, pfn)


def is_reserved(m: Machine, pfn: int) -> bool:
    """Whether the kernel itself has had the frame since boot: nobody has allocated it, and it is not free."""
    return block_of(m, pfn) is None and not is_free(m, pfn)


def state_of(m: Machine, pfn: int) -> str:
    """What the zone map shows a frame as, its lock aside."""
    page = block_of(m, pfn)
    if page is not None:
        return page.state
    zone = m.zone_of(pfn)
    if zone.free_block_at(pfn) is not None:
        return "free"
    return "pcp" if on_pcp_list(zone, pfn) else "reserved"


def struct_page(m: Machine, pfn: int) -> Page | StrayPage:
    """The frame's record to write to. A stray one must be given back to `settle` afterwards."""
    page = m.pages.get(pfn)
    if page is not None:
        return page
    stray = m.stray.get(pfn)
    if stray is None:
        stray = m.stray[pfn] = StrayPage(*(1, PG_reserved) if is_reserved(m, pfn) else (0, 0))
    return stray


def settle(m: Machine, pfn: int) -> None:
    """Forget a stray record that says nothing any more."""
    stray = m.stray.get(pfn)
    if stray is None:
        return
    if (stray.refcount, stray.flags) == ((1, PG_reserved) if is_reserved(m, pfn) else (0, 0)):
        del m.stray[pfn]


def page_ref_count(m: Machine, pfn: int) -> int:
    """`_refcount` of this very frame. Kernel: page_ref_count"""
    page = m.pages.get(pfn) or m.stray.get(pfn)
    return page.refcount if page is not None else int(is_reserved(m, pfn))


def folio_ref_zero_or_close_to_overflow(m: Machine, pfn: int) -> bool:
    """Whether no further reference may be taken. Kernel: include/linux/mm.h, the macro of that name"""
    return -127 <= page_ref_count(m, pfn) <= 0


def page_flags(m: Machine, pfn: int) -> int:
    """The PG_ bits of this very frame."""
    page = m.pages.get(pfn) or m.stray.get(pfn)
    if page is not None:
        return page.flags
    return PG_reserved if is_reserved(m, pfn) else 0


def page_count(m: Machine, pfn: int) -> int:
    """References on a page, or on the head of its compound page. Kernel: page_count"""
    return page_ref_count(m, compound_head(m, pfn))


def page_ref_add(m: Machine, pfn: int, nr: int) -> int:
    """Change a frame's count; returns what it is then. Kernel: page_ref_add_return"""
    page = m.pages.get(pfn)
    if page is not None:
        page.refcount += nr
        return page.refcount
    stray = struct_page(m, pfn)
    stray.refcount += nr
    settle(m, pfn)
    return stray.refcount


def change_flags(m: Machine, pfn: int, *, set: int = 0, clear: int = 0) -> None:
    """Set and clear PG_ bits of a frame."""
    page = struct_page(m, pfn)
    page.flags = page.flags & ~clear | set
    settle(m, pfn)


# -- the dump --------------------------------------------------------------------------------------

MAX_FRAMES = 1_000_000
INT_MAX = (1 << 31) - 1


def dump_frames(m: Machine) -> dict[str, Any]:
    """`stray`: `[pfn, count, flags]`; `pieces`: `[first frame of a piece, first frame of its block]`."""
    return {
        "stray": [[pfn, stray.refcount, stray.flags] for pfn, stray in sorted(m.stray.items())],
        "pieces": [[pfn, first] for pfn, first in sorted(m.pieces.items())],
    }


def load_frames(m: Machine, doc: Document) -> None:
    """Inverse of `dump_frames`; the blocks in use must have been read before."""
    for entry in doc.get("stray", []).list(MAX_FRAMES):
        pfn, refcount, flags = entry.list(3, exactly=3)
        frame = load_pfn(m, pfn)
        if frame in m.pages:
            pfn.fault("a page frame that is not the first of a block")
        m.stray[frame] = StrayPage(refcount.int(-INT_MAX - 1, INT_MAX), flags.int(0, PAGEFLAGS_MASK))
    for entry in doc.get("pieces", []).list(MAX_FRAMES):
        piece, first = entry.list(2, exactly=2)
        frame = load_pfn(m, piece)
        if frame not in m.pages:
            piece.fault("the first page frame of a block in use")
        m.pieces[frame] = load_pfn(m, first)


def load_pfn(m: Machine, doc: Document) -> int:
    """A frame of this machine."""
    pfn = doc.int(0, m.model.spans[-1][1])
    if not m.model.pfn_valid(pfn):
        doc.fault("a page frame of this machine")
    return pfn
