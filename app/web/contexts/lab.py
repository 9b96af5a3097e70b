"""What the pages of labs are given: joining and signing in, tokens and links, labs, members, records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.labs import Activity
from app.web.contexts.base import Link, Page, ShownRefusal, TablePart
from app.web.contexts.place import Sleeper


@dataclass(frozen=True, slots=True)
class JoinPage(Page):
    """lab/join.html: code and nickname."""

    TEMPLATE: ClassVar[str] = "lab/join.html"
    typed: Mapping[str, str]
    """what stood in a refused form"""
    lab: str | None
    """the title of the lab that the code opens, where it is known"""
    back: str
    """where an instructor wanted to go"""
    inside: SignedIn | None
    """who the browser is signed in as already"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who the browser is signed in as already."""

    name: str
    """the name or nickname"""
    member: bool
    """True for a member, whose lab another one would replace in this browser"""
    href: str
    """where to go on"""


@dataclass(frozen=True, slots=True)
class SignInPage(Page):
    """lab/signin.html: an instructor's name and password."""

    TEMPLATE: ClassVar[str] = "lab/signin.html"
    typed: Mapping[str, str]
    """what stood in a refused form"""
    back: str
    """where the instructor wanted to go"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class SetUpPage(Page):
    """lab/setup.html: a new instructor."""

    TEMPLATE: ClassVar[str] = "lab/setup.html"
    typed: Mapping[str, str]
    """what stood in a refused form"""
    action: str
    """where the form is sent: the link itself"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class EnterPage(Page):
    """lab/enter.html: whose personal link it is."""

    TEMPLATE: ClassVar[str] = "lab/enter.html"
    name: str
    """the name of that person"""
    action: str
    """where the form is sent: the link itself"""
    inside: SignedIn | None
    """who the browser is signed in as already"""


@dataclass(frozen=True, slots=True)
class ConfirmPage(Page):
    """lab/confirm.html: something that cannot be taken back."""

    TEMPLATE: ClassVar[str] = "lab/confirm.html"
    words: Sequence[str]
    """what happens then, a paragraph each"""
    action: str
    """where the form is sent"""
    button: str
    """what the button says"""
    keep: Link
    """link that leaves everything as it is"""
    save: Link | None = None
    """link to what may be wanted first"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class IntoLabPage(Page):
    """lab/into.html: a machine of an instructor is put into a lab."""

    TEMPLATE: ClassVar[str] = "lab/into.html"
    machine: Link
    """link to the machine"""
    action: str
    """where the form is sent"""
    labs: Sequence[tuple[str, str]]
    """id and title of each lab that takes machines, and what stands for a new one"""
    last: int
    """the machine's last row"""
    typed: Mapping[str, str]
    """what stood in a refused form, and the row that the machine's page shows"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """A secret that is shown only this once."""

    kind: str
    """`token`, `link` or `invitation`"""
    text: str
    """the secret"""
    picture: str | None = None
    """a link as a QR code, as data"""
    curl: str = ""
    """a curl line that uses a token"""
    python: str = ""
    """a Python line that uses a token"""


@dataclass(frozen=True, slots=True)
class KeysPage(Page):
    """lab/keys.html: who is signed in, and how to come back."""

    TEMPLATE: ClassVar[str] = "lab/keys.html"
    name: str
    """the name or nickname"""
    member: bool
    """True for a member; an instructor has a password instead of a link"""
    lab: Link | None
    """link to the member's lab"""
    export: str | None = None
    """the address of everything that is stored about a member"""
    shown: ShownSecret | None = None
    """a secret that was just made"""


@dataclass(frozen=True, slots=True)
class LabEntry:
    """A lab in the list."""

    title: str
    """the lab's title"""
    href: str
    """the lab's address"""
    state: str
    """`draft`, `open`, `frozen` or `closed`"""
    code: str | None
    """the code to join; None where nobody can join"""
    created: str
    """when it was made"""


