"""Tasks, and the queues in which they sleep.

Kernel: include/linux/sched.h, kernel/sched/wait.c.
"""

from __future__ import annotations


class Task:
    """A simulated process. Kernel: struct task_struct

    waiting_for: the page frame whose lock it sleeps on, None while it runs. since: the seq at which it fell asleep.
    exclusive: whether it wants the lock (`lock_page`) or only to see it released (`wait_on_page_locked`).
    """

    __slots__ = ("exclusive", "name", "pid", "since", "waiting_for")

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.waiting_for: int | None = None
        self.since = 0
        self.exclusive = False
