"""Compresses answers with gzip where it is worth it: complete text that is longer than a packet.

Calls are answered in a few hundred bytes and never come here; what is streamed is not held back either.
"""

from __future__ import annotations

import asyncio
import gzip
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LEAST_BYTES: Final = 1 << 10

# Compressing this much takes about a millisecond; more is compressed in a thread, so that the loop is free.
COMPRESSED_AT_ONCE: Final = 1 << 16

LEVEL: Final = 1  # half the time of the usual 6, for a tenth more bytes

TEXT_TYPES: Final = (
    b"text/html",
    b"text/css",
    b"text/javascript",
    b"text/plain",
    b"application/json",
    b"image/svg",
)

Headers = list[tuple[bytes, bytes]]


class Compression:
    """Middleware: compresses the answers to requests that only read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of a client that understands gzip."""
        await self.app(scope, receive, CompressedAnswer(send))


def accepts_gzip(headers: dict[bytes, bytes]) -> bool:
    """Whether the client takes gzip."""
    for coding in headers.get(b"accept-encoding", b"").lower().split(b","):
        name, _, quality = coding.replace(b" ", b"").partition(b";")
        if name == b"gzip":
            return quality not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False


class CompressedAnswer:
    """Holds back the head of an answer until its body says whether it is compressed."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.head: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Pass a message on, compressed if it is all of the body."""
        if message["type"] == "http.response.start" and is_worth_compressing(message):
            self.head = message
            return
        if self.head is not None:
            head, self.head = self.head, None
            body = message.get("body", b"")
            if (
                message["type"] == "http.response.body"
                and len(body) >= LEAST_BYTES
                and not message.get("more_body")
            ):
                body = await compressed(body)
                message["body"] = body
                head["headers"] = compressed_headers(head["headers"], len(body))
            await self.send(head)
        await self.send(message)


def is_worth_compressing(head: Message) -> bool:
    """Whether an answer is text, and neither a part of one nor compressed already."""
    headers = dict(head.get("headers", ()))
    return (
        head["status"] == 200
        and headers.get(b"content-type", b"").startswith(TEXT_TYPES)
        and b"content-encoding" not in headers
    )


async def compressed(body: bytes) -> bytes:
    """The body, gzipped; the same bytes each time."""
    pack = partial(gzip.compress, body, LEVEL, mtime=0)
    return pack() if len(body) <= COMPRESSED_AT_ONCE else await asyncio.to_thread(pack)


def compressed_headers(headers: Headers, length: int) -> Headers:
    """The headers of a compressed answer."""
    return [
        *((name, value) for name, value in headers if name != b"content-length"),
        (b"content-length", str(length).encode()),
        (b"content-encoding", b"gzip"),
        (b"vary", b"accept-encoding"),
    ]
