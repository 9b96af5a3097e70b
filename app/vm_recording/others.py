"""What everybody else took and freed while a process made an operation.

A recording names slab pages, kernel stacks and pages of background work by what was asked for. Which frame
comes of it our machine decides; it must be the recorded one, or `wrong` says so. Each event is made at its
place between the pages that the operation itself takes and frees.
"""

from __future__ import annotations

from typing import Any, Final

from app.machine.machine import Machine
from app.mm import exit as kernel_exit
from app.mm import khugepaged, lru, mem_map, page_alloc, page_free, pagemap, swap
from app.mm.fs import Inode
from app.mm.mm_types import MmStruct
from app.mm.page import Page, PG_uptodate
from app.vm_recording.identities import Identities
from app.vm_recording.order import EventOrder
from app.vm_recording.recorded import Recorded, frame_of, number
from app.vm_recording.start import task_name

# Masks of user pages, tables, the queue of an unmapping. Those of pages of the disk itself.
OWN: Final = frozenset((0x140CCA, 0x140DCA, 0x141CCA, 0x152C4A, 0x2800, 0x400DC0, 0x400DC2))
BLOCK_DEVICE: Final = frozenset((0x148C40, 0x148C48))
PGD: Final = 0x400DC0
DEVICE: Final = ("bdev", 0)


