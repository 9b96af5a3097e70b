"""What the rows of a set have taken and not given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.exercises.look import Look, extra_refs, locked_pages
from app.mm.page import STATE_OF_MIGRATETYPE, Page
from app.mm.slab import Slab, virt_to_slab
from app.mm.vmalloc import VmStruct

# States of a block that a page call has handed out; a lock only shows over them.
HANDED_OUT: Final = frozenset(STATE_OF_MIGRATETYPE)


def blocks(look: Look, task: str = "") -> Iterator[Page]:
    """Page blocks of the set's page calls, or what is left of them."""
    for page in look.machine.pages.values():
        if page.seq in look.page_calls and page.state in HANDED_OUT and task in ("", page.task):
            yield page


def objects(look: Look, cache: str = "", task: str = "") -> Iterator[tuple[Slab, int]]:
    """Slab objects that the set's calls have returned, as (slab, index).

    Objects that the kernel takes for itself on the way, such as a `vmap_area`, are not the caller's to free.
    """
    for seq, runs in look.addresses.items():
        for first, count, distance in runs:
            for number in range(count):
                address = first + number * distance
                slab = virt_to_slab(look.machine, address)
                index = None if slab is None else slab.index(address)
                if slab is None or index is None or cache not in ("", slab.cache.name):
                    continue
                owner = slab.owner[index]
                if owner is not None and owner[1] == seq and task in ("", owner[0]):
                    yield slab, index


def large_objects(look: Look, task: str = "") -> Iterator[Page]:
    """Blocks that kmalloc has taken from the page allocator, being beyond its largest class."""
    m = look.machine
    for seq, runs in look.addresses.items():
        for first, count, distance in runs:
            for number in range(count):
                pfn = m.model.virt_to_pfn(first + number * distance)
                page = None if pfn is None else m.pages.get(pfn)
                if page is None or page.seq != seq or page.state not in HANDED_OUT:
                    continue
                if task in ("", page.task):
                    yield page


def areas(look: Look, task: str = "") -> Iterator[VmStruct]:
    """vmalloc areas that the set's calls have made, and that are not freed; modules are among them.

    The list of an area's pages may be an area itself, which goes with it.
    """
    if not look.area_calls:
        return
    found = [va.vm for va in look.machine.vmap.busy if va.vm is not None and va.vm.seq in look.area_calls]
    arrays = {vm.array for vm in found}
    for vm in found:
        if vm.addr not in arrays and task in ("", vm.task):
            yield vm


def count_blocks(look: Look, task: str = "") -> int:
    """Page blocks."""
    return sum(1 for _ in blocks(look, task))


def count_objects(look: Look, cache: str = "", task: str = "") -> int:
    """Objects of a cache, or of all with what kmalloc took as pages."""
    found = sum(1 for _ in objects(look, cache, task))
    return found if cache else found + sum(1 for _ in large_objects(look, task))


def count_areas(look: Look, task: str = "") -> int:
    """Areas."""
    return sum(1 for _ in areas(look, task))


def frames(look: Look, zone: str = "", task: str = "") -> int:
    """Frames of live blocks, areas and large objects, and of slabs with at least one live object."""
    m = look.machine
    stretches = [(page.pfn, 1 << page.order) for page in blocks(look, task)]
    stretches += [(page.pfn, 1 << page.order) for page in large_objects(look, task)]
    stretches += [(pfn, 1) for vm in areas(look, task) for pfn in vm.pages]
    slabs = {slab.pfn: slab for slab, _ in objects(look, "", task)}
    stretches += [(slab.pfn, 1 << slab.order) for slab in slabs.values()]
    return sum(count for pfn, count in stretches if zone in ("", "all", m.zone_of(pfn).name))


def leaks(look: Look) -> list[str]:
    """All that is left of the set, in words; nothing where everything was given back."""
    m, begin = look.machine, look.begin
    extra = sum(max(0, count - begin.extra.get(key, 0)) for key, count in extra_refs(m).items())
    caches = [name for name in look.new_caches if name in m.caches and name not in begin.caches]
    modules = [name for name in look.new_modules if name in m.vmap.modules and name not in begin.modules]
    left = (
        ("live blocks", count_blocks(look)),
        ("live objects", count_objects(look)),
        ("live areas", count_areas(look)),
        ("lost", m.lost - begin.lost),
        ("extra refs", extra),
        ("locks", len(locked_pages(m).keys() - begin.locked.keys())),
        ("caches", len(caches)),
        ("modules", len(modules)),
    )
    return [f"{name} {count}" for name, count in left if count]
