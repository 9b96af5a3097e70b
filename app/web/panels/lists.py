"""The panel of free lists and per-CPU lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import show
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView
from app.web.language import N_
from app.web.panels.base import Panel, Seen
from app.web.zones import thousandths

Doc = Mapping[str, Any]

TYPES: Final = {
    "Unmovable": "U",
    "Movable": "M",
    "Reclaimable": "E",
    "HighAtomic": "H",
    "CMA": "C",
    "Isolate": "I",
}
ALWAYS_SHOWN: Final = ("Unmovable", "Movable", "Reclaimable")
PAGES_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class ListCell:
    """Free blocks of one order and type."""

    count: int
    """how many there are"""
    bar: int
    """height of the bar in thousandths, on a logarithmic scale"""
    top: int
    """upper edge of the bar in thousandths"""


@dataclass(frozen=True, slots=True)
class ListRow:
    """The free lists of one migratetype."""

    type: str
    """the migratetype"""
    letter: str
    """its letter, as on the map"""
    cells: Sequence[ListCell]
    """one cell an order"""


@dataclass(frozen=True, slots=True)
class ListHead:
    """The first blocks of one list, head first."""

    order: int
    """the order"""
    type: str
    """the migratetype"""
    count: int
    """how many blocks the list has"""
    pages: Sequence[Link]
    """links to the first blocks"""
    more: int
    """how many blocks are left out between them and the tail"""
    tail: Link | None
    """link to the last block, where not all are shown"""


@dataclass(frozen=True, slots=True)
class PcpView:
    """One CPU's lists of a zone."""

    cpu: int
    """the CPU"""
    count: int
    """how many pages its lists have"""
    high: int
    """how many they may have"""
    batch: int
    """how many pages move at a time"""
    fill: int
    """count against high, in thousandths"""
    lists: Sequence[ListHead]
    """the lists"""


@dataclass(frozen=True, slots=True)
class ListsPanel(PanelView):
    """Free lists and per-CPU lists of the zone on the map."""

    TEMPLATE: ClassVar[str] = "machine/panels/lists.html"
    zone: str
    """the zone's name"""
    node: int
    """the zone's node"""
    orders: Sequence[int]
    """the orders, one a column"""
    rows: Sequence[ListRow]
    """one row a migratetype"""
    totals: Sequence[int]
    """free blocks of each order"""
    guess: Sequence[tuple[int, bool]]
    """how many were predicted of each order, and whether that is another number; empty where none were"""
    free: int
    """free frames of all lists"""
    heads: Sequence[ListHead]
    """the first blocks of each list"""
    pcp: Sequence[PcpView]
    """the lists of each CPU"""


def read(machine: Machine, _here: Address, zone: Doc) -> dict[str, Any]:
    """Read the lists of the zone on the map."""
    return show.zone_lists_of(machine, zone["name"], zone["node"])


def view(seen: Seen) -> ListsPanel:
    """Show the free lists and the per-CPU lists."""
    zone, here = seen.doc, seen.here
    counts = {(entry["type"], entry["order"]): entry["count"] for entry in zone["lists"]}
    there = {entry["type"] for entry in zone["lists"]}
    types = [name for name in TYPES if name in ALWAYS_SHOWN or name in there]
    tallest = max(counts.values(), default=1)
    orders = range(len(zone["nr_free"]))
    return ListsPanel(
        zone=zone["name"],
        node=zone["node"],
        orders=orders,
        rows=[
            ListRow(name, TYPES[name], [cell(counts.get((name, order), 0), tallest) for order in orders])
            for name in types
        ],
        totals=zone["nr_free"],
        guess=guess(zone["nr_free"], seen.guessed.get(zone["name"], ())),
        free=sum(count << order for order, count in enumerate(zone["nr_free"])),
        heads=[head(entry, here) for entry in zone["lists"]],
        pcp=[pcp(cpu, here) for cpu in zone["pcp"]],
    )


def guess(counts: Sequence[int], predicted: Sequence[int]) -> list[tuple[int, bool]]:
    """What was predicted, beside what is."""
    return [(count, count != now) for count, now in zip(predicted, counts, strict=False)]


def cell(count: int, tallest: int) -> ListCell:
    """One number with its bar: the bit lengths are compared, so that 1 and 300 can both be seen."""
    bar = thousandths(count.bit_length(), max(1, tallest.bit_length()))
    return ListCell(count, bar, 1000 - bar)


def head(entry: Doc, here: Address) -> ListHead:
    """One list from its head; its last block where not all are shown."""
    shown = entry["head"][:PAGES_SHOWN]
    left = entry["count"] - len(shown)
    tail = entry.get("tail")
    last = page(tail, here) if left > 0 and tail is not None else None
    return ListHead(
        order=entry["order"],
        type=entry["type"],
        count=entry["count"],
        pages=[page(pfn, here) for pfn in shown],
        more=left - (last is not None),
        tail=last,
    )


def page(pfn: int, here: Address) -> Link:
    """A block by its first frame."""
    return Link(wording.pfn(pfn), here.at(pfn))


def pcp(cpu: Doc, here: Address) -> PcpView:
    """One CPU's lists."""
    return PcpView(
        cpu=cpu["cpu"],
        count=cpu["count"],
        high=cpu["high"],
        batch=cpu["batch"],
        fill=thousandths(cpu["count"], cpu["high"]),
        lists=[head(entry, here) for entry in cpu["lists"]],
    )


PANEL: Final = Panel("lists", N_("Free lists"), read, view, look=N_("free lists"))
