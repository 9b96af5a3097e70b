"""The blocks in use in a dump, and their quick form in a state."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from operator import ge, gt
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.machine.parts.shape import MAX_PFN
from app.mm.memory_model import PTR_MAX
from app.mm.mmzone import MAX_ORDER
from app.mm.page import STATES, Page, PG_head
from app.mm.page_free import OWNED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from app.machine.document import Document
    from app.machine.machine import Machine

MAX_COUNT: Final = 1 << 40
# A session's limit looks at what a call asks for, not at the slabs and tables that it takes besides.
MAX_BLOCKS: Final = 1_500_000
# What stands in the line of a block in use: bounds of a number, words of a choice, the length of a word.
PFN: Final = (0, MAX_PFN)
ORDER: Final = (0, MAX_ORDER - 1)
REFCOUNT: Final = (-(1 << 31), (1 << 31) - 1)
FLAGS: Final = (0, PTR_MAX["x86_64"])
GFP: Final = (0, 0xFFFFFFFF)
TASK: Final = 32
COUNT: Final = (0, MAX_COUNT)
PAGE_LINE: Final = (PFN, ORDER, REFCOUNT, FLAGS, GFP, STATES, TASK, COUNT, COUNT)


# -- writing -------------------------------------------------------------------------------------------------


def dump(m: Machine, doc: Dump) -> None:
    """The allocated blocks, each by position to keep large dumps small."""
    pages = map(m.pages.__getitem__, sorted(m.pages))
    doc["pages"] = [
        [
            page.pfn, page.order, page.refcount, page.flags, page.gfp, page.state, page.task, page.seq,
            page.private,
        ]
        for page in pages
    ]  # fmt: skip


def save(m: Machine, doc: Dump) -> None:
    """The same in columns, in ascending order: what many of them have in common is written once.

    Distance from the one before, kind, seq and private of each; no `private` at all where none has any.
    """
    pfns = sorted(m.pages)
    kinds: dict[tuple[Any, ...], int] = {}
    kind: list[int] = []
    seq: list[int] = []
    private: list[int] = []
    before, number = None, 0
    # One loop, in which neighbours of one kind are not looked up: a machine may have a million of them.
    for page in map(m.pages.__getitem__, pfns):
        its_kind = page.order, page.refcount, page.flags, page.gfp, page.state, page.task
        if its_kind != before:
            before = its_kind
            number = kinds.setdefault(its_kind, len(kinds))
        kind.append(number)
        seq.append(page.seq)
        private.append(page.private)
    doc["pages"] = {
        "step": [pfn - previous for pfn, previous in zip(pfns, [0, *pfns], strict=False)],
        "kind": kind,
        "seq": seq,
        "private": private if any(private) else [],
        "kinds": [list(its_kind) for its_kind in kinds],
    }


# -- reading -------------------------------------------------------------------------------------------------


def load(m: Machine, doc: Document) -> None:
    """The blocks in use that the machine knows the owner of."""
    lines = doc.get("pages", [])
    if doc.trusted and isinstance(lines.value, dict):
        load_columns(m, lines.value)
        return
    columns = lines.columns(MAX_BLOCKS, PAGE_LINE)
    if columns is None or not places_valid(m, columns[0], columns[1]):
        for entry in lines.list(MAX_BLOCKS):
            page = load_page(m, entry)
            m.pages[page.pfn] = page
        return
    for pfn, order, refcount, flags, gfp, state, task, seq, private in zip(*columns, strict=True):
        page = m.pages[pfn] = Page(pfn, order, flags, gfp, state, task, seq)
        page.refcount = refcount
        page.private = private


def load_columns(m: Machine, lines: Mapping[str, Any]) -> None:
    """Inverse of `save`."""
    kinds = lines["kinds"]
    pages = m.pages
    private_of_each = lines["private"] or [0] * len(lines["seq"])
    new = Page.__new__  # every field is set here, so `__init__` would only take a third of the time
    for pfn, kind, seq, private in zip(
        accumulate(lines["step"]), lines["kind"], lines["seq"], private_of_each, strict=True
    ):
        page = pages[pfn] = new(Page)
        page.pfn, page.seq, page.private = pfn, seq, private
        page.order, page.refcount, page.flags, page.gfp, page.state, page.task = kinds[kind]


def places_valid(m: Machine, pfns: Sequence[int], orders: Sequence[int]) -> bool:
    """Whether blocks that stand in ascending order lie where the machine has memory."""
    if any(map(ge, pfns, pfns[1:])):
        return False
    ends = [pfn + (1 << order) for pfn, order in zip(pfns, orders, strict=True)]
    if any(map(gt, ends, pfns[1:])):
        return False
    starts_within = sum(bisect_left(pfns, end) - bisect_left(pfns, start) for start, end in m.model.spans)
    ends_within = sum(bisect_right(ends, end) - bisect_right(ends, start) for start, end in m.model.spans)
    return starts_within == ends_within == len(pfns)


def load_page(m: Machine, doc: Document) -> Page:
    """One block in use."""
    pfn, order, refcount, flags, gfp, state, task, seq, private = doc.list(9, exactly=9)
    page = Page(
        pfn.int(*PFN), order.int(*ORDER), flags.int(*FLAGS), gfp.int(*GFP), state.choice(*STATES),
        task.word(TASK), seq.int(*COUNT),
    )  # fmt: skip
    if not m.model.pfn_valid(page.pfn) or not m.model.pfn_valid(page.pfn + (1 << page.order) - 1):
        pfn.fault("a page frame of this machine")
    page.refcount = refcount.int(*REFCOUNT)
    page.private = private.int(*COUNT)
    return page


# -- checking ------------------------------------------------------------------------------------------------


def verify(m: Machine) -> Iterator[str]:
    """The blocks in use: where they lie, how they are counted, and how many of them are lost."""
    lost = 0
    for pfn, page in m.pages.items():
        what = f"{page.state} block {pfn:#x} of order {page.order}"
        if (
            page.pfn != pfn
            or pfn & (1 << page.order) - 1
            or not m.zone_of(pfn).spans_pfn(pfn + (1 << page.order) - 1)
        ):
            yield f"{what} is not aligned, or not of one zone"
        if page.flags & PG_head and (not page.order or pfn in m.pieces):
            yield f"{what} is the head of no compound page"
        if page.state == "lost":
            lost += 1 << page.order
        elif page.refcount <= 0 and pfn not in m.pieces and page.state not in OWNED:
            yield f"{what} is in use without a reference"
    if lost != m.lost:
        yield f"{m.lost} frames are counted as lost, {lost} are"
    for pfn, first in m.pieces.items():
        if pfn not in m.pages or first >= pfn:
            yield f"frame {pfn:#x} is noted as a piece of the block at {first:#x}"


PART: Final = Part("pages", dump, load, verify, save)
