"""Calls that are made on a copy of a machine, to see what they would do. Nothing of it is journalled."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from app.collector import gc_paused
from app.errors import BadArgument
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import blocklists, opening
from app.sessions.access import Principal
from app.sessions.answers import BatchItem
from app.sessions.batches import RunningBatch
from app.sessions.errors import Conflict
from app.sessions.live import CallResult, Live
from app.sessions.past_machines import PastMachines
from app.store import Connection, Store, sessions

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tried:
    """A call that was made on a copy."""

    outcome: Outcome
    # As its row would have it.
    row: Mapping[str, Any]


# What is made of calls that were tried: of the machine before the last one, of them, of the machine behind.
Look: TypeAlias = "Callable[[Machine, Sequence[Tried], Machine], T]"


def made(
    db: Connection,
    store: Store,
    past: PastMachines,
    principal: Principal,
    session_id: str,
    at: int,
    items: Sequence[BatchItem],
    look: Look[T],
    most_names: int,
) -> T:
    """As `Sessions.trial`, for a session that the principal may read.

    Names mean what they mean at the session's head.
    """
    row = sessions.get(db, session_id)
    if row is not None and not row.start <= at <= row.seq:
        raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
    trial = run(db, store, principal, session_id, at, items, most_names)
    tried = [Tried(outcome, one.outcome) for outcome, one in zip(trial.outcomes, trial.made, strict=True)]
    if len(items) > 1:
        before = run(db, store, principal, session_id, at, items[:-1], most_names)
        with gc_paused():
            return look(before.live.machine, tried, trial.live.machine)
    with past.machine(db, session_id, at) as live, gc_paused():
        return look(live.machine, tried, trial.live.machine)


def run(
    db: Connection,
    store: Store,
    principal: Principal,
    session_id: str,
    at: int,
    items: Sequence[BatchItem],
    most_names: int,
) -> Trial:
    """Make calls on a copy. Raises as a batch does."""
    copy = opening.reopen(db, session_id, at)
    if copy.diverged is not None:
        raise Conflict(copy.diverged)
    copy.lists = blocklists.of_session(store, session_id, copy.unwritten)
    trial = Trial(copy, items, principal, most_names)
    while not trial.done:
        if trial.heavy:
            trial.step_heavy()
        else:
            trial.step(len(items), time.perf_counter() + 1.0)
    return trial


class Trial(RunningBatch):
    """A batch that keeps what the machine has said."""

    def __init__(self, live: Live, items: Sequence[BatchItem], principal: Principal, most_names: int) -> None:
        super().__init__(live, items, principal, most_names)
        self.outcomes: list[Outcome] = []

    def _take(self, place: int, change: CallResult) -> None:
        super()._take(place, change)
        self.outcomes.append(change.made)
