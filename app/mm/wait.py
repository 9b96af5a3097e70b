"""Tasks, and how they sleep and wake.

Kernel: include/linux/sched.h, kernel/sched/wait.c, kernel/fork.c. Nothing runs by itself here: a task
exists from its first call on, and one that sleeps can make no other until somebody wakes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.mm.document import Document
from app.mm.page_ref import load_pfn

if TYPE_CHECKING:
    from app.mm.machine import Machine

INIT_PID: Final = 1
FIRST_PID: Final = 1000
PID_MAX: Final = 1 << 40
MAX_TASKS: Final = 512
MAX_SEQ: Final = 1 << 53
ESRCH: Final = 3
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


class Task:
    """A simulated process. Kernel: struct task_struct

    waiting_for: the page frame that it sleeps for, None while it runs: a page whose lock it waits for, or
    one for which kmap has no slot. since: the seq at which it fell asleep. exclusive: whether it wants
    the lock (`lock_page`) or only to see it released (`wait_on_page_locked`).
    """

    __slots__ = ("exclusive", "name", "pid", "since", "waiting_for")

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.waiting_for: int | None = None
        self.since = 0
        self.exclusive = False


class LockHolders:
    """Who took each page lock, and which locks each task took. The kernel does not know; explanations do.

    by_frame: head frame → pid. by_pid: pid → its frames, in the order in which they were locked.
    """

    __slots__ = ("by_frame", "by_pid")

    def __init__(self) -> None:
        self.by_frame: dict[int, int] = {}
        self.by_pid: dict[int, dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self.by_frame)

    def __iter__(self) -> Iterator[int]:
        return iter(self.by_frame)

    def get(self, pfn: int) -> int | None:
        """The pid of the task that took a page's lock."""
        return self.by_frame.get(pfn)

    def take(self, pfn: int, pid: int) -> None:
        """Note that a task took a page's lock."""
        self.drop(pfn)
        self.by_frame[pfn] = pid
        self.by_pid.setdefault(pid, {})[pfn] = None

    def drop(self, pfn: int) -> None:
        """Forget who took a page's lock, if anybody did."""
        pid = self.by_frame.pop(pfn, None)
        if pid is not None:
            frames = self.by_pid[pid]
            del frames[pfn]
            if not frames:
                del self.by_pid[pid]

    def count(self, pid: int) -> int:
        """How many locks a task holds."""
        return len(self.by_pid.get(pid, ()))

    def first(self, pid: int, most: int) -> list[int]:
        """At most so many of the pages that a task has locked: those with the lowest frame numbers."""
        return nsmallest(most, self.by_pid.get(pid, ()))

    def some(self, pid: int, most: int) -> list[int]:
        """As `first`; of a task with more than that they are any, so that only those are touched."""
        return sorted(islice(self.by_pid.get(pid, ()), most))


def new_task(m: Machine, name: str) -> Task:
    """Start a process. No pid is used twice: a dead task must not be taken for a new one of its name."""
    m.last_pid += 1
    task = m.tasks[name] = Task(name, m.last_pid)
    return task


def sleep_on_page(m: Machine, pfn: int, *, exclusive: bool) -> None:
    """Put the running task at the end of a page's wait queue. Kernel: mm/filemap.c folio_wait_bit_common"""
    task = m.tasks[m.task]
    task.waiting_for = pfn
    task.since = m.seq
    task.exclusive = exclusive
    m.page_waiters[task.name] = task
    m.verdict = "blocked"


def page_waiters(m: Machine, pfn: int) -> list[Task]:
    """A page's wait queue, the longest waiting first."""
    return [task for task in m.page_waiters.values() if task.waiting_for == pfn]


def wake_up(m: Machine, task: Task) -> None:
    """Take a task out of its page's queue; it runs at once."""
    del m.page_waiters[task.name]
    task.waiting_for = None
    task.exclusive = False
    m.woken.append(task.name)


def kill(m: Machine, name: str) -> int:
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


# -- the dump --------------------------------------------------------------------------------------


def dump_tasks(m: Machine) -> dict[str, Any]:
    """The tasks, the queue of the page locks in its order, and who took which lock."""
    return {
        "tasks": [
            {
                "name": task.name,
                "pid": task.pid,
                "waiting_for": task.waiting_for,
                "since": task.since,
                "exclusive": task.exclusive,
            }
            for task in m.tasks.values()
        ],
        "last_pid": m.last_pid,
        "page_waiters": list(m.page_waiters),
        "lock_holders": [[pfn, pid] for pfn, pid in sorted(m.lock_holders.by_frame.items())],
    }


def load_tasks(m: Machine, doc: Document) -> None:
    """Inverse of `dump_tasks`; a recording has only the first task."""
    m.last_pid = doc.get("last_pid", FIRST_PID).int(FIRST_PID, PID_MAX)
    pids = {}
    for entry in doc.get("tasks", []).list(MAX_TASKS):
        task = load_task(m, entry)
        if task.pid in pids:
            entry["pid"].fault("a pid that no other task has")
        pids[task.pid] = task
        m.tasks[task.name] = task
    for entry in doc.get("page_waiters", []).list(MAX_TASKS):
        waiting = m.tasks.get(entry.str())
        if waiting is None or waiting.waiting_for is None or waiting.name in m.page_waiters:
            entry.fault("a task that sleeps, once")
        m.page_waiters[waiting.name] = waiting
    for entry in doc.get("lock_holders", []).list(1_000_000):
        pfn, pid = entry.list(2, exactly=2)
        m.lock_holders.take(load_pfn(m, pfn), pid.int(1, PID_MAX))


def load_task(m: Machine, doc: Document) -> Task:
    """One task."""
    name = doc["name"].str()
    if NAME.fullmatch(name) is None or (name in m.tasks and name != "init"):
        doc["name"].fault("a name of 1 to 32 of A-Z a-z 0-9 _ -, once")
    task = Task(name, doc["pid"].int(INIT_PID, m.last_pid))
    if doc.has("waiting_for"):
        task.waiting_for = load_pfn(m, doc["waiting_for"])
    task.since = doc["since"].int(0, MAX_SEQ)
    task.exclusive = doc["exclusive"].bool()
    return task
