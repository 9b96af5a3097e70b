"""/proc/vmallocinfo: the ranges of addresses that vmalloc has given out. Kernel: mm/vmalloc.c s_show

Pointers are printed in full, as with the boot option no_hash_pointers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from app.mm import vmstat_text
from app.mm.vmalloc import VmStruct, is_vmalloc_addr
from app.mm.vmap_area import VmapArea

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

KINDS: Final = ((0x1, "ioremap"), (0x2, "vmalloc"), (0x4, "vmap"), (0x8, "user"), (0x10, "dma-coherent"))

# Functions that note whom they return to: what calls them directly is a module's code.
OF_MODULES: Final = ("vmalloc", "vzalloc", "kvmalloc")
# Functions that a compiler puts into those that call them, so that /proc names the latter.
RETURNS_TO: Final = {"dup_task_struct": "kernel_clone", "swapon": "__do_sys_swapon"}


def show(m: Kernel) -> str:
    """A line for each range in use, then for each that is freed and not purged yet.

    The kernel shows the latter behind the last one in use, and so not at all where nothing is in use.
    """
    return "".join(f"{line}\n" for line in lines(m))


def lines(m: Kernel) -> Iterator[str]:
    """The same line by line."""
    for va in m.vmap.busy:
        yield range_text(m, va) + ("" if va.vm is None else owner_text(m, va.vm))
    if len(m.vmap.busy):
        for va in m.vmap.purge:
            yield f"{range_text(m, va)} unpurged vm_area"


def range_text(m: Kernel, va: VmapArea) -> str:
    """Where a range is and how long, the guard page included.

    It is all that is known of ranges that the kernel had taken before a recording began.
    """
    digits = 2 * m.model.sizeof_long
    return f"0x{va.va_start:0{digits}x}-0x{va.va_end:0{digits}x} {va.size:7}"


def owner_text(m: Kernel, vm: VmStruct) -> str:
    """Who asked for it, what for, and on which nodes its pages are."""
    words = [f" {caller_text(vm)}"]
    if vm.pages:
        words.append(f"pages={len(vm.pages)}")
    words += [kind for flag, kind in KINDS if vm.flags & flag]
    if is_vmalloc_addr(m, vm.array):
        words.append("vpages")
    if "NUMA" in vmstat_text.config(m):
        words += node_words(m, vm)
    return " ".join(words)


def caller_text(vm: VmStruct) -> str:
    """The function that asked, as %pS prints an address in it.

    It is one of the kernel's own, or else the task's code, which is taken for that of a module. There is no
    code here, so the address is always at 0 of 0 bytes.
    """
    if vm.caller in OF_MODULES:
        return f"lab_{vm.task}+0x0/0x0 [lab]"
    return f"{RETURNS_TO.get(vm.caller, vm.caller)}+0x0/0x0"


def node_words(m: Kernel, vm: VmStruct) -> list[str]:
    """How many pages lie on each node. Kernel: show_numa_info"""
    counters = [0] * len(m.nodes)
    if len(counters) == 1:
        counters[0] = len(vm.pages)
    else:
        for pfn in vm.pages:
            counters[m.zone_of(pfn).nid] += 1
    return [f"N{nid}={count}" for nid, count in enumerate(counters) if count]
