"""Where the zones of a text begin and end, and what they have: as zoneinfo says, else as a PC has them.

buddyinfo says neither. Then a zone reaches as far as the architecture lets it where another follows, and the
last one makes the machine's memory the smallest of a usual size in which all free blocks have their place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.errors import BadArgument
from app.machine.proctext.layout import Layout, NoRoom, frames_needed
from app.machine.proctext.reading import MAX_FRAMES, ZoneText
from app.mm.free_area import DMA32_END, DMA_END
from app.mm.memblock import FIRST_MIB, GIB_FRAMES, PCI_HOLE, align
from app.mm.mmzone import MAX_ORDER_NR_PAGES

ZIDS: Final = {
    "x86_64": {"DMA": 0, "DMA32": 1, "Normal": 2, "Movable": 3},
    "i386": {"DMA": 0, "Normal": 1, "HighMem": 2, "Movable": 3},
}
# First frame that Debian's i386 kernel does not map for good.
HIGHMEM_START: Final = 0x36FFE
# Frames of ZONE_DMA with memory, as a PC's firmware leaves them.
DMA_PRESENT: Final = 0xF9E
# 896 MiB, the most that the kernel's last GiB of addresses leaves for the direct map.
DIRECT_MAP_END: Final = 0x38000
MOST_FRAMES: Final = {"x86_64": 2 * MAX_FRAMES, "i386": 36 * GIB_FRAMES}
LEAST_MEMORY: Final = 64 << 8


@dataclass(slots=True)
class Bounds:
    """A zone's first frame and size, its frames with memory and with an owner, and where blocks can lie."""

    start: int
    spanned: int
    present: int
    managed: int
    usable: tuple[int, int]


def arch_of(names: Collection[str]) -> str:
    """The architecture that has zones of these names: only a 32-bit one has HIGHMEM."""
    if "HighMem" not in names:
        return "x86_64"
    if "DMA32" in names:
        raise BadArgument.at("buddyinfo", "zones of one machine: none has both DMA32 and HighMem")
    return "i386"


def place(zones: Sequence[ZoneText], arch: str) -> list[tuple[ZoneText, Bounds, Layout]]:
    """Bounds of all zones, and their free blocks in place. Raises BadArgument with the line of a zone.

    They are placed by node and index; a zone of a higher index lies above.
    """
    ordered = sorted(zones, key=lambda zone: (zone.nid, ZIDS[arch][zone.name]))
    placed: list[tuple[ZoneText, Bounds, Layout]] = []
    end, memory = 1, 0
    for zone, following in zip(ordered, [*ordered[1:], None], strict=True):
        start = max(end, first_of(zone, ordered))
        if zone.sizes.get("spanned"):
            start = zone.sizes.get("start_pfn", start)
            if start < end and placed:
                raise BadArgument.at(
                    zone.loc,
                    f"a zone above the others: with zoneinfo, it begins at frame {start:#x}, below {end:#x}",
                )
        # Before anything is laid out: that costs what the zone has, and a text may say any number.
        check_end(arch, zone, start + max(zone.sizes.get(key, 0) for key in ("spanned", "present")))
        bounds, layout = fit(zone, choices(zone, start, memory, last=following is None))
        placed.append((zone, bounds, layout))
        end = bounds.start + bounds.spanned
        memory += bounds.present
        check_end(arch, zone, end)
    return placed


def check_end(arch: str, zone: ZoneText, end: int) -> None:
    """Where a zone may end at most. Raises BadArgument."""
    if end > MOST_FRAMES[arch]:
        raise BadArgument.at(zone.loc, f"zones of {arch} up to page frame {MOST_FRAMES[arch]:#x}")
    if arch == "i386" and zone.name in ("DMA", "Normal") and end > DIRECT_MAP_END:
        raise BadArgument.at(
            zone.loc,
            f"low memory up to page frame {DIRECT_MAP_END:#x}, as a 32-bit kernel with 3 GiB for processes",
        )


