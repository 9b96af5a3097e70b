"""`GET /sessions/{id}/events/stream`: rows as server-sent events, for as long as the reader stays.

The bytes are made once for all readers (app.sessions.feed) and sent as they are.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final, Protocol

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api import docs
from app.api.lab_requests import labs_of
from app.api.parameters import DIGITS, After
from app.api.requests import addressed
from app.errors import BadArgument

router = APIRouter(tags=["reading"], prefix="/sessions/{id:id}")

EVENT_STREAM_TYPE: Final = "text/event-stream"

# A proxy must neither keep nor collect what is worth something only at once.
STREAM_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/events/stream", **docs.operation("stream_events", "The journal, live", docs.STREAM))
async def stream(request: Request, after: After | None = None) -> Response:
    """Every row behind `after` or `Last-Event-ID`, and each later one when it is committed."""
    sessions, principal, sid = addressed(request)
    return await streamed(request, await sessions.follow(principal, sid, last_seen(request, after)))


def last_seen(request: Request, after: int | None) -> int | None:
    """Where the reader is. One that comes back repeats its first address: its header knows better."""
    given = request.headers.get("last-event-id", "")
    if not given:
        return after
    if DIGITS.fullmatch(given) is None:
        raise BadArgument.at(("header", "last-event-id"), "the seq of a row, in decimal digits")
    return int(given)


class EventSource(Protocol):
    """A source of events for one reader."""

    async def next(self) -> bytes | None:
        """Wait for the next bytes to send; None when the stream is over."""

    def close(self) -> None:
        """End the stream. May be called again."""


async def streamed(request: Request, reader: EventSource) -> EventStream:
    """The answer that sends a reader's events.

    Signing out ends the streams that are open. Somebody who signed out while this one was being opened gets
    its end at once, else it would go on for ever; the browser then connects again, and is refused.
    """
    token = request.scope["state"].get("token")
    try:
        if token is not None and await labs_of(request).authentication.identify(token) is None:
            reader.close()
    except BaseException:
        reader.close()
        raise
    return EventStream(reader)


class EventStream(Response):
    """Sends events until the reader disconnects or the stream is over."""

    media_type = EVENT_STREAM_TYPE

    def __init__(self, reader: EventSource) -> None:
        self.reader = reader
        self.status_code = 200
        self.background = None
        self.init_headers(STREAM_HEADERS)

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send, and listen for the reader to hang up."""
        listening = asyncio.create_task(self.hung_up(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while (part := await self.reader.next()) is not None:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.reader.close()
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def hung_up(self, receive: Receive) -> None:
        """Ends the reading when the connection is gone."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.reader.close()
