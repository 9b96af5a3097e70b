"""References to page frames, and what happens when the last one goes."""

from __future__ import annotations

from typing import Final

from app.machine.trace.collector import Area, count
from app.machine.trace.functions import files
from app.mm.mmzone import MAX_ORDER, pcp_allowed_order

# The debugging kernel looks at the count before it changes it.
UNHELD: Final = ", nobody holds it: a bug, found before the count is changed"


# What takes an address where a page is taken here.
INSTEAD: Final = {"__free_page": "free_page", "__free_pages": "free_pages"}


class PageRefSteps(Area):
    """Reports of references and page_free."""

    def got(self, fn: str, pfn: int, head: int, before: int, after: int) -> None:
        """A reference is taken, or cannot be. fn: get_page or get_page_unless_zero.

        The first takes a page that nobody holds for a bug, the second for an answer.
        """
        taken = after != before
        compound = "" if head == pfn else f" of compound page {head:#x}"
        refused = (UNHELD, "bad") if fn == "get_page" else (", a free page is not revived", "no")
        why, verdict = ("", "ok") if taken else refused
        self.step(
            fn,
            f"page frame {pfn:#x}{compound}: count {before} → {after}{why}",
            verdict=verdict,
            numbers={"pfn": pfn, "head": head, "before": before, "after": after},
        )

    def put(self, fn: str, pfn: int, order: int, before: int, after: int, *, last: bool) -> None:
        """A reference is dropped; with the last one 2^order frames go. fn: put_page or __free_pages.

        order: as the caller gave it, so perhaps far beyond what any machine has.
        """
        where = "the per-CPU list" if pcp_allowed_order(order) else "the buddy lists"
        size = count(1 << order, "frame") if order < MAX_ORDER else f"2^{order} frames"
        unheld = UNHELD if after == before else ""
        self.step(
            fn,
            f"page frame {pfn:#x}: count {before} → {after}"
            + (f", the last reference: {size} to be freed, by {where}" if last else unheld),
            verdict="last" if last else "held" if after > 0 else "bad",
            numbers={"pfn": pfn, "before": before, "after": after, "order": order},
        )

    def free(self, pfn: int, order: int) -> None:
        """A block's last reference is gone. Kernel: trace_mm_page_free"""
        self.point("mm_page_free", f"{self.page(pfn)} order={order}", ["F", f"{pfn:#x}", order])

    def tail_freed(self, pfn: int, order: int, piece: int, left: int) -> None:
        """A piece of a block whose first frame was not given up with the last reference to it.

        left: the count that it has now.
        """
        why = (
            "is still held"
            if left > 0
            else f"was held by nobody, so that its count, {left}, did not come to 0"
        )
        self.step(
            "__free_pages",
            f"page frame {pfn:#x} {why}: of its block of order {order},"
            f" {pfn + (1 << piece):#x} of order {piece} is freed alone",
            verdict="tail",
            numbers={"pfn": pfn, "order": order, "piece": pfn + (1 << piece), "piece_order": piece},
        )
        self.free(pfn + (1 << piece), piece)

    def lost(self, pfn: int, order: int, total: int) -> None:
        """Frames that nobody can free any more."""
        self.step(
            "free_pages_prepare",
            f"nobody can free {pfn:#x}{f'–{pfn + (1 << order) - 1:#x}' if order else ''} now: leaked",
            verdict="lost",
            numbers={"pfn": pfn, "frames": 1 << order, "lost": total},
            changed=[[pfn, 1 << order, "lost"]],
        )

    def flags(self, fn: str, pfn: int, before: int, after: int) -> None:
        """A flag was set or cleared. fn: SetPageDirty, or one of its kind."""
        self.step(
            fn,
            f"page frame {pfn:#x}: flags {before:#x} → {after:#x}"
            + ("" if before != after else ", as before"),
            numbers={"pfn": pfn, "before": f"{before:#x}", "after": f"{after:#x}"},
        )

    def wild(self, fn: str, address: int, pfn: int | None) -> None:
        """A `struct page *` that points to no struct page. pfn: the frame that is mapped there."""
        what = "nothing is mapped there"
        if pfn is not None:
            instead = INSTEAD.get(fn)
            better = f"{instead} takes it" if instead else f"{fn} takes virt_to_page of it"
            what = f"it lies in page frame {pfn:#x}, whose zeroes are read as one; {better}"
        self.step(
            fn if fn in files() else "compound_head",
            f"{address:#x} is no struct page: {what}",
            verdict="bad",
            numbers={"address": f"{address:#x}", "pfn": pfn},
        )

    def no_address(self, fn: str, address: int, pfn: int | None) -> None:
        """An address outside the direct map. pfn: the frame whose struct page it is."""
        what = "lies outside the direct map: a bug"
        if pfn is not None:
            what = f"is the struct page of frame {pfn:#x}, not its address: __{fn} takes it"
        self.step(fn, f"{address:#x} {what}", verdict="bad", numbers={"address": f"{address:#x}", "pfn": pfn})
