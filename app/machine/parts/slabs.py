"""Slab caches in a machine's dump.

The form is that of the recordings: the layout of each cache, CPU 0's slab with its two free lists, its
partial slabs newest first, and each node's in list order, all free lists as object indexes from the next one
on. Added, where there is something to say: `cpus` (the other CPUs), `full` (slabs on no list, as [first
frame, order]), `owners` (who has allocated which objects, in runs), `struct` (where the cache's own
structures are), `refcount` and `ctor` (name of its constructor).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.mm import page_ref
from app.mm.gfp import __GFP_COMP, __GFP_DMA, __GFP_DMA32, __GFP_RECLAIMABLE
from app.mm.memory_model import PAGE_SIZE
from app.mm.mmzone import MAX_ORDER
from app.mm.page import Page, PG_head, PG_slab
from app.mm.slab import KERNEL, SLAB_KMALLOC, SLAB_RED_ZONE, KmemCache, KmemCacheCpu, Slab, SlabTable
from app.mm.slab_common import create_kmalloc_caches
from app.mm.slub import slab_base
from app.mm.slub_layout import MAX_OBJS_PER_PAGE, POINTER, align_up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

# As many as a session may make, and those of kmalloc, which are made when they are first needed.
MAX_CACHES: Final = 4_100
MAX_SLABS: Final = 1 << 20
# Objects of all slabs together, free or not: each has a place in memory here, but none in the document.
MAX_OBJECTS: Final = 1 << 23
MAX_SIZE: Final = PAGE_SIZE << MAX_ORDER
MAX_SEQ: Final = 1 << 40
UINT_MAX: Final = 0xFFFFFFFF
# What a cache may ask of all its slabs: compound pages, memory for DMA, memory that can be reclaimed.
ALLOCFLAGS: Final = __GFP_COMP | __GFP_DMA | __GFP_DMA32 | __GFP_RECLAIMABLE


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """`caches`."""
    doc["caches"] = dump_caches(m)


def dump_caches(m: Machine) -> list[dict[str, Any]]:
    """All caches, in the order in which the machine has them."""
    return [cache_line(m, s) for s in m.caches.values()]


def cache_line(m: Machine, s: KmemCache) -> dict[str, Any]:
    """One cache with its slabs; where there is none to show, a recording has no lists either."""
    line: dict[str, Any] = {
        "name": s.name,
        "object_size": s.object_size,
        "size": s.size,
        "align": s.align,
        "offset": s.offset,
        "inuse_off": s.inuse,
        "order": s.order,
        "objs": s.objs,
        "min_order": s.min_order,
        "min_objs": s.min_objs,
        "flags": f"{s.flags:#x}",
        "allocflags": f"{s.allocflags:#x}",
        "min_partial": s.min_partial,
        "cpu_partial": s.cpu_partial,
        "cpu_partial_slabs": s.cpu_partial_slabs,
    }
    if s.random_seq is not None:
        line["random_seq"] = list(s.random_seq)
    line["cpu_slab"] = cpu_slab_line(s.cpu_slab[0])
    if s.slabs or s.flags & SLAB_KMALLOC:
        line["cpu_partials"] = [slab_line(slab) for slab in reversed(s.cpu_slab[0].partial)]
        line["node_partial"] = [[slab_line(slab) for slab in n.partial.values()] for n in s.node]
    line.update((key, value) for key, value in additions(m, s).items() if value)
    return line


def slab_line(slab: Slab) -> dict[str, Any]:
    """A slab with its own free list."""
    return {
        "pfn": f"{slab.pfn:#x}",
        "inuse": slab.inuse,
        "objects": slab.objects,
        "frozen": int(slab.frozen),
        "freelist": slab.freelist[::-1],
    }


def cpu_slab_line(c: KmemCacheCpu) -> dict[str, Any] | None:
    """A CPU's slab, with the list that the CPU has taken over."""
    if c.slab is None:
        return None
    line = slab_line(c.slab)
    freelist = line.pop("freelist")
    return line | {"cpu_freelist": c.freelist[::-1], "freelist": freelist}


