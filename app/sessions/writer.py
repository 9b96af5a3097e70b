"""The writer: the one thread that owns the open machines and changes them.

It takes the work that waits, opens one transaction, brings each machine to where its session's row is, does
the work, writes the rows, commits, and only then answers. Everything slow is done elsewhere, with no
transaction open and the session closed to others: machines are opened, and made for rewinds, by another
thread; long batches are made in slices of a few milliseconds, one after each group, person by person in
turn; calls that touch very much are made on other threads, also in turn.

While another process holds the database's lock, the writer tries for it again and again, a little while each
time, and in between takes what has come, reads, and answers each piece of work whose own time is up: so every
request has the whole of `busy_timeout` for itself, however long those before it have waited.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from itertools import chain
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple

from app.errors import BadArgument, Refusal
from app.machine.machine import Machine
from app.sessions import blocklists, everyones_names
from app.sessions.answers import Underway
from app.sessions.batches import RunningBatch, RunningCall
from app.sessions.errors import (
    Busy,
    Conflict,
    StorageFull,
    TooMany,
)
from app.sessions.live import Diverged, Live
from app.sessions.machines import Machines
from app.sessions.opening import reopen
from app.sessions.preconditions import AlreadyAnswered
from app.sessions.scheduler import Dropped, FairScheduler
from app.sessions.snapshotter import Snapshotter
from app.sessions.usage import Usage
from app.sessions.work import (
    SLICE_CALLS,
    SLICE_SECONDS,
    BatchWork,
    CallWork,
    FinishedRewind,
    FinishedWork,
    RewindWork,
    Statement,
    Transaction,
    Work,
)
from app.sessions.written import Written
from app.store import (
    Connection,
    DatabaseError,
    DataError,
    IntegrityError,
    Overtaken,
    Store,
    Takes,
    Unreachable,
    journal,
    sessions,
)
from app.store.errors import unfit
from app.store.journal import Row
from app.store.sessions import Head

GROUP: Final = 256
ROWS_CAUGHT_UP: Final = 200
RETRIES: Final = 5
LONG_AT_ONCE: Final = 3  # long batches and heavy calls of one member: one goes on, two wait
# For how long the lock is waited for before others, who may need none, have their turn.
LOCK_TRY_SECONDS: Final = 0.25
# Until a database that cannot be reached, and a session to which another server writes, are tried again.
UNREACHABLE_SECONDS: Final = 0.1
ELSEWHERE_SECONDS: Final = 0.002
DRAIN_SECONDS: Final = 2.0  # of the five seconds that SIGTERM leaves for everything

# What a caller may be answered; anything else is a mistake of ours, and goes to the log.
EXPECTED: Final = (Refusal, AlreadyAnswered)

log = logging.getLogger(__name__)


class Answer(NamedTuple):
    """The result of a work item, or why it failed."""

    work: Work
    result: Any = None
    error: Exception | None = None


class NotDone(NamedTuple):
    """Work of which nothing has happened, and that can be done again."""

    error: Busy
    works: Sequence[Work]


InProgress = BatchWork | CallWork

# Work, or something to be done between transactions that may make work ready.
Message = Work | Callable[[list[Work]], None]


class Writer(threading.Thread):
    """The writer's thread. `put`, `peek` and `stop` may be called from any other.

    deliver: called with the answers of each group, on this thread. opener: opens machines. heavy: makes heavy
    calls, person by person in turn. snapshotter: stores snapshots. usage: how many bytes people have stored.
    memory: estimated bytes of machines to hold open. patience: seconds for which each work item may wait
    while another process holds the lock. publish: called with the rows of each group, on this thread.
    """

    def __init__(
        self,
        store: Store,
        deliver: Callable[[Sequence[Answer]], None],
        opener: Executor,
        heavy: FairScheduler,
        snapshotter: Snapshotter,
        usage: Usage,
        memory: int,
        patience: float,
        publish: Callable[[Sequence[Row]], None],
    ) -> None:
        super().__init__(name="writer", daemon=True)
        self.machines = Machines(memory)
        self._store = store
        self._deliver = deliver
        self._publish = publish
        self._opener = opener
        self._heavy = heavy
        self._snapshotter = snapshotter
        self._usage = usage
        self._patience = patience
        self._connection = store.writer_connection(min(LOCK_TRY_SECONDS, patience))
        self._queue: SimpleQueue[Message] = SimpleQueue()
        # Sessions that this engine cannot follow, as far as they have been opened: to where, and why. Any
        # thread may look.
        self.diverged: dict[str, tuple[int, str]] = {}
        # Work for sessions that are being opened, or that a long batch or a rewind has closed to others.
        self._parked: dict[str, list[Work]] = {}
        # Rewinds whose machines are being made.
        self._making: dict[str, FinishedRewind] = {}
        # Batches and calls of which a heavy call is being made, by session.
        self._heavy_running: dict[str, InProgress] = {}
        # Batches of which a slice is to be made, by person; and how much of both each member has.
        self._sliced: OrderedDict[str, deque[tuple[InProgress, RunningBatch | RunningCall]]] = OrderedDict()
        self._long: Counter[str] = Counter()
        # The same by session. Any thread may look.
        self._underway: dict[str, tuple[InProgress, RunningBatch | RunningCall]] = {}
        # What goes before the queue: work that had been taken from it already.
        self._again: deque[Work] = deque()
        # Work that is ready, and was not begun: it waits for the lock, or behind a full group.
        self._ready: list[Work] = []
        # Since when another process has been seen to hold the lock, if it held it when it was last tried for.
        self._locked: float | None = None
        # Since when another server has been seen to write to a session, if it did when it was last tried for.
        self._elsewhere: dict[str, float] = {}
        self._stop_by: float | None = None
        # Whether the last transaction that was to write something could not be committed.
        self._failing = False
        self.written = Written()

    # -- for other threads -----------------------------------------------------------------------------------

    def put(self, work: Work) -> None:
        """Have something done."""
        self._queue.put(work)

    def peek(
        self,
        sids: Sequence[str],
        look: Callable[[Machine], Any],
        seen: Callable[[dict[str, tuple[int, Any]]], None],
    ) -> None:
        """Have a short function look at those machines that are open and at rest, between two transactions.

        seen: called on this thread, with the seq of each and what was seen of it.
        """
        self._queue.put(partial(self._peek, sids, look, seen))

    def underway(self, sid: str) -> Underway | None:
        """The long batch or heavy call that closes a session to others now, if any."""
        found = self._underway.get(sid)
        if found is None:
            return None
        work, progress = found
        call, done, of = progress.rounds
        seconds = time.monotonic() - work.since
        return Underway(work.principal.id, call, done, of, seconds, progress.stopping, work.stoppable)

    def tell_to_stop(self, sid: str) -> None:
        """Have it end where it can: a batch after the call that is being made, a call after a round."""
        found = self._underway.get(sid)
        if found is not None and found[0].stoppable:
            found[1].stopping = True

    @property
    def waiting(self) -> int:
        """About how much work waits."""
        return self._queue.qsize() + len(self._ready)

    def stop(self) -> None:
        """Let the thread do what waits, and end."""
        self._queue.put(self._end)

    # -- round by round --------------------------------------------------------------------------------------

    def run(self) -> None:
        """Take, do, commit, answer, until stopped."""
        while not self._stopped():
            self._round()
        self._heavy.stop()
        left = [*self._ready, *self._again, *(work for parked in self._parked.values() for work in parked)]
        left += [*self._making.values(), *self._heavy_running.values()]
        left += [in_progress for waiting in self._sliced.values() for in_progress, _ in waiting]
        while not self._queue.empty():
            message = self._queue.get()
            if not callable(message):
                left.append(message)
        self._deliver([Answer(work, error=Busy("the server is stopping")) for work in left])
        self._connection.close()
        self._snapshotter.snapshot_all(self.machines)

    def _round(self) -> None:
        messages = self._take()
        ready, self._ready = self._ready, []
        try:
            while messages:
                message = messages.popleft()
                if callable(message):
                    message(ready)
                else:
                    self._admit(message, ready)
            self._make_slice(ready)
            if ready:
                self._do_group(ready)
        except Exception as error:
            # A mistake of ours between transactions. What it has left behind is read from the journal again.
            log.exception("a round failed")
            self.machines.clear()
            self._ready = []
            left = [*ready, *(message for message in messages if not callable(message))]
            self._deliver([Answer(work, error=error) for work in left])

    def _end(self, _: list[Work]) -> None:
        self._stop_by = time.monotonic() + DRAIN_SECONDS

    def _peek(
        self,
        sids: Sequence[str],
        look: Callable[[Machine], Any],
        seen: Callable[[dict[str, tuple[int, Any]]], None],
        _: list[Work],
    ) -> None:
        found: dict[str, tuple[int, Any]] = {}
        for sid in sids:
            live = self.machines.peek(sid)
            if live is None or sid in self._parked or live.seq != live.committed:
                continue
            try:
                found[sid] = live.seq, look(live.machine)
            except Exception:
                log.exception("session %s cannot be looked at", sid)
        seen(found)

    def _stopped(self) -> bool:
        if self._stop_by is None:
            return False
        idle = self._queue.empty() and not (self._again or self._parked or self._ready or self._sliced)
        return idle or time.monotonic() > self._stop_by

    def _take(self) -> deque[Message]:
        """All that waits, up to a group; when nothing does, the next to come.

        While the lock is held elsewhere it is all of it, for each has its own time.
        """
        group: deque[Message] = deque()
        room = GROUP - len(self._ready)
        if self._locked is not None:
            room = len(self._again) + self._queue.qsize()
        while self._again and len(group) < room:
            group.append(self._again.popleft())
        try:
            if not group and not self._ready and not self._sliced:
                patience = None if self._stop_by is None else max(0.0, self._stop_by - time.monotonic())
                group.append(self._queue.get(timeout=patience))
            while len(group) < room:
                group.append(self._queue.get_nowait())
        except Empty:
            pass
        return group

    def _admit(self, work: Work, ready: list[Work]) -> None:
        """Make work ready for this round, or park it until its machine can be had."""
        sid = work.session_id
        if sid is not None and sid in self._parked:
            self._parked[sid].append(work)
        elif sid is None or sid in self.machines or isinstance(work, Statement):
            ready.append(work)
        else:
            self._parked[sid] = [work]
            self._opener.submit(self._open, sid)

    def _unpark(self, sid: str) -> None:
        self._again.extend(self._parked.pop(sid, ()))

    # -- opening ---------------------------------------------------------------------------------------------

    def _open(self, sid: str) -> None:
        """On the opener's thread."""
        try:
            with self._store.reading() as db:
                opened: Live | Exception = reopen(db, sid)
        except Exception as error:  # noqa: BLE001 - told to everyone who waits for this session
            opened = error
        self._queue.put(partial(self._opened, sid, opened))

    def _opened(self, sid: str, opened: Live | Exception, ready: list[Work]) -> None:
        if isinstance(opened, Live):
            # Used in this very round: where memory is short, the machine might not be there in the next.
            self._hold(opened)
            self._snapshotter.pin(opened)
            if opened.diverged is None:
                self.diverged.pop(sid, None)
            else:
                self.diverged[sid] = opened.seq, opened.diverged
            ready.extend(self._parked.pop(sid))
            return
        if not isinstance(opened, EXPECTED):
            log.error("session %s cannot be opened", sid, exc_info=opened)
        self._deliver([Answer(work, error=opened) for work in self._parked.pop(sid)])

    def _hold(self, live: Live) -> None:
        """Hold a machine open."""
        live.lists = blocklists.of_session(self._store, live.id, live.unwritten)
        self.machines.add(live)

    # -- one transaction -------------------------------------------------------------------------------------

    def _do_group(self, ready: Sequence[Work]) -> None:
        """Do a group of work. While nothing can be written, what is only read does not fail with the rest."""
        if self._failing:
            reads = [work for work in ready if not work.writes]
            ready = [work for work in ready if work.writes]
            if reads:
                self._do_in_transaction(reads)
        if not ready:
            return
        tried = time.monotonic()
        held = self._do_in_transaction(ready[:GROUP])
        if held is None:
            self._locked = None
            self._ready += ready[GROUP:]
        else:
            self._locked = self._locked or tried
            self._wait([*held.works, *ready[GROUP:]], self._locked, held.error)
            if isinstance(held.error, Unreachable):  # known at once: asking again at once helps nobody
                time.sleep(min(UNREACHABLE_SECONDS, self._patience))

    def _wait(self, ready: Sequence[Work], since: float, held: Busy) -> None:
        """Refuse work that has waited for its whole time for another process's lock; keep the rest.

        since: when the waiting began. What was asked for before that waited for something else until then.
        """
        late = time.monotonic() - self._patience
        over: list[Answer] = []
        for work in ready:
            if work.writes and max(work.since, since) <= late:
                over.append(Answer(work, error=held))
            else:
                self._ready.append(work)
        self._settle(over, ())
        self._deliver(over)

    def _wait_for(self, waiting: Mapping[str, Sequence[Work]]) -> None:
        """As `_wait`, for work on sessions to which another server is writing."""
        now = time.monotonic()
        self._elsewhere = {sid: self._elsewhere.get(sid, now) for sid in waiting}
        for sid, some in waiting.items():
            self._wait(some, self._elsewhere[sid], Busy("another server is writing to this session"))

    def _do_in_transaction(self, ready: Sequence[Work]) -> NotDone | None:
        """Do a group of work in one transaction, then answer it; or say what is to be done again, and why.

        That is where the lock cannot be had, where another server was quicker, and where the database was
        lost before anything was done.
        """
        transaction: Transaction | None = None
        takes = takes_of(ready)
        writes = takes is not Takes.NOTHING
        answers: list[Answer] = []
        left = deque(ready)
        waiting: dict[str, list[Work]] = {}
        written: set[str] = set()
        rows: list[Row] = []
        begun = time.perf_counter()
        try:
            with self._connection.transaction(takes) as db:
                heads, waiting, left = self._lock(db, ready, writes=writes)
                transaction = Transaction(db, self._usage, written=written)
                self._catch_up(transaction, heads, left)
                while left:
                    work = left[0]
                    answer = Answer(work, error=Dropped()) if work.gone else self._do(transaction, work)
                    left.popleft()
                    if answer is not None:
                        answers.append(answer)
                transaction.flush()
            rows = transaction.flushed
            if writes:
                self.written.group(len(rows), time.perf_counter() - begun)
            self._failing = self._failing and not writes
        except Exception as error:
            if writes and isinstance(error, Overtaken):
                for sid in written:
                    self.machines.drop(sid)
                works = [answer.work for answer in answers]
                return NotDone(error, [*works, *left, *chain.from_iterable(waiting.values())])
            self._failing = self._failing or writes
            self.written.failed += writes
            if transaction is None and writes and isinstance(error, Busy):
                return NotDone(error, ready)
            if not isinstance(error, (Busy, StorageFull)):
                log.exception("a group of %d could not be written", len(ready))
            # Nothing of this group has happened, and the machines are ahead of their journals. What was seen
            # of it has not happened either; only what is wrong in itself remains so.
            for sid in written:
                self.machines.drop(sid)
            answers = [
                *(
                    answer if isinstance(answer.error, BadArgument) else Answer(answer.work, error=error)
                    for answer in answers
                ),
                *(Answer(work, error=error) for work in left),
            ]
        self._settle(answers, written)
        self._deliver(answers)
        self._publish(rows)
        self._wait_for(waiting)
        if waiting and not answers:
            time.sleep(ELSEWHERE_SECONDS)
        return None

    def _settle(self, answers: Iterable[Answer], written: Iterable[str]) -> None:
        """What follows from answers that are final."""
        for work, _, error in answers:
            if isinstance(work, Statement) and error is None and work.adopt is not None:
                self._hold(work.adopt)
            elif isinstance(work, FinishedWork):
                if error is not None:
                    self.machines.drop(work.session_id)
                else:
                    self._snapshotter.keep(work.session_id, work.progress.states)
                self._forget_long(work.in_progress)
                self._unpark(work.session_id)
            elif isinstance(work, FinishedRewind):
                self._unpark(work.session_id)
        for sid in written:
            live = self.machines.used(sid)
            if live is not None:
                live.committed = live.seq
                live.unwritten.clear()
                self._snapshotter.snapshot_if_due(live)
        for live in self.machines.surplus(self._parked):
            self._snapshotter.snapshot_closed(live)

    def _lock(
        self, db: Connection, ready: Sequence[Work], *, writes: bool
    ) -> tuple[dict[str, Head], dict[str, list[Work]], deque[Work]]:
        """Lock the sessions of some work: their heads, the work that has to wait, and the work to be done.

        What waits is for sessions to which another server is writing: one of them holds up no others.
        """
        sids = {work.session_id for work in ready if work.session_id is not None}
        if not sids:
            return {}, {}, deque(ready)
        if not writes:
            return sessions.heads(db, sids), {}, deque(ready)
        heads, elsewhere = sessions.free_heads(db, sids)
        waiting: dict[str, list[Work]] = {}
        left: deque[Work] = deque()
        for work in ready:
            if work.session_id in elsewhere:
                waiting.setdefault(work.session_id, []).append(work)
            else:
                left.append(work)
        return heads, waiting, left

    def _catch_up(self, transaction: Transaction, heads: Mapping[str, Head], ready: Iterable[Work]) -> None:
        """Bring the machines to where their sessions' rows are; other processes may have written there."""
        sids = {work.session_id for work in ready if work.session_id is not None}
        for live in [live for sid in sids if (live := self.machines.get(sid)) is not None]:
            head = heads.get(live.id)
            live.held = None if head is None else head.held
            live.allow = None if head is None else head.allow
            live.size = live.size if head is None else head.bytes
            if head is not None and head.seq == live.committed:
                continue
            if head is None or live.seq != live.committed or not 0 < head.seq - live.seq <= ROWS_CAUGHT_UP:
                self.machines.drop(live.id)
                continue
            rows = list(journal.tail(transaction.db, live.id, live.seq, head.seq))
            if any(row.effective != row.seq for row in rows):  # a rewind: only opening it anew leads there
                self.machines.drop(live.id)
                continue
            try:
                live.replay(rows, blocklists.in_transaction(transaction.db, live.id))
                live.names = everyones_names.read(transaction.db, live.id)
                live.committed = live.seq
            except Diverged:
                self.machines.drop(live.id)

    def _do(self, transaction: Transaction, work: Work) -> Answer | None:
        """Do one work item; None where it must wait for another round."""
        sid = work.session_id
        if sid in self._parked and not isinstance(work, (FinishedWork, FinishedRewind)):
            self._parked[sid].append(work)
            return None
        if isinstance(work, Statement):
            return self._execute(transaction, work)
        assert sid is not None
        if isinstance(work, FinishedWork) and self.machines.get(sid) is not work.progress.live:
            return self._repeat(work, work.in_progress)
        if isinstance(work, FinishedRewind) and (
            self.machines.get(sid) is not work.live or work.live.seq != work.seq
        ):
            return self._repeat(work, work.rewind)
        live = self.machines.get(sid)
        if live is None:
            self._again.append(work)
            return None
        if isinstance(work, RewindWork):
            transaction.flush()  # what it goes back over may have been made in this very turn
        before, rows = live.seq, len(transaction.rows)
        try:
            result = work.do(transaction, live)
            unfinished = isinstance(result, (RunningBatch, RunningCall, FinishedRewind))
            if (
                work.preconditions is not None
                and work.preconditions.idempotency_key is not None
                and not unfinished
            ):
                transaction.replies.keep(work.preconditions.idempotency_key, sid, result)
        except Exception as error:
            del transaction.rows[rows:]
            if live.spoiled or live.seq != before:
                self.machines.drop(sid)
            if not isinstance(error, EXPECTED) and work.writes:
                log.exception("session %s: a call failed", sid)
            return Answer(work, error=error)
        if isinstance(result, (RunningBatch, RunningCall)):
            assert isinstance(work, (BatchWork, CallWork))
            return self._start_long(work, result)
        if isinstance(result, FinishedRewind):
            self._parked[sid] = []
            self._queue.put(partial(self._restore, result))
            return None
        if isinstance(work, FinishedRewind):
            assert work.restored is not None
            self._hold(work.restored)
        return Answer(work, result)

    def _execute(self, transaction: Transaction, work: Statement) -> Answer:
        transaction.flush()
        idempotency_key = None if work.preconditions is None else work.preconditions.idempotency_key
        try:
            with transaction.db.begin_nested():
                if idempotency_key is not None:
                    transaction.replies.check(idempotency_key)
                result = work.execute(transaction.db)
                if idempotency_key is not None:
                    transaction.replies.keep(idempotency_key, None, result)
        except IntegrityError:
            # What it builds on has gone meanwhile. Its savepoint is undone, and other work goes on.
            return Answer(work, error=Conflict("something that this needs was deleted meanwhile"))
        except DataError as error:
            return Answer(work, error=unfit(error))
        except DatabaseError:
            raise  # the whole group's trouble
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("a statement failed")
            return Answer(work, error=error)
        if work.session_id is not None:
            self._concerns(transaction, work.session_id, naming=work.naming)
        return Answer(work, result)

    def _concerns(self, transaction: Transaction, sid: str, *, naming: bool) -> None:
        """Have an open machine know what a statement has written of its session."""
        live = self.machines.get(sid)
        if live is None:
            return
        if naming:
            live.names = everyones_names.read(transaction.db, sid)
            transaction.written.add(sid)  # should this not be committed, the names are others again
        else:
            self.machines.drop(sid)

    # -- long batches and heavy calls ------------------------------------------------------------------------

    def _start_long(self, in_progress: InProgress, progress: RunningBatch | RunningCall) -> Answer | None:
        """Close the session to others, and have its batch or heavy call made in turn."""
        person = in_progress.principal
        if person.lab is not None and self._long[person.id] >= LONG_AT_ONCE:
            if progress.live.seq != progress.start:
                self.machines.drop(in_progress.session_id)
            error = TooMany(
                f"{LONG_AT_ONCE} long batches or heavy calls of yours are being made already: wait until one "
                "is answered",
                1,
            )
            return Answer(in_progress, error=error)
        self._long[person.id] += 1
        self._parked[in_progress.session_id] = []
        self._underway[in_progress.session_id] = in_progress, progress
        self._enqueue_slice(in_progress, progress)
        return None

    def _forget_long(self, in_progress: InProgress) -> None:
        """It is over, for now at least."""
        self._underway.pop(in_progress.session_id, None)
        person = in_progress.principal.id
        self._long[person] -= 1
        if not self._long[person]:
            del self._long[person]

    def _enqueue_slice(self, in_progress: InProgress, progress: RunningBatch | RunningCall) -> None:
        self._sliced.setdefault(in_progress.principal.id, deque()).append((in_progress, progress))

    def _make_slice(self, ready: list[Work]) -> None:
        """Make a slice of one batch, of the person who is next (round robin)."""
        if not self._sliced:
            return
        person, waiting = self._sliced.popitem(last=False)
        in_progress, progress = waiting.popleft()
        if waiting:
            self._sliced[person] = waiting
        self._slice(in_progress, progress, ready)

    def _slice(
        self, in_progress: InProgress, progress: RunningBatch | RunningCall, ready: list[Work]
    ) -> None:
        """Make some more calls; at the end, the rows are ready to be written."""
        if self._abandoned(in_progress, progress):
            return
        if in_progress.gone:
            self._fail(in_progress, progress, Dropped())
            return
        try:
            progress.step(SLICE_CALLS, time.perf_counter() + SLICE_SECONDS)
        except Exception as error:  # noqa: BLE001 - told to who asked
            self._fail(in_progress, progress, error)
            return
        self._go_on(in_progress, progress, ready)

    def _go_on(
        self, in_progress: InProgress, progress: RunningBatch | RunningCall, ready: list[Work]
    ) -> None:
        if progress.done:
            ready.append(FinishedWork(in_progress, progress))
        elif progress.heavy:
            self._start_heavy(in_progress, progress)
        else:
            self._enqueue_slice(in_progress, progress)

    def _start_heavy(self, in_progress: InProgress, progress: RunningBatch | RunningCall) -> None:
        """Have one heavy call made elsewhere, while the session is closed to others."""
        try:
            job = self._heavy.submit(in_progress.principal.id, progress.step_heavy)
        except Dropped as error:
            self._fail(in_progress, progress, error)
            return
        self._heavy_running[in_progress.session_id] = in_progress
        in_progress.job = job
        if in_progress.gone:  # it has been told so before there was a piece
            job.cancel()
        job.add_done_callback(
            lambda done: self._queue.put(partial(self._heavy_done, in_progress, progress, done))
        )

    def _heavy_done(
        self,
        in_progress: InProgress,
        progress: RunningBatch | RunningCall,
        done: Future[None],
        ready: list[Work],
    ) -> None:
        del self._heavy_running[in_progress.session_id]
        in_progress.job = None
        if self._abandoned(in_progress, progress):
            return
        failed = Dropped() if done.cancelled() else done.exception()
        if failed is not None:
            self._fail(in_progress, progress, failed)
        else:
            self._go_on(in_progress, progress, ready)

    def _abandoned(self, in_progress: InProgress, progress: RunningBatch | RunningCall) -> bool:
        """Whether the group in which it was begun has failed, so that it must be begun again."""
        if self.machines.get(in_progress.session_id) is progress.live:
            return False
        self._forget_long(in_progress)
        self._again.append(in_progress)
        self._unpark(in_progress.session_id)
        return True

    def _fail(
        self, in_progress: InProgress, progress: RunningBatch | RunningCall, error: BaseException
    ) -> None:
        sid = in_progress.session_id
        self._forget_long(in_progress)
        if progress.live.spoiled or progress.live.seq != progress.start:
            self.machines.drop(sid)
        if not isinstance(error, EXPECTED):
            log.error("session %s: a batch failed", sid, exc_info=error)
        self._unpark(sid)
        failed = error if isinstance(error, Exception) else RuntimeError("a heavy call was ended")
        self._deliver([Answer(in_progress, error=failed)])

    def _repeat(self, made: FinishedWork | FinishedRewind, work: InProgress | RewindWork) -> Answer | None:
        """Another process wrote while the machine was made ready: do it again, on top of that."""
        if work.retries >= RETRIES:
            return Answer(made, error=Busy("another process keeps writing to this session"))
        if isinstance(made, FinishedWork):
            self._forget_long(made.in_progress)
        work.retries += 1
        self._again.append(work)
        self._unpark(work.session_id)
        return None

    # -- rewinds ---------------------------------------------------------------------------------------------

    def _restore(self, rewound: FinishedRewind, _: list[Work]) -> None:
        """What the state to go back to is made of has been committed, so it can be made."""
        if self.machines.get(rewound.session_id) is rewound.live:
            self._making[rewound.session_id] = rewound
            self._opener.submit(self._make, rewound)
        else:  # the group in which it was begun has failed
            self._again.append(rewound.rewind)
            self._unpark(rewound.session_id)

    def _make(self, rewound: FinishedRewind) -> None:
        """On the opener's thread."""
        try:
            with self._store.reading() as db:
                made: Live | Exception = reopen(db, rewound.session_id, rewound.to)
        except Exception as error:  # noqa: BLE001 - told to who asked
            made = error
        self._queue.put(partial(self._restored, rewound, made))

    def _restored(self, rewound: FinishedRewind, made: Live | Exception, ready: list[Work]) -> None:
        del self._making[rewound.session_id]
        if isinstance(made, Live) and made.diverged is None:
            rewound.restored = made
            ready.append(rewound)
            return
        error = made if isinstance(made, Exception) else Conflict(str(made.diverged))
        if not isinstance(error, EXPECTED):
            log.error("session %s: no machine of seq %d", rewound.session_id, rewound.to, exc_info=error)
        self._unpark(rewound.session_id)
        self._deliver([Answer(rewound, error=error)])


def takes_of(ready: Iterable[Work]) -> Takes:
    """What a transaction for some work takes: calls need no more than the rows of their sessions."""
    if any(isinstance(work, Statement) for work in ready):
        return Takes.ALL
    return Takes.ROWS if any(work.writes for work in ready) else Takes.NOTHING
