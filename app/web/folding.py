"""Which steps of an explanation are listed, and which of them are folded.

A loop's rounds are one: its first round is shown, the others fold behind their number, however many those
are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Step = Mapping[str, Any]

# Rounds of a loop: up to so many steps each, from so many rounds on.
LONGEST_ROUND: Final = 24
FEWEST_ROUNDS: Final = 3
# Steps of a fold that are on the page; of the fold with the step that is shown, all.
FOLDED: Final = 24

# Files of the allocators, whose steps inside a fault or a fork are a story of their own.
ALLOCATORS: Final = frozenset(
    {"mm/page_alloc.c", "mm/slub.c", "mm/slab.h", "mm/slab_common.c", "mm/vmalloc.c", "include/linux/gfp.h"}
)

# Functions of the per-CPU lists, which the lecture has not got.
PERCPU: Final = frozenset(
    {"rmqueue_pcplist", "rmqueue_bulk", "free_unref_page_commit", "nr_pcp_free", "free_pcppages_bulk"}
)


@dataclass(frozen=True, slots=True)
class Fold:
    """A loop in the steps."""

    start: int
    """its first step, counted from 0"""
    length: int
    """steps of a round"""
    rounds: int
    """how many rounds"""

    @property
    def shown(self) -> int:
        """Where the first round ends."""
        return self.start + self.length

    @property
    def end(self) -> int:
        """The first step behind the loop."""
        return self.start + self.length * self.rounds


@dataclass(frozen=True, slots=True)
class Part:
    """Steps in a row."""

    start: int
    """the first, counted from 0"""
    stop: int
    """the first behind them"""
    fold: Fold | None = None
    """the loop whose later rounds they are"""
    of: str = ""
    """whose steps are folded: `percpu` or `allocator`; empty where they are not"""


def folds(steps: Sequence[Step]) -> list[Fold]:
    """Every loop, in the order of steps."""
    shapes = [(step["fn"], step["depth"], step["verdict"], step["zone"]) for step in steps]
    found: list[Fold] = []
    place = 0
    while place < len(shapes):
        length, rounds = repetition(shapes, place)
        if rounds < FEWEST_ROUNDS:
            place += 1
        else:
            found.append(Fold(place, length, rounds))
            place += length * rounds
    return found


def listing(
    steps: Sequence[Step], first: int, current: int | None, most: int, *, percpu: bool, inside: bool = False
) -> list[Part]:
    """The parts that are listed from a step on, at most so many steps of them.

    current: the step that is shown, counted from 0. percpu: whether steps of per-CPU lists are folded.
    inside: whether those of the allocators are, since the call is no allocation.
    """
    parts: list[Part] = []
    loops = folds(steps)
    place = first
    while place < len(steps) and most > 0:
        loop = next((one for one in loops if one.end > place), None)
        if loop is None or place < loop.shown:
            stop = min(place + most, len(steps) if loop is None else loop.shown)
            parts += plain(steps, place, stop, percpu=percpu, inside=inside)
            most -= stop - place
            place = stop
            continue
        shows_current = current is not None and place <= current < loop.end
        rows = min(most, loop.end - place, most if shows_current else FOLDED)
        parts.append(Part(place, place + rows, loop))
        most -= rows
        place = place + rows if shows_current else loop.end
    return parts


def plain(steps: Sequence[Step], start: int, stop: int, *, percpu: bool, inside: bool) -> Iterator[Part]:
    """Steps that are no repetition; those that are to be folded by themselves."""
    place = start
    while place < stop:
        kind = folded_as(steps[place], percpu=percpu, inside=inside)
        end = place
        while end < stop and folded_as(steps[end], percpu=percpu, inside=inside) == kind:
            end += 1
        yield Part(place, end, of=kind)
        place = end


def folded_as(step: Step, *, percpu: bool, inside: bool) -> str:
    """Whether a step is one of those that are folded."""
    if inside and step["file"] in ALLOCATORS:
        return "allocator"
    return "percpu" if percpu and step["fn"] in PERCPU else ""


def repetition(shapes: Sequence[object], place: int) -> tuple[int, int]:
    """How many steps from there on form one round of a loop, and how many such rounds follow.

    The length that covers most; of two that cover as much, the shorter.
    """
    best = (1, 1)
    for length in range(1, LONGEST_ROUND + 1):
        end = place + length
        while end < len(shapes) and shapes[end] == shapes[end - length]:
            end += 1
        rounds = (end - place) // length
        if rounds >= FEWEST_ROUNDS and length * rounds > best[0] * best[1]:
            best = (length, rounds)
    return best