@dataclass(frozen=True, slots=True)
class LabsPage(Page):
    """lab/labs.html: an instructor's labs, and the form for one more."""

    TEMPLATE: ClassVar[str] = "lab/labs.html"
    labs: Sequence[LabEntry]
    """the labs"""
    expected: int
    """how many members a new lab expects unless something else is typed"""
    typed: Mapping[str, str]
    """what stood in a refused form"""
    refusal: ShownRefusal | None = None
    """why the form was refused"""


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """A checkpoint of a prepared machine."""

    id: str
    """the checkpoint's id"""
    title: str
    """the checkpoint's title"""
    seq: int
    """its row of the prepared machine"""
    own: str | None = None
    """how the member has reached it, in words; None where not"""
    how: str | None = None
    """the same as `done`, `said` or `caught up`"""
    count: str = ""
    """how many of the class have reached it, in words"""
    ways: str = ""
    """how many of them have done it, say so, and have caught up, in words"""
    share: int = 0
    """the same in thousandths"""


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A member's machine."""

    id: str
    """the session's id"""
    name: str
    """the session's name"""
    href: str
    """the address of its page"""
    seq: int
    """its last row"""
    picture: str
    """the address of its thumbnail"""
    picture_words: str
    """what the thumbnail shows"""
    last: str | None
    """its last call as a line"""
    verdict: str | None
    """the verdict of the last call"""
    when: str | None
    """when the last call was made"""
    next: str | None
    """the title of the checkpoint that it can be brought to"""
    checkpoint: str | None
    """the id of that checkpoint"""
    starts_over: bool
    """True where catching up leaves calls of the member behind"""
    locked: bool
    """True where it is locked"""


@dataclass(frozen=True, slots=True)
class PreparedView:
    """A prepared machine: its checkpoints, and a member's copies of it."""

    id: str
    """the machine's id in the lab"""
    title: str
    """the machine's title"""
    seq: int
    """the row from which copies go on"""
    checkpoints: Sequence[CheckpointView]
    """the checkpoints"""
    copies: Sequence[CopyRow]
    """the member's copies"""
    href: str | None = None
    """the instructor's session"""
    picture: str | None = None
    """the address of its thumbnail"""
    kind: str = "prepared"
    """`prepared`"""


@dataclass(frozen=True, slots=True)
class SharedView:
    """A machine that everybody in the lab uses or watches."""

    id: str
    """the machine's id in the lab"""
    title: str
    """the machine's title"""
    kind: str
    """`operate` or `watch`"""
    href: str
    """the address of its page"""
    seq: int
    """its last row"""
    picture: str
    """the address of its thumbnail"""
    sleepers: Sequence[Sleeper] = ()
    """tasks that the person at the browser may end"""


@dataclass(frozen=True, slots=True)
class LabPage(Page):
    """lab/lab.html: a lab as its members have it."""

    TEMPLATE: ClassVar[str] = "lab/lab.html"
    id: str
    """the lab's id"""
    text: str
    """what the instructor has written, as cleaned HTML"""
    state: str
    """`draft`, `open`, `frozen` or `closed`"""
    task: str
    """the task as which the member calls shared machines"""
    prepared: Sequence[PreparedView]
    """the prepared machines"""
    shared: Sequence[SharedView]
    """the shared machines"""
    others: Sequence[CopyRow]
    """machines of the member that are no copies"""
    presenter: Link | None
    """link to what is presented"""
    asked: Link | None
    """link to the question that is before the class"""
    refusal: ShownRefusal | None = None
    """why a form was refused"""


@dataclass(frozen=True, slots=True)
class Invitation:
    """How people join: code, link and until when."""

    code: str
    """the code as it is written on a blackboard"""
    link: str
    """the link that opens the form with the code"""
    until: str
    """until when both work"""
    picture: str
    """the link as a QR code"""


