"""Writes to the audit log what instructors and the server do."""

from __future__ import annotations

from app.clock import now
from app.labs.person import Person
from app.store import Connection, audit
from app.store.audit import Act

SERVER = "server"  # the actor where old data is deleted without a request


def note(
    db: Connection,
    person: Person | None,
    act: str,
    lab_id: str | None = None,
    target: str = "",
    detail: str = "",
) -> None:
    """Write an act to the audit log, in the transaction in which it is done. detail: never a nickname."""
    actor = SERVER if person is None else person.id
    audit.note(db, Act(now(), actor, act, lab_id, target, detail))
