"""The panel of swap: the areas, and a stretch of the slots of one with whose pages they hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import swap_window
from app.machine.machine import Machine
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link, TablePart
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.tableparts import part_of

Doc = Mapping[str, Any]

SLOTS: Final = 128
# What a slot is, by the names of `app.machine.swap_views`.
STATES: Final[Mapping[str, str]] = {
    "free": N_("free"),
    "stock": N_("in a CPU’s stock"),
    "swapped": N_("holds a page that is not in memory"),
    "cached": N_("holds a page that is in memory, too"),
    "kept": N_("kept by a page that was brought back and has not been changed"),
}


@dataclass(frozen=True, slots=True)
class SlotCell:
    """A slot that is shown."""

    href: str | None
    """the page’s frame in the inspector, or the walk of its address; None where there is neither"""
    state: str
    """what the slot is: a class of the style sheet"""
    words: str
    """slot, state and whose page it holds"""
    came: bool
    """True where the shown call brought it to another use"""


@dataclass(frozen=True, slots=True)
class SwapArea:
    """An area in the list."""

    href: str
    """the page with its slots"""
    current: bool
    """True for the area whose slots are shown"""
    path: str
    """the file or device"""
    words: str
    """how much of it is used, and its priority"""
    full: Sequence[tuple[float, float, int, int]]
    """how full each part is: left edge, width, upper edge and height, in per cent of the strip"""


@dataclass(frozen=True, slots=True)
class SwapPanel(PanelView):
    """Swap areas, and the slots of one."""

    TEMPLATE: ClassVar[str] = "machine/panels/swap.html"
    facts: Sequence[Fact]
    """pages in all, free, and in the swap cache"""
    areas: Sequence[SwapArea]
    """the areas"""
    search: str
    """where the search for a free slot goes on"""
    stocks: Sequence[str]
    """the slots that each CPU has in stock"""
    slots: Sequence[SlotCell]
    """a stretch of the slots of one"""
    part: TablePart | None
    """the way to the others"""
    table: TablePanel
    """the used ones of them"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the areas, and a stretch of one."""
    return swap_window.window(machine, here.swap, here.row or 0, SLOTS)


def cost(machine: Machine, _here: Address) -> int:
    """About how much work that is."""
    return swap_window.cost(machine, SLOTS)


def view(seen: Seen) -> SwapPanel:
    """Show them."""
    doc, here = seen.doc, seen.here
    chosen: Doc | None = next((area for area in doc["areas"] if area["area"] == doc["area"]), None)
    came = brought(seen.shown, doc["area"])
    return SwapPanel(
        facts=[
            Fact(_("slots"), wording.count(doc["total"])),
            Fact(_("free"), wording.count(doc["free"])),
            Fact(_("swap cache"), wording.count(doc["cached"]), hint=_("pages in memory that have a slot")),
        ]
        if doc["areas"]
        else (),
        areas=[area_line(area, area is chosen, here) for area in doc["areas"]],
        search="" if chosen is None else search(chosen),
        stocks=[line for stock in doc["stocks"] for line in [stock_words(stock)] if line],
        slots=[cell(slot, here, came) for slot in doc["slots"]],
        part=None
        if chosen is None
        else part_of(lambda row: here.to(row=row or None).href, doc["first"], chosen["pages"], SLOTS),
        table=table(doc["slots"], here),
    )


def brought(shown: Doc | None, area: int | None) -> list[tuple[int, int]]:
    """Ranges of slots of an area that the shown call brought to another use."""
    runs = (shown or {}).get("swap") or ()
    return [(run[0], run[0] + run[1]) for run in runs if (run[3] if len(run) > 3 else 0) == area]


