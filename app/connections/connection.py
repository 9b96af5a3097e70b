"""One connection: uvicorn's HTTP protocol, with a bound on everything that a client makes it hold.

A request's head is bounded in bytes and in headers, and has to come in time. While a request runs, at most a
few more are parsed. What comes after them waits unparsed, and nothing more is read from the socket: the
client's own system holds it, and no request is lost. An answer that is not read stops the connection in the
same way, and after a while closes it. Nothing here is written to the log: a client could fill a disk with it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.connections import refusals
from app.connections.refusals import HEAD_BYTES, MOST_HEADERS, TARGET_BYTES
from app.connections.stalled import StallDetector, throw_away

if TYPE_CHECKING:
    from app.connections.table import Connections
    from app.upload_timeout import UploadTimeout

# Bytes that are parsed at once. Few bytes may hold many requests: where they do, pieces are smaller.
PARSED_AT_ONCE: Final = 16 << 10
SMALL_PIECE: Final = 512

# A chunk's frame is a few bytes long. More than so many for each byte of the body are not an honest body.
FRAMING: Final = 8

# Seconds in which a client can read why it was refused. What it still sends is thrown away meanwhile.
LINGER: Final = 2.0


class Refused(Exception):  # noqa: N818 - stops the parser; Connection.refusal says why
    """The request is not parsed to its end."""


class Flow(FlowControl):
    """Stops and goes on reading. While requests wait on the connection, nothing makes it go on."""

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.full = False

    def resume_reading(self) -> None:
        """Read on, unless requests wait."""
        if not self.full:
            super().resume_reading()

    def fill(self) -> None:
        """Read nothing until `drained`."""
        self.full = True
        self.pause_reading()

    def drained(self) -> None:
        """Read on."""
        self.full = False
        self.resume_reading()


class Connection(HttpToolsProtocol):
    """A connection that `table` counts."""

    flow: Flow

    def __init__(
        self,
        table: Connections,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.table = table
        self.headers = []
        self.group: str | None = None  # of the table
        self.known = False  # whether a person has signed in on it
        self.since = 0.0  # when it was opened, or when its last answer was complete
        self.begun = 0.0  # when the head of the newest request began to come
        self.in_head = self.in_body = False  # whether that request is incomplete, and where
        self.fed = self.body_bytes = 0  # of that request, and of its body alone
        self.running: RequestResponseCycle | None = None
        self.timeout: UploadTimeout | None = None  # of the running request, while its body is incomplete
        self.held: list[bytes] = []  # unparsed, behind the running request
        self.refusal: bytes | None = None  # the last answer, after those that are due
        self.ending = False  # that answer was given
        self.answer_waits = False  # an answer is complete, and its reader has not taken enough of it
        self.taken = StallDetector()

    @property
    def waits(self) -> bool:
        """Whether the connection waits for its client, and no request is lost with it.

        A stranger's also waits while the client sends a body or does not read an answer: so no stranger keeps
        a place by doing that.
        """
        if self.running is None:
            return not self.transport.get_write_buffer_size()
        if self.known or not self.table.lab:
            return False
        return self.in_body or self.flow.write_paused

    # -- the transport ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, or say that there is no room."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self.since = self.loop.time()
        refusal = self.table.admit(self, self.client[0] if self.client else "")
        if refusal is not None:
            self._end_with(refusal)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give back what the connection held."""
        self.table.remove(self)
        self._release()
        self._hang_up()  # uvicorn tells the newest request, which may be one that waits behind this
        super().connection_lost(exc)

    def drop(self) -> None:
        """Close at once. What has not been taken is thrown away, by the system too."""
        self.table.remove(self)
        self.ending = True
        self._hang_up()
        if not self.transport.is_closing() or self.transport.get_write_buffer_size():
            throw_away(self.transport)
        self.transport.abort()

    def _hang_up(self) -> None:
        """The running request reads and writes nothing more."""
        if self.running is not None:
            self.running.disconnected = True
            self.running.message_event.set()

    def identify(self, person: str) -> None:
        """A person, by id, has signed in on it."""
        if not self.known:
            self.known = True
            self.table.identify(self, person)

    def resume_writing(self) -> None:
        """The reader has taken most of what was written."""
        self.taken.some = True
        super().resume_writing()
        if self.answer_waits and not self.transport.is_closing():
            self.answer_waits = False
            self._go_on()

    # -- what comes ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Parse what comes, or keep it while requests wait."""
        if self.ending:
            return
        if self.pipeline or self.held or self.answer_waits or self.refusal is not None:
            self._hold(data)
        elif len(data) <= SMALL_PIECE:
            self._feed(data)
            if self.pipeline:
                self.flow.fill()
        else:
            self._feed_pieces(data)

    def _feed_pieces(self, data: bytes) -> None:
        """Parse much, and stop where a second request waits."""
        step = SMALL_PIECE if data.count(b"\r\n\r\n") > 1 else PARSED_AT_ONCE
        view = memoryview(data)
        for at in range(0, len(data), step):
            self._feed(view[at : at + step])
            if self.ending or self.refusal is not None:
                return
            if self.pipeline:
                self._hold(data[at + step :])
                return

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # No other protocol is spoken here: the request is answered as any other, and HTTP goes on.
            self._feed(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(self.refusal or refusals.MALFORMED)
            return
        self.fed += len(data)
        if len(self.headers) > MOST_HEADERS:
            self._refuse(refusals.TOO_MANY_HEADERS)
        elif self.in_head:
            if self.fed > HEAD_BYTES + PARSED_AT_ONCE:
                self._refuse(refusals.HEAD_TOO_LARGE)
        elif self.in_body and self.fed > HEAD_BYTES + PARSED_AT_ONCE + (FRAMING + 1) * self.body_bytes:
            self._refuse(refusals.FRAMING_TOO_LARGE)

    def _hold(self, data: bytes) -> None:
        """Keep what cannot be parsed yet, and read no more."""
        self.flow.fill()
        self.held.append(data)
        if not self.table.may_hold(len(data)):
            self.drop()

    def _release(self) -> bytes:
        """What was held. It counts no more."""
        data = b"".join(self.held)
        self.held = []
        self.table.holds_no_more(len(data))
        return data

    # -- the parser ------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.in_head = True
        self.fed = self.body_bytes = 0
        self.begun = self.loop.time()
        self.scope["state"]["connection"] = self

    def on_headers_complete(self) -> None:
        """The head is complete: run the request, or let it wait for those before it."""
        self.in_head = False
        if len(self.url) > TARGET_BYTES:
            self._stop(refusals.TARGET_TOO_LONG)
        if len(self.headers) > MOST_HEADERS:
            self._stop(refusals.TOO_MANY_HEADERS)
        if self.fed + PARSED_AT_ONCE > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            self._stop(refusals.HEAD_TOO_LARGE)
        super().on_headers_complete()
        self.headers = []  # for trailers, which must not change what is checked here
        self.in_body = True

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self.body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self.in_body = False
        super().on_message_complete()

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _stop(self, refusal: bytes) -> None:
        self.refusal = refusal
        raise Refused

    # -- answers ---------------------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """An answer is complete: go on with what waits, or read the next request."""
        self.server_state.total_requests += 1
        self.running = self.timeout = None
        if self.transport.is_closing():
            return
        self.since = self.loop.time()
        if self.flow.write_paused:
            self.answer_waits = True
            self.flow.fill()
        elif self.flow.full:
            self._go_on()
        else:
            self.flow.resume_reading()

    def _go_on(self) -> None:
        """Run the next request that waits, parse what was held, and read on when none of it is left."""
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        if self.held and not self.pipeline:
            self.data_received(self._release())
        if self.refusal is not None:
            if self.running is None and not self.ending:
                self._end_with(self.refusal)
        elif not self.pipeline and not self.held:
            self.flow.drained()

    def _refuse(self, refusal: bytes) -> None:
        """Answer what is no request, after those before it, and close the connection."""
        self.refusal = refusal
        broken = self.cycle if self.in_body else None
        if broken is not None and broken is self.running:
            if broken.response_started:
                self.drop()
                return
            self._hang_up()
            self.running = None
        elif broken is not None and self.pipeline:
            self.pipeline.popleft()
        if self.running is None:
            self._end_with(refusal)
        else:
            self.flow.fill()

    def _end_with(self, refusal: bytes) -> None:
        """Give the last answer. The client gets a moment to read it."""
        self.ending = True
        self.since = self.loop.time()
        self.flow.drained()
        self.transport.write(refusal)
        self.transport.write_eof()

    # -- time ------------------------------------------------------------------------------------------------

    def look(self, now: float) -> None:
        """End what has lasted too long. Called from time to time."""
        settings = self.table.settings
        waited = now - self.since
        if self.taken.nothing_for(now, self.transport) > settings.answer_idle:
            self.drop()
        elif self.ending:
            if waited > LINGER:
                self.drop()
        elif self.running is not None:
            if self.timeout is not None and self.timeout.is_late(now):
                self.running.message_event.set()
        elif self.answer_waits:
            pass
        elif self.in_head:
            if min(waited, now - self.begun) > settings.head_time:
                self._refuse(refusals.head_too_slow(settings.head_time))
        elif self.in_body or self.cycle is None:
            if waited > settings.head_time:
                self.drop()
        elif waited > self.timeout_keep_alive:
            self.transport.close()
