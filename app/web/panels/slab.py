"""The panel of slab caches: a table of them, or one cache's slabs object by object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from app.machine import show, show_cost
from app.machine.machine import Machine
from app.machine.slab_views import cache_view
from app.mm.memory_model import PAGE_SIZE
from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link, TablePart
from app.web.contexts.inspector import ObjectCell
from app.web.contexts.panels import PanelView, TablePanel
from app.web.language import N_, _, ngettext
from app.web.panels.base import Panel, Seen
from app.web.tableparts import ROWS, first_row, table_part

Doc = Mapping[str, Any]

SLABS: Final = 8
CELLS: Final = 256  # drawn at a time, but for a slab that has more by itself
KINDS: Final = {"a": "allocated", "k": "kernel", "f": "free", "c": "cpu"}


@dataclass(frozen=True, slots=True)
class SlabView:
    """One slab."""

    frame: Link
    """link to its first page frame"""
    address: str
    """the address of its first object"""
    place: str
    """the list that it is on"""
    allocated: int
    """how many objects are allocated"""
    inuse: str
    """SLUB's own count where it differs, in words"""
    objects: Sequence[ObjectCell]
    """every object"""
    waste: str
    """what is left at its end, in words"""


@dataclass(frozen=True, slots=True)
class SlabGrid:
    """One cache's slabs, object by object."""

    cache: str
    """the cache's name"""
    facts: str
    """how objects lie in a slab, in a line"""
    slabs: Sequence[SlabView]
    """the slabs of this part"""
    total: int
    """how many slabs the cache has"""
    earlier: Link
    """link to the slabs before"""
    later: Link
    """link to the slabs after"""
    close: Link
    """link to the table of all caches"""
    empty: str
    """what is said of a cache without slabs"""


@dataclass(frozen=True, slots=True)
class SlabPanel(PanelView):
    """Slab caches as a table, or the slabs of one cache."""

    TEMPLATE: ClassVar[str] = "machine/panels/slab.html"
    grid: SlabGrid | None
    """the slabs of the cache that the address names"""
    table: TablePanel | None
    """all caches, where it names none"""


def read(machine: Machine, here: Address, _zone: Doc) -> dict[str, Any]:
    """Read the slabs of the cache that the address names, or else the table of caches."""
    opened = read_cache(machine, here)
    return read_table(machine, here) if opened is None else {"open": opened}


def read_cache(machine: Machine, here: Address) -> dict[str, Any] | None:
    """Read a part of the slabs of the cache that the address names; None where there is no such cache."""
    if here.slabs not in machine.caches:
        return None
    cache = machine.caches[here.slabs]
    return cache_view(machine, here.slabs, here.slab or 0, part_of(cache.objs))


def read_table(machine: Machine, here: Address) -> dict[str, Any]:
    """Read a part of the caches that have slabs."""
    found = show.caches_with_slabs(machine, 0, 0)
    first = first_row(here, found["total"])
    return show.caches_with_slabs(machine, first, ROWS) | {"open": None, "first": first}


def cost(machine: Machine, here: Address) -> int:
    """About how much work `read` is."""
    if here.slabs is not None:
        return show_cost.slabs_of(machine, here.slabs, SLABS)
    return show_cost.listed_caches(machine, ROWS)


def view(seen: Seen) -> SlabPanel:
    """Show one cache's slabs, or the table of caches."""
    doc, here = seen.doc, seen.here
    if doc["open"]:
        return SlabPanel(grid=slab_grid(doc["open"], here), table=None)
    part = table_part(here, doc["first"], doc["total"])
    return SlabPanel(grid=None, table=table(doc["caches"], here, part))


def table(caches: Sequence[Doc], here: Address, part: TablePart | None = None) -> TablePanel:
    """Caches that have slabs, in the order in which they were made.

    What is asked for, what it takes, what is lost.
    """
    return TablePanel(
        caption=_("Slab caches with slabs. Waste: the ends of slabs that no object fits into."),
        columns=(
            (_("Cache"), False),
            (_("Object"), True),
            (_("Takes"), True),
            (_("In use"), True),
            (_("Objects"), True),
            (_("Slabs"), True),
            (_("Order"), True),
            (_("Per slab"), True),
            (_("Waste"), True),
        ),
        rows=[
            (
                Link(cache["name"], here.to(slabs=cache["name"]).href),
                wording.count(cache["object_size"]),
                wording.count(cache["size"]),
                wording.count(cache["allocated"]),
                wording.count(cache["num_objs"]),
                wording.count(cache["num_slabs"]),
                str(cache["order"]),
                str(cache["objs_per_slab"]),
                wording.size(cache["waste"]),
            )
            for cache in caches
        ],
        empty=_("No cache has a slab yet."),
        part=part,
    )


