"""The free lists of the zones in a dump, with the marks and counters beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.machine.parts.shape import MAX_PAGEBLOCKS, MAX_PFN, title
from app.mm.buddy import touch
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_LETTERS,
    MIGRATE_TYPES,
    PAGEBLOCK_ORDER,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

# A free list's key is its order and migratetype.
FREE_LIST: Final = re.compile(rf"([0-9]{{1,2}})([{MIGRATE_LETTERS}])")


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """Added to the lines of `zones`."""
    for zone, line in zip(m.zones, doc["zones"], strict=True):
        line.update(zone_line(zone))


def zone_line(zone: Zone) -> dict[str, Any]:
    """A zone's marks, counters and free lists."""
    return {
        "wm": list(zone.watermark),
        "boost": zone.boost,
        "flags": f"{zone.flags:#x}",
        "nr_highatomic": zone.nr_reserved_highatomic,
        "lowmem_reserve": list(zone.lowmem_reserve),
        "vmfree": zone.vm_stat_free,
        "diff": list(zone.vm_stat_diff),
        "stat_threshold": zone.stat_threshold,
        "drift_mark": zone.percpu_drift_mark,
        "nr_free": [area.nr_free for area in zone.free_area],
        "free_list": {
            f"{order}{MIGRATE_LETTERS[migratetype]}": pfns
            for order in range(MAX_ORDER)
            for migratetype in range(MIGRATE_TYPES)
            if (pfns := list(zone.free_list_pfns(order, migratetype)))
        },
        "lru": [[pfn, count] for pfn, count in sorted(zone.lru.items())],
    }


# -- reading -------------------------------------------------------------------------------------------------


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`."""
    for zone, entry in zip(m.zones, doc["zones"].list(len(m.zones)), strict=True):
        load_zone(entry, zone, m.model.cpus, trusted=doc.trusted)


def load_zone(doc: Document, zone: Zone, cpus: int, *, trusted: bool) -> None:
    """A zone's marks and counters, and its lists in order."""
    zone.watermark = doc["wm"].ints(0, MAX_PFN, 4, exactly=4)
    zone.boost = doc["boost"].int(0, MAX_PFN)
    zone.flags = doc["flags"].int(0, 0xFF)
    zone.nr_reserved_highatomic = doc["nr_highatomic"].int(0, MAX_PFN)
    zone.lowmem_reserve = doc["lowmem_reserve"].ints(0, MAX_PFN, 5)
    zone.vm_stat_free = doc["vmfree"].int(-MAX_PFN, MAX_PFN)
    zone.vm_stat_diff = doc["diff"].ints(-128, 127, cpus, exactly=cpus)
    zone.stat_threshold = doc["stat_threshold"].int(0, 125)
    zone.percpu_drift_mark = doc.get("drift_mark", 0).int(0, MAX_PFN)
    for entry in doc.get("lru", []).list(MAX_PAGEBLOCKS):
        first, count = entry.ints(0, MAX_PFN, 2, exactly=2)
        zone.lru[first] = count
    load_free_lists(doc["free_list"], zone, trusted=trusted)
    if not trusted:
        check_overlap(doc["free_list"], zone)
    touch(zone)
    if len(zone.lowmem_reserve) < 3:
        doc["lowmem_reserve"].fault("a reserve for each zone index")


def load_free_lists(doc: Document, zone: Zone, *, trusted: bool) -> None:
    """Each list from head to tail."""
    last = zone.end_pfn - 1
    for key, entry in doc.items():
        name = FREE_LIST.fullmatch(key)
        if name is None or int(name[1]) >= MAX_ORDER:
            entry.fault("named by an order and a type, like 0U")
        order, migratetype = int(name[1]), MIGRATE_LETTERS.index(name[2])
        pfns = list(entry.value) if trusted else entry.ints(zone.start_pfn, last, zone.spanned_pages)
        first, stop = 0, 0
        if order == MAX_ORDER - 1 and migratetype == zone.default_migratetype:
            first, stop = untouched_part(pfns)
        last_first = zone.end_pfn - (1 << order)
        if not trusted and any(pfn & ((1 << order) - 1) or pfn > last_first for pfn in pfns):
            entry.fault(f"page frames aligned to order {order} within the zone")
        area = zone.free_area[order]
        area.nr_free += len(pfns)
        free_list = area.free_list[migratetype]
        if first < stop:
            zone.untouched = (pfns[first], pfns[stop - 1] + MAX_ORDER_NR_PAGES)
            zone.untouched_tail.update(dict.fromkeys(reversed(pfns[stop:])))
            free_list.update(dict.fromkeys(reversed(pfns[:first])))
            del pfns[first:stop]
        else:
            free_list.update(dict.fromkeys(reversed(pfns)))
        before = len(zone.buddy)
        zone.buddy.update(dict.fromkeys(pfns, order << 3 | migratetype))
        if len(zone.buddy) != before + len(pfns):
            entry.fault("page frames that are in no other list, each once")


def untouched_part(pfns: list[int]) -> tuple[int, int]:
    """The longest stretch of a list that is one ascending range of blocks: it needs no entry for each."""
    best = (0, 0)
    start = 0
    for place in range(1, len(pfns) + 1):
        if place == len(pfns) or pfns[place] != pfns[place - 1] + MAX_ORDER_NR_PAGES:
            if place - start > max(best[1] - best[0], 64):
                best = (start, place)
            start = place
    return best


def check_overlap(doc: Document, zone: Zone) -> None:
    """No frame may be free twice."""
    end = -1
    spans = [(pfn, 1 << (code >> 3)) for pfn, code in zone.buddy.items()]
    if zone.untouched[0] < zone.untouched[1]:
        spans.append((zone.untouched[0], zone.untouched[1] - zone.untouched[0]))
    for pfn, length in sorted(spans):
        if pfn < end:
            doc.fault(f"page frame {pfn:#x} is in two free blocks")
        end = pfn + length


# -- checking ------------------------------------------------------------------------------------------------


def verify(m: Machine) -> Iterator[str]:
    """Each zone's free lists and counters."""
    for zone in m.zones:
        for fault in (*list_faults(zone), *counter_faults(zone)):
            yield f"{title(zone)}: {fault}"


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


PART: Final = Part("zones", dump, load, verify)
