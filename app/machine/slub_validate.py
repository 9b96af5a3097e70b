"""Checking that the slab caches agree with themselves.

Kernel: mm/slub.c validate_slab_cache, which a debugging kernel runs when asked through /sys/kernel/slab. It
walks what is known and touched, never memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from app.mm.slab import KERNEL, KmemCache, Slab

if TYPE_CHECKING:
    from app.machine.machine import Machine


def validate_slabs(m: Machine) -> list[str]:
    """Every disagreement in words; an empty list when there is none."""
    faults = [fault for s in m.caches.values() for fault in cache_faults(m, s)]
    slabs = sum(len(s.slabs) for s in m.caches.values())
    if slabs != len(m.slabs):
        faults.append(f"{len(m.slabs)} slabs by frame, {slabs} by cache")
    live = sum(owner is not None and owner is not KERNEL for slab in m.slabs.values() for owner in slab.owner)
    if live != m.live_objects:
        faults.append(f"live_objects is {m.live_objects}, counted were {live}")
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
