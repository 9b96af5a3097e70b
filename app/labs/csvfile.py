"""Tables for spreadsheets, which take a cell for a formula where it begins like one.

Typed text gets an apostrophe before it there, and stays text. Numbers stay numbers. Where cells end is the
reader's affair: in many countries a semicolon ends one. So what could end a cell is treated as if a new one
began behind it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Final

from app.labs.activity import Activity
from app.labs.polls import Participation

CSV_TYPE: Final = "text/csv; charset=utf-8; header=present"

# The last four are taken for their narrow forms by some. Blanks and quotes before them are passed over.
_FORMULA: Final = "[=+\\-@＝＋－＠]"
BEGINS: Final = re.compile(rf'[\t\r\n]|[\s"]*{_FORMULA}')
BEGINS_AGAIN: Final = re.compile(rf'([;,|\t\r\n][\s"]*)(?={_FORMULA})')

# Without one Excel reads a table in the code page of the computer, and letters of other alphabets break.
BYTE_ORDER_MARK: Final = "\ufeff".encode()

Cell = str | int | None


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table with names above its columns."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(head)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return file.getvalue().encode()


def inert(cell: Cell) -> Cell:
    """A cell that no spreadsheet takes for a formula."""
    if not isinstance(cell, str):
        return cell
    text = BEGINS_AGAIN.sub(r"\1'", cell)
    return f"'{text}" if BEGINS.match(cell) else text


def activity(rows: Iterable[Activity], *, bom: bool = True) -> bytes:
    """What the members of a lab have done. bom: with a byte-order mark."""
    return marked(table(Activity._fields, rows), bom=bom)


def participation(rows: Iterable[Participation], *, bom: bool = True) -> bytes:
    """In how many polls the members of a lab have voted. bom: with a byte-order mark."""
    cells = ((one.number, one.nickname, one.polls, one.votes) for one in rows)
    return marked(table(("number", "nickname", "polls", "votes"), cells), bom=bom)


def marked(made: bytes, *, bom: bool) -> bytes:
    """A table as it is saved: with a byte-order mark, unless it is not wanted."""
    return BYTE_ORDER_MARK + made if bom else made
