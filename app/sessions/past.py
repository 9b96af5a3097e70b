"""Machines as they were: rebuilt from the journal, a few of them kept and moved forward.

Who steps through a history asks for one state after the other, and the next is a few calls from the last.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final

from app.collector import gc_paused
from app.sessions import lineage, snapshots
from app.sessions.errors import Conflict, NotFound
from app.sessions.live import Diverged, Live
from app.sessions.opening import nearest
from app.store import Connection, Store, sessions, states
from app.store.sessions import SessionRow
from app.store.states import State

MOST: Final = 8
STRIDE: Final = 100  # after so many calls it is asked whether to keep the state

log = logging.getLogger(__name__)


class Past:
    """Machines of any moment. Used by one thread, the background's.

    memory: estimated bytes that the kept machines may take; the one that was used last may always stay.
    """

    def __init__(self, store: Store, memory: int) -> None:
        self._store = store
        self._memory = memory
        # The least recently used first.
        self._lives: list[Live] = []

    @contextmanager
    def machine(self, db: Connection, session_id: str, at: int | None = None) -> Iterator[Live]:
        """A session's machine as it was at a seq, at its head by default; for looking only.

        Where the journal cannot be followed so far, the last state that agrees with it; `diverged` says so.
        Whoever changes the machine says so in `spoiled`. Raises NotFound.
        """
        row = sessions.get(db, session_id)
        if row is None:
            raise NotFound("session", session_id)
        with gc_paused():
            live = self._moved(db, row, row.seq if at is None else at)
        yield live
        if not live.spoiled:
            self._keep(live)

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
        here = {live.effective: live for live in self._lives if live.id == row.id}
        live, stretches = nearest(db, row, at, here)
        if live.effective in here:
            self._lives.remove(live)
        live.diverged = None
        calls = lineage.rows(db, row.id, stretches)
        while some := list(islice(calls, STRIDE)):
            live.replay(some)
            if snapshots.due(live.since, live.machine.live_blocks):
                self.store(live)
        live.seq, live.committed = at, row.seq
        return live

    def store(self, live: Live) -> None:
        """See that the state of a machine is kept; rebuilding those behind it begins there then."""
        live.since = 0
        snapshots.keep(self._store, live.id, live.effective, live.machine.state())

    def _keep(self, live: Live) -> None:
        self._lives.append(live)
        while len(self._lives) > MOST or (
            len(self._lives) > 1 and sum(kept.memory for kept in self._lives) > self._memory
        ):
            del self._lives[0]
