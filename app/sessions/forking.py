"""Sessions that go on from a state of another one.

Most begin with a state that is kept, or with the description that the other session was booted from: such a
fork is a few rows. Otherwise the state is made first, once for all requests that need it at the time.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Final, NamedTuple

from app.errors import BadArgument
from app.sessions import blocklists, lineage, queries
from app.sessions.access import Principal, Right
from app.sessions.answers import SessionInfo
from app.sessions.errors import Conflict
from app.sessions.past_machines import PastMachines
from app.sessions.preconditions import Preconditions
from app.store import Connection, Store, states
from app.store import bound_names as kept
from app.store.sessions import SessionRow
from app.store.states import State

# With a state so few rows before it, a fork leaves none in its origin: else forks of every row, deleted
# again, would leave a state for each.
NEAR: Final = 500


class Branch(NamedTuple):
    """Where a fork begins."""

    origin: SessionRow
    at: int
    # The call of the origin that made the state, or the origin's start.
    effective: int
    # What the origin was booted from, where it begins there.
    boot: str | None
    # Whether the state there is kept.
    kept: bool
    # The state, where it has just been made.
    state: State | None = None

    @property
    def ready(self) -> bool:
        """Whether nothing has to be made for it."""
        return self.boot is not None or self.kept or self.state is not None


def find(db: Connection, principal: Principal, session_id: str, at: int | None) -> Branch:
    """Where a fork begins, and whether its state is there. Raises NotFound, and BadArgument at `at`."""
    row = queries.allowed(db, principal, session_id, Right.READ)
    if at is None:
        at = row.seq
    if not row.start <= at <= row.seq:
        raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
    effective = lineage.effective(db, row, at)
    if effective == row.start and row.boot is not None:
        return Branch(row, at, effective, row.boot, kept=False)
    return Branch(row, at, effective, None, kept=states.has(db, session_id, effective, effective))


class Making:
    """Makes states for forks, each once at a time (single flight). For any thread."""

    def __init__(self, store: Store, past: PastMachines) -> None:
        self._store = store
        self._past = past
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int], Future[State]] = {}

    def state(self, session_id: str, effective: int) -> State | Future[State]:
        """The state after a call; where another thread is making it, what will come of that.

        Raises Conflict where the session cannot be followed so far, NotFound, and Dropped.
        """
        key = session_id, effective
        with self._lock:
            others = self._under_way.get(key)
            if others is not None:
                return others
            mine = self._under_way[key] = Future[State]()
        try:
            with self._store.reading() as db:
                state = self._past.state(db, session_id, effective)
        except BaseException as error:
            self._end(key)
            mine.set_exception(error)
            raise
        self._end(key)
        mine.set_result(state)
        return state

    def _end(self, key: tuple[str, int]) -> None:
        with self._lock:
            del self._under_way[key]


def insert(
    db: Connection,
    row: SessionRow,
    branch: Branch,
    reader: Principal,
    names: Mapping[str, str] | None,
    room: queries.Room,
    also: queries.Also | None,
    preconditions: Preconditions | None,
) -> SessionInfo:
    """Write a fork, with the names that its owner has in the origin, or with others.

    Raises NotFound, LimitReached, Conflict and Stale.
    """
    origin = branch.origin.id
    queries.held(db, reader, origin, Right.READ, preconditions)
    last = branch.effective
    if branch.state is not None and not states.has(db, origin, last - NEAR, last):
        states.put(db, origin, last, branch.state)  # the next fork of it finds it there
    info = queries.insert(db, row, branch.state, room, also)
    if branch.kept and not states.share(db, origin, branch.effective, row.id, row.start):
        raise Conflict("the state that the session would begin with was removed meanwhile: try again")
    theirs = kept.copy(db, origin, row.id, row.owner) if names is None else names
    if theirs:
        kept.put(db, row.id, row.owner, dict(blocklists.carry_names(db, row.id, theirs)))
    return info
