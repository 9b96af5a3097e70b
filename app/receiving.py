"""Reads the body of a request: bounds its length, its time, and the memory of all bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from starlette.types import Message, Receive

from app.errors import Refusal
from app.quota import Quota
from app.sessions.errors import Busy, TooMany
from app.settings import Settings
from app.upload_timeout import UploadTimeout

# The first bytes of a body do not count: a call is received also while long bodies take all the memory.
SHORT_BODY: Final = 64 << 10

MIB: Final = 1 << 20


class TooLarge(Refusal):
    """A body went over its limit while it was read."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes, which is the limit here")


class BodyMemory:
    """The memory that bodies take, of each person (or stranger's address) and of all."""

    def __init__(self, settings: Settings) -> None:
        self.shares = Quota(settings.bodies_memory, settings.bodies_per_principal)

    def take(self, who: str, size: int) -> None:
        """Count more bytes of a person's body. Raises TooMany and Busy."""
        shares = self.shares
        if shares.has_too_much(who, size):
            raise TooMany(
                f"bodies of yours are being received that have {shares.most_each / MIB:g} MiB together, the "
                "limit for one person: send one after the other",
                2,
            )
        if shares.is_full(size):
            raise Busy(
                f"bodies that have {shares.most / MIB:g} MiB together are being received, the limit of this "
                "server: try again in a moment",
                2,
            )
        shares.take(who, size)


class BodyReceiver:
    """Reads the body of one request.

    bodies: the memory of which it takes a part; None where it goes to a file. charge: is told the length of
    each part. `close` gives the memory back, when the request has been answered.
    """

    def __init__(
        self,
        receive: Receive,
        limit: int,
        timeout: UploadTimeout,
        who: str,
        bodies: BodyMemory | None,
        charge: Callable[[str, int], None] | None,
    ) -> None:
        self.receive = receive
        self.limit = limit
        self.timeout = timeout
        self.who = who
        self.bodies = bodies
        self.charge = charge
        self.size = self.taken = 0
        self.complete = False

    async def __call__(self) -> Message:
        """The next part of it. Raises TooSlow, TooLarge, TooMany and Busy."""
        if self.complete:
            return await self.receive()
        self.timeout.waiting = asyncio.get_running_loop().time()
        message = await self.receive()
        self.timeout.waiting = None
        if message["type"] == "http.request":
            self.complete = not message.get("more_body", False)
            self._count(len(message.get("body", b"")))
            if self.timeout.late is not None and not self.complete:
                raise self.timeout.late
        return message

    def _count(self, length: int) -> None:
        self.size += length
        if self.size > self.limit:
            raise TooLarge(self.limit)
        if self.charge is not None:
            self.charge(self.who, length)
        more = self.size - SHORT_BODY - self.taken
        if self.bodies is not None and more > 0:
            self.bodies.take(self.who, more)
            self.taken += more

    def close(self) -> None:
        """The body is not needed any more."""
        if self.bodies is not None and self.taken:
            self.bodies.shares.give_back(self.who, self.taken)
            self.taken = 0
