"""A reader of event streams, as a script would write it: over a socket, a line at a time."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2

from tests.support.patience import PATIENCE


class Event(NamedTuple):
    """A server-sent event."""

    id: int
    # As it came.
    data: bytes
    # `resync` or empty.
    name: str = ""

    @property
    def outcome(self) -> dict[str, Any]:
        return dict(json.loads(self.data))


def events(lines: Iterator[str]) -> Iterator[Event]:
    """What a browser would make of the lines."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(int(fields["id"]), fields["data"].encode(), fields.get("event", ""))
            fields = {}
        else:
            fields = {}


class Stream:
    """An open stream. Iterating waits for events, up to the end of the stream."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.events = events(response.iter_lines())

    def __iter__(self) -> Iterator[Event]:
        return self.events

    def take(self, count: int) -> list[Event]:
        return [next(self.events) for _ in range(count)]


@contextmanager
def stream(session: str, after: int | None = None, last: int | None = None) -> Iterator[Stream]:
    """Follow a session. last: resume there, as a browser does."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    query = "" if after is None else f"?after={after}"
    url = f"{session}/events/stream{query}"
    with (
        httpx2.Client(verify=False, trust_env=False) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Stream(response)


@contextmanager
def silent(session: str, receive: int = 4096) -> Iterator[socket.socket]:
    """A reader that has asked and does not read; with little room for what is sent meanwhile."""
    address = urlsplit(session)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        connection.settimeout(PATIENCE)
        connection.connect((address.hostname, address.port))
        request = f"GET {address.path}/events/stream HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n"
        connection.sendall(request.encode())
        yield connection
