"""Tasks: who calls the kernel.

Kernel: include/linux/sched.h, kernel/fork.c. A task exists from its first call on.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from app.mm.fs import File
    from app.mm.kernel import Kernel
    from app.mm.mm_types import MmStruct
INIT_PID: Final = 1
FIRST_PID: Final = 1000
# Kernel threads that run in the background, by the beginning of their names; a node's has its number added.
KTHREAD_PIDS: Final = {"oom_reaper": 28, "flusher": 30, "kcompactd": 32, "kswapd": 48}


class Task:
    """A simulated process. Kernel: struct task_struct

    waiting_for: the page frame that it sleeps for, None while it runs: a page whose lock it waits for, or one
    for which kmap has no slot. since: the seq at which it fell asleep. exclusive: whether it wants the lock
    (`lock_page`) or only to see it released (`wait_on_page_locked`). mm: its address space; a kernel thread
    has none. rss_stat, rss_events: resident pages it has counted, and faults, since it last folded them into
    the mm. files: what its descriptors stand for. oom_score_adj: how readily the OOM killer takes it, from
    -1000 (never) to 1000. oom_victim: it was killed, has not come to its end yet, and may use the reserves.
    """

    __slots__ = (
        "comm",
        "exclusive",
        "files",
        "maj_flt",
        "min_flt",
        "mm",
        "name",
        "objects",
        "oom_score_adj",
        "oom_victim",
        "parent",
        "pid",
        "rss_events",
        "rss_stat",
        "since",
        "stack",
        "waiting_for",
    )  # fmt: skip

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.waiting_for: int | None = None
        self.since = 0
        self.exclusive = False
        self.comm = name[:15]
        self.parent = 0
        self.mm: MmStruct | None = None
        self.files: dict[int, File] = {}
        self.rss_stat = [0, 0, 0, 0]
        self.rss_events = 0
        # The kernel's own objects: cache and address of each.
        self.objects: list[tuple[str, int]] = []
        self.stack = 0
        self.min_flt = 0
        self.maj_flt = 0
        self.oom_score_adj = 0
        self.oom_victim = False


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


def new_task(m: Kernel, name: str) -> Task:
    """Start a process. No pid is used twice: a dead task must not be taken for a new one of its name."""
    m.last_pid += 1
    task = m.tasks[name] = Task(name, m.last_pid)
    return task


def current(m: Kernel) -> Task:
    """The task that runs. Kernel: current"""
    return m.tasks[m.current.task]


def fatal_signal_pending(m: Kernel) -> bool:
    """Whether the running task was killed in the middle of its call. Kernel: fatal_signal_pending

    Only the OOM killer does that: whoever else kills does so by a call of their own.
    """
    current = m.current
    return bool(current.killed) and current.thread is None and m.tasks[current.task].oom_victim


def current_mm(m: Kernel) -> MmStruct:
    """The address space of the task that runs, which has one. Kernel: current->mm"""
    mm = m.tasks[m.current.task].mm
    assert mm is not None
    return mm


def kthread_pid(name: str) -> int:
    """Process id of a kernel thread that runs in the background, such as kswapd0."""
    kind = name.rstrip("0123456789")
    return KTHREAD_PIDS[kind] + int(name[len(kind) :] or 0)
