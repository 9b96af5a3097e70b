"""The panel of a session's history: numbers of its machine over all rows, as pictures with a table for each.

The server draws them from few points, which is all that a page without script shows. The script draws the
same numbers from as many points as there is room for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine.machine import Machine
from app.sessions import MOST_NAMES, SeriesQuery
from app.web import comparing, wording
from app.web.address import Address
from app.web.charts import Scale, band, place, steps
from app.web.comparing import Comparison
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _
from app.web.panels.base import Doc, Panel, Seen

POINTS: Final = 48
# Marks are drawn where free frames come down to so many times the highest.
NEAR: Final = 4
MARKS: Final = ("min", "low", "high")
ORDERS: Final = range(11)
INDEX_ORDERS: Final = (3, 6, 9)
# What stands beside the marks of as many zones as there is room for.
MOST_ZONES: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One number over time."""

    name: str
    """its name in the API"""
    label: str
    """what it is called here"""
    kind: str
    """the class that gives it colour and dashes"""
    path: str
    """the value at the end of each point"""
    band: str
    """from the least to the greatest of each point; empty where each is one row"""
    last: str
    """its value at the end"""


@dataclass(frozen=True, slots=True)
class Chart:
    """Some lines that share a scale, and a table of the same numbers."""

    title: str
    """what it shows"""
    hint: str
    """how to read it; may be empty"""
    unit: str
    """`pages`, `blocks` or `thousandths`"""
    lines: Sequence[Line]
    """the lines"""
    greatest: int
    """the value at the top of the scale"""
    least: int
    """the value at its bottom"""
    top: str
    """the value at the top in words"""
    bottom: str
    """the value at the bottom in words"""
    curved: bool
    """True where small values have more room than large ones"""
    table: TablePanel
    """the points as a table"""


@dataclass(frozen=True, slots=True)
class OverTime:
    """Numbers of the machine over some rows."""

    charts: Sequence[Chart]
    """the pictures"""
    first: int
    """the first row that is shown"""
    last: int
    """the last"""
    width: int
    """how many rows each point of the tables stands for"""
    now: float | None
    """where the moment that the page shows stands, of 600; None where it is the last or outside"""
    moment: int | None
    """the row of that moment"""
    whole: Link | None
    """link to all rows, where only some are shown"""


@dataclass(frozen=True, slots=True)
class HistoryPanel(PanelView):
    """Numbers of the machine over the rows of its session, and what differs between two of its moments."""

    TEMPLATE: ClassVar[str] = "machine/panels/history.html"
    refusal: str
    """why the rows cannot be followed; empty where they can"""
    over_time: OverTime | None
    """the numbers; None where the rows cannot be followed"""
    range: Sequence[tuple[str, str]]
    """the other parts of the address, for the form that chooses rows"""
    against: int | None
    """the row with which the state is compared"""
    others: Sequence[tuple[str, str]]
    """the other parts of the address, for the form that chooses that row"""
    comparison: Comparison | None
    """what differs"""


@dataclass(frozen=True, slots=True)
class Plan:
    """A chart before its numbers are known."""

    title: str
    """what it shows"""
    lines: Sequence[tuple[str, str, str]]
    """name, label and kind of each line"""
    hint: str = ""
    """how to read it"""
    curved: bool = False
    """True where small values have more room than large ones"""


def plans(zone: Doc, zones: Sequence[Doc]) -> list[Plan]:
    """What is drawn: how much is free in each zone, and how the free memory of the one on the map lies."""
    here = series_of(zone)
    others = [other for other in zones if other is not zone]
    marked = [zone, *others][:MOST_ZONES]
    free = [
        Plan(
            _("Free frames of %(zone)s", zone=words_of(one, zones)),
            [
                (f"{series_of(one)}.free", _("free"), "free"),
                *((f"{series_of(one)}.{mark}", mark, f"mark-{mark}") for mark in MARKS),
            ],
        )
        for one in marked
    ]
    name = words_of(zone, zones)
    return [
        *free,
        Plan(
            _("Free blocks of %(zone)s by order", zone=name),
            [(f"{here}.order{order}", str(order), f"order{order}") for order in ORDERS],
            curved=True,
        ),
        Plan(
            _("Unusable free space of %(zone)s", zone=name),
            [
                (f"{here}.unusable{order}", _("order %(order)s", order=order), f"of{order}")
                for order in INDEX_ORDERS
            ],
            _("The part of the free memory that no request of that order can use: 0 none, 1 all."),
        ),
        Plan(
            _("External fragmentation of %(zone)s", zone=name),
            [
                (f"{here}.extfrag{order}", _("order %(order)s", order=order), f"of{order}")
                for order in INDEX_ORDERS
            ],
            _("Why a request of that order would fail: 0 too little memory, 1 pieces. −1: it would not."),
        ),
        Plan(
            _("Pages on per-CPU lists, in slabs, of vmalloc"),
            [
                (f"{here}.pcp", _("per-CPU lists of %(zone)s", zone=name), "pcp"),
                ("slab", _("slabs"), "slab"),
                ("vmalloc", "vmalloc", "vmalloc"),
            ],
        ),
    ]


def series_of(zone: Doc) -> str:
    """The first part of the names of a zone's series."""
    return f"node{zone['node']}.{zone['name']}"


def words_of(zone: Doc, zones: Sequence[Doc]) -> str:
    """A zone, with its node where there are several."""
    if len({other["node"] for other in zones}) == 1:
        return str(zone["name"])
    return _("%(zone)s (node %(node)s)", zone=zone["name"], node=zone["node"])


