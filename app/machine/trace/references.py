"""References to pages and the page lock: counts, queues, and who is woken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.trace.collector import Collector, count
from app.mm import filemap, page_ref
from app.mm.mmzone import MAX_ORDER, pcp_allowed_order

if TYPE_CHECKING:
    from app.mm.sched import Task


# The debugging kernel looks at the count before it changes it.
UNHELD: Final = ", nobody holds it: a bug, found before the count is changed"


class ReferenceSteps(Collector):
    """Reports of swap, page_free, filemap and wait."""

    # -- counts -----------------------------------------------------------------------------------

    def got(self, fn: str, pfn: int, head: int, *, taken: bool) -> None:
        """A reference is taken, or cannot be. fn: get_page or get_page_unless_zero."""
        before = page_ref.page_ref_count(self.m, head)
        refused = (
            taken
            and fn == "get_page"
            and self.m.debug
            and page_ref.folio_ref_zero_or_close_to_overflow(self.m, head)
        )
        after = before + (taken and not refused)
        compound = "" if head == pfn else f" of compound page {head:#x}"
        why = UNHELD if refused else "" if taken else ", a free page is not revived"
        self.step(
            fn,
            f"page frame {pfn:#x}{compound}: count {before} → {after}{why}",
            verdict="bad" if refused else "ok" if taken else "no",
            numbers={"pfn": pfn, "head": head, "before": before, "after": after},
        )

    def put(self, fn: str, pfn: int, order: int) -> None:
        """A reference is dropped; with the last one 2^order frames go. fn: put_page or __free_pages.

        order: as the caller gave it, so perhaps far beyond what any machine has.
        """
        before = page_ref.page_ref_count(self.m, pfn)
        refused = self.m.debug and before == 0
        after = before - (not refused)
        last = before == 1
        where = "the per-CPU list" if pcp_allowed_order(order) else "the buddy lists"
        size = count(1 << order, "frame") if order < MAX_ORDER else f"2^{order} frames"
        self.step(
            fn,
            f"page frame {pfn:#x}: count {before} → {after}"
            + (UNHELD if refused else f", the last reference: {size} to {where}" if last else ""),
            verdict="last" if last else "held" if before > 1 else "bad",
            numbers={"pfn": pfn, "before": before, "after": after, "order": order},
        )

    def lost(self, pfn: int, order: int, total: int) -> None:
        """Frames that nobody can free any more."""
        self.step(
            "free_pages_prepare",
            f"{count(1 << order, 'frame')} from {pfn:#x} on have no owner any more: lost",
            verdict="lost",
            numbers={"pfn": pfn, "frames": 1 << order, "lost": total},
            changed=[[pfn, 1 << order, "lost"]],
        )

    def lock_not_had(self, folio: int) -> None:
        """In an interrupt there is nobody who could sleep until the lock is free."""
        self.step(
            "folio_wait_bit_common",
            f"{self.m.context} may not sleep until {folio:#x} is unlocked: it comes back without the lock",
            verdict="bad",
            numbers={"pfn": folio, "holder": filemap.holder(self.m, folio)},
        )

    # -- the lock ---------------------------------------------------------------------------------

    def trylock(self, folio: int, *, taken: bool) -> None:
        """Whether the lock bit was clear."""
        self.step(
            "folio_trylock",
            f"page frame {folio:#x}: PG_locked was {'clear: taken' if taken else 'set'}",
            verdict="taken" if taken else "locked",
            numbers={"pfn": folio, "holder": filemap.holder(self.m, folio)},
        )

    def queued(self, folio: int, *, exclusive: bool) -> None:
        """The task falls asleep at the end of the queue; with it, a circle of waiting tasks may close."""
        queue = [task.name for task in self.m.page_waiters.values() if task.waiting_for == folio]
        circle = filemap.deadlock(self.m, self.m.task)
        what = "wants the lock" if exclusive else "only waits"
        self.step(
            "folio_wait_bit_common",
            f"{self.m.task} sleeps at place {len(queue)} of the queue of {folio:#x} and {what}",
            verdict="queued" if circle is None else "deadlock",
            numbers={
                "pfn": folio,
                "position": len(queue),
                "queue": queue,
                "exclusive": exclusive,
                "holder": filemap.holder(self.m, folio),
                "deadlock": circle,
            },
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

    def waiter(self, folio: int, task: Task) -> None:
        """The first waiter of the queue, before it is woken."""
        after = "gets the lock: the walk ends" if task.exclusive else "only waits: the walk goes on"
        self.step(
            "wake_page_function",
            f"{task.name} is woken and {after}",
            verdict="exclusive" if task.exclusive else "shared",
            numbers={
                "pfn": folio,
                "task": task.name,
                "exclusive": task.exclusive,
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
