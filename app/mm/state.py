"""A machine's whole state for keeping, and back in a hurry.

It is the dump in another form: the blocks in use, which are most of a large dump, stand in columns, and what
many of them have in common is written once. Two states are equal exactly when the dumps are. A dump comes
from anywhere and is checked line by line; a state comes from this program, and whoever keeps it sees by a
hash that it is what it was. So never restore a state that a client could have made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import accumulate, count
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from app.mm import dump
from app.mm.page import Page

if TYPE_CHECKING:
    from app.mm.machine import Machine

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


def restore(document: Mapping[str, Any]) -> Machine:
    """The machine of a state, or of a dump, which is what states were before; that one is checked."""
    if not isinstance(document.get("pages"), dict):
        return dump.load(document)
    return dump.load(document, read_pages)


def read_pages(m: Machine, document: Mapping[str, Any]) -> None:
    """Inverse of `columns`."""
    lines = document["pages"]
    kinds = lines["kinds"]
    pages = m.pages
    for pfn, kind, seq, private in zip(
        accumulate(lines["step"]), lines["kind"], lines["seq"], lines["private"], strict=True
    ):
        order, refcount, flags, gfp, state, task = kinds[kind]
        page = pages[pfn] = Page(pfn, order, flags, gfp, state, task, seq)
        if refcount != 1:
            page.refcount = refcount
        if private:
            page.private = private
