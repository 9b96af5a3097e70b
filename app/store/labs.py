"""Rows of labs: their machines, checkpoints, and the progress of members."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, union_all, update

from app.store.tables import checkpoints, journal, lab_machines, labs, members, progress, sessions


class LabRow(NamedTuple):
    """A lab as it is kept."""

    id: str
    owner: str
    title: str
    text: str
    created: str
    code: str | None = None
    code_expires: str | None = None
    frozen: bool = False
    closed: str | None = None
    view: str | None = None
    expected: int = 120
    draft: bool = False


class MachineRow(NamedTuple):
    """A machine of a lab: the session, and how the lab has it."""

    id: str
    lab_id: str
    session_id: str
    kind: str
    title: str
    seq: int
    # JSON.
    names: str
    created: str
    demo: str | None = None
    part: int | None = None


class CheckpointRow(NamedTuple):
    """A place on the way of a prepared machine."""

    id: str
    machine_id: str
    seq: int
    title: str
    # JSON.
    names: str


class ProgressRow(NamedTuple):
    """A checkpoint that a member has reached, and how."""

    member_id: str
    checkpoint_id: str
    how: str
    time: str


class SharedRow(NamedTuple):
    """A session as a lab has it, without what was named there."""

    id: str
    lab_id: str
    session_id: str
    kind: str
    title: str


class MarkRow(NamedTuple):
    """A checkpoint, without what was named there."""

    id: str
    machine_id: str
    seq: int
    title: str


class LabState(NamedTuple):
    """The state of a lab that its event stream sends."""

    lab: LabRow
    machines: list[SharedRow]
    checkpoints: list[MarkRow]
    # Sessions.
    locked: list[str]


_LAB: Final = select(*(labs.c[name] for name in LabRow._fields))
_MACHINES: Final = select(*(lab_machines.c[name] for name in MachineRow._fields))
_CHECKPOINTS: Final = select(*(checkpoints.c[name] for name in CheckpointRow._fields))
_IDS: Final[BindParameter[list[str]]] = bindparam("ids", expanding=True)
_OF_IDS: Final = _LAB.where(labs.c.id.in_(_IDS))
# Parts of a demo are put in at the same moment.
_PART: Final = func.coalesce(lab_machines.c.part, 0)
_SHARED_OF_IDS: Final = (
    select(*(lab_machines.c[name] for name in SharedRow._fields))
    .where(lab_machines.c.lab_id.in_(_IDS))
    .order_by(lab_machines.c.created, _PART, lab_machines.c.id)
)
_MARKS_OF_IDS: Final = (
    select(lab_machines.c.lab_id, *(checkpoints.c[name] for name in MarkRow._fields))
    .select_from(checkpoints.join(lab_machines, lab_machines.c.id == checkpoints.c.machine_id))
    .where(lab_machines.c.lab_id.in_(_IDS))
    .order_by(lab_machines.c.created, _PART, lab_machines.c.id, checkpoints.c.seq)
)
_LOCKED_OF_IDS: Final = (
    select(sessions.c.lab_id, sessions.c.id)
    .where(sessions.c.lab_id.in_(_IDS), sessions.c.locked)
    .order_by(sessions.c.id)
)
# What was made before its session was begun here came in with a file, and says of itself who made it. Of all
# other sessions the index alone tells.
_OF_FILES: Final = (
    select(sessions.c.id)
    .select_from(
        sessions.join(
            journal, (journal.c.session_id == sessions.c.id) & (journal.c.seq == sessions.c.start + 1)
        )
    )
    .where(sessions.c.lab_id == bindparam("of"), journal.c.time < sessions.c.created)
)
_MADE: Final = (
    select(sessions.c.id, journal.c.by, func.count(), func.max(journal.c.seq))
    .select_from(sessions.join(journal, journal.c.session_id == sessions.c.id))
    .where(sessions.c.lab_id == bindparam("of"), journal.c.by.is_not(None))
    .group_by(sessions.c.id, journal.c.by)
)
_CALLS: Final = union_all(
    _MADE.where(sessions.c.id.not_in(_OF_FILES)),
    _MADE.where(sessions.c.id.in_(_OF_FILES), journal.c.time >= sessions.c.created),
)

# -- labs ------------------------------------------------------------------------------------------------


def create(db: Connection, row: LabRow) -> None:
    """Write a new lab."""
    db.execute(insert(labs), row._asdict())


def get(db: Connection, lab_id: str) -> LabRow | None:
    """One lab; None where there is none."""
    return _lab(db.execute(_LAB.where(labs.c.id == lab_id)).first())


def by_code(db: Connection, code: str) -> LabRow | None:
    """The lab of a join code; the caller checks whether it has expired."""
    return _lab(db.execute(_LAB.where(labs.c.code == code)).first())


def followed(db: Connection, lab_ids: Sequence[str]) -> dict[str, LabState]:
    """The state of the given labs; those that do not exist are missing."""
    ids = {"ids": list(lab_ids)}
    found = {row.id: LabState(LabRow._make(row), [], [], []) for row in db.execute(_OF_IDS, ids)}
    for row in db.execute(_SHARED_OF_IDS, ids):
        if row.lab_id in found:
            found[row.lab_id].machines.append(SharedRow._make(row))
    for lab_id, *mark in db.execute(_MARKS_OF_IDS, ids):
        if lab_id in found:
            found[lab_id].checkpoints.append(MarkRow._make(mark))
    for lab_id, session_id in db.execute(_LOCKED_OF_IDS, ids):
        if lab_id in found:
            found[lab_id].locked.append(session_id)
    return found


def of_owner(db: Connection, owner: str) -> list[LabRow]:
    """An instructor's labs, the newest first."""
    query = _LAB.where(labs.c.owner == owner).order_by(labs.c.created.desc(), labs.c.id)
    return [LabRow._make(row) for row in db.execute(query)]