@dataclass(frozen=True, slots=True)
class TaughtPage(Page):
    """lab/taught.html: a lab as its instructor has it."""

    TEMPLATE: ClassVar[str] = "lab/taught.html"
    id: str
    """the lab's id"""
    text: str
    """the lab's text, as cleaned HTML"""
    source: str
    """the lab's text as it was typed"""
    state: str
    """`draft`, `open`, `frozen` or `closed`"""
    invitation: Invitation | None
    """how people join; None where nobody can"""
    prepared: Sequence[PreparedView]
    """the prepared machines"""
    shared: Sequence[SharedView]
    """the shared machines"""
    sessions: Sequence[tuple[str, str]]
    """id and name of each session that can be added"""
    demos: Sequence[tuple[str, str]]
    """name and title of each demo"""
    members: int
    """how many members there are"""
    expected: int
    """how many members are expected"""
    waiting: int
    """how many wait to be admitted"""
    newest: Sequence[WaitingRow]
    """the last of those who wait"""
    typed: Mapping[str, str]
    """what stood in a refused form"""
    refusal: ShownRefusal | None = None
    """why a form was refused"""
    at: str = ""
    """which form was refused"""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """Somebody who waits to be admitted."""

    number: int
    """the number as a member"""
    nickname: str
    """the nickname"""
    joined: str
    """when they joined"""


@dataclass(frozen=True, slots=True)
class WaitingPage(Page):
    """lab/waiting.html: somebody has joined a lab that is full."""

    TEMPLATE: ClassVar[str] = "lab/waiting.html"
    nickname: str
    """the nickname"""
    instructor: str
    """who may admit them"""
    closed: bool
    """True where the lab is closed"""


@dataclass(frozen=True, slots=True)
class BoardPage(Page):
    """lab/board.html: how to join, for the projector."""

    TEMPLATE: ClassVar[str] = "lab/board.html"
    id: str
    """the lab's id"""
    invitation: Invitation | None
    """how people join; None where nobody can"""
    host: str
    """the server's name, to be typed"""


@dataclass(frozen=True, slots=True)
class MemberMachine:
    """A machine of a member."""

    id: str
    """the session's id"""
    name: str
    """the session's name"""
    href: str
    """the address of its page"""
    seq: int
    """its last row"""
    locked: bool
    """True where it is locked"""


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A member in the list."""

    number: int
    """the member's number"""
    nickname: str
    """the member's nickname"""
    joined: str
    """when they joined"""
    calls: int
    """how many calls they have made"""
    seq: int | None
    """the last row of the machine that they called last"""
    last_call: str | None
    """when they called it"""
    checkpoint: str | None
    """the last checkpoint that they have reached"""
    machines: Sequence[MemberMachine]
    """their machines"""
    more: Link | None
    """link to their other machines, where not all are listed"""
    export: str
    """the address of everything that is stored about them"""


@dataclass(frozen=True, slots=True)
class MembersPage(Page):
    """lab/members.html: the members."""

    TEMPLATE: ClassVar[str] = "lab/members.html"
    id: str
    """the lab's id"""
    lab: Link
    """link to the lab"""
    state: str
    """`draft`, `open`, `frozen` or `closed`"""
    members: Sequence[MemberEntry]
    """the members of this part"""
    part: TablePart | None
    """which part of the members is shown"""
    refusal: ShownRefusal | None = None
    """why a form was refused"""


@dataclass(frozen=True, slots=True)
class ActivityPage(Page):
    """lab/activity.html: attendance."""

    TEMPLATE: ClassVar[str] = "lab/activity.html"
    id: str
    """the lab's id"""
    lab: Link
    """link to the lab"""
    rows: Sequence[Activity]
    """what each member has done"""
    calls: int
    """how many calls all have made"""
    active: int
    """how many have made one"""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something done with an instructor's rights."""

    time: str
    """when"""
    who: str
    """by whom"""
    act: str
    """what was done"""
    lab: Link | None
    """link to the lab"""
    target: str
    """the id of what it was done to"""
    detail: str
    """what else is known"""


@dataclass(frozen=True, slots=True)
class AuditPage(Page):
    """lab/audit.html: what was done with an instructor's rights, the latest first."""

    TEMPLATE: ClassVar[str] = "lab/audit.html"
    acts: Sequence[AuditEntry]
    """the entries of this part"""
    older: str | None
    """the address of the next part"""
