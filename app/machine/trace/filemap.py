"""The page lock: its bit, its queue, and who is woken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.machine.trace.collector import Area, count
from app.mm import filemap

if TYPE_CHECKING:
    from app.mm.sched import Task


class FilemapSteps(Area):
    """Reports of app.mm.filemap."""

    def trylock(self, folio: int, *, taken: bool) -> None:
        """Whether the lock bit was clear."""
        self.step(
            "folio_trylock",
            f"page frame {folio:#x}: PG_locked was {'clear: taken' if taken else 'set'}",
            verdict="taken" if taken else "locked",
            numbers={"pfn": folio, "holder": filemap.holder(self.m, folio)},
        )

    def queued(self, folio: int, queue: list[Task], *, exclusive: bool) -> None:
        """The task falls asleep at the end of the queue; with it, a circle of waiting tasks may close."""
        circle = filemap.deadlock(self.m, self.m.current.task)
        what = "wants the lock" if exclusive else "only waits"
        self.step(
            "folio_wait_bit_common",
            f"{self.m.current.task} sleeps at place {len(queue)} of the queue of {folio:#x} and {what}",
            verdict="queued" if circle is None else "deadlock",
            numbers={
                "pfn": folio,
                "position": len(queue),
                "queue": [task.name for task in queue],
                "exclusive": exclusive,
                "holder": filemap.holder(self.m, folio),
                "deadlock": circle,
            },
        )

    def lock_not_had(self, folio: int) -> None:
        """In an interrupt there is nobody who could sleep until the lock is free."""
        self.step(
            "folio_wait_bit_common",
            f"{self.m.current.context} may not sleep until {folio:#x} is unlocked: it comes back without"
            " the lock",
            verdict="bad",
            numbers={"pfn": folio, "holder": filemap.holder(self.m, folio)},
        )

    def unlock(self, folio: int, queue: list[Task], *, waiters: bool) -> None:
        """The lock bit is cleared; PG_waiters says whether there is a queue to look at."""
        self.step(
            "folio_unlock",
            f"page frame {folio:#x}: PG_locked is cleared; PG_waiters is"
            + (f" set: {count(len(queue), 'task')} in the queue" if waiters else " clear: nobody is woken"),
            verdict="wake" if waiters else "ok",
            numbers={"pfn": folio, "queue": [task.name for task in queue], "waiters": waiters},
        )

    def waiter(self, folio: int, task: Task, *, exclusive: bool) -> None:
        """The first waiter of the queue, before it is woken."""
        after = "gets the lock: the walk ends" if exclusive else "only waits: the walk goes on"
        self.step(
            "wake_page_function",
            f"{task.name} is woken and {after}",
            verdict="exclusive" if exclusive else "shared",
            numbers={
                "pfn": folio,
                "task": task.name,
                "exclusive": exclusive,
                "since": task.since,
            },
        )

    def left_asleep(self, folio: int, queue: list[Task]) -> None:
        """Who stands behind the one that got the lock."""
        names = ", ".join(task.name for task in queue)
        self.step(
            "folio_wake_bit",
            f"asleep still: {names}" if queue else "the queue is empty: PG_waiters is cleared",
            numbers={"pfn": folio, "queue": [task.name for task in queue]},
        )
