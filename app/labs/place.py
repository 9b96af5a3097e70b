"""What a session is to somebody who is in its lab: whose it is, who may call it, and why nobody may now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.labs.person import Person
from app.labs.room import PREPARED, Checkpoint, machines_of, seen
from app.sessions.access import HELD, Right, require, require_free
from app.sessions.errors import Conflict
from app.store import Connection, labs, people
from app.store import sessions as session_rows
from app.store.labs import LabRow
from app.store.sessions import SessionRow

Role = Literal["owner", "instructor", "member", "watcher"]


class Copy(NamedTuple):
    """A machine of a member's own. machine_id: the prepared one from which it goes on, if any.

    next: the checkpoint to which it can be brought.
    """

    id: str
    name: str
    number: int
    seq: int
    locked: bool
    machine_id: str | None = None
    next: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session stands, and what the person is there.

    kind: `operate` or `watch` where the lab shares it. copy: where it is a member's own, with their nickname.
    held: why members cannot call it now: `closed`, `frozen` or `locked`. stopped: the same in words, where it
    holds for the person too. names: what people call members and instructor.
    """

    lab_id: str
    title: str
    role: Role
    kind: str | None
    copy: Copy | None
    nickname: str
    held: str | None
    stopped: str | None
    names: dict[str, str]


def place_of(db: Connection, person: Person, session_id: str) -> Place | None:
    """The place of a session that belongs to a lab; None for one that does not. Raises NotFound."""
    row = session_rows.get(db, session_id)
    if row is None or row.lab_id is None:
        return None
    role = require(db, person.principal, Right.READ, row.id, row.owner)
    lab = seen(db, person, row.lab_id)
    members = people.lab_members(db, lab.id)
    owner = next((member for member in members if member.id == row.owner), None)
    held = held_by(lab, row)
    shared = [
        one.kind for one in labs.of_session(db, row.id) if one.lab_id == lab.id and one.kind != PREPARED
    ]
    return Place(
        lab.id,
        lab.title,
        role,  # type: ignore[arg-type]
        shared[0] if shared else None,
        None if owner is None else copies(db, lab.id, owner.id)[row.id],
        "" if owner is None else owner.nickname,
        held,
        why_not(person, role, held),
        names_in(db, lab),
    )


def held_by(lab: LabRow, row: SessionRow) -> str | None:
    """Why members cannot call a session of the lab now."""
    if lab.closed is not None:
        return "closed"
    if lab.frozen:
        return "frozen"
    return "locked" if row.locked else None


def why_not(person: Person, role: str, held: str | None) -> str | None:
    """The same in words, for one to whom it applies."""
    try:
        require_free(person.principal, role, held)
    except Conflict:
        assert held is not None
        return HELD[held]
    return None


def names_in(db: Connection, lab: LabRow) -> dict[str, str]:
    """What people call those whom rows and tasks call by number: members (`m7`), instructor (`i1`)."""
    found = {f"m{row.number}": row.nickname for row in people.lab_members(db, lab.id)}
    owner = people.account(db, lab.owner)
    return found if owner is None else found | {f"i{owner.number}": owner.name}


def copies(db: Connection, lab_id: str, owner: str | None = None) -> dict[str, Copy]:
    """The machines of a lab's members, or of one, by their ids, the oldest first."""
    numbers = {member.id: member.number for member in people.lab_members(db, lab_id)}
    prepared = {(one.session_id, one.seq): one for one in machines_of(db, lab_id) if one.kind == PREPARED}
    reached: dict[str, set[str]] = {}
    for step in labs.lab_progress(db, lab_id):
        reached.setdefault(step.member_id, set()).add(step.checkpoint_id)
    found = {}
    for row in session_rows.of_lab(db, lab_id):
        if row.owner not in numbers or owner not in (None, row.owner):
            continue
        machine = prepared.get((row.origin_id or "", row.origin_seq or 0))
        marks = () if machine is None else machine.checkpoints
        found[row.id] = Copy(
            row.id,
            row.name,
            numbers[row.owner],
            row.seq,
            row.locked,
            None if machine is None else machine.id,
            next_of(marks, reached.get(row.owner, set())),
        )
    return found


def next_of(marks: tuple[Checkpoint, ...], reached: set[str]) -> Checkpoint | None:
    """The first checkpoint behind the furthest that somebody has reached."""
    last = max((place for place, mark in enumerate(marks) if mark.id in reached), default=-1)
    return marks[last + 1] if last + 1 < len(marks) else None
