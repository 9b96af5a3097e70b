"""Checks that the clock can be trusted before anything is deleted because of its age.

A clock that is wrong by a year and a server that was off for a year look the same when the server starts. So
after a jump nothing is deleted until servers have run for a day with that clock, or the operator says that it
is right (`kmemlab clock --trust`). What has expired is refused meanwhile, and counts again when the clock is
set right.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from app.clock import utc, written
from app.store import Connection, Store, clock_row
from app.store.clock_row import ClockRow

# How far the clock may be ahead of the time that was believed last: a weekend without the server.
LARGEST_STEP: Final = timedelta(hours=48)
# Seconds for which servers have to run after a jump until their clock is believed.
PROOF_SECONDS: Final = 24 * 3_600.0

log = logging.getLogger(__name__)


class ClockStatus(NamedTuple):
    """What is known of the clock."""

    now: str
    trusted: str
    # Whether deleting by age waits.
    held: bool
    # Seconds until the clock is believed.
    left: float


class ClockCheck:
    """Compares the clock with the time that the database remembers, and with the monotonic clock."""

    def __init__(
        self, store: Store, wall: Callable[[], datetime] = utc, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._looked: tuple[datetime, float] | None = None
        self._held = False

    def trusted(self) -> bool:
        """Look at the clock; whether what is too old may be deleted. Raises Busy and StorageFull."""
        with self._lock:
            wall, steady = self._wall(), self._steady()
            with self._store.writing() as db:
                before = clock_row.get(db) or ClockRow(written(wall), written(wall), 0.0)
                after = self._judged(before, wall, steady)
                clock_row.put(db, after)
            self._looked = wall, steady
            self._say(after, wall)
            return not self._held

    def _judged(self, row: ClockRow, wall: datetime, steady: float) -> ClockRow:
        """The row after a look."""
        now = written(wall)
        if wall - _read(row.trusted) <= LARGEST_STEP:
            return ClockRow(max(row.trusted, now), now, 0.0)
        ran = row.ran + self._steadily(wall, steady)
        if wall < _read(row.seen) - LARGEST_STEP:  # it is another clock than the one that has run so long
            ran = 0.0
        return ClockRow(now, now, 0.0) if ran >= PROOF_SECONDS else ClockRow(row.trusted, now, ran)

    def _steadily(self, wall: datetime, steady: float) -> float:
        """For how many seconds both clocks have gone together in this process since the last look."""
        if self._looked is None:
            return 0.0
        elapsed = steady - self._looked[1]
        jump = abs(wall - self._looked[0] - timedelta(seconds=elapsed))
        return elapsed if jump <= LARGEST_STEP else 0.0

    def _say(self, row: ClockRow, wall: datetime) -> None:
        held = wall - _read(row.trusted) > LARGEST_STEP
        if held and not self._held:
            log.warning(
                "the clock shows %s, and the latest time known is %s: nothing is deleted because of its "
                "age until servers have run for %d hours, or `kmemlab clock --trust` says that it is right",
                row.seen,
                row.trusted,
                PROOF_SECONDS // 3_600,
            )
        elif self._held and not held:
            log.warning("the clock is believed again: it shows %s", row.seen)
        self._held = held


def status(db: Connection, wall: datetime) -> ClockStatus:
    """Report what is known of the clock; nothing is changed."""
    row = clock_row.get(db) or ClockRow(written(wall), written(wall), 0.0)
    held = wall - _read(row.trusted) > LARGEST_STEP
    return ClockStatus(written(wall), row.trusted, held, PROOF_SECONDS - row.ran if held else 0.0)


def trust_now(db: Connection, wall: datetime) -> None:
    """Trust the clock from now on: the operator says that it is right."""
    clock_row.put(db, ClockRow(written(wall), written(wall), 0.0))


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text)
