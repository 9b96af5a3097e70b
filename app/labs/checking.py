"""Whether a member has made the calls that lead to a checkpoint, as far as their copies' journals show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json

from app.errors import Refusal
from app.labs.place_in_lab import prepared_for
from app.labs.room import machines_of
from app.sessions import lineage
from app.store import Connection, sessions
from app.store.journal import Row
from app.store.labs import CheckpointRow, MachineRow
from app.store.people import MemberRow

# Rows of a copy beyond which nothing is looked for.
MOST_ROWS: Final = 5_000

# How a member has come to a checkpoint: their calls were found; they say so; the instructor's were made.
DONE: Final = "done"
SAID: Final = "said"
CAUGHT_UP: Final = "caught up"


def has_done(
    db: Connection,
    member: MemberRow,
    machine: MachineRow,
    marks: list[CheckpointRow],
    checkpoint: CheckpointRow,
) -> bool:
    """Whether the calls of a checkpoint stand in a copy of the member's, in order, other calls between them.

    marks: the checkpoints of the machine, in order. What leads to the checkpoint before may have been caught
    up; the rest must be their own. Calls that were undone do not count.
    """
    before = max((mark.seq for mark in marks if mark.seq < checkpoint.seq), default=machine.seq)
    by = f"m{member.number}"
    try:
        wanted = [
            (call_of(row), row.seq > before)
            for row in lineage.rows_between(db, machine.session_id, machine.seq, checkpoint.seq, MOST_ROWS)
        ]
    except Refusal:
        return False
    machines = machines_of(db, machine.lab_id)
    for copy in sessions.all_owned(db, member.id):
        found = prepared_for(machines, copy)
        if found is None or found.id != machine.id:
            continue
        try:
            made = iter(lineage.rows_between(db, copy.id, copy.start, copy.seq, MOST_ROWS))
        except Refusal:
            continue
        if all(follows(made, call, by if own else None) for call, own in wanted):
            return True
    return False


def follows(made: Iterator[Row], call: tuple[str, Any], by: str | None) -> bool:
    """Whether one of the next rows is a call, and of a person; rows up to it are passed."""
    return any(call_of(row) == call and by in (None, row.by) for row in made)


def call_of(row: Row) -> tuple[str, Any]:
    """A call as it is compared. A list stands in another row of each journal: it is one list or another."""
    args = from_json(row.args)
    return row.call, {
        key: "a list" if isinstance(value, dict) and "seq" in value else value for key, value in args.items()
    }
