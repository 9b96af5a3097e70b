"""The end of a task. Kernel: kernel/signal.c, kernel/exit.c"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.mm.sched import INIT_PID

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
ESRCH: Final = 3


def kill(m: Kernel, name: str) -> int:
    """End a task: 0, or -ESRCH where there is none of that name. Kernel: kernel/signal.c kill_proc_info

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
        del m.tasks[name]
    return 0
