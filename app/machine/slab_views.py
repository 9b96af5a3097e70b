"""Reading the slab caches: what /proc/slabinfo counts, and every object of one cache.

JSON-ready; changes nothing. Of a machine that began as a recording only those slabs are known that the
recording lists: full ones are in no list, neither the kernel's nor the recording's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.mm import boot_caches
from app.mm.memory_model import PAGE_SIZE
from app.mm.slab import KERNEL, KmemCache, Slab, kmem_cache_debug, slab_ksize

if TYPE_CHECKING:
    from app.machine.machine import Machine

MAX_SLABS: Final = 1000
MAX_CACHES: Final = 1000
# Objects in one part of a list of slabs.
MAX_OBJECTS: Final = 20_000

# One letter for each object of a slab.
OBJECT_STATES: Final = {"a": "allocated", "k": "kernel", "f": "free", "c": "cpu"}


def caches_view(m: Machine, start: int = 0, limit: int = MAX_CACHES) -> dict[str, Any]:
    """Caches with their counts, in the order in which they were made. Raises BadArgument.

    Those of a booted kernel that nobody has used come last.

    start: how many to pass over; `next` in the answer is where to go on, None at the end.
    """
    if start < 0:
        raise BadArgument.at("start", "a number of caches, 0 or more")
    if not 1 <= limit <= MAX_CACHES:
        raise BadArgument.at("limit", f"a number of caches from 1 to {MAX_CACHES}")
    end = start + limit
    every = [*m.caches.values(), *boot_caches.unused(m)]
    return {
        "caches": [summary(s) for s in every[start:end]],
        "next": end if end < len(every) else None,
    }


def caches_with_slabs(m: Machine, start: int, limit: int) -> dict[str, Any]:
    """At most `limit` of the caches that have slabs, after the first `start` of `total`."""
    found = [s for s in m.caches.values() if s.slabs or any(n.nr_slabs for n in s.node)]
    return {"caches": [summary(s) for s in found[start : start + limit]], "total": len(found)}


def summary(s: KmemCache) -> dict[str, Any]:
    """One cache in numbers.

    active_objs counts as /proc/slabinfo does, where all objects of slabs that a CPU holds are active;
    allocated is how many are in use. waste: bytes at the ends of slabs that no object fits into.
    """
    num_objs = sum(n.total_objects for n in s.node)
    num_slabs = sum(n.nr_slabs for n in s.node)
    node_free = sum(len(slab.freelist) for n in s.node for slab in n.partial.values())
    cpu_free = sum(
        len(c.freelist)
        + (0 if c.slab is None else len(c.slab.freelist))
        + sum(len(slab.freelist) for slab in c.partial)
        for c in s.cpu_slab
    )
    pages = sum(1 << slab.order for slab in s.slabs.values())
    return {
        "name": s.name,
        "object_size": s.object_size,
        "size": s.size,
        "ksize": slab_ksize(s),
        "align": s.align,
        "order": s.order,
        "objs_per_slab": s.objs,
        "flags": f"{s.flags:#x}",
        "debug": kmem_cache_debug(s),
        "active_objs": num_objs - node_free,
        "num_objs": num_objs,
        "allocated": num_objs - node_free - cpu_free,
        "active_slabs": num_slabs,
        "num_slabs": num_slabs,
        "pages": pages,
        "min_partial": s.min_partial,
        "cpu_partial": s.cpu_partial,
        "cpu_partial_slabs": s.cpu_partial_slabs,
        "cpu_slabs": sum(c.slab is not None for c in s.cpu_slab),
        "cpu_partials": sum(len(c.partial) for c in s.cpu_slab),
        "node_partials": [len(n.partial) for n in s.node],
        "waste": pages * PAGE_SIZE - num_objs * s.size,
    }


def cache_view(m: Machine, name: str, start: int = 0, limit: int = MAX_SLABS) -> dict[str, Any]:
    """One cache with its slabs in address order. Raises KeyError for a cache that is not there, BadArgument.

    A part of the list ends early where its slabs have very many objects.

    start: how many slabs to pass over; `next` in the answer is where to go on, None at the end.
    """
    if start < 0:
        raise BadArgument.at("start", "a number of slabs, 0 or more")
    if not 1 <= limit <= MAX_SLABS:
        raise BadArgument.at("limit", f"a number of slabs from 1 to {MAX_SLABS}")
    s = boot_caches.look(m, name)
    if s is None:
        raise KeyError(name)
    pfns = sorted(s.slabs)
    places = places_of(s)
    limit = min(limit, max(1, MAX_OBJECTS // s.objs))
    shown = pfns[start : start + limit]
    return {
        **summary(s),
        "states": OBJECT_STATES,
        "slabs": [slab_view(s.slabs[pfn], places.get(pfn, {"list": "full"})) for pfn in shown],
        "next": start + limit if start + limit < len(pfns) else None,
    }


def places_of(s: KmemCache) -> dict[int, dict[str, Any]]:
    """First frame → where the slab is: some CPU's, or which place on a CPU's partial list or a node's."""
    places: dict[int, dict[str, Any]] = {}
    for cpu, c in enumerate(s.cpu_slab):
        if c.slab is not None:
            places[c.slab.pfn] = {"list": "cpu", "cpu": cpu, "cpu_freelist": c.freelist[::-1]}
        for place, slab in enumerate(reversed(c.partial)):
            places[slab.pfn] = {"list": "cpu_partial", "cpu": cpu, "place": place}
    for nid, n in enumerate(s.node):
        for place, pfn in enumerate(n.partial):
            places[pfn] = {"list": "node_partial", "node": nid, "place": place}
    return places


def slab_view(slab: Slab, place: dict[str, Any]) -> dict[str, Any]:
    """One slab: a letter for each object, the free lists from the next object on, and who has what."""
    states = ["f" if owner is None else "k" if owner is KERNEL else "a" for owner in slab.owner]
    for index in place.get("cpu_freelist", ()):
        states[index] = "c"
    return {
        "pfn": slab.pfn,
        "order": slab.order,
        "node": slab.nid,
        "address": f"{slab.base:#x}",
        "objects": slab.objects,
        "inuse": slab.inuse,
        "frozen": slab.frozen,
        **place,
        "states": "".join(states),
        "freelist": slab.freelist[::-1],
        "owners": [
            {"index": index, "task": owner[0], "seq": owner[1]}
            for index, owner in enumerate(slab.owner)
            if owner is not None and owner is not KERNEL
        ],
    }
