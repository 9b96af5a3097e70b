"""What the templates of labs are given, as in contexts.py: the entrance, keys, labs, members, records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.labs import Activity
from app.web.contexts import Link, Page, Refusal, Sleeper, TablePart

# -- the entrance ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinPage(Page):
    """lab/join.html: code and nickname.

    typed: what stood in a refused form. lab: the title of the lab that the code opens, where it is known.
    back: where an instructor wanted to go. inside: who the browser is already, with a link there.
    """

    TEMPLATE: ClassVar[str] = "lab/join.html"
    typed: Mapping[str, str]
    lab: str | None
    back: str
    inside: Inside | None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Inside:
    """Who has come in already. member: of a lab, which another one would replace in this browser."""

    name: str
    member: bool
    href: str


@dataclass(frozen=True, slots=True)
class SignInPage(Page):
    """lab/signin.html: an instructor's name and password. back: where they wanted to go."""

    TEMPLATE: ClassVar[str] = "lab/signin.html"
    typed: Mapping[str, str]
    back: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class SetUpPage(Page):
    """lab/setup.html: a new instructor. action: the link itself."""

    TEMPLATE: ClassVar[str] = "lab/setup.html"
    typed: Mapping[str, str]
    action: str
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class EnterPage(Page):
    """lab/enter.html: whose personal link it is. action: the link itself."""

    TEMPLATE: ClassVar[str] = "lab/enter.html"
    name: str
    action: str
    inside: Inside | None


@dataclass(frozen=True, slots=True)
class ConfirmPage(Page):
    """lab/confirm.html: something that cannot be taken back.

    words: what happens then, a paragraph each. action, button: what does it. keep: the way back. save: what
    may be wanted first.
    """

    TEMPLATE: ClassVar[str] = "lab/confirm.html"
    words: Sequence[str]
    action: str
    button: str
    keep: Link
    save: Link | None = None
    refusal: Refusal | None = None


# -- the keys ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A secret, shown this once. kind: `token`, `link` or `invitation`. picture: of a link, as data."""

    kind: str
    text: str
    picture: str | None = None
    curl: str = ""
    python: str = ""


@dataclass(frozen=True, slots=True)
class KeysPage(Page):
    """lab/keys.html: who one is, and with what one comes back.

    member: an instructor has a password instead. export: all that there is of a member, as a file.
    """

    TEMPLATE: ClassVar[str] = "lab/keys.html"
    name: str
    member: bool
    lab: Link | None
    export: str | None = None
    shown: Shown | None = None


# -- labs --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabRow:
    """A lab in the list. state: `open`, `frozen` or `closed`, in words. code: None where nobody is let in."""

    title: str
    href: str
    state: str
    code: str | None
    created: str


@dataclass(frozen=True, slots=True)
class LabsPage(Page):
    """lab/labs.html: an instructor's labs, and the form for one more.

    expected: members, where nothing else is typed. typed: what stood in a refused form.
    """

    TEMPLATE: ClassVar[str] = "lab/labs.html"
    labs: Sequence[LabRow]
    expected: int
    typed: Mapping[str, str]
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A checkpoint on the way of a prepared machine.

    own: how a member has come to it (`done`, `caught up`), None where they have not. count: how many of the
    class have, in words; share: the same in thousandths.
    """

    id: str
    title: str
    seq: int
    own: str | None = None
    count: str = ""
    share: int = 0


@dataclass(frozen=True, slots=True)
class CopyRow:
    """A member's machine. next: the title of the checkpoint to which it can be brought; checkpoint: its id.

    starts_over: what has been called is left for that. last: its last call, as a line.
    """

    id: str
    name: str
    href: str
    seq: int
    picture: str
    picture_words: str
    last: str | None
    verdict: str | None
    when: str | None
    next: str | None
    checkpoint: str | None
    starts_over: bool
    locked: bool


@dataclass(frozen=True, slots=True)
class PreparedView:
    """A prepared machine: its stages, and a member's copies of it."""

    id: str
    title: str
    seq: int
    stages: Sequence[Stage]
    copies: Sequence[CopyRow]
    href: str | None = None
    picture: str | None = None
    kind: str = "prepared"


