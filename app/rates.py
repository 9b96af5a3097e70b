"""Rate limits: a token bucket for each principal.

Per principal, never per address: a whole class sits behind one. Only attempts to sign in are counted by
address, for there is nothing else to tell them apart. In open mode there is only one principal: it is off
unless it is set.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# So many bytes of a body count as one request more: a batch, a dump or an import is work by its length.
BYTES_PER_REQUEST: Final = 8 << 10

# Principals remembered; who has not asked for so long that others pushed them out has a full bucket anyway.
MOST_BUCKETS: Final = 10_000


@dataclass(slots=True)
class Bucket:
    """What a principal has left, and when that was so. Below 0 it is a debt, from a long body."""

    left: float
    at: float


class Rates:
    """The buckets of all principals.

    a_second: requests a second for each; burst: how many may come at once.
    """

    def __init__(self, a_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_second = a_second
        self.burst = burst
        self.clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, principal: str) -> float:
        """Let one request pass: 0. Or refuse it: in how many seconds one would pass."""
        bucket = self._bucket(principal)
        if bucket.left < 1:
            return (1 - bucket.left) / self.a_second
        bucket.left -= 1
        return 0.0

    def read(self, principal: str, body: int) -> None:
        """Count the bytes of a body."""
        self._bucket(principal).left -= body / BYTES_PER_REQUEST

    def _bucket(self, principal: str) -> Bucket:
        now = self.clock()
        bucket = self._buckets.get(principal)
        if bucket is None:
            bucket = self._buckets[principal] = Bucket(self.burst, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(principal)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at) * self.a_second)
        bucket.at = now
        return bucket
