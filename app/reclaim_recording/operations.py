"""What the process did: reads and writes, touches of its memory, advice, requests to the allocator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.machine.machine import Machine
from app.mm import (
    fadvise,
    fault,
    madvise,
    mlock_vma,
    mmap,
    page_alloc,
    page_free,
    page_io,
    pcp,
    read_write,
    swap,
    sysctl,
    vmscan,
)
from app.mm import gfp as gfp_masks
from app.mm.fs import File, Inode
from app.mm.mm_types import VM_LOCKED, MmStruct
from app.mm.page import PG_head
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.sched import current, current_mm
from app.vm_recording.recorded import number

PROC_SYS: Final = "/proc/sys/vm/"


class Operations:
    """Makes them again. Each function gets the recorded arguments and returns the result, if it is known."""

    def __init__(self, m: Machine, files: list[Inode]) -> None:
        self.m = m
        self.inodes = files
        self.files: dict[int, File] = {}
        self.mappings: dict[int, int] = {}
        # Allocated by slot: first frame and order.
        self.slots: dict[int, tuple[int, int]] = {}

    def knows(self, name: str) -> bool:
        """Whether it is an operation that can be made again."""
        return hasattr(self, f"do_{name}")

    def perform(self, line: dict[str, Any]) -> int | None:
        """One operation."""
        own: Callable[[dict[str, Any], list[Any]], int | None] = getattr(self, f"do_{line['op']}")
        return own(line, [int(value) if value.lstrip("-").isdigit() else value for value in line["a"]])

    @property
    def mm(self) -> MmStruct:
        """The address space of the process."""
        return current_mm(self.m)

    def address(self, mapping: int, page: int) -> int:
        """Of a page of a mapping."""
        return self.mappings[mapping] + page * PAGE_SIZE

    # -- files -------------------------------------------------------------------------------------

    def do_open(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD FILE"""
        self.files[a[0]] = File(self.inodes[a[1]])
        return 0

    def do_read(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD PAGE N"""
        return read_write.read(self.m, self.files[a[0]], None, a[2] * PAGE_SIZE, a[1] * PAGE_SIZE)

    def do_readb(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD OFFSET LENGTH"""
        return read_write.read(self.m, self.files[a[0]], None, a[2], a[1])

    def do_write(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD PAGE N"""
        return read_write.write(self.m, self.files[a[0]], None, a[2] * PAGE_SIZE, a[1] * PAGE_SIZE)

    def do_writeb(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD OFFSET LENGTH"""
        return read_write.write(self.m, self.files[a[0]], None, a[2], a[1])

    def do_fsync(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD"""
        return read_write.fsync(self.m, self.files[a[0]].inode)

    def do_trunc(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD PAGES"""
        return read_write.ftruncate(self.m, self.files[a[0]].inode, a[1] * PAGE_SIZE)

    def do_fadvise(self, line: dict[str, Any], a: list[Any]) -> int:
        """FD PAGE N ADVICE"""
        return fadvise.fadvise(self.m, self.files[a[0]], a[1] * PAGE_SIZE, a[2] * PAGE_SIZE, a[3])

    # -- memory ------------------------------------------------------------------------------------

    def do_mmapa(self, line: dict[str, Any], a: list[Any]) -> int:
        """M PAGES"""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        prot = mmap.PROT_READ | mmap.PROT_WRITE
        self.mappings[a[0]] = mmap.ksys_mmap(self.m, 0, a[1] * PAGE_SIZE, prot, flags, None, 0)
        return self.mappings[a[0]]

    def do_mmapf(self, line: dict[str, Any], a: list[Any]) -> int:
        """M FD PAGE N PROT"""
        file = self.files[a[1]]
        length = a[3] * PAGE_SIZE
        self.mappings[a[0]] = mmap.ksys_mmap(self.m, 0, length, a[4], mmap.MAP_SHARED, file, a[2])
        return self.mappings[a[0]]

    def do_munmap(self, line: dict[str, Any], a: list[Any]) -> int:
        """M START N"""
        return mmap.munmap(self.m, self.address(a[0], a[1]), a[2] * PAGE_SIZE)

    def do_touch(self, line: dict[str, Any], a: list[Any]) -> int:
        """M PAGE W"""
        return fault.kernel_access(self.m, self.address(a[0], a[1]), write=bool(a[2]), copy=False)

    def do_touchr(self, line: dict[str, Any], a: list[Any]) -> int:
        """M START COUNT STEP W"""
        for at in range(a[2]):
            address = self.address(a[0], a[1] + at * a[3])
            fault.kernel_access(self.m, address, write=bool(a[4]), copy=False)
        return 0

    def do_madv(self, line: dict[str, Any], a: list[Any]) -> int:
        """M START N ADVICE"""
        return madvise.madvise(self.m, self.address(a[0], a[1]), a[2] * PAGE_SIZE, a[3])

    def do_mlock(self, line: dict[str, Any], a: list[Any]) -> int:
        """M START N"""
        return mlock_vma.do_mlock(self.m, self.address(a[0], a[1]), a[2] * PAGE_SIZE, VM_LOCKED)

    def do_munlock(self, line: dict[str, Any], a: list[Any]) -> int:
        """M START N"""
        return mlock_vma.munlock(self.m, self.address(a[0], a[1]), a[2] * PAGE_SIZE)

    # -- the page allocator ------------------------------------------------------------------------

    def do_alloc(self, line: dict[str, Any], a: list[Any]) -> None:
        """SLOT GFP ORDER"""
        self.take(a[0], number(line["gfpx"]), a[2])

    def do_allocn(self, line: dict[str, Any], a: list[Any]) -> None:
        """BASE GFP ORDER COUNT: until NULL, or the process is killed"""
        for slot in range(a[0], a[0] + a[3]):
            if not self.take(slot, number(line["gfpx"]), a[2]) or current(self.m).oom_victim:
                break

    def take(self, slot: int, gfp: int, order: int) -> bool:
        """Allocate into a slot."""
        pfn = page_alloc.alloc_pages(self.m, gfp, order)
        if pfn is not None:
            self.slots[slot] = (pfn, order)
        return pfn is not None

    def do_free(self, line: dict[str, Any], a: list[Any]) -> None:
        """SLOT"""
        self.give(a[0])

    def do_freerange(self, line: dict[str, Any], a: list[Any]) -> None:
        """BASE COUNT STEP"""
        for slot in range(a[0], a[0] + a[1] * a[2], a[2]):
            if slot in self.slots:
                self.give(slot)

    def give(self, slot: int) -> None:
        """Free what a slot holds."""
        pfn, order = self.slots.pop(slot)
        page = self.m.pages[pfn]
        page.refcount, page.flags = 0, page.flags & ~PG_head
        page_free.free_the_page(self.m, pfn, order)

    def do_drain(self, line: dict[str, Any], a: list[Any]) -> None:
        """Empty the CPU's lists of free pages."""
        pcp.drain_all_pages(self.m)

    # -- reclaim -----------------------------------------------------------------------------------

    def do_reclaim(self, line: dict[str, Any], a: list[Any]) -> int:
        """ORDER GFP"""
        return self.reclaim(int(a[0]), number(line["gfpx"]))

    def do_reclaimn(self, line: dict[str, Any], a: list[Any]) -> int:
        """COUNT ORDER GFP: as often as that, each time an operation of its own."""
        return self.reclaim(int(a[1]), number(line["gfpx"]))

    def reclaim(self, order: int, gfp: int) -> int:
        """As an allocation that finds nothing would."""
        ac = page_alloc.prepare_alloc_pages(self.m, gfp, 0)
        return vmscan.try_to_free_pages(self.m, order, gfp, ac)

    def do_wakek(self, line: dict[str, Any], a: list[Any]) -> None:
        """ORDER ZONE"""
        zone = self.m.zones[a[1]]
        self.m.wakeup_kswapd(self.m, zone, gfp_masks.GFP_KERNEL, a[0], zone.zid)

    def do_waitk(self, line: dict[str, Any], a: list[Any]) -> None:
        """MS: the process sleeps."""

    def do_boost(self, line: dict[str, Any], a: list[Any]) -> None:
        """ZONE PAGES"""
        self.m.zones[a[0]].boost = a[1]

    def do_iodone(self, line: dict[str, Any], a: list[Any]) -> int:
        """COUNT: so many writes that were held back are done, the oldest first; all without a number."""
        waiting = self.m.vm.io_deferred or []
        count = a[0] if a else len(waiting)
        done, self.m.vm.io_deferred = waiting[:count], waiting[count:]
        for pfn in done:
            page_io.end_page_writeback(self.m, pfn)
        return len(done)

    # -- the LRU -----------------------------------------------------------------------------------

    def do_lrudrain(self, line: dict[str, Any], a: list[Any]) -> None:
        """Empty the LRU batches."""
        swap.lru_add_drain(self.m)

    def do_sysctl(self, line: dict[str, Any], a: list[Any]) -> int:
        """PATH VALUE; what it returns is how many bytes were written. Settings of others change nothing."""
        name = a[0].removeprefix(PROC_SYS)
        if name in sysctl.HANDLERS:
            sysctl.write(self.m, name, [a[1]])
        return len(str(a[1]))
