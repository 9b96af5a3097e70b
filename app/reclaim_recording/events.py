"""What our kernel does, in the recording's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import mem_map
from app.mm.fs import Inode
from app.mm.mmzone import MIGRATE_LETTERS
from app.reclaim_recording.others import Others
from app.vm_recording.order import Listener

# Kinds of events that are compared, where they are the operation's own.
COMPARED: Final = frozenset(("A", "F", "LI", "LA", "FA", "FD"))


class Events(Listener):
    """A trace that writes down. seen: events of the operation itself, without those of others."""

    def __init__(self, m: Machine, others: Others) -> None:
        super().__init__(others)
        self.m = m
        self.seen: list[list[Any]] = []
        self.lru = Lru(self)
        self.pagecache = Pagecache(self)

    def add(self, *event: Any) -> None:
        """Note one."""
        if not self.order.busy:
            self.seen.append([*event])

    def alloc(self, *allocated: Any) -> None:
        """A page was handed out, or none."""
        super().alloc(*allocated)
        pfn, order, gfp, migratetype = allocated
        self.add("A", -1 if pfn is None else pfn, order, hex(gfp), MIGRATE_LETTERS[migratetype])

    def free(self, *freed: Any) -> None:
        """A page is given back."""
        super().free()
        self.add("F", *freed)


class Area:
    """An area of trace points, of which only some say something here."""

    def __init__(self, events: Events) -> None:
        self.events = events

    def __getattr__(self, name: str) -> Any:
        return self.ignore

    def ignore(self, *_: Any, **__: Any) -> None:
        """Any other trace point."""


class Lru(Area):
    """Batches."""

    def moved(self, batch: str, pages: Sequence[int]) -> None:
        """A batch was emptied; a page that waits twice to be activated moves once."""
        for pfn in dict.fromkeys(pages):
            if batch == "add":
                self.events.add("LI", pfn, mem_map.lru_index(self.events.m, pfn))
            elif batch == "activate":
                self.events.add("LA", pfn)


class Pagecache(Area):
    """Pages of files."""

    def added(self, inode: Inode, index: int, pfn: int) -> None:
        """A page came to a file."""
        self.events.add("FA", pfn, inode.ino, index)

    def removed(self, inode: Inode, index: int, pfn: int) -> None:
        """A page left its file."""
        self.events.add("FD", pfn, inode.ino, index)


def compared(events: list[Any]) -> list[list[Any]]:
    """Those of a recording's events that are compared."""
    return [[*event] for event in events if event[0] in COMPARED]
