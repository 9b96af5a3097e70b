"""Single figures of a machine by a few words, as the files of demos and exercises ask for them.

    free DMA32                  managed, present, free, pcp, min, low, high or boost of a zone, or of `all`
    buddyinfo DMA               free blocks of each order
    blocks Normal Unmovable     pageblocks of a type, as in /proc/pagetypeinfo
    reserve Normal HighMem      lowmem_reserve of a zone against requests for another
    cache kmalloc-96 num_slabs  allocated, num_objs, num_slabs or waste of a slab cache
    page 0x3045 mapcount        refcount, mapcount, index of a frame; anon, file: 1 if it is one
    lru inactive_file           pages on an LRU list
    vmstat pgsteal_kswapd       any counter of /proc/vmstat
    mm a resident               pages of a process: resident, total_vm, tables, anon, file or shmem

Only what is asked for is looked at. Zones of one name on several nodes are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from app.machine import lru_views
from app.machine.entry.system_call import mm_view
from app.machine.machine import Machine
from app.machine.slab_views import summary
from app.mm import mem_map, page_ref
from app.mm.mm_types import MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MmStruct
from app.mm.mmzone import MIGRATE_NAMES, Zone
from app.mm.pgtable_types import PAGE_SIZE
from app.mm.proc import pagetypeinfo, vmstat
from app.mm.sched import Task
from app.mm.vmstat import LRU_NAMES

ALL: Final = "all"
ZONE_FIELDS: Final = ("free", "managed", "present", "min", "low", "high", "boost", "pcp")
CACHE_FIELDS: Final = ("allocated", "num_objs", "num_slabs", "waste")
RSS: Final = {"anon": MM_ANONPAGES, "file": MM_FILEPAGES, "shmem": MM_SHMEMPAGES}
MM_FIELDS: Final = ("resident", "total_vm", "tables", *RSS)
PAGE_FIELDS: Final = ("refcount", "mapcount", "index", "anon", "file")
# How many names stand behind each word.
NAMES: Final = dict.fromkeys((*ZONE_FIELDS, "buddyinfo", "lru", "vmstat"), 1) | dict.fromkeys(
    ("blocks", "reserve", "cache", "mm", "page"), 2
)

Figures = Sequence[int]


def read(m: Machine, subject: Sequence[str]) -> Figures | None:
    """What the words stand for; None where this machine has nothing of that name."""
    word, *names = subject
    if word in ZONE_FIELDS:
        return zone_field(m, word, *names)
    return READERS[word](m, *names)


def every(m: Machine) -> dict[tuple[str, ...], Figures]:
    """All that there is, but for single frames."""
    names = dict.fromkeys(zone.name for zone in m.zones)
    subjects = [
        *((word, name) for name in names for word in (*ZONE_FIELDS, "buddyinfo")),
        *(("blocks", name, kind) for name in names for kind in MIGRATE_NAMES),
        *(("reserve", name, other) for name in names for other in names),
        *(("cache", name, field) for name in m.caches for field in CACHE_FIELDS),
        *(("lru", name) for name in LRU_NAMES),
    ]
    found = {subject: figures for subject in subjects if (figures := read(m, subject)) is not None}
    for task in m.tasks.values():
        if task.mm is not None:
            found |= {("mm", task.name, field): [pages] for field, pages in pages_of(task, task.mm).items()}
    return found | {("vmstat", name): [count] for name, count in vmstat_counters(m).items()}


def zones(m: Machine, name: str) -> list[Zone]:
    """The zones of a name, which each node may have."""
    return [zone for zone in m.zones if name in (zone.name, ALL)]


def zone_field(m: Machine, field: str, name: str) -> Figures | None:
    """One figure of a zone. The marks are those that checks compare with, so they include the boost."""
    found = zones(m, name)
    return [sum(map(FIELDS[field], found))] if found else None


FIELDS: Final[dict[str, Callable[[Zone], int]]] = {
    "free": lambda zone: zone.nr_free_pages,
    "managed": lambda zone: zone.managed_pages,
    "present": lambda zone: zone.present_pages,
    "min": lambda zone: zone.wmark_pages(0),
    "low": lambda zone: zone.wmark_pages(1),
    "high": lambda zone: zone.wmark_pages(2),
    "boost": lambda zone: zone.boost,
    "pcp": lambda zone: sum(pcp.count for pcp in zone.pcp),
}


def buddyinfo(m: Machine, name: str) -> Figures | None:
    """Free blocks of each order from 0 on, without those on per-CPU lists."""
    found = zones(m, name)
    if not found:
        return None
    return [sum(counts) for counts in zip(*([a.nr_free for a in z.free_area] for z in found), strict=True)]


def blocks(m: Machine, name: str, kind: str) -> Figures | None:
    """Pageblocks of a type."""
    found = zones(m, name)
    place = MIGRATE_NAMES.index(kind) - len(MIGRATE_NAMES)
    return [sum(int(pagetypeinfo.blocks_line(zone).split()[place]) for zone in found)] if found else None


def reserve(m: Machine, name: str, other: str) -> Figures | None:
    """lowmem_reserve of a zone against requests that could have had another."""
    found = next((zone for zone in m.zones if zone.name == name), None)
    against = next((zone for zone in m.zones if zone.name == other), None)
    return None if found is None or against is None else [found.lowmem_reserve[against.zid]]


def cache(m: Machine, name: str, field: str) -> Figures | None:
    """A figure of a slab cache."""
    return [summary(m.caches[name])[field]] if name in m.caches else None


def mm(m: Machine, name: str, field: str) -> Figures | None:
    """Pages of a process."""
    task = m.tasks.get(name)
    return None if task is None or task.mm is None else [pages_of(task, task.mm)[field]]


def pages_of(task: Task, of: MmStruct) -> dict[str, int]:
    """Pages of a process. tables: all of its page tables but the highest."""
    view = mm_view(task, of)
    rss = {field: view["rss"][field] + task.rss_stat[member] for field, member in RSS.items()}
    tables: int = view["pgtables_bytes"] // PAGE_SIZE
    return {"resident": view["resident"], "total_vm": view["total_vm"], "tables": tables} | rss


def page(m: Machine, number: str, field: str) -> Figures | None:
    """A figure of a page frame."""
    pfn = int(number, 0)
    if not m.model.pfn_valid(pfn):
        return None
    user = mem_map.known(m, pfn)
    mapping = mem_map.mapping_of(m, pfn) if user else None
    return [
        {
            "refcount": page_ref.page_count(m, pfn),
            "mapcount": mem_map.page_mapcount(m, pfn) if user else 0,
            "index": mem_map.index_of(m, pfn) if user else 0,
            "anon": int(user and mem_map.is_anon(m, pfn)),
            "file": int(mapping is not None),
        }[field]
    ]


def lru(m: Machine, name: str) -> Figures | None:
    """Pages on an LRU list, of all nodes."""
    found = [
        line["pages"] for node in m.nodes for line in lru_views.sizes(m, node.nid) if line["name"] == name
    ]
    return [sum(found)] if found else None


def vmstat_counters(m: Machine) -> dict[str, int]:
    """The counters of /proc/vmstat by name."""
    lines = (line.split() for line in vmstat.show(m).splitlines())
    return {name: int(count) for name, count in lines}


def vmstat_counter(m: Machine, name: str) -> Figures | None:
    """A counter of /proc/vmstat."""
    count = vmstat_counters(m).get(name)
    return None if count is None else [count]


READERS: Final[dict[str, Callable[..., Figures | None]]] = {
    "buddyinfo": buddyinfo,
    "blocks": blocks,
    "reserve": reserve,
    "cache": cache,
    "mm": mm,
    "page": page,
    "lru": lru,
    "vmstat": vmstat_counter,
}
