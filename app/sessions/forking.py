"""Sessions that go on from a state of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from app.mm.errors import BadArgument
from app.sessions import blocklists, lineage, queries
from app.sessions.access import Principal, Right
from app.sessions.answers import SessionInfo
from app.sessions.past import Past
from app.sessions.terms import Terms
from app.store import Connection, Store, states
from app.store import names as kept
from app.store.sessions import SessionRow
from app.store.states import State


class Branch(NamedTuple):
    """Where a fork begins. effective: the call of the origin that made the state, or the origin's start.

    state: None where the origin begins there with what `boot` says.
    """

    origin: SessionRow
    at: int
    effective: int
    state: State | None
    boot: str | None


def prepare(store: Store, past: Past, principal: Principal, session_id: str, at: int | None) -> Branch:
    """Find or make the state of a fork, on the background's thread.

    Raises NotFound, BadArgument at `at`, and Conflict where the session cannot be followed so far.
    """
    with store.reading() as db:
        row = queries.allowed(db, principal, session_id, Right.READ)
        if at is None:
            at = row.seq
        if not row.start <= at <= row.seq:
            raise BadArgument.at("at", f"a seq from {row.start} to {row.seq}")
        effective = lineage.effective(db, row, at)
        if effective == row.start and row.boot is not None:
            return Branch(row, at, effective, None, row.boot)
        return Branch(row, at, effective, past.state(db, session_id, at), None)


def insert(
    db: Connection,
    row: SessionRow,
    branch: Branch,
    reader: Principal,
    names: Mapping[str, str] | None,
    most: int,
    terms: Terms | None,
) -> SessionInfo:
    """Write a fork, with the names that its owner has in the origin, or with others.

    Raises NotFound, LimitReached, Conflict and Stale.
    """
    origin = branch.origin.id
    queries.held(db, reader, origin, Right.READ, terms)
    if branch.state is not None:
        states.put(db, origin, branch.effective, branch.state)  # the next fork of it finds it there
    info = queries.insert(db, row, branch.state, most)
    theirs = kept.of(db, origin).get(row.owner) if names is None else names
    if theirs:
        kept.put(db, row.id, row.owner, dict(blocklists.carry_names(db, row.id, theirs)))
    return info
