"""What a call reclaimed itself, and what the kernel threads did that it woke, in the contract's words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.machine import changes

if TYPE_CHECKING:
    from app.mm.kthreads import Background
    from app.mm.scan_control import ScanControl


class Reclaimed:
    """Noted as it is, and put into words when somebody asks.

    direct: the call's own reclaims. background: what kernel threads did at its end, in their order.
    """

    def __init__(self, direct: Sequence[ScanControl], background: Sequence[Background]) -> None:
        self.direct = direct
        self.background = background

    @property
    def scanned(self) -> int:
        """Pages that were looked at."""
        runs = [run for done in self.background for run in done.runs]
        return sum(run.total_scanned for run in (*self.direct, *runs))

    @cached_property
    def document(self) -> dict[str, Any]:
        """`reclaim` and `background` of an outcome, as far as there are any."""
        doc: dict[str, Any] = {}
        if self.direct:
            doc["reclaim"] = figures("direct", self.direct)
        if self.background:
            threads: dict[str, list[Background]] = {}
            for done in self.background:
                threads.setdefault(done.thread, []).append(done)
            doc["background"] = [thread_entry(task, times) for task, times in threads.items()]
        return doc


def figures(by: str, runs: Sequence[ScanControl]) -> dict[str, Any]:
    """Runs of reclaim together, in pages. priority: the lowest that one of them came to."""
    return {
        "by": by,
        "scanned": sum(run.total_scanned for run in runs),
        "reclaimed": sum(run.nr_reclaimed for run in runs),
        "swapped_out": sum(run.swapped_out for run in runs),
        "written": sum(run.written for run in runs),
        "priority": max(min(run.priority for run in runs), 0),
    }


def thread_entry(task: str, times: Sequence[Background]) -> dict[str, Any]:
    """What one kernel thread did, however often a long call woke it. why: what it was woken for first."""
    entry: dict[str, Any] = {"task": task, "why": times[0].why}
    runs = [run for done in times for run in done.runs]
    if runs:
        entry["reclaim"] = figures("kswapd", runs)
    if written := sum(done.written for done in times):
        entry["written"] = written
    changed = [mention for done in times for mention in done.changed]
    entry["changed"] = changes.runs(changed)
    if entry["changed"] is None:
        entry["changed_count"] = changes.count_runs(changed)
    return entry
