"""The page lock: one bit, a queue for those who must wait, and no owner.

Kernel: mm/filemap.c, include/linux/pagemap.h. The lock of a compound page is its head's. Since nobody
owns it, anyone may unlock, a task may wait for itself, and the kernel never notices when tasks wait for
each other in a circle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.mm import page_check, page_ref, printk, sched, wait
from app.mm.page import PG_locked, PG_waiters
from app.mm.tracepoints import traced

if TYPE_CHECKING:
    from app.mm.kernel import Kernel

PAGEMAP_H = "include/linux/pagemap.h"


def is_locked(m: Kernel, pfn: int) -> bool:
    """Whether a page, or the head of its compound page, is locked. Kernel: PageLocked"""
    return bool(page_ref.page_flags(m, page_ref.compound_head(m, pfn)) & PG_locked)


def lock_page(m: Kernel, pfn: int) -> None:
    """Take the lock, asleep if need be. Kernel: lock_page, __folio_lock

    The debugging kernel complains before it looks whether the lock is free: that the call did not sleep
    this time proves nothing.
    """
    printk.might_sleep(m, PAGEMAP_H, 1021)
    if not trylock_page(m, pfn):
        wait_bit(m, page_ref.compound_head(m, pfn), exclusive=True)


def trylock_page(m: Kernel, pfn: int) -> bool:
    """Take the lock if it is free. Kernel: include/linux/pagemap.h folio_trylock, trylock_page"""
    folio = page_ref.compound_head(m, pfn)
    locked = bool(page_ref.page_flags(m, folio) & PG_locked)
    if m.trace is not None:
        m.trace.filemap.trylock(folio, taken=not locked)
    if locked:
        return False
    take(m, folio, m.tasks[m.current.task])
    return True


def wait_on_page_locked(m: Kernel, pfn: int) -> None:
    """Sleep until the lock is released, without wanting it. Kernel: wait_on_page_locked, folio_wait_locked"""
    if is_locked(m, pfn):
        wait_bit(m, page_ref.compound_head(m, pfn), exclusive=False)


@traced
def wait_bit(m: Kernel, folio: int, *, exclusive: bool) -> None:
    """Fall asleep until the lock bit is cleared. Kernel: folio_wait_bit_common

    PG_waiters tells the one who unlocks that there is a queue to look at. In an interrupt there is no
    task that could sleep: every kernel reports that, and here the caller comes back without the lock.
    """
    page_ref.change_flags(m, folio, set=PG_waiters)
    if m.current.context == "process":
        wait.sleep_on_page(m, folio, exclusive=exclusive)
        if m.trace is not None:
            m.trace.filemap.queued(folio, wait.page_waiters(m, folio), exclusive=exclusive)
        if holder(m, folio) == m.current.task:
            m.mistake("lock_twice", pfn=folio, task=m.current.task)
    else:
        printk.scheduling_while_atomic(m)
        if m.trace is not None:
            m.trace.filemap.lock_not_had(folio)


@traced
def unlock_page(m: Kernel, pfn: int) -> None:
    """Release the lock, whoever took it, and wake whoever waits. Kernel: folio_unlock, unlock_page"""
    folio = page_ref.compound_head(m, pfn)
    flags = page_ref.page_flags(m, folio)
    if not flags & PG_locked:
        state = page_ref.state_of(m, folio)
        found = "unlock_freed" if state in ("free", "pcp") else "unlock_unlocked"
        m.mistake(found, pfn=folio, state=state)
    if m.debug and not flags & PG_locked:
        page_check.vm_bug_on_folio(m, folio, "!folio_test_locked(folio)", "mm/filemap.c:1552")
    page_ref.change_flags(m, folio, clear=PG_locked)
    m.lock_holders.drop(folio)
    if m.trace is not None:
        queue = wait.page_waiters(m, folio)
        m.trace.filemap.unlock(folio, queue, waiters=bool(flags & PG_waiters))
    if flags & PG_waiters:
        wake_bit(m, folio)
    if flags & PG_locked and not is_locked(m, folio):
        mention(m, folio)


@traced
def wake_bit(m: Kernel, folio: int) -> None:
    """Wake those who only wait, up to the first who wants the lock, and that one.

    Kernel: folio_wake_bit, wake_page_function

    Whoever stands behind it would find the page locked again. In the kernel the woken task still has to
    win the bit against passers-by; here it runs at once and gets it.
    """
    for task in wait.page_waiters(m, folio):
        exclusive = task.exclusive
        if m.trace is not None:
            m.trace.filemap.waiter(folio, task, exclusive=exclusive)
        wait.wake_up(m, task)
        if exclusive:
            take(m, folio, task)
            break
    left = wait.page_waiters(m, folio)
    if m.trace is not None:
        m.trace.filemap.left_asleep(folio, left)
    if not left:
        page_ref.change_flags(m, folio, clear=PG_waiters)


def take(m: Kernel, folio: int, task: sched.Task) -> None:
    """Set the lock bit for a task."""
    page_ref.change_flags(m, folio, set=PG_locked)
    m.lock_holders.take(folio, task.pid)
    mention(m, folio)


def mention(m: Kernel, folio: int) -> None:
    """Report the page among the frames that the call changed.

    The lock of a block's first frame shows on the whole block, and so on a tail that is unlocked under it.
    """
    block = page_ref.block_of(m, folio)
    frames = 1 << block.order if block is not None and block.pfn == folio else 1
    if block is None and (user := page_ref.user_page(m, folio)) is not None:
        frames = 1 << user.section.order
    state = page_ref.state_of(m, folio) if block is None else block.shown
    m.changed.frame(folio, frames, "locked" if is_locked(m, folio) else state)


# -- what the kernel does not know -----------------------------------------------------------------


def holder(m: Kernel, pfn: int) -> str | None:
    """The living task that took a page's lock; None where there is none."""
    pid = m.lock_holders.get(pfn)
    return next((task.name for task in m.tasks.values() if task.pid == pid), None)


def deadlock(m: Kernel, name: str) -> list[dict[str, Any]] | None:
    """The circle of tasks, starting with the given one, of which each waits for what the next has locked.

    `[{task, waits_for, held_by}, …]`, or None where the chain of waiting tasks ends.
    """
    circle: list[dict[str, Any]] = []
    seen: dict[str, None] = {}
    current: str | None = name
    while current is not None and current in m.page_waiters and current not in seen:
        seen[current] = None
        pfn = m.page_waiters[current].waiting_for
        assert pfn is not None
        held_by = holder(m, pfn)
        circle.append({"task": current, "waits_for": pfn, "held_by": held_by})
        current = held_by
    return circle if current == name and circle else None
