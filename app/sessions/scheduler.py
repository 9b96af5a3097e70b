"""A fair scheduler: runs slow jobs of many persons on a few threads, person by person (round robin).

However much one person asks for, another waits for at most one slice of it. Work whose request has gone is
dropped: before it starts, or at the next `go_on` while it runs. Long loops call `go_on` every few rows; there
it also gives way to others once it has had its slice of time.

The threads are daemons: work that does not stop in time ends with the process and does not hold it up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Generic, ParamSpec, TypeVar

from app.sessions.errors import TooMany
from app.store import Busy

SLICE_TIME: Final = 0.1  # seconds after which work gives way to other persons' work
# Work rests a little after so much effort: calls and pages are made meanwhile without contending for the
# interpreter.
EFFORT_SECONDS: Final = 0.004
REST_SECONDS: Final = 0.001

P = ParamSpec("P")
T = TypeVar("T")

_current = threading.local()


class Dropped(Busy):
    """Work was told to stop, since its request has gone or the server stops."""

    def __init__(self) -> None:
        super().__init__("the server is stopping")


def go_on() -> None:
    """Give way to other jobs: to be called in loops of slow work. Raises Dropped where the job was cancelled.

    Does nothing on a thread that is not a scheduler's.
    """
    job: Job[Any] | None = getattr(_current, "job", None)
    if job is not None:
        job.go_on()


def own_time() -> float:
    """Seconds on a clock that stands still while this thread's work gives way to others."""
    job: Job[Any] | None = getattr(_current, "job", None)
    return time.monotonic() - (0.0 if job is None else job.waited)


class Job(Future[T], Generic[T]):
    """One piece of work, and its result. `cancel` also tells work that runs already to stop."""

    def __init__(self, scheduler: FairScheduler, person: str, do: Callable[[], T]) -> None:
        super().__init__()
        self.person = person
        self.do = do
        self.until = 0.0
        self.rest = 0.0
        self.waited = 0.0
        self.dropped = threading.Event()
        self.granted = threading.Event()
        self._scheduler = scheduler

    def cancel(self) -> bool:
        """Drop the work. True where it had not been started."""
        self.dropped.set()
        cancelled = super().cancel()
        if self._scheduler.forget(self):
            self.set_running_or_notify_cancel()
        return cancelled

    def go_on(self) -> None:
        """On the work's own thread. Raises Dropped."""
        if self.dropped.is_set():
            raise Dropped
        now = time.monotonic()
        if now >= self.rest:
            time.sleep(REST_SECONDS)
            self.rest = now + EFFORT_SECONDS
        if now >= self.until:
            self._scheduler.give_way(self)
            if self.dropped.is_set():
                raise Dropped

    def run(self) -> None:
        """Do the work on this thread."""
        if not self.set_running_or_notify_cancel():
            return
        _current.job = self
        try:
            result = self.do()
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            self.set_exception(error)
        else:
            self.set_result(result)
        finally:
            _current.job = None


async def outcome(job: Job[T]) -> T:
    """What comes of a piece of work, awaited: cancelling the task drops the work."""
    return await asyncio.wrap_future(job)


@dataclass(slots=True)
class _Person:
    """One person's work."""

    # What has been started.
    under_way: Job[Any] | None = None
    # The rest, first come first served.
    waiting: deque[Job[Any]] = field(default_factory=deque)


