"""Reading a machine: the views behind the HTTP API's GET routes and the dashboard.

Everything here is JSON-ready, changes nothing, and costs what was touched, not what the machine could hold.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.machine import rmap_views, vm_views
from app.machine.slab_views import cache_view as cache
from app.machine.slab_views import caches_view as caches
from app.machine.slab_views import caches_with_slabs
from app.machine.vmallocinfo import areas_around
from app.machine.vmallocinfo import vmap_areas_view as vmap_areas
from app.machine.zonemap import zonemap
from app.mm import page_ref
from app.mm.gfp import pGg
from app.mm.mmzone import (
    MAX_ORDER,
    MIGRATE_LETTERS,
    MIGRATE_NAMES,
    MIGRATE_TYPES,
    NR_LOWORDER_PCP_LISTS,
    PAGEBLOCK_NR_PAGES,
    PINDEX_ORDER,
    PerCpuPages,
    Zone,
)
from app.mm.page import PAGE_FLAG_NAMES, Page, PG_head, PG_locked

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.sched import Task

__all__ = [
    "areas_around",
    "cache",
    "caches",
    "caches_with_slabs",
    "free_lists",
    "locks",
    "log",
    "page",
    "sleepers",
    "task",
    "task_part",
    "tasks",
    "vmap_areas",
    "zone_lists_of",
    "zonemap",
    "zones",
]

LIST_HEADS: Final = 16
MAX_HOLDS: Final = 1000

# How the lecture's kernels called the same things.
LECTURE_NAMES: Final = {"_refcount": "_count", "mapping": "mapping", "index": "index", "virtual": "virtual"}


def zones(m: Machine) -> dict[str, Any]:
    """Each zone with its size, marks, reserves, free blocks by order and per-CPU pages."""
    return {"zones": [zone_view(m, zone) for zone in m.zones]}


def zone_view(m: Machine, zone: Zone) -> dict[str, Any]:
    """One zone; `min`, `low` and `high` are what watermark checks compare with, so they include the boost."""
    zonelist = m.nodes[zone.nid].zonelist
    place = zonelist.index(zone) if zone in zonelist else len(zonelist)
    return {
        "name": zone.name,
        "node": zone.nid,
        "zid": zone.zid,
        "start_pfn": zone.start_pfn,
        "spanned": zone.spanned_pages,
        "present": zone.present_pages,
        "managed": zone.managed_pages,
        "free": zone.nr_free_pages,
        "vmfree": zone.vm_stat_free,
        "min": zone.wmark_pages(0),
        "low": zone.wmark_pages(1),
        "high": zone.wmark_pages(2),
        "promo": zone.wmark_pages(3),
        "boost": zone.boost,
        "nr_highatomic": zone.nr_reserved_highatomic,
        "lowmem_reserve": list(zone.lowmem_reserve),
        "nr_free": [area.nr_free for area in zone.free_area],
        "pcp": [pcp_summary(cpu, pcp) for cpu, pcp in enumerate(zone.pcp)],
        "fallback": [{"name": z.name, "node": z.nid} for z in zonelist[place + 1 :]],
    }


def pcp_summary(cpu: int, pcp: PerCpuPages) -> dict[str, int]:
    """One CPU's stock of a zone."""
    return {
        "cpu": cpu,
        "count": pcp.count,
        "high": pcp.high,
        "batch": pcp.batch,
        "free_factor": pcp.free_factor,
    }


def free_lists(m: Machine) -> dict[str, Any]:
    """The free lists of every zone by order and type, and the per-CPU lists, with their heads."""
    return {"zones": [zone_lists(zone) for zone in m.zones]}


def zone_lists_of(m: Machine, name: str, node: int) -> dict[str, Any]:
    """The lists of one zone."""
    return zone_lists(next(zone for zone in m.zones if (zone.name, zone.nid) == (name, node)))


def zone_lists(zone: Zone) -> dict[str, Any]:
    """One zone's lists; empty ones are left out."""
    lists = []
    for order in range(MAX_ORDER):
        counts = list_lengths(zone, order)
        lists += [
            {
                "order": order,
                "type": MIGRATE_NAMES[migratetype],
                "letter": MIGRATE_LETTERS[migratetype],
                "count": counts[migratetype],
                "head": list(islice(zone.free_list_pfns(order, migratetype), LIST_HEADS)),
                "tail": last_of(zone, order, migratetype),
            }
            for migratetype in range(MIGRATE_TYPES)
            if counts[migratetype]
        ]
    return {
        "name": zone.name,
        "node": zone.nid,
        "nr_free": [area.nr_free for area in zone.free_area],
        "lists": lists,
        "pcp": [
            {
                **pcp_summary(cpu, pcp),
                "lists": [
                    {
                        "order": PINDEX_ORDER[index],
                        "type": pcp_list_type(index),
                        "count": len(pages),
                        "head": list(islice(pages, LIST_HEADS)),
                    }
                    for index, pages in enumerate(pcp.lists)
                    if pages
                ],
            }
            for cpu, pcp in enumerate(zone.pcp)
        ],
    }


