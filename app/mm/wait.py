"""Wait queues: how tasks sleep and wake.

Kernel: kernel/sched/wait.c, mm/filemap.c. A task that sleeps can make no other call until another wakes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
    from app.mm.sched import Task


def sleep_on_page(m: Kernel, pfn: int, *, exclusive: bool) -> None:
    """Put the running task at the end of a page's wait queue. Kernel: mm/filemap.c folio_wait_bit_common"""
    task = m.tasks[m.current.task]
    task.waiting_for = pfn
    task.since = m.current.seq
    task.exclusive = exclusive
    m.page_waiters[task.name] = task
    m.current.verdict = "blocked"


def page_waiters(m: Kernel, pfn: int) -> list[Task]:
    """A page's wait queue, the longest waiting first."""
    return [task for task in m.page_waiters.values() if task.waiting_for == pfn]


def wake_up(m: Kernel, task: Task) -> None:
    """Take a task out of its page's queue; it runs at once."""
    del m.page_waiters[task.name]
    task.waiting_for = None
    task.exclusive = False
    m.current.woken.append(task.name)
    m.current.eventful = True
