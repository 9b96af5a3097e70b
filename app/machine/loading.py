"""A machine from a dump, a recording or a kept state.

A dump comes from anywhere, so every value is checked where it is read, and the whole machine at the end. A
state comes from this program, and whoever keeps it sees by a hash that it is what it was: it is read in a
hurry. So never restore a state that a client could have made.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from operator import ge, gt
from typing import Any, Final

from app.machine import bootparam, invariants, slab_dump, vmallocinfo
from app.machine.document import Document
from app.machine.machine import Machine
from app.machine.parts import counters, frames, pkmap, settings, tasks
from app.mm import printk
from app.mm.buddy import touch
from app.mm.memory_model import PAGE_OFFSET, PAGE_SHIFT, PTR_MAX, SIZEOF_PAGE, VMEMMAP_START, MemoryModel
from app.mm.mmzone import (
    MAX_ORDER,
    MAX_ORDER_NR_PAGES,
    MIGRATE_LETTERS,
    MIGRATE_TYPES,
    NR_PCP_LISTS,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    PINDEX_ORDER,
    Node,
    PerCpuPages,
    Zone,
)
from app.mm.page import STATES, Page
from app.mm.sysctl import MIN_PERCPU_PAGELIST_HIGH_FRACTION

# A free list's key is its order and migratetype, a per-CPU list's its index.
FREE_LIST: Final = re.compile(rf"([0-9]{{1,2}})([{MIGRATE_LETTERS}])")
PCP_LIST: Final = re.compile(r"[0-9]{1,2}")
MAX_PFN: Final = 1 << 32
MAX_PAGEBLOCKS: Final = 1 << 19
MAX_ZONES: Final = 64
MAX_NODES: Final = 16
MAX_CPUS: Final = 64
MAX_COUNT: Final = 1 << 40
# A session's limit looks at what a call asks for, not at the slabs and tables that it takes besides.
MAX_BLOCKS: Final = 1_500_000
# What stands in the line of a block in use: bounds of a number, words of a choice, the length of a word.
PFN: Final = (0, MAX_PFN)
ORDER: Final = (0, MAX_ORDER - 1)
REFCOUNT: Final = (-(1 << 31), (1 << 31) - 1)
FLAGS: Final = (0, PTR_MAX["x86_64"])
GFP: Final = (0, 0xFFFFFFFF)
TASK: Final = 32
COUNT: Final = (0, MAX_COUNT)
PAGE_LINE: Final = (PFN, ORDER, REFCOUNT, FLAGS, GFP, STATES, TASK, COUNT, COUNT)
ZONE_NAMES: Final = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


def load(value: Any, read_pages: Callable[[Machine, Any], None] | None = None) -> Machine:
    """A machine from a dump or a recording. Raises BadArgument with the place of what cannot be accepted.

    read_pages: of a state of our own, what reads the blocks in use. It is known to be a machine's, so nothing
    is checked that takes long.
    """
    doc = Document(value, ("dump",))
    trusted = read_pages is not None
    kernel = doc["kernel"]
    arch = kernel["arch"].choice("x86_64", "i386")
    cpus = kernel.get("cpus", kernel.get("num_online_cpus", 1).value).int(1, MAX_CPUS)
    zones = [load_zone(entry, cpus, trusted=trusted) for entry in doc["zones"].list(MAX_ZONES)]
    if not zones:
        doc["zones"].fault("at least one zone")
    check_zones(doc["zones"], zones)
    nodes = [load_node(entry, zones, place) for place, entry in enumerate(doc["nodes"].list(MAX_NODES))]
    if not nodes:
        doc["nodes"].fault("at least one node")
    for entry, zone in zip(doc["zones"].list(MAX_ZONES), zones, strict=True):
        if zone.nid >= len(nodes):
            entry["nid"].fault("a node of this dump")
    max_low_pfn = kernel.get("max_low_pfn", 0).int(0, MAX_PFN)
    m = Machine(memory_model(arch, cpus, len(nodes), zones, max_low_pfn), zones, nodes)
    load_settings(m, doc)
    if read_pages is None:
        load_pages(m, doc)
    else:
        read_pages(m, value)
    slab_dump.load_caches(m, doc)
    vmallocinfo.load_vmap(m, doc.get("vmap", {}))
    frames.load_frames(m, doc)
    tasks.load_tasks(m, doc)
    pkmap.load_pkmap(m, doc.get("pkmap", {}))
    counters.load_vmstat(m, doc.get("vmstat", {}))
    for line in doc.get("log", []).list(100_000):
        m.log.append(line.str(2000))
        m.log_bytes += len(m.log[-1]) + 1
    if trusted:
        m.reserved_pages = list(value["machine"]["reserved_pages"])
    else:
        check(m, doc)
    return m


def restore(document: Mapping[str, Any]) -> Machine:
    """The machine of a state, or of a dump, which is what states were before; that one is checked."""
    if not isinstance(document.get("pages"), dict):
        return load(document)
    return load(document, read_pages)


def read_pages(m: Machine, document: Mapping[str, Any]) -> None:
    """Inverse of `columns`."""
    lines = document["pages"]
    kinds = lines["kinds"]
    pages = m.pages
    for pfn, kind, seq, private in zip(
        accumulate(lines["step"]), lines["kind"], lines["seq"], lines["private"], strict=True
    ):
        order, refcount, flags, gfp, state, task = kinds[kind]
        page = pages[pfn] = Page(pfn, order, flags, gfp, state, task, seq)
        if refcount != 1:
            page.refcount = refcount
        if private:
            page.private = private


def check(m: Machine, doc: Document) -> None:
    """A dump that could not be a machine's state is refused; a recording's frames in use are counted."""
    machine = doc.get("machine", {})
    m.reserved_pages = invariants.reserved_pages(m)
    if machine.has("reserved_pages"):
        m.reserved_pages = machine["reserved_pages"].ints(0, MAX_PFN, len(m.zones), exactly=len(m.zones))
    faults = invariants.verify(m)
    if faults:
        doc.fault(f"a state that a machine can be in: {faults[0]}")


def memory_model(
    arch: str, cpus: int, nodes: int, zones: list[Zone], max_low_pfn: int | None = None
) -> MemoryModel:
    """The fixed shape that follows from the zones.

    max_low_pfn: as in MemoryModel; None where it is the start of HIGHMEM, or the end of memory without it.
    """
    end = max(zone.end_pfn for zone in zones)
    low = max_low_pfn or min([zone.start_pfn for zone in zones if zone.name == "HighMem"], default=end)
    mem_map = VMEMMAP_START
    if arch == "i386":
        # Allocated at boot from the top of the memory that the direct map reaches.
        mem_map = (PAGE_OFFSET[arch] + (low << PAGE_SHIFT) - end * SIZEOF_PAGE[arch]) & ~0xFFF
    return MemoryModel(
        arch, cpus, nodes, tuple((zone.start_pfn, zone.hole_pfn) for zone in zones), low, mem_map
    )


def check_zones(doc: Document, zones: list[Zone]) -> None:
    """Zones must not overlap: a frame has one zone."""
    ordered = sorted(zones, key=lambda zone: zone.start_pfn)
    for below, above in pairwise(ordered):
        if below.end_pfn > above.start_pfn:
            doc.fault(f"zones overlap at page frame {above.start_pfn:#x}")
    for index, zone in enumerate(zones):
        zone.idx = index


def load_node(doc: Document, zones: list[Zone], place: int) -> Node:
    """A node; nodes are numbered as they stand."""
    nid = doc["nid"].int(place, place)
    by_name = {(zone.nid, zone.name): zone for zone in zones}
    lists: list[list[Zone]] = []
    for entry in doc["zonelists"].list(2):
        zonelist = []
        for ref in entry.list(MAX_ZONES):
            pair = ref.list(2, exactly=2)
            zone = by_name.get((pair[0].int(0, MAX_NODES), pair[1].str()))
            if zone is None:
                ref.fault("[node, name] of a zone of this dump")
            zonelist.append(zone)
        lists.append(zonelist)
    if not lists:
        doc["zonelists"].fault("at least one zonelist")
    thisnode = lists[1] if len(lists) > 1 else [zone for zone in lists[0] if zone.nid == nid]
    node = Node(nid, lists[0], thisnode)
    node.kswapd_woken = doc.get("kswapd_woken", False).bool()
    return node


def load_zone(doc: Document, cpus: int, *, trusted: bool) -> Zone:
    """A zone with its lists in order."""
    zone = Zone(
        doc["name"].choice(*ZONE_NAMES),
        doc["nid"].int(0, MAX_NODES - 1),
        doc["zid"].int(0, 4),
        doc["start_pfn"].int(0, MAX_PFN),
        doc["spanned"].int(1, MAX_PFN),
        doc["present"].int(0, MAX_PFN),
        doc["managed"].int(0, MAX_PFN),
        cpus,
    )
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
    load_pageblocks(doc["pageblocks"], zone)
    load_free_lists(doc["free_list"], zone, trusted=trusted)
    if not trusted:
        check_overlap(doc["free_list"], zone)
    touch(zone)
    load_pcp(doc["pcp"], zone, cpus)
    for entry in doc.get("pcp_migratetype", []).list(1 << 20):
        pfn, letter = entry.list(2, exactly=2)
        zone.pcp_migratetype[pfn.int(0, MAX_PFN)] = MIGRATE_LETTERS.index(letter.choice(*MIGRATE_LETTERS))
    if len(zone.lowmem_reserve) < 3:
        doc["lowmem_reserve"].fault("a reserve for each zone index")
    return zone


def load_pageblocks(doc: Document, zone: Zone) -> None:
    """The types of the pageblocks; the commonest is not written down block by block."""
    runs = []
    blocks = dict.fromkeys(range(MIGRATE_TYPES), 0)
    for entry in doc.list(MAX_PAGEBLOCKS):
        pfn, number, letter = entry.list(3, exactly=3)
        migratetype = MIGRATE_LETTERS.index(letter.choice(*MIGRATE_LETTERS))
        count = number.int(1, MAX_PFN >> PAGEBLOCK_ORDER)
        runs.append((pfn.int(0, MAX_PFN) >> PAGEBLOCK_ORDER, count, migratetype))
        blocks[migratetype] += count
    zone.default_migratetype = max((1, 0, 2), key=lambda migratetype: blocks[migratetype])
    rest = sum(count for _, count, migratetype in runs if migratetype != zone.default_migratetype)
    if rest > min(zone.spanned_pages // PAGEBLOCK_NR_PAGES + 2, MAX_PAGEBLOCKS):
        doc.fault("the pageblocks of this zone, most of them of one type")
    zone.hole_pfn = min(
        zone.end_pfn, max((first + count for first, count, _ in runs), default=0) << PAGEBLOCK_ORDER
    )
    for first, count, migratetype in runs:
        if migratetype != zone.default_migratetype:
            zone.pageblock_flags.update(dict.fromkeys(range(first, first + count), migratetype))


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


def load_pcp(doc: Document, zone: Zone, cpus: int) -> None:
    """The per-CPU lists, head first."""
    for cpu, entry in enumerate(doc.list(MAX_CPUS, exactly=cpus)):
        pcp = zone.pcp[cpu]
        pcp.high = entry["high"].int(0, MAX_PFN)
        pcp.batch = entry["batch"].int(1, 1 << 16)
        pcp.free_factor = entry["free_factor"].int(0, 5)
        for key, pages in entry["lists"].items():
            if not PCP_LIST.fullmatch(key) or int(key) >= NR_PCP_LISTS:
                pages.fault(f"named by an index below {NR_PCP_LISTS}")
            index = int(key)
            pcp.lists[index].extend(pages.ints(zone.start_pfn, zone.end_pfn - 1, MAX_PFN))
            pcp.count += len(pcp.lists[index]) << PINDEX_ORDER[index]
        if pcp.count > most_on_pcp(zone, pcp):
            entry["lists"].fault(
                f"at most {most_on_pcp(zone, pcp)} page frames, and here are {pcp.count}: a kernel returns "
                "what is beyond `high` to the free lists"
            )


def most_on_pcp(zone: Zone, pcp: PerCpuPages) -> int:
    """Page frames that one CPU's lists of a zone can hold in any kernel.

    `high` may have been larger before a sysctl; and an empty list is refilled however full the others are.
    """
    highest = max(pcp.high, zone.managed_pages // MIN_PERCPU_PAGELIST_HIGH_FRACTION)
    return highest + sum(max(pcp.batch, 2 << order) for order in PINDEX_ORDER)


def load_settings(m: Machine, doc: Document) -> None:
    """The kernel's settings; -1 stands for one that the recorded kernel did not show."""
    kernel = doc["kernel"]
    m.kernel = {key: value for key, value in kernel.value.items() if isinstance(value, (int, str, list))}
    m.page_group_by_mobility_disabled = kernel.get("page_group_by_mobility_disabled", 0).int(-1, 1) == 1
    settings.load_settings(m, kernel)
    machine = doc.get("machine", {})
    if machine.has("config"):
        bootparam.load(m, machine["config"])
    m.debug = machine.get("debug", False).bool()
    m.lost = machine.get("lost", 0).int(0, MAX_PFN)
    if machine.has("freelist_seed"):
        m.freelist_seed = machine["freelist_seed"].int(0, 0xFFFFFFFF)
    m.taint = machine.get("taint", 0).int(0, printk.TAINT_FLAGS_MAX)
    m.die_counter = machine.get("die_counter", 0).int(0, MAX_COUNT)
    m.warned = {place.str(): None for place in machine.get("warned", []).list(1000)}


