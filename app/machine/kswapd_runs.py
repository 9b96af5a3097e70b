"""kswapd as it is read: whether it sleeps, what it is to work for, when it ran last and what that brought.

Kernel: mm/vmscan.c, struct pglist_data. When it ran is noted beside the machine, as free frames are: it is no
part of the state, so a machine that is opened again knows of the calls that it replayed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from app.machine.reclaimed import figures
from app.mm.kswapd import MAX_RECLAIM_RETRIES

if TYPE_CHECKING:
    from app.machine.machine import Machine
    from app.mm.kthreads import Background

NOBODY: Final[tuple[str, ...]] = ()


class Run(NamedTuple):
    """What one kswapd did at the end of a call."""

    seq: int
    why: str
    figures: dict[str, Any]


class KswapdRuns:
    """Which kswapds ran at the end of each of the last calls, oldest first, and what each did last."""

    __slots__ = ("before", "last")

    def __init__(self, kept: int) -> None:
        self.before: deque[tuple[str, ...]] = deque(maxlen=kept)
        self.last: dict[str, Run] = {}

    def note(self, seq: int, background: list[Background]) -> None:
        """Kernel threads have run at the end of the last call, which has NOBODY in `before` so far."""
        ran = [done for done in background if done.runs]
        self.before[-1] = tuple(dict.fromkeys(done.thread for done in ran))
        for thread in self.before[-1]:
            mine = [done for done in ran if done.thread == thread]
            runs = [run for done in mine for run in done.runs]
            self.last[thread] = Run(seq, mine[0].why, figures("kswapd", runs))


def kswapds(m: Machine) -> list[dict[str, Any]]:
    """The kswapd of each node that has memory. last: what it did last, where that is known."""
    return [
        {
            "node": node.nid,
            "task": f"kswapd{node.nid}",
            "reclaims": m.vm.reclaim,
            "woken": node.kswapd_woken,
            "given_up": node.kswapd_failures >= MAX_RECLAIM_RETRIES,
            "order": node.kswapd_order,
            "last": last(m, f"kswapd{node.nid}"),
        }
        for node in m.nodes
        if any(zone.nid == node.nid and zone.managed_pages for zone in m.zones)
    ]


def last(m: Machine, thread: str) -> dict[str, Any] | None:
    """What a kswapd did last."""
    found = m.kswapd_runs.last.get(thread)
    return None if found is None else {"seq": found.seq, "why": found.why, "reclaim": found.figures}