class Others(EventOrder):
    """Their events of one operation at a time. frames: recorded → ours, of what they hold."""

    def __init__(self, m: Machine, recorded: Recorded, identities: Identities) -> None:
        super().__init__()
        self.m = m
        self.recorded = recorded
        self.identities = identities
        self.frames: dict[int, tuple[int, int]] = {}
        self.device_pages: dict[int, int] = {}
        # Tables of address spaces that the CPU has not left yet, and those that have gone with another.
        self.dead: dict[int, MmStruct] = {}
        self.gone: dict[int, None] = {}
        self.line = 0
        # Frames that the operation itself was given: in the recording, and by our machine.
        self.own: list[int] = []
        self.taken: list[int | None] = []
        self.wrong: list[tuple[str, str]] = []

    # -- order -------------------------------------------------------------------------------------

    def schedule(self, events: list[Any], line: int) -> None:
        """Sort out which events are others', and after how many of the operation's own they come."""
        self.pending, self.position, self.line, self.wrong = {}, 0, line, []
        self.own, self.taken = [], []
        own: dict[int, None] = {}
        theirs = dict.fromkeys(self.frames)
        at = 0
        for event in events:
            if event[0] == "A" and self.is_own(event):
                own[number(event[1])] = None
                self.own.append(number(event[1]))
                theirs.pop(number(event[1]), None)
                at += 1
            elif event[0] == "F" and self.is_own_free(number(event[1]), own, theirs):
                at += 1
            elif event[0] in ("A", "F", "K"):
                self.pending.setdefault(at, []).append(event)
                if event[0] != "F":
                    theirs.update(dict.fromkeys(map(number, event[3] if event[0] == "K" else event[1:2])))

    def is_own(self, event: list[Any]) -> bool:
        """Whether the operation itself makes such an allocation."""
        order, gfp, actor = event[2], number(event[3]), event[5] if len(event) > 5 else None
        if not isinstance(actor, int):
            return False
        if order == 1:
            return gfp == PGD and self.recorded.bits == 64
        return order == 9 or (not order and gfp in OWN)

    def is_own_free(self, pfn: int, own: dict[int, None], theirs: dict[int, None]) -> bool:
        """Whether the operation itself frees the page."""
        if pfn in self.dead or pfn in self.device_pages:
            return False
        return pfn in own or (pfn not in theirs and (mem_map.known(self.m, pfn) or pfn in self.m.pages))

    def took(self, pfn: int | None) -> None:
        """Note the frame, where the operation itself was given it."""
        if not self.busy:
            self.taken.append(pfn)
        super().took(pfn)

    # -- events ------------------------------------------------------------------------------------

    def make(self, event: list[Any]) -> None:
        """One allocation or free."""
        if event[0] == "F":
            self.free(number(event[1]), event[2])
        elif event[0] == "K":
            pages = page_alloc.alloc_pages_bulk(self.m, number(event[1]), 0, event[2])
            for theirs, pfn in zip(event[3], pages, strict=False):
                self.hold(number(theirs), pfn, 0)
        elif number(event[3]) in BLOCK_DEVICE:
            self.device_page(number(event[1]), number(event[3]))
        elif event[2] != 9 or not self.collapse(number(event[1])):
            taken = page_alloc.alloc_pages(self.m, number(event[3]), event[2])
            if taken is not None:
                self.hold(number(event[1]), taken, event[2])

    def hold(self, theirs: int, pfn: int, order: int) -> None:
        """Note what they hold now."""
        self.frames[theirs] = (pfn, order)
        if pfn != theirs:
            self.wrong.append((hex(pfn), hex(theirs)))

    def collapse(self, frame: int) -> bool:
        """khugepaged makes a huge page: where, the next state of some process shows."""
        for line, (address, level, *entry) in self.recorded.changes("leaf", self.line):
            if level == 2 and frame_of(2, number(entry[0])) == frame:
                mm = self.m.tasks[task_name(line["l"])].mm
                assert mm is not None
                return khugepaged.collapse_huge_page(self.m, mm, number(address)) is not None
        return False

    def free(self, theirs: int, order: int) -> None:
        """Of what they hold, of a dead process's tables, of the disk's own pages, or of something older."""
        if theirs in self.gone:
            del self.gone[theirs]
        elif theirs in self.dead:
            self.leave(theirs)
        elif theirs in self.device_pages:
            pfn = self.device_pages.pop(theirs)
            pagemap.drop_buffers(self.m, pfn)
            pagemap.filemap_remove_folio(self.m, self.device(), pfn)
            lru.put_page(self.m, pfn)
        else:
            pfn, size = self.frames.pop(theirs, (theirs, order))
            page = self.m.pages.get(pfn)
            if page is None and not mem_map.known(self.m, pfn):
                page = self.m.pages[pfn] = Page(pfn, size, 0, 0, "unmovable", "init", 0)
            if page is not None:
                page.refcount, page.order, page.flags = 0, order, 0
                page_free.free_the_page(self.m, pfn, order)

    def bury(self, mm: MmStruct) -> None:
        """An address space is unmapped; its highest tables wait until the CPU has left it."""
        assert mm.pgd is not None
        frames = [mm.pgd.pfn] if self.recorded.bits == 64 else [table.pfn for table in mm.tables[2].values()]
        self.dead.update(dict.fromkeys(frames, mm))
        if not frames:
            kernel_exit.mmdrop(self.m, mm)

    def leave(self, frame: int) -> None:
        """The CPU has left the address space that a table belongs to."""
        mm = self.dead[frame]
        for other in [other for other, of in self.dead.items() if of is mm]:
            del self.dead[other]
            if other != frame:
                self.gone[other] = None
        kernel_exit.mmdrop(self.m, mm)

    # -- the disk itself ---------------------------------------------------------------------------

    def device(self) -> Inode:
        """The page cache of the disk as a block device: directories, inodes, the journal."""
        return self.identities.inode(*DEVICE)

    def device_page(self, theirs: int, gfp: int) -> None:
        """A page of it is read: it comes to the lists like any cached page."""
        pfn = mem_map.alloc_page(self.m, gfp)
        if pfn is None:
            return
        self.device_pages[theirs] = pfn
        mem_map.set_flags(self.m, pfn, PG_uptodate)
        pagemap.filemap_add_folio(self.m, self.device(), pfn, pfn)
        lru.put_page(self.m, pfn)
        pagemap.create_buffers(self.m, pfn)
        swap.mark_page_accessed(self.m, pfn)
        swap.mark_page_accessed(self.m, pfn)

    def adopt_batches(self) -> None:
        """The file system looks at its own pages while it works: which, only the recording knows."""
        ours = dict.fromkeys(self.device_pages.values())
        for name, frames in (self.recorded.batches or {}).items():
            wanted = [self.device_pages.get(number(pfn), number(pfn)) for pfn in frames]
            batch = self.m.vm.batches[name]
            if name == "mlock" or batch == wanted:
                continue
            if [pfn for pfn in batch if pfn not in ours] == [pfn for pfn in wanted if pfn not in ours]:
                for pfn in wanted:
                    if pfn not in batch:
                        mem_map.get_page(self.m, pfn)
                self.m.vm.batches[name] = wanted

    def drop_caches(self, events: list[Any]) -> None:
        """Drop caches, file by file in the recorded order."""
        swap.lru_add_drain(self.m)
        order = {number(event[1]): at for at, event in enumerate(events) if event[0] == "F"}
        freed = dict.fromkeys(pfn for theirs, pfn in self.device_pages.items() if theirs in order)
        inodes = list(self.m.vm.mappings.values())
        first = {
            inode.id: min((order[pfn] for pfn in inode.i_pages.values() if pfn in order), default=1 << 30)
            for inode in inodes
        }
        for inode in sorted(inodes, key=lambda inode: (first[inode.id], inode.id)):
            if self.identities.inode_name(inode.id) != DEVICE:
                pagemap.drop_pagecache(self.m, inode)
                continue
            for pfn in inode.i_pages.values():
                if pfn not in freed:
                    pagemap.deactivate_file_folio(self.m, pfn)
            swap.lru_add_drain(self.m)
        # Files that are older than the recording come after, and each drains first.
        swap.lru_add_drain(self.m)
