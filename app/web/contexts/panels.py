"""What every panel of the machine page is given; what one panel is given stands in its module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from app.web.contexts.base import Link, TablePart


@dataclass(frozen=True, slots=True)
class PanelView:
    """What the template of a panel is given as `panel`. Each panel adds fields of its own."""

    TEMPLATE: ClassVar[str]


@dataclass(frozen=True, slots=True)
class TablePanel:
    """A table in a panel."""

    caption: str
    """what the table shows"""
    columns: Sequence[tuple[str, bool]]
    """title of each column, and whether it holds numbers"""
    rows: Sequence[Sequence[str | Link | Sequence[Link]]]
    """a text, a link or some links for each column"""
    empty: str
    """what is said instead of a table without rows"""
    part: TablePart | None = None
    """which part of the table is shown, where that is not all"""
