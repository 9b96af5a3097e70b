"""Whether a machine is in order: every rule that its state must keep, whatever was called.

The kernel has such checks behind CONFIG_DEBUG_VM, one at each place where it would hurt. Here they are in
one place, and their cost follows what was touched, not how much memory there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from app.machine import slub_validate, vmap_validate
from app.mm import page_ref
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_HIGHATOMIC,
    MIGRATE_LETTERS,
    MIGRATE_TYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    PINDEX_ORDER,
    Zone,
)
from app.mm.page import PG_head, PG_locked, PG_reserved, PG_waiters
from app.mm.page_free import OWNED
from app.mm.printk import LOG_BUF_LEN

if TYPE_CHECKING:
    from app.machine.machine import Machine

# A stretch of frames: first, end, and who has them.
Span = tuple[int, int, str]


def verify(m: Machine) -> list[str]:
    """Everything that is wrong with a machine, in words; an empty list is what it should be."""
    return [
        *(fault for zone in m.zones for fault in zone_faults(m, zone)),
        *frame_faults(m),
        *page_faults(m),
        *stray_faults(m),
        *task_faults(m),
        *lock_faults(m),
        *log_faults(m),
        *slub_validate.validate_slabs(m),
        *vmap_validate.validate_vmap(m),
    ]


# -- zones -----------------------------------------------------------------------------------------


def zone_faults(m: Machine, zone: Zone) -> Iterator[str]:
    """One zone's lists and counters."""
    name = f"{zone.name} of node {zone.nid}"
    for fault in (*list_faults(zone), *counter_faults(zone), *pcp_faults(zone), *pageblock_faults(zone)):
        yield f"{name}: {fault}"


def list_faults(zone: Zone) -> Iterator[str]:
    """The free lists against the map of free blocks, and buddies that should have become one block."""
    entries = 0
    for order, area in enumerate(zone.free_area):
        blocks = sum(map(len, area.free_list))
        if order == MAX_ORDER - 1:
            blocks += len(zone.untouched_tail)
        entries += blocks
        if order == MAX_ORDER - 1:
            blocks += (zone.untouched[1] - zone.untouched[0]) // MAX_ORDER_NR_PAGES
        if blocks != area.nr_free:
            yield f"nr_free of order {order} is {area.nr_free}, its lists hold {blocks}"
        for migratetype, free_list in enumerate(area.free_list):
            if any(zone.buddy.get(pfn) != order << 3 | migratetype for pfn in free_list):
                yield f"list {order}{MIGRATE_LETTERS[migratetype]} holds a block that is filed as another"
    if entries != len(zone.buddy):
        yield f"{len(zone.buddy)} blocks are filed as free, {entries} are on lists"
    for pfn, code in zone.buddy.items():
        order = code >> 3
        if pfn & (1 << order) - 1 or not zone.spans_pfn(pfn) or not zone.spans_pfn(pfn + (1 << order) - 1):
            yield f"free block {pfn:#x} of order {order} is not aligned, or not of this zone"
        if pfn >> order & 1 and order < PAGEBLOCK_ORDER:
            buddy = zone.buddy.get(pfn ^ 1 << order)
            if buddy is not None and buddy >> 3 == order:
                yield f"free buddies {pfn ^ 1 << order:#x} and {pfn:#x} of order {order} are not merged"


def counter_faults(zone: Zone) -> Iterator[str]:
    """The counters of free frames against the lists."""
    free = free_frames(zone)
    if zone.nr_free_pages != free:
        yield f"counts {zone.nr_free_pages} free frames, its lists hold {free}"
    if any(abs(diff) > zone.stat_threshold for diff in zone.vm_stat_diff):
        yield f"a CPU keeps a difference above the threshold of {zone.stat_threshold}: {zone.vm_stat_diff}"


def free_frames(zone: Zone) -> int:
    """Frames on the zone's free lists."""
    return sum(area.nr_free << order for order, area in enumerate(zone.free_area))


def pcp_frames(zone: Zone) -> int:
    """Frames on all CPUs' lists of the zone."""
    return sum(len(pages) << PINDEX_ORDER[index] for pcp in zone.pcp for index, pages in enumerate(pcp.lists))


def pcp_faults(zone: Zone) -> Iterator[str]:
    """The per-CPU lists against their counts and notes."""
    waiting: dict[int, None] = {}
    for cpu, pcp in enumerate(zone.pcp):
        count = sum(len(pages) << PINDEX_ORDER[index] for index, pages in enumerate(pcp.lists))
        if count != pcp.count:
            yield f"CPU {cpu} counts {pcp.count} frames, its lists hold {count}"
        for index, pages in enumerate(pcp.lists):
            waiting.update(dict.fromkeys(pages))
            if any(pfn & (1 << PINDEX_ORDER[index]) - 1 or not zone.spans_pfn(pfn) for pfn in pages):
                yield f"list {index} of CPU {cpu} holds a block that is not aligned, or not of this zone"
    if any(pfn not in waiting for pfn in zone.pcp_migratetype):
        yield "a type is noted for a frame that is on no per-CPU list"


