"""How far a replay of processes agreed: operation by operation, and what each of them is about by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from app.recording import Report

# Column of the table → what the differences of its kind begin with; whatever is none of these is a counter.
TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "return": ("ret", "sig"),
    "fault": ("flt",),
    "counters": (),
    "VMAs": ("vma",),
    "entries": ("tab", "leaf", "pgd"),
    "pages": ("page ", "fd"),
    "lists": ("lb",),
}


def topic_of(difference: str) -> str:
    """The column that a difference belongs to."""
    return next((name for name, starts in TOPICS.items() if difference.startswith(starts)), "counters")


@dataclass(slots=True)
class VmReport(Report):
    """exact_of: operations without a difference of a kind. frames: those that processes were given."""

    exact_of: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOPICS, 0))
    frames: int = 0
    frames_exact: int = 0

    def count_topics(self, differences: Iterable[str]) -> None:
        """Count an operation where nothing of a kind differs."""
        found = {topic_of(name) for name in differences}
        for name in TOPICS:
            self.exact_of[name] += name not in found

    def count_frames(self, ours: Sequence[int | None], theirs: Sequence[int]) -> None:
        """Count the frames of pages and tables that an operation took, in order."""
        self.frames += max(len(ours), len(theirs))
        self.frames_exact += sum(one == other for one, other in zip(ours, theirs, strict=False))
