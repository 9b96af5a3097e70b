"""Belady's anomaly: a policy that makes more faults with more frames."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from app.machine.replacement.simulate import Result


class Anomaly(NamedTuple):
    """More frames, and more faults."""

    policy: str
    frames: int
    faults: int
    more_frames: int
    more_faults: int


def anomalies(results: Iterable[Result]) -> list[Anomaly]:
    """Where a policy has more faults than with the next smaller number of frames that was tried.

    Policies of which the pages with fewer frames are always among those with more (LRU, OPT) never do.
    """
    by_policy: dict[str, list[Result]] = {}
    for result in results:
        by_policy.setdefault(result.policy, []).append(result)
    return [
        Anomaly(policy, fewer.frames, fewer.faults, more.frames, more.faults)
        for policy, row in by_policy.items()
        for fewer, more in pairwise(sorted(row, key=lambda result: result.frames))
        if more.faults > fewer.faults
    ]
