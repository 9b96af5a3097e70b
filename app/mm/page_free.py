"""Frees that are not as they should be: of a part, of too much, of what is not one's own.

Kernel: mm/page_alloc.c __free_pages, free_pages_prepare. The allocator is told a first frame and an
order, and keeps no list of what it gave out: it believes the caller. What it can see is the struct page
of each frame. Two kinds of mistakes follow: frames that nobody will ever free (they are lost), and frames
that two will use. The second kind would destroy the machine, so here it is refused, and the log says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.mm import page_check, page_ref, pcp, printk
from app.mm.mmzone import MAX_ORDER, pcp_allowed_order
from app.mm.page import PAGE_FLAGS_CHECK_AT_FREE, Page, PG_head, PG_locked, PG_reserved, PG_slab
from app.mm.page_ref import checked, page_ref_add, page_ref_count, virt_to_page
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

# States of frames that a subsystem owns: it keeps using them, whatever the page allocator thinks.
OWNED: tuple[str, ...] = ("slab", "vmalloc", "pagetable")


def free_tail(m: Kernel, pfn: int, order: int) -> None:
    """Free all but the first frame, in halves; somebody still holds the first.

    Kernel: the end of __free_pages
    """
    if not in_memory(m, pfn, order):
        return
    for piece in range(order - 1, -1, -1):
        if m.trace is not None:
            m.trace.page_ref.tail_freed(pfn, order, piece, page_ref_count(m, pfn))
        free_with_care(m, pfn + (1 << piece), piece)


def in_memory(m: Kernel, pfn: int, order: int) -> bool:
    """Whether so many frames exist; otherwise the kernel would read a struct page that is not there."""
    if order < MAX_ORDER and m.zone_of(pfn).spans_pfn(pfn + (1 << order) - 1):
        return True
    m.mistake("impossible_order", pfn=pfn, order=order)
    printk.refused(m, f"no block of order {order} could have been allocated at page frame {pfn:#x}")
    return False


def free_with_care(m: Kernel, pfn: int, order: int) -> None:
    """Free 2^order frames that are not simply one block whose last reference is gone.

    Kernel: free_pages_prepare. What the kernel would find bad is reported and stays away from the free
    lists. Of the rest, what is in nobody's hands is freed, and everything else refused.
    """
    if not in_memory(m, pfn, order) or is_bad(m, pfn, order):
        abandon(m, pfn)
        return
    pieces = free_pieces(m, pfn, order)
    frames = sum(1 << size for _, size in pieces)
    if frames < 1 << order:
        m.mistake("frames_of_others", pfn=pfn, order=order, frames=(1 << order) - frames)
        printk.refused(
            m,
            f"{(1 << order) - frames} of the frames {pfn:#x}-{pfn + (1 << order) - 1:#x} are free already "
            "or in use by others: the kernel would have put them on a free list nevertheless",
        )
    for first, size in pieces:
        take_out(m, first, size)
    abandon(m, pfn)
    if frames == 1 << order and pfn % frames == 0:
        pieces = [(pfn, order)]
    for first, size in pieces:
        give_back(m, first, size)


def is_bad(m: Kernel, pfn: int, order: int) -> bool:
    """Whether the kernel would drop what is being freed, after its report. Kernel: free_pages_prepare

    The tail frames are always checked, the first one only where the block goes straight to the buddy
    lists, or by a debugging kernel: elsewhere it is left for later, and its flags are forgotten.
    """
    page = m.pages.get(pfn)
    if m.debug and page is not None and page.flags & PG_head and order not in (0, page.order):
        m.mistake("compound_order", pfn=pfn, order=order, allocated=page.order)
        abandon(m, pfn)
        condition = "compound && compound_order(page) != order"
        page_check.vm_bug_on_page(m, pfn, condition, "mm/page_alloc.c:1459")
    bad = sum(page_check.free_page_is_bad(m, frame) for frame in suspects(m, pfn + 1, pfn + (1 << order)))
    kernels = page_ref.page_flags(m, pfn) & PG_reserved and (page is None or page.state == "lost")
    if m.debug or not pcp_allowed_order(order) or kernels:
        bad += page_check.free_page_is_bad(m, pfn)
    return bad > 0


def suspects(m: Kernel, frame: int, end: int) -> Iterator[int]:
    """The frames of a range that are worth a look: of a free block its first, and what has a record."""
    while frame < end:
        yield frame
        behind = max(frame + 1, min(behind_free_block(m, frame), end))
        yield from (free for free in range(frame + 1, behind) if free in m.stray)
        frame = behind


def behind_free_block(m: Kernel, frame: int) -> int:
    """First frame behind the free block that covers a frame; the frame itself where none does."""
    free = m.zone_of(frame).free_block_at(frame)
    return frame if free is None else free[0] + (1 << free[1])


def free_pieces(m: Kernel, pfn: int, order: int) -> list[tuple[int, int]]:
    """The (first frame, order) of those parts of a range that nobody else holds and that are not free yet."""
    pieces: list[tuple[int, int]] = []
    frame, end = pfn, pfn + (1 << order)
    while frame < end:
        block = page_ref.block_of(m, frame)
        if block is None:
            frame = max(frame + 1, behind_free_block(m, frame))
            continue
        size = largest_piece(frame, min(end, block.pfn + (1 << block.order)))
        if may_take(m, block, frame, pfn):
            pieces.append((frame, size))
        frame += 1 << size
    return pieces


def largest_piece(frame: int, end: int) -> int:
    """Order of the largest aligned block that starts at a frame and ends before another."""
    order = min((frame & -frame).bit_length() - 1 if frame else MAX_ORDER - 1, MAX_ORDER - 1)
    while frame + (1 << order) > end:
        order -= 1
    return order


def may_take(m: Kernel, block: Page, frame: int, pfn: int) -> bool:
    """Whether freeing a frame of a block leaves the machine whole.

    Not where others hold references to the block, where a subsystem goes on using it, or where it is part
    of a compound page that is still one.
    """
    if block.pfn == frame:
        table = block.state == "pagetable" and m.rules >= 2
        nobodys = block.state not in OWNED or (frame == pfn and not table)
        return nobodys and block.refcount <= 0 and not block.flags & PG_slab
    return block.state not in OWNED and not block.flags & PG_head


def take_out(m: Kernel, pfn: int, order: int) -> None:
    """Take an aligned piece out of the records, splitting the block that it is part of."""
    block = page_ref.block_of(m, pfn)
    assert block is not None
    while block.order > order:
        block = split(m, block, pfn)
    if block.state == "lost":
        m.lost -= 1 << block.order
    del m.pages[block.pfn]
    m.pieces.pop(block.pfn, None)
    if m.stray or m.lock_holders:
        for frame in range(pfn, pfn + (1 << order)):
            m.stray.pop(frame, None)
            m.lock_holders.drop(frame)


def split(m: Kernel, block: Page, pfn: int) -> Page:
    """Halve a block's record; returns the half that the frame is in."""
    block.order -= 1
    block.flags &= ~PG_head
    upper = block.pfn + (1 << block.order)
    half = Page(upper, block.order, 0, block.gfp, block.state, block.task, block.seq)
    stray = m.stray.pop(upper, None)
    half.refcount = stray.refcount if stray is not None else 0
    half.flags = stray.flags if stray is not None else 0
    half.private = block.private
    m.pages[upper] = half
    m.pieces[upper] = m.pieces.get(block.pfn, block.pfn)
    if (block.flags | half.flags) & PG_locked:
        # A block shows the lock of its first frame: for this half, that is another frame now.
        m.changed.frame(upper, 1 << half.order, half.shown)
    return half if pfn >= upper else block


