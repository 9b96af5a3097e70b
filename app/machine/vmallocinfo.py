"""The areas of the vmalloc space, for those who look at them.

Kernel: mm/vmalloc.c s_show (/proc/vmallocinfo).
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from app.errors import BadArgument
from app.mm.vmalloc import VM_FLUSH_RESET_PERMS, VmStruct
from app.mm.vmap_area import VmapArea

if TYPE_CHECKING:
    from app.machine.machine import Machine

# How many of an area's frames an outcome names, and how many a list of all areas.
SHOWN_PFNS: Final = 4096
LISTED_PFNS: Final = 64
# How many areas a list of them has at most.
MAX_LISTED: Final = 1000


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
