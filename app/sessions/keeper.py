"""Keeps states, so that opening a session need not replay it from its start. Losing one loses only time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from typing import Any, Final

from app.mm.machine import Machine
from app.sessions import snapshots
from app.sessions.live import Live
from app.sessions.opening import reopen
from app.store import Store, sessions, states

# A machine with no more live blocks is dumped where it is, in a few milliseconds; replaying its last thousand
# calls on another thread takes ten times as long, and takes it from the same interpreter.
SMALL: Final = 2_000
# When the server stops there is no time for more.
AT_STOP: Final = 0.8
BLOCKS_AT_STOP: Final = 50_000

log = logging.getLogger(__name__)


class Keeper:
    """Works on the background thread, on dumps and on machines that are nobody else's."""

    def __init__(self, store: Store, background: Executor) -> None:
        self._store = store
        self._background = background

    def keep_if_due(self, live: Live) -> None:
        """See that the present state of an open machine is kept, when replaying would take long by now."""
        if live.diverged is None and snapshots.due(live.since, live.machine.live_blocks):
            live.since = 0
            if live.machine.live_blocks <= SMALL:
                self._background.submit(self._keep, live.id, live.seq, live.machine.dump())
            else:
                self._background.submit(self._keep_at, live.id, live.seq)

    def keep_closed(self, live: Live) -> None:
        """Keep the state of a machine that has just been closed, and that is now the keeper's."""
        if live.diverged is None and snapshots.worth(live.since):
            self._background.submit(self._keep_machine, live.id, live.seq, live.machine)

    def keep_all(self, lives: Iterable[Live]) -> None:
        """At the end, at once: keep what is worth it while there is time."""
        until = time.monotonic() + AT_STOP
        for live in lives:
            if time.monotonic() > until:
                return
            if (
                live.diverged is None
                and snapshots.worth(live.since)
                and live.machine.live_blocks < BLOCKS_AT_STOP
            ):
                self._keep_machine(live.id, live.seq, live.machine)

    def _keep_at(self, session_id: str, seq: int) -> None:
        """The open machine is the writer's and moves on, so this is another one of the same session."""
        try:
            with self._store.reading() as db:
                live = reopen(db, session_id, seq)
        except Exception:
            log.exception("session %s: no machine to keep at seq %d", session_id, seq)
            return
        if live.diverged is None:
            self._keep_machine(session_id, seq, live.machine)

    def _keep_machine(self, session_id: str, seq: int, machine: Machine) -> None:
        try:
            document = machine.dump()
        except Exception:
            log.exception("session %s: its machine at seq %d cannot be dumped", session_id, seq)
        else:
            self._keep(session_id, seq, document)

    def _keep(self, session_id: str, seq: int, document: Mapping[str, Any]) -> None:
        try:
            state = snapshots.encode(document)
            with self._store.writing() as db:
                if sessions.get(db, session_id) is not None:
                    states.put(db, session_id, seq, state)
        except Exception:
            log.exception("session %s: its state at seq %d is not kept", session_id, seq)
