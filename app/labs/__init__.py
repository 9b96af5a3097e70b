"""Shared rooms for a class: instructors, students, machines that are prepared and shared."""

from app.labs.activity import Activity
from app.labs.authentication import Authentication, SignedIn
from app.labs.board import Standing, Tile
from app.labs.labs import Labs
from app.labs.machine_rows import MachineRows
from app.labs.person import LOCAL_PERSON, Person, person_of
from app.labs.place_in_lab import MemberCopy, PlaceInLab
from app.labs.presenting import Stage
from app.labs.room import Checkpoint, Lab, Machine
from app.store.audit import Noted
from app.store.labs import LabRow
from app.store.people import MemberRow

__all__ = [
    "LOCAL_PERSON",
    "Activity",
    "Authentication",
    "Checkpoint",
    "Lab",
    "LabRow",
    "Labs",
    "Machine",
    "MachineRows",
    "MemberCopy",
    "MemberRow",
    "Noted",
    "Person",
    "PlaceInLab",
    "SignedIn",
    "Stage",
    "Standing",
    "Tile",
    "person_of",
]
