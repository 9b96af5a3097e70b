"""What everybody else took and freed while the process made an operation: pages of slabs, and nothing more.

Which frame comes of a recorded request our allocator decides; it must be the recorded one, or
`wrong` says so.
"""

from __future__ import annotations

from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map, page_alloc, page_free, page_ref
from app.mm.page import Page
from app.reclaim_recording.kswapd import Kswapd, Stretch
from app.reclaim_recording.recorded import COMPARED
from app.vm_recording.order import EventOrder
from app.vm_recording.recorded import number

# Masks of pages that the kernel takes for the process itself: user pages, the page cache, tables, the queue
# of an unmapping.
OWN: Final = frozenset((0x140CCA, 0x140DCA, 0x141CCA, 0x152C4A, 0x2800, 0x400DC0))


def note(stretch: Stretch, kind: str) -> None:
    """One more of kswapd's events."""
    stretch.wakes += kind == "kw"
    stretch.sleeps |= kind == "ks"
    stretch.events += kind in COMPARED


class Others(EventOrder):
    """Their events of one operation at a time. frames: recorded → ours, of what they hold."""

    def __init__(self, m: Machine, kswapd: Kswapd, whole: dict[tuple[int, int], bool]) -> None:
        super().__init__()
        self.m = m
        self.kswapd = kswapd
        self.whole = whole
        # What kswapd did, and after how many of the operation's own events.
        self.turns: dict[int, Stretch] = {}
        self.frames: dict[int, tuple[int, int]] = {}
        self.wrong: list[tuple[int, int]] = []

    def schedule(self, line: dict[str, Any]) -> list[Any]:
        """Sort out which events are others', and after how many of the operation's own; returns its own."""
        self.pending, self.position, self.wrong, self.turns = {}, 0, [], {}
        asked = number(line.get("gfpx", 0))
        own: dict[int, None] = {}
        theirs = dict.fromkeys(self.frames)
        at = number_of_stretch = of_caller = 0
        stretch: Stretch | None = None
        events = []
        for event in line["ev"]:
            who, _, kind = event[0].rpartition(":")
            if who == "k":
                if stretch is None:
                    stretch = Stretch(self.whole[line["i"], number_of_stretch])
                    number_of_stretch += 1
                    self.turns[of_caller] = stretch
                note(stretch, kind)
            elif who != "s":
                stretch = None
            events.append(event)
            of_caller += not who and kind in COMPARED
            if kind == "A" and (number(event[3]) in OWN or number(event[3]) == asked):
                own[event[1]] = None
                theirs.pop(event[1], None)
                at += 1
            elif kind == "F" and self.is_own_free(event[1], own, theirs):
                at += 1
            elif kind in ("A", "F"):
                events.pop()
                if stretch is not None:
                    stretch.events -= who == "k"
                of_caller -= not who
                self.pending.setdefault(at, []).append([kind, *event[1:]])
                if kind == "A":
                    theirs[event[1]] = None
        return events

    def is_own_free(self, pfn: int, own: dict[int, None], theirs: dict[int, None]) -> bool:
        """Whether the operation itself frees the page; one that is free already, compaction has taken."""
        if pfn in own:
            return True
        known = mem_map.known(self.m, pfn) or pfn in self.m.pages
        return pfn not in theirs and (known or page_ref.state_of(self.m, pfn) in ("free", "pcp"))

    def make(self, event: list[Any]) -> None:
        """One allocation or free: of what they hold, or of something older than the recording."""
        theirs, order = event[1], event[2]
        if event[0] == "A":
            pfn = page_alloc.alloc_pages(self.m, number(event[3]), order)
            if pfn is not None:
                self.frames[theirs] = (pfn, order)
            if pfn != theirs:
                self.wrong.append((-1 if pfn is None else pfn, theirs))
            return
        pfn, order = self.frames.pop(theirs, (theirs, order))
        page = self.m.pages.get(pfn)
        if page is None and not mem_map.known(self.m, pfn):
            page = self.m.pages[pfn] = Page(pfn, order, 0, 0, "unmovable", "init", 0)
        if page is not None:
            page.refcount, page.order, page.flags = 0, order, 0
            page_free.free_the_page(self.m, pfn, order)