def abandon(m: Kernel, pfn: int) -> None:
    """Count as lost what belonged to a block whose first frame has been given up.

    Nobody can free it any more. Pages of a subsystem stay with it, and frames that somebody holds a
    reference to stay in use.
    """
    page = m.pages.get(pfn)
    if page is not None and page.refcount > 0:
        return
    if page is not None and pfn not in m.pieces:
        lose(m, page)
    for piece in [piece for piece, first in m.pieces.items() if first == pfn]:
        lose(m, m.pages[piece])
        del m.pieces[piece]


def lose(m: Kernel, page: Page) -> None:
    """Count a block as lost, but for the frames of it that have references of their own."""
    if page.state in OWNED or page.state == "lost":
        return
    end = page.pfn + (1 << page.order)
    held = next((frame for frame in m.stray if page.pfn < frame < end and m.stray[frame].refcount > 0), None)
    if page.order and (held is not None or page.refcount > 0):
        half = split(m, page, end - 1)
        del m.pieces[half.pfn]
        lose(m, page)
        lose(m, half)
    elif page.refcount <= 0:
        page.state = "lost"
        m.lost += 1 << page.order
        if m.trace is not None:
            m.trace.page_ref.lost(page.pfn, page.order, m.lost)
        note_lost(m, page)
        m.changed.frame(page.pfn, 1 << page.order, page.shown)


