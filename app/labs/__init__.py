"""Labs: shared rooms for a class, with an instructor, members, and prepared and shared machines."""

from app.labs.activity import Activity
from app.labs.authentication import Authentication, SignedIn
from app.labs.board import Tile, WallState
from app.labs.labs import Labs
from app.labs.machine_rows import MachineRows
from app.labs.person import LOCAL_PERSON, Person, person_of
from app.labs.place_in_lab import MemberCopy, PlaceInLab
from app.labs.poll import Poll
from app.labs.polls import PollView, Voted
from app.labs.presenting import Presentation
from app.labs.room import Checkpoint, Lab, LabMachine
from app.labs.tally import Tally
from app.store.audit import Noted
from app.store.labs import LabRow
from app.store.people import MemberRow
from app.store.polls import VoteRow
from app.store.sheets import ExtensionRow, ItemRow, SheetRow
from app.store.submissions import SubmissionRow
from app.store.variants import BriefRow

__all__ = [
    "LOCAL_PERSON",
    "Activity",
    "Authentication",
    "BriefRow",
    "Checkpoint",
    "ExtensionRow",
    "ItemRow",
    "Lab",
    "LabMachine",
    "LabRow",
    "Labs",
    "MachineRows",
    "MemberCopy",
    "MemberRow",
    "Noted",
    "Person",
    "PlaceInLab",
    "Poll",
    "PollView",
    "Presentation",
    "SheetRow",
    "SignedIn",
    "SubmissionRow",
    "Tally",
    "Tile",
    "VoteRow",
    "Voted",
    "WallState",
    "person_of",
]
