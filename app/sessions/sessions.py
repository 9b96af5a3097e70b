"""The use cases of sessions: create, call, read, follow, fork, export and delete them."""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Concatenate, Final, ParamSpec, TypeVar

from pydantic_core import from_json, to_json

from app.clock import now
from app.collector import gc_paused
from app.errors import BadArgument
from app.machine import boot
from app.machine.calls import Lists, Named
from app.machine.entry import CALLS
from app.machine.machine import ENGINE, Machine
from app.sessions import (
    blocklists,
    eventlists,
    explaining,
    exported,
    exporting,
    forking,
    freeing,
    identifiers,
    importing,
    kernel_logs,
    lineage,
    lives,
    opening,
    queries,
    reference_strings,
    snapshots,
    tracing,
    trials,
)
from app.sessions.access import Principal, Right
from app.sessions.answers import Applied, BatchAnswer, BatchItem, ListPart, SessionInfo, Underway
from app.sessions.call_cost import may_be_heavy
from app.sessions.clock_check import ClockCheck
from app.sessions.errors import Busy, Conflict, LimitReached, NotFound, StorageFull
from app.sessions.feed import Feed, Reader, Stream
from app.sessions.hangup import unless_hung_up
from app.sessions.housekeeping import Housekeeping
from app.sessions.kernel_logs import KernelLog, Replayed
from app.sessions.live import Live
from app.sessions.lives import Life, Look
from app.sessions.longviews import SHORT_LOOK, PaintedMap, TooLong
from app.sessions.openers import Opener
from app.sessions.past_machines import PastMachines
from app.sessions.preconditions import AlreadyAnswered, Preconditions, Replies, sweep
from app.sessions.queries import Also, Event, Room
from app.sessions.reference_strings import Found
from app.sessions.scheduler import Dropped, FairScheduler, outcome
from app.sessions.series import SeriesOfSessions, SeriesQuery
from app.sessions.shared_rates import SharedRates, forget_buckets
from app.sessions.snapshotter import Snapshotter
from app.sessions.upload_slots import UploadSlots
from app.sessions.usage import MEMBER_PREFIX, Usage
from app.sessions.waits import REWINDS, Wait, Waits
from app.sessions.work import (
    BatchWork,
    CallWork,
    FinishedRewind,
    FinishedWork,
    ReadWork,
    RewindWork,
    Statement,
    Work,
)
from app.sessions.writer import Answer, Writer
from app.sessions.written import Numbers
from app.settings import MIB, Settings
from app.store import Connection, Store, buckets, journal, schema, sessions, states
from app.store.buckets import Taken
from app.store.journal import Row
from app.store.sessions import SessionRow
from app.store.states import State

LISTED_AT_ONCE: Final = 1_000
TICK_SECONDS: Final = 0.25  # how often other processes' rows are looked for
SWEEP_SECONDS: Final = 300  # how often old replies are forgotten
PAST_SHARE: Final = 4  # what part of the memory for open machines those of past moments may take beside it
PROMPT_SECONDS: Final = 2.0  # longest that a health check waits
SIGNS: Final = (b'"woken":', b'"call":"kill_task"', *(f'"call":"{call}"'.encode() for call in REWINDS))
PEEKED_AT_ONCE: Final = 16  # machines that are looked at before others have their turn
LINGER_SECONDS: Final = 0.5  # how long the end waits for other threads

log = logging.getLogger(__name__)

# Sessions.list hides the type of that name from what follows it.
Events = list[Event]
Items = list[BatchItem]

P = ParamSpec("P")
T = TypeVar("T")


