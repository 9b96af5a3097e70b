"""The end of a task. Kernel: kernel/signal.c, kernel/exit.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm import mmap, mmu_gather, objects, pgalloc, swap, thread_stack, zap
from app.mm.mm_types import VM_ACCOUNT, MmStruct
from app.mm.page import STATE_OF_MIGRATETYPE
from app.mm.sched import INIT_PID
from app.mm.slab import SLAB_KMALLOC
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.sched import Task

ESRCH: Final = 3
# States of blocks that a caller asked for, and no part of the kernel keeps.
OF_CALLERS: Final = frozenset(STATE_OF_MIGRATETYPE)


def kill(m: Kernel, name: str) -> int:
    """End a task: 0, or -ESRCH where there is none of that name. Kernel: kernel/signal.c kill_proc_info

    Who has an address space must be the running task: everybody dies in their own context.

    A task that waits for a page's lock cannot be killed on a real machine (it sleeps in
    TASK_UNINTERRUPTIBLE, the D of `ps`); here it can, or a deadlock would be for ever. The locks that it
    took stay locked, for they have no owner. The first task, init, cannot die: it is only woken.
    """
    task = m.tasks.get(name)
    if task is None:
        return -ESRCH
    m.page_waiters.pop(name, None)
    m.pkmap.waiters.pop(name, None)
    task.waiting_for = None
    task.exclusive = False
    if task.pid != INIT_PID:
        end(m, task)
    return 0


def end(m: Kernel, task: Task) -> None:
    """End the running task for good: its parent is taken to have waited for it. Kernel: do_exit, wait4

    A task without an address space is just forgotten, as `kill` does. Its children get init as their parent.
    """
    had_mm = task.mm is not None
    mm = do_exit(m, task)
    if mm is not None:
        mmdrop(m, mm)
    m.page_waiters.pop(task.name, None)
    m.pkmap.waiters.pop(task.name, None)
    for other in m.tasks.values():
        if other.parent == task.pid:
            other.parent = INIT_PID
    del m.tasks[task.name]
    if had_mm:
        m.vm.died[task.name] = m.current.seq
        note_left_behind(m, task)


def note_left_behind(m: Kernel, task: Task) -> None:
    """Name what the task allocated for the kernel, and its page locks: nobody will free or release them.

    The kernel cannot: neither a page nor an object says who asked for it.
    """
    frames = sum(1 << p.order for p in m.pages.values() if p.task == task.name and p.state in OF_CALLERS)
    areas = [va.vm for va in m.vmap.busy if va.vm is not None]
    kernels = {address for area in areas for address in (area.object, area.array)}
    found = 0
    for slab in m.slabs.values():
        if slab.cache.object is not None or slab.cache.flags & SLAB_KMALLOC:
            at = [i for i, owner in enumerate(slab.owner) if owner is not None and owner[0] == task.name]
            found += sum(slab.address(i) not in kernels for i in at)
    locks = m.lock_holders.count(task.pid)
    if frames or found or locks:
        m.mistake("left_behind", task=task.name, frames=frames, objects=found, locks=locks)


def do_exit(m: Kernel, task: Task) -> MmStruct | None:
    """End the running task and give its memory back, then its files. Kernel: do_exit

    Returns the address space, whose highest table goes when the last CPU has left it.
    """
    mm = exit_mm(m, task)
    exit_files(m, task)
    return mm


def exit_mm(m: Kernel, task: Task) -> MmStruct | None:
    """The task leaves its address space; with its last user that is unmapped. Kernel: exit_mm, mmput"""
    mm = task.mm
    if mm is not None:
        zap.sync_mm_rss(m)
        task.mm = None
        mm.mm_users -= 1
        if not mm.mm_users:
            exit_mmap(m, mm)
    return mm


def exit_files(m: Kernel, task: Task) -> None:
    """The task's files are closed, and those whose last mapping is gone

    Kernel: exit_files, exit_task_work
    """
    for fd in sorted(task.files):
        mmap.fput(m, task.files[fd])
    task.files = {}
    mmap.task_work_run(m)
    if task.objects:
        thread_stack.free_thread_stack(m, task.stack)
    for name, address in reversed(task.objects):
        objects.give(m, name, address)
    task.objects = []


@traced
def exit_mmap(m: Kernel, mm: MmStruct) -> None:
    """Unmap everything. Kernel: mm/mmap.c exit_mmap"""
    areas, mm.mmap = mm.mmap, []
    swap.lru_add_drain(m)
    tlb = mmu_gather.gather(m, mm)
    zap.unmap_vmas(m, tlb, areas, 0, 1 << 64)
    pgalloc.free_pgtables(m, tlb, areas, 0, 0)
    mmu_gather.finish(m, tlb)
    for vma in areas:
        if vma.vm_flags & VM_ACCOUNT:
            m.vm.vm_committed -= vma.pages
        mmap.remove_vma(m, vma)


def mmdrop(m: Kernel, mm: MmStruct) -> None:
    """The last CPU has left an address space: its highest table goes. Kernel: kernel/fork.c __mmdrop"""
    pgalloc.pgd_free(m, mm)
    m.vm.mms.pop(mm.id, None)
