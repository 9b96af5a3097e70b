"""The values that the methods of `Sessions` take and return."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self, TypeVar

from pydantic_core import from_json, to_json

from app.machine import ruleset
from app.store.sessions import SessionRow

T = TypeVar("T")


def described(machine: str) -> dict[str, Any]:
    """A session's machine as it is answered; rows from before there were rule sets do not name theirs."""
    found: dict[str, Any] = json.loads(machine)
    found.setdefault("rules", ruleset.FIRST)
    return found


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A session, as the API shows it."""

    id: str
    name: str
    seq: int
    machine: dict[str, Any]
    origin: dict[str, Any] | None
    owner: str
    created: str
    engine: int
    # Where the journal cannot be followed to its end by this engine, as far as is known: the last seq that
    # agrees, and the difference.
    diverged: dict[str, Any] | None = None
    # The seq of its first state.
    start: int = 0

    @classmethod
    def of(cls, row: SessionRow) -> Self:
        """Make one from the stored row."""
        return cls(
            id=row.id,
            name=row.name,
            seq=row.seq,
            machine=described(row.machine),
            origin=None if row.origin_id is None else {"id": row.origin_id, "seq": row.origin_seq},
            owner=row.owner,
            created=row.created,
            engine=row.engine,
            start=row.start,
        )

    def as_json(self) -> dict[str, Any]:
        """The session object of the API."""
        diverged = {} if self.diverged is None else {"diverged": self.diverged}
        return {
            "id": self.id,
            "name": self.name,
            "seq": self.seq,
            "machine": self.machine,
            "origin": self.origin,
            "owner": self.owner,
            "created": self.created,
            "engine": self.engine,
            **diverged,
        }


class BatchAnswer(list["Applied"]):
    """The answers of a batch. stopped_after: how many calls were made, where it was stopped before its end.

    seq: the session's, after them.
    """

    def __init__(self, applied: Sequence[Applied], seq: int, stopped_after: int | None) -> None:
        super().__init__(applied)
        self.seq = seq
        self.stopped_after = stopped_after


@dataclass(frozen=True, slots=True)
class Underway:
    """Long work on a session that is being done."""

    # Whose it is; the call that is repeated, None for a batch.
    principal: str
    call: str | None
    # Calls of the batch, or rounds of the call.
    done: int
    of: int
    seconds: float
    # Whether it was told to stop; whether it can be.
    stopping: bool
    stoppable: bool

    def as_json(self) -> dict[str, Any]:
        """The object of the API."""
        return {
            "call": self.call,
            "done": self.done,
            "of": self.of,
            "seconds": round(self.seconds, 1),
            "stopping": self.stopping,
        }


@dataclass(frozen=True, slots=True)
class ListPart(Generic[T]):
    """A part of a list."""

    items: list[T]
    # Where the next part starts, None at the end.
    next: str | None


class Applied(NamedTuple):
    """A call that was made."""

    seq: int
    # The row's JSON, as it is journalled and answered.
    body: bytes

    @classmethod
    def of(cls, body: bytes) -> Self:
        """Make one from the bytes of an answer."""
        return cls(from_json(body)["seq"], body)

    @property
    def outcome(self) -> dict[str, Any]:
        """The row. Read from its JSON each time, since most answers are only passed on."""
        outcome: dict[str, Any] = from_json(self.body)
        return outcome

    def with_(self, key: str, value: Any) -> Applied:
        """The same answer with something that is not in the journal."""
        body = b"".join((self.body[:-1], b',"', key.encode(), b'":', to_json(value), b"}"))
        return Applied(self.seq, body)


class BatchItem(NamedTuple):
    """One call of a batch."""

    call: str
    # Its arguments.
    body: Mapping[str, Any]
    # The name given to its result, if any.
    as_name: str | None = None
