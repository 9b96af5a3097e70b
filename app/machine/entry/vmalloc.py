"""Calls of vmalloc."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine import gfp_text
from app.machine.entry.arguments import ADDR, FLAGS, SIZE, N
from app.machine.entry.costs import FREE_OF_AREA, PAGES_OF_SIZE, block_a_frame, frames_of_array
from app.machine.entry.declare import Declarations
from app.machine.vocabulary import Cost, Returns
from app.mm import gfp as gfp_masks
from app.mm import vmalloc as mm_vmalloc
from app.mm import vmap_area

if TYPE_CHECKING:
    from app.machine.calls import Call
    from app.machine.machine import Machine
    from app.machine.outcome import Outcome

calls = Declarations("vmalloc")


PAGES_OF_ARRAY: Final = Cost(frames_of_array, each=frames_of_array, blocks=block_a_frame)


def purged_areas(m: Machine, call: Call, given: int | None) -> int:
    """Areas that wait for the next purge."""
    return len(m.vmap.purge)


@calls.allocation(
    "vmalloc",
    (SIZE,),
    "void *vmalloc(unsigned long size)",
    "mm/vmalloc.c __vmalloc_node_range",
    "Allocate virtually contiguous memory from single page frames.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_SIZE,
)
def vmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/vmalloc.c vmalloc"""
    vm = mm_vmalloc.vmalloc(m, call.args["size"])
    return None if vm is None else vm.addr


@calls.allocation(
    "vzalloc",
    (SIZE,),
    "void *vzalloc(unsigned long size)",
    "mm/vmalloc.c vzalloc",
    "vmalloc of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_SIZE,
)
def vzalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/vmalloc.c vzalloc"""
    mask = gfp_masks.GFP_KERNEL | gfp_masks.__GFP_ZERO
    vm = mm_vmalloc.vmalloc(m, call.args["size"], gfp=mask, caller="vzalloc")
    return None if vm is None else vm.addr


@calls.release(
    "vfree",
    (ADDR,),
    "void vfree(const void *addr)",
    "mm/vmalloc.c vfree",
    "Free a vmalloc area: its frames now, its addresses at the next purge.",
    cost=FREE_OF_AREA,
)
def vfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/vmalloc.c vfree"""
    mm_vmalloc.vfree(m, value or 0)


@calls.allocation(
    "kvmalloc",
    (SIZE, FLAGS),
    "void *kvmalloc(size_t size, gfp_t flags)",
    "mm/util.c kvmalloc_node",
    "kmalloc, or vmalloc where that fails.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_SIZE,
)
def kvmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/util.c kvmalloc_node"""
    return mm_vmalloc.kvmalloc(m, call.args["size"], gfp_text.parse(call.args["flags"]))


@calls.allocation(
    "kvzalloc",
    (SIZE, FLAGS),
    "void *kvzalloc(size_t size, gfp_t flags)",
    "include/linux/slab.h kvzalloc",
    "kvmalloc of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_SIZE,
)
def kvzalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kvzalloc"""
    return mm_vmalloc.kvmalloc(m, call.args["size"], call.mask("flags") | gfp_masks.__GFP_ZERO)


@calls.allocation(
    "kvmalloc_array",
    (N, SIZE, FLAGS),
    "void *kvmalloc_array(size_t n, size_t size, gfp_t flags)",
    "include/linux/slab.h kvmalloc_array",
    "kvmalloc of n elements; NULL where n × size overflows.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_ARRAY,
)
def kvmalloc_array(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kvmalloc_array"""
    return mm_vmalloc.kvmalloc_array(m, call.args["n"], call.args["size"], call.mask("flags"))


@calls.allocation(
    "kvcalloc",
    (N, SIZE, FLAGS),
    "void *kvcalloc(size_t n, size_t size, gfp_t flags)",
    "include/linux/slab.h kvcalloc",
    "kvmalloc_array of zeroed memory.",
    returns=Returns.ADDRESS,
    cost=PAGES_OF_ARRAY,
)
def kvcalloc(m: Machine, call: Call) -> int | None:
    """Kernel: include/linux/slab.h kvcalloc"""
    flags = call.mask("flags") | gfp_masks.__GFP_ZERO
    return mm_vmalloc.kvmalloc_array(m, call.args["n"], call.args["size"], flags)


@calls.release(
    "kvfree",
    (ADDR,),
    "void kvfree(const void *addr)",
    "mm/util.c kvfree",
    "Free what kvmalloc returned.",
    cost=FREE_OF_AREA,
)
def kvfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/util.c kvfree"""
    mm_vmalloc.kvfree(m, value or 0)


@calls.other(
    "vm_unmap_aliases",
    (),
    "void vm_unmap_aliases(void)",
    "mm/vmalloc.c vm_unmap_aliases",
    "Purge the lazily freed vmap areas, so that their addresses can be used again.",
    returns=Returns.NOTHING,
    cost=Cost(held=purged_areas),
)
def vm_unmap_aliases(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/vmalloc.c vm_unmap_aliases"""
    vmap_area.vm_unmap_aliases(m)