def first_of(zone: ZoneText, zones: Sequence[ZoneText]) -> int:
    """Where the architecture lets a zone begin."""
    names = {other.name for other in zones}
    if zone.name == "HighMem":
        return HIGHMEM_START
    if zone.name == "Normal" and "DMA32" in names:
        return DMA32_END
    return DMA_END if zone.name in ("DMA32", "Normal") and "DMA" in names else 1


def fit(zone: ZoneText, tried: Iterator[Bounds]) -> tuple[Bounds, Layout]:
    """The first bounds in which the free blocks have their place."""
    bounds = None
    for bounds in tried:
        first, end = bounds.usable
        if zone.free > bounds.managed or bounds.managed > end - first:
            continue
        layout = Layout([(first, end)])
        try:
            layout.place_all(zone.types)
        except NoRoom:
            continue
        return bounds, layout
    managed = 0 if bounds is None else bounds.managed
    raise BadArgument.at(
        zone.loc,
        f"free blocks that fit into {zone.name} of node {zone.nid}: {zone.free:,} free frames, unmerged, "
        f"in {managed:,} managed ones",
    )


# -- what may be tried ---------------------------------------------------------------------------------------


def choices(zone: ZoneText, start: int, memory: int, *, last: bool) -> Iterator[Bounds]:
    """Bounds to try for a zone, the most fitting first. memory: frames of the zones below."""
    present = zone.sizes.get("present")
    limit = 0 if last else limit_of(zone.name, start)
    if zone.sizes.get("spanned"):
        yield from as_said(zone, start, zone.sizes["spanned"])
        return
    if present:
        # A report has sizes and no bounds.
        yield from as_said(zone, start, max(limit - start, present))
        return
    if start == 1 and limit == DMA_END:
        # The first MiB is the firmware's, and the kernel keeps it.
        yield Bounds(1, limit - 1, DMA_PRESENT, limit - FIRST_MIB[1], (FIRST_MIB[1], limit))
    if limit:
        # Below 4 GiB the last one is for the addresses of devices.
        top = PCI_HOLE[0] if limit == DMA32_END else limit
        for usable in (top, limit):
            yield Bounds(start, limit - start, usable - start, usable - start, (start, usable))
    yield from usual(zone, start, memory, last=last)


def limit_of(name: str, start: int) -> int:
    """Where the architecture ends a zone that another one follows; 0 where it does not say."""
    limit = {"DMA": DMA_END, "DMA32": DMA32_END, "Normal": HIGHMEM_START}.get(name, 0)
    return limit if start < limit else 0


def usual(zone: ZoneText, start: int, memory: int, *, last: bool) -> Iterator[Bounds]:
    """Ends that give the machine a usual size: 64 MiB, 96 MiB, 128 MiB and so on."""
    least = align(start, MAX_ORDER_NR_PAGES) - start + frames_needed(zone.types)
    size = LEAST_MEMORY
    while size - memory < least or size - memory < zone.free:
        size += size // 2 if size & (size - 1) == 0 else size // 3
    length = size - memory
    if start < DMA_END + GIB_FRAMES // 4:
        # Whole MiB, as the firmware has it: the zone's end is that of memory.
        length = max(least, size - start)
    if not last:
        length = align(start + length, MAX_ORDER_NR_PAGES) - start
    yield Bounds(start, length, length, length, (start, start + length))


def as_said(zone: ZoneText, start: int, spanned: int) -> Iterator[Bounds]:
    """Sizes of zoneinfo or a report. Where holes lie they do not say: blocks lie low first, then anywhere."""
    present = zone.sizes.get("present", spanned)
    managed = zone.sizes.get("managed", present)
    if not managed <= present <= spanned:
        raise BadArgument.at(
            zone.loc, "managed frames among the present ones, and those among the spanned ones"
        )
    end = start + spanned
    low = min(end, align(start + present, MAX_ORDER_NR_PAGES))
    # Frame 0 is nobody's.
    first = max(start, 1)
    for usable in ((max(start, FIRST_MIB[1]), low), (first, low), (first, end)):
        if usable[0] < usable[1]:
            yield Bounds(start, spanned, present, managed, usable)
