"""Reads and writes of sessions' rows beside the calls; each within one transaction of its caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from app.clock import now
from app.machine.calls import Named
from app.sessions.access import CLOSED, LOCKED, WHY_HELD, Principal, Right, require
from app.sessions.answers import SessionInfo
from app.sessions.errors import Conflict, LimitReached, NotFound
from app.sessions.preconditions import Preconditions, require_seq
from app.store import Connection, audit, imports, journal, labs, people, sessions, states
from app.store import bound_names as stored_names
from app.store.sessions import SessionRow
from app.store.states import State

LONGEST_VALUE: Final = 4_096  # characters of what a name stands for, where names are listed
# Bytes of a session that are deleted at once.
DISCARDED_AT_ONCE: Final = 1 << 20


class Event(NamedTuple):
    """A row of the journal."""

    seq: int
    # The outcome's JSON.
    body: bytes

    @property
    def outcome(self) -> dict[str, Any]:
        """The outcome, decoded."""
        return dict(from_json(self.body))


class Room(NamedTuple):
    """How much one owner may have: sessions, and bytes of them all. None for any amount."""

    sessions: int | None = None
    bytes: int | None = None

    def require(self, db: Connection, owner: str) -> None:
        """Raise LimitReached where the owner may have no more."""
        if self.sessions is not None and sessions.owned(db, owner) >= self.sessions:
            raise LimitReached((), f"one owner has at most {self.sessions} sessions; delete one first")
        if self.bytes is not None and sessions.bytes_of(db, owner) >= self.bytes:
            raise LimitReached(
                (), f"all sessions of one member take at most {in_words(self.bytes)}; delete one first"
            )


# What is written in the transaction that makes a session, by its id.
Also = Callable[[Connection, str], None]

# For the command line, without access control.
ANY: Final = Room()


def insert(
    db: Connection, row: SessionRow, state: State | None, room: Room, also: Also | None = None
) -> SessionInfo:
    """A new session, with the state it starts from where it has one. Raises LimitReached and Conflict.

    also: what is written with it.
    """
    require_home(db, row.lab_id, row.owner)
    room.require(db, row.owner)
    sessions.create(db, row)
    if state is not None:
        sessions.grow(db, row.id, states.put(db, row.id, row.start, state, keep=True))
    if also is not None:
        also(db, row.id)
    return SessionInfo.of(row)


def in_words(size: int) -> str:
    """A number of bytes for people."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


def require_home(db: Connection, lab_id: str | None, owner: str) -> None:
    """Raise Conflict where a session would belong to a lab that is closed, or to a member who is gone."""
    if lab_id is None:
        return
    lab = labs.get(db, lab_id)
    if lab is None or people.member(db, owner) is None:
        raise Conflict("the lab or its member was deleted meanwhile")
    if lab.closed is not None:
        raise Conflict("the lab is closed: no more machines are made in it")


def allowed(db: Connection, principal: Principal, session_id: str, right: Right) -> SessionRow:
    """A session of which the principal may do so much. Raises NotFound and Forbidden."""
    row = sessions.get(db, session_id)
    if row is None:
        raise NotFound("session", session_id)
    require(db, principal, right, row.id, row.owner)
    return row


def rename(
    db: Connection, principal: Principal, session_id: str, name: str, preconditions: Preconditions | None
) -> SessionInfo:
    """Give a session another name. Raises Stale."""
    row = held(db, principal, session_id, Right.OWN, preconditions)
    sessions.rename(db, session_id, name)
    note(db, principal, "rename a machine", row)
    return SessionInfo.of(row._replace(name=name))


def remove(
    db: Connection, principal: Principal, session_id: str, preconditions: Preconditions | None
) -> None:
    """Delete a session. Raises Stale."""
    row = held(db, principal, session_id, Right.OWN, preconditions)
    discard(db, session_id)
    note(db, principal, "delete a machine", row)


