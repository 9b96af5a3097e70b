"""Lists of blocks as runs: arithmetic on them never walks block by block.

A repeated call may return a hundred thousand blocks. Neighbours are written as one run, `(first, blocks,
distance)`, and choosing every second block of a run only doubles its distance. So the cost of reading,
checking and choosing follows the number of runs; a block is looked at when it is freed, not before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

# First page or address, number of blocks, and the distance from one block to the next (frames or bytes).
Run = tuple[int, int, int]
Span = tuple[int, int]


def length(runs: Iterable[Sequence[int]]) -> int:
    """The number of blocks in all runs."""
    return sum(run[1] for run in runs)


def each(runs: Iterable[Run]) -> Iterator[int]:
    """Every single page or address, in order."""
    for first, blocks, distance in runs:
        for place in range(blocks):
            yield first + place * distance


def chosen(blocks: int, start: int, step: int, count: int | None) -> int:
    """How many blocks `select` would choose from a list of so many."""
    left = max(0, -(-(blocks - start) // step))
    return left if count is None else min(left, count)


def select(runs: Iterable[Run], start: int = 0, step: int = 1, count: int | None = None) -> tuple[Run, ...]:
    """Every `step`-th block from the one at `start` on, at most `count`; as few runs as can be."""
    picked: list[Run] = []
    place = 0
    for first, blocks, distance in runs:
        skip = start - place if place < start else -(place - start) % step
        place += blocks
        if skip >= blocks:
            continue
        found = -(-(blocks - skip) // step)
        if count is not None:
            found = min(found, count)
            count -= found
        if found:
            append(picked, (first + skip * distance, found, distance * step if found > 1 else distance))
        if count == 0:
            break
    return tuple(picked)


def append(runs: list[Run], run: Run) -> None:
    """Add a run, as part of the last one where it continues it."""
    first, blocks, distance = run
    if runs and runs[-1][2] == distance and runs[-1][0] + runs[-1][1] * distance == first:
        before = runs[-1]
        runs[-1] = before[0], before[1] + blocks, distance
    else:
        runs.append(run)


def first_outside(run: Run, spans: Sequence[Span]) -> int | None:
    """The first value of a run that lies in none of the spans, which do not overlap; None where all do."""
    first, blocks, distance = run
    end = first + blocks * distance
    value = first
    while value < end:
        for start, stop in spans:
            if start <= value < stop:
                value += -(-(stop - value) // distance) * distance
                break
        else:
            return value
    return None
