"""Calls of vmalloc, and of what is built on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from app.machine import gfp_text, vmallocinfo
from app.machine.calls import Call
from app.machine.outcome import Outcome
from app.mm import gfp as gfp_masks
from app.mm import module, vmap_area
from app.mm import vmalloc as mm_vmalloc

if TYPE_CHECKING:
    from app.machine.machine import Machine


def vmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/vmalloc.c vmalloc"""
    vm = mm_vmalloc.vmalloc(m, call.args["size"])
    return None if vm is None else vm.addr


def vzalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/vmalloc.c vzalloc"""
    mask = gfp_masks.GFP_KERNEL | gfp_masks.__GFP_ZERO
    vm = mm_vmalloc.vmalloc(m, call.args["size"], gfp=mask, caller="vzalloc")
    return None if vm is None else vm.addr


def kvmalloc(m: Machine, call: Call) -> int | None:
    """Kernel: mm/util.c kvmalloc_node"""
    return mm_vmalloc.kvmalloc(m, call.args["size"], gfp_text.parse(call.args["flags"]))


def vfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/vmalloc.c vfree"""
    mm_vmalloc.vfree(m, value or 0)


def kvfree(m: Machine, call: Call, value: int | None) -> None:
    """Kernel: mm/util.c kvfree"""
    mm_vmalloc.kvfree(m, value or 0)


def vm_unmap_aliases(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: mm/vmalloc.c vm_unmap_aliases"""
    vmap_area.vm_unmap_aliases(m)


def insmod(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: kernel/module/main.c init_module"""
    outcome.ret, vm = module.init_module(m, call.args["name"], call.args["size"])
    if vm is not None:
        outcome.area = vmallocinfo.area_part(vm)
    if outcome.ret < 0:
        m.worsen_null()


def rmmod(m: Machine, call: Call, outcome: Outcome) -> None:
    """Kernel: kernel/module/main.c delete_module"""
    outcome.ret = module.delete_module(m, call.args["name"])
    if outcome.ret < 0:
        m.worsen_null()


ALLOCATORS: Final[dict[str, Callable[[Machine, Call], int | None]]] = {
    "vmalloc": vmalloc,
    "vzalloc": vzalloc,
    "kvmalloc": kvmalloc,
}

RELEASERS: Final[dict[str, Callable[[Machine, Call, int | None], None]]] = {"vfree": vfree, "kvfree": kvfree}

CALLERS: Final[dict[str, Callable[[Machine, Call, Outcome], None]]] = {
    "vm_unmap_aliases": vm_unmap_aliases,
    "insmod": insmod,
    "rmmod": rmmod,
}