def additions(m: Machine, s: KmemCache) -> dict[str, Any]:
    """What a recording does not have."""
    slabs = [slab for _, slab in sorted(s.slabs.items())]
    return {
        "cpus": [
            {
                "cpu": cpu,
                "cpu_slab": cpu_slab_line(c),
                "cpu_partials": [slab_line(slab) for slab in reversed(c.partial)],
            }
            for cpu, c in enumerate(s.cpu_slab)
            if cpu and (c.slab is not None or c.partial)
        ],
        "full": [[f"{slab.pfn:#x}", slab.order] for slab in slabs if not slab.frozen and not slab.freelist],
        "owners": [[f"{slab.pfn:#x}", runs] for slab in slabs if (runs := owner_runs(slab))],
        "struct": None if s.object is None else [s.object, s.name_object, *s.node_objects],
        "refcount": s.refcount if s.refcount != usual_refcount(s) else None,
        "ctor": s.ctor,
    }


def owner_runs(slab: Slab) -> list[list[Any]]:
    """`[first object, number, task, seq]` of objects that calls have allocated."""
    runs = []
    index = 0
    for owner, group in groupby(slab.owner):
        count = sum(1 for _ in group)
        if owner is not None and owner is not KERNEL:
            runs.append([index, count, *owner])
        index += count
    return runs


def usual_refcount(s: KmemCache) -> int:
    """The caches of kmalloc can be neither merged nor destroyed."""
    return -1 if s.flags & SLAB_KMALLOC else 1


# -- reading -------------------------------------------------------------------------------------------------


def load(m: Machine, doc: Document) -> None:
    """The caches of a dump or a recording, on a machine whose pages are loaded. Raises BadArgument.

    Caches of kmalloc that it does not show are made, without slabs.
    """
    objects = 0
    for entry in doc.get("caches", []).list(MAX_CACHES):
        s = load_layout(m, entry)
        m.caches[s.name] = s
        load_slabs(m, s, entry)
        load_additions(m, s, entry)
        objects += sum(n.total_objects for n in s.node)
        if objects > MAX_OBJECTS:
            entry.fault(f"slabs of at most {MAX_OBJECTS} objects, in all caches together")
    create_kmalloc_caches(m)


