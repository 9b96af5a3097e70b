"""One cache's slabs as grids of objects: who has which, and in which order the free ones go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.machine.machine import Machine
from app.machine.slab_views import cache_view
from app.mm.memory_model import PAGE_SIZE
from app.web import wording
from app.web.address import Address
from app.web.contexts import Link
from app.web.language import _, ngettext
from app.web.panel_contexts import ObjectCell, SlabGrid, SlabView

Doc = Mapping[str, Any]

SLABS: Final = 8
CELLS: Final = 256  # drawn at a time, but for a slab that has more by itself
KINDS: Final = {"a": "allocated", "k": "kernel", "f": "free", "c": "cpu"}


def read(machine: Machine, here: Address) -> dict[str, Any] | None:
    """A part of the slabs of the cache that the address names, where there is such a cache."""
    if here.slabs not in machine.caches:
        return None
    cache = machine.caches[here.slabs]
    return cache_view(machine, here.slabs, here.slab or 0, part_of(cache.objs))


def part_of(objects: int) -> int:
    """How many slabs are shown at a time, of a cache with so many objects in each."""
    return max(1, min(SLABS, CELLS // objects))


def slab_grid(doc: Doc, here: Address) -> SlabGrid:
    """doc: `app.machine.slab_views.cache_view`."""
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
    """Where SLUB would look for it."""
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
    """One object: the turn of a free one; who has one that is taken."""
    where = wording.hexadecimal(address)
    what, href = {"index": index}, here.thing(where).href
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
