"""Lines over the rows of a session, as paths of a drawing of 600 × 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asinh
from typing import Final

WIDTH: Final = 600
HEIGHT: Final = 100


@dataclass(frozen=True, slots=True)
class Scale:
    """Where values and rows stand in a drawing."""

    least: int
    """the value at the bottom"""
    greatest: int
    """the value at the top"""
    first: int
    """the first row"""
    last: int
    """the last row"""
    curved: bool
    """True where small values have more room than large ones"""

    def y(self, value: int) -> float:
        """The height of a value; a scale of one value has it in its middle."""
        low, high, at = self.bent(self.least), self.bent(self.greatest), self.bent(value)
        return round(HEIGHT / 2 if high == low else HEIGHT * (high - at) / (high - low), 1)

    def above(self, value: int) -> bool:
        """Whether a value has no place on the scale, since all of that is above it."""
        return value < self.least

    def bent(self, value: int) -> float:
        """The value as it is drawn."""
        return asinh(value) if self.curved else value

    def x(self, seq: int) -> float:
        """The place of a row: each has some room, and holds until the next."""
        return place(seq, self.first, self.last)


def place(seq: int, first: int, last: int) -> float:
    """The place of a row of some rows in a drawing."""
    return round(WIDTH * (min(seq, last + 1) - first) / (last + 1 - first), 1)


def steps(starts: Sequence[float], heights: Sequence[float]) -> str:
    """A line in steps: each height holds until the next one starts, the last one until the end."""
    drawn = [f"M{starts[0]:g} {heights[0]:g}"]
    for start, before, height in zip(starts[1:], heights, heights[1:], strict=False):
        if height != before:
            drawn.append(f"H{start:g}V{height:g}")
    return f"{''.join(drawn)}H{WIDTH}"


def band(starts: Sequence[float], heights: Sequence[tuple[float, float]]) -> str:
    """What lies between two heights of each step, where they differ."""
    ends = [*starts[1:], WIDTH]
    return "".join(
        f"M{start:g} {high:g}H{end:g}V{low:g}H{start:g}Z"
        for start, end, (low, high) in zip(starts, ends, heights, strict=True)
        if low != high
    )
