"""What commands ask of a running server: with KMEMLAB_TOKEN, by the standard library alone."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import IO, Any


class NoServerError(ValueError):
    """What answers is no kmemlab server, or the address is none."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows nothing: the token would be sent to wherever an answer points."""

    def redirect_request(self, *_: Any) -> None:
        """Take the answer as the error that it is here."""


def base_of(server: str) -> str:
    """The address of a server's API. Raises NoServerError for an address that is none."""
    if not server.startswith(("http://", "https://")):
        raise NoServerError(f"{server}: an address that begins with http:// or https://")
    return f"{server.rstrip('/')}/api/v1"


def headers() -> dict[str, str]:
    """Who asks."""
    token = os.environ.get("KMEMLAB_TOKEN")
    return {} if token is None else {"authorization": f"Bearer {token}"}


def ask(address: str, body: bytes | None = None, **more: str) -> IO[bytes]:
    """An answer. body: what is posted. more: headers. Raises HTTPError and OSError."""
    request = urllib.request.Request(address, body, headers() | more)  # noqa: S310 - base_of has looked
    answer: IO[bytes] = urllib.request.build_opener(NoRedirect).open(request)
    return answer


def get(server: str, path: str) -> dict[str, Any]:
    """A document of a server. Raises HTTPError, OSError and NoServerError."""
    with ask(base_of(server) + path) as answer:
        return document_of(answer, server)


def post(server: str, path: str, document: Any) -> dict[str, Any]:
    """Send a document; the answer. Raises HTTPError, OSError and NoServerError."""
    body = json.dumps(document).encode()
    with ask(base_of(server) + path, body, **{"content-type": "application/json"}) as answer:
        return document_of(answer, server)


class Source:
    """A session of a server. Raises NoServerError for an address that is none."""

    def __init__(self, server: str, session: str) -> None:
        self.server = server
        self.base = f"{base_of(server)}/sessions/{urllib.parse.quote(session, safe='')}"

    def open(self, path: str, body: bytes | None = None, **more: str) -> IO[bytes]:
        """An answer below the session, as `ask` gives it."""
        return ask(self.base + path, body, **more)

    def session(self) -> dict[str, Any]:
        """The session. Raises as `get` does."""
        with self.open("") as answer:
            return document_of(answer, self.base)

    def seq(self) -> int:
        """The session's last row. Raises as `get` does."""
        try:
            return int(self.session()["seq"])
        except (ValueError, KeyError, TypeError):
            raise no_server(self.base) from None

    def rows(self, after: int) -> Iterator[int]:
        """The seq of each row behind one, as it comes."""
        with self.open(f"/events/stream?after={after}") as stream:
            for line in stream:
                if line.startswith(b"id: "):
                    yield int(line[4:])


def document_of(answer: IO[bytes], address: str) -> dict[str, Any]:
    """An answer that has to be a JSON object. Raises NoServerError."""
    try:
        document = json.load(answer)
    except ValueError:
        raise no_server(address) from None
    if not isinstance(document, dict):
        raise no_server(address)
    return document


def no_server(address: str) -> NoServerError:
    """What is said of an address where something else answers."""
    return NoServerError(f"{address}: what answers there is no kmemlab server")


def problem_of(error: urllib.error.HTTPError) -> dict[str, Any]:
    """What a server has refused, as its problem document; one of ours where it sent none."""
    try:
        problem = json.load(error)
    except ValueError:
        problem = None
    if isinstance(problem, dict) and isinstance(problem.get("detail"), str):
        return problem
    return {"detail": f"the server answers {error.code}"}


def said(error: urllib.error.HTTPError) -> str:
    """What a server has refused, in its words."""
    return str(problem_of(error)["detail"])
