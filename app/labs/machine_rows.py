"""The rows that the page of a machine shows, with its place in a lab, read in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.labs.person import Person
from app.labs.place_in_lab import PlaceInLab, place_of
from app.labs.presenting import Presentation, stage_of
from app.labs.room import PREPARED, Checkpoint, machines_of
from app.sessions import page_rows
from app.sessions.page_rows import PageQuery, PageRows
from app.store import Connection, labs
from app.store.labs import LabRow


@dataclass(frozen=True, slots=True)
class MachineRows:
    """What the page of a machine was answered. In open mode there is nothing of labs."""

    rows: PageRows
    """the session, its journal and its names"""
    place: PlaceInLab | None = None
    """its place in a lab; None for a session that is in none"""
    stage: Presentation | None = None
    """what is presented in that lab"""
    checkpoint: Checkpoint | None = None
    """the checkpoint that was asked for"""
    copied_in: Sequence[LabRow] = ()
    """the person's labs in which it is prepared"""


def read(
    db: Connection, person: Person, session_id: str, query: PageQuery, checkpoint: str | None
) -> MachineRows:
    """Read the rows, in lab mode. Raises NotFound and Forbidden."""
    rows = page_rows.read(db, person.principal, session_id, query)
    place = place_of(db, person, session_id)
    mark = None if place is None or checkpoint is None else checkpoint_of(db, place.lab_id, checkpoint)
    stage = stage_of(db, person, session_id)
    return MachineRows(rows, place, stage, mark, copied_in(db, person, session_id) if place is None else ())


def copied_in(db: Connection, person: Person, session_id: str) -> list[LabRow]:
    """The labs that a person teaches and in which a session is prepared to be copied."""
    ids = {machine.lab_id for machine in labs.of_session(db, session_id) if machine.kind == PREPARED}
    return [row for row in labs.of_owner(db, person.id) if row.id in ids] if ids else []


def checkpoint_of(db: Connection, lab_id: str, checkpoint_id: str) -> Checkpoint | None:
    """A checkpoint of one of a lab's machines; None where there is no such checkpoint."""
    marks = (mark for machine in machines_of(db, lab_id) for mark in machine.checkpoints)
    return next((mark for mark in marks if mark.id == checkpoint_id), None)