def part_of(objects: int) -> int:
    """How many slabs are shown at a time, of a cache with so many objects in each."""
    return max(1, min(SLABS, CELLS // objects))


def opened_at(cache: str, first: int, here: Address) -> Address:
    """The same view with the panel open at a slab of a cache."""
    return here.to(panel=PANEL.name, slabs=cache, slab=first or None)


def slab_grid(doc: Doc, here: Address) -> SlabGrid:
    """Show one cache's slabs, from `app.machine.slab_views.cache_view`."""
    first, part = here.slab or 0, part_of(doc["objs_per_slab"])
    return SlabGrid(
        cache=doc["name"],
        facts=facts(doc),
        slabs=[slab_view(doc, slab, here) for slab in doc["slabs"]],
        total=doc["num_slabs"],
        earlier=Link(_("Earlier slabs"), here.to(slab=max(0, first - part)).href if first else None),
        later=Link(_("More slabs"), None if doc["next"] is None else here.to(slab=doc["next"]).href),
        close=Link(_("All caches"), here.to(slabs=None, slab=None).href),
        empty=_("No slab: the next object takes a new one from the page allocator."),
    )


def facts(doc: Doc) -> str:
    """How objects lie in a slab of this cache."""
    grown = doc["size"] - doc["object_size"]
    values = {
        "size": wording.count(doc["object_size"]),
        "beside": wording.count(grown),
        "slab": wording.frames(1 << doc["order"]),
        "order": doc["order"],
    }
    if grown:
        return ngettext(
            "%(num)s object of %(size)s + %(beside)s beside it bytes in %(slab)s (order %(order)s)",
            "%(num)s objects of %(size)s + %(beside)s beside it bytes in %(slab)s (order %(order)s)",
            doc["objs_per_slab"],
            **values,
        )
    return ngettext(
        "%(num)s object of %(size)s bytes in %(slab)s (order %(order)s)",
        "%(num)s objects of %(size)s bytes in %(slab)s (order %(order)s)",
        doc["objs_per_slab"],
        **values,
    )


def slab_view(cache: Doc, slab: Doc, here: Address) -> SlabView:
    """One slab with all its objects."""
    taken = sum(state in "ak" for state in slab["states"])
    left = (PAGE_SIZE << slab["order"]) - slab["objects"] * cache["size"]
    return SlabView(
        frame=Link(wording.pfn(slab["pfn"]), here.at(slab["pfn"])),
        address=slab["address"],
        place=place(slab),
        allocated=taken,
        inuse=""
        if slab["inuse"] == taken
        else _("inuse is %(number)s: what a CPU holds counts", number=wording.count(slab["inuse"])),
        objects=cells(cache, slab, here),
        waste=ngettext(
            "%(num)s byte at its end holds no object", "%(num)s bytes at its end hold no object", left
        )
        if left
        else "",
    )


def place(slab: Doc) -> str:
    """Say on which of SLUB's lists a slab is."""
    match slab["list"]:
        case "cpu":
            return _("CPU %(cpu)s’s slab: the next object comes from here", cpu=slab["cpu"])
        case "cpu_partial":
            return _("CPU %(cpu)s’s partial list, place %(place)s", cpu=slab["cpu"], place=slab["place"])
        case "node_partial":
            return _("node %(node)s’s partial list, place %(place)s", node=slab["node"], place=slab["place"])
        case _:
            return _("full: in no list")


def cells(cache: Doc, slab: Doc, here: Address) -> list[ObjectCell]:
    """Every object. A CPU's own free ones go before those that were freed to its slab from elsewhere."""
    owners = {owner["index"]: owner for owner in slab["owners"]}
    turns = {index: turn for turn, index in enumerate(order_of(slab), 1)}
    base, size = int(slab["address"], 16), cache["size"]
    return [
        cell(index, KINDS[state], base + index * size, owners.get(index), turns.get(index), here)
        for index, state in enumerate(slab["states"])
    ]


def order_of(slab: Doc) -> Sequence[int]:
    """The free objects in the order in which they will be given out."""
    return [*slab.get("cpu_freelist", ()), *slab["freelist"]]


def cell(
    index: int, kind: str, address: int, owner: Doc | None, turn: int | None, here: Address
) -> ObjectCell:
    """Show one object: the turn of a free one, or who has allocated it."""
    where = wording.hexadecimal(address)
    what, href = {"index": index}, here.inspect(where).href
    if turn == 1:
        words = _("object %(index)s: free, the next on the free list", **what)
        return ObjectCell(index, kind, str(turn), words, href)
    if turn is not None:
        words = _("object %(index)s: free, number %(turn)s on the free list", turn=turn, **what)
        return ObjectCell(index, kind, str(turn), words, href)
    if kind == "kernel":
        words = _("object %(index)s: the kernel’s own, since boot or for its own records", **what)
        return ObjectCell(index, kind, "K", words, href)
    if owner is None:
        words = _("object %(index)s: allocated", **what)
    else:
        words = _(
            "object %(index)s: allocated by %(task)s at #%(seq)s",
            task=owner["task"],
            seq=owner["seq"],
            **what,
        )
    return ObjectCell(index, kind, "A", words, href)


PANEL: Final = Panel("slab", N_("Slab"), read, view, cost, look="slab")
