"""The panel of leaks: what calls have taken and nobody has given back, by row; and whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import leaks, show_cost
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.tableparts import ROWS, first_row, table_part

Doc = Mapping[str, Any]

TASKS: Final = 8


@dataclass(frozen=True, slots=True)
class LeaksPanel(PanelView):
    """Sums by task, and a table of rows."""

    TEMPLATE: ClassVar[str] = "machine/panels/leaks.html"
    tasks: Sequence[Fact]
    """what each task holds, the most first"""
    more: int
    """how many tasks are left out"""
    table: TablePanel
    """what is held, by row"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the part that the address asks for."""
    first = (here.row or 0) // ROWS * ROWS
    found = leaks.leaks(machine, first, ROWS)
    if first and not found["items"]:
        first = first_row(here, found["total"])
        found = leaks.leaks(machine, first, ROWS)
    return found | {"first": first}


def cost(machine: Machine, here: Address) -> int:
    """All that is held is walked; twice where the address may ask for a part behind the end."""
    return show_cost.leaks(machine) * (2 if here.row else 1)


def view(seen: Seen) -> LeaksPanel:
    """Show it."""
    doc, here = seen.doc, seen.here
    return LeaksPanel(
        tasks=[of_task(one) for one in doc["tasks"][:TASKS]],
        more=max(0, len(doc["tasks"]) - TASKS),
        table=TablePanel(
            caption=_("What calls have taken and nobody has given back, the earliest row first"),
            columns=(
                (_("Row"), False),
                (_("Task"), False),
                (_("What"), False),
                (_("How many"), True),
                (_("Bytes"), True),
                (_("The first"), False),
            ),
            rows=[line(item, here) for item in doc["items"]],
            empty=_("Everything that was taken has been given back."),
            part=table_part(here, doc["first"], doc["total"]),
        ),
    )


def of_task(one: Doc) -> Fact:
    """What a task holds."""
    return Fact(
        one["task"],
        wording.size(one["bytes"]),
        hint="" if one["alive"] else _("it has ended: nobody of that name will give it back"),
    )


def line(item: Doc, here: Address) -> tuple[Any, ...]:
    """What is left of one row."""
    first: Link | str = ""
    if item["address"] is not None:
        first = Link(item["address"], here.inspect(item["address"]).href)
    elif item["pfn"] is not None:
        first = Link(wording.pfn(item["pfn"]), here.at(item["pfn"]))
    return (
        Link(f"#{item['seq']}", here.to(outcome=item["seq"]).href),
        item["task"],
        kind(item),
        wording.count(item["count"]),
        wording.size(item["bytes"]),
        first,
    )


def kind(item: Doc) -> str:
    """Say what it is."""
    if item["what"] == "pages":
        return _("pages, order %(order)s", order=item["order"])
    if item["what"] == "objects":
        return _("objects of %(cache)s", cache=item["cache"])
    return ngettext("a vmalloc area", "vmalloc areas", item["count"])


PANEL: Final = Panel("leaks", N_("Leaks"), read, view, cost)