def pcp_list_type(index: int) -> str:
    """Name of the types that a per-CPU list holds."""
    if index < NR_LOWORDER_PCP_LISTS:
        return MIGRATE_NAMES[index % 3]
    return "Movable" if index > NR_LOWORDER_PCP_LISTS else "not Movable"


def list_lengths(zone: Zone, order: int) -> list[int]:
    """Number of blocks on each type's list; the untouched ones stand on the default type's."""
    area = zone.free_area[order]
    counts = [len(free_list) for free_list in area.free_list]
    counts[zone.default_migratetype] += area.nr_free - sum(counts)
    return counts


def last_of(zone: Zone, order: int, migratetype: int) -> int:
    """The block at the tail of a list that is not empty."""
    if order == MAX_ORDER - 1 and migratetype == zone.default_migratetype:
        if zone.untouched_tail:
            return next(iter(zone.untouched_tail))
        if zone.untouched[0] < zone.untouched[1]:
            return zone.untouched[1] - (1 << order)
    return next(iter(zone.free_area[order].free_list[migratetype]))


def page(m: Machine, pfn: int) -> dict[str, Any]:
    """One frame's struct page with everything the machine knows about it. Raises KeyError."""
    if not m.model.pfn_valid(pfn):
        raise KeyError(pfn)
    zone = m.zone_of(pfn)
    block = page_ref.block_of(m, pfn)
    free = zone.free_block_at(pfn)
    on_pcp = find_pcp(zone, pfn) if block is None and free is None else None
    address = m.page_address(pfn)
    doc: dict[str, Any] = {
        "pfn": pfn,
        "page": f"{m.model.pfn_to_page(pfn):#x}",
        "address": None if address is None else f"{address:#x}",
        "physical": f"{pfn << 12:#x}",
        "zone": zone.name,
        "node": zone.nid,
        "state": state_of(block, free, on_pcp),
        "pageblock": {
            "start_pfn": pfn & -PAGEBLOCK_NR_PAGES,
            "type": MIGRATE_NAMES[zone.get_pfnblock_migratetype(pfn)],
        },
        "struct_page": struct_page(m, pfn, block, free),
        "lecture_names": LECTURE_NAMES,
        "buddies": [buddy_view(m, zone, pfn, order) for order in range(MAX_ORDER - 1)],
    }
    doc |= rmap_views.user_page(m, pfn)
    if block is not None:
        doc["block"] = block_view(block, pfn)
    if free is not None:
        doc["free"] = {"pfn": free[0], "order": free[1], "type": MIGRATE_NAMES[free[2]]}
    if on_pcp is not None:
        doc["pcp"] = on_pcp
    return doc


def state_of(block: Page | None, free: tuple[int, int, int] | None, on_pcp: dict[str, Any] | None) -> str:
    """The frame's state as the zone map shows it."""
    if block is not None:
        return "locked" if block.flags & PG_locked else block.state
    if free is not None:
        return "free"
    return "reserved" if on_pcp is None else "pcp"


def struct_page(
    m: Machine, pfn: int, block: Page | None, free: tuple[int, int, int] | None
) -> dict[str, Any]:
    """The fields of struct page. Kernel: include/linux/mm_types.h

    A free block's head keeps its order in `private` and a mark in `_mapcount`; a compound tail points to its
    head.
    """
    tail = block is not None and block.flags & PG_head and block.pfn != pfn
    free_head = free is not None and free[0] == pfn
    flags = page_ref.page_flags(m, pfn)
    address = m.page_address(pfn)
    return {
        "flags": {"value": f"{flags:#x}", "names": flag_names(flags)},
        "_refcount": page_ref.page_ref_count(m, pfn),
        "_mapcount": -129 if free_head else -1,
        "mapping": "0xdead000000000400" if tail else None,
        "index": 0,
        "private": free[1] if free is not None and free_head else 0,
        "virtual": None if address is None else f"{address:#x}",
        "compound_head": f"{m.model.pfn_to_page(block.pfn):#x}" if block is not None and tail else None,
    } | rmap_views.fields(m, pfn)


