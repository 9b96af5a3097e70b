"""Rows of a journal as exercises look at them, and which of them count after undo and rewind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

REWINDS: Final = ("rewind", "undo")


@dataclass(frozen=True, slots=True)
class MadeRow:
    """A call that was made, as a journal has it.

    body: the arguments with values in place of names, from which the call can be made again (the outcome's
    `args`). outcome: the document of the HTTP contract; lists that are too long may be null in it. by: whose
    call it was, where the journal knows.
    """

    seq: int
    name: str
    body: Mapping[str, Any]
    outcome: Mapping[str, Any]
    by: str | None = None


class History(NamedTuple):
    """Rows in their effective history.

    kept: those whose state the machine has, in order. undone: those that were taken back. outside: the row
    that went back to before the first of the rows, from which the state has come; None where none did.
    """

    kept: tuple[MadeRow, ...]
    undone: tuple[MadeRow, ...]
    outside: MadeRow | None


class Place(NamedTuple):
    """A row, and the place before it."""

    row: MadeRow
    before: Place | None


def effective(rows: Iterable[MadeRow]) -> History:
    """The history that led to the state after the last row.

    rows: all of the journal from some seq on, rewinds with `{"to": seq}` as their body. A rewind to the seq
    right before the first row is one to the beginning.
    """
    places: dict[int, Place | None] = {}
    now: Place | None = None
    calls: list[MadeRow] = []
    for row in rows:
        if not places:
            places[row.seq - 1] = None
        if row.name not in REWINDS:
            calls.append(row)
            now = Place(row, now)
        elif row.body["to"] in places:
            now = places[row.body["to"]]
        else:
            now = Place(row, None)
        places[row.seq] = now
    kept: list[MadeRow] = []
    while now is not None:
        kept.append(now.row)
        now = now.before
    kept.reverse()
    outside = kept.pop(0) if kept and kept[0].name in REWINDS else None
    left = {row.seq for row in kept}
    return History(tuple(kept), tuple(row for row in calls if row.seq not in left), outside)
