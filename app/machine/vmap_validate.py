"""Checking that the vmalloc space and the PKMAP window agree with themselves.

Kernel: the overlap and augmentation checks of mm/vmalloc.c (DEBUG_AUGMENT_PROPAGATE_CHECK), and its BUG_ONs.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.vmap_area import AreaTree, VmapArea, largest

if TYPE_CHECKING:
    from app.machine.machine import Machine


def validate_vmap(m: Machine) -> list[str]:
    """Every disagreement in words; an empty list when there is none."""
    return [*range_faults(m), *area_faults(m), *pkmap_faults(m)]


def range_faults(m: Machine) -> Iterator[str]:
    """The three trees: each in order, none sharing an address with another, free neighbours made one."""
    space = m.vmap
    trees = {"free": space.free, "busy": space.busy, "purge": space.purge}
    for name, tree in trees.items():
        yield from tree_faults(name, tree)
        if name != "busy" and any(below.va_end == above.va_start for below, above in pairwise(tree)):
            yield f"vmap: two {name} ranges that touch"
    ranges = sorted((va for tree in trees.values() for va in tree), key=lambda va: va.va_start)
    for below, above in pairwise(ranges):
        if below.va_end > above.va_start:
            yield f"vmap: ranges overlap at {above.va_start:#x}"
    lazy = sum(va.size >> PAGE_SHIFT for va in space.purge)
    if lazy != space.vmap_lazy_nr:
        yield f"vmap: vmap_lazy_nr is {space.vmap_lazy_nr}, counted were {lazy}"


def tree_faults(name: str, tree: AreaTree) -> Iterator[str]:
    """What a tree notes about its leaves."""
    if tree.starts != [leaf[0].va_start for leaf in tree.leaves]:
        yield f"vmap: the {name} tree has lost where its leaves start"
    if tree.augmented and tree.subtree_max_size != [largest(leaf) for leaf in tree.leaves]:
        yield f"vmap: the {name} tree has lost its largest ranges"


def area_faults(m: Machine) -> Iterator[str]:
    """What is mapped fits its range, and page tables are there for it."""
    for va in m.vmap.busy:
        if va.vm is not None:
            yield from vm_faults(m, va)
    for va in (*m.vmap.free, *m.vmap.purge):
        if va.vm is not None:
            yield f"vmap: something is mapped at {va.va_start:#x}, which is not in use"


def vm_faults(m: Machine, va: VmapArea) -> Iterator[str]:
    """One area. It has fewer pages than it has room for where an oops ended the call that was filling it."""
    vm = va.vm
    assert vm is not None
    if (vm.addr, vm.size) != (va.va_start, va.size):
        yield f"vmap: the area at {vm.addr:#x} has another range"
    if len(vm.pages) << PAGE_SHIFT > vm.size - PAGE_SIZE:
        yield f"vmap: the area at {vm.addr:#x} has {len(vm.pages)} pages"


def pkmap_faults(m: Machine) -> Iterator[str]:
    """Slots, counts and addresses say the same; who waits sleeps."""
    pkmap = m.pkmap
    mapped = {pfn: nr for nr, pfn in enumerate(pkmap.slots) if pfn is not None}
    if mapped != pkmap.nr:
        yield "pkmap: the slots and the frames' addresses differ"
    for nr, (count, pfn) in enumerate(zip(pkmap.pkmap_count, pkmap.slots, strict=True)):
        if (count > 0) != (pfn is not None):
            yield f"pkmap: slot {nr} has count {count} and page frame {pfn}"
    for name, pfn in pkmap.waiters.items():
        if name not in m.tasks or m.tasks[name].waiting_for != pfn:
            yield f"pkmap: {name} waits for a slot and does not sleep"
