"""kswapd as it is read: whether it sleeps, what it is to work for, when it ran last and what that brought.

Kernel: mm/vmscan.c, struct pglist_data. When it ran is noted beside the machine, as free frames are: it is no
part of the state, so a machine that is opened again knows of the calls that it replayed.
"""

from __future__ import annotations

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
    """What each kswapd did last."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: dict[str, Run] = {}

    def note(self, seq: int, background: list[Background]) -> tuple[str, ...]:
        """Kernel threads have run at the end of a call: which kswapds are among them."""
        ran = [done for done in background if done.runs]
        threads = tuple(dict.fromkeys(done.thread for done in ran))
        for thread in threads:
            mine = [done for done in ran if done.thread == thread]
            runs = [run for done in mine for run in done.runs]
            self.last[thread] = Run(seq, mine[0].why, figures("kswapd", runs))
        return threads


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
