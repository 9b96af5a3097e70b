"""What the free lists are after a call, and what people expect instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.exercises.likely.act import GIVEN_BACK, Act, Likely
from app.mm.mmzone import MAX_ORDER, Zone

Counts = list[int]
# A block: its first frame and its order.
Block = tuple[int, int]
# More blocks given back at once than this are nobody's exercise.
MOST_BLOCKS: Final = 4096


# -- a block is taken -------------------------------------------------------------------------------------


def taken(act: Act) -> int | None:
    """The order of the one block that the call took for good; None where it took none, or several."""
    if act.takes_block:
        return act.order if act.pfn is not None and act.order < MAX_ORDER else None
    if act.frees or act.call.many:
        return None
    frames = [run for run in act.runs if run.state not in GIVEN_BACK]
    if len(frames) != 1 or frames[0].frames.bit_count() != 1 or frames[0].first % frames[0].frames:
        return None
    order = frames[0].frames.bit_length() - 1
    return order if order < MAX_ORDER else None


def source(counts: Counts, order: int) -> int | None:
    """The order of the block that serves a request: the first list, upwards, that has one."""
    return next((higher for higher in range(order, MAX_ORDER) if counts[higher]), None)


def changed(counts: Counts, *by: tuple[int, int]) -> Counts | None:
    """Counts with some of them changed; None where one would be below 0."""
    found = list(counts)
    for order, number in by:
        found[order] += number
    return found if min(found) >= 0 else None


def split(act: Act) -> tuple[Counts, int, int] | None:
    """The lists before, the order asked for, and that of the block which serves it."""
    order, zone = taken(act), act.zone
    if order is None or zone is None:
        return None
    counts = act.counts(act.before, zone)
    found = source(counts, order)
    return None if found is None else (counts, order, found)


def expanded(counts: Counts, order: int, found: int) -> Counts:
    """The lists after a block was taken and split down to the order: a half of each split goes back."""
    after = list(counts)
    after[found] -= 1
    for lower in range(order, found):
        after[lower] += 1
    return after


def one_split(act: Act) -> Counts | None:
    """Only the first split is made, and half of the block is given."""
    if (case := split(act)) is None:
        return None
    counts, order, found = case
    return changed(counts, (found, -1), (found - 1, 1)) if found > order else None


def equal_pieces(act: Act) -> Counts | None:
    """The block is cut into pieces of the size that was asked for."""
    if (case := split(act)) is None:
        return None
    counts, order, found = case
    return changed(counts, (found, -1), (order, (1 << found - order) - 1)) if found > order else None


def largest_split(act: Act) -> Counts | None:
    """The largest block that there is is split, although a smaller one would do."""
    if (case := split(act)) is None:
        return None
    counts, order, found = case
    largest = max(higher for higher in range(order, MAX_ORDER) if counts[higher])
    return expanded(counts, order, largest) if largest > found else None


def not_reduced(act: Act) -> Counts | None:
    """The block that is given still stands on its list."""
    if (case := split(act)) is None:
        return None
    counts, order, found = case
    return changed(expanded(counts, order, found), (order, 1))


def both_halves(act: Act) -> Counts | None:
    """The second half of the last split is given away too."""
    if (case := split(act)) is None:
        return None
    counts, order, found = case
    return changed(expanded(counts, order, found), (order, -1)) if found > order else None


def not_from_cache(act: Act) -> Counts | None:
    """The block comes straight from the lists, as if the CPU had no stock of its own."""
    if (case := split(act)) is not None:
        return expanded(*case)
    given = blocks(act)
    if not given or act.zone is None or not any(run.state == "pcp" for run in act.runs):
        return None
    return merged(act.counts(act.before, act.zone), act.zone, given)


# -- blocks are given back --------------------------------------------------------------------------------


def blocks(act: Act) -> list[Block]:
    """The blocks that the call gave back, before any was merged; none where there are too many."""
    if not act.frees:
        return []
    runs = [run for run in act.runs if run.state in GIVEN_BACK]
    if sum(run.frames for run in runs) > MOST_BLOCKS << MAX_ORDER:
        return []
    found: list[Block] = []
    for run in runs:
        pages = act.outcome.area is not None
        found += (
            [(pfn, 0) for pfn in range(run.first, run.first + run.frames)] if pages else aligned(*run[:2])
        )
    return found if len(found) <= MOST_BLOCKS else []


def aligned(first: int, frames: int) -> Iterator[Block]:
    """The fewest blocks that make up some frames."""
    while frames:
        order = min(frames.bit_length() - 1, MAX_ORDER - 1)
        while first % (1 << order):
            order -= 1
        yield first, order
        first, frames = first + (1 << order), frames - (1 << order)


def order_at(zone: Zone, pfn: int) -> int:
    """The order of the free block that begins at a frame; −1 where none does."""
    code = zone.buddy.get(pfn)
    return -1 if code is None else code >> 3


def merged(counts: Counts, zone: Zone, given: list[Block], most: int = MAX_ORDER) -> Counts:
    """The lists after blocks have come back, each merged with its buddy, at most so often."""
    found, over = list(counts), dict[int, int]()
    for begin, size in given:
        pfn, order = begin, size
        for _ in range(most):
            buddy = pfn ^ 1 << order
            if order == MAX_ORDER - 1 or over.get(buddy, order_at(zone, buddy)) != order:
                break
            found[order] -= 1
            over[buddy] = -1
            pfn, order = pfn & buddy, order + 1
        found[order] += 1
        over[pfn] = order
    return found


def no_merge(act: Act) -> Counts | None:
    """What comes back stays as large as it is."""
    given = blocks(act)
    return merged(act.counts(act.before, act.zone), act.zone, given, 0) if given and act.zone else None


def one_merge(act: Act) -> Counts | None:
    """It merges once, and that is all."""
    given = blocks(act)
    return merged(act.counts(act.before, act.zone), act.zone, given, 1) if given and act.zone else None


def any_neighbour(act: Act) -> Counts | None:
    """It merges with the block beside it that is not its buddy."""
    given = blocks(act)
    if len(given) != 1 or act.zone is None:
        return None
    pfn, order = given[0]
    size = 1 << order
    beside = pfn + size if pfn & size else pfn - size
    if order == MAX_ORDER - 1 or order_at(act.zone, beside) != order:
        return None
    if order_at(act.zone, pfn ^ size) == order:
        return None
    return changed(act.counts(act.before, act.zone), (order, -1), (order + 1, 1))


def unchanged(act: Act) -> Counts | None:
    """The lists stay as they are."""
    return None if act.zone is None else act.counts(act.before, act.zone)


LIKELY: Final = (
    Likely("equal_pieces", "orders", "equal pieces", equal_pieces),
    Likely("both_halves", "orders", "half given away", both_halves),
    Likely("one_split", "orders", "one split", one_split),
    Likely("largest_split", "orders", "largest block is split", largest_split),
    Likely("not_reduced", "orders", "asked order stays", not_reduced),
    Likely("no_merge", "orders", "no merge", no_merge),
    Likely("any_neighbour", "orders", "any neighbour merges", any_neighbour),
    Likely("one_merge", "orders", "merge stops early", one_merge),
    Likely("not_from_cache", "orders", "no per-cpu list", not_from_cache),
    Likely("unchanged", "orders", "lists stay as they are", unchanged),
)
