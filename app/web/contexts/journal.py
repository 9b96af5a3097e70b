"""What the journal, and the banner of one row, are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.web.contexts.base import Fact, Link


@dataclass(frozen=True, slots=True)
class Change:
    """A run of frames that a call changed."""

    text: str
    """the first frame, and how many"""
    state: str
    """the frame state they have now"""
    letter: str
    """the letter of the state"""
    href: str
    """the page with the first frame in the inspector"""


@dataclass(frozen=True, slots=True)
class Press:
    """What to press next: a link, or a button that sends a form."""

    text: str
    """what it says"""
    href: str | None = None
    """the address of a link; None for a button"""
    action: str = ""
    """where the button's form is sent"""
    fields: Sequence[tuple[str, str]] = ()
    """the hidden fields of that form"""
    code: bool = False
    """True where it says a call, and nothing else"""


@dataclass(frozen=True, slots=True)
class CauseView:
    """A mistake of the caller."""

    title: str
    """what kind of mistake it is"""
    text: str
    """the sentence with the facts"""
    kernel: str
    """what the kernel does then"""
    lost: str
    """how many frames have no owner since; empty where none"""
    presses: Sequence[Press]
    """what to press next"""


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """The banner: what a call did, as the kernel answered it."""

    seq: int
    """the row"""
    text: str
    """the call as a line"""
    ret: str
    """what it returned, as text"""
    href: str | None
    """the page with what it returned in the inspector"""
    verdict: str
    """the verdict"""
    headline: str
    """the verdict in words"""
    reason: str
    """why"""
    facts: Sequence[Fact]
    """what else the outcome says"""
    changes: Sequence[Change]
    """the first runs of frames that it changed"""
    more_changes: int
    """how many runs are left out"""
    many: bool
    """True where there are too many runs to be listed"""
    restored: int | None
    """the row whose state the machine has again, for an undo or a rewind"""
    log: Sequence[str]
    """the first lines that the kernel printed"""
    log_more: Link | None
    """link to all lines"""
    curl: str
    """the call as a curl line"""
    python: str
    """the call as a Python line"""
    explain: str
    """the address of the explanation"""
    tone: str
    """the colour: the verdict, or `lost`"""
    cause: CauseView | None
    """the caller's mistake, where the call was one"""
    beside: Sequence[str] = ()
    """what was reclaimed, by the caller and by kernel threads, a line each"""


@dataclass(frozen=True, slots=True)
class JournalRow:
    """One call of the journal."""

    seq: int
    """the row"""
    href: str
    """the machine as the call left it"""
    text: str
    """the call as a line"""
    ret: str
    """what it returned, as text"""
    ret_href: str | None
    """the page with what it returned in the inspector"""
    verdict: str
    """the verdict"""
    by: str | None
    """who made it, by nickname where that is known"""
    current: bool
    """True where the banner shows this row"""
    explain: str
    """the address of the explanation"""
    by_number: str | None = None
    """who made it, as the row has it"""
    beside: Sequence[str] = ()
    """who was killed, and who reclaimed how much"""
    lost: str = ""
    """how many frames have no owner since, where the verdict does not show that something is wrong"""


@dataclass(frozen=True, slots=True)
class Finding:
    """The search in the journal."""

    text: str
    """what is searched for"""
    view: Sequence[tuple[str, str]]
    """the other parts of the address, as names and values"""
    note: str | None
    """what was not found, or not searched yet"""
