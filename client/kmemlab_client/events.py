"""The rows of a session as they are made: server-sent events."""

from __future__ import annotations

import json
import time
import urllib.error
from collections.abc import Iterator
from typing import IO, Any, Callable, NamedTuple

from kmemlab_client.connection import (
    BUSY,
    FIRST_PAUSE,
    TRIES,
    Connection,
    Failure,
    asked,
    pause_before,
    read_problem,
    reason,
    retry_after,
)
from kmemlab_client.errors import Refused, Unreachable
from kmemlab_client.outcome import Outcome


class Stream:
    """A session's stream, opened again where it breaks.

    journal: the rows behind a seq. last: the row that was handed on last; None for the session's head.
    """

    def __init__(
        self, connection: Connection, path: str, journal: Callable[[int], Iterator[Outcome]]
    ) -> None:
        self.connection = connection
        self.path = f"{path}/events/stream"
        self.journal = journal
        self.last: int | None = None
        self.failed = 0

    def rows(self, after: int | None) -> Iterator[Outcome]:
        """Every row behind one. Raises Refused, Unreachable."""
        self.last = after
        while True:
            try:
                with self.connection.open("GET", self.path + asked({"after": self.last}), None, {}) as answer:
                    for event in events(answer):
                        self.failed = 0
                        yield from self.told(event)
                time.sleep(FIRST_PAUSE)
            except urllib.error.HTTPError as error:  # noqa: PERF203 - an attempt takes longer
                with error:
                    self.refused(error)
            except Failure as error:
                self.broken(error)

    def told(self, event: Event) -> Iterator[Outcome]:
        """The rows of an event; those that the stream has left out are read from the journal."""
        if event.name == "resync" and self.last is not None:
            for row in self.journal(self.last):
                if row.seq > event.seq:
                    break
                self.last = row.seq
                yield row
        elif event.data is not None and event.name == "message":
            self.last = event.seq
            yield Outcome(event.data)
        self.last = event.seq

    def refused(self, error: urllib.error.HTTPError) -> None:
        """Wait where the server is busy. Raises Refused where it is not, or stays so."""
        self.failed += 1
        if error.code not in BUSY or self.failed == TRIES:
            raise Refused(error.code, read_problem(error)) from None
        time.sleep(retry_after(error, self.failed))

    def broken(self, error: Exception) -> None:
        """Wait for a server that starts again. Raises Unreachable where none does."""
        self.failed += 1
        if self.failed == TRIES:
            raise Unreachable(f"{self.connection.base}: {reason(error)}") from None
        time.sleep(pause_before(self.failed))


class Event(NamedTuple):
    """An event of a stream. seq: at which row the stream is after it."""

    name: str
    seq: int
    data: dict[str, Any] | None


def events(stream: IO[bytes]) -> Iterator[Event]:
    """The events of a stream that are complete; what breaks off in the middle comes again."""
    name, seq, data = "message", None, b""
    for raw in stream:
        line = raw.rstrip(b"\r\n")
        key, _, value = line.partition(b":")
        if not line:
            if seq is not None:
                yield Event(name, seq, json.loads(data) if data else None)
            name, seq, data = "message", None, b""
        elif key == b"id":
            seq = int(value)
        elif key == b"event":
            name = value.strip().decode()
        elif key == b"data":
            data += value
