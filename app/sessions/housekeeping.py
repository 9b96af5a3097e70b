"""Background work for which no request waits: storing snapshots, deleting old replies and failed imports.

It has one thread of its own. States that are to be kept are few at a time: each may be large, and losing one
loses only time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Any, Final, ParamSpec, TypeVar

from app.sessions.scheduler import Dropped, FairScheduler

MOST_WAITING: Final = 16  # that wait to be kept
CHORES: Final = ""  # whose turn it is for all that is no session's

P = ParamSpec("P")
T = TypeVar("T")


class Housekeeping:
    """The thread. `keeping` is the executor for states."""

    def __init__(self) -> None:
        self.scheduler = FairScheduler("housekeeping", at_once=1, threads=1)
        self.keeping = SnapshotExecutor(self.scheduler)

    def submit(self, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run something in the background; what has not begun when the server stops is dropped."""
        return submitted(self.scheduler, CHORES, do, *args, **kwargs)


class SnapshotExecutor(Executor):
    """Keeps states of sessions. What waits for a session gives way to what comes after it.

    Of more than `MOST_WAITING` that wait, the one that has waited longest is not kept.
    """

    def __init__(self, scheduler: FairScheduler) -> None:
        self._scheduler = scheduler
        self._lock = Lock()
        self._pending: OrderedDict[str, Future[Any]] = OrderedDict()

    def submit(self, do: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have it done; the first argument that is a string is the session's id."""
        sid = next((arg for arg in args if isinstance(arg, str)), CHORES)
        with self._lock:
            before = self._pending.pop(sid, None)
            surplus = self._pending.popitem(last=False)[1] if len(self._pending) >= MOST_WAITING else None
        for job in (before, surplus):
            if job is not None and not job.running():
                job.cancel()
        job = submitted(self._scheduler, sid, do, *args, **kwargs)
        with self._lock:
            self._pending[sid] = job
        job.add_done_callback(lambda _: self._done(sid, job))
        return job

    def _done(self, sid: str, job: Future[T]) -> None:
        with self._lock:
            if self._pending.get(sid) is job:
                del self._pending[sid]


def submitted(
    scheduler: FairScheduler, person: str, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> Future[T]:
    """Submit work; when the server has stopped, the future is cancelled."""
    try:
        return scheduler.submit(person, do, *args, **kwargs)
    except Dropped as error:
        undone = Future[T]()
        undone.set_exception(error)
        return undone
