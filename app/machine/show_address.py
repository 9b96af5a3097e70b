"""What is at a kernel address: an object of a slab, a range of the vmalloc space, or a page frame.

JSON-ready; changes nothing. A kernel cannot say this of every address it is shown; the machine knows who got
what.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from app.machine.slab_views import OBJECT_STATES, places_of, slab_view
from app.machine.vmallocinfo import owner_view, range_view
from app.mm.highmem import LAST_PKMAP
from app.mm.memory_model import PAGE_SHIFT, PAGE_SIZE
from app.mm.page import PG_head
from app.mm.page_ref import block_of
from app.mm.slab import KERNEL, KmemCache, Slab, slab_ksize, virt_to_slab
from app.mm.slab_common import ZERO_SIZE_PTR
from app.mm.vmalloc import PKMAP_BASE

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.vmap_area import VmapArea

# How many objects to each side of one are told of.
BESIDE: Final = 2


def address_view(m: Machine, address: int) -> dict[str, Any]:
    """What is there; `kind` says which of the others follow.

    object: one of a slab's, or `index` None for bytes of a slab that are no object's. area: a range of the
    vmalloc space, `lazy` where it is freed but not purged. page: a frame that has this address. zero: what
    kmalloc(0) returns. nothing: no memory.
    """
    found: dict[str, Any] = {"address": f"{address:#x}"}
    if address == ZERO_SIZE_PTR:
        return found | {"kind": "zero"}
    slab = virt_to_slab(m, address)
    if slab is not None:
        return found | {"kind": "object"} | object_view(slab, address)
    pfn = pfn_at(m, address)
    if pfn is not None:
        return found | {"kind": "page"} | page_part(m, pfn)
    va = m.vmap.busy.find(address) or m.vmap.purge.find(address)
    if va is not None:
        return found | {"kind": "area"} | area_part(va, address, lazy=m.vmap.purge.find(address) is va)
    return found | {"kind": "nothing"}


def pfn_at(m: Machine, address: int) -> int | None:
    """The frame behind an address of the direct map, or of a slot of kmap's window that is in use."""
    slot, rest = divmod(address - PKMAP_BASE, PAGE_SIZE)
    if 0 <= slot < LAST_PKMAP and m.pkmap.slots[slot] is not None and rest >= 0:
        return m.pkmap.slots[slot]
    return m.model.virt_to_pfn(address)


def page_part(m: Machine, pfn: int) -> dict[str, Any]:
    """The frame and the block it belongs to, where somebody has it."""
    block = block_of(m, pfn)
    if block is None:
        return {"pfn": pfn, "block": None}
    whole = {"pfn": block.pfn, "order": block.order, "task": block.task, "seq": block.seq}
    return {"pfn": pfn, "block": whole | {"compound": bool(block.flags & PG_head), "state": block.state}}


def object_view(slab: Slab, address: int) -> dict[str, Any]:
    """The object that an address is in, with its slab and the objects beside it.

    before: how many of the cache's slabs stand at lower addresses.
    """
    s = slab.cache
    seen = slab_view(slab, places_of(s).get(slab.pfn, {"list": "full"}))
    index, offset = divmod(address - slab.base, s.size)
    inside = 0 <= index < slab.objects
    return {
        **cache_part(s),
        "slab": {"before": sum(pfn < slab.pfn for pfn in s.slabs)}
        | {name: seen[name] for name in ("pfn", "order", "node", "address", "objects", "inuse")}
        | {name: seen[name] for name in ("list", "cpu", "place") if name in seen},
        "index": index if inside else None,
        "offset": offset if inside else None,
        "beside": [
            one_of(slab, seen, other)
            for other in range(index - BESIDE, index + BESIDE + 1)
            if inside and other != index and 0 <= other < slab.objects
        ],
        **(one_of(slab, seen, index) if inside else {}),
    }


def cache_part(s: KmemCache) -> dict[str, Any]:
    """What all objects of a cache have in common."""
    return {
        "cache": s.name,
        "object_size": s.object_size,
        "size": s.size,
        "ksize": slab_ksize(s),
    }


def one_of(slab: Slab, seen: dict[str, Any], index: int) -> dict[str, Any]:
    """One object: whose it is, or after how many others it will be given out."""
    owner = slab.owner[index]
    order = [*seen.get("cpu_freelist", ()), *seen["freelist"]]
    return {
        "start": f"{slab.address(index):#x}",
        "number": index,
        "state": OBJECT_STATES[seen["states"][index]],
        "turn": order.index(index) + 1 if owner is None and index in order else None,
        "task": None if owner is None or owner is KERNEL else owner[0],
        "seq": None if owner is None or owner is KERNEL else owner[1],
    }


def area_part(va: VmapArea, address: int, *, lazy: bool) -> dict[str, Any]:
    """A range, and which of its pages the address is in. frame: what that page is mapped to, if anything."""
    seen = range_view(va) | owner_view(va.vm)
    page = (address - va.va_start) >> PAGE_SHIFT
    pages = [] if va.vm is None else va.vm.pages
    return seen | {
        "kind": "area",
        "start": seen.pop("address"),
        "address": f"{address:#x}",
        "what": "unpurged vm_area" if lazy else seen["kind"],
        "lazy": lazy,
        "number": page,
        "in_guard": va.vm is not None and address >= va.vm.guard,
        "frame": pages[page] if page < len(pages) else None,
    }