def flag_names(flags: int) -> list[str]:
    """The names of the set bits, lowest first."""
    return [name for bit, name in enumerate(PAGE_FLAG_NAMES) if flags >> bit & 1]


def block_view(block: Page, pfn: int) -> dict[str, Any]:
    """The allocated block that a frame belongs to, and whose it is."""
    return {
        "pfn": block.pfn,
        "order": block.order,
        "offset": pfn - block.pfn,
        "compound": bool(block.flags & PG_head),
        "gfp": f"{block.gfp:#x}",
        "gfp_names": pGg(block.gfp),
        "task": block.task,
        "seq": block.seq,
    }


def buddy_view(m: Machine, zone: Zone, pfn: int, order: int) -> dict[str, Any]:
    """The buddy of the block of that order around a frame: one bit of the frame number differs."""
    buddy_pfn = (pfn & -(1 << order)) ^ (1 << order)
    inside = zone.spans_pfn(buddy_pfn)
    code = zone.buddy.get(buddy_pfn)
    return {
        "order": order,
        "pfn": buddy_pfn,
        "valid": inside,
        "free": inside and zone.free_block_at(buddy_pfn) is not None,
        "mergeable": code is not None and code >> 3 == order,
    }


def find_pcp(zone: Zone, pfn: int) -> dict[str, Any] | None:
    """On which CPU's list a frame waits."""
    for cpu, pcp in enumerate(zone.pcp):
        for index, pages in enumerate(pcp.lists):
            head = pfn & -(1 << PINDEX_ORDER[index])
            if head in pages:
                return {
                    "cpu": cpu,
                    "order": PINDEX_ORDER[index],
                    "type": pcp_list_type(index),
                    "place": pages.index(head),
                    "pfn": head,
                }
    return None


def tasks(m: Machine) -> dict[str, Any]:
    """Every task that has made a call, which page locks it took, and what it waits for.

    `holds` has at most MAX_HOLDS of the locks, `holds_count` says how many there are. The kernel does not
    know who took a page's lock; the machine does, to explain.
    """
    return {
        "tasks": [
            task_view(m, task) | {"holds": m.lock_holders.first(task.pid, MAX_HOLDS)}
            for task in m.tasks.values()
        ]
    }


def task_part(m: Machine, start: int, limit: int, locks: int) -> dict[str, Any]:
    """At most `limit` tasks after the first `start` of `total`, with at most `locks` of the locks of each."""
    shown = islice(m.tasks.values(), start, start + limit)
    views = [task_view(m, task) | {"holds": m.lock_holders.some(task.pid, locks)} for task in shown]
    return {"tasks": views, "total": len(m.tasks)}


def sleepers(m: Machine) -> list[dict[str, Any]]:
    """The tasks that wait, each with the living task that took the lock that it waits for."""
    names = {task.pid: task.name for task in m.tasks.values()}
    return [
        task_view(m, task) | {"held_by": names.get(m.lock_holders.get(task.waiting_for) or 0)}
        for task in m.tasks.values()
        if task.waiting_for is not None
    ]


def locks(m: Machine, limit: int) -> list[dict[str, Any]]:
    """Some of the locked pages, each with the living task that took the lock."""
    names = {task.pid: task.name for task in m.tasks.values()}
    taken = islice(m.lock_holders.by_frame.items(), limit)
    return [{"pfn": pfn, "held_by": names.get(pid)} for pfn, pid in taken]


def task_view(m: Machine, task: Task) -> dict[str, Any]:
    """A task without the list of its locks."""
    return {
        "name": task.name,
        "pid": task.pid,
        "holds_count": m.lock_holders.count(task.pid),
        "waiting_for": task.waiting_for,
        "waits_in": waits_in(m, task),
        "since": task.since if task.waiting_for is not None else None,
        **vm_views.process_part(m, task),
    }


def task(m: Machine, name: str) -> dict[str, Any]:
    """One task, with its address space and all its descriptors. Raises KeyError."""
    found = m.tasks[name]
    holds = m.lock_holders.first(found.pid, MAX_HOLDS)
    return task_view(m, found) | vm_views.task_process(m, name) | {"holds": holds}


def waits_in(m: Machine, task: Task) -> str | None:
    """The function in which a task sleeps."""
    if task.waiting_for is None:
        return None
    if task.name in m.page_waiters:
        return "lock_page" if task.exclusive else "wait_on_page_locked"
    return "kmap"


def log(m: Machine) -> dict[str, Any]:
    """The kernel log, oldest line first."""
    return {"lines": list(m.log)}
