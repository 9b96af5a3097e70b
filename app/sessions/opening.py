"""From a session's rows to its machine: the nearest state that is kept, then the calls made after it."""

from __future__ import annotations

import gc
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from app.mm import boot
from app.mm.calls import Named
from app.mm.errors import BadArgument
from app.mm.machine import Machine
from app.sessions import lineage, snapshots
from app.sessions.errors import NotFound
from app.sessions.lineage import Stretch
from app.sessions.live import Diverged, Live, Names
from app.store import Connection, journal, names, sessions, states
from app.store.sessions import SessionRow

log = logging.getLogger(__name__)


def build(document: Mapping[str, Any]) -> Machine:
    """A machine as the API describes one: a profile with overrides, or a dump. Raises BadArgument."""
    if "dump" not in document:
        return boot.boot(document)
    others = [key for key in document if key != "dump"]
    if others:
        raise BadArgument.at(others[0], "a dump says everything itself; give nothing beside it")
    with gc_paused():
        return boot.load(document["dump"])


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
    live.names = names_of(db, session_id)
    return live


def names_of(db: Connection, session_id: str) -> dict[str, Names]:
    """Everyone's names in a session."""
    found = names.of(db, session_id)
    return {
        person: {name: Named.from_json(json.loads(named)) for name, named in theirs.items()}
        for person, theirs in found.items()
    }


def _rebuild(db: Connection, row: SessionRow, at: int) -> Live:
    seq, machine, stretches = _start(db, row, at)
    live = Live(row.id, row.owner, machine, seq, seq, row.seq)
    live.replay(lineage.rows(db, row.id, stretches))
    live.seq = at
    return live


def _start(db: Connection, row: SessionRow, at: int) -> tuple[int, Machine, list[Stretch]]:
    """The nearest state that can be read, or the one from which the session started; and the way from there."""
    known = states.places(db, row.id)
    while True:
        seq, stretches = lineage.route(db, row, at, known)
        state = states.at(db, row.id, seq)
        if state is not None:
            try:
                return seq, snapshots.decode(state), stretches
            except ValueError as error:  # BadArgument is one: a state that this engine cannot read
                if seq == row.start:
                    raise
                log.warning("session %s: %s; replaying from an earlier state", row.id, error)
        if seq == row.start:
            break
        known.remove(seq)
    if row.boot is None:
        raise LookupError(f"session {row.id}: the state it started from is gone")
    return row.start, boot.boot(json.loads(row.boot)), stretches


_pausing = threading.Lock()
_pauses = 0


@contextmanager
def gc_paused() -> Iterator[None]:
    """No garbage collection while many lasting objects are made: it would look at each of them many times."""
    global _pauses  # noqa: PLW0603 - there is one collector for the process
    with _pausing:
        _pauses += 1
        gc.disable()
    try:
        yield
    finally:
        with _pausing:
            _pauses -= 1
            if not _pauses:
                gc.enable()
