"""Machines as they were: rebuilt from the journal, a few of them kept and moved forward.

A page that steps through a history asks for one state after the other, and each is a few calls from the last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from threading import Lock
from typing import Final

from pydantic_core import from_json

from app.collector import gc_paused
from app.machine.calls import Call
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import blocklists, lineage, snapshots
from app.sessions.errors import Conflict, NotFound
from app.sessions.lineage import Stretch
from app.sessions.live import Diverged, Live, difference, journalled
from app.sessions.opening import nearest
from app.sessions.scheduler import Dropped
from app.store import Connection, Store, sessions, states
from app.store.journal import Row
from app.store.sessions import SessionRow
from app.store.states import State

MOST_MACHINES: Final = 8
# Of these one session's: so that one person does not push out the machines of all others.
MOST_OF_ONE_SESSION: Final = 4
STRIDE: Final = 100  # after so many calls it is asked whether to keep the state

log = logging.getLogger(__name__)


class PastMachines:
    """Machines of any moment, for any thread: a machine is taken out while it is used.

    memory: estimated bytes that the kept machines may take; the one that was used last may always stay.
    """

    def __init__(self, store: Store, memory: int) -> None:
        self._store = store
        self._memory = memory
        self._lock = Lock()
        # The least recently used first.
        self._lives: list[Live] = []

    @contextmanager
    def machine(self, db: Connection, session_id: str, at: int | None = None) -> Iterator[Live]:
        """A session's machine as it was at a seq, at its head by default; for looking only.

        Where the journal cannot be followed so far, the last state that agrees with it; `diverged` says so.
        A caller that changes the machine sets its `spoiled`. Raises NotFound.
        """
        row = sessions.get(db, session_id)
        if row is None:
            raise NotFound("session", session_id)
        with gc_paused():
            live = self._moved(db, row, row.seq if at is None else at)
        try:
            yield live
        finally:
            if not live.spoiled:
                self._keep(live)

    @contextmanager
    def before(self, db: Connection, row: Row) -> Iterator[tuple[Machine, Call, Callable[[], Outcome]]]:
        """The machine as it was before a journalled call, the call, and a function that makes it, once.

        row: a call of the kernel, no rewind. No other thread uses the machine; it is kept where the outcome
        is the one that is journalled. Raises Conflict and NotFound.
        """
        with self.machine(db, row.session_id, row.seq - 1) as live:
            if live.diverged is not None:
                raise Conflict(live.diverged)
            live.spoiled = True
            machine, lists = live.machine, blocklists.in_transaction(db, row.session_id)
            call = journalled(row.call, from_json(row.args), machine, lists)
            agrees = False

            def again() -> Outcome:
                nonlocal agrees
                made = machine.apply(call, row.seq)
                live.seq = live.effective = row.seq
                live.work += made.work
                agrees = difference(row, made) is None
                return made

            yield machine, call, again
            live.spoiled = not agrees

    def state(self, db: Connection, session_id: str, at: int) -> State:
        """The state that a session had at a seq, as it can be stored. Raises Conflict and NotFound."""
        row = sessions.get(db, session_id)
        if row is None:
            raise NotFound("session", session_id)
        stored = states.at(db, session_id, lineage.effective(db, row, at))
        if stored is not None:
            return stored
        with self.machine(db, session_id, at) as live:
            if live.diverged is not None:
                raise Conflict(live.diverged)
            return snapshots.encode(live.machine.state())

    def _moved(self, db: Connection, row: SessionRow, at: int) -> Live:
        try:
            return self._reached(db, row, at)
        except Diverged as found:
            log.warning("session %s: %s", row.id, found)
            live = self._reached(db, row, found.seq - 1)
            live.diverged = str(found)
            return live

    def _reached(self, db: Connection, row: SessionRow, at: int) -> Live:
        """The nearest machine or state there is, moved to the seq that was asked for."""
        live, stretches = self._nearest(db, row, at)
        live.diverged = None
        calls = lineage.rows(db, row.id, stretches)
        lists = blocklists.in_transaction(db, row.id)
        try:
            for call in calls:
                live.replay(chain((call,), islice(calls, STRIDE - 1)), lists)
                if snapshots.due(live.work, live.machine.live_blocks):
                    self.store(live)
        except Dropped:
            if not live.spoiled:
                self._keep(live)  # asked again, it goes on from here
            raise
        live.seq, live.committed = at, row.seq
        return live

    def _nearest(self, db: Connection, row: SessionRow, at: int) -> tuple[Live, list[Stretch]]:
        """A machine for this thread alone, and the calls that lead from it to a seq."""
        while True:
            with self._lock:
                here = {live.effective: live for live in self._lives if live.id == row.id}
            live, stretches = nearest(db, row, at, here)
            if here.get(live.effective) is not live or self._take(live):
                return live, stretches

    def _take(self, live: Live) -> bool:
        """Take a machine out; whether it was still there."""
        with self._lock:
            left = [kept for kept in self._lives if kept is not live]
            taken = len(left) < len(self._lives)
            self._lives = left
            return taken

    def store(self, live: Live) -> None:
        """See that the state of a machine is kept; rebuilding those behind it begins there then."""
        live.work = 0
        snapshots.keep(self._store, live.id, live.effective, live.machine.state())

    def _keep(self, live: Live) -> None:
        with self._lock:
            self._lives.append(live)
            own = [kept for kept in self._lives if kept.id == live.id]
            if len(own) > MOST_OF_ONE_SESSION:
                self._lives = [kept for kept in self._lives if kept is not own[0]]
            while len(self._lives) > MOST_MACHINES or (
                len(self._lives) > 1 and sum(kept.memory for kept in self._lives) > self._memory
            ):
                del self._lives[0]
