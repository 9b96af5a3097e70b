"""The end of a process that the OOM killer has taken, and what is done if it does not come.

Kernel: mm/oom_kill.c oom_reaper, kernel/signal.c get_signal. A killed process ends itself as soon as it runs,
and only then its memory comes back. One that sleeps in the kernel and cannot be woken would keep it for ever;
so after two seconds a kernel thread takes its anonymous pages away from under it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.mm import exit as kernel_exit
from app.mm import mmu_gather, oom_kill, printk, zap
from app.mm.mm_types import (
    MMF_OOM_SKIP,
    MMF_UNSTABLE,
    VM_HUGETLB,
    VM_PFNMAP,
    VM_SHARED,
)
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct
    from app.mm.sched import Task


def let_victims_exit(m: Kernel) -> None:
    """The caller waits: who was killed runs to its end, or the reaper comes. Kernel: cond_resched

    The caller itself goes on first. One that sleeps uninterruptibly keeps everybody waiting for two seconds,
    in which nothing else happens here.
    """
    name = m.current.task
    for task in [task for task in m.tasks.values() if task.oom_victim and task.name != name]:
        if task.waiting_for is None:
            exit_as(m, task)
        elif task.mm is not None and not task.mm.flags >> MMF_OOM_SKIP & 1:
            oom_reap_task(m, task, task.mm)


def exit_as(m: Kernel, task: Task) -> None:
    """Let a killed task run to its end, in its own context. Kernel: get_signal, do_group_exit"""
    current = m.current
    before, caller, cpu_context = current.task, current.caller, current.context
    current.task, current.caller, current.context = task.name, (task.name, current.seq), "process"
    memalloc, current.memalloc = current.memalloc, False
    if m.trace is not None:
        m.trace.oom.victim_exits(task)
    kernel_exit.end(m, task)
    current.task, current.caller, current.context = before, caller, cpu_context
    current.memalloc = memalloc


def get_signal(m: Kernel) -> bool:
    """On its way back to user mode a killed task ends; whether it did. Kernel: kernel/signal.c get_signal"""
    task = m.tasks.get(m.current.task)
    if task is None or not task.oom_victim or task.waiting_for is not None:
        return False
    if m.trace is not None:
        m.trace.oom.victim_exits(task)
    kernel_exit.end(m, task)
    return True


@traced
def oom_reap_task(m: Kernel, task: Task, mm: MmStruct) -> None:
    """Take a victim's anonymous pages away; it is no candidate any more. Kernel: oom_reap_task"""
    if m.trace is not None:
        m.trace.oom.reap(task, begins=True)
    mm.flags |= 1 << MMF_UNSTABLE
    for vma in mm.mmap:
        if not vma.vm_flags & (VM_HUGETLB | VM_PFNMAP) and (vma.is_anonymous or not vma.vm_flags & VM_SHARED):
            tlb = mmu_gather.gather(m, mm)
            zap.unmap_single_vma(m, tlb, vma, vma.vm_start, vma.vm_end)
            mmu_gather.finish(m, tlb)
    _, anon, file, shmem, _ = oom_kill.sizes(mm)
    printk.printk(
        m,
        f"oom_reaper: reaped process {task.pid} ({task.comm}), now anon-rss:{anon}kB, file-rss:{file}kB, "
        f"shmem-rss:{shmem}kB",
    )
    if m.trace is not None:
        m.trace.oom.reap(task, begins=False)
    mm.flags |= 1 << MMF_OOM_SKIP
