"""All physical memory as one bar: zones where they lie, how full they are, the addresses that part them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.web import wording
from app.web.contexts.framemap import PhysicalBar, PhysicalMark, PhysicalZone
from app.web.framemap import Window, end_of
from app.web.language import _

Doc = Mapping[str, Any]

# Where architectures end a zone: ISA DMA, the direct map of 32 bits, 32-bit DMA. In frames.
DIRECT: Final = 0x38000
BORDERS: Final = {0x1000: "16 MB", DIRECT: "896 MB", 0x100000: "4 GB"}
NARROWEST: Final = 0.4  # per cent; a zone of 16 MB is seen on a machine of 64 GiB too
ROOMY: Final = 14  # per cent that a zone's name takes
CLOSE: Final = 9  # per cent that a mark's label takes
ROUNDED: Final = 0x100  # frames, 1 MiB
ENDING: Final = 30  # per cent at the end that hold a mark's label and the size of all memory


def physical_bar(zones: Sequence[Doc], current: Doc, window: Window) -> PhysicalBar:
    """The bar. current: the zone on the map. window: what the map shows of it."""
    end = max(end_of(zone) for zone in zones)
    nodes = len({zone["node"] for zone in zones}) > 1

    def scaled(pfn: int) -> float:
        return round(100 * pfn / end, 2)

    seen = max(window.start, current["start_pfn"]), min(window.end, end_of(current))
    width = max(NARROWEST, scaled(seen[1] - seen[0]))
    shown = [
        PhysicalZone(
            name=_("%(zone)s, node %(node)s", zone=zone["name"], node=zone["node"])
            if nodes
            else zone["name"],
            x=scaled(zone["start_pfn"]),
            width=max(NARROWEST, scaled(zone["spanned"])),
            used=round(scaled(zone["spanned"]) * (1 - zone["free"] / max(1, zone["managed"])), 2),
            odd=bool(place % 2),
            current=zone is current,
            roomy=scaled(zone["spanned"]) > (2 * ROOMY if nodes else ROOMY),
            tight=scaled(zone["spanned"]) < (4 * ROOMY if nodes else 2 * ROOMY),
        )
        for place, zone in enumerate(zones)
    ]
    parts = [
        _(
            "%(zone)s from %(start)s to %(end)s",
            zone=zone.name,
            start=bytes_at(each),
            end=bytes_at(each, "end"),
        )
        for zone, each in zip(shown, zones, strict=True)
    ]
    return PhysicalBar(
        zones=shown,
        marks=list(marks(zones, end)),
        window_x=min(scaled(seen[0]), round(100 - width, 2)),
        window_width=width,
        words=_("Physical memory: %(zones)s", zones="; ".join(parts)),
    )


def place_of(pfn: int, zones: Sequence[Doc]) -> float:
    """Where a frame is on the bar, in per cent."""
    return round(100 * pfn / max(end_of(zone) for zone in zones), 2)


def bytes_at(zone: Doc, edge: str = "start") -> str:
    """Where a zone begins or ends, in bytes."""
    return wording.size((zone["start_pfn"] if edge == "start" else end_of(zone)) << 12)


def marks(zones: Sequence[Doc], end: int) -> Iterator[PhysicalMark]:
    """The addresses at which a zone begins, and the end; a label that has no room is left out.

    Near the end, a label stands before its mark, for behind it is the size of all memory.

    HighMem begins a little below 896 MB, for kmap and others have addresses there.
    """
    begun = {DIRECT if zone["name"] == "HighMem" else zone["start_pfn"] for zone in zones}
    last = -100.0
    for pfn, label in BORDERS.items():
        x = 100 * pfn / end
        if pfn in begun:
            before = x > 100 - ENDING
            room = x - last > (2 * CLOSE if before else CLOSE) and x < 100 - CLOSE
            yield PhysicalMark(round(x, 2), label if room else "", "end" if before else "start", tick=True)
            last = x
    yield PhysicalMark(100, all_memory(end), "end", tick=False)


def all_memory(end: int) -> str:
    """The size of all memory, in whole GiB where a few frames at most are missing."""
    whole = (end + ROUNDED) >> 18
    return f"{whole} GiB" if whole and abs(end - (whole << 18)) < ROUNDED else wording.size(end << 12)