def over_time(zones: Sequence[Doc], zone: Doc, here: Address, rows: range) -> SeriesQuery:
    """The numbers of all charts, over the rows of the address as far as there are such rows."""
    names = [name for plan in plans(zone, zones) for name, _label, _kind in plan.lines]
    since = here.since if here.since is not None and here.since in rows else rows[0]
    until = here.until if here.until is not None and since <= here.until <= rows[-1] else rows[-1]
    return SeriesQuery(names[:MOST_NAMES], since, until, POINTS)


def read(machine: Machine, here: Address, zone: Doc) -> dict[str, Any]:
    """The zone on the map, and what is compared with another moment.

    The numbers over time are no part of one moment, and come beside.
    """
    found: dict[str, Any] = {"zone": (zone["name"], zone["node"])}
    return found if here.against is None else found | {"compared": comparing.read(machine, zone)}


def cost(machine: Machine, here: Address) -> int:
    """About how much work `read` is."""
    return 0 if here.against is None else comparing.cost(machine)


def view(seen: Seen) -> HistoryPanel:
    """Draw the numbers, and compare the two moments."""
    here = seen.here
    zone = next(one for one in seen.zones if (one["name"], one["node"]) == tuple(seen.doc["zone"]))
    return HistoryPanel(
        refusal=seen.doc.get("refusal", ""),
        over_time=drawn(seen, zone),
        range=here.to(since=None, until=None).pairs,
        against=here.against,
        others=here.to(against=None).pairs,
        comparison=comparison(seen, zone),
    )


def drawn(seen: Seen, zone: Doc) -> OverTime | None:
    """The numbers as pictures and tables."""
    here, found = seen.here, seen.doc.get("series")
    if found is None:
        return None
    first, last, at = found["from"], found["to"], here.moment
    values = {one["name"]: one for one in found["series"]}
    whole = Link(_("All rows"), here.to(since=None, until=None).href)
    return OverTime(
        charts=[chart(plan, found, values, here) for plan in plans(zone, seen.zones)],
        first=first,
        last=last,
        width=found["width"],
        now=place(at, first, last) if at is not None and first <= at <= last else None,
        moment=at,
        whole=None if (here.since, here.until) == (None, None) else whole,
    )


def comparison(seen: Seen, zone: Doc) -> Comparison | None:
    """What differs from the moment that the address names; None where it names no row of the session."""
    then, against = seen.doc.get("then"), seen.here.against
    if then is None or against is None:
        return None
    name = words_of(zone, seen.zones)
    return comparing.compared(
        then["compared"], seen.doc["compared"], (against, seen.doc["at"]), name, seen.here
    )


def chart(plan: Plan, found: Doc, values: Mapping[str, Doc], here: Address) -> Chart:
    """One chart, on the scale of its own least and greatest value."""
    lines = [(values[name], label, kind) for name, label, kind in plan.lines if name in values]
    least, greatest = ends([one for one, *_rest in lines])
    unit = lines[0][0]["unit"]
    scale = Scale(least, greatest, found["from"], found["to"], curved=plan.curved)
    return Chart(
        title=plan.title,
        hint=plan.hint,
        unit=unit,
        lines=[line(one, label, kind, found, scale) for one, label, kind in lines],
        greatest=greatest,
        least=least,
        top=written(greatest, unit),
        bottom=written(least, unit),
        curved=plan.curved,
        table=table(plan, lines, found, here),
    )


def ends(lines: Sequence[Doc]) -> tuple[int, int]:
    """The least and the greatest value of a scale.

    Where the first line stays far above the others, which are its marks, they are left out: it would be flat.
    """
    first, *marks = lines
    above = max((max(one["max"]) for one in marks), default=0)
    shown = [first] if first["name"].endswith(".free") and min(first["min"]) > NEAR * above else lines
    return min(min(one["min"]) for one in shown), max(max(one["max"]) for one in shown)


def written(value: int, unit: str) -> str:
    """A value in words: an index has three decimals, as debugfs prints it."""
    if unit != "thousandths":
        return wording.count(value)
    sign = "−" if value < 0 else ""
    return f"{sign}{abs(value) // 1000}.{abs(value) % 1000:03}"


def line(one: Doc, label: str, kind: str, found: Doc, scale: Scale) -> Line:
    """One line, and the band around it where its points have several rows."""
    starts = [scale.x(seq) for seq in found["seqs"]]
    return Line(
        name=one["name"],
        label=label,
        kind=kind,
        path="" if scale.above(max(one["max"])) else steps(starts, [scale.y(value) for value in one["last"]]),
        band=band(
            starts, [(scale.y(low), scale.y(high)) for low, high in zip(one["min"], one["max"], strict=True)]
        ),
        last=written(one["last"][-1], one["unit"]),
    )


def table(plan: Plan, lines: Sequence[tuple[Doc, str, str]], found: Doc, here: Address) -> TablePanel:
    """The points of a chart in words; each leads to its last row."""
    ends = [seq - 1 for seq in found["seqs"][1:]] + [found["to"]]
    return TablePanel(
        caption=plan.title,
        columns=((_("Row"), True), *((label, True) for _one, label, _kind in lines)),
        rows=[
            (
                Link(f"#{wording.count(end)}", here.to(moment=end, outcome=None).href),
                *(cell(one, at) for one, _label, _kind in lines),
            )
            for at, end in enumerate(ends)
        ],
        empty="",
    )


def cell(one: Doc, at: int) -> str:
    """The value after the last row of a point; with the least and greatest where those are others."""
    low, high, last = (written(one[key][at], one["unit"]) for key in ("min", "max", "last"))
    return last if low == high else f"{last} ({low}–{high})"


PANEL: Final = Panel("history", N_("History"), read, view, cost, over_time=over_time)
