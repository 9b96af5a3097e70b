"""One cache's slabs as grids of objects: who has which, and in which order the free ones go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.mm.machine import Machine
from app.mm.memory_model import PAGE_SIZE
from app.mm.slab_views import cache_view
from app.web import wording
from app.web.address import Address
from app.web.contexts import Link
from app.web.panel_contexts import ObjectCell, SlabGrid, SlabView

Doc = Mapping[str, Any]

SLABS: Final = 8
KINDS: Final = {"a": "allocated", "k": "kernel", "f": "free", "c": "cpu"}


def read(machine: Machine, here: Address) -> dict[str, Any] | None:
    """A part of the slabs of the cache that the address names, where there is such a cache."""
    if here.slabs not in machine.caches:
        return None
    return cache_view(machine, here.slabs, here.slab or 0, SLABS)


def slab_grid(doc: Doc, here: Address) -> SlabGrid:
    """doc: `app.mm.slab_views.cache_view`."""
    first = here.slab or 0
    return SlabGrid(
        cache=doc["name"],
        facts=facts(doc),
        slabs=[slab_view(doc, slab, here) for slab in doc["slabs"]],
        total=doc["num_slabs"],
        earlier=Link("Earlier slabs", here.to(slab=max(0, first - SLABS)).href if first else None),
        later=Link("More slabs", None if doc["next"] is None else here.to(slab=doc["next"]).href),
        close=Link("All caches", here.to(slabs=None, slab=None).href),
        empty="No slab: the next object takes a new one from the page allocator.",
    )


def facts(doc: Doc) -> str:
    """How objects lie in a slab of this cache."""
    slab = f"{wording.frames(1 << doc['order'])} (order {doc['order']})"
    grown = doc["size"] - doc["object_size"]
    beside = f" + {grown:,} beside it" if grown else ""
    return f"{doc['objs_per_slab']:,} objects of {doc['object_size']:,}{beside} bytes in {slab}"


def slab_view(cache: Doc, slab: Doc, here: Address) -> SlabView:
    """One slab with all its objects."""
    taken = sum(state in "ak" for state in slab["states"])
    left = (PAGE_SIZE << slab["order"]) - slab["objects"] * cache["size"]
    return SlabView(
        frame=Link(wording.pfn(slab["pfn"]), here.at(slab["pfn"])),
        address=slab["address"],
        place=place(slab),
        allocated=taken,
        inuse=f"inuse is {slab['inuse']:,}: what a CPU holds counts" if slab["inuse"] != taken else "",
        objects=cells(cache, slab, here),
        waste=f"{left:,} bytes at its end hold no object" if left else "",
    )


def place(slab: Doc) -> str:
    """Where SLUB would look for it."""
    match slab["list"]:
        case "cpu":
            return f"CPU {slab['cpu']}’s slab: the next object comes from here"
        case "cpu_partial":
            return f"CPU {slab['cpu']}’s partial list, place {slab['place']}"
        case "node_partial":
            return f"node {slab['node']}’s partial list, place {slab['place']}"
        case _:
            return "full: in no list"


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
    what, href = f"object {index} at {where}", here.thing(where).href
    if turn is not None:
        words = f"{what}: free, {'the next' if turn == 1 else f'number {turn}'} on the free list"
        return ObjectCell(index, kind, str(turn), words, href)
    if kind == "kernel":
        return ObjectCell(
            index, kind, "K", f"{what}: the kernel’s own, since boot or for its own records", href
        )
    whose = "" if owner is None else f" by {owner['task']} at #{owner['seq']}"
    return ObjectCell(index, kind, "A", f"{what}: allocated{whose}", href)
