"""The vmalloc space in a dump.

A recording shows which ranges are free, busy and lazily freed. Added to it are what the machine itself has
mapped there, where the slab allocator keeps the ranges' structures, and the modules.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE, PMD_SHIFT
from app.mm.vmalloc import MODULES, VmStruct, ascending_runs, empty_space
from app.mm.vmap_area import CACHE, AreaTree, VmapArea, VmapSpace, largest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

# About what an i386 kernel has mapped by the end of booting: stacks, per-CPU areas, modules.
BOOT_AREAS: Final = 0x2C2000
MAX_AREAS: Final = 2_000_000
# Frames in all areas together: more than the live blocks of a session, for some may be freed already.
MAX_PAGES: Final = 2_000_000
MAX_SEQ: Final = 1 << 40
MAX_PFN: Final = 1 << 34


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """The `vmap` line of a recording, with what is added to it."""
    space = m.vmap
    trees = {"free": space.free, "busy": space.busy, "lazy": space.purge}
    doc["vmap"] = {
        "vmalloc_start": f"{space.vmalloc_start:#x}",
        "vmalloc_end": f"{space.vmalloc_end:#x}",
        **{name: [[f"{va.va_start:#x}", f"{va.va_end:#x}"] for va in tree] for name, tree in trees.items()},
        "modules_vaddr": f"{space.modules_vaddr:#x}",
        "objects": {name: [f"{va.object:#x}" for va in tree] for name, tree in trees.items()},
        "preload": [None if spare is None else f"{spare:#x}" for spare in space.preload],
        "areas": [area_line(va.vm) for va in space.busy if va.vm is not None],
        "modules": [[name, f"{addr:#x}", size] for name, (addr, size) in space.modules.items()],
        "purge_at_vfree": m.purge_at_vfree,
    }


def area_line(vm: VmStruct) -> dict[str, Any]:
    """What is mapped in a busy range."""
    return {
        "addr": f"{vm.addr:#x}",
        "flags": vm.flags,
        "caller": vm.caller,
        "task": vm.task,
        "seq": vm.seq,
        "object": f"{vm.object:#x}",
        "array": f"{vm.array:#x}",
        "page_order": vm.page_order,
        "page_table_writes": vm.page_table_writes,
        "pages": [list(run) for run in ascending_runs(vm.pages)],
    }


# -- reading -------------------------------------------------------------------------------------------------


def load(m: Machine, root: Document) -> None:
    """The space of a dump or a recording; an empty one where it has none.

    An i386 recording shows neither gaps nor areas. Its kernel had some all the same, so the beginning of the
    space counts as busy: the addresses that are given out then are not the kernel's, but the page tables that
    they need are allocated when the kernel's were.
    """
    doc = root.get("vmap", {})
    m.vmap = space = empty_space(m.model)
    top = m.model.ptr_max
    space.vmalloc_start = doc.get("vmalloc_start", space.vmalloc_start).int(PAGE_SIZE, top)
    space.vmalloc_end = doc.get("vmalloc_end", space.vmalloc_end).int(space.vmalloc_start, top)
    trees = {"free": space.free, "busy": space.busy, "lazy": space.purge}
    for name, tree in trees.items():
        load_ranges(doc, name, tree, top)
    check_overlap(doc, [va for tree in trees.values() for va in tree])
    if not len(space.free) and not len(space.busy):
        start = space.vmalloc_start
        taken = min(start + BOOT_AREAS, space.vmalloc_end) if doc.has("vmalloc_start") else start
        if start < taken:
            space.free.insert(VmapArea(1, start))
            space.busy.insert(VmapArea(start, taken))
        space.free.insert(VmapArea(taken if start < taken else 1, top))
    space.vmap_lazy_nr = sum(va.size >> PAGE_SHIFT for va in space.purge)
    load_modules(m, space, doc)
    if doc.has("preload"):
        spares = doc["preload"].list(m.model.cpus, exactly=m.model.cpus)
        space.preload = [None if spare.value is None else spare.int(0, top) for spare in spares]
    else:
        space.preload[: spare_objects(m)] = [0] * spare_objects(m)
    m.purge_at_vfree = doc.get("purge_at_vfree", False).bool()
    room = MAX_PAGES
    for entry in doc.get("areas", []).list(MAX_AREAS):
        room -= load_area(m, space, entry, room)


def spare_objects(m: Machine) -> int:
    """How many CPUs of a recorded machine hold a spare structure: all that no range of the trees is in.

    A recording names only the slabs with free objects. The others are full, so the structures that it does
    not show are a multiple of what a slab holds.
    """
    cache = m.caches.get(CACHE)
    if cache is None:
        return m.model.cpus
    free = sum(len(slab.freelist) for slab in cache.slabs.values()) + sum(
        len(c.freelist) for c in cache.cpu_slab
    )
    in_trees = len(m.vmap.free) + len(m.vmap.busy) + len(m.vmap.purge)
    return min(m.model.cpus, (-free - in_trees) % cache.objs)


def load_ranges(doc: Document, name: str, tree: AreaTree, top: int) -> None:
    """The ranges of one tree, with where their structures are."""
    ranges = doc.get(name, []).list(MAX_AREAS)
    objects = doc.get("objects", {}).get(name, [0] * len(ranges)).list(MAX_AREAS, exactly=len(ranges))
    low = 0
    for entry, object_ in zip(ranges, objects, strict=True):
        start, end = entry.list(2, exactly=2)
        va = VmapArea(start.int(low, top), end.int(0, top), object_.int(0, top))
        if va.va_end <= va.va_start:
            end.fault("above the start of the range")
        low = va.va_end
        tree.insert(va)


def check_overlap(doc: Document, areas: list[VmapArea]) -> None:
    """No address may be in two ranges."""
    areas.sort(key=lambda va: va.va_start)
    for below, above in pairwise(areas):
        if below.va_end > above.va_start:
            doc.fault(f"ranges overlap at {above.va_start:#x}")


def load_modules(m: Machine, space: VmapSpace, doc: Document) -> None:
    """Where modules go, and which are loaded.

    A kernel built without random addresses keeps 512 MiB for its image instead of 1 GiB; a recording of one
    shows busy ranges in what others leave free.
    """
    if m.model.arch == "i386":
        space.modules_vaddr, space.modules_end = space.vmalloc_start, space.vmalloc_end
    else:
        small_image = MODULES[0] - (512 << 20)
        below = space.busy.prev(MODULES[0])
        guess = small_image if below is not None and below.va_start >= small_image else MODULES[0]
        space.modules_vaddr = doc.get("modules_vaddr", guess).int(space.vmalloc_end, MODULES[1])
    for entry in doc.get("modules", []).list(MAX_AREAS):
        name, addr, size = entry.list(3, exactly=3)
        space.modules[name.word(31)] = (addr.int(0, m.model.ptr_max), size.int(1, MAX_SEQ))


def load_area(m: Machine, space: VmapSpace, doc: Document, room: int) -> int:
    """What is mapped in one of the busy ranges; at most `room` pages. Returns how many."""
    addr = doc["addr"].int(0, m.model.ptr_max)
    va = space.busy.find(addr)
    if va is None or va.va_start != addr or va.vm is not None or va.size % PAGE_SIZE:
        doc["addr"].fault("the start of a busy range")
    va.vm = vm = VmStruct(
        va,
        doc["flags"].int(0, 0xFFFF),
        doc["caller"].word(32),
        doc["task"].word(32),
        doc["seq"].int(0, MAX_SEQ),
    )
    vm.object = doc["object"].int(0, m.model.ptr_max)
    vm.array = doc["array"].int(0, m.model.ptr_max)
    vm.page_order = doc["page_order"].int(0, PMD_SHIFT - PAGE_SHIFT)
    vm.page_table_writes = doc["page_table_writes"].int(0, MAX_SEQ)
    room = min(room, (va.size >> PAGE_SHIFT) - 1)
    for entry in doc["pages"].list(room):
        first, frames = entry.ints(0, MAX_PFN, 2, exactly=2)
        if not 1 <= frames <= room - len(vm.pages):
            entry.fault("as many pages as the area has")
        if not m.model.pfn_valid(first) or not m.model.pfn_valid(first + frames - 1):
            entry.fault("page frames of this machine")
        vm.pages.extend(range(first, first + frames))
    space.nr_vmalloc_pages += len(vm.pages)
    return len(vm.pages)


# -- checking (mm/vmalloc.c DEBUG_AUGMENT_PROPAGATE_CHECK, and its BUG_ONs) ----------------------------------


def verify(m: Machine) -> Iterator[str]:
    """Ranges that share an address, trees that have lost their order, areas that do not fit."""
    yield from range_faults(m)
    yield from area_faults(m)


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
    pages = sum(len(va.vm.pages) for va in space.busy if va.vm is not None)
    if pages != space.nr_vmalloc_pages:
        yield f"vmap: nr_vmalloc_pages is {space.nr_vmalloc_pages}, counted were {pages}"


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


PART: Final = Part("vmap areas", dump, load, verify)
