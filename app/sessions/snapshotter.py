"""Stores snapshots of machines, so that opening a session replays few rows. Losing one loses only time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from typing import Final

from app.machine.machine import ENGINE, Machine
from app.sessions import snapshots
from app.sessions.live import Live
from app.sessions.past_machines import PastMachines
from app.sessions.scheduler import Dropped
from app.store import Store, states
from app.store.states import State

# The state of a machine with no more live blocks is taken where it is, for which others wait 30 ms at most;
# replaying its last calls on another thread takes eight times as long, of the same interpreter.
SMALL_BLOCKS: Final = 100_000
# When the server stops there is no time for more.
SECONDS_AT_STOP: Final = 0.8
BLOCKS_AT_STOP: Final = 50_000

log = logging.getLogger(__name__)


class Snapshotter:
    """Works on the background thread, on dumps and on machines that are nobody else's."""

    def __init__(self, store: Store, background: Executor, past: PastMachines) -> None:
        self._store = store
        self._background = background
        self._past = past

    def snapshot_if_due(self, live: Live) -> None:
        """See that the present state of an open machine is kept, when replaying would take long by now."""
        blocks = live.machine.live_blocks
        if live.diverged is not None or not snapshots.due(live.work, blocks):
            return
        # A long batch passes by states that are due, too. They are stored when another request passes by
        # them.
        at_once = blocks <= SMALL_BLOCKS and not snapshots.due(live.work // 2, blocks)
        live.work = 0
        if at_once:
            self._background.submit(
                snapshots.keep, self._store, live.id, live.effective, live.machine.state()
            )
        else:
            self._background.submit(self._keep_at, live.id, live.effective)

    def snapshot_closed(self, live: Live) -> None:
        """Keep the state of a machine that has just been closed, and that is now the keeper's."""
        if live.diverged is None and snapshots.worth(live.work):
            self._background.submit(self._keep_machine, live.id, live.effective, live.machine)

    def keep(self, session_id: str, made: Sequence[tuple[int, State]]) -> None:
        """Keep states that were taken while heavy calls were made, now that their rows are committed."""
        if made:
            self._background.submit(self._put, session_id, made)

    def snapshot_all(self, lives: Iterable[Live]) -> None:
        """At the end, at once: keep what is worth it while there is time."""
        until = time.monotonic() + SECONDS_AT_STOP
        for live in lives:
            if time.monotonic() > until:
                return
            if (
                live.diverged is None
                and not live.spoiled
                and snapshots.worth(live.work)
                and live.machine.live_blocks < BLOCKS_AT_STOP
            ):
                self._keep_machine(live.id, live.effective, live.machine)

    def pin(self, live: Live) -> None:
        """States of an older engine's session are kept for good: this one might not come by them again."""
        if live.engine < ENGINE:
            self._background.submit(self._pin, live.id)

    def _keep_at(self, session_id: str, seq: int) -> None:
        """The open machine is the writer's and moves on, so this is another one of the same session."""
        try:
            with self._store.reading() as db, self._past.machine(db, session_id, seq) as live:
                if live.diverged is None and snapshots.worth(live.work):
                    self._past.store(live)
        except Dropped:
            return
        except Exception:
            log.exception("session %s: no machine to keep at seq %d", session_id, seq)

    def _keep_machine(self, session_id: str, seq: int, machine: Machine) -> None:
        try:
            document = machine.state()
        except Exception:
            log.exception("session %s: its machine at seq %d cannot be dumped", session_id, seq)
        else:
            snapshots.keep(self._store, session_id, seq, document)

    def _put(self, session_id: str, made: Sequence[tuple[int, State]]) -> None:
        try:
            for seq, state in made:
                snapshots.put(self._store, session_id, seq, state)
        except Exception:
            log.exception("session %s: its states are not kept", session_id)

    def _pin(self, session_id: str) -> None:
        try:
            with self._store.writing() as db:
                states.pin(db, session_id)
        except Exception:
            log.exception("session %s: its states are not kept for good", session_id)
