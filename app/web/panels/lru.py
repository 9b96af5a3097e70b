"""The panel of the LRU lists: which pages stand where, from the head to the tail that reclaim takes first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import lru_views
from app.machine.machine import Machine
from app.mm.vmstat import LRU_NAMES
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen

Doc = Mapping[str, Any]

PAGES: Final = 40
BATCHED: Final = 15
# Of unevictable pages the kernel keeps no order.
ORDERED: Final = tuple(name for name in LRU_NAMES if name != "unevictable")


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page on a list."""

    href: str
    """the frame in the inspector"""
    state: str
    """`anon` or `file`"""
    words: str
    """frame and flags"""
    referenced: bool
    """True where it was referenced since it came to its place"""


@dataclass(frozen=True, slots=True)
class LruRow:
    """One list."""

    name: str
    """its name"""
    size: int
    """how many pages stand on it"""
    pages: Sequence[ListedPage]
    """the first from its head on"""
    more: int
    """how many are left out"""


@dataclass(frozen=True, slots=True)
class LruPanel(PanelView):
    """The LRU lists, and what waits in batches."""

    TEMPLATE: ClassVar[str] = "machine/panels/lru.html"
    lists: Sequence[LruRow]
    """the lists"""
    batches: Sequence[tuple[str, Sequence[Link]]]
    """what waits in each batch that is not empty"""
    table: TablePanel
    """the same pages as a table"""


def read(machine: Machine, _here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the beginning of each list."""
    return {
        "summary": lru_views.summary(machine, 0),
        "lists": {name: lru_views.some(machine, 0, name, None, PAGES) for name in ORDERED},
    }


def cost(_machine: Machine, _here: Address) -> int:
    """About how much work that is."""
    return 3 * PAGES * len(ORDERED)


def view(seen: Seen) -> LruPanel:
    """Show them."""
    doc, here = seen.doc, seen.here
    lists: Mapping[str, Doc] = doc["lists"]
    sizes = {line["name"]: line["pages"] for line in doc["summary"]["lists"]}
    rows = [
        LruRow(
            name=name,
            size=sizes[name],
            pages=[listed(page, here) for page in found["items"]],
            more=found["size"] - len(found["items"]),
        )
        for name, found in lists.items()
    ]
    if sizes.get("unevictable"):
        rows.append(LruRow("unevictable", sizes["unevictable"], (), sizes["unevictable"]))
    return LruPanel(
        lists=rows,
        batches=[
            (batch["name"], [Link(wording.pfn(pfn), here.at(pfn)) for pfn in batch["pages"][:BATCHED]])
            for batch in doc["summary"]["batches"]
            if batch["pages"]
        ],
        table=table(lists, here),
    )


def listed(page: Doc, here: Address) -> ListedPage:
    """One page."""
    anon = page["kind"] == "anon"
    return ListedPage(
        href=here.at(page["pfn"]),
        state="anon" if anon else "file",
        words=", ".join([_("frame %(pfn)s", pfn=wording.pfn(page["pfn"])), *marks(page)]),
        referenced=page["referenced"],
    )


def marks(page: Doc) -> list[str]:
    """What is true of a page."""
    found = [ngettext("mapped %(num)s time", "mapped %(num)s times", page["mapped"])]
    if page["referenced"]:
        found.append(_("referenced"))
    if page["dirty"]:
        found.append(_("dirty"))
    return found


def table(lists: Mapping[str, Doc], here: Address) -> TablePanel:
    """The same as a table."""
    return TablePanel(
        caption=_("Pages from the head of each list on"),
        columns=((_("List"), False), (_("Place"), True), (_("Frame"), False), (_("Flags"), False)),
        rows=[
            (
                name,
                str(place),
                Link(wording.pfn(page["pfn"]), here.at(page["pfn"])),
                ", ".join(marks(page)),
            )
            for name, found in lists.items()
            for place, page in enumerate(found["items"])
        ],
        empty=_("No page stands on a list yet: they wait in batches of 15 first."),
    )


PANEL: Final = Panel("lru", N_("LRU"), read, view, cost)
