"""Who leaks: memory that calls have taken and no later call has given back, by the row that took it.

Kernel: mm/page_owner.c. A kernel that was booted with page_owner=on remembers who allocated each page, and
developers look for a leak by sorting that text. What belongs to processes, files or the kernel itself is no
leak: it goes when they go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from app.mm import page_check
from app.mm.gfp import pGg
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.mmzone import MIGRATE_NAMES, PAGEBLOCK_NR_PAGES
from app.mm.page import Page
from app.mm.vmap_area import CACHE as AREAS_CACHE

if TYPE_CHECKING:
    from app.machine.machine import Machine

# States of frames that a call holds itself.
HELD: Final = frozenset({"unmovable", "movable", "reclaimable", "highatomic", "lost"})
# Who asked for an area that is a task's stack.
STACK: Final = "dup_task_struct"
# Where a mask has the kind of block that it asks for.
GFP_MOVABLE_SHIFT: Final = 3
# How many blocks a part of the text has: some 4 MB.
MAX_RECORDS: Final = 20_000
NANOSECONDS: Final = 1_000  # of a row: the kernel log's clock counts rows as microseconds
# Caches of the structures of other caches, which go with those.
CACHES_OF_CACHES: Final = ("kmem_cache", "kmem_cache_node")

# Seq, task, what, order and cache.
Key = tuple[int, str, str, int | None, str | None]
# One that is held: bytes, address and frame.
Held = tuple[Key, int, int, int | None]


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
    found: dict[Key, Leak] = {}
    for key, size, address, pfn in chain(blocks(m), objects(m), areas(m)):
        known = found.get(key)
        if known is None:
            known = found[key] = Leak(*key, address, pfn)
            if pfn is not None and not address:
                known.address = m.model.pfn_to_virt(pfn) or 0
        known.count += 1
        known.bytes += size
    return sorted(found.values(), key=attrgetter("seq", "what", "task"))


def pages(m: Machine) -> Iterable[Page]:
    """Blocks of pages that calls have taken for themselves, in the order of frames."""
    stacks = {task.stack for task in m.tasks.values()}  # on i386 these are frames
    found = [page for page in m.pages.values() if page.seq and page.state in HELD and page.pfn not in stacks]
    return sorted(found, key=attrgetter("pfn"))


def blocks(m: Machine) -> Iterator[Held]:
    """Those blocks; where the first of a row can be reached is found out for that one alone."""
    for page in pages(m):
        yield (page.seq, page.task, "pages", page.order, None), PAGE_SIZE << page.order, 0, page.pfn


def objects(m: Machine) -> Iterator[Held]:
    """Objects of slab caches, without those of processes, of the vmalloc space and of the caches."""
    own = {cache.name for cache in m.vm.object_caches.values()} | {AREAS_CACHE, *CACHES_OF_CACHES}
    parts = {address for va in m.vmap.busy for address in area_parts(va.vm)}
    parts |= {cache.name_object or 0 for cache in m.caches.values()}
    for slab in sorted(m.slabs.values(), key=attrgetter("pfn")):
        s = slab.cache
        if s.name in own:
            continue
        address = slab.base - s.size
        for owner in slab.owner:
            address += s.size
            if owner is not None and owner[1] and address not in parts:
                yield (owner[1], owner[0], "objects", None, s.name), s.size, address, slab.pfn


def area_parts(vm: Any) -> tuple[int, ...]:
    """Objects that belong to an area, and go with it."""
    return () if vm is None else (vm.object, vm.array)


def areas(m: Machine) -> Iterator[Held]:
    """Areas of the vmalloc space, each with the bytes of its pages; without lists of an area's pages."""
    lists = {va.vm.array for va in m.vmap.busy if va.vm is not None}
    for va in m.vmap.busy:
        vm = va.vm
        if vm is not None and vm.seq and vm.caller != STACK and vm.addr not in lists:
            yield (vm.seq, vm.task, "area", None, None), len(vm.pages) << PAGE_SHIFT, vm.addr, None


def page_owner(m: Machine) -> str:
    """All blocks of pages as /sys/kernel/debug/page_owner has them. Kernel: mm/page_owner.c print_page_owner

    The place of the stack is taken by the row: who sorts by stacks sorts by rows.
    """
    found = sorted((page for page in m.pages.values() if page.seq), key=attrgetter("pfn"))
    return "".join(records(m, found))


def held_pages(m: Machine, after: int | None = None) -> tuple[str, int | None]:
    """In the same form the blocks that calls hold, behind a frame; and the last one, where more follow.

    Objects and areas are no blocks of their own there, and so not here.
    """
    found = [page for page in pages(m) if after is None or page.pfn > after]
    shown = found[:MAX_RECORDS]
    return "".join(records(m, shown)), shown[-1].pfn if len(found) > len(shown) else None


def records(m: Machine, blocks: Iterable[Page]) -> Iterator[str]:
    """The text of some blocks; others have their turn in between."""
    for place, page in enumerate(blocks):
        if not place % 256:
            m.breathe()
        yield record(m, page)


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
