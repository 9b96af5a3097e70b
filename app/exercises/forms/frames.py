"""Several page frames: which go back, which change."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from app.exercises.exercise import PARTS, Field
from app.exercises.forms import typed
from app.exercises.forms.form import (
    LENGTH,
    Answer,
    BadAnswer,
    Form,
    Marked,
    Part,
    Picture,
    Setting,
    Shape,
    shares,
)
from app.exercises.forms.places import NULLS, check_frame, zones_of

MOST: Final = 100_000
# More runs than this make no picture.
RUNS: Final = 200
NONE: Final = "none"
NUMBER: Final = r"0x[0-9a-f]{1,16}|[0-9]{1,16}"
RANGE: Final = re.compile(rf"({NUMBER})(?:-({NUMBER}))?")


class Frames(Form):
    """A set of page frames, with ranges: `1025-1031, 1040`."""

    name = "frames"
    wants = "Frames and ranges of frames with commas, as in 1025-1031, 1040 or 0x401-0x407, or none."

    def shape(self, field: Field, setting: Setting) -> Shape:
        return {
            "form": self.name,
            "control": "text",
            "hint": self.wants,
            "most": LENGTH,
            "none": NONE,
            "zones": zones_of(setting.machine),
        }

    def read(self, text: str, shape: Shape) -> Answer:
        said = typed.plain(text).lower()
        if not said:
            raise BadAnswer(f"Nothing is written here. {self.wants}")
        if said in NULLS:
            return []
        found: set[int] = set()
        written = 0
        for first, last in self.ranges(said, shape):
            written += last - first + 1
            if written > MOST:
                raise BadAnswer(f"At most {MOST:,} frames.")
            found.update(range(first, last + 1))
        return sorted(found)

    def ranges(self, said: str, shape: Shape) -> Iterator[tuple[int, int]]:
        """First and last frame of each item."""
        for item in items(said):
            found = RANGE.fullmatch(item)
            if found is None:
                raise BadAnswer(f"{typed.shown(item)} is no frame and no range. {self.wants}")
            first = check_frame(frame(found[1]), shape)
            last = check_frame(frame(found[2]), shape) if found[2] else first
            if last < first:
                raise BadAnswer(f"{typed.shown(item)} goes backwards: a range begins with the lower frame.")
            yield first, last

    def text(self, answer: Answer, shape: Shape) -> str:
        assert isinstance(answer, list)
        runs = runs_of(int(pfn) for pfn in answer)
        return ", ".join(run_text(first, frames) for first, frames in runs) or NONE

    def answer(self, value: object, shape: Shape) -> Answer:
        if isinstance(value, (list, tuple)):
            return sorted({check_frame(int(pfn), shape) for pfn in value})
        return super().answer(value, shape)

    def share(self, right: Answer, given: Answer, shape: Shape, field: Field) -> Marked:
        if right == given:
            return Marked(PARTS)
        wanted, got = of_ints(right), of_ints(given)
        hits, wrong, missing = len(wanted & got), len(got - wanted), len(wanted - got)
        told = (
            ("named", hits, True, "that you named"),
            ("named", wrong, False, "that you named"),
            ("missing", missing, False, "that you did not name"),
        )
        parts = tuple(
            Part(kind, count, ok, f"{count:,} {'frame' if count == 1 else 'frames'} {text}")
            for kind, count, ok, text in told
            if count
        )
        return Marked(shares(hits, hits + wrong + missing), parts)

    def picture(self, right: Answer, given: Answer, shape: Shape) -> Picture | None:
        wanted, got = of_ints(right), of_ints(given)
        kinds = ((wanted & got, ["given", "right"]), (got - wanted, ["given"]), (wanted - got, ["right"]))
        runs = sorted([first, frames, who] for pfns, who in kinds for first, frames in runs_of(sorted(pfns)))
        return {"kind": "frames", "runs": runs[:RUNS], "more": max(0, len(runs) - RUNS)} if runs else None


def items(said: str) -> Iterator[str]:
    """What stands between commas; where there are only blanks, between these."""
    spread = re.sub(r" ?(?:-|~|\.\.+|…|\bto\b) ?", "-", said)
    for part in re.split(r"[,;]", spread):
        yield from part.split()


def frame(text: str) -> int:
    """A frame's number. A zero before it has come of a comma in a number."""
    if text.startswith("0") and len(text) > 1 and not text.startswith("0x"):
        raise BadAnswer(f"{typed.shown(text)} begins with a zero: write 1025 without a comma in it.")
    return int(text, 0)


def of_ints(answer: Answer) -> set[int]:
    """An answer as a set."""
    assert isinstance(answer, list)
    return {int(pfn) for pfn in answer}


def runs_of(pfns: Iterable[int]) -> list[tuple[int, int]]:
    """First frame and length of each run of ascending frames."""
    ordered = list(pfns)
    if not ordered:
        return []
    begins = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    ends = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    return [(first, last - first + 1) for first, last in zip(begins, ends, strict=True)]


def run_text(first: int, frames: int) -> str:
    """`0x401-0x407`."""
    return f"{first:#x}" if frames == 1 else f"{first:#x}-{first + frames - 1:#x}"
