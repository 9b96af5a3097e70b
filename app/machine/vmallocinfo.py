"""The vmalloc space as a document: in a dump, and for those who look at it.

Kernel: mm/vmalloc.c s_show (/proc/vmallocinfo). A recording shows which ranges are free, busy and lazily
freed. Added to it are what the machine itself has mapped there, where the slab allocator keeps the ranges'
structures, the page tables, and the modules.
"""

from __future__ import annotations

from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.machine.document import Document
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE, PMD_SHIFT, PUD_SHIFT
from app.mm.vmalloc import MODULES, VM_FLUSH_RESET_PERMS, VmStruct, ascending_runs, empty_space
from app.mm.vmap_area import CACHE, AreaTree, VmapArea, VmapSpace

if TYPE_CHECKING:
    from app.machine.machine import Machine

# About what an i386 kernel has mapped by the end of booting: stacks, per-CPU areas, modules.
BOOT_AREAS: Final = 0x2C2000
MAX_AREAS: Final = 2_000_000
# Frames in all areas together: more than the live blocks of a session, for some may be freed already.
MAX_PAGES: Final = 2_000_000
MAX_SEQ: Final = 1 << 40
MAX_PFN: Final = 1 << 34
# How many of an area's frames an outcome names, and how many a list of all areas.
SHOWN_PFNS: Final = 4096
LISTED_PFNS: Final = 64
# How many areas a list of them has at most.
MAX_LISTED: Final = 1000


# -- for those who look ----------------------------------------------------------------------------


def area_part(vm: VmStruct) -> dict[str, Any]:
    """An area as an outcome shows it. Its size includes the guard page, as in /proc/vmallocinfo."""
    return {
        "address": f"{vm.addr:#x}",
        "size": vm.size,
        "nr_pages": len(vm.pages),
        "guard": f"{vm.guard:#x}",
        "pfns": vm.pages[:SHOWN_PFNS],
        "page_table_writes": vm.page_table_writes,
    }


def area_at(m: Machine, address: int | None) -> dict[str, Any] | None:
    """The area that an address lies in; None for an address of anything else."""
    va = None if address is None else m.vmap.busy.find(address)
    return None if va is None or va.vm is None else area_part(va.vm)


def vmap_areas_view(m: Machine, start: int = 0, limit: int = MAX_LISTED) -> dict[str, Any]:
    """Ranges in use, then those that are freed but not purged, each in the order of addresses.

    start: how many to pass over; `next` in the answer is where to go on, None at the end. `total` is how many
    there are. Raises BadArgument.
    """
    if start < 0:
        raise BadArgument.at("start", "a number of areas, 0 or more")
    if not 1 <= limit <= MAX_LISTED:
        raise BadArgument.at("limit", f"a number of areas from 1 to {MAX_LISTED}")
    space = m.vmap
    busy = space.busy.part(start, limit)
    lazy = space.purge.part(max(0, start - len(space.busy)), limit - len(busy)) if len(busy) < limit else []
    total = len(space.busy) + len(space.purge)
    return {
        "areas": [busy_view(va) for va in busy] + [lazy_view(va) for va in lazy],
        "total": total,
        "next": start + limit if start + limit < total else None,
    }


def areas_around(m: Machine, address: int | None, count: int) -> list[dict[str, Any]]:
    """At most `count` ranges in the order of addresses, in use or not purged: those around an address.

    Without an address they are the first ones.
    """
    space = m.vmap
    if address is None:
        before, after = [], [(va.va_start, False, va) for va in space.busy.part(0, count)]
        after += [(va.va_start, True, va) for va in space.purge.part(0, count)]
    else:
        trees = ((space.busy, False), (space.purge, True))
        before = [(va.va_start, lazy, va) for tree, lazy in trees for va in tree.below(address, count)]
        after = [(va.va_start, lazy, va) for tree, lazy in trees for va in tree.above(address, count)]
    before, after = sorted(before, key=itemgetter(0))[-count:], sorted(after, key=itemgetter(0))[:count]
    left = min(len(before), max(count // 2, count - len(after)))
    shown = before[len(before) - left :] + after[: count - left]
    return [lazy_view(va) if lazy else busy_view(va) for _start, lazy, va in shown]


def busy_view(va: VmapArea) -> dict[str, Any]:
    """A range in use."""
    return range_view(va) | owner_view(va.vm)


def lazy_view(va: VmapArea) -> dict[str, Any]:
    """A range that is freed but not purged."""
    return range_view(va) | {"kind": "unpurged vm_area", "lazy": True}


def range_view(va: VmapArea) -> dict[str, Any]:
    """Where a range is."""
    return {"address": f"{va.va_start:#x}", "end": f"{va.va_end:#x}", "size": va.size}


def owner_view(vm: VmStruct | None) -> dict[str, Any]:
    """What is mapped in a range, and for whom; nothing is known of those that the kernel took at boot."""
    if vm is None:
        return {"kind": "kernel", "lazy": False}
    return {
        "kind": "module" if vm.flags & VM_FLUSH_RESET_PERMS else vm.caller,
        "nr_pages": len(vm.pages),
        "page_order": vm.page_order,
        "guard": f"{vm.guard:#x}",
        "pfns": vm.pages[:LISTED_PFNS],
        "page_table_writes": vm.page_table_writes,
        "task": vm.task,
        "seq": vm.seq,
        "lazy": False,
    }


# -- writing ---------------------------------------------------------------------------------------


def dump_vmap(m: Machine) -> dict[str, Any]:
    """The `vmap` line of a recording, with what is added to it."""
    space = m.vmap
    trees = {"free": space.free, "busy": space.busy, "lazy": space.purge}
    return {
        "vmalloc_start": f"{space.vmalloc_start:#x}",
        "vmalloc_end": f"{space.vmalloc_end:#x}",
        **{name: [[f"{va.va_start:#x}", f"{va.va_end:#x}"] for va in tree] for name, tree in trees.items()},
        "modules_vaddr": f"{space.modules_vaddr:#x}",
        "objects": {name: [f"{va.object:#x}" for va in tree] for name, tree in trees.items()},
        "preload": [None if spare is None else f"{spare:#x}" for spare in space.preload],
        "areas": [area_line(va.vm) for va in space.busy if va.vm is not None],
        "page_tables": [[*key, pfn] for key, pfn in space.page_tables.items()],
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


# -- reading ---------------------------------------------------------------------------------------


def load_vmap(m: Machine, doc: Document) -> None:
    """The space of a dump or a recording; an empty one where it has none.

    An i386 recording shows neither gaps nor areas. Its kernel had some all the same, so the beginning of the
    space counts as busy: the addresses that are given out then are not the kernel's, but the page tables that
    they need are allocated when the kernel's were.
    """
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
    for entry in doc.get("page_tables", []).list(1 << 20):
        shift, index, pfn = entry.list(3, exactly=3)
        key = (shift.int(PMD_SHIFT, PUD_SHIFT), index.int(0, top >> PMD_SHIFT))
        space.page_tables[key] = pfn.int(0, MAX_PFN)


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
    return len(vm.pages)
