"""What the pages of sheets are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page, ShownRefusal


@dataclass(frozen=True, slots=True)
class SheetCard:
    """A sheet in the list."""

    title: str
    """its title"""
    href: str
    """the address of its page"""
    state: str
    """`waiting`, `open`, `late` or `over`"""
    words: str
    """the same in words"""
    due: str
    """when it is due, or opens; empty where neither is said"""
    exercises: int
    """how many exercises it has"""
    points: str
    """what was earned, of what it is worth"""
    mode: str
    """how it is worked on"""
    released: bool
    """True where what is right is shown to all"""


@dataclass(frozen=True, slots=True)
class Offered:
    """An exercise that a sheet may have."""

    name: str
    """its name"""
    title: str
    """its title"""
    teaser: str
    """what it is about"""
    chosen: bool
    """True where the sheet has it"""
    points: str
    """what it is worth there"""


@dataclass(frozen=True, slots=True)
class SheetForm:
    """The form that makes or changes a sheet."""

    action: str
    """where it is sent"""
    typed: Mapping[str, str]
    """what stands in its fields"""
    modes: Sequence[tuple[str, str]]
    """how a sheet may be worked on, with words"""
    counts: Sequence[tuple[str, str]]
    """which attempts may count, with words"""
    offered: Sequence[Offered]
    """the exercises; none where they cannot be changed"""
    button: str
    """what the button says"""
    refusal: ShownRefusal | None
    """why it was refused"""


@dataclass(frozen=True, slots=True)
class SheetsPage(Page):
    """lab/sheets.html: the sheets of a lab."""

    TEMPLATE: ClassVar[str] = "lab/sheets.html"
    lab: Link
    """link to the lab"""
    sheets: Sequence[SheetCard]
    """the sheets"""
    form: SheetForm | None
    """the form of a new one, for the instructor"""


@dataclass(frozen=True, slots=True)
class TaskMark:
    """A task of an exercise, as far as a member has come."""

    state: str
    """`open`, `tried`, `solved` or `shown`"""
    letter: str
    """the same as a sign"""
    words: str
    """the task, its state, and what it has earned"""


@dataclass(frozen=True, slots=True)
class ItemCard:
    """An exercise of a sheet."""

    title: str
    """its title"""
    points: str
    """what was earned, of what it is worth"""
    tasks: Sequence[TaskMark]
    """its tasks"""
    href: str | None
    """where it is worked on; None before it was begun"""
    action: str
    """where the form is sent that begins it, or gives another variant; empty where none can be had"""
    button: str
    """what the button or link says"""


@dataclass(frozen=True, slots=True)
class ExtensionView:
    """Another time for a member."""

    number: int
    """the member"""
    nickname: str
    """their nickname"""
    due: str
    """until when"""
    reason: str
    """why"""
    remove: str
    """where the form is sent that takes it back"""


@dataclass(frozen=True, slots=True)
class SheetPage(Page):
    """lab/sheet.html: a sheet for a member, and for its instructor."""

    TEMPLATE: ClassVar[str] = "lab/sheet.html"
    lab: Link
    """link to the lab"""
    at: str
    """its address"""
    text: str
    """what stands above the exercises, as HTML"""
    card: SheetCard
    """its state"""
    notes: Sequence[str]
    """what one ought to know before beginning"""
    items: Sequence[ItemCard]
    """its exercises"""
    taught: bool
    """True for the instructor"""
    form: SheetForm | None
    """the form that changes it, for the instructor"""
    extensions: Sequence[ExtensionView]
    """who has another time"""
    members: Sequence[tuple[str, str]]
    """members who may get one, number and nickname"""
    typed: Mapping[str, str]
    """what stood in the refused form of another time"""
    refusal: ShownRefusal | None
    """why something was refused"""
