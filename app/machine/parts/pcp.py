"""The per-CPU lists of the zones in a dump."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.machine.parts.shape import MAX_CPUS, MAX_PFN, title
from app.mm.mmzone import MIGRATE_LETTERS, NR_PCP_LISTS, PINDEX_ORDER, Zone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

# A list's key is its index.
PCP_LIST: Final = re.compile(r"[0-9]{1,2}")


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """Added to the lines of `zones`."""
    for zone, line in zip(m.zones, doc["zones"], strict=True):
        line["pcp"] = [
            {
                "cpu": cpu,
                "count": pcp.count,
                "high": pcp.high,
                "batch": pcp.batch,
                "free_factor": pcp.free_factor,
                "lists": {str(index): list(pages) for index, pages in enumerate(pcp.lists) if pages},
            }
            for cpu, pcp in enumerate(zone.pcp)
        ]
        line["nr_pcp_lists"] = NR_PCP_LISTS
        types = sorted(zone.pcp_migratetype.items())
        line["pcp_migratetype"] = [[pfn, MIGRATE_LETTERS[migratetype]] for pfn, migratetype in types]


# -- reading -------------------------------------------------------------------------------------------------


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`."""
    for zone, entry in zip(m.zones, doc["zones"].list(len(m.zones)), strict=True):
        load_pcp(entry["pcp"], zone, m.model.cpus)
        for note in entry.get("pcp_migratetype", []).list(1 << 20):
            pfn, letter = note.list(2, exactly=2)
            migratetype = MIGRATE_LETTERS.index(letter.choice(*MIGRATE_LETTERS))
            zone.pcp_migratetype[pfn.int(0, MAX_PFN)] = migratetype


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


# -- checking ------------------------------------------------------------------------------------------------


def verify(m: Machine) -> Iterator[str]:
    """Each zone's per-CPU lists."""
    for zone in m.zones:
        for fault in pcp_faults(zone):
            yield f"{title(zone)}: {fault}"


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


def pcp_frames(zone: Zone) -> int:
    """Frames on all CPUs' lists of the zone."""
    return sum(len(pages) << PINDEX_ORDER[index] for pcp in zone.pcp for index, pages in enumerate(pcp.lists))


PART: Final = Part("per-CPU lists", dump, load, verify)