def discard(db: Connection, session_id: str) -> None:
    """Delete a session; of a long one only the owner, and `importing.discard` deletes its rows later.

    Deleting takes time by the byte, and all calls wait for it.
    """
    row = sessions.get(db, session_id)
    if row is not None and row.bytes > DISCARDED_AT_ONCE:
        imports.abandon(db, session_id)
    else:
        sessions.remove(db, session_id)


def note(db: Connection, principal: Principal, act: str, row: SessionRow) -> None:
    """Write an instructor's act on a member's session to the audit log."""
    if row.owner != principal.id:
        audit.note(db, audit.Act(now(), principal.id, act, row.lab_id, row.id, ""))


def held(
    db: Connection, principal: Principal, session_id: str, right: Right, preconditions: Preconditions | None
) -> SessionRow:
    """As `allowed`, and lock the session against other writers until the transaction ends. Raises Stale."""
    head = sessions.locked_head(db, session_id)
    row = allowed(db, principal, session_id, right)
    if head is not None and head.held in (CLOSED, LOCKED) and principal.lab is not None:
        raise Conflict(WHY_HELD[head.held])
    require_seq(preconditions, row.seq)
    return row


def names(db: Connection, principal: Principal, session_id: str) -> dict[str, Named]:
    """What the principal has named in a session."""
    allowed(db, principal, session_id, Right.READ)
    theirs = stored_names.of_person(db, session_id, principal.id)
    return {name: Named.from_json(from_json(named)) for name, named in theirs.items()}


def some_names(
    db: Connection, principal: Principal, session_id: str, most: int
) -> tuple[dict[str, Named | None], int]:
    """At most so many of the principal's names in a session that they may read, and how many there are.

    None stands for what a very long list of blocks is called.
    """
    found, count = stored_names.some(db, session_id, principal.id, most, LONGEST_VALUE)
    return {name: value_of(value) for name, value in found.items()}, count


def names_of_others(
    db: Connection, principal: Principal, session_id: str, most: int
) -> tuple[dict[str, Named | None], int]:
    """The same of what others have named there, as `m1.p`. In open mode there are no others."""
    if principal.by is None:
        return {}, 0
    found, count = stored_names.some_of_others(db, session_id, principal.id, most, LONGEST_VALUE)
    return {name: value_of(value) for name, value in found.items()}, count


def known_names(
    db: Connection, principal: Principal, session_id: str, most: int
) -> tuple[dict[str, Named | None], int]:
    """The first of the principal's names and then of others', and how many there are of both."""
    allowed(db, principal, session_id, Right.READ)
    own, count = some_names(db, principal, session_id, most)
    theirs, more = names_of_others(db, principal, session_id, most - len(own))
    return own | theirs, count + more


def value_of(value: str | None) -> Named | None:
    """What a name stands for, from its stored form."""
    return None if value is None else Named.from_json(from_json(value))


def events(db: Connection, principal: Principal, session_id: str, after: int, limit: int) -> list[Event]:
    """Rows after a seq, in order."""
    allowed(db, principal, session_id, Right.READ)
    return [Event(*row) for row in journal.page(db, session_id, after, limit)]


def events_within(
    db: Connection, principal: Principal, session_id: str, after: int, limit: int, most: int
) -> tuple[list[Event], bool]:
    """Rows after a seq, in order, but no more once they make `most` bytes; and whether there are more."""
    row = allowed(db, principal, session_id, Right.READ)
    rows = [Event(*found) for found in journal.some(db, session_id, after, row.seq, most, limit)]
    return rows, bool(rows) and rows[-1].seq < row.seq


def latest(
    db: Connection, principal: Principal, session_id: str, until: int, limit: int, most: int
) -> list[Event]:
    """Rows up to a seq, the last first, but no more once they make `most` bytes."""
    row = allowed(db, principal, session_id, Right.READ)
    found = journal.latest(db, session_id, until - limit, min(until, row.seq), most, limit)
    return [Event(*each) for each in found]


def event(db: Connection, principal: Principal, session_id: str, seq: int) -> Event:
    """One row. Raises NotFound."""
    allowed(db, principal, session_id, Right.READ)
    body = journal.one(db, session_id, seq)
    if body is None:
        raise NotFound("event", str(seq))
    return Event(seq, body)
