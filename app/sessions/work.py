"""The kinds of work that the writer does."""

from __future__ import annotations

import json
import time
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.errors import BadArgument
from app.machine.calls import Named
from app.sessions import lineage
from app.sessions.access import Principal, Right, require, require_allowed, require_free
from app.sessions.answers import Applied, BatchAnswer, BatchItem
from app.sessions.batches import RunningBatch, RunningCall
from app.sessions.bounds import is_long
from app.sessions.call_cost import heavy
from app.sessions.errors import Conflict, NotFound
from app.sessions.live import Live
from app.sessions.own_tasks import OwnTasks, is_member
from app.sessions.preconditions import Preconditions, Replies, require_seq
from app.sessions.scheduler import Job
from app.sessions.usage import Usage
from app.store import Connection, bound_names, journal, sessions
from app.store.journal import Row
from app.store.lists import RowList

# A longer batch is made in slices, between which others have their turn. Calls, and seconds.
SLICE_CALLS: Final = 200
SLICE_SECONDS: Final = 0.005


@dataclass(slots=True)
class Transaction:
    """One transaction of the writer: the rows, lists, names and replies to be written in it."""

    db: Connection
    # Counts the bytes of each owner.
    usage: Usage
    rows: list[Row] = field(default_factory=list)
    lists: list[RowList] = field(default_factory=list)
    names: dict[tuple[str, str], dict[str, str | None]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    flushed: list[Row] = field(default_factory=list)
    replies: Replies = field(init=False)

    def __post_init__(self) -> None:
        self.replies = Replies(self.db)

    def add(self, live: Live, rows: Sequence[Row], lists: Sequence[RowList] = ()) -> None:
        """A session's rows, to be written, and the lists that they have returned."""
        self.rows += rows
        self.lists += lists
        self.written.add(live.id)
        size = sum(len(row.args) + len(row.outcome) for row in rows)
        self.usage.add(live.owner, size + sum(len(one.stored.body) for one in lists))

    def bind(self, session_id: str, person: str, name: str, named: Named | None, seq: int) -> None:
        """A name to be written, or to be forgotten. seq: by which call."""
        value = None if named is None else json.dumps(named.as_json() | {"seq": seq})
        self.names.setdefault((session_id, person), {})[name] = value

    def flush(self) -> None:
        """Write what there is, in the order in which it came about."""
        if self.rows:
            journal.append(self.db, self.rows, self.lists)
        for (session_id, person), changes in self.names.items():
            bound_names.put(self.db, session_id, person, changes)
        self.flushed += self.rows
        self.rows, self.lists, self.names = [], [], {}
        self.replies.flush()


def admit(
    transaction: Transaction,
    live: Live,
    principal: Principal,
    preconditions: Preconditions | None,
    right: Right = Right.CALL,
) -> str:
    """See that a principal may do so much here, now, and on these preconditions; their role.

    Raises NotFound and Forbidden; AlreadyAnswered and KeyReused; Conflict; Stale. A request that has been
    done is answered as it was then, though its seq is long past.
    """
    role = require(transaction.db, principal, right, live.id, live.owner)
    if preconditions is not None and preconditions.idempotency_key is not None:
        transaction.replies.check(preconditions.idempotency_key)
    require_free(principal, role, live.held)
    require_seq(preconditions, live.seq)
    if right is Right.CALL:
        transaction.usage.require_room(transaction.db, live)
    return role


def right_to_undo(db: Connection, live: Live, principal: Principal) -> Right:
    """What it takes to undo: the session is one's own, or one has stopped it.

    A machine that others use stands still for all of them after a panic. Who made that row may take it back,
    and no other.
    """
    stopped = live.machine.vm.oom.panicked
    if not stopped or principal.by is None or live.effective != stopped:
        return Right.OWN
    body = journal.one(db, live.id, stopped)
    by_them = body is not None and json.loads(body)["by"] == principal.by
    return Right.CALL if by_them else Right.OWN


@dataclass(slots=True, eq=False)
class WorkItem:
    """Any work for the writer."""

    # When it came, by the monotonic clock.
    since: float = field(default_factory=time.monotonic, init=False)
    # Whether the client has disconnected, so that the work need not be done.
    gone: bool = field(default=False, init=False)
    # The heavy part that runs on another thread, if any.
    job: Job[None] | None = field(default=None, init=False)

    def drop(self) -> None:
        """The client has hung up: what has not been committed need not be done. From any thread."""
        self.gone = True
        job = self.job
        if job is not None:
            job.cancel()


@dataclass(slots=True, eq=False)
class CallWork(WorkItem):
    """One call on a machine."""

    future: Future[Applied]
    session_id: str
    principal: Principal
    name: str
    body: Mapping[str, Any]
    counters: bool = False
    woken: Future[int | None] | None = None
    preconditions: Preconditions | None = None
    retries: int = 0
    writes: Final = True
    stoppable: Final = True

    def do(self, transaction: Transaction, live: Live) -> Applied | RunningCall:
        """Make it; a heavy one is only begun. Raises what `Live.parse`, `Live.apply` and `admit` raise."""
        role = admit(transaction, live, self.principal, self.preconditions)
        require_allowed(self.principal, role, live.allow, (self.name,))
        known = live.names.known_to(self.principal)
        body = self.body
        if is_member(self.principal, role):
            body = OwnTasks(self.principal, live.machine).call(self.name, body)
        if is_long(body):
            item = BatchItem(self.name, body)
            return RunningCall(live, item, self.principal, counters=self.counters)
        call = live.parse(self.name, body, known)
        if heavy(call, known, live.machine, live.slow):
            return RunningCall(live, BatchItem(self.name, body), self.principal, call, counters=self.counters)
        change = live.apply(call, known, self.principal.by)
        lists = () if change.stored is None else (RowList(live.id, change.row.seq, change.stored),)
        transaction.add(live, (change.row,), lists)
        if self.counters:
            return change.applied.with_("counters", live.machine.counters())
        return change.applied


@dataclass(slots=True, eq=False)
class BatchWork(WorkItem):
    """Calls on a machine of which all are made or none."""

    future: Future[BatchAnswer]
    session_id: str
    principal: Principal
    items: Sequence[BatchItem]
    most_names: int
    counters: bool = False
    # Whether a part of it is of use to who asked, so that it can be stopped.
    stoppable: bool = False
    preconditions: Preconditions | None = None
    retries: int = 0
    writes: Final = True

    def do(self, transaction: Transaction, live: Live) -> BatchAnswer | RunningBatch:
        """Make it at once; a long one is only begun. Raises as a call does, with places."""
        role = admit(transaction, live, self.principal, self.preconditions)
        require_allowed(self.principal, role, live.allow, (item.call for item in self.items))
        items = self._as_oneself(live) if is_member(self.principal, role) else self.items
        progress = RunningBatch(live, items, self.principal, self.most_names, counters=self.counters)
        if len(self.items) > SLICE_CALLS:
            return progress
        until = time.perf_counter() + SLICE_SECONDS
        progress.step(2 * SLICE_CALLS, until)  # so many are read and made
        return write(transaction, progress) if progress.done else progress

    def _as_oneself(self, live: Live) -> list[BatchItem]:
        items = []
        own = OwnTasks(self.principal, live.machine)
        for place, item in enumerate(self.items):
            try:
                items.append(item._replace(body=own.call(item.call, item.body)))
            except BadArgument as error:
                raise error.under("calls", place) from None
        return items


@dataclass(slots=True, eq=False)
class FinishedWork(WorkItem):
    """A long batch, or a heavy call, that has been made; only its rows are to be written."""

    in_progress: BatchWork | CallWork
    progress: RunningBatch | RunningCall
    writes: Final = True

    @property
    def session_id(self) -> str:
        return self.in_progress.session_id

    @property
    def future(self) -> Future[Any]:
        return self.in_progress.future

    @property
    def preconditions(self) -> Preconditions | None:
        return self.in_progress.preconditions

    def do(self, transaction: Transaction, live: Live) -> Applied | BatchAnswer:
        """Write the rows.

        Raises as `admit` does, but Stale: no other work has changed the session meanwhile.
        """
        require(transaction.db, self.in_progress.principal, Right.CALL, live.id, live.owner)
        if self.preconditions is not None and self.preconditions.idempotency_key is not None:
            transaction.replies.check(self.preconditions.idempotency_key)
        made = write(transaction, self.progress)
        return made if isinstance(self.in_progress, BatchWork) else made[0]


def write(transaction: Transaction, progress: RunningBatch | RunningCall) -> BatchAnswer:
    """Put what a batch has come to into a turn."""
    live, who = progress.live, progress.principal
    transaction.add(live, progress.rows, progress.lists)
    for name, (named, seq) in progress.named.items():
        transaction.bind(live.id, who.id, name, named, seq)
    live.names.give(who, progress.names)
    return progress.made


@dataclass(slots=True, eq=False)
class RewindWork(WorkItem):
    """Going back to an earlier state."""

    future: Future[Applied]
    session_id: str
    principal: Principal
    # The seq that had it; None for the state before the head's.
    to: int | None
    preconditions: Preconditions | None = None
    retries: int = 0
    writes: Final = True

    def do(self, transaction: Transaction, live: Live) -> FinishedRewind:
        """See where it goes; the machine is made elsewhere.

        The rows of this transaction must have been written.

        Raises as `admit` does, BadArgument at `to`, and Conflict where there is nothing to undo.
        """
        right = Right.OWN if self.to is not None else right_to_undo(transaction.db, live, self.principal)
        admit(transaction, live, self.principal, self.preconditions, right)
        if live.diverged is not None:
            raise Conflict(live.diverged)
        row = sessions.get(transaction.db, live.id)
        if row is None:
            raise NotFound("session", live.id)
        if self.to is None:
            if row.effective == row.start:
                raise Conflict("nothing to undo: the session is at its start")
            return FinishedRewind(
                self, live, row.seq, "undo", lineage.effective(transaction.db, row, row.effective - 1)
            )
        if not row.start <= self.to <= row.seq:
            raise BadArgument.at("to", f"a seq from {row.start} to {row.seq}")
        return FinishedRewind(self, live, row.seq, "rewind", self.to)


@dataclass(slots=True, eq=False)
class FinishedRewind(WorkItem):
    """A rewind whose machine is made, or being made; only its row is to be written."""

    rewind: RewindWork
    # The machine that was open until then, at `seq`.
    live: Live
    seq: int
    call: str
    to: int
    # The one to be open afterwards.
    restored: Live | None = None
    writes: Final = True

    @property
    def session_id(self) -> str:
        return self.rewind.session_id

    @property
    def future(self) -> Future[Applied]:
        return self.rewind.future

    @property
    def preconditions(self) -> Preconditions | None:
        return self.rewind.preconditions

    def do(self, transaction: Transaction, live: Live) -> Applied:
        """Write the row. Raises as `admit` does."""
        assert self.restored is not None
        right = Right.OWN
        if self.rewind.to is None:
            right = right_to_undo(transaction.db, live, self.rewind.principal)
        admit(transaction, live, self.rewind.principal, self.preconditions, right)
        self.restored.names = live.names
        row, applied = self.restored.follow(self.seq, self.call, self.to, self.rewind.principal.by)
        transaction.add(live, (row,))
        return applied


@dataclass(slots=True, eq=False)
class ReadWork(WorkItem):
    """A short look at a machine."""

    future: Future[Any]
    session_id: str
    principal: Principal
    look: Callable[[Live], Any]
    preconditions: Preconditions | None = None
    writes: Final = False

    def do(self, transaction: Transaction, live: Live) -> Any:
        """Look."""
        require(transaction.db, self.principal, Right.READ, live.id, live.owner)
        return self.look(live)


@dataclass(slots=True, eq=False)
class Statement(WorkItem):
    """Rows to be written beside the calls."""

    future: Future[Any] | None
    execute: Callable[[Connection], Any]
    # The session that is gone afterwards or, naming, in which something has other names; if any.
    session_id: str | None = None
    naming: bool = False
    # A machine to be held open afterwards.
    adopt: Live | None = None
    # Only whether this is done once is seen to here; `execute` must look at the seq itself (`require_seq`),
    # on the row that it locks.
    preconditions: Preconditions | None = None
    writes: Final = True


MachineWork = CallWork | BatchWork | FinishedWork | RewindWork | FinishedRewind | ReadWork
Work = MachineWork | Statement
