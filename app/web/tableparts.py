"""Parts of long lists: which part is shown, and links to the parts beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from app.web import wording
from app.web.address import Address
from app.web.contexts.base import Link, TablePart
from app.web.language import _

ROWS: Final = 100


def first_row(here: Address, total: int) -> int:
    """How many rows stand before the part that an address asks for: of too many, those before the last."""
    return first_of(here.row or 0, total, ROWS)


def first_of(asked: int, total: int, rows: int) -> int:
    """The same of a list that comes so many rows at a time."""
    return min(asked, max(0, total - 1)) // rows * rows


def table_part(here: Address, first: int, total: int) -> TablePart | None:
    """The part of a panel's table that begins behind `first` of `total` rows; None where that is all."""
    return part_of(lambda row: here.to(row=row or None).href, first, total, ROWS)


def part_of(href: Callable[[int], str], first: int, total: int, rows: int) -> TablePart | None:
    """The part of a list that comes so many rows at a time. href: of the part behind so many rows."""
    if total <= rows:
        return None
    last = min(total, first + rows)
    return TablePart(
        words=_(
            "%(first)s to %(last)s of %(total)s",
            first=wording.count(first + 1),
            last=wording.count(last),
            total=wording.count(total),
        ),
        earlier=Link(_("Earlier"), href(max(0, first - rows)) if first else None),
        later=Link(_("Later"), href(last) if last < total else None),
    )
