"""One block of the largest order, frame by frame: what a split or a merge did in it, at any zoom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.machine import show
from app.machine.block_orders import NO_ORDER
from app.machine.machine import Machine
from app.mm.mmzone import MAX_ORDER_NR_PAGES
from app.web import wording
from app.web.contexts.framemap import CloseUp, CloseUpLabel
from app.web.framemap import look_of
from app.web.language import _

Doc = Mapping[str, Any]
Run = tuple[int, int, str, int]  # first frame, frames, state, order

NAMED: Final = 40  # frames of a block that has room for its order
TOLD: Final = 12  # blocks that are told one by one
HEIGHT: Final = 10
# About how much work reading is, as `app.machine.show_cost` counts it.
COST: Final = MAX_ORDER_NR_PAGES // 4


def read(machine: Machine, pfn: int) -> Doc:
    """Read the frames of the block of the largest order around a frame."""
    return show.zonemap(machine, start=pfn & -MAX_ORDER_NR_PAGES, shift=0, cells=MAX_ORDER_NR_PAGES)


def close_up(doc: Doc, changed: Sequence[Sequence[Any]]) -> CloseUp:
    """Draw it. changed: runs that the shown call changed; the blocks that they touch are outlined."""
    start = doc["start"]
    blocks = list(runs(doc))
    looks: dict[str, str] = {}
    for pfn, frames, state, order in blocks:
        look = look_of(state, order)
        looks[look] = looks.get(look, "") + box(pfn - start, frames)
    touched = [
        block
        for block in blocks
        if any(pfn < block[0] + block[1] and pfn + frames > block[0] for pfn, frames, _state in changed)
    ]
    return CloseUp(
        first=start,
        last=start + len(doc["cells"]) - 1,
        looks=list(looks.items()),
        edges="".join(box(pfn - start, frames) for pfn, frames, _state, _order in blocks),
        changed="".join(box(pfn - start, frames) for pfn, frames, _state, _order in touched),
        labels=[
            CloseUpLabel(round((pfn - start + frames / 2) * 100 / MAX_ORDER_NR_PAGES, 2), state, str(order))
            for pfn, frames, state, order in blocks
            if frames >= NAMED and order != NO_ORDER
        ],
        words=words(blocks),
    )


def runs(doc: Doc) -> Iterator[Run]:
    """The blocks from the first frame on; frames in no block are one run for each state."""
    cells, orders, start = doc["cells"], doc["orders"], doc["start"]
    at = 0
    while at < len(cells):
        state, order, after = cells[at], orders[at], at + 1
        if order == NO_ORDER:
            while after < len(cells) and cells[after] == state and orders[after] == NO_ORDER:
                after += 1
        else:
            pfn = start + at
            after = min(len(cells), (pfn & -(1 << order)) + (1 << order) - start)
        yield start + at, after - at, doc["states"][state], order
        at = after


def box(x: int, width: int) -> str:
    """A block as a piece of a path."""
    return f"M{x} 0h{width}v{HEIGHT}h-{width}z"


def words(blocks: Sequence[Run]) -> str:
    """The same in words, as far as they can be listened to."""
    told = [
        _("%(pfn)s %(state)s, 2^%(order)s frames", pfn=wording.pfn(pfn), state=state, order=order)
        if order != NO_ORDER
        else _(
            "%(pfn)s %(state)s, %(frames)s frames",
            pfn=wording.pfn(pfn),
            state=state,
            frames=wording.count(frames),
        )
        for pfn, frames, state, order in blocks[:TOLD]
    ]
    if len(blocks) > TOLD:
        told.append(_("and %(more)s more", more=wording.count(len(blocks) - TOLD)))
    return "; ".join(told)
