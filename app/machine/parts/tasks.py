"""Tasks in a dump: who sleeps for which page, and who took which lock."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from app.machine.parts.frames import load_pfn
from app.machine.parts.part import Dump, Part
from app.mm import page_ref
from app.mm.page import PG_locked, PG_waiters
from app.mm.sched import FIRST_PID, INIT_PID, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_TASKS: Final = 512
PID_MAX: Final = 1 << 40
MAX_SEQ: Final = 1 << 53
NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")


def dump(m: Machine, doc: Dump) -> None:
    """The tasks, the queue of the page locks in its order, and who took which lock."""
    doc["tasks"] = [
        {
            "name": task.name,
            "pid": task.pid,
            "waiting_for": task.waiting_for,
            "since": task.since,
            "exclusive": task.exclusive,
        }
        for task in m.tasks.values()
    ]
    doc["last_pid"] = m.last_pid
    doc["page_waiters"] = list(m.page_waiters)
    doc["lock_holders"] = [[pfn, pid] for pfn, pid in sorted(m.lock_holders.by_frame.items())]


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`; a recording has only the first task."""
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


def verify(m: Machine) -> Iterator[str]:
    """Tasks, the queues in which they sleep, and the page locks."""
    yield from task_faults(m)
    yield from lock_faults(m)


def task_faults(m: Machine) -> Iterator[str]:
    """Tasks against the queues in which they sleep."""
    if "init" not in m.tasks:
        yield "there is no init"
    pids = {task.pid for task in m.tasks.values()}
    if len(pids) != len(m.tasks):
        yield "two tasks have one pid"
    for name, task in m.tasks.items():
        asleep = (name in m.page_waiters) + (name in m.pkmap.waiters)
        if task.name != name or asleep != (task.waiting_for is not None):
            yield f"task {name} stands in {asleep} queues, and waits for {task.waiting_for}"
    for name in (*m.page_waiters, *m.pkmap.waiters):
        if name not in m.tasks:
            yield f"{name} sleeps and is no task"


def lock_faults(m: Machine) -> Iterator[str]:
    """Page locks: who is known to have one, and that nobody sleeps on a page that is not locked.

    Without DEBUG_VM a locked page can be freed and its flags forgotten; whoever waits then waits for ever.
    """
    for pfn in m.lock_holders:
        if not page_ref.page_flags(m, pfn) & PG_locked:
            yield f"frame {pfn:#x} has somebody who locked it, but no lock"
    if m.debug:
        for name, task in m.page_waiters.items():
            pfn = task.waiting_for or 0
            if page_ref.page_flags(m, pfn) & (PG_locked | PG_waiters) != PG_locked | PG_waiters:
                yield f"{name} waits for the lock of frame {pfn:#x}, which is not locked or does not know"


PART: Final = Part("tasks", dump, load, verify)
