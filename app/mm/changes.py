"""Which frames a call changed, as runs of a state.

Kernel functions append `(pfn, frames, state)` to `Machine.changed` as they go; a frame may be mentioned
several times, and the last mention is what it is now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from app.mm.page import PG_locked, StrayPage

MAX_RUNS: Final = 256
MAX_MENTIONS: Final = 20_000

Mention = tuple[int, int, str]


def runs(mentions: Sequence[Mention]) -> list[list[Any]] | None:
    """`[[pfn, frames, state], …]` in ascending order; None when there are more than `MAX_RUNS`."""
    if len(mentions) <= 1:
        return [list(mention) for mention in mentions]
    if len(mentions) > MAX_MENTIONS:
        return None
    ordered = sorted(mentions, key=lambda mention: mention[0])
    flat = ordered if disjoint(ordered) else last_mentions(mentions)
    merged: list[list[Any]] = []
    for pfn, frames, state in flat:
        if merged and merged[-1][2] == state and merged[-1][0] + merged[-1][1] == pfn:
            merged[-1][1] += frames
        else:
            merged.append([pfn, frames, state])
            if len(merged) > MAX_RUNS:
                return None
    return merged


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