def load_pages(m: Machine, doc: Document) -> None:
    """The blocks in use that the machine knows the owner of."""
    lines = doc.get("pages", [])
    columns = lines.columns(MAX_BLOCKS, PAGE_LINE)
    if columns is None or not places_valid(m, columns[0], columns[1]):
        for entry in lines.list(MAX_BLOCKS):
            page = load_page(m, entry)
            m.pages[page.pfn] = page
        return
    for pfn, order, refcount, flags, gfp, state, task, seq, private in zip(*columns, strict=True):
        page = m.pages[pfn] = Page(pfn, order, flags, gfp, state, task, seq)
        page.refcount = refcount
        page.private = private


def places_valid(m: Machine, pfns: Sequence[int], orders: Sequence[int]) -> bool:
    """Whether blocks that stand in ascending order lie where the machine has memory."""
    if any(map(ge, pfns, pfns[1:])):
        return False
    ends = [pfn + (1 << order) for pfn, order in zip(pfns, orders, strict=True)]
    if any(map(gt, ends, pfns[1:])):
        return False
    starts_within = sum(bisect_left(pfns, end) - bisect_left(pfns, start) for start, end in m.model.spans)
    ends_within = sum(bisect_right(ends, end) - bisect_right(ends, start) for start, end in m.model.spans)
    return starts_within == ends_within == len(pfns)


def load_page(m: Machine, doc: Document) -> Page:
    """One block in use."""
    pfn, order, refcount, flags, gfp, state, task, seq, private = doc.list(9, exactly=9)
    page = Page(
        pfn.int(*PFN), order.int(*ORDER), flags.int(*FLAGS), gfp.int(*GFP), state.choice(*STATES),
        task.word(TASK), seq.int(*COUNT),
    )  # fmt: skip
    if not m.model.pfn_valid(page.pfn) or not m.model.pfn_valid(page.pfn + (1 << page.order) - 1):
        pfn.fault("a page frame of this machine")
    page.refcount = refcount.int(*REFCOUNT)
    page.private = private.int(*COUNT)
    return page
