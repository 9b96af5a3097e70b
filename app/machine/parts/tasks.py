"""Tasks in a dump: who sleeps for which page, and who took which lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from app.machine.document import Document
from app.machine.parts.frames import load_pfn
from app.mm.sched import FIRST_PID, INIT_PID, Task

if TYPE_CHECKING:
    from app.mm.kernel import Kernel
MAX_TASKS: Final = 512
PID_MAX: Final = 1 << 40
MAX_SEQ: Final = 1 << 53
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


def dump_tasks(m: Kernel) -> dict[str, Any]:
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


def load_tasks(m: Kernel, doc: Document) -> None:
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


def load_task(m: Kernel, doc: Document) -> Task:
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
