"""Tables for spreadsheets, which take a cell for a formula where it begins like one.

What somebody has typed gets an apostrophe before it there, and is text. Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from app.labs.activity import Activity

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"

# The last four are taken for their narrow forms by some.
FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

Cell = str | int | None


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table with names above its columns."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(head)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return file.getvalue().encode()


def inert(cell: Cell) -> Cell:
    """A cell that is no formula, whoever reads it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULAS) else cell


def activity(rows: Iterable[Activity]) -> bytes:
    """What the members of a lab have done."""
    return table(Activity._fields, rows)
