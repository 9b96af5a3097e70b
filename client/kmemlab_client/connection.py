"""Requests to a server, made again where that is safe."""

from __future__ import annotations

import http.client
import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import IO, Any

from kmemlab_client.errors import Refused, Unreachable, problem_in

JSON = "application/json"
TEXT = "text/plain"

# A request may wait 30 seconds for its answer (`wait`), and a stream sends a line every 15.
TIMEOUT = 45.0
# How often a request is made at most, and how long is waited before it is made again.
TRIES = 6
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
BUSY = frozenset({429, 503})

Failure = (OSError, http.client.HTTPException)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the token would be sent to wherever an answer points."""

    def redirect_request(self, *_: Any) -> None:
        """Take the answer as the error that it is here."""


class Connection:
    """A server, and who asks it. token: of a lab, by default what KMEMLAB_TOKEN says."""

    def __init__(self, server: str, token: str | None = None) -> None:
        if not server.startswith(("http://", "https://")):
            raise ValueError(f"{server}: an address that begins with http:// or https://")
        self.base = f"{server.rstrip('/')}/api/v1"
        self.token = token if token is not None else os.environ.get("KMEMLAB_TOKEN")
        self.opener = urllib.request.build_opener(NoRedirect)

    def get(self, path: str, **query: Any) -> Any:
        """Read a JSON document. Raises Refused, Unreachable."""
        return self.document("GET", path + asked(query))

    def text(self, path: str, **query: Any) -> str:
        """Read a text. Raises Refused, Unreachable."""
        return self.request("GET", path + asked(query)).decode("utf-8")

    def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        """Send a JSON document, or nothing, once however often it takes. Raises Refused, Unreachable."""
        if body is None:
            return self.document("POST", path, b"", headers)
        return self.document("POST", path, json.dumps(body).encode(), {**headers, "content-type": JSON})

    def post_text(self, path: str, text: str) -> Any:
        """Send a text, likewise. Raises Refused, Unreachable."""
        return self.document("POST", path, text.encode("utf-8"), {"content-type": TEXT})

    def document(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Any:
        """An answer in JSON. Raises Refused, Unreachable."""
        answer = self.request(method, path, body, headers)
        try:
            return json.loads(answer)
        except ValueError:
            raise Unreachable(f"what answers at {self.base} is no kmemlab server") from None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """An answer. A POST has a key of its own, under which the server does it once.

        Raises Refused, Unreachable.
        """
        sent = dict(headers or {})
        if method == "POST":
            sent["idempotency-key"] = uuid.uuid4().hex
        for attempt in range(1, TRIES + 1):
            try:
                with self.open(method, path, body, sent) as answer:
                    return answer.read()
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in BUSY or attempt == TRIES:
                        raise Refused(error.code, read_problem(error)) from None
                pause = retry_after(error, attempt)
            except Failure as error:
                if attempt == TRIES or (attempt == 1 and hopeless(error)):
                    raise Unreachable(f"{self.base}: {reason(error)}") from None
                pause = pause_before(attempt)
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def open(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> IO[bytes]:
        """One attempt. Raises HTTPError, and `Failure` where nothing answers."""
        if self.token:
            headers = {**headers, "authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.base + path, body, headers, method=method)  # noqa: S310
        answer: IO[bytes] = self.opener.open(request, timeout=TIMEOUT)
        return answer


def asked(query: dict[str, Any]) -> str:
    """A query, of what is not None."""
    given = {name: value for name, value in query.items() if value is not None}
    return f"?{urllib.parse.urlencode(given)}" if given else ""


def segment(name: str) -> str:
    """A name as one part of a path."""
    return urllib.parse.quote(name, safe="")


def read_problem(error: urllib.error.HTTPError) -> dict[str, Any]:
    """The problem document of a refusal."""
    try:
        return problem_in(error.read())
    except Failure:
        return {}


def retry_after(error: urllib.error.HTTPError, attempt: int) -> float:
    """How many seconds the server wants to be left alone."""
    try:
        seconds = float(error.headers.get("retry-after", ""))
    except ValueError:
        return pause_before(attempt)
    return min(seconds, LONGEST_PAUSE) if seconds >= 0 else pause_before(attempt)


def pause_before(attempt: int) -> float:
    """Longer with every attempt."""
    return float(FIRST_PAUSE * 2 ** (attempt - 1))


def hopeless(error: BaseException) -> bool:
    """Whether there is no server, no such host, or no such address can be: nothing was sent."""
    cause = getattr(error, "reason", error)
    return isinstance(cause, (ConnectionRefusedError, socket.gaierror, http.client.InvalidURL))


def reason(error: BaseException) -> str:
    """Why nothing answered."""
    return str(getattr(error, "reason", "")) or str(error) or type(error).__name__