class FairScheduler:
    """The scheduler. `submit` and `stop` may be called from any thread, `run` on an event loop.

    at_once: how many pieces go on at a time. threads: how many may be under way, those that gave way among
    them; each is another person's. waiting: how many more one person may have; None for any number.
    """

    def __init__(self, name: str, at_once: int = 2, threads: int = 8, waiting: int | None = None) -> None:
        self._name = name
        self._at_once = at_once
        self._most_threads = threads
        self._most_waiting = waiting
        self._lock = threading.Lock()
        self._persons: dict[str, _Person] = {}
        # Pieces in the order in which they go on: at most one of each person.
        self._line: deque[Job[Any]] = deque()
        self._going_on = 0
        self._under_way = 0
        self._threads: set[threading.Thread] = set()
        self._stopped = False

    def submit(self, person: str, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Job[T]:
        """Queue a job of a person. Raises TooMany, and Dropped where the server stops."""
        job = Job(self, person, lambda: do(*args, **kwargs))
        with self._lock:
            if self._stopped:
                raise Dropped
            theirs = self._persons.setdefault(person, _Person())
            if self._most_waiting is not None and len(theirs.waiting) >= self._most_waiting:
                raise TooMany(
                    f"{self._most_waiting + 1} requests of yours that take long are being worked on already: "
                    "wait until one is answered",
                    1,
                )
            theirs.waiting.append(job)
            if theirs.under_way is None and len(theirs.waiting) == 1:
                self._line.append(job)
            self._grant()
        return job

    async def run(self, person: str, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same, awaited: cancelling the task drops the work. Raises as `submit` and `do` do."""
        return await outcome(self.submit(person, do, *args, **kwargs))

    def stop(self) -> None:
        """Drop everything: what waits fails with Dropped, what runs is told to stop."""
        with self._lock:
            self._stopped = True
            waiting = [job for theirs in self._persons.values() for job in theirs.waiting]
            under_way = [theirs.under_way for theirs in self._persons.values() if theirs.under_way]
            for job in under_way:
                job.dropped.set()
                if job in self._line:
                    self._resume(job)
            for person, theirs in list(self._persons.items()):
                theirs.waiting.clear()
                self._leave(person, theirs)
            self._line.clear()
        for job in waiting:
            if job.set_running_or_notify_cancel():
                job.set_exception(Dropped())

    def join(self, seconds: float) -> bool:
        """Wait for the threads after `stop`; whether all have ended."""
        until = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in list(self._threads))

    @property
    def busy(self) -> bool:
        """Whether anything is under way or waits."""
        return bool(self._persons)

    def waiting(self, person: str) -> int:
        """How much of a person's work waits to be started."""
        theirs = self._persons.get(person)
        return 0 if theirs is None else len(theirs.waiting)

    # -- for pieces ------------------------------------------------------------------------------------------

    def forget(self, job: Job[T]) -> bool:
        """Take a piece that has not been started out of the line, True then; let one that gave way end."""
        with self._lock:
            theirs = self._persons.get(job.person)
            if theirs is None:
                return False
            if job not in theirs.waiting:
                if job in self._line:
                    self._line.remove(job)
                    self._resume(job)
                return False
            theirs.waiting.remove(job)
            if job in self._line:
                place = self._line.index(job)
                if theirs.waiting:  # the person keeps the place
                    self._line[place] = theirs.waiting[0]
                else:
                    del self._line[place]
            self._leave(job.person, theirs)
            return True

    def give_way(self, job: Job[T]) -> None:
        """Let those in the line go on first; back when it is this piece's turn, or it has been dropped."""
        with self._lock:
            job.until = time.monotonic() + SLICE_TIME
            if not self._line or self._stopped:
                return
            job.granted.clear()
            self._line.append(job)
            self._going_on -= 1
            self._grant()
        since = time.monotonic()
        job.granted.wait()
        job.waited += time.monotonic() - since

    # -- below, with the lock held ---------------------------------------------------------------------------

    def _grant(self) -> None:
        """Let as many go on as may, in the order of the line; a new one needs a thread."""
        passed: list[Job[Any]] = []
        while self._line and self._going_on < self._at_once and not self._stopped:
            job = self._line.popleft()
            theirs = self._persons[job.person]
            if theirs.under_way is not job:
                if self._under_way >= self._most_threads:
                    passed.append(job)
                    continue
                theirs.waiting.remove(job)
                theirs.under_way = job
                self._under_way += 1
                self._start(job)
            self._resume(job)
        self._line.extendleft(reversed(passed))

    def _resume(self, job: Job[Any]) -> None:
        job.until = time.monotonic() + SLICE_TIME
        self._going_on += 1
        job.granted.set()

    def _start(self, job: Job[Any]) -> None:
        thread = threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True)
        self._threads.add(thread)
        thread.start()

    def _leave(self, person: str, theirs: _Person) -> None:
        """Forget a person who has no job any more."""
        if theirs.under_way is None and not theirs.waiting:
            self._persons.pop(person, None)

    # -- on the threads --------------------------------------------------------------------------------------

    def _work(self, job: Job[Any]) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                theirs = self._persons[job.person]
                theirs.under_way = None
                self._under_way -= 1
                self._going_on -= 1
                self._threads.discard(threading.current_thread())
                if theirs.waiting and not self._stopped:
                    self._line.append(theirs.waiting[0])
                self._leave(job.person, theirs)
                self._grant()