@dataclass(frozen=True, slots=True)
class SharedView:
    """A machine that goes on for everybody. kind: `operate` or `watch`. sleepers: whom one may release."""

    id: str
    title: str
    kind: str
    href: str
    seq: int
    picture: str
    sleepers: Sequence[Sleeper] = ()


@dataclass(frozen=True, slots=True)
class LabPage(Page):
    """lab/lab.html: a lab as its members have it.

    text: what the instructor has written, as HTML that has been cleaned. task: as what shared machines know
    the member. presenter: where the instructor is. others: machines of the member's own that are no copies.
    """

    TEMPLATE: ClassVar[str] = "lab/lab.html"
    id: str
    text: str
    state: str
    task: str
    prepared: Sequence[PreparedView]
    shared: Sequence[SharedView]
    others: Sequence[CopyRow]
    presenter: Link | None
    refusal: Refusal | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class Invitation:
    """How people come in: the code as it is written, the link, and until when. picture: the link as QR."""

    code: str
    link: str
    until: str
    picture: str


@dataclass(frozen=True, slots=True)
class TaughtPage(Page):
    """lab/taught.html: a lab as its instructor has it.

    source: its text as it was typed. invitation: None where nobody is let in. sessions: id and name of what
    can be put into it. typed, refusal: of the form `at`, which was refused. members: how many, and how many
    are expected. waiting: how many wait to be admitted; newest: the last of them.
    """

    TEMPLATE: ClassVar[str] = "lab/taught.html"
    id: str
    text: str
    source: str
    state: str
    invitation: Invitation | None
    prepared: Sequence[PreparedView]
    shared: Sequence[SharedView]
    sessions: Sequence[tuple[str, str]]
    members: int
    expected: int
    waiting: int
    newest: Sequence[WaitingRow]
    typed: Mapping[str, str]
    refusal: Refusal | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """Somebody who waits to be admitted."""

    number: int
    nickname: str
    joined: str


@dataclass(frozen=True, slots=True)
class WaitingPage(Page):
    """lab/waiting.html: somebody has joined a lab that is full. instructor: who may admit them."""

    TEMPLATE: ClassVar[str] = "lab/waiting.html"
    nickname: str
    instructor: str
    closed: bool


@dataclass(frozen=True, slots=True)
class BoardPage(Page):
    """lab/board.html: the way in, for the projector."""

    TEMPLATE: ClassVar[str] = "lab/board.html"
    id: str
    invitation: Invitation | None
    host: str


# -- members, and what was done ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MachineOf:
    """A machine of a member's."""

    id: str
    name: str
    href: str
    seq: int
    locked: bool


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member. seq, last_call: of the machine that they have called last. export: all that is theirs.

    more: the way to their other machines, where not all are listed.
    """

    number: int
    nickname: str
    joined: str
    calls: int
    seq: int | None
    last_call: str | None
    checkpoint: str | None
    machines: Sequence[MachineOf]
    more: Link | None
    export: str


@dataclass(frozen=True, slots=True)
class MembersPage(Page):
    """lab/members.html: the roster. part: which members are shown, where not all are."""

    TEMPLATE: ClassVar[str] = "lab/members.html"
    id: str
    lab: Link
    state: str
    members: Sequence[MemberRow]
    part: TablePart | None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class ActivityPage(Page):
    """lab/activity.html: attendance. calls: of all. active: how many have made one."""

    TEMPLATE: ClassVar[str] = "lab/activity.html"
    id: str
    lab: Link
    rows: Sequence[Activity]
    calls: int
    active: int


@dataclass(frozen=True, slots=True)
class ActRow:
    """Something that not everybody may do. lab: in which. target: the id of what it was done to."""

    time: str
    who: str
    act: str
    lab: Link | None
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class AuditPage(Page):
    """lab/audit.html: such acts, the latest first. older: the next part."""

    TEMPLATE: ClassVar[str] = "lab/audit.html"
    acts: Sequence[ActRow]
    older: str | None
