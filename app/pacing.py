"""How slowly an upload may come.

Only so many come in at a time, so one that stands still keeps others out: it is given up, and its connection
closed. A steady one may take long; how long it may take in all is bounded too, or a byte now and then would
keep its place for ever.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.types import Message, Receive

from app.settings import Settings


class TooSlow(Exception):  # noqa: N818 - an answer, raised where it is known
    """An upload did not come in the time that there is for it."""


def paced(request: Request, settings: Settings) -> Request:
    """The request, to read an upload with: whoever reads its body also raises TooSlow."""
    return Request(request.scope, Paced(request.receive, settings.upload_idle, settings.upload_time))


class Paced:
    """The way in for an upload. idle: seconds in which some of it must come. whole: seconds for all of it."""

    def __init__(self, receive: Receive, idle: float, whole: float) -> None:
        self.receive = receive
        self.idle = idle
        self.whole = whole
        self.until: float | None = None

    async def __call__(self) -> Message:
        """The next part of it. Raises TooSlow."""
        now = asyncio.get_running_loop().time()
        if self.until is None:
            self.until = now + self.whole
        try:
            async with asyncio.timeout_at(min(now + self.idle, self.until)):
                return await self.receive()
        except TimeoutError:
            if now + self.idle < self.until:
                raise TooSlow(f"nothing has come for {self.idle:g} s: the upload was given up") from None
            raise TooSlow(f"the upload takes longer than {self.whole:g} s: it was given up") from None
