"""What the page with the life of a frame, or of a page of a process, is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, Page


@dataclass(frozen=True, slots=True)
class LifeRow:
    """A row of the journal in which something became of it."""

    seq: Link
    """the row, with the machine as it was then"""
    call: str
    """who called what"""
    what: str
    """what became of it, in words"""
    state: str
    """the frame state afterwards; empty where there is no frame"""
    letter: str
    """the letter of the state"""
    frame: Link | None
    """the frame; None where there is none"""
    counts: str
    """references and mappings"""
    place: str
    """the LRU list or batch"""


@dataclass(frozen=True, slots=True)
class LifePage(Page):
    """life.html: every row in which something became of a frame, or of a page of a process."""

    TEMPLATE: ClassVar[str] = "life.html"
    back: Link
    """to the machine"""
    subject: str
    """which frame, or which page of whom"""
    meaning: str
    """what is listed"""
    rows: Sequence[LifeRow]
    """the rows"""
    onward: str | None
    """the address of the rows behind those; None where that is all"""
    refusal: str | None
    """why nothing can be said; None where it can"""