def note_lost(m: Kernel, page: Page) -> None:
    """Frames that a call loses are one mistake of it, however many blocks they are."""
    facts = m.current.mistakes.get("lost_frames")
    if facts is None:
        m.mistake("lost_frames", pfn=page.pfn, frames=1 << page.order)
    else:
        facts["pfn"] = min(facts["pfn"], page.pfn)
        facts["frames"] += 1 << page.order


def free_the_page(m: Kernel, pfn: int, order: int) -> None:
    """Free a block whose last reference is gone. Kernel: free_the_page, free_pages_prepare

    The usual case is decided here: the block as it was allocated, with nothing set that says it is still
    in use.
    """
    if m.trace is not None:
        m.trace.page_ref.free(pfn, order)
    page = m.pages.get(pfn)
    if (
        page is None
        or page.order != order
        or page.flags & PAGE_FLAGS_CHECK_AT_FREE
        or page.state in ("lost", "pagetable")
        or (m.pieces and (pfn in m.pieces or pfn in m.pieces.values()))
        or (m.stray and any(frame in m.stray for frame in range(pfn, pfn + (1 << order))))
    ):
        free_with_care(m, pfn, order)
        return
    del m.pages[pfn]
    m.current.freed = pfn
    give_back(m, pfn, order)


def give_back(m: Kernel, pfn: int, order: int) -> None:
    """Put a block on a free list, by way of the per-CPU list where it has one."""
    m.vm_events["pgfree"] += 1 << order
    zone = m.zone_of(pfn)
    if pcp_allowed_order(order):
        pcp.free_unref_page(m, zone, pfn, order)
    else:
        pcp.free_to_buddy(m, zone, pfn, order, zone.get_pfnblock_migratetype(pfn))


def put_page_testzero(m: Kernel, pfn: int, order: int, function: str) -> bool:
    """Drop a reference; whether it was the last. Kernel: put_page_testzero

    order: of what goes with the last one, as the caller gave it. function: the kernel's name of the caller.
    """
    if m.debug and page_ref_count(m, pfn) == 0:
        if m.trace is not None:
            m.trace.page_ref.put(function, pfn, order, 0, 0, last=False)
        unheld(m, pfn, function, 0)
        abandon(m, pfn)
        page_check.vm_bug_on_page(m, pfn, "page_ref_count(page) == 0", "include/linux/mm.h:780")
    count = page_ref_add(m, pfn, -1)
    last = count == 0
    if m.trace is not None:
        m.trace.page_ref.put(function, pfn, order, count + 1, count, last=last)
    if count < 0:
        unheld(m, pfn, function, count)
        abandon(m, pfn)
    return last


def unheld(m: Kernel, pfn: int, function: str, count: int) -> None:
    """Name the mistake of dropping a reference that nobody has: of a free page, or within a block."""
    block = page_ref.block_of(m, pfn)
    if block is not None and block.pfn != pfn and block.state != "lost":
        m.mistake("tail_page", pfn=pfn, function=function, first=block.pfn, order=block.order)
    else:
        state = page_ref.state_of(m, pfn)
        m.mistake("page_freed_twice", pfn=pfn, function=function, count=count, state=state)


@traced
def free_pages(m: Kernel, pfn: int | None, order: int) -> None:
    """Drop a reference on a block and free it with the last one. Kernel: mm/page_alloc.c __free_pages

    While someone else still holds page 0 of a block that is not compound, the other frames are freed at
    once, in pieces: whoever puts the last reference will free page 0 alone, and the rest would be lost.
    """
    pfn = checked(m, pfn, "__free_pages")
    page = m.pages.get(pfn)
    if page is not None and page.refcount == 1:
        # What put_page_testzero comes to in nearly all cases.
        page.refcount = 0
        if m.trace is not None:
            m.trace.page_ref.put("__free_pages", pfn, order, 1, 0, last=True)
        free_the_page(m, pfn, order)
        return
    compound = page is not None and page.flags & PG_head
    if put_page_testzero(m, pfn, order, "__free_pages"):
        free_the_page(m, pfn, order)
    elif not compound:
        free_tail(m, pfn, order)


def free_pages_at(m: Kernel, address: int | None, order: int) -> None:
    """Free a block by its address; an address of 0 is ignored. Kernel: mm/page_alloc.c free_pages"""
    if address is None:
        return
    mapped = m.model.virt_to_pfn(address) is not None
    if m.trace is not None and not mapped:
        m.trace.page_ref.no_address("free_pages", address, m.model.page_to_pfn(address))
    if m.debug and not mapped:
        m.mistake("no_page_address", address=f"{address:#x}", start=f"{m.model.page_offset:#x}")
        printk.bug(m, "kernel BUG at mm/page_alloc.c:5757!")
    free_pages(m, virt_to_page(m, address), order)