def change(db: Connection, lab_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(labs).where(labs.c.id == lab_id).values(**values))


def remove(db: Connection, lab_id: str) -> None:
    """Delete a lab with its members and what it shares; members' sessions and tokens are the caller's."""
    db.execute(update(sessions).where(sessions.c.lab_id == lab_id).values(lab_id=None))
    db.execute(delete(labs).where(labs.c.id == lab_id))


def idle_since(db: Connection, before: str) -> list[str]:
    """Labs in which nothing has happened since a time: no join, no call, no close."""
    last_join = (
        select(func.max(members.c.joined))
        .where(members.c.lab_id == labs.c.id, members.c.waiting.is_(None))
        .scalar_subquery()
    )
    last_call = (
        select(func.max(journal.c.time))
        .select_from(
            sessions.join(
                journal, (journal.c.session_id == sessions.c.id) & (journal.c.seq == sessions.c.seq)
            )
        )
        .where(sessions.c.lab_id == labs.c.id)
        .scalar_subquery()
    )
    times = (labs.c.created, labs.c.closed, last_join, last_call)
    query = select(labs.c.id).where(*(func.coalesce(time, "") < before for time in times))
    return list(db.execute(query).scalars())


def _lab(row: Any) -> LabRow | None:
    return None if row is None else LabRow._make(row)


# -- machines --------------------------------------------------------------------------------------------


def add_machine(db: Connection, row: MachineRow) -> None:
    """Write what a lab has from now on."""
    db.execute(insert(lab_machines), row._asdict())


def machines(db: Connection, lab_id: str) -> list[MachineRow]:
    """All that a lab has, in the order in which it was added."""
    query = _MACHINES.where(lab_machines.c.lab_id == lab_id)
    rows = db.execute(query.order_by(lab_machines.c.created, _PART, lab_machines.c.id))
    return [MachineRow._make(row) for row in rows]


def of_session(db: Connection, session_id: str) -> list[MachineRow]:
    """The machines of labs behind which a session is."""
    rows = db.execute(_MACHINES.where(lab_machines.c.session_id == session_id))
    return [MachineRow._make(row) for row in rows]


def change_machine(db: Connection, machine_id: str, values: Mapping[str, Any]) -> None:
    """Change some columns."""
    db.execute(update(lab_machines).where(lab_machines.c.id == machine_id).values(**values))


def remove_machine(db: Connection, machine_id: str) -> None:
    """Take a machine out of its lab, with its checkpoints."""
    db.execute(delete(lab_machines).where(lab_machines.c.id == machine_id))


# -- checkpoints -----------------------------------------------------------------------------------------


def add_checkpoint(db: Connection, row: CheckpointRow) -> None:
    """Write a new checkpoint."""
    db.execute(insert(checkpoints), row._asdict())


def lab_checkpoints(db: Connection, lab_id: str) -> list[CheckpointRow]:
    """Those of all machines of a lab, each machine's in the order of their seqs."""
    joined = checkpoints.join(lab_machines, lab_machines.c.id == checkpoints.c.machine_id)
    query = _CHECKPOINTS.select_from(joined).where(lab_machines.c.lab_id == lab_id)
    rows = db.execute(query.order_by(lab_machines.c.created, _PART, lab_machines.c.id, checkpoints.c.seq))
    return [CheckpointRow._make(row) for row in rows]


def remove_checkpoint(db: Connection, checkpoint_id: str) -> None:
    """Delete a checkpoint, and that anybody has reached it."""
    db.execute(delete(checkpoints).where(checkpoints.c.id == checkpoint_id))


def reach(db: Connection, row: ProgressRow, above: Collection[str] = ()) -> str:
    """Note that a member has reached a checkpoint; how they have, then.

    The first time counts, but where they had come there in one of the ways `above` of which this one is.
    """
    same = progress.c.member_id == row.member_id, progress.c.checkpoint_id == row.checkpoint_id
    found: str | None = db.execute(select(progress.c.how).where(*same)).scalar()
    if found is None:
        db.execute(insert(progress), row._asdict())
    elif found in above:
        db.execute(update(progress).where(*same).values(how=row.how, time=row.time))
    else:
        return found
    return row.how


def lab_progress(db: Connection, lab_id: str) -> list[ProgressRow]:
    """Which members of a lab have reached which checkpoints."""
    columns = (progress.c[name] for name in ProgressRow._fields)
    joined = progress.join(members, members.c.id == progress.c.member_id)
    query = select(*columns).select_from(joined).where(members.c.lab_id == lab_id)
    return [ProgressRow._make(row) for row in db.execute(query.order_by(progress.c.time))]


def reached_by(db: Connection, member_id: str) -> dict[str, str]:
    """The checkpoints that a member has come to, and how."""
    query = select(progress.c.checkpoint_id, progress.c.how).where(progress.c.member_id == member_id)
    return {row.checkpoint_id: row.how for row in db.execute(query)}


class CallCount(NamedTuple):
    """How many rows a person has made in a session, and the last one."""

    session_id: str
    by: str
    rows: int
    last: int


def calls(db: Connection, lab_id: str) -> list[CallCount]:
    """How many rows each person has made in each session of a lab; without rows of imported files."""
    return [CallCount(*row) for row in db.execute(_CALLS, {"of": lab_id})]
