"""Machines as states that can be kept: when, and how. Never pickle, which would run what it reads."""

from __future__ import annotations

import hashlib
import logging
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import from_json, to_json

from app.machine import boot
from app.machine.machine import Machine
from app.store import Store, sessions, states
from app.store.states import State

log = logging.getLogger(__name__)

# Work (`Outcome.work`), so about microseconds.
LEAST_ROWS: Final = 40_000
ROWS_WORTH: Final = 1_000


def due(work: int, live_blocks: int) -> bool:
    """Whether a machine should be kept now. work: of the calls behind the last state.

    Replaying costs by what was done, keeping and loading a state by the block: less than a microsecond each.
    So the calls behind the last state take about as long as that state itself, and keeping it is a small part
    of what they took; with few blocks there are still the free lists of a large machine, and writing it to
    the database.
    """
    return work >= max(LEAST_ROWS, live_blocks)


def worth(work: int) -> bool:
    """Whether to keep a machine before it is closed; less work is done faster than a state is read."""
    return work >= ROWS_WORTH


def keep(store: Store, session_id: str, seq: int, state: Mapping[str, Any]) -> None:
    """Keep a machine's state. Where that fails, only time is lost: it is rebuilt from an earlier one."""
    try:
        put(store, session_id, seq, encode(state))
    except Exception:
        log.exception("session %s: its state at seq %d is not kept", session_id, seq)


def put(store: Store, session_id: str, seq: int, state: State) -> None:
    """Store a state of a session that is still there."""
    with store.writing() as db:
        if sessions.get(db, session_id) is not None:
            sessions.grow(db, session_id, states.put(db, session_id, seq, state))


def encode(state: Mapping[str, Any]) -> State:
    """What `Machine.state` gave in canonical JSON (equal dumps give equal bytes), compressed."""
    text = b"{%b}" % b",".join(_members(state))
    return State(hashlib.sha256(text).hexdigest(), len(text), zlib.compress(text, level=1))


def _members(document: Mapping[str, Any]) -> Iterator[bytes]:
    """The members of an object in order, each written by itself.

    The encoder lets no other thread run while it writes, so a machine of a million blocks is not written in
    one piece.
    """
    for key in sorted(document):
        value = document[key]
        if isinstance(value, Mapping):
            yield b"%b:{%b}" % (to_json(key), b",".join(_members(value)))
        else:
            yield b"%b:%b" % (to_json(key), to_json(_ordered(value)))


def _ordered(value: Any) -> Any:
    """A value with the members of its objects in order, but for those within lists of lists.

    Parts write the latter in one order. The encoder knows no order, and is five times as fast as one that
    does.
    """
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return [_ordered(one) for one in value]
    return value


def decode(state: State) -> Machine:
    """The machine of a state. Raises ValueError where the state is not what it was."""
    try:
        text = zlib.decompress(state.body)
    except zlib.error as error:
        raise ValueError(f"state {state.sha256}: {error}") from error
    if hashlib.sha256(text).hexdigest() != state.sha256:
        raise ValueError(f"state {state.sha256}: its contents have another hash")
    document: dict[str, Any] = from_json(text)
    return boot.restore(document)
