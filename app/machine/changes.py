"""Which frames a call changed, as runs of a state.

Kernel functions append `(pfn, frames, state)` to `Machine.changed` as they go; a frame may be mentioned
several times, and the last mention is what it is now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from app.mm.page import STATES, PG_locked, StrayPage

MAX_RUNS: Final = 256
# Above so many mentions each frame is painted by itself, in strips as long as the largest block.
MANY: Final = 1_000
STRIP_SHIFT: Final = 10
STRIP: Final = 1 << STRIP_SHIFT
STATE_INDEX: Final = {state: index for index, state in enumerate(STATES)}
ALIKE: Final = tuple(bytes([state]) * STRIP for state in range(len(STATES)))
NOT_MENTIONED: Final = 255

Mention = tuple[int, int, str]


def runs(mentions: Sequence[Mention]) -> list[list[Any]] | None:
    """`[[pfn, frames, state], …]` in ascending order; None when there are more than `MAX_RUNS`."""
    found = list(islice(merged(flat(mentions)), MAX_RUNS + 1))
    return found if len(found) <= MAX_RUNS else None


def all_runs(mentions: Sequence[Mention]) -> list[list[Any]]:
    """The same, however many there are."""
    return list(merged(flat(mentions)))


def count_runs(mentions: Sequence[Mention]) -> int:
    """How many there are."""
    return sum(1 for _ in merged(flat(mentions)))


def flat(mentions: Sequence[Mention]) -> Iterable[Mention]:
    """The last mention of every frame, as stretches in ascending order of which none overlap."""
    if len(mentions) <= 1:
        return mentions
    if len(mentions) > MANY:
        return painted(mentions)
    ordered = sorted(mentions, key=lambda mention: mention[0])
    return ordered if disjoint(ordered) else last_mentions(mentions)


def merged(stretches: Iterable[Mention]) -> Iterator[list[Any]]:
    """Runs of such stretches: neighbours in the same state are one."""
    run: list[Any] | None = None
    for pfn, frames, state in stretches:
        if run is not None and run[2] == state and run[0] + run[1] == pfn:
            run[1] += frames
            continue
        if run is not None:
            yield run
        run = [pfn, frames, state]
    if run is not None:
        yield run


# A stretch of frames in one state.
STRETCH: Final = re.compile(rb"(.)\1*", re.DOTALL)


def painted(mentions: Sequence[Mention]) -> Iterator[Mention]:
    """The last mention of every frame, in stretches that end with their strip; for calls that say a lot.

    Each mention costs the same, however they lie over one another.
    """
    strips: dict[int, bytes | bytearray] = {}
    for first, length, state in mentions:
        code, pfn, frames = STATE_INDEX[state], first, length
        while frames:
            number, place = pfn >> STRIP_SHIFT, pfn & STRIP - 1
            piece = min(frames, STRIP - place)
            if piece == STRIP:
                strips[number] = ALIKE[code]
            else:
                strip = strips.get(number)
                if not isinstance(strip, bytearray):
                    strip = strips[number] = (
                        bytearray([NOT_MENTIONED]) * STRIP if strip is None else bytearray(strip)
                    )
                strip[place : place + piece] = ALIKE[code][:piece]
            pfn, frames = pfn + piece, frames - piece
    for number in sorted(strips):
        for stretch in STRETCH.finditer(strips[number]):
            code = stretch[0][0]
            if code != NOT_MENTIONED:
                yield (number << STRIP_SHIFT) + stretch.start(), len(stretch[0]), STATES[code]


def locked_ones(mentions: Sequence[Mention], strays: Mapping[int, StrayPage]) -> list[Mention]:
    """The mentioned frames that have a lock of their own, which shows over whatever became of them."""
    return [
        (pfn, 1, "locked")
        for first, frames, _ in mentions
        for pfn in frames_of(first, frames, strays)
        if strays[pfn].flags & PG_locked
    ]


def frames_of(first: int, frames: int, strays: Mapping[int, StrayPage]) -> Iterator[int]:
    """Those of a stretch's frames that have a record of their own."""
    if frames < len(strays):
        return (pfn for pfn in range(first, first + frames) if pfn in strays)
    return (pfn for pfn in strays if first <= pfn < first + frames)


def disjoint(ordered: Sequence[Mention]) -> bool:
    """Whether no frame is mentioned twice."""
    end = -1
    for pfn, frames, _ in ordered:
        if pfn < end:
            return False
        end = pfn + frames
    return True


def last_mentions(mentions: Sequence[Mention]) -> list[Mention]:
    """The last mention of every frame, cut at the places where any mention begins or ends."""
    cuts = sorted({cut for pfn, frames, _ in mentions for cut in (pfn, pfn + frames)})
    place = {cut: index for index, cut in enumerate(cuts)}
    states: list[str | None] = [None] * len(cuts)
    # Filled from the last mention backwards; `following` jumps over pieces that are filled, so each is
    # visited once.
    following = list(range(len(cuts) + 1))
    for pfn, frames, last in reversed(mentions):
        index = find(following, place[pfn])
        while index < place[pfn + frames]:
            states[index] = last
            following[index] = index + 1
            index = find(following, index)
    return [
        (cut, cuts[index + 1] - cut, state)
        for index, cut in enumerate(cuts[:-1])
        if (state := states[index]) is not None
    ]


def find(following: list[int], index: int) -> int:
    """First piece at or after `index` that is not filled."""
    while following[index] != index:
        following[index] = following[following[index]]
        index = following[index]
    return index