def load_layout(m: Machine, doc: Document) -> KmemCache:
    """A cache without its slabs."""
    name = doc["name"].word()
    if name in m.caches:
        doc["name"].fault("a name of its own for each cache")
    size = doc["size"].int(1, MAX_SIZE)
    s = KmemCache(
        name, doc["object_size"].int(0, size), doc["align"].int(1, UINT_MAX), doc["flags"].int(0, UINT_MAX),
        m.model.cpus, len(m.nodes),
    )  # fmt: skip
    s.size = size
    s.offset = doc["offset"].int(0, size)
    s.inuse = doc["inuse_off"].int(0, size)
    s.order = doc["order"].int(0, MAX_ORDER - 1)
    s.min_order = doc["min_order"].int(0, s.order)
    s.objs = doc["objs"].int(1, min(MAX_OBJS_PER_PAGE, (PAGE_SIZE << s.order) // size))
    s.min_objs = doc["min_objs"].int(1, min(s.objs, (PAGE_SIZE << s.min_order) // size))
    s.allocflags = doc["allocflags"].int(0, UINT_MAX)
    if s.allocflags & ~ALLOCFLAGS:
        doc["allocflags"].fault(f"bits of {ALLOCFLAGS:#x}")
    s.min_partial = doc["min_partial"].int(0, 1000)
    s.cpu_partial = doc["cpu_partial"].int(0, 1000)
    s.cpu_partial_slabs = doc["cpu_partial_slabs"].int(0, 1000)
    if s.flags & SLAB_RED_ZONE:
        s.red_left_pad = align_up(POINTER[m.model.arch], s.align)
        if size < s.object_size + s.red_left_pad:
            doc["size"].fault("room for an object and its red zones")
    if doc.has("random_seq"):
        s.random_seq = doc["random_seq"].ints(0, s.objs - 1, s.objs, exactly=s.objs)
        if sorted(s.random_seq) != list(range(s.objs)):
            doc["random_seq"].fault("every object of a slab once")
    return s


def load_slabs(m: Machine, s: KmemCache, doc: Document) -> None:
    """The slabs that a recording shows."""
    load_cpu(m, s, s.cpu_slab[0], doc)
    for nid, entries in enumerate(doc.get("node_partial", []).list(len(m.nodes))):
        for entry in entries.list(MAX_SLABS):
            slab = load_slab(m, s, entry)
            if slab.nid != nid or not slab.freelist:
                entry.fault("a slab of this node with free objects")
            s.node[nid].partial[slab.pfn] = slab


def load_cpu(m: Machine, s: KmemCache, c: KmemCacheCpu, doc: Document) -> None:
    """A CPU's slab and partial slabs."""
    if doc.has("cpu_slab"):
        entry = doc["cpu_slab"]
        c.slab = load_slab(m, s, entry)
        c.slab.frozen = True
        c.freelist = load_freelist(c.slab, entry["cpu_freelist"])
    for entry in doc.get("cpu_partials", []).list(MAX_SLABS):
        slab = load_slab(m, s, entry)
        slab.frozen = True
        c.partial.insert(0, slab)


def load_slab(m: Machine, s: KmemCache, doc: Document) -> Slab:
    """A slab with its own free list."""
    objects = doc["objects"].int(1, s.objs)
    if objects not in (s.objs, s.min_objs):
        doc["objects"].fault(f"{s.objs}, or {s.min_objs} of a small slab")
    slab = add_slab(m, s, doc["pfn"], s.order if objects == s.objs else s.min_order)
    slab.freelist = load_freelist(slab, doc["freelist"])
    return slab


def load_freelist(slab: Slab, doc: Document) -> list[int]:
    """A free list, the next object last; no object may be free twice."""
    freelist = doc.ints(0, slab.objects - 1, slab.objects)[::-1]
    for index in freelist:
        if slab.owner[index] is None:
            doc.fault(f"object {index} once")
        slab.owner[index] = None
    return freelist


def add_slab(m: Machine, s: KmemCache, doc: Document, order: int) -> Slab:
    """A slab, all of its objects in use so far; its page frames must be there, and in nobody else's hands."""
    pfn = doc.int(0, m.model.max_low_pfn - (1 << order))
    frames = range(pfn, pfn + (1 << order))
    if pfn & ((1 << order) - 1) or not all(m.model.pfn_valid(frame) for frame in frames):
        doc.fault(f"the first of {1 << order} page frames of this machine")
    claim_pages(m, doc, pfn, order)
    objects = s.objs if order == s.order else s.min_objs
    if s.node[m.zone_of(pfn).nid].total_objects > MAX_OBJECTS:
        doc.fault(f"no more after {MAX_OBJECTS} objects of one cache")
    slab = Slab(s, pfn, order, m.zone_of(pfn).nid, slab_base(m, s, pfn), [], objects)
    slab.owner = [KERNEL] * objects
    m.slabs[pfn] = s.slabs[pfn] = slab
    n = s.node[slab.nid]
    n.nr_slabs += 1
    n.total_objects += objects
    return slab


def claim_pages(m: Machine, doc: Document, pfn: int, order: int) -> None:
    """Find the record of a slab's block, or make one where a recording does not list the blocks in use."""
    if pfn in m.slabs:
        doc.fault("a page frame that is no other slab's")
    block = m.pages.get(pfn)
    if block is None:
        if any(not page_ref.is_reserved(m, frame) for frame in range(pfn, pfn + (1 << order))):
            doc.fault("page frames that are not free and belong to no other block")
        flags = PG_slab | (PG_head if order else 0)
        m.pages[pfn] = Page(pfn, order, flags, 0, "slab", "init", 0)
    elif block.order != order or block.state != "slab":
        doc.fault("the first frame of a block in the state slab, and of the slab's order")


def load_additions(m: Machine, s: KmemCache, doc: Document) -> None:
    """What a machine's own dump has beyond a recording."""
    for entry in doc.get("cpus", []).list(m.model.cpus):
        load_cpu(m, s, s.cpu_slab[entry["cpu"].int(1, m.model.cpus - 1)], entry)
    for entry in doc.get("full", []).list(MAX_SLABS):
        pfn, order = entry.list(2, exactly=2)
        if order.int(0, MAX_ORDER - 1) not in (s.order, s.min_order):
            order.fault(f"{s.order}, or {s.min_order} of a small slab")
        add_slab(m, s, pfn, order.int(0, MAX_ORDER - 1))
    for entry in doc.get("owners", []).list(MAX_SLABS):
        pfn, runs = entry.list(2, exactly=2)
        slab = s.slabs.get(pfn.int(0, m.model.max_low_pfn))
        if slab is None:
            pfn.fault("a slab of this cache")
        for run in runs.list(slab.objects):
            load_owner(m, slab, run)
    if doc.has("struct"):
        structures = doc["struct"].ints(0, m.model.ptr_max, 2 + len(m.nodes), exactly=2 + len(m.nodes))
        s.object, s.name_object, *s.node_objects = structures
    if doc.has("ctor"):
        s.ctor = doc["ctor"].word()
    s.refcount = doc.get("refcount", usual_refcount(s)).int(-(1 << 31), (1 << 31) - 1)


def load_owner(m: Machine, slab: Slab, doc: Document) -> None:
    """Who has a run of objects."""
    first, count, task, seq = doc.list(4, exactly=4)
    start = first.int(0, slab.objects - 1)
    stop = start + count.int(1, slab.objects - start)
    owner = (task.word(32), seq.int(0, MAX_SEQ))
    if any(held is not KERNEL for held in slab.owner[start:stop]):
        doc.fault("objects in use, each named once")
    slab.owner[start:stop] = [owner] * (stop - start)
    m.live_objects += stop - start


# -- checking (mm/slub.c validate_slab_cache) ----------------------------------------------------------------


def verify(m: Machine) -> list[str]:
    """Every disagreement in words; an empty list when there is none."""
    faults = [fault for s in m.caches.values() for fault in cache_faults(m, s)]
    slabs = sum(len(s.slabs) for s in m.caches.values())
    if slabs != len(m.slabs):
        faults.append(f"{len(m.slabs)} slabs by frame, {slabs} by cache")
    live = sum(owner is not None and owner is not KERNEL for slab in m.slabs.values() for owner in slab.owner)
    if live != m.live_objects:
        faults.append(f"live_objects is {m.live_objects}, counted were {live}")
    pages = SlabTable()
    for pfn, slab in m.slabs.items():
        pages[pfn] = slab
    if any(m.slabs.pages.get(key, 0) != pages.pages.get(key, 0) for key in m.slabs.pages | pages.pages):
        faults.append(f"slab pages by node are {m.slabs.pages}, counted were {pages.pages}")
    return faults


def cache_faults(m: Machine, s: KmemCache) -> Iterator[str]:
    """Disagreements within one cache."""
    lockless = {c.slab.pfn: c.freelist for c in s.cpu_slab if c.slab is not None}
    frozen = [pfn for c in s.cpu_slab for pfn in (slab.pfn for slab in c.partial)] + list(lockless)
    partial = [pfn for n in s.node for pfn in n.partial]
    if len({*frozen, *partial}) != len(frozen) + len(partial):
        yield f"{s.name}: a slab is in two places"
    for nid, n in enumerate(s.node):
        slabs = [slab for slab in s.slabs.values() if slab.nid == nid]
        if (n.nr_slabs, n.total_objects) != (len(slabs), sum(slab.objects for slab in slabs)):
            yield f"{s.name}: node {nid} counts {n.nr_slabs} slabs and {n.total_objects} objects"
    for pfn, slab in s.slabs.items():
        where = f"{s.name}: slab {pfn:#x}"
        if slab.pfn != pfn or slab.cache is not s or m.slabs.get(pfn) is not slab:
            yield f"{where} is filed wrongly"
        if slab.frozen != (pfn in frozen):
            yield f"{where}: frozen is {slab.frozen}, and a CPU's is {pfn in frozen}"
        if pfn in partial and (slab.frozen or not slab.freelist):
            yield f"{where} is on a partial list, but full or frozen"
        if pfn not in partial and not slab.frozen and slab.freelist:
            yield f"{where} has free objects, but is on no list"
        yield from object_faults(m, where, slab, lockless.get(pfn, []))


def object_faults(m: Machine, where: str, slab: Slab, lockless: list[int]) -> Iterator[str]:
    """Disagreements between a slab's free lists, its owners and its page frames."""
    free = [*slab.freelist, *lockless]
    if len(set(free)) != len(free):
        yield f"{where}: an object is free twice"
    if {index for index, owner in enumerate(slab.owner) if owner is None} != set(free):
        yield f"{where}: the free objects are not those that nobody has"
    block = m.pages.get(slab.pfn)
    if block is not None and (block.order != slab.order or block.state != "slab"):
        yield f"{where}: its frames are a block of order {block.order} in the state {block.state}"


PART: Final = Part("slabs", dump, load, verify)
