"""Zones as figures: how full, and where free memory stands against the watermarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.web import reclaim_words
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.machine import KswapdView, Mark, Spark, ZoneView
from app.web.language import _, decimal, ngettext
from app.web.wording import count

Doc = Mapping[str, Any]

# Where the labels of the watermarks stand. The marks lie closer together than words are long, so one label
# ends at its mark, one stands above it, one begins at it: (above, which part is at the mark, distance).
LABELS: Final = {"min": (False, "end", -3), "low": (True, "middle", 0), "high": (False, "start", 5)}
# A mark this far to the left, in per cent, has no room for a label that ends at it.
NARROW: Final = 24
# The line of free frames: from how many calls on, how high, and how many times high the marks are beside it.
LEAST: Final = 2
SPARK: Final = 10
NEAR: Final = 4


def thousandths(part: int, whole: int) -> int:
    """A width in a figure of 1000; what is not nothing is at least seen."""
    if part <= 0 or whole <= 0:
        return 0
    return min(1000, max(4, part * 1000 // whole))


class Kswapds(NamedTuple):
    """The kswapd of each node, and which of them ran at the end of each of the last calls."""

    now: Sequence[Doc]
    """as they are"""
    ran: Sequence[Sequence[str]]
    """the names of those that ran"""


NONE: Final = Kswapds((), ())


def zone_views(
    zones: Sequence[Doc],
    current: Doc,
    here: Address,
    free: Sequence[Sequence[int]] = (),
    kswapds: Kswapds = NONE,
) -> list[ZoneView]:
    """The zones of a machine, the highest first: that is the order in which they are tried.

    free: free frames of each zone after the last calls.
    """
    return [
        zone_view(zone, zones, zone is current, here, [counts[place] for counts in free], kswapds)
        for place, zone in reversed(list(enumerate(zones)))
    ]


def zone_view(
    zone: Doc,
    zones: Sequence[Doc],
    current: bool,
    here: Address,
    before: Sequence[int],
    kswapds: Kswapds = NONE,
) -> ZoneView:
    """One zone. Its bar ends at twice the high mark: further up the marks decide nothing."""
    free = zone["free"]
    marks = {name: zone[name] for name in LABELS}
    scale = max(1, 2 * marks["high"])
    kswapd = next((each for each in kswapds.now if each["node"] == zone["node"]), None)
    ran = [place for place, tasks in enumerate(kswapds.ran) if kswapd is not None and kswapd["task"] in tasks]
    return ZoneView(
        name=zone["name"],
        node=zone["node"] if len({other["node"] for other in zones}) > 1 else None,
        href=here.to(zone=zone["name"], node=zone["node"], start=None, shift=None).href,
        current=current,
        managed=zone["managed"],
        free=free,
        pcp_pages=sum(cpu["count"] for cpu in zone["pcp"]),
        boost=zone["boost"],
        water=thousandths(free, scale) / 10,
        cut=free > scale,
        low_level=free < marks["min"],
        level=level(free, marks),
        marks=[mark(name, pages, min(1000, pages * 1000 // scale) / 10) for name, pages in marks.items()],
        spark=spark(before, marks, ran),
        kswapd=kswapd_view(kswapd, here) if kswapd is not None and is_highest(zone, zones) else None,
        kswapd_range=None if kswapd is None or not kswapd["reclaims"] else kswapd_range(marks, scale),
        reserve=reserves(zone, zones),
        fallback=fallback(zone),
    )


def mark(name: str, pages: int, x: float) -> Mark:
    """One watermark with the place of its label."""
    above, anchor, dx = LABELS[name]
    if anchor == "end" and x < NARROW:
        anchor, dx = "start", -dx
    return Mark(name, pages, x, above, anchor, dx)


def kswapd_range(marks: Mapping[str, int], scale: int) -> tuple[float, float]:
    """The part of the bar between the mark at which kswapd is woken and the one above which it sleeps."""
    left, right = (min(1000, marks[name] * 1000 // scale) / 10 for name in ("low", "high"))
    return left, round(right - left, 1)


def is_highest(zone: Doc, zones: Sequence[Doc]) -> bool:
    """Whether a zone is the highest of its node: kswapd is shown there, once."""
    return not any(other["node"] == zone["node"] and other["zid"] > zone["zid"] for other in zones)


def kswapd_view(kswapd: Doc, here: Address) -> KswapdView | None:
    """A node's kswapd. Nothing is said of one that has never been woken and would take nothing back."""
    last = kswapd["last"]
    if not kswapd["reclaims"]:
        if not kswapd["woken"]:
            return None
        state = _("woken: on this machine it takes nothing back")
    elif kswapd["given_up"]:
        state = _("has given up until somebody finds a page: it found none 16 times")
    else:
        state = _("awake") if kswapd["woken"] else _("asleep")
    return KswapdView(
        task=kswapd["task"],
        state=state,
        woken=kswapd["woken"],
        last=None
        if last is None
        else Link(_("ran at #%(seq)s", seq=count(last["seq"])), here.explain(last["seq"])),
        what="" if last is None else reclaim_words.figures(last["reclaim"]),
        why="" if last is None else reclaim_words.reason(last["why"]),
    )


def spark(free: Sequence[int], marks: Mapping[str, int], ran: Sequence[int] = ()) -> Spark | None:
    """Free frames after the last calls as a line; the marks beside it, where it comes near them.

    ran: the calls at whose end kswapd ran.
    """
    if len(free) < LEAST:
        return None
    near = [pages for pages in marks.values() if min(free) < NEAR * marks["high"]]
    low, high = min(*free, *near), max(*free, *near)

    def height(pages: int) -> float:
        return round(SPARK - (pages - low) * SPARK / max(1, high - low), 1)

    words = _(
        "Free after each of the last %(calls)s calls: from %(first)s to %(last)s, at least %(least)s",
        calls=len(free),
        first=count(free[0]),
        last=count(free[-1]),
        least=count(min(free)),
    )
    kswapd = ngettext(
        "kswapd ran at the end of %(num)s of them", "kswapd ran at the end of %(num)s of them", len(ran)
    )
    return Spark(
        points=" ".join(f"{x},{height(pages)}" for x, pages in enumerate(free)),
        width=len(free) - 1,
        marks=[height(pages) for pages in near],
        ran=ran,
        words=f"{words}; {kswapd}" if ran else words,
    )


def level(free: int, marks: Mapping[str, int]) -> str:
    """Where free memory stands, and how many times over where it is far above."""
    for name in ("high", "low", "min"):
        if free >= marks[name]:
            times = free // max(1, marks[name])
            if name == "high" and times > 1:
                return _("free = %(times)s × %(mark)s", mark=name, times=decimal(times))
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
