"""What a machine that was made from somebody's text keeps of it, in a dump: what is assumed, what was asked.

It decides nothing; it tells people which of the machine's numbers are their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from app.machine.parts.part import Dump, Part
from app.mm.gfp import pGg
from app.mm.mmzone import MAX_ORDER

if TYPE_CHECKING:
    from app.machine.document import Document
    from app.machine.machine import Machine

# What a text was.
PROC: Final = "proc"
FAILED: Final = "allocation failure"
OOM: Final = "out of memory"

# What a text may leave open, and what is then taken to be so.
ASSUMED: Final = {
    "places": "Which page frames are free: the text has numbers alone, so the frames are the machine’s own.",
    "owners": "What is not free is in use by a task named somebody, and nothing of it can be reclaimed.",
    "memory": "How much memory there is: the least of a usual size into which the free blocks fit.",
    "bounds": "Where the zones begin and end: as a PC of the architecture has them.",
    "types": "The migratetypes: every free block is movable.",
    "types_of_lists": "How many free blocks have which migratetype: of each type that a size names one, the "
    "others have the first.",
    "cma": "Free blocks of CMA are ordinary movable ones.",
    "marks": "The watermarks: as the kernel computes them for a machine of this size.",
    "reserves": "The lowmem reserves: as the kernel computes them for zones of these sizes.",
    "cpus": "One CPU.",
    "pcp": "The per-CPU lists are empty.",
    "kernel": "Everything decides as Linux 6.1 does, whichever kernel has printed the text.",
    "mask": "The number of the mask is that of an older kernel; it is written in the flags of 6.1.",
    "first": "The text has several reports: the machine is that of the first.",
}
MAX_LINES: Final = 1 << 21
MAX_RUNS: Final = 32
TASK: Final = 32
RELEASE: Final = 100


@dataclass(frozen=True, slots=True)
class Report:
    """What is kept of a text.

    source: PROC, FAILED or OOM. assumed: keys of ASSUMED. unread: lines that were passed over, as first and
    last. kernel: the release that the text names, else empty. call: task, mask and order of the request that
    the text tells of.
    """

    source: str
    assumed: tuple[str, ...]
    unread: tuple[tuple[int, int], ...] = ()
    kernel: str = ""
    call: tuple[str, int, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """As a dump has it."""
        return {
            "source": self.source,
            "assumed": list(self.assumed),
            "unread": [list(run) for run in self.unread],
            "kernel": self.kernel,
            "call": None if self.call is None else list(self.call),
        }

    def shown(self) -> dict[str, Any]:
        """As the API shows it. `line` is the call as a line of text."""
        call = line = None
        if self.call is not None:
            task, mask, order = self.call
            gfp = pGg(mask) or f"{mask:#x}"
            call = {"call": "alloc_pages", "gfp": gfp, "order": order, "task": task}
            line = f"{task}: alloc_pages({gfp}, {order})"
        return {
            "source": self.source,
            "kernel": self.kernel or None,
            "assumed": [{"key": key, "text": ASSUMED[key]} for key in self.assumed],
            "unread": [list(run) for run in self.unread],
            "call": call,
            "line": line,
        }


def dump(m: Machine, doc: Dump) -> None:
    """`report`; a machine that was made from no text has none."""
    if m.report is not None:
        doc["report"] = m.report.as_json()


def load(m: Machine, root: Document) -> None:
    """Inverse of `dump`."""
    if not root.has("report"):
        return
    doc = root["report"]
    assumed = [key.choice(*ASSUMED) for key in doc["assumed"].list(len(ASSUMED))]
    unread = [run.ints(1, MAX_LINES, 2, exactly=2) for run in doc["unread"].list(MAX_RUNS)]
    call = None
    if doc.has("call"):
        task, mask, order = doc["call"].list(3, exactly=3)
        call = task.word(TASK), mask.int(0, 0xFFFFFFFF), order.int(0, MAX_ORDER - 1)
    m.report = Report(
        doc["source"].choice(PROC, FAILED, OOM),
        tuple(assumed),
        tuple((first, last) for first, last in unread),
        doc["kernel"].str(RELEASE),
        call,
    )


PART: Final = Part("report", dump, load)
