"""The fixed shape of a machine in a dump: its zones' bounds and pageblocks, its nodes, where memory is."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.mm.memory_model import PAGE_OFFSET, PAGE_SHIFT, SIZEOF_PAGE, VMEMMAP_START, MemoryModel
from app.mm.mmzone import (
    MIGRATE_HIGHATOMIC,
    MIGRATE_LETTERS,
    MIGRATE_TYPES,
    PAGEBLOCK_NR_PAGES,
    PAGEBLOCK_ORDER,
    Node,
    Zone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_PFN: Final = 1 << 32
MAX_PAGEBLOCKS: Final = 1 << 19
MAX_ZONES: Final = 64
MAX_NODES: Final = 16
MAX_CPUS: Final = 64
ZONE_NAMES: Final = ("DMA", "DMA32", "Normal", "HighMem", "Movable")


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """`nodes`, and of `zones` what never changes but for the pageblocks' types."""
    doc["nodes"] = [node_line(m, node) for node in m.nodes]
    doc["zones"] = [zone_line(zone) for zone in m.zones]


def node_line(m: Machine, node: Node) -> dict[str, Any]:
    """A node and the orders in which its zones are tried."""
    own = [zone for zone in m.zones if zone.nid == node.nid]
    return {
        "nid": node.nid,
        "start_pfn": f"{min(zone.start_pfn for zone in own):#x}",
        "spanned": max(zone.end_pfn for zone in own) - min(zone.start_pfn for zone in own),
        "present": sum(zone.present_pages for zone in own),
        "zonelists": [[[zone.nid, zone.name] for zone in zones] for zones in (node.zonelist, node.thisnode)],
        "kswapd_woken": node.kswapd_woken,
    }


def zone_line(zone: Zone) -> dict[str, Any]:
    """A zone's bounds and pageblocks; other parts add what else is known of it."""
    return {
        "nid": zone.nid,
        "zid": zone.zid,
        "name": zone.name,
        "start_pfn": f"{zone.start_pfn:#x}",
        "spanned": zone.spanned_pages,
        "present": zone.present_pages,
        "managed": zone.managed_pages,
        "pageblock_order": PAGEBLOCK_ORDER,
        "pageblocks": pageblock_runs(zone),
    }


def pageblock_runs(zone: Zone) -> list[list[Any]]:
    """`[first pfn, number of blocks, type]`: neighbours of one type are one run."""
    first = zone.start_pfn >> PAGEBLOCK_ORDER
    end = (zone.hole_pfn - 1 >> PAGEBLOCK_ORDER) + 1
    exceptions = sorted(block for block in zone.pageblock_flags if first <= block < end)
    cuts = sorted({first, end, *exceptions, *(min(block + 1, end) for block in exceptions)})
    runs: list[list[Any]] = []
    for block, following in pairwise(cuts):
        letter = MIGRATE_LETTERS[zone.pageblock_flags.get(block, zone.default_migratetype)]
        if runs and runs[-1][2] == letter:
            runs[-1][1] += following - block
        else:
            runs.append([block << PAGEBLOCK_ORDER, following - block, letter])
    return runs


# -- reading -------------------------------------------------------------------------------------------------


def read(doc: Document) -> tuple[MemoryModel, list[Zone], list[Node]]:
    """What a machine of this shape is made from; the other parts are read onto it. Raises BadArgument."""
    kernel = doc["kernel"]
    arch = kernel["arch"].choice("x86_64", "i386")
    cpus = kernel.get("cpus", kernel.get("num_online_cpus", 1).value).int(1, MAX_CPUS)
    zones = [load_zone(entry, cpus) for entry in doc["zones"].list(MAX_ZONES)]
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
    return memory_model(arch, cpus, len(nodes), zones, max_low_pfn), zones, nodes


def load(m: Machine, doc: Document) -> None:
    """Nothing is left to do: `read` has been called to make the machine."""


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


def load_zone(doc: Document, cpus: int) -> Zone:
    """A zone with its pageblocks, which say where its memory ends."""
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
    load_pageblocks(doc["pageblocks"], zone)
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


# -- checking ------------------------------------------------------------------------------------------------


def verify(m: Machine) -> Iterator[str]:
    """The types of the pageblocks."""
    for zone in m.zones:
        types = zone.pageblock_flags
        if any(not 0 <= migratetype < MIGRATE_TYPES for migratetype in types.values()):
            yield f"{title(zone)}: a pageblock has no valid type"
        highatomic = sum(migratetype == MIGRATE_HIGHATOMIC for migratetype in types.values())
        if zone.nr_reserved_highatomic != highatomic * PAGEBLOCK_NR_PAGES:
            yield (
                f"{title(zone)}: nr_reserved_highatomic is {zone.nr_reserved_highatomic} with {highatomic} "
                "such pageblocks"
            )


def title(zone: Zone) -> str:
    """A zone in a sentence."""
    return f"{zone.name} of node {zone.nid}"


PART: Final = Part("shape", dump, load, verify)
