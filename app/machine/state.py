"""A machine's whole state for keeping: quick to write, and quick to read by `loading.restore`.

It is the dump in another form: the blocks in use, which are most of a large dump, stand in columns, and what
many of them have in common is written once. Two states are equal exactly when the dumps are.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from app.machine import dump

if TYPE_CHECKING:
    from app.machine.machine import Machine

# What blocks have in common, in the order in which a kind is written down.
kind_of = attrgetter("order", "refcount", "flags", "gfp", "state", "task")


def save(m: Machine) -> dict[str, Any]:
    """The machine as a document of plain JSON values."""
    return dump.dump(m, pages=columns(m))


def columns(m: Machine) -> dict[str, Any]:
    """The blocks in use in ascending order: distance from the one before, kind, seq and private of each."""
    pfns = sorted(m.pages)
    pages = [m.pages[pfn] for pfn in pfns]
    kinds: dict[tuple[Any, ...], int] = defaultdict(count().__next__)
    return {
        "step": [pfn - before for pfn, before in zip(pfns, [0, *pfns], strict=False)],
        "kind": [kinds[kind] for kind in map(kind_of, pages)],
        "seq": [page.seq for page in pages],
        "private": [page.private for page in pages],
        "kinds": [list(kind) for kind in kinds],
    }
