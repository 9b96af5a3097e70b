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
    # What was taken that other servers do not know of yet.
    taken: float = 0.0


class Rates:
    """The buckets of all principals.

    a_second: requests a second for each; burst: how many may come at once.
    """

    def __init__(self, a_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.a_second = a_second
        self.burst = burst
        self.clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        # Those of whose buckets something was taken that other servers do not know of.
        self._untold: set[str] = set()

    def take(self, principal: str) -> float:
        """Let one request pass: 0. Or refuse it: in how many seconds one would pass."""
        bucket = self._bucket(principal)
        if bucket.left < 1:
            return (1 - bucket.left) / self.a_second
        self._take(principal, bucket, 1.0)
        return 0.0

    def read(self, principal: str, body: int) -> None:
        """Count the bytes of a body."""
        self._take(principal, self._bucket(principal), body / BYTES_PER_REQUEST)

    def _take(self, principal: str, bucket: Bucket, amount: float) -> None:
        bucket.left -= amount
        bucket.taken += amount
        self._untold.add(principal)

    def taken_of_half_empty(self) -> dict[str, float]:
        """What was taken that other servers do not know of, of all buckets that are half empty."""
        self._untold.intersection_update(self._buckets)
        buckets = ((name, self._buckets[name]) for name in self._untold)
        return {name: bucket.taken for name, bucket in buckets if bucket.left <= self.burst / 2}

    def taken(self, principal: str) -> float:
        """The same of one bucket, however full it is."""
        return self._bucket(principal).taken

    def settle(self, principal: str, told: float, remains: float) -> None:
        """Have a bucket agree with the shared one. told: how much was told; remains: what is left there."""
        bucket = self._bucket(principal)
        bucket.taken -= told
        bucket.left = remains - bucket.taken
        if bucket.taken <= 0:
            self._untold.discard(principal)

    def _bucket(self, principal: str) -> Bucket:
        now = self.clock()
        bucket = self._buckets.get(principal)
        if bucket is None:
            bucket = self._buckets[principal] = Bucket(self.burst, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._untold.discard(self._buckets.popitem(last=False)[0])
            return bucket
        self._buckets.move_to_end(principal)
        bucket.left = min(self.burst, bucket.left + (now - bucket.at) * self.a_second)
        bucket.at = now
        return bucket
