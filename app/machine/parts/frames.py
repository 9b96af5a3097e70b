"""Page frames with a count or flags of their own in a dump, and pieces of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from app.machine.parts.part import Dump, Part
from app.mm import page_ref
from app.mm.page import PAGEFLAGS_MASK, PG_reserved, StrayPage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_FRAMES: Final = 1_000_000
INT_MAX: Final = (1 << 31) - 1


def dump(m: Machine, doc: Dump) -> None:
    """`stray`: `[pfn, count, flags]`; `pieces`: `[first frame of a piece, first frame of its block]`."""
    doc["stray"] = [[pfn, stray.refcount, stray.flags] for pfn, stray in sorted(m.stray.items())]
    doc["pieces"] = [[pfn, first] for pfn, first in sorted(m.pieces.items())]


def load(m: Machine, doc: Document) -> None:
    """Inverse of `dump`; the blocks in use must have been read before."""
    for entry in doc.get("stray", []).list(MAX_FRAMES):
        pfn, refcount, flags = entry.list(3, exactly=3)
        frame = load_pfn(m, pfn)
        if frame in m.pages:
            pfn.fault("a page frame that is not the first of a block")
        m.stray[frame] = StrayPage(refcount.int(-INT_MAX - 1, INT_MAX), flags.int(0, PAGEFLAGS_MASK))
    for entry in doc.get("pieces", []).list(MAX_FRAMES):
        piece, first = entry.list(2, exactly=2)
        frame = load_pfn(m, piece)
        if frame not in m.pages:
            piece.fault("the first page frame of a block in use")
        m.pieces[frame] = load_pfn(m, first)


def load_pfn(m: Machine, doc: Document) -> int:
    """A frame of this machine."""
    pfn = doc.int(0, m.model.spans[-1][1])
    if not m.model.pfn_valid(pfn):
        doc.fault("a page frame of this machine")
    return pfn


def verify(m: Machine) -> Iterator[str]:
    """Frames with a record of their own: not first of a block, and with something to say."""
    for pfn, stray in m.stray.items():
        usual = (1, PG_reserved) if page_ref.is_reserved(m, pfn) else (0, 0)
        if pfn in m.pages or (stray.refcount, stray.flags) == usual:
            yield f"frame {pfn:#x} has a record of its own and needs none"


PART: Final = Part("frames", dump, load, verify)
