"""What a caller reads about memory that is smaller, or larger, than page frames: the object at an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.machine.outcome import Outcome
from app.mm import page_ref
from app.mm.memory_model import PAGE_SIZE
from app.mm.page import PG_head
from app.mm.slab import slab_ksize, virt_to_slab
from app.mm.slab_common import ZERO_SIZE_PTR

if TYPE_CHECKING:
    from app.machine.machine import Machine


def describe(m: Machine, address: int | None) -> dict[str, Any] | None:
    """The object that an address belongs to; None where it is nobody's.

    cache: None for memory that kmalloc took from the page allocator. index: None for an address that is not
    an object's first. offset: bytes from the start of the slab or the block.
    """
    if address is None:
        return None
    slab = virt_to_slab(m, address)
    if slab is not None:
        s = slab.cache
        offset = address - m.model.page_offset - (slab.pfn << 12)
        return view(address, s.name, s.object_size, slab_ksize(s), slab.pfn, slab.index(address), offset)
    if address == ZERO_SIZE_PTR:
        return view(address, None, 0, 0, None, None, None)
    pfn = m.model.virt_to_pfn(address)
    block = None if pfn is None else page_ref.block_of(m, pfn)
    if block is None or not block.flags & PG_head:
        return None
    size = PAGE_SIZE << block.order
    return view(address, None, size, size, None, None, address - m.model.page_offset - (block.pfn << 12))


def view(
    address: int, cache: str | None, object_size: int, ksize: int, slab_pfn: int | None, index: int | None,
    offset: int | None,
) -> dict[str, Any]:  # fmt: skip
    """The object part of an outcome."""
    return {
        "address": f"{address:#x}",
        "cache": cache,
        "object_size": object_size,
        "ksize": ksize,
        "slab_pfn": slab_pfn,
        "index": index,
        "offset": offset,
    }


def returned(m: Machine, address: int | None, outcome: Outcome) -> None:
    """The result of a call that returns an address, with its object."""
    outcome.ret = None if address is None else f"{address:#x}"
    outcome.object = describe(m, address)


def stride_of(m: Machine, address: int) -> int:
    """Bytes from one object to the next in its slab; 0 where the address is no object's."""
    slab = virt_to_slab(m, address)
    if slab is not None:
        return slab.cache.size
    view = describe(m, address)
    return max(1, view["ksize"]) if view is not None else 0
