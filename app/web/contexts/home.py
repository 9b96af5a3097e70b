"""What the home page, and the page that deletes a session, are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page, ShownRefusal
from app.web.contexts.demo import DemoRow
from app.web.contexts.exercise import ExerciseRow


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """A session in the list."""

    id: str
    """the session's id"""
    name: str
    """the session's name"""
    href: str
    """the address of its machine page"""
    profile: str
    """the profile that it was made from"""
    memory: str
    """the size of its memory"""
    seq: int
    """its last row"""
    calls: int
    """how many rows its own journal has"""
    last: str | None
    """its last call as text"""
    verdict: str | None
    """the verdict of its last call; None where there was no call"""
    created: str
    """when it was made"""
    map: str
    """the address of its thumbnail"""
    map_words: str
    """what the thumbnail shows"""
    api: str
    """the session's address in the API"""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """A profile from which a machine can be made, with its figures."""

    name: str
    """the name in the API"""
    title: str
    """the name for people"""
    memory: str
    """the size of the memory"""
    frames: int
    """how many page frames it has"""
    zones: Sequence[tuple[str, str]]
    """each zone with its size"""
    overhead: str
    """what its struct pages cost"""
    note: str
    """what is special about it"""


@dataclass(frozen=True, slots=True)
class HomePage(Page):
    """home.html: the sessions, and the forms that make one."""

    TEMPLATE: ClassVar[str] = "home.html"
    sessions: Sequence[SessionEntry]
    """the sessions of this part of the list"""
    more: str | None
    """the address of the next part"""
    profiles: Sequence[ProfileRow]
    """the profiles that the form offers"""
    typed: dict[str, str]
    """what stood in a refused form"""
    dump_limit: str
    """the largest dump that can be uploaded, in words"""
    import_limit: str
    """the largest journal that can be uploaded, in words"""
    demos: Sequence[DemoRow] = ()
    """the guided demos"""
    demo_faults: Sequence[str] = ()
    """files of demos that cannot be used, and why"""
    exercises: Sequence[ExerciseRow] = ()
    """the exercises"""
    exercise_faults: Sequence[str] = ()
    """files of exercises that cannot be used, and why"""
    refusal: ShownRefusal | None = None
    """why a form was refused"""
    form: str = ""
    """which form was refused: `profile`, `file` or `proc`"""
    renaming: str | None = None
    """the id of the session whose new name was refused"""
    labs: Sequence[Link] = ()
    """where an instructor teaches, or a member is"""


@dataclass(frozen=True, slots=True)
class DeletePage(Page):
    """delete.html: what is lost when a session is deleted."""

    TEMPLATE: ClassVar[str] = "delete.html"
    id: str
    """the session's id"""
    name: str
    """the session's name"""
    calls: int
    """how many calls are lost"""
    labs: Sequence[Link]
    """labs that have the session as a machine"""