def area_line(area: Doc, current: bool, here: Address) -> SwapArea:
    """One area."""
    width = 100 / max(1, len(area["full"]))
    return SwapArea(
        href=here.to(swap=area["area"], row=None).href,
        current=current,
        path=area["path"],
        words=_(
            "%(used)s of %(pages)s slots used, priority %(priority)s, %(kind)s",
            used=wording.count(area["used"]),
            pages=wording.count(area["pages"]),
            priority=area["priority"],
            kind=_("a disk that turns") if area["rotating"] else _("without moving parts"),
        ),
        full=[
            (round(at * width, 2), round(width, 2), 100 - full, full)
            for at, full in enumerate(area["full"])
            if full
        ],
    )


def search(area: Doc) -> str:
    """Where the next slots come from."""
    given = {"next": wording.count(area["cluster_next"]), "left": wording.count(area["cluster_nr"])}
    if area["cluster_nr"]:
        return _("The search goes on at slot %(next)s, and takes %(left)s more in a row.", **given)
    return _("The search goes on at slot %(next)s.", **given)


def stock_words(stock: Doc) -> str:
    """What a CPU has in stock; nothing where that is empty."""
    parts = []
    if stock["slots"]:
        parts.append(_("taken in advance: slots %(slots)s", slots=ranges(stock["slots"])))
    if stock["returned"]:
        parts.append(_("given back, not free yet: slots %(slots)s", slots=ranges(stock["returned"])))
    return _("CPU %(cpu)s: %(what)s", cpu=stock["cpu"], what="; ".join(parts)) if parts else ""


def ranges(runs: Sequence[Sequence[int]]) -> str:
    """Runs of slots; in a stock there are at most 64."""
    return ", ".join(f"{run[0]}–{run[0] + run[1] - 1}" if run[1] > 1 else str(run[0]) for run in runs)


# -- slots -----------------------------------------------------------------------------------------


def cell(slot: Doc, here: Address, came: Sequence[tuple[int, int]]) -> SlotCell:
    """One slot."""
    parts = [_("slot %(slot)s: %(state)s", slot=wording.count(slot["slot"]), state=_(STATES[slot["state"]]))]
    owner = whose(slot, here)
    if owner is not None:
        parts.append(owner.text)
    if slot["named"] > 1:
        parts.append(ngettext("named by %(num)s entry", "named by %(num)s entries", slot["named"]))
    if slot["pfn"] is not None:
        parts.append(_("frame %(pfn)s", pfn=wording.pfn(slot["pfn"])))
    to_owner = None if owner is None else owner.href
    return SlotCell(
        href=here.at(slot["pfn"]) if slot["pfn"] is not None else to_owner,
        state=slot["state"],
        words=", ".join(parts),
        came=any(first <= slot["slot"] < end for first, end in came),
    )


def whose(slot: Doc, here: Address) -> Link | None:
    """Whose page is in a slot, where that was found."""
    owner = slot["owner"]
    if owner is None:
        return None
    if "file" in owner:
        text = _("%(file)s, page %(index)s", file=owner["file"], index=owner["index"])
        return Link(text, here.to(panel="pagecache", cached=owner["file"], row=None).href)
    there = here.to(pid=owner["pid"], va=owner["addr"], beside=None)
    return Link(f"{owner['task']}: {owner['addr']}", there.href)


def table(slots: Sequence[Doc], here: Address) -> TablePanel:
    """The used slots of the stretch."""
    return TablePanel(
        caption=_("The used slots of this stretch"),
        columns=(
            (_("Slot"), True),
            (_("What it is"), False),
            (_("Whose page"), False),
            (_("Entries"), True),
            (_("Frame"), False),
        ),
        rows=[
            (
                wording.count(slot["slot"]),
                _(STATES[slot["state"]]),
                whose(slot, here) or "",
                wording.count(slot["named"]) if slot["named"] else "",
                "" if slot["pfn"] is None else Link(wording.pfn(slot["pfn"]), here.at(slot["pfn"])),
            )
            for slot in slots
            if slot["state"] != "free"
        ],
        empty=_("No slot of this stretch is used."),
    )


PANEL: Final = Panel("swap", N_("Swap"), read, view, cost)
