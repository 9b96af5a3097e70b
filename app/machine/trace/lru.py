"""Batches in which pages wait for their list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.observing import BATCH_NAMES
from app.machine.trace.collector import MAX_LISTED, Area, count
from app.mm import mem_map
from app.mm.lru import PAGEVEC_SIZE
from app.mm.mem_map import PG_mappedtodisk, PG_swapbacked
from app.mm.page import PG_private

if TYPE_CHECKING:
    from collections.abc import Sequence

MOVES: Final = {
    "add": "to their lists",
    "rotate": "to the end that reclaim takes first",
    "deactivate": "to the inactive lists",
    "deactivate_file": "to the end that reclaim takes first",
    "lazyfree": "to the file list: they can be dropped without swap",
    "activate": "to the active lists",
}


class LruSteps(Area):
    """Reports of app.mm.swap."""

    def queued(self, batch: str, pfn: int, waiting: int, *, full: bool) -> None:
        """A page waits to be put on its list."""
        after = "now it is emptied" if full else "it holds a reference"
        self.step(
            "folio_batch_add_and_move",
            f"frame {pfn:#x} waits in the batch {BATCH_NAMES[batch]}, {waiting} of {PAGEVEC_SIZE}; {after}",
            verdict="full" if full else None,
            numbers={"pfn": pfn, "batch": BATCH_NAMES[batch], "waiting": waiting, "size": PAGEVEC_SIZE},
        )

    def moved(self, batch: str, pages: Sequence[int]) -> None:
        """A batch is emptied. Kernel: trace_mm_lru_insertion of new pages, trace_mm_lru_activate"""
        for pfn in pages:
            if batch == "add":
                self.point("mm_lru_insertion", self.inserted(pfn), locks=1)
            elif batch == "activate":
                self.point("mm_lru_activate", self.folio(pfn), locks=1)
        self.step(
            "folio_batch_move_lru",
            f"{count(len(pages), 'page')} of {BATCH_NAMES[batch]} go {MOVES[batch]}; it holds none now",
            numbers={"batch": BATCH_NAMES[batch], "pages": list(pages[:MAX_LISTED])},
        )

    def folio(self, pfn: int) -> str:
        """A page as these tracepoints print it."""
        return f"folio={self.pointer(self.m.model.pfn_to_page(pfn))} pfn={pfn:#x}"

    def inserted(self, pfn: int) -> str:
        """The same with its list and letters for its kind."""
        m = self.m
        bits = mem_map.flags(m, pfn)
        letters = (
            "M" if mem_map.is_mapped(m, pfn) else " ",
            "a" if mem_map.is_anon(m, pfn) else "f",
            " ",
            "b" if bits & PG_swapbacked else " ",
            "d" if bits & PG_mappedtodisk else " ",
            "B" if bits & PG_private else " ",
        )
        return f"{self.folio(pfn)} lru={mem_map.lru_index(m, pfn)} flags={''.join(letters)}"
