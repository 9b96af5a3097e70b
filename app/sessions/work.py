"""What the writer is asked to do, piece by piece."""

from __future__ import annotations

import json
from asyncio import Future
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from app.mm.calls import Named
from app.mm.machine import Machine
from app.sessions.access import Principal, Right, require
from app.sessions.answers import Applied, BatchItem
from app.sessions.batches import Progress
from app.sessions.live import Change, Live
from app.store import Connection, journal, names
from app.store.journal import Row

# A longer batch is made in slices, between which others have their turn.
SLICE: Final = 200


@dataclass(slots=True)
class Turn:
    """What one transaction of the writer has come to."""

    db: Connection
    rows: list[Row] = field(default_factory=list)
    names: dict[tuple[str, str], dict[str, str | None]] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)

    def add(self, change: Change) -> None:
        """A row to be written."""
        self.rows.append(change.row)
        self.written.add(change.row.session_id)

    def bind(self, session_id: str, person: str, name: str, named: Named | None) -> None:
        """A name to be written, or to be forgotten."""
        value = None if named is None else json.dumps(named.as_json())
        self.names.setdefault((session_id, person), {})[name] = value

    def flush(self) -> None:
        """Write what there is, in the order in which it came about."""
        if self.rows:
            journal.append(self.db, self.rows)
        for (session_id, person), changes in self.names.items():
            names.put(self.db, session_id, person, changes)
        self.rows, self.names = [], {}


@dataclass(slots=True, eq=False)
class Call:
    """One call on a machine."""

    future: Future[Applied]
    session_id: str
    principal: Principal
    name: str
    body: Mapping[str, Any]
    counters: bool = False
    woken: Future[int | None] | None = None
    writes: Final = True

    def do(self, turn: Turn, live: Live) -> Applied:
        """Make it. Raises what `Live.parse` and `Live.apply` raise, NotFound and Forbidden."""
        require(turn.db, self.principal, Right.CALL, live.id, live.owner)
        known = live.names_of(self.principal.id)
        change = live.apply(live.parse(self.name, self.body, known), known, self.principal.by)
        turn.add(change)
        if self.counters:
            return change.applied.with_("counters", live.machine.counters())
        return change.applied


@dataclass(slots=True, eq=False)
class Batch:
    """Calls on a machine of which all are made or none."""

    future: Future[list[Applied]]
    session_id: str
    principal: Principal
    items: Sequence[BatchItem]
    most_names: int
    counters: bool = False
    retries: int = 0
    writes: Final = True

    def do(self, turn: Turn, live: Live) -> list[Applied] | Progress:
        """Make it at once; a long one is only begun. Raises as a call does, with places."""
        require(turn.db, self.principal, Right.CALL, live.id, live.owner)
        progress = Progress(live, self.items, self.principal, self.most_names, counters=self.counters)
        if len(self.items) > SLICE:
            return progress
        while not progress.done:
            progress.step(SLICE)
        return write(turn, progress)


@dataclass(slots=True, eq=False)
class Made:
    """A long batch whose calls have been made; only its rows are to be written."""

    batch: Batch
    progress: Progress
    writes: Final = True

    @property
    def session_id(self) -> str:
        return self.batch.session_id

    @property
    def future(self) -> Future[list[Applied]]:
        return self.batch.future

    def do(self, turn: Turn, live: Live) -> list[Applied]:
        """Write the rows. Raises NotFound and Forbidden."""
        require(turn.db, self.batch.principal, Right.CALL, live.id, live.owner)
        return write(turn, self.progress)


def write(turn: Turn, progress: Progress) -> list[Applied]:
    """Put what a batch has come to into a turn."""
    live, person = progress.live, progress.principal.id
    for change in progress.changes:
        turn.add(change)
    for name, named in progress.named.items():
        turn.bind(live.id, person, name, named)
    live.names[person] = progress.names
    return progress.answers


@dataclass(slots=True, eq=False)
class Read:
    """A short look at a machine."""

    future: Future[Any]
    session_id: str
    principal: Principal
    look: Callable[[Machine], Any]
    writes: Final = False

    def do(self, turn: Turn, live: Live) -> Any:
        """Look."""
        require(turn.db, self.principal, Right.READ, live.id, live.owner)
        return self.look(live.machine)


@dataclass(slots=True, eq=False)
class Statement:
    """Rows to be written beside the calls.

    session_id: the session that is gone afterwards, if any. adopt: a machine to be held open afterwards.
    """

    future: Future[Any] | None
    execute: Callable[[Connection], Any]
    session_id: str | None = None
    adopt: Live | None = None
    writes: Final = True


OnMachine = Call | Batch | Made | Read
Work = OnMachine | Statement