class Sessions:
    """Every session, and the machines that are open.

    All methods raise NotFound for a session that does not exist or that the principal may not know of,
    Forbidden for one that the principal may not use so, and Busy or StorageFull when nothing was recorded.
    Those that take preconditions also raise Stale, KeyReused and, where the request has been done before,
    AlreadyAnswered; the answer stored under a key is made from what the method returns. Those that may
    take long (`past`, `series`, `dump`, `explain`, `export`, `fork`, `create` from a dump) raise TooMany
    where the principal has asked for too much at once, and Dropped, a Busy, where the client hangs up or the
    server stops meanwhile.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._clock = ClockCheck(store)
        self._waits = Waits()
        self._ticker: asyncio.Task[None] | None = None
        self._stopping = False
        self._upload_slots = UploadSlots(settings.uploads, settings.imports_per_principal)
        # The rate limits that the servers on one database keep together.
        self.rates = SharedRates(self._settle if store.is_shared else None)
        self._sharing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to serve. Raises StoreUnusable where the database has not this program's schema."""
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._store.check)
        # Short statements, machines to be opened, imports, what no request waits for, and all else that is
        # long: each waits only for its own kind, and the long kinds serve persons in turn.
        self._quick = ThreadPoolExecutor(2, "quick")
        self._opener = Opener(self._store, self._quick)
        self._slow = FairScheduler("slow", waiting=self._settings.slow_per_principal - 1)
        self._importer = FairScheduler("importer", at_once=1, threads=self._settings.imports)
        self._housekeeping = Housekeeping()
        self._past = PastMachines(self._store, self._settings.machines_memory // PAST_SHARE)
        self._explanations = explaining.Explanations(self._past)
        self._series = SeriesOfSessions(self._past)
        self._lists = eventlists.EventLists(self._past)
        self._making = forking.Making(self._store, self._past)
        snapshotter = Snapshotter(self._store, self._housekeeping.keeping, self._past)
        self._feed = Feed(self._loop, self._read_rows, self._settings)
        self._writer = Writer(
            self._store,
            self._deliver,
            self._opener,
            FairScheduler("heavy"),
            snapshotter,
            Usage(self._settings),
            self._settings.machines_memory,
            self._settings.busy_timeout,
            self._feed.publish,
        )
        self._writer.start()
        self._housekeeping.submit(self._where_trusted, importing.sweep)
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        if self._store.is_shared:
            self._sharing = self._loop.create_task(self.rates.run())

    async def ready(self) -> None:
        """Raise Busy or StorageFull unless calls could be journalled now. A row is really written."""
        try:
            async with asyncio.timeout(PROMPT_SECONDS):
                await self._do(Statement, schema.touch)
        except TimeoutError:
            raise Busy("the database could not be written for some seconds") from None

    def release(self) -> None:
        """End all waiting, so that no request holds up the end. On the event loop."""
        self._stopping = True
        self._sweeping.cancel()
        if self._sharing is not None:
            self._sharing.cancel()
        self._waits.release()
        self._feed.release()
        self._slow.stop()
        self._importer.stop()

    async def stop(self) -> None:
        """Do what waits, keep states while there is time, and close everything."""
        self.release()
        self._writer.stop()
        await asyncio.to_thread(self._writer.join)
        self._quick.shutdown(wait=False, cancel_futures=True)
        # The requests of what still runs have ended: it need not be done.
        kinds = (self._slow, self._importer, self._opener.scheduler, self._housekeeping.scheduler)
        for scheduler in kinds:
            scheduler.stop()
        until = time.monotonic() + LINGER_SECONDS
        for scheduler in kinds:
            await asyncio.to_thread(scheduler.join, until - time.monotonic())
        self._store.dispose()

    # -- sessions --------------------------------------------------------------------------------------------

    async def create(
        self,
        principal: Principal,
        name: str | None,
        machine: Mapping[str, Any],
        *,
        also: Also | None = None,
        preconditions: Preconditions | None = None,
    ) -> SessionInfo:
        """A new session of the principal.

        name: at most 100 characters, None for one made up. machine: a profile with overrides, a dump or
        /proc texts. also: what is written with it. Raises BadArgument with places under `name` and `machine`,
        and LimitReached.
        """
        if name is not None:
            name = identifiers.checked_name(name)
        try:
            if opening.is_whole(machine):
                built, state = await self._slowly(principal, _build, machine)
            else:
                built, state = await self._loop.run_in_executor(self._quick, _build, machine)
        except BadArgument as error:
            raise error.under("machine") from None
        description = built.describe()
        created = now()
        row = SessionRow(
            id=identifiers.new_id(),
            owner=principal.id,
            name=name or identifiers.default_name(description),
            created=created,
            engine=ENGINE,
            machine=to_json(description).decode(),
            boot=to_json(boot.description(built)).decode() if state is None else None,
            origin_id=None,
            origin_seq=None,
            start=0,
            seq=0,
            effective=0,
            lab_id=principal.lab,
        )
        insert = partial(queries.insert, row=row, state=state, room=self._room(principal), also=also)
        live = Live(row.id, row.owner, built, 0, 0, 0, size=0 if state is None else len(state.body))
        info: SessionInfo = await self._do(Statement, insert, adopt=live, preconditions=preconditions)
        return info

    async def from_log(
        self,
        principal: Principal,
        name: str | None,
        machine: Mapping[str, Any],
        log: KernelLog,
        *,
        preconditions: Preconditions | None = None,
    ) -> Replayed:
        """A new session with the calls of a real kernel's log as rows, and how far it agrees with the kernel.

        machine: as `create` takes one, or empty. Nothing is left where a call cannot be made. Raises as
        `create` and `batch` do, with places under `log`.
        """
        await self.not_done(preconditions)
        plan: kernel_logs.Plan = await self._slowly(principal, kernel_logs.plan, machine, log)
        info = await self.create(principal, name, plan.machine)
        made: list[Applied] = []
        try:
            for part in kernel_logs.parts(plan.items(), self._settings.batch_calls):
                made += await self.batch(principal, info.id, part)
            compared = await self._slowly(principal, plan.compared, made)
            replayed = Replayed(await self.get(principal, info.id), compared)
            return await self.execute(lambda _: replayed, preconditions=preconditions)
        except BaseException as error:  # the same request may also have been answered meanwhile
            await self.delete(principal, info.id)
            if isinstance(error, BadArgument):
                raise plan.located(error) from None
            raise

    async def list(
        self, principal: Principal, limit: int = 100, after: str | None = None
    ) -> ListPart[SessionInfo]:
        """The principal's sessions, newest first. after: `next` of the part before. Raises BadArgument."""
        limit = min(limit, LISTED_AT_ONCE)
        before = None if after is None else identifiers.decode_cursor(after)
        rows = await self._read_rows(sessions.visible, principal.id, limit + 1, before)
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return ListPart(
            [self._seen(row) for row in rows[:limit]],
            None if last is None else identifiers.encode_cursor(last.created, last.id),
        )

    async def get(self, principal: Principal, session_id: str, right: Right = Right.READ) -> SessionInfo:
        """One session, of which the principal may do so much."""
        return self._seen(await self._read_rows(queries.allowed, principal, session_id, right))

    def with_divergence(self, info: SessionInfo) -> SessionInfo:
        """The same with what opening the session has shown by now: where its journal cannot be followed."""
        found = self._writer.diverged.get(info.id)
        return info if found is None else replace(info, diverged={"seq": found[0], "detail": found[1]})

    async def rename(
        self, principal: Principal, session_id: str, name: str, *, preconditions: Preconditions | None = None
    ) -> SessionInfo:
        """Give a session another name. Raises BadArgument at `name`."""
        name = identifiers.checked_name(name)
        execute = partial(
            queries.rename, principal=principal, session_id=session_id, name=name, preconditions=preconditions
        )
        info: SessionInfo = await self._do(Statement, execute)
        return info

    async def delete(
        self, principal: Principal, session_id: str, *, preconditions: Preconditions | None = None
    ) -> None:
        """Remove a session and all that is its own. For good."""
        execute = partial(
            queries.remove, principal=principal, session_id=session_id, preconditions=preconditions
        )
        await self._do(Statement, execute, session_id)
        self._gone(session_id)

    # -- calls -----------------------------------------------------------------------------------------------

    async def apply(
        self,
        principal: Principal,
        session_id: str,
        call: str,
        body: Mapping[str, Any],
        *,
        wait: float = 0.0,
        counters: bool = False,
        preconditions: Preconditions | None = None,
    ) -> Applied:
        """Make one call; answered when its row is committed.

        wait: how many seconds to wait for a blocked task to be woken; the answer then has `woken_at`. Giving
        up the wait changes nothing, and the same request under the same key waits again. counters: add the
        zones' counters. Raises BadArgument, TaskBlocked, Conflict, LimitReached, and NotFound for a call that
        does not exist.
        """
        if call not in CALLS:
            raise NotFound("call", call)
        if wait <= 0:
            do = self._do_unless_hung_up if may_be_heavy(call, body) else self._do
            applied: Applied = await do(
                CallWork, session_id, principal, call, body, counters, preconditions=preconditions
            )
            return applied
        wait = min(wait, self._settings.wait_limit)
        woken: Future[int | None] = self._loop.create_future()
        try:
            applied = await self._do(
                CallWork, session_id, principal, call, body, counters, woken, preconditions
            )
            if applied.outcome["verdict"] != "blocked":
                return applied
            return applied.with_("woken_at", await self._woken(woken, wait))
        except AlreadyAnswered as found:
            applied = Applied.of(found.reply.body)
            if applied.outcome["verdict"] != "blocked":
                raise
            return applied.with_("woken_at", await self._woken_since(principal, session_id, applied, wait))
        finally:
            self._waits.remove(session_id, woken)

    async def batch(
        self,
        principal: Principal,
        session_id: str,
        items: Sequence[BatchItem],
        *,
        counters: bool = False,
        stoppable: bool = False,
        preconditions: Preconditions | None = None,
    ) -> BatchAnswer:
        """Make all calls, or none where a caller's mistake is found in one of them.

        stoppable: it may end early, with fewer answers, where `stop_work` is called meanwhile. Raises as
        `apply` does, with places under `("calls", i)`.
        """
        most = self._settings.batch_calls
        if len(items) > most:
            raise LimitReached(("calls",), f"at most {most} calls in a batch")
        made: BatchAnswer = await self._do_unless_hung_up(
            BatchWork,
            session_id,
            principal,
            items,
            self._settings.names_per_person,
            counters,
            stoppable,
            preconditions,
        )
        return made

    async def underway(self, principal: Principal, session_id: str) -> Underway | None:
        """Long work on a session that is being done in this process, if any."""
        await self._read_rows(queries.allowed, principal, session_id, Right.READ)
        return self._writer.underway(session_id)

    async def stop_work(self, principal: Principal, session_id: str) -> Underway | None:
        """Have such work end early: a batch after the call that is being made, a loop after a round.

        Whose work it is may do so, and whoever may do everything with the session. Raises Conflict for work
        that is of use only as a whole.
        """
        underway = await self.underway(principal, session_id)
        if underway is None:
            return None
        if underway.principal != principal.id:
            await self._read_rows(queries.allowed, principal, session_id, Right.OWN)
        if not underway.stoppable:
            raise Conflict("this is done as a whole or not at all: it cannot be stopped")
        self._writer.tell_to_stop(session_id)
        return self._writer.underway(session_id)

    async def rewind(
        self, principal: Principal, session_id: str, to: int, *, preconditions: Preconditions | None = None
    ) -> Applied:
        """Give a session the state again that it had at a seq; history goes on with a new row.

        What people have named keeps its name. Raises BadArgument at `to`, and Conflict for a session that
        takes no calls or has no readable state there.
        """
        rewound: Applied = await self._do(RewindWork, session_id, principal, to, preconditions)
        return rewound

    async def undo(
        self, principal: Principal, session_id: str, *, preconditions: Preconditions | None = None
    ) -> Applied:
        """Take back the call that made the present state. Raises Conflict where there is none."""
        undone: Applied = await self._do(RewindWork, session_id, principal, None, preconditions)
        return undone

    async def fork(
        self,
        principal: Principal,
        session_id: str,
        at: int | None = None,
        name: str | None = None,
        *,
        of: Principal | None = None,
        names: Mapping[str, str] | None = None,
        also: Also | None = None,
        preconditions: Preconditions | None = None,
    ) -> SessionInfo:
        """A new session of the principal that goes on from the state that another had at a seq, or has now.

        What the principal has named there is named here. of: who else may read it, where the principal may
        not. names: what is named here instead, as JSON. also: what is written with it. Raises BadArgument at
        `at` and `name`, LimitReached, and Conflict where the session cannot be followed so far.
        """
        if name is not None:
            name = identifiers.checked_name(name)
        await self.not_done(preconditions)
        branch = await self._read_rows(forking.find, of or principal, session_id, at)
        if not branch.ready:
            state = await self._state(principal, session_id, branch.effective)
            branch = branch._replace(state=state)
        row = SessionRow(
            id=identifiers.new_id(),
            owner=principal.id,
            name=name or identifiers.name_of_fork(branch.origin.name, branch.at),
            created=now(),
            engine=ENGINE,
            machine=branch.origin.machine,
            boot=branch.boot,
            origin_id=branch.origin.id,
            origin_seq=branch.at,
            start=branch.at,
            seq=branch.at,
            effective=branch.at,
            lab_id=principal.lab,
        )
        insert = partial(
            forking.insert,
            row=row,
            branch=branch,
            reader=of or principal,
            names=names,
            room=self._room(principal),
            also=also,
            preconditions=preconditions,
        )
        info: SessionInfo = await self._do(Statement, insert, preconditions=preconditions)
        return info

    async def names(self, principal: Principal, session_id: str) -> dict[str, Named]:
        """What the principal has named in the session."""
        return await self._read_rows(queries.names, principal, session_id)

    async def known_names(
        self, principal: Principal, session_id: str, most: int
    ) -> tuple[dict[str, Named | None], int]:
        """At most so many of the names that the principal's calls may use, and how many there are.

        Those of others have the number of who gave them before a dot. Raises NotFound.
        """
        return await self._read_rows(queries.known_names, principal, session_id, most)

    async def read(
        self,
        principal: Principal,
        session_id: str,
        look: Callable[Concatenate[Machine, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a short function says of the machine now; answered when all that it saw is committed."""
        seen: T = await self._do(
            ReadWork, session_id, principal, lambda live: look(live.machine, *args, **kwargs)
        )
        return seen

    async def view(
        self,
        principal: Principal,
        session_id: str,
        cost: Callable[[Machine], int],
        look: Callable[Concatenate[Machine, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a function says of the machine now, however long it takes.

        cost: about how much work that is, as `app.machine.show_cost` counts it. A short look is made as
        `read` does. A long one would delay all other calls, so it is made as `past` does, on a machine
        that is rebuilt beside; a map that was painted for it is then given to the open machine.
        """

        def short(live: Live) -> T | TooLong:
            if cost(live.machine) <= SHORT_LOOK:
                return look(live.machine, *args, **kwargs)
            return TooLong()

        seen: T | TooLong = await self._do(ReadWork, session_id, principal, short)
        if not isinstance(seen, TooLong):
            return seen
        painted = PaintedMap()
        found = await self._at(principal, session_id, None, painted.take, look, *args, **kwargs)
        if painted.states is not None:
            await self._do(ReadWork, session_id, principal, painted.give)
        return found

    async def past(
        self,
        principal: Principal,
        session_id: str,
        at: int | None,
        look: Callable[Concatenate[Machine, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a function says of the machine as it was after row `at`, or is after the last.

        The machine is rebuilt from the journal, so it delays no calls, however long it takes.
        Raises BadArgument where the session has no such row, and Conflict where it cannot be followed so far.
        """
        return await self._at(principal, session_id, at, None, look, *args, **kwargs)

    async def _at(
        self,
        principal: Principal,
        session_id: str,
        at: int | None,
        after: Callable[[Live], None] | None,
        look: Callable[Concatenate[Machine, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `past`. after: what is done with the machine when the look is over."""

        def run() -> T:
            with self._store.reading() as db:
                row = queries.allowed(db, principal, session_id, Right.READ)
                if at is not None and not row.start <= at <= row.seq:
                    raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
                with self._past.machine(db, session_id, at) as live:
                    if live.diverged is not None and at is not None:
                        raise Conflict(live.diverged)
                    with gc_paused():
                        seen = look(live.machine, *args, **kwargs)
                    if after is not None:
                        after(live)
                    return seen

        return await self._slowly(principal, run)

    async def stretch(
        self,
        principal: Principal,
        session_id: str,
        after: int,
        to: int | None,
        look: Callable[Concatenate[Machine, Sequence[Row], Lists, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What a function makes of the machine as it was after a row, and of the rows from there to another.

        to: None for the last one. The machine is the function's own, to make calls on. Rewinds are among the
        rows. It also gets what finds the session's lists. Raises as `past` does, at `seq`.
        """

        def run() -> T:
            with self._store.reading() as db:
                row = queries.allowed(db, principal, session_id, Right.READ)
                until = row.seq if to is None else to
                if not row.start <= after <= until <= row.seq:
                    raise BadArgument.at("seq", f"a seq from {after} to {row.seq}")
                rows = list(journal.tail(db, session_id, after, until))
                with self._past.machine(db, session_id, after) as live:
                    if live.diverged is not None:
                        raise Conflict(live.diverged)
                    live.spoiled = True
                    lists = blocklists.in_transaction(db, session_id)
                    with gc_paused():
                        return look(live.machine, rows, lists, *args, **kwargs)

        return await self._slowly(principal, run)

    async def trial(
        self,
        principal: Principal,
        session_id: str,
        at: int,
        items: Sequence[BatchItem],
        look: trials.Look[T],
    ) -> T:
        """What a function says of calls that are made on a copy, of the machine as it was after row `at`.

        look: is given the machine before the last call, what they came to, and the machine behind them.
        Nothing of it is journalled. Raises as `batch` does, and Conflict where the session cannot be
        followed so far.
        """

        def run() -> T:
            with self._store.reading() as db:
                queries.allowed(db, principal, session_id, Right.READ)
                most = self._settings.names_per_person
                return trials.made(db, self._store, self._past, principal, session_id, at, items, look, most)

        return await self._slowly(principal, run)

    async def series(self, principal: Principal, session_id: str, query: SeriesQuery) -> dict[str, Any]:
        """Numbers of the machine after each row, as few points as are asked for; the first time slowly.

        Raises BadArgument, and Conflict where the session cannot be followed so far.
        """

        def run() -> dict[str, Any] | futures.Future[None]:
            with self._store.reading() as db:
                row = queries.allowed(db, principal, session_id, Right.READ)
                return self._series.of(db, row, query)

        while True:
            made = await self._slowly(principal, run)
            if not isinstance(made, futures.Future):
                return made
            await unless_hung_up(_shielded(made))

    async def dump(self, principal: Principal, session_id: str, at: int | None = None) -> dict[str, Any]:
        """The machine's whole state."""
        return await self.past(principal, session_id, at, Machine.dump)

    async def events(self, principal: Principal, session_id: str, after: int = 0, limit: int = 100) -> Events:
        """Rows after a seq, in order."""
        return await self._read_rows(queries.events, principal, session_id, after, min(limit, LISTED_AT_ONCE))

    async def events_within(
        self, principal: Principal, session_id: str, after: int, limit: int, most: int
    ) -> tuple[Events, bool]:
        """As `events`, but no more rows once they make `most` bytes; and whether there are more."""
        return await self._read_rows(queries.events_within, principal, session_id, after, limit, most)

    async def latest(
        self, principal: Principal, session_id: str, until: int, limit: int, most: int
    ) -> Events:
        """Rows up to a seq, the last first, but no more once they make `most` bytes."""
        return await self._read_rows(queries.latest, principal, session_id, until, limit, most)

    async def event(self, principal: Principal, session_id: str, seq: int) -> Event:
        """One row. Raises NotFound."""
        return await self._read_rows(queries.event, principal, session_id, seq)

    async def follow(self, principal: Principal, session_id: str, after: int | None = None) -> Reader:
        """The rows behind a seq and later ones, as they are committed; without a seq only the later ones.

        The reader has to be closed. Raises TooMany.
        """
        row = await self._read_rows(queries.allowed, principal, session_id, Right.READ)
        if self._stopping:
            raise Busy("the server is stopping")
        return self._feed.join(principal, row, after)

    async def explain(self, principal: Principal, session_id: str, seq: int) -> dict[str, Any]:
        """The decision steps of one row's call. Raises NotFound and Conflict."""
        return await self._slowly(principal, self._explain, principal, session_id, seq)

    async def trace(
        self, principal: Principal, session_id: str, after: int, to: int, most: int
    ) -> tuple[Sequence[str], int]:
        """Tracepoints of rows behind one up to another, no more rows after `most` lines; and the last row.

        Raises NotFound and Conflict.
        """

        def run() -> tuple[Sequence[str], int]:
            with self._store.reading() as db:
                queries.allowed(db, principal, session_id, Right.READ)
                return tracing.lines(db, self._past, session_id, after, to, most)

        return await self._slowly(principal, run)

    async def freed_before(
        self, principal: Principal, session_id: str, seq: int, cause: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The row that freed what a row frees again, where one of the last rows did; as the journal has it.

        cause: of the row. Raises NotFound.
        """
        if cause["mistake"] not in freeing.AGAIN:
            return None

        def run() -> dict[str, Any] | None:
            with self._store.reading() as db:
                queries.allowed(db, principal, session_id, Right.READ)
                return freeing.before(db, session_id, seq, cause)

        return await self._slowly(principal, run)

    async def event_list(self, principal: Principal, session_id: str, seq: int, name: str) -> Sequence[Any]:
        """A list of one row's outcome, whole, though the row may only count it.

        Raises NotFound and Conflict.
        """

        def run() -> Sequence[Any]:
            with self._store.reading() as db:
                queries.allowed(db, principal, session_id, Right.READ)
                return self._lists.of(db, session_id, seq, name)

        return await self._slowly(principal, run)

    # -- moving ----------------------------------------------------------------------------------------------

    async def export(self, principal: Principal, session_id: str) -> tuple[SessionInfo, AsyncIterator[bytes]]:
        """A session as a file, part by part, and how it stood when that began."""
        exported = await self._read_rows(exporting.begin, principal, session_id)
        parts = exporting.parts(self._store, exported)
        first = await self._slowly(principal, next, parts)
        return SessionInfo.of(exported.row), self._parts(first, parts)

    async def _parts(self, first: bytes, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
        part: bytes | None = first
        while part is not None:
            yield part
            part = await self._loop.run_in_executor(self._quick, next, parts, None)

    @contextmanager
    def upload_slot(self, principal: Principal) -> Iterator[IO[bytes]]:
        """A place for a file of the principal's that is to be imported. Raises TooMany.

        Others wait for it: who receives the file sees that it comes (`app.upload_timeout`).
        """
        with self._upload_slots.place(principal), SpooledTemporaryFile(MIB) as file:
            yield file

    async def import_(
        self,
        principal: Principal,
        file: IO[bytes],
        name: str | None = None,
        *,
        preconditions: Preconditions | None = None,
    ) -> SessionInfo:
        """A new session of the principal, from an exported file. Nothing is left of one that is refused.

        name: instead of the one in the file. Raises BadArgument (of which Malformed is one) and LimitReached
        with places under `line`, and BadArgument at `name`.
        """
        if name is not None:
            name = identifiers.checked_name(name)
        limits = exported.Limits(
            header=self._settings.dump_limit,
            names=self._settings.names_per_person,
            seconds=self._settings.import_time,
            room=self._room(principal),
        )
        await self.not_done(preconditions)
        prepare = partial(importing.prepare, self._store, file, principal.id, limits)
        job = self._importer.submit(principal.id, prepare)
        try:
            sid = await unless_hung_up(outcome(job))
        except BaseException:
            job.add_done_callback(self._discard)
            raise
        publish = partial(
            importing.publish,
            session_id=sid,
            owner=principal.id,
            room=limits.room,
            name=name,
            lab_id=principal.lab,
        )
        try:
            info: SessionInfo = await self._do(Statement, publish, preconditions=preconditions)
        except BaseException:
            self._housekeeping.submit(importing.discard, self._store, sid)
            raise
        return info

    def _discard(self, job: futures.Future[str]) -> None:
        """Delete an imported session whose request has ended."""
        if not job.cancelled() and job.exception() is None:
            self._housekeeping.submit(importing.discard, self._store, job.result())

    # -- for labs --------------------------------------------------------------------------------------------

    async def execute(
        self,
        statement: Callable[[Connection], T],
        *,
        naming: str | None = None,
        preconditions: Preconditions | None = None,
    ) -> T:
        """What a function writes, in the writer's order and durable when it is answered.

        naming: the session whose names it writes, if any. preconditions: only whether it is done once; the
        answer that is kept is made of what the function returns.
        """
        done: T = await self._do(
            Statement, statement, naming, naming is not None, preconditions=preconditions
        )
        return done

    async def not_done(self, preconditions: Preconditions | None) -> None:
        """Raise AlreadyAnswered or KeyReused for a key that has been used, before anything is made for it.

        What made it possible then may be gone by now, and is not asked for again. Of several who come at the
        same time the writer lets one pass.
        """
        if preconditions is not None and preconditions.idempotency_key is not None:
            idempotency_key = preconditions.idempotency_key
            await self._read_rows(lambda db: Replies(db).check(idempotency_key))

    async def query(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What a short function reads, within one moment."""
        return await self._read_rows(query, *args, **kwargs)

    async def keep(self, principal: Principal, session_id: str, at: int) -> None:
        """See that the state after a row is kept, so that forks of it are made at once from the first one on.

        Raises as `fork` does.
        """
        branch = await self._read_rows(forking.find, principal, session_id, at)
        if branch.ready:
            return
        state = await self._state(principal, session_id, branch.effective)
        put = partial(states.put, session_id=session_id, seq=branch.effective, state=state)
        await self._do(Statement, put)

    async def query_in_turn(
        self,
        principal: Principal,
        query: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """As `query`, for a function that reads many rows: in the principal's turn. Raises TooMany."""

        def run() -> T:
            with self._store.reading() as db:
                return query(db, *args, **kwargs)

        return await self._slowly(principal, run)

    async def compute(self, principal: Principal, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What comes of work that needs no session, in the principal's turn. Raises TooMany."""
        return await self._slowly(principal, do, *args, **kwargs)

    async def reference_string(
        self, principal: Principal, session_id: str, task: str, at: int | None
    ) -> Found:
        """The accesses of a task. Raises NotFound, and BadArgument at `at`."""
        return await self.query_in_turn(principal, reference_strings.of_task, principal, session_id, task, at)

    async def accessing_tasks(self, principal: Principal, session_id: str) -> dict[str, int]:
        """Which tasks have a reference string, with how many of their calls are in it. Raises NotFound."""
        return await self.query_in_turn(principal, reference_strings.tasks_of, principal, session_id)

    async def life(
        self,
        principal: Principal,
        session_id: str,
        look: Look,
        pfn: int | None,
        after: int,
        limit: int,
        at: int | None,
    ) -> Life:
        """What became of a frame or of a page, row by row: as `lives.of`."""

        def of(db: Connection) -> Life:
            return lives.of(db, self._past, principal, session_id, look, pfn, after, limit, at)

        return await self.query_in_turn(principal, of)

    async def peek(
        self, session_ids: Sequence[str], look: Callable[[Machine], T]
    ) -> dict[str, tuple[int, T]]:
        """What a short function says of those machines that are open, each with the seq at which it was so.

        Nothing is opened for it, and nothing kept open; whether one may look is the caller's to see. Some are
        looked at at a time, between the calls of those who use them, and no more once that takes long.
        """
        found: dict[str, tuple[int, T]] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(PROMPT_SECONDS):
                for first in range(0, len(session_ids), PEEKED_AT_ONCE):
                    seen: Future[dict[str, tuple[int, T]]] = self._loop.create_future()
                    tell = partial(self._peeked, seen)
                    self._writer.peek(session_ids[first : first + PEEKED_AT_ONCE], look, tell)
                    found |= await seen
        return found

    def _peeked(self, seen: Future[Any], found: dict[str, tuple[int, Any]]) -> None:
        """On the writer's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_fulfil, seen, found)

    async def discard(self, session_id: str) -> None:
        """Delete a session without access control, and end what waits for it."""
        await self._do(Statement, partial(queries.discard, session_id=session_id), session_id)
        self._gone(session_id)

    def register(self, stream: Stream) -> None:
        """Count a stream among those of sessions, and end it with them. Raises TooMany and Busy."""
        if self._stopping:
            raise Busy("the server is stopping")
        self._feed.register(stream)

    def unregister(self, stream: Stream) -> None:
        """Count the stream no more."""
        self._feed.unregister(stream)

    async def cut_log(self) -> None:
        """See that what was deleted does not stay in a log beside the database."""
        await asyncio.wrap_future(self._housekeeping.submit(self._store.cut_log))

    def disconnect(self, principal: str) -> None:
        """End the streams of a principal that may not read any more."""
        self._feed.disconnect(principal)

    def review(self) -> None:
        """Check the rights of all streams, and end those of principals that may not read any more."""
        self._feed.review()

    async def calls_between(
        self, principal: Principal, session_id: str, after: int, to: int, copy_id: str
    ) -> Items:
        """The calls that lead from one state of a session to a later one, for a batch on a copy of it.

        principal: in whose turn they are read. Raises BadArgument at `seq` where the later state does not go
        back to the earlier, and LimitReached there where they are more than a batch may have.
        """
        return await self.query_in_turn(
            principal, lineage.calls_between, session_id, after, to, self._settings.batch_calls, copy_id
        )

    def numbers(self) -> Numbers:
        """How the server is doing, by what it counts anyway. From any thread."""
        writer = self._writer
        return Numbers(
            writer.waiting, len(writer.machines), writer.machines.taken, self._feed.followers, writer.written
        )

    # -- below -----------------------------------------------------------------------------------------------

    def _room(self, principal: Principal) -> Room:
        """How much a principal may own."""
        settings = self._settings
        if principal.id.startswith(MEMBER_PREFIX):
            most = None if principal.unbound else settings.sessions_per_member
            return Room(most, settings.member_bytes)
        return Room(settings.sessions_per_owner)

    def _gone(self, session_id: str) -> None:
        self._writer.diverged.pop(session_id, None)
        self._waits.end(session_id)
        self._feed.end(session_id)
        self._series.forget(session_id)
        self._housekeeping.submit(importing.discard, self._store, session_id)

    async def _do(
        self, kind: Callable[Concatenate[Future[Any], P], Work], *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        """Have the writer do something; what came of it."""
        future, _ = self._awaited(kind, *args, **kwargs)
        return await future

    async def _do_unless_hung_up(
        self, kind: Callable[Concatenate[Future[Any], P], Work], *args: P.args, **kwargs: P.kwargs
    ) -> Any:
        """The same for what may take long: it is dropped once the client has hung up, unless it is done."""
        future, work = self._awaited(kind, *args, **kwargs)
        try:
            return await unless_hung_up(_shielded(future))
        except (Dropped, asyncio.CancelledError):
            work.drop()
            future.cancel()
            raise

    def _awaited(
        self, kind: Callable[Concatenate[Future[Any], P], Work], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Future[Any], Work]:
        if self._stopping:
            raise Busy("the server is stopping")
        if self._writer.waiting >= self._settings.waiting_calls:
            raise Busy("too many calls are waiting")
        future: Future[Any] = self._loop.create_future()
        work = kind(future, *args, **kwargs)
        self._writer.put(work)
        return future, work

    async def _slowly(self, principal: Principal, do: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that may take long, in the principal's turn; nothing once the client has hung up.

        Raises TooMany, and Dropped where the server stops.
        """
        return await unless_hung_up(self._slow.run(principal.id, do, *args, **kwargs))

    async def _state(self, principal: Principal, session_id: str, effective: int) -> State:
        """The state after a call, made once for all requests that need it at the time."""
        while True:
            made = await self._slowly(principal, self._making.state, session_id, effective)
            if not isinstance(made, futures.Future):
                return made
            try:
                return await unless_hung_up(_shielded(made))
            except Dropped:
                if self._stopping or not made.done():
                    raise  # else those for whom it was made have hung up

    async def _read_rows(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run() -> T:
            with self._store.reading() as db:
                return query(db, *args, **kwargs)

        return await self._loop.run_in_executor(self._quick, run)

    async def _settle(self, taken: Sequence[Taken]) -> dict[str, float]:
        """Tell the other servers what was taken of rate limits; what remains of them."""

        def run() -> dict[str, float]:
            with self._store.changing_rows() as db:
                return buckets.settle(db, taken)

        return await self._loop.run_in_executor(self._quick, run)

    def _seen(self, row: SessionRow) -> SessionInfo:
        """A session with what only opening it has shown."""
        return self.with_divergence(SessionInfo.of(row))

    def _explain(self, principal: Principal, session_id: str, seq: int) -> dict[str, Any]:
        """Explain on a machine that is rebuilt beside, so that tracing slows down no other call."""
        with self._store.reading() as db:
            queries.allowed(db, principal, session_id, Right.READ)
            return self._explanations.of(db, session_id, seq)

    def _deliver(self, answers: Sequence[Answer]) -> None:
        """From the writer's thread to the loop, once for a group."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._delivered, answers)

    def _delivered(self, answers: Sequence[Answer]) -> None:
        """Set results, and wake waiting requests, in the order of the journal."""
        for work, result, error in answers:
            if error is None:
                self._committed(work, result)
            future = work.future
            if future is None or future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def _committed(self, work: Work, result: Any) -> None:
        """Wake the requests that wait for something in these rows."""
        begun = work.in_progress if isinstance(work, FinishedWork) else work
        if isinstance(begun, CallWork):
            if self._waits and may_wake(result.body):
                self._waits.saw(begun.session_id, result.outcome)
            if begun.woken is not None and result.outcome["verdict"] == "blocked":
                task = result.outcome["args"]["task"]
                self._waits.add(begun.session_id, Wait(task, result.seq, begun.woken))
        elif isinstance(begun, (RewindWork, FinishedRewind)):
            self._waits.saw(begun.session_id, result.outcome)
        elif isinstance(begun, BatchWork) and self._waits:
            for applied in result:
                if may_wake(applied.body):
                    self._waits.saw(begun.session_id, applied.outcome)

    async def _woken(self, woken: Future[int | None], seconds: float) -> int | None:
        """The seq that woke the task; None when it has not been woken in time."""
        if self._stopping:
            return None
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())
        try:
            return await asyncio.wait_for(asyncio.shield(woken), seconds)
        except TimeoutError:
            return None

    def _sweep(self) -> None:
        self._housekeeping.submit(self._where_trusted, sweep)
        self._housekeeping.submit(self._where_trusted, forget_buckets)
        self._sweeping = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _where_trusted(self, delete: Callable[[Store], None]) -> None:
        """Delete what is too old, where the clock can be believed."""
        try:
            if self._clock.trusted():
                delete(self._store)
        except (Busy, StorageFull) as error:
            log.info("what is too old is kept for now: %s", error)

    async def clock_trusted(self) -> bool:
        """Whether anything may be deleted because of its age. Raises Busy and StorageFull."""
        return await self._loop.run_in_executor(self._quick, self._clock.trusted)

    async def _woken_since(
        self, principal: Principal, session_id: str, blocked: Applied, seconds: float
    ) -> int | None:
        """As `_woken`, for a row that may have been written long ago: what follows it is read."""
        woken: Future[int | None] = self._loop.create_future()
        wait = Wait(blocked.outcome["args"]["task"], blocked.seq, woken)
        until = self._loop.time() + seconds
        while not self._stopping:
            rows = await self.events(principal, session_id, wait.seen, LISTED_AT_ONCE)
            for row in rows:
                if may_wake(row.body):
                    wait.saw(row.outcome)
                if woken.done():
                    return woken.result()
                wait.seen = row.seq
            left = until - self._loop.time()
            if left <= 0:
                break
            if len(rows) < LISTED_AT_ONCE:
                await asyncio.sleep(min(TICK_SECONDS, left))
        return None

    async def _tick(self) -> None:
        """While requests wait, look for rows of other processes."""
        while self._waits and not self._stopping:
            await asyncio.sleep(TICK_SECONDS)
            for session_id, after in self._waits.behind().items():
                try:
                    rows = await self._read_rows(journal.page, session_id, after, LISTED_AT_ONCE)
                except Busy:
                    continue
                for seq, body in rows:
                    if may_wake(body):
                        self._waits.saw(session_id, from_json(body))
                    self._waits.caught_up(session_id, seq)


def may_wake(body: bytes) -> bool:
    """Whether a row is worth decoding for those who wait."""
    return any(sign in body for sign in SIGNS)


def _fulfil(future: Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


async def _shielded(future: futures.Future[T] | Future[T]) -> T:
    """Await work that goes on for other requests when this one is cancelled."""
    return await asyncio.shield(asyncio.wrap_future(future))


def _build(document: Mapping[str, Any]) -> tuple[Machine, State | None]:
    """A machine, and its state where no profile can make it again."""
    machine = opening.build(document)
    return machine, snapshots.encode(machine.state()) if opening.is_whole(document) else None
