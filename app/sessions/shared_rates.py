"""Rate limits that several servers on one database keep together: they do not multiply with the servers.

A bucket that is more than half full is nobody else's business. What is taken from the others is told to the
database a few times a second, and what remains there, after what all servers have taken, is the truth. So in
the long run all servers together let pass what one would; between two looks each may let pass what it still
has.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from app.rates import Rates
from app.sessions.errors import Busy, StorageFull
from app.store import Store, buckets
from app.store.buckets import Taken

TICK_SECONDS: Final = 0.25
UNUSED_SECONDS: Final = 86_400.0  # after which a bucket is full again, however long its debt was

log = logging.getLogger(__name__)

Settle = Callable[[Sequence[Taken]], Awaitable[dict[str, float]]]


def key_of(kind: str, name: str) -> str:
    """What a bucket is kept under: names may be addresses, which are nobody's business."""
    return hashlib.sha256(f"{kind}:{name}".encode()).hexdigest()


class SharedRates:
    """The rate limits of this server that others share. On the event loop.

    settle: tells the database what was taken, and returns what remains; None where there is only this server.
    """

    def __init__(self, settle: Settle | None) -> None:
        self._settle = settle
        self._rates: dict[str, Rates] = {}
        # One telling at a time, so that nothing is told twice.
        self._telling = asyncio.Lock()

    def share(self, kind: str, rates: Rates) -> None:
        """Share the buckets of one kind."""
        self._rates[kind] = rates

    async def run(self) -> None:
        """Settle what has been taken, for ever. While there is no database each server counts alone."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                await self.settle()
            except (Busy, StorageFull) as error:
                log.debug("rates are not shared for now: %s", error)

    async def settle(self) -> None:
        """Settle what has been taken of buckets that are half empty."""
        async with self._telling:
            await self._settle_half_empty()

    async def _settle_half_empty(self) -> None:
        taken = {
            (kind, name): Taken(key_of(kind, name), amount, rates.burst, rates.a_second)
            for kind, rates in self._rates.items()
            for name, amount in rates.taken_of_half_empty().items()
        }
        if not taken or self._settle is None:
            return
        remains = await self._settle(list(taken.values()))
        for (kind, name), one in taken.items():
            self._rates[kind].settle(name, one.amount, remains[one.key])

    async def take(self, kind: str, name: str) -> float:
        """Let one pass by what all servers know: 0, or in how many seconds one would."""
        rates = self._rates[kind]
        wait = rates.take(name)
        if wait > 0 or self._settle is None:
            return wait
        async with self._telling:
            amount = rates.taken(name)
            one = Taken(key_of(kind, name), amount, rates.burst, rates.a_second)
            remains = (await self._settle([one]))[one.key]
            rates.settle(name, amount, remains)
        return 0.0 if remains >= 0 else -remains / rates.a_second


def forget_buckets(store: Store) -> None:
    """Forget what was taken so long ago that it counts no more."""
    if store.is_shared:
        with store.writing() as db:
            buckets.sweep(db, UNUSED_SECONDS)
