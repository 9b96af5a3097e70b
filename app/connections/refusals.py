"""Answers to what cannot be parsed as a request: complete, as bytes, and the last on their connection."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import Final

# A request's head: the request line and all headers, trailers of a chunked body included.
HEAD_BYTES: Final = 64 << 10
MOST_HEADERS: Final = 100
TARGET_BYTES: Final = 16 << 10

# Seconds after which a client that was refused for lack of room may try again.
AGAIN: Final = 2

COMMON: Final = (
    "connection: close",
    "cache-control: no-store",
    "x-content-type-options: nosniff",
    "content-security-policy: default-src 'none'",
)


def answer(status: int, body: bytes, media_type: str, *headers: str) -> bytes:
    """A complete answer."""
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {media_type}",
        f"content-length: {len(body)}",
        *headers,
        *COMMON,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


@cache
def problem(status: int, detail: str, *headers: str) -> bytes:
    """A problem document (RFC 9457)."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return answer(status, json.dumps(document).encode(), "application/problem+json", *headers)


MALFORMED: Final = answer(400, b"Invalid HTTP request received.", "text/plain; charset=utf-8")

TARGET_TOO_LONG: Final = problem(414, f"the address is longer than {TARGET_BYTES} bytes, the limit here")

HEAD_TOO_LARGE: Final = problem(
    431, f"the request line and headers are larger than {HEAD_BYTES} bytes together, the limit here"
)

TOO_MANY_HEADERS: Final = problem(431, f"the request has more than {MOST_HEADERS} headers, the limit here")

FRAMING_TOO_LARGE: Final = problem(
    431, "chunk sizes, chunk extensions and trailers are much larger than the body: send larger chunks"
)


def head_too_slow(seconds: float) -> bytes:
    """The request line and headers did not come in time."""
    return problem(408, f"the request line and headers did not come within {seconds:g} s")


def full(most: int) -> bytes:
    """There are as many connections as the server can hold, and none of them is idle."""
    return problem(
        503,
        f"all {most} connections that this server holds are in use: try again in {AGAIN} s",
        f"retry-after: {AGAIN}",
    )


def full_for_address(most: int) -> bytes:
    """There are as many connections from one address as it may have before anybody has signed in on them."""
    return problem(
        503,
        f"{most} connections from your address, on none of which anybody has signed in, are in use: "
        f"try again in {AGAIN} s",
        f"retry-after: {AGAIN}",
    )
