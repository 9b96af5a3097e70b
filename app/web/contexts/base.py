"""What every page is given: who is signed in, preferences, links, facts and refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.preferences import Preferences


@dataclass(frozen=True, slots=True)
class Who:
    """The person at the browser, in lab mode."""

    kind: str
    """`instructor`, `member`, `waiting`, or `visitor` for somebody who has not signed in"""
    name: str = ""
    """the name that the bar shows"""
    lab: str | None = None
    """the address of a member's lab"""


@dataclass(frozen=True, slots=True)
class Shell:
    """What stands around every page."""

    preferences: Preferences
    """theme, spelling and size, from cookies"""
    language: str
    """the code of the page's language"""
    texts: str | None
    """the address where scripts find their texts in that language; None for English"""
    asset: Callable[[str], str]
    """turns the name of a static file into its address"""
    integrity: Callable[[str], str]
    """turns the name of a static file into what a browser checks it against"""
    modules: Callable[[str], Sequence[str]]
    """turns the name of a module into the addresses of all modules that it imports"""
    here: str
    """the address to come back to after a form of the bar"""
    who: Who | None = None
    """the person at the browser; None in open mode"""


@dataclass(frozen=True, slots=True)
class Link:
    """A link."""

    text: str
    """what the link says"""
    href: str | None
    """the address; None for a link that leads nowhere now and is shown as inactive"""
    current: bool = False
    """True where the link leads to what is shown already"""
    hint: str = ""
    """the tooltip"""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One field that was refused."""

    field: str
    """the name of the field; empty for a fault of the whole request"""
    message: str
    """what would be accepted"""
    label: str = ""
    """what the page calls the field, where that is not its name"""
    word: str = ""
    """what stands in the field and is not known"""
    suggestions: Sequence[str] = ()
    """what was probably meant instead"""


@dataclass(frozen=True, slots=True)
class ShownRefusal:
    """A request that was not carried out: nothing happened, nothing is in the journal."""

    title: str
    """what did not happen"""
    faults: Sequence[FieldFault]
    """the fields at fault"""

    def of(self, name: str) -> str | None:
        """What is wrong with a field."""
        return next((fault.message for fault in self.faults if fault.field == name), None)


@dataclass(frozen=True, slots=True)
class Page:
    """What every template is given."""

    TEMPLATE: ClassVar[str]
    shell: Shell
    """what stands around the page"""
    title: str
    """the title of the browser's tab"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name with its value, in a list of facts."""

    name: str
    """what the value is"""
    value: str
    """the value as text"""
    lecture: str | None = None
    """the name that older kernels, and the lecture, use"""
    href: str | None = None
    """the address of what the value names"""
    hint: str = ""
    """the tooltip"""


@dataclass(frozen=True, slots=True)
class TablePart:
    """The part of a long table that is shown."""

    words: str
    """which rows of how many"""
    earlier: Link
    """link to the part before"""
    later: Link
    """link to the part after"""


@dataclass(frozen=True, slots=True)
class ErrorPage(Page):
    """error.html: what went wrong and where to go on."""

    TEMPLATE: ClassVar[str] = "error.html"
    detail: str
    """what went wrong, in words"""
    links: Sequence[Link]
    """pages to go on with"""
