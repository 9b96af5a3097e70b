"""Cancels slow work when the client of the request disconnects.

The server does not cancel a handler whose client has disconnected; it only sends a message. So slow work is
awaited together with that message, and is dropped when it comes first. The request's body must have
been read before: what is left of it would be lost here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from app.sessions.scheduler import Dropped

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Request:
    """One request, and the task that answers it: tasks that it starts outlive it, and do not listen."""

    receive: Receive
    task: asyncio.Task[Any] | None

    async def hung_up(self) -> None:
        """Wait until the client has gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


_request: Final[ContextVar[_Request | None]] = ContextVar("request", default=None)


def listen(receive: Receive) -> None:
    """Let this task be the one that answers a request. receive: where it is said that the client goes."""
    _request.set(_Request(receive, asyncio.current_task()))


async def unless_hung_up(work: Coroutine[Any, Any, T]) -> T:
    """What comes of the work. Cancels it and raises Dropped when the client hangs up first."""
    request = _request.get()
    if request is None or request.task is not asyncio.current_task():
        return await work
    working = asyncio.ensure_future(work)
    listening = asyncio.ensure_future(request.hung_up())
    try:
        await asyncio.wait((working, listening), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            listening.result()  # raises what was wrong with the rest of the request
            raise Dropped
        return working.result()
    finally:
        working.cancel()
        listening.cancel()
        await asyncio.gather(working, listening, return_exceptions=True)
