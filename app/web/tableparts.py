"""Long tables, part by part: which part an address asks for, and the ways to the others."""

from __future__ import annotations

from typing import Final

from app.web import wording
from app.web.address import Address
from app.web.contexts import Link, TablePart
from app.web.language import _

ROWS: Final = 100


def first_row(here: Address, total: int) -> int:
    """How many rows stand before the part that an address asks for: of too many, those before the last."""
    return min(here.row or 0, max(0, total - 1)) // ROWS * ROWS


def table_part(here: Address, first: int, total: int) -> TablePart | None:
    """Which rows of how many are shown, with ways to the parts beside; None where all are shown."""
    if total <= ROWS:
        return None
    last = min(total, first + ROWS)
    return TablePart(
        words=_(
            "%(first)s to %(last)s of %(total)s",
            first=wording.count(first + 1),
            last=wording.count(last),
            total=wording.count(total),
        ),
        earlier=Link(_("Earlier"), here.to(row=first - ROWS or None).href if first else None),
        later=Link(_("Later"), here.to(row=last).href if last < total else None),
    )
