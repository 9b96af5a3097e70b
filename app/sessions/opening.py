"""From a session's rows to its machine: the nearest state that is kept, then the calls made after it."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from app.collector import gc_paused
from app.machine import boot
from app.machine.machine import Machine
from app.sessions import blocklists, everyones_names, lineage, snapshots
from app.sessions.errors import NotFound
from app.sessions.lineage import Stretch
from app.sessions.live import Diverged, Live
from app.store import Connection, sessions, states
from app.store.sessions import SessionRow

log = logging.getLogger(__name__)


def build(document: Mapping[str, Any], *, kept: bool = False) -> Machine:
    """A machine as the API describes one: a profile with overrides, a dump, /proc texts. Raises BadArgument.

    kept: it is that of a session that began earlier.
    """
    if not is_whole(document):
        return boot.boot(document, kept=kept)
    with gc_paused():
        return boot.boot(document, kept=kept)


def is_whole(document: Mapping[str, Any]) -> bool:
    """Whether a document describes a machine frame by frame, so that its state is kept and it takes long."""
    return any(key in document for key in boot.WHOLE)


def reopen(db: Connection, session_id: str, at: int | None = None) -> Live:
    """A session's machine as it was at a seq, at its head by default, with everyone's names. Raises NotFound.

    Where the journal cannot be followed so far, the last state that agrees with it; `diverged` says so.
    """
    row = sessions.get(db, session_id)
    if row is None:
        raise NotFound("session", session_id)
    to = row.seq if at is None else at
    with gc_paused():
        try:
            live = _rebuild(db, row, to)
        except Diverged as found:
            log.warning("session %s: %s", session_id, found)
            live = _rebuild(db, row, found.seq - 1)
            live.diverged = str(found)
    live.names = everyones_names.read(db, session_id)
    return live


def _rebuild(db: Connection, row: SessionRow, at: int) -> Live:
    live, stretches = nearest(db, row, at)
    live.replay(lineage.rows(db, row.id, stretches), blocklists.in_transaction(db, row.id))
    live.seq = at
    return live


def nearest(
    db: Connection, row: SessionRow, at: int, here: Mapping[int, Live] = MappingProxyType({})
) -> tuple[Live, list[Stretch]]:
    """The machine from which the fewest calls lead to the state at a seq, and those calls.

    It is one of those given by their effective seqs, or made from a state that is kept, or from the start.
    """
    known = sorted({*states.seqs_of(db, row.id), *here})
    while True:
        seq, stretches = lineage.route(db, row, at, known)
        if seq in here:
            return here[seq], stretches
        machine = _machine(db, row, seq)
        if machine is not None:
            live = Live(row.id, row.owner, machine, seq, seq, row.seq, size=row.bytes, engine=row.engine)
            return live, stretches
        known.remove(seq)


def _machine(db: Connection, row: SessionRow, seq: int) -> Machine | None:
    """The machine of a kept state or of the session's start; None for a state that cannot be read."""
    state = states.at(db, row.id, seq)
    if state is not None:
        try:
            return snapshots.decode(state)
        except ValueError as error:  # BadArgument is one: a state that this engine cannot read
            if seq == row.start:
                raise
            log.warning("session %s: %s; replaying from an earlier state", row.id, error)
            return None
    if row.boot is None:
        raise LookupError(f"session {row.id}: the state it started from is gone")
    return boot.boot(json.loads(row.boot), kept=True)
