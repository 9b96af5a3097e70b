"""Who leaks: memory that calls have taken and no later call has given back, by the row that took it.

Kernel: mm/page_owner.c. A kernel that was booted with page_owner=on remembers who allocated each page, and
developers look for a leak by sorting that text. What belongs to processes, files or the kernel itself is no
leak: it goes when they go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from app.mm import page_check
from app.mm.gfp import pGg
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.mmzone import MIGRATE_NAMES, PAGEBLOCK_NR_PAGES
from app.mm.page import Page
from app.mm.slab import KERNEL
from app.mm.vmap_area import CACHE as AREAS_CACHE

if TYPE_CHECKING:
    from app.machine.machine import Machine

# States of frames that a call holds itself.
HELD: Final = frozenset({"unmovable", "movable", "reclaimable", "highatomic", "lost"})
# Who asked for an area that is a task's stack.
STACK: Final = "dup_task_struct"
# Where a mask has the kind of block that it asks for.
GFP_MOVABLE_SHIFT: Final = 3
NANOSECONDS: Final = 1_000  # of a row: the kernel log's clock counts rows as microseconds


@dataclass(slots=True)
class Leak:
    """What one row has taken of one kind and size, as far as it is still there.

    what: `pages`, `objects` or `area`. order: of blocks of pages. cache: of objects. address: of the first
    one, 0 for a page without an address. pfn: its frame; None for an area.
    """

    seq: int
    task: str
    what: str
    order: int | None
    cache: str | None
    address: int
    pfn: int | None
    count: int = 0
    bytes: int = 0

    def as_json(self, alive: bool) -> dict[str, Any]:
        """As the API shows it. alive: whether the task still exists."""
        return {
            "task": self.task,
            "alive": alive,
            "seq": self.seq,
            "what": self.what,
            "order": self.order,
            "cache": self.cache,
            "count": self.count,
            "bytes": self.bytes,
            "address": f"{self.address:#x}" if self.address else None,
            "pfn": self.pfn,
        }


def leaks(m: Machine, start: int = 0, limit: int = 1000) -> dict[str, Any]:
    """What is held, the earliest row first; and how much by each task, the most first.

    start: how many to pass over; `next` is where to go on, None at the end.
    """
    found = held(m)
    tasks: dict[str, list[int]] = {}
    for leak in found:
        sums = tasks.setdefault(leak.task, [0, 0])
        sums[0] += leak.count
        sums[1] += leak.bytes
    return {
        "items": [leak.as_json(leak.task in m.tasks) for leak in found[start : start + limit]],
        "tasks": [
            {"task": name, "alive": name in m.tasks, "count": count, "bytes": size}
            for name, (count, size) in sorted(tasks.items(), key=lambda item: (-item[1][1], item[0]))
        ],
        "total": len(found),
        "bytes": sum(leak.bytes for leak in found),
        "next": start + limit if start + limit < len(found) else None,
    }


def held(m: Machine) -> list[Leak]:
    """Everything that calls hold, the earliest row first."""
    found: dict[tuple[Any, ...], Leak] = {}
    for leak, size in (*blocks(m), *objects(m), *areas(m)):
        known = found.setdefault((leak.seq, leak.task, leak.what, leak.order, leak.cache), leak)
        known.count += 1
        known.bytes += size
    return sorted(found.values(), key=attrgetter("seq", "what", "task"))


def pages(m: Machine) -> Iterable[Page]:
    """Blocks of pages that calls have taken for themselves, in the order of frames."""
    stacks = {task.stack for task in m.tasks.values()}  # on i386 these are frames
    found = (page for page in m.pages.values() if page.seq and page.state in HELD)
    return sorted((page for page in found if page.pfn not in stacks), key=attrgetter("pfn"))


def blocks(m: Machine) -> Iterator[tuple[Leak, int]]:
    """Those blocks, each with its bytes."""
    for page in pages(m):
        address = m.model.pfn_to_virt(page.pfn) or 0
        leak = Leak(page.seq, page.task, "pages", page.order, None, address, page.pfn)
        yield leak, PAGE_SIZE << page.order


def objects(m: Machine) -> Iterator[tuple[Leak, int]]:
    """Objects of slab caches, each with its bytes; without those of processes and of the vmalloc space."""
    own = {cache.name for cache in m.vm.object_caches.values()} | {AREAS_CACHE}
    part_of_area = {address for va in m.vmap.busy for address in area_parts(va.vm)}
    for slab in sorted(m.slabs.values(), key=attrgetter("pfn")):
        s = slab.cache
        if s.name in own:
            continue
        for index, owner in enumerate(slab.owner):
            if owner is None or owner is KERNEL or not owner[1]:
                continue
            address = slab.address(index)
            if address not in part_of_area:
                yield Leak(owner[1], owner[0], "objects", None, s.name, address, slab.pfn), s.size


def area_parts(vm: Any) -> tuple[int, ...]:
    """Objects that belong to an area, and go with it."""
    return () if vm is None else (vm.object, vm.array)


def areas(m: Machine) -> Iterator[tuple[Leak, int]]:
    """Areas of the vmalloc space, each with the bytes of its pages; without lists of an area's pages."""
    lists = {va.vm.array for va in m.vmap.busy if va.vm is not None}
    for va in m.vmap.busy:
        vm = va.vm
        if vm is not None and vm.seq and vm.caller != STACK and vm.addr not in lists:
            leak = Leak(vm.seq, vm.task, "area", None, None, vm.addr, None)
            yield leak, len(vm.pages) << PAGE_SHIFT


def page_owner(m: Machine, *, everybodys: bool = False) -> str:
    """The blocks of pages among them, as /sys/kernel/debug/page_owner has them. Kernel: print_page_owner

    The place of the stack is taken by the row: who sorts by stacks sorts by rows. Objects and areas are no
    blocks of their own there, and so not here. everybodys: with the blocks of slabs and areas, as there.
    """
    if everybodys:
        found = sorted((page for page in m.pages.values() if page.seq), key=attrgetter("pfn"))
    else:
        found = [*pages(m)]
    return "".join(record(m, page) for page in found)


def record(m: Machine, page: Page) -> str:
    """One block."""
    task = m.tasks.get(page.task)
    pid = 0 if task is None else task.pid
    block = m.zone_of(page.pfn).get_pfnblock_migratetype(page.pfn)
    return (
        f"Page allocated via order {page.order}, mask {page.gfp:#x}({pGg(page.gfp)}), pid {pid}, tgid {pid} "
        f"({page.task}), ts {page.seq * NANOSECONDS} ns, free_ts 0 ns\n"
        f"PFN {page.pfn} type {MIGRATE_NAMES[page.gfp >> GFP_MOVABLE_SHIFT & 3]} Block "
        f"{page.pfn // PAGEBLOCK_NR_PAGES} type {MIGRATE_NAMES[block]} "
        f"Flags {page_check.pGp(m, page.pfn)}\n seq_{page.seq}+0x0/0x0\n\n"
    )