def pageblock_faults(zone: Zone) -> Iterator[str]:
    """The types of the pageblocks."""
    types = zone.pageblock_flags
    if any(not 0 <= migratetype < MIGRATE_TYPES for migratetype in types.values()):
        yield "a pageblock has no valid type"
    highatomic = sum(migratetype == MIGRATE_HIGHATOMIC for migratetype in types.values())
    if zone.nr_reserved_highatomic != highatomic * PAGEBLOCK_NR_PAGES:
        yield f"nr_reserved_highatomic is {zone.nr_reserved_highatomic} with {highatomic} such pageblocks"


# -- frames ----------------------------------------------------------------------------------------


def frame_faults(m: Machine) -> Iterator[str]:
    """Every frame has one owner, and none is missing: free + per-CPU + in use + lost + reserved = managed."""
    for below, above in pairwise(sorted(spans(m))):
        if below[1] > above[0]:
            yield f"frame {above[0]:#x} is {below[2]} and {above[2]}"
    for zone, reserved, then in zip(m.zones, reserved_pages(m), m.reserved_pages, strict=True):
        if reserved != then:
            yield f"{zone.name} of node {zone.nid}: {reserved} frames are nobody's, {then} were at first"


def spans(m: Machine) -> Iterator[Span]:
    """All stretches of frames that somebody has: the free lists, the per-CPU lists, the blocks in use."""
    for zone in m.zones:
        if zone.untouched[0] < zone.untouched[1]:
            yield *zone.untouched, "free"
        for pfn, code in zone.buddy.items():
            yield pfn, pfn + (1 << (code >> 3)), "free"
        for pcp in zone.pcp:
            for index, pages in enumerate(pcp.lists):
                for pfn in pages:
                    yield pfn, pfn + (1 << PINDEX_ORDER[index]), "on a per-CPU list"
    for pfn, page in m.pages.items():
        yield pfn, pfn + (1 << page.order), page.state


def reserved_pages(m: Machine) -> list[int]:
    """By zone: managed frames that are neither free nor in use by a call. The kernel has them since boot."""
    rest = [zone.managed_pages - free_frames(zone) - pcp_frames(zone) for zone in m.zones]
    for pfn, page in m.pages.items():
        rest[m.zone_of(pfn).idx] -= 1 << page.order
    return rest


def page_faults(m: Machine) -> Iterator[str]:
    """The blocks in use: where they lie, how they are counted, and that the lost ones are."""
    lost = 0
    for pfn, page in m.pages.items():
        what = f"{page.state} block {pfn:#x} of order {page.order}"
        if (
            page.pfn != pfn
            or pfn & (1 << page.order) - 1
            or not m.zone_of(pfn).spans_pfn(pfn + (1 << page.order) - 1)
        ):
            yield f"{what} is not aligned, or not of one zone"
        if page.flags & PG_head and (not page.order or pfn in m.pieces):
            yield f"{what} is the head of no compound page"
        if page.state == "lost":
            lost += 1 << page.order
        elif page.refcount <= 0 and pfn not in m.pieces and page.state not in OWNED:
            yield f"{what} is in use without a reference"
    if lost != m.lost:
        yield f"{m.lost} frames are counted as lost, {lost} are"
    for pfn, first in m.pieces.items():
        if pfn not in m.pages or first >= pfn:
            yield f"frame {pfn:#x} is noted as a piece of the block at {first:#x}"


def stray_faults(m: Machine) -> Iterator[str]:
    """Frames with a record of their own: not first of a block, and with something to say."""
    for pfn, stray in m.stray.items():
        usual = (1, PG_reserved) if page_ref.is_reserved(m, pfn) else (0, 0)
        if pfn in m.pages or (stray.refcount, stray.flags) == usual:
            yield f"frame {pfn:#x} has a record of its own and needs none"


# -- tasks, locks, log -----------------------------------------------------------------------------


def task_faults(m: Machine) -> Iterator[str]:
    """Tasks against the queues in which they sleep."""
    if "init" not in m.tasks:
        yield "there is no init"
    pids = {task.pid for task in m.tasks.values()}
    if len(pids) != len(m.tasks):
        yield "two tasks have one pid"
    for name, task in m.tasks.items():
        asleep = (name in m.page_waiters) + (name in m.pkmap.waiters)
        if task.name != name or asleep != (task.waiting_for is not None):
            yield f"task {name} stands in {asleep} queues, and waits for {task.waiting_for}"
    for name in (*m.page_waiters, *m.pkmap.waiters):
        if name not in m.tasks:
            yield f"{name} sleeps and is no task"


def lock_faults(m: Machine) -> Iterator[str]:
    """Page locks: who is known to have one, and that nobody sleeps on a page that is not locked.

    Without DEBUG_VM a locked page can be freed and its flags forgotten; whoever waits then waits for ever.
    """
    for pfn in m.lock_holders:
        if not page_ref.page_flags(m, pfn) & PG_locked:
            yield f"frame {pfn:#x} has somebody who locked it, but no lock"
    if m.debug:
        for name, task in m.page_waiters.items():
            pfn = task.waiting_for or 0
            if page_ref.page_flags(m, pfn) & (PG_locked | PG_waiters) != PG_locked | PG_waiters:
                yield f"{name} waits for the lock of frame {pfn:#x}, which is not locked or does not know"


def log_faults(m: Machine) -> Iterator[str]:
    """The log against its size."""
    size = sum(len(line) + 1 for line in m.log)
    if size != m.log_bytes or size > LOG_BUF_LEN:
        yield f"the log counts {m.log_bytes} bytes, it holds {size}"
