"""What the machine gave, beside what the log says that the kernel gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from app.ftrace.conversion import Converted, LogCall

MOST_SHOWN: Final = 10


class Difference(NamedTuple):
    """An allocation that got another frame. ours: None where there was none."""

    line: int
    seq: int
    kernel: int
    ours: int | None


class Compared(NamedTuple):
    """A log that has been made on a machine."""

    log: Converted
    # Allocations of which the log tells the frame; and those that got it here, too.
    allocations: int
    agreeing: int
    adopted: int
    # Of the frees of what was in use before, those that could not be made.
    left: int
    different: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """The object of the API."""
        unused = self.log.unused
        return {
            "lines": self.log.lines,
            "events": self.log.events,
            "calls": len(self.log.calls) - self.left,
            "allocations": self.allocations,
            "agreeing": self.agreeing,
            "adopted": self.adopted,
            "different": [one._asdict() for one in self.different],
            "unused": dict(sorted(unused.items(), key=lambda one: (-one[1], one[0]))),
            "unused_lines": self.log.unused_lines,
            "unread": self.log.unread,
        }


def compare(
    log: Converted, made: Sequence[tuple[LogCall, int | None]], first_seq: int, adopted: int, left: int
) -> Compared:
    """Compare. made: each call that was made, with the frame that it got here. first_seq: of the first."""
    known = [
        Difference(call.line, first_seq + place, call.pfn, ours)
        for place, (call, ours) in enumerate(made)
        if call.call == "alloc_pages" and call.pfn is not None
    ]
    different = [one for one in known if one.kernel != one.ours]
    return Compared(
        log, len(known), len(known) - len(different), adopted, left, tuple(different[:MOST_SHOWN])
    )
