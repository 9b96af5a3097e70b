"""States of machines, and which session has which at which seq."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update

from app.store.tables import sessions, snapshots, states


class State(NamedTuple):
    """A machine's state."""

    # Of the canonical JSON.
    sha256: str
    # Of that JSON.
    size: int
    # The same, compressed.
    body: bytes


_NEAREST: Final = (
    select(snapshots.c.seq, states.c.sha256, states.c.size, states.c.body)
    .join_from(snapshots, states, snapshots.c.sha256 == states.c.sha256)
    .where(snapshots.c.session_id == bindparam("of"), snapshots.c.seq <= bindparam("at"))
    .order_by(snapshots.c.seq.desc())
)


def put(db: Connection, session_id: str, seq: int, state: State, *, keep: bool = False) -> int:
    """Note that a session has this state at this seq, and store it where no session has it yet.

    keep: whether the session cannot do without it. A session that has a state there keeps that one. Returns
    how many bytes had to be stored.
    """
    stored = 0
    if not db.execute(select(exists().where(states.c.sha256 == state.sha256))).scalar():
        db.execute(insert(states), state._asdict())
        stored = len(state.body)
    there = exists().where(snapshots.c.session_id == session_id, snapshots.c.seq == seq)
    if not db.execute(select(there)).scalar():
        row = {"session_id": session_id, "seq": seq, "sha256": state.sha256, "keep": keep}
        db.execute(insert(snapshots), row)
    return stored


def share(db: Connection, origin: str, at: int, session_id: str, seq: int) -> bool:
    """Have a session begin with the state that another has at exactly a seq; whether there is one.

    It is not read, so this takes as long for a large state as for a small one. Its bytes count for both,
    since either may be deleted.
    """
    query = (
        select(states.c.sha256, func.length(states.c.body))
        .join_from(snapshots, states, snapshots.c.sha256 == states.c.sha256)
        .where(snapshots.c.session_id == origin, snapshots.c.seq == at)
    )
    found = db.execute(query).first()
    if found is None:
        return False
    sha256, size = found
    row = {"session_id": session_id, "seq": seq, "sha256": sha256, "keep": True}
    db.execute(insert(snapshots), row)
    db.execute(update(sessions).where(sessions.c.id == session_id).values(bytes=sessions.c.bytes + size))
    return True


def has(db: Connection, session_id: str, first: int, last: int) -> bool:
    """Whether a session has a state at one of these seqs."""
    query = select(snapshots.c.seq).where(
        snapshots.c.session_id == session_id, snapshots.c.seq.between(first, last)
    )
    return db.execute(query.limit(1)).scalar() is not None


def nearest(db: Connection, session_id: str, at: int) -> Iterator[tuple[int, State]]:
    """States of a session at or before a seq, the nearest first, read one by one."""
    with db.execute(_NEAREST, {"of": session_id, "at": at}, execution_options={"yield_per": 1}) as rows:
        for seq, *state in rows:
            yield seq, State(*state)


def pin(db: Connection, session_id: str) -> None:
    """Say that a session cannot do without any of the states that it has."""
    db.execute(update(snapshots).where(snapshots.c.session_id == session_id).values(keep=True))


def of(db: Connection, session_id: str) -> list[str]:
    """The hashes of a session's states."""
    query = select(snapshots.c.sha256).where(snapshots.c.session_id == session_id).distinct()
    return list(db.execute(query).scalars())


def forget(db: Connection, hashes: Collection[str]) -> None:
    """Delete those of the given states that no session has."""
    for sha256 in hashes:
        unused = ~exists().where(snapshots.c.sha256 == sha256)
        db.execute(delete(states).where(states.c.sha256 == sha256, unused))


def at(db: Connection, session_id: str, seq: int) -> State | None:
    """The state that a session has at exactly this seq; None where none is kept."""
    found = next(nearest(db, session_id, seq), None)
    return None if found is None or found[0] != seq else found[1]


def seqs_of(db: Connection, session_id: str) -> list[int]:
    """The seqs at which a session has states, in order."""
    query = select(snapshots.c.seq).where(snapshots.c.session_id == session_id).order_by(snapshots.c.seq)
    return list(db.execute(query).scalars())
