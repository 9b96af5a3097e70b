"""What compaction remembers of zones, and what kcompactd is to do, in a dump.

A machine on which it has never run has nothing of it in its dump.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.machine.parts.shape import MAX_PFN
from app.mm.compact_suitable import COMPACT_MAX_DEFER_SHIFT
from app.mm.mmzone import MAX_ORDER, PAGEBLOCK_ORDER, Node, Zone, ZoneCompaction

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_ZONE_INDEX: Final = 3
TO_DIGITS: Final = bytes((48, 49, *bytes(254)))
TO_MARKS: Final = bytes(49) + bytes((1, *bytes(206)))


# -- writing -----------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """`compaction`, if it has ever run."""
    zones = [zone_line(zone.compact) for zone in m.zones]
    nodes = [node_line(node) for node in m.nodes]
    never = zone_line(ZoneCompaction())
    if any(line != never for line in zones) or any(node.kcompactd_max_order for node in m.nodes):
        doc["compaction"] = {"zones": zones, "nodes": nodes}


def zone_line(state: ZoneCompaction) -> dict[str, Any]:
    """All of a zone's."""
    return {
        "cached": [*state.cached_migrate_pfn, state.cached_free_pfn],
        "init": [state.init_migrate_pfn, state.init_free_pfn],
        "deferral": [state.considered, state.defer_shift, state.order_failed],
        "blockskip_flush": state.blockskip_flush,
        "skip": marks_text(state.skip),
    }


def marks_text(skip: bytearray) -> str:
    """A bit for each pageblock of the zone, the first one lowest, in hexadecimal; 0x0 for none."""
    return f"{int(skip.translate(TO_DIGITS)[::-1] or b'0', 2):#x}"


def node_line(node: Node) -> list[Any]:
    """Whether kcompactd is woken, the order and the highest zone index that are wanted of it."""
    return [node.kcompactd_woken, node.kcompactd_max_order, node.kcompactd_highest_zoneidx]


# -- reading -----------------------------------------------------------------------------------------------


def load(m: Machine, root: Document) -> None:
    """Inverse of `dump`."""
    if not root.has("compaction"):
        return
    doc = root["compaction"]
    for zone, line in zip(m.zones, doc["zones"].list(len(m.zones), exactly=len(m.zones)), strict=True):
        load_zone(zone, line)
    for node, line in zip(m.nodes, doc["nodes"].list(len(m.nodes), exactly=len(m.nodes)), strict=True):
        woken, order, index = line.list(3, exactly=3)
        node.kcompactd_woken = woken.bool()
        node.kcompactd_max_order = order.int(0, MAX_ORDER - 1)
        node.kcompactd_highest_zoneidx = index.int(0, MAX_ZONE_INDEX)


def load_zone(zone: Zone, doc: Document) -> None:
    """Inverse of `zone_line`."""
    state = zone.compact
    *migrate, state.cached_free_pfn = doc["cached"].ints(0, MAX_PFN, 3, exactly=3)
    state.cached_migrate_pfn = migrate
    state.init_migrate_pfn, state.init_free_pfn = doc["init"].ints(0, MAX_PFN, 2, exactly=2)
    considered, shift, failed = doc["deferral"].list(3, exactly=3)
    state.considered = considered.int(0, 1 << COMPACT_MAX_DEFER_SHIFT)
    state.defer_shift = shift.int(0, COMPACT_MAX_DEFER_SHIFT)
    state.order_failed = failed.int(0, MAX_ORDER)
    state.blockskip_flush = doc["blockskip_flush"].bool()
    load_marks(zone, doc["skip"])


def load_marks(zone: Zone, doc: Document) -> None:
    """Inverse of `marks_text`."""
    blocks = (zone.end_pfn - 1 >> PAGEBLOCK_ORDER) - (zone.start_pfn >> PAGEBLOCK_ORDER) + 1
    text = doc.str(blocks // 4 + 3)
    if re.fullmatch("0x[0-9a-f]+", text) is None or (bits := int(text, 16)) >> blocks:
        doc.fault(f"a bit for each of {blocks} pageblocks in hexadecimal")
    if bits:
        zone.compact.skip = bytearray(f"{bits:0{blocks}b}".encode()[::-1].translate(TO_MARKS))


# -- checking ----------------------------------------------------------------------------------------------


def verify(m: Machine) -> Iterable[str]:
    """Nobody captures anything between calls."""
    if m.capture_control is not None:
        yield "a direct compactor still waits for its block"


PART: Final = Part("compaction", dump, load, verify)
