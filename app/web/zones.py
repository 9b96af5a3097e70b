"""Zones as figures: how full, and where free memory stands against the watermarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.web.address import Address
from app.web.contexts.machine import Mark, ZoneView
from app.web.language import _, decimal

Doc = Mapping[str, Any]

# Where the labels of the three watermarks stand: the marks often lie closer together than words are long.
LABELS: Final = (167, 500, 833)


def thousandths(part: int, whole: int) -> int:
    """A width in a figure of 1000; what is not nothing is at least seen."""
    if part <= 0 or whole <= 0:
        return 0
    return min(1000, max(4, part * 1000 // whole))


def zone_views(zones: Sequence[Doc], current: Doc, here: Address) -> list[ZoneView]:
    """The zones of a machine, the highest first: that is the order in which they are tried."""
    return [zone_view(zone, zones, zone is current, here) for zone in reversed(zones)]


def zone_view(zone: Doc, zones: Sequence[Doc], current: bool, here: Address) -> ZoneView:
    """One zone. The water gauge ends at twice the high mark: further up the marks decide nothing."""
    free, managed = zone["free"], zone["managed"]
    pcp = sum(cpu["count"] for cpu in zone["pcp"])
    marks = {name: zone[name] for name in ("min", "low", "high")}
    scale = max(1, 2 * marks["high"])
    return ZoneView(
        name=zone["name"],
        node=zone["node"],
        href=here.to(zone=zone["name"], node=zone["node"], start=None, shift=None).href,
        current=current,
        start=zone["start_pfn"],
        end=zone["start_pfn"] + zone["spanned"],
        managed=managed,
        free=free,
        pcp_pages=pcp,
        boost=zone["boost"],
        used=thousandths(managed - free - pcp, managed),
        pcp=thousandths(pcp, managed),
        water=thousandths(free, scale),
        low_level=free < marks["min"],
        level=level(free, marks),
        marks=[
            Mark(name, pages, min(1000, pages * 1000 // scale), label_x)
            for (name, pages), label_x in zip(marks.items(), LABELS, strict=True)
        ],
        reserve=reserves(zone, zones),
        fallback=fallback(zone),
    )


def level(free: int, marks: Mapping[str, int]) -> str:
    """Where free memory stands, and how many times over where it is far above."""
    for name in ("high", "low", "min"):
        if free >= marks[name]:
            times = free // max(1, marks[name])
            if name == "high" and times > 1:
                return _("above %(mark)s ×%(times)s", mark=name, times=decimal(times))
            return _("above %(mark)s", mark=name)
    return _("below min: only the reserves are left")


def reserves(zone: Doc, zones: Sequence[Doc]) -> list[tuple[str, int]]:
    """lowmem_reserve by the zone whose requests are kept out, for the zones that this machine has."""
    names = {other["zid"]: other["name"] for other in zones if other["zid"] > zone["zid"]}
    return [(names[zid], pages) for zid, pages in enumerate(zone["lowmem_reserve"]) if pages and zid in names]


def fallback(zone: Doc) -> list[str]:
    """The zones that are tried after it; those of another node with that node."""
    return [
        other["name"]
        if other["node"] == zone["node"]
        else _("%(zone)s (node %(node)s)", zone=other["name"], node=other["node"])
        for other in zone["fallback"]
    ]
