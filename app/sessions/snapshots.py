"""Machines as states that can be kept: when, and how. Never pickle, which would run what it reads."""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Mapping
from typing import Any, Final

from app.mm import boot
from app.mm.machine import Machine
from app.store import Store, sessions, states
from app.store.states import State

log = logging.getLogger(__name__)

LEAST: Final = 4_000
WORTH: Final = 100


def due(since: int, live_blocks: int) -> bool:
    """Whether a machine should be kept now: replaying costs by the row, keeping and loading by the block.

    Measured, a row replayed takes as long as keeping and loading seven blocks. So the calls behind the last
    state take at most about as long as that state itself, and keeping it is a small part of what they took;
    with few blocks there are still the free lists of a large machine, as much as some hundred calls.
    """
    return since >= max(LEAST, live_blocks // 20)


def worth(since: int) -> bool:
    """Whether to keep a machine before it is closed; fewer rows are replayed faster than a state is read."""
    return since >= WORTH


def keep(store: Store, session_id: str, seq: int, state: Mapping[str, Any]) -> None:
    """Keep a machine's state. Where that fails, only time is lost: it is rebuilt from an earlier one."""
    try:
        encoded = encode(state)
        with store.writing() as db:
            if sessions.get(db, session_id) is not None:
                states.put(db, session_id, seq, encoded)
    except Exception:
        log.exception("session %s: its state at seq %d is not kept", session_id, seq)


def encode(state: Mapping[str, Any]) -> State:
    """What `Machine.state` gave in canonical JSON (equal dumps give equal bytes), compressed."""
    text = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
    return State(hashlib.sha256(text).hexdigest(), len(text), zlib.compress(text, level=1))


def decode(state: State) -> Machine:
    """The machine of a state. Raises ValueError where the state is not what it was."""
    try:
        text = zlib.decompress(state.body)
    except zlib.error as error:
        raise ValueError(f"state {state.sha256}: {error}") from error
    if hashlib.sha256(text).hexdigest() != state.sha256:
        raise ValueError(f"state {state.sha256}: its contents have another hash")
    document: dict[str, Any] = json.loads(text)
    return boot.restore(document)
