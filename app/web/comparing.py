"""What differs between two moments of a machine: in its zones, and on one's free lists and map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from app.machine import show, show_cost
from app.machine.machine import Machine
from app.mm.page import STATES
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import TablePanel
from app.web.language import _, ngettext

Doc = Mapping[str, Any]

CELLS: Final = 4_096
RUNS: Final = 40
OF_ZONE: Final = ("free", "min", "low", "high", "boost", "nr_highatomic")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two moments side by side."""

    title: str
    """which moments"""
    tables: Sequence[TablePanel]
    """what differs in zones, on free lists and on the map"""


def read(machine: Machine, zone: Doc) -> dict[str, Any]:
    """What of one moment is compared."""
    name, node = zone["name"], zone["node"]
    return {
        "zones": show.zones(machine)["zones"],
        "lists": show.zone_lists_of(machine, name, node)["lists"],
        "map": show.zonemap(machine, name, node, cells=CELLS),
    }


def cost(machine: Machine) -> int:
    """About how much work `read` is, whatever the zone."""
    return max(show_cost.zonemap(machine, zone.name, zone.nid, cells=CELLS) for zone in machine.zones)


def compared(then: Doc, now: Doc, moments: tuple[int, int], zone: str, here: Address) -> Comparison:
    """What is different now. moments: the rows of both."""
    was, at = (f"#{wording.count(seq)}" for seq in moments)
    heads = ((was, True), (at, True), (_("Difference"), True))
    return Comparison(
        title=_("%(now)s compared with %(then)s", now=at, then=was),
        tables=[
            TablePanel(
                caption=_("Zones, where they differ"),
                columns=((_("Zone"), False), (_("What"), False), *heads),
                rows=[(*what, *numbers) for what, numbers in zones(then["zones"], now["zones"])],
                empty=_("In the zones no number differs."),
            ),
            TablePanel(
                caption=_("Free lists of %(zone)s, where they differ", zone=zone),
                columns=((_("Order"), True), (_("Type"), False), *heads),
                rows=[(*what, *numbers) for what, numbers in lists(then["lists"], now["lists"])],
                empty=_("On the free lists of %(zone)s no count differs.", zone=zone),
            ),
            TablePanel(
                caption=_("Map of %(zone)s, where it differs", zone=zone),
                columns=((_("From"), False), (_("Frames"), True), (was, False), (at, False)),
                rows=map_rows(then["map"], now["map"], here),
                empty=_("On the map of %(zone)s nothing differs.", zone=zone),
            ),
        ],
    )


def difference(then: int, now: int) -> tuple[str, str, str]:
    """Two numbers and how far they are apart."""
    sign = "+" if now > then else "−"
    return wording.count(then), wording.count(now), f"{sign}{wording.count(abs(now - then))}"


def zones(then: Sequence[Doc], now: Sequence[Doc]) -> Iterator[tuple[tuple[str, str], tuple[str, str, str]]]:
    """Numbers of zones that differ."""
    several = len({zone["node"] for zone in now}) > 1
    for before, after in zip(then, now, strict=True):
        name = after["name"]
        if several:
            name = _("%(zone)s (node %(node)s)", zone=name, node=after["node"])
        pairs = [(key, before[key], after[key]) for key in OF_ZONE]
        pairs += [
            (_("order %(order)s", order=order), *counts)
            for order, counts in enumerate(zip(before["nr_free"], after["nr_free"], strict=True))
        ]
        pairs.append(("pcp", *(sum(cpu["count"] for cpu in zone["pcp"]) for zone in (before, after))))
        for what, was, at in pairs:
            if was != at:
                yield (name, what), difference(was, at)


def lists(then: Sequence[Doc], now: Sequence[Doc]) -> Iterator[tuple[tuple[str, str], tuple[str, str, str]]]:
    """Free lists that are of another length."""
    before, after = ({(one["order"], one["type"]): one["count"] for one in each} for each in (then, now))
    for key in sorted(before.keys() | after.keys()):
        was, at = before.get(key, 0), after.get(key, 0)
        if was != at:
            yield (str(key[0]), key[1]), difference(was, at)


def map_rows(then: Doc, now: Doc, here: Address) -> list[tuple[str | Link, ...]]:
    """Runs of cells that are drawn in another way; of very many only the first."""
    start, shift = now["start"], now["shift"]
    both = zip(cells(then), cells(now), strict=True)
    runs = [
        (pair, [place for place, _pair in run])
        for pair, run in groupby(enumerate(both), key=lambda cell: cell[1])
        if pair[0] != pair[1]
    ]
    rows: list[tuple[str | Link, ...]] = []
    for (was, at), places in runs[:RUNS]:
        pfn = start + (places[0] << shift)
        href = here.to(start=pfn, shift=min(shift, 4), pfn=pfn, obj=None).href
        rows.append(
            (Link(wording.pfn(pfn), href), wording.count(len(places) << shift), words(was), words(at))
        )
    if len(runs) > RUNS:
        left = len(runs) - RUNS
        rows.append((ngettext("and %(num)s more place", "and %(num)s more places", left), "", "", ""))
    return rows


def cells(drawn: Doc) -> Iterator[tuple[int, int, int]]:
    """State, fill and order of each cell."""
    return zip(drawn["cells"], drawn["fill"], drawn["orders"], strict=True)


def words(cell: tuple[int, int, int]) -> str:
    """A cell in words."""
    state, fill, order = cell
    name = STATES[state]
    if fill not in (0, 255):
        name = _("%(state)s, %(part)s %% in use", state=name, part=max(1, fill * 100 // 255))
    return name if order == 255 else _("%(state)s, in a block of order %(order)s", state=name, order=order)
