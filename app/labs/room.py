"""A lab and its machines as values, and who may see and change them."""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import now
from app.labs import secret
from app.labs.person import NOT_ADMITTED, Person, require_instructor
from app.sessions import Conflict, Forbidden, NotFound
from app.store import Connection, labs
from app.store.labs import CheckpointRow, LabRow, MachineRow

PREPARED = "prepared"
OPERATE = "operate"
WATCH = "watch"
LAB_MACHINE_KINDS = (PREPARED, OPERATE, WATCH)

# The role in which a lab's members use a session that is shared with them.
ROLES = {OPERATE: "member", WATCH: "watcher"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A seq of a prepared machine to which copies can be brought."""

    id: str
    seq: int
    title: str

    @classmethod
    def of(cls, row: CheckpointRow) -> Checkpoint:
        return cls(row.id, row.seq, row.title)


@dataclass(frozen=True, slots=True)
class LabMachine:
    """A machine of a lab: prepared to be copied, or shared."""

    id: str
    kind: str
    title: str
    # The instructor's session behind it; members cannot read a prepared one.
    session_id: str
    seq: int
    checkpoints: tuple[Checkpoint, ...] = ()
    # The name of the demo that it is a part of, and which part; None for any other machine.
    demo: str | None = None
    part: int | None = None


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab."""

    id: str
    title: str
    text: str
    created: str
    owner: str
    # The join code; None for members, and where joining is closed.
    code: str | None
    code_expires: str | None
    frozen: bool
    closed: str | None
    view: str | None
    # How many members come in by the code; those who join later wait to be admitted.
    expected: int
    # It was not opened yet: nobody can join.
    draft: bool
    machines: tuple[LabMachine, ...] = ()

    @classmethod
    def of(
        cls,
        row: LabRow,
        machines: tuple[LabMachine, ...] = (),
        *,
        whole: bool = True,
    ) -> Lab:
        """whole: with what only the instructor knows."""
        lets_in = whole and row.code is not None and (row.code_expires or "") > now()
        return cls(
            row.id,
            row.title,
            row.text,
            row.created,
            row.owner,
            secret.format_code(row.code) if lets_in and row.code is not None else None,
            row.code_expires if lets_in else None,
            row.frozen,
            row.closed,
            row.view,
            row.expected,
            row.draft,
            machines,
        )


def seen(db: Connection, person: Person, lab_id: str) -> LabRow:
    """A lab that a person is in or teaches. Raises NotFound: others must not learn that it exists.

    Raises Forbidden for a person who is not admitted yet.
    """
    row = labs.get(db, lab_id)
    if row is None or (person.lab != row.id and person.id != row.owner):
        raise NotFound("lab", lab_id)
    if person.waiting:
        raise Forbidden(NOT_ADMITTED)
    return row


def taught(db: Connection, person: Person, lab_id: str) -> LabRow:
    """A lab that a person teaches. Raises NotFound, and Forbidden for its members."""
    if person.kind == "local":
        require_instructor(person)
    row = seen(db, person, lab_id)
    if row.owner != person.id:
        raise Forbidden("only the lab's instructor may do this")
    return row


def require_open(lab: LabRow) -> None:
    """Raise Conflict for a lab that is closed."""
    if lab.closed is not None:
        raise Conflict("this lab is closed")


def machines_of(db: Connection, lab_id: str) -> tuple[LabMachine, ...]:
    """All that a lab has."""
    marks: dict[str, list[Checkpoint]] = {}
    for mark in labs.lab_checkpoints(db, lab_id):
        marks.setdefault(mark.machine_id, []).append(Checkpoint.of(mark))
    return tuple(
        LabMachine(
            row.id,
            row.kind,
            row.title,
            row.session_id,
            row.seq,
            tuple(marks.get(row.id, ())),
            row.demo,
            row.part,
        )
        for row in labs.machines(db, lab_id)
    )


def machine_of(db: Connection, lab_id: str, machine_id: str) -> MachineRow:
    """One of them. Raises NotFound."""
    for row in labs.machines(db, lab_id):
        if row.id == machine_id:
            return row
    raise NotFound("machine", machine_id)
