"""What the page that takes a GFP mask apart is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page


@dataclass(frozen=True, slots=True)
class GfpPage(Page):
    """gfp.html: a mask taken apart."""

    TEMPLATE: ClassVar[str] = "gfp.html"
    typed: str
    """the text of the field"""
    error: str | None
    """why the text is no mask"""
    suggestions: Sequence[Link]
    """other masks that were perhaps meant"""
    kernel: str
    """the version of the kernel that printed the mask, as it was typed"""
    kernel_error: str | None
    """why that is no version"""
    readings: Sequence[MaskReading]
    """what kernels mean by the mask, where they differ"""
    value: int
    """the mask as a number of 6.1; of several readings, what the likeliest means"""
    line: str
    """what the kernel prints for it with `%pGg`"""
    lecture: str
    """the same line with the lecture's names"""
    facts: Sequence[GfpFact]
    """what the mask means, as questions and answers"""
    groups: Sequence[GfpGroup]
    """every flag by kind"""
    advice: Advice
    """which flag to use when"""


@dataclass(frozen=True, slots=True)
class MaskReading:
    """What one kernel means by a mask."""

    kernel: str
    """the version, or from which to which"""
    mask: int
    """its number there"""
    names: str
    """its flags there"""
    now: Link
    """the mask that means the same in 6.1"""
    unknown: int
    """bits that were no flag"""
    likely: bool
    """whether masks like this are written for that kernel"""


@dataclass(frozen=True, slots=True)
class Advice:
    """Which flag to use when: by place, with a column for each kind of memory, and by purpose."""

    columns: Sequence[str]
    """titles of the columns of `places`"""
    places: Sequence[AdviceRow]
    """where code runs, and which masks are allowed there"""
    purposes: Sequence[AdviceRow]
    """what memory is for, and which mask asks for it"""


@dataclass(frozen=True, slots=True)
class AdviceRow:
    """One situation, the masks that fit it, and why."""

    when: str
    """the situation"""
    masks: Sequence[Link]
    """links to the masks that fit"""
    why: str
    """the reason"""


@dataclass(frozen=True, slots=True)
class GfpFact:
    """One consequence of a mask."""

    question: str
    """what one may want to know"""
    answer: str
    """what the mask says about it"""
    sure: bool = True
    """False where the answer is a warning"""


@dataclass(frozen=True, slots=True)
class GfpGroup:
    """One of the lecture's tables of flags."""

    title: str
    """the title of the table"""
    flags: Sequence[GfpFlag]
    """the rows"""
    composed: bool = False
    """True where the flags are made of others, in 6.1 and in the lecture"""


@dataclass(frozen=True, slots=True)
class GfpFlag:
    """One flag, or one composed mask."""

    name: str
    """the name in Linux 6.1"""
    value: int
    """its bits"""
    doc: str
    """what it means"""
    on: bool
    """True where all its bits are in the mask"""
    then: str | None
    """the lecture's spelling"""
    composed: str
    """what a composed mask is made of in 6.1"""
    composed_then: str
    """what a composed mask was made of in the lecture"""
    since: bool = False
    """True where the lecture's kernel did not have it"""
