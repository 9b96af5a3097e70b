"""The place of a session in its lab: its owner, who may call it, and why it may take no calls now."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar, cast

from app.labs.person import Person
from app.labs.room import PREPARED, ROLES, Checkpoint, LabMachine, machines_of, seen
from app.sessions.access import WHY_HELD, Right, require, require_free
from app.sessions.errors import Conflict
from app.store import Connection, labs, people
from app.store import sessions as session_rows
from app.store.labs import CheckpointRow, LabRow, MachineRow
from app.store.people import MemberRow
from app.store.sessions import SessionRow

M = TypeVar("M", Checkpoint, CheckpointRow)
P = TypeVar("P", LabMachine, MachineRow)

Role = Literal["owner", "instructor", "member", "watcher"]


class MemberCopy(NamedTuple):
    """A machine of a member's own."""

    id: str
    name: str
    number: int
    seq: int
    locked: bool
    # Whether it is in another state than the one from which it started.
    called: bool
    # The prepared one from which it goes on, if any.
    machine_id: str | None = None
    # The checkpoint to which it can be brought.
    next: Checkpoint | None = None


@dataclass(frozen=True, slots=True)
class PlaceInLab:
    """The place of a session in its lab, as one person sees it."""

    lab_id: str
    title: str
    role: Role
    # `operate` or `watch` where the lab shares it.
    kind: str | None
    # The title under which the lab shares it.
    machine: str | None
    # Where it is a member's own machine.
    copy: MemberCopy | None
    nickname: str
    # Why members cannot call it now: `closed`, `frozen` or `locked`.
    held: str | None
    # The same in words; None where it does not concern the person.
    stopped: str | None
    # The names of members and instructor by their number in rows.
    names: dict[str, str]


def place_of(db: Connection, person: Person, session_id: str) -> PlaceInLab | None:
    """The place of a session that belongs to a lab; None for one that does not. Raises NotFound."""
    row = session_rows.get(db, session_id)
    if row is None or row.lab_id is None:
        return None
    role = require(db, person.principal, Right.READ, row.id, row.owner)
    lab = seen(db, person, row.lab_id)
    owner = people.member(db, row.owner)
    held = held_by(lab, row)
    here = [one for one in labs.of_session(db, row.id) if one.lab_id == lab.id and one.kind in ROLES]
    return PlaceInLab(
        lab_id=lab.id,
        title=lab.title,
        role=cast("Role", role),
        kind=here[0].kind if here else None,
        machine=here[0].title if here else None,
        copy=None if owner is None else copy_of(row, owner, machines_of(db, lab.id), reached(db, owner)),
        nickname="" if owner is None else owner.nickname,
        held=held,
        stopped=why_not(person, role, held),
        names=names_in(db, lab, owner),
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
        return WHY_HELD[held]
    return None


def names_in(db: Connection, lab: LabRow, owner: MemberRow | None = None) -> dict[str, str]:
    """The names of persons by the number that rows and tasks have: members (`m7`), instructor (`i1`).

    owner: of a machine in which no other member appears.
    """
    members = people.lab_members(db, lab.id) if owner is None else [owner]
    found = {f"m{row.number}": row.nickname for row in members}
    teacher = people.account(db, lab.owner)
    return found if teacher is None else found | {f"i{teacher.number}": teacher.name}


def copies(db: Connection, lab_id: str, owner: str | None = None) -> list[MemberCopy]:
    """The machines of a lab's members, or of one, the oldest first."""
    if owner is None:
        members = {member.id: member for member in people.lab_members(db, lab_id)}
        rows = [row for row in session_rows.of_lab(db, lab_id) if row.owner in members]
    else:
        member = people.member(db, owner)
        members = {} if member is None else {owner: member}
        rows = [row for row in session_rows.all_owned(db, owner) if row.owner in members]
    machines = machines_of(db, lab_id)
    steps: dict[str, set[str]] = {}
    for step in labs.lab_progress(db, lab_id):
        steps.setdefault(step.member_id, set()).add(step.checkpoint_id)
    return [
        copy_of(row, members[row.owner], machines, steps.get(row.owner, set()))
        for row in sorted(rows, key=lambda row: (row.created, row.id))
    ]


def copy_of(
    row: SessionRow, owner: MemberRow, machines: Sequence[LabMachine], reached: AbstractSet[str]
) -> MemberCopy:
    """A member's machine, with the prepared one behind it. reached: checkpoints that they have come to."""
    copy = MemberCopy(row.id, row.name, owner.number, row.seq, row.locked, called=row.effective != row.start)
    machine = prepared_for(machines, row)
    if machine is None:
        return copy
    following = next_of(machine.checkpoints, reached, fresh=row.seq == row.start)
    return copy._replace(machine_id=machine.id, next=following)


def prepared_for(machines: Sequence[P], copy: SessionRow) -> P | None:
    """The prepared machine that a session is a copy of; None for one that is of none."""
    origin = copy.origin_id, copy.origin_seq
    for machine in machines:
        if machine.kind == PREPARED and (machine.session_id, machine.seq) == origin:
            return machine
    return None


def reached(db: Connection, member: MemberRow) -> AbstractSet[str]:
    """The checkpoints that a member has come to."""
    return labs.reached_by(db, member.id).keys()


def next_of(marks: Sequence[M], reached: AbstractSet[str], *, fresh: bool) -> M | None:
    """The first checkpoint behind the furthest that a member has reached.

    fresh: for a copy that was only just made the last one, where they have reached all with another.
    """
    last = max((place for place, mark in enumerate(marks) if mark.id in reached), default=-1)
    if last + 1 < len(marks):
        return marks[last + 1]
    return marks[-1] if marks and fresh else None
