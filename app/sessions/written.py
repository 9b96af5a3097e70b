"""What the server counts of its own work, for those who watch it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final, NamedTuple

# Upper bounds of how long a group took, from its beginning to its commit, in seconds.
BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


@dataclass(slots=True)
class Written:
    """The groups that the writer has committed since it started. Written by its thread alone."""

    groups: int = 0
    failed: int = 0
    rows: int = 0
    # Of all groups together.
    seconds: float = 0.0
    # How many groups took so long: one for each bound, and one beyond.
    by_seconds: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))

    def group(self, rows: int, seconds: float) -> None:
        """Count a group that was committed."""
        self.groups += 1
        self.rows += rows
        self.seconds += seconds
        self.by_seconds[bisect_left(BOUNDS, seconds)] += 1


class Numbers(NamedTuple):
    """How a server is doing at this moment."""

    # Work that waits for the writer.
    waiting: int
    machines: int
    # Estimated bytes of the open machines.
    memory: int
    followers: int
    written: Written
