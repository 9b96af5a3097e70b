"""The panel of free lists and per-CPU lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.web import wording
from app.web.address import Address
from app.web.contexts import Link, ListCell, ListHead, ListRow, ListsPanel, PcpView
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


def lists_panel(zone: Doc, here: Address) -> ListsPanel:
    """zone: an entry of `app.machine.show.free_lists`."""
    counts = {(entry["type"], entry["order"]): entry["count"] for entry in zone["lists"]}
    seen = {entry["type"] for entry in zone["lists"]}
    types = [name for name in TYPES if name in ALWAYS_SHOWN or name in seen]
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
        free=sum(count << order for order, count in enumerate(zone["nr_free"])),
        heads=[head(entry, here) for entry in zone["lists"]],
        pcp=[pcp(cpu, here) for cpu in zone["pcp"]],
    )


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
