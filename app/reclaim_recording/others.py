"""What everybody else took and freed while the process made an operation: pages of slabs, and nothing more.

Which frame comes of a recorded request our allocator decides; it must be the recorded one, or
`wrong` says so.
"""

from __future__ import annotations

from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map, page_alloc, page_free
from app.mm.page import Page
from app.vm_recording.order import EventOrder
from app.vm_recording.recorded import number

# Masks of pages that the kernel takes for the process itself: user pages, the page cache, tables, the queue
# of an unmapping.
OWN: Final = frozenset((0x140CCA, 0x140DCA, 0x141CCA, 0x152C4A, 0x2800, 0x400DC0))


class Others(EventOrder):
    """Their events of one operation at a time. frames: recorded → ours, of what they hold."""

    def __init__(self, m: Machine) -> None:
        super().__init__()
        self.m = m
        self.frames: dict[int, tuple[int, int]] = {}
        self.wrong: list[tuple[int, int]] = []

    def schedule(self, line: dict[str, Any]) -> list[Any]:
        """Sort out which events are others', and after how many of the operation's own; returns its own."""
        self.pending, self.position, self.wrong = {}, 0, []
        asked = number(line.get("gfpx", 0))
        own: dict[int, None] = {}
        theirs = dict.fromkeys(self.frames)
        at = 0
        events = []
        for event in line["ev"]:
            kind = event[0].rsplit(":")[-1]
            events.append(event)
            if kind == "A" and (number(event[3]) in OWN or number(event[3]) == asked):
                own[event[1]] = None
                theirs.pop(event[1], None)
                at += 1
            elif kind == "F" and self.is_own_free(event[1], own, theirs):
                at += 1
            elif kind in ("A", "F"):
                events.pop()
                self.pending.setdefault(at, []).append([kind, *event[1:]])
                if kind == "A":
                    theirs[event[1]] = None
        return events

    def is_own_free(self, pfn: int, own: dict[int, None], theirs: dict[int, None]) -> bool:
        """Whether the operation itself frees the page."""
        return pfn in own or (pfn not in theirs and (mem_map.known(self.m, pfn) or pfn in self.m.pages))

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
