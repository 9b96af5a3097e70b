"""The stack on which the kernel runs for a task. Kernel: kernel/fork.c alloc_thread_stack_node

On x86_64 it is mapped by vmalloc, with a guard page below, so that overrunning it is noticed; two stacks of
dead tasks are kept on each CPU, since forking is frequent. On i386 it is a block of two pages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import gfp as gfp_masks
from app.mm import page_alloc, page_free, vmalloc

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

NR_CACHED_STACKS: Final = 2
THREAD_SIZE: Final = {"x86_64": 16384, "i386": 8192}
GFP_STACK: Final = gfp_masks.GFP_KERNEL | gfp_masks.__GFP_ZERO


def alloc_thread_stack(m: Kernel) -> int:
    """A stack for a new task: an address, or a frame on i386; 0 on a machine that only counts objects."""
    size = THREAD_SIZE[m.model.arch]
    m.vm.count("kernel_stack_kb", size >> 10)
    if not m.vm.object_caches:
        return 0
    if m.model.arch == "i386":
        return page_alloc.alloc_pages(m, GFP_STACK | gfp_masks.__GFP_ACCOUNT, 1) or 0
    if m.vm.cached_stacks:
        return m.vm.cached_stacks.pop()
    area = vmalloc.vmalloc(m, size, gfp=GFP_STACK, caller="dup_task_struct")
    return area.addr if area is not None else 0


def free_thread_stack(m: Kernel, stack: int) -> None:
    """A dead task's stack: kept for the next one, or given back. Kernel: free_thread_stack"""
    m.vm.count("kernel_stack_kb", -(THREAD_SIZE[m.model.arch] >> 10))
    if not stack:
        return
    if m.model.arch == "i386":
        page_free.free_pages(m, stack, 1)
    elif len(m.vm.cached_stacks) < NR_CACHED_STACKS:
        m.vm.cached_stacks.append(stack)
    else:
        vmalloc.vfree(m, stack)
