"""What a machine that was made from somebody's text shows of it: what is assumed, what may be made again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from app.machine.parts.report import FAILED, OOM, PROC
from app.web import wording
from app.web.contexts.machine import ReportView
from app.web.language import N_, _

SOURCES: Final = {
    PROC: N_("From the text of /proc"),
    FAILED: N_("From a report of a failed allocation"),
    OOM: N_("From an out-of-memory report"),
}
# The words of `app.machine.parts.report.ASSUMED`.
ASSUMED: Final = {
    "places": N_(
        "Which page frames are free: the text has numbers alone, so the frames are the machine’s own."
    ),
    "owners": N_("What is not free is in use by a task named somebody, and nothing of it can be reclaimed."),
    "memory": N_("How much memory there is: the least of a usual size into which the free blocks fit."),
    "bounds": N_("Where the zones begin and end: as a PC of the architecture has them."),
    "types": N_("The migratetypes: every free block is movable."),
    "types_of_lists": N_(
        "How many free blocks have which migratetype: of each type that a size names one, the others have "
        "the first."
    ),
    "cma": N_("Free blocks of CMA are ordinary movable ones."),
    "marks": N_("The watermarks: as the kernel computes them for a machine of this size."),
    "reserves": N_("The lowmem reserves: as the kernel computes them for zones of these sizes."),
    "cpus": N_("One CPU."),
    "pcp": N_("The per-CPU lists are empty."),
    "kernel": N_("Everything decides as Linux 6.1 does, whichever kernel has printed the text."),
    "mask": N_("The number of the mask is that of an older kernel; it is written in the flags of 6.1."),
    "first": N_("The text has several reports: the machine is that of the first."),
}


def report_view(machine: Mapping[str, Any], *, fresh: bool) -> ReportView | None:
    """What the page tells of the text; None for a machine that was made from none. fresh: before any call."""
    report = machine.get("report")
    if report is None:
        return None
    return ReportView(
        title=_(SOURCES[report["source"]]),
        kernel=report["kernel"] or "",
        assumed=[_(ASSUMED[one["key"]]) for one in report["assumed"]],
        unread=lines(report["unread"]),
        line=report["line"] or "",
        open=fresh,
    )


def first_line(machine: Mapping[str, Any], *, fresh: bool) -> str:
    """What stands in the console of a new machine: the request that its report tells of."""
    report = machine.get("report")
    return report["line"] or "" if fresh and report else ""


def lines(runs: Sequence[Sequence[int]]) -> str:
    """Runs of lines in words."""
    return ", ".join(
        wording.count(first) if first == last else f"{wording.count(first)}–{wording.count(last)}"
        for first, last in runs
    )
