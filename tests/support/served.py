"""For tests of the HTTP faces: a whole application in this process, and what all answers have in common."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from app.connections import Connection, Connections
from app.main import create_app
from tests.support.factories import migrated, settings_for

ORIGIN = "http://127.0.0.1:8000"
BASE = "/api/v1"

PROTECTION = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


SECRET = {"referrer-policy": "strict-origin"}


def build(folder: Path, **settings: Any) -> FastAPI:
    """An application whose database is in that folder, migrated."""
    made = settings_for(folder, **settings)
    migrated(made)
    return create_app(made)


def client_of(app: FastAPI) -> TestClient:
    """A client that sees a 500 as an answer, as a real one would."""
    return TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False)


class Server(uvicorn.Server):
    """Ends its streams, as `kmemlab serve` does, before it waits for requests to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.sessions.release()
        await super().shutdown(sockets)


@contextmanager
def listening(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serves the application over real HTTP, in a thread of this process; its address."""
    http = partial(Connection, Connections(app.state.settings))
    server = Server(uvicorn.Config(app, port=port, http=http, log_level="critical", access_log=False))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def protected(response: Response) -> None:
    """Every answer carries what protects the person who reads it."""
    secret = response.url.path.startswith(("/enter/", "/setup/"))  # no referrer may tell it
    for name, value in {**PROTECTION, **(SECRET if secret else {})}.items():
        assert response.headers.get_list(name) == [value]
    assert len(response.headers["x-request-id"]) == 16


def problem(response: Response, status: int, *loc: str | int) -> dict[str, Any]:
    """The answer is a problem document of that status; with loc, one that names that place."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    protected(response)
    document: dict[str, Any] = response.json()
    assert (
        {"type", "title", "status", "detail"}
        <= set(document)
        <= {"type", "title", "status", "detail", "errors", "more"}
    )
    assert len(response.content) <= 16 << 10
    assert len(document.get("errors", ())) <= 20
    assert document["status"] == status
    assert all(isinstance(document[key], str) and document[key] for key in ("type", "title", "detail"))
    for fault in document.get("errors", ()):
        assert {"loc", "msg"} <= set(fault) <= {"loc", "msg", "word", "suggestions"}
        assert fault["msg"]
    if loc:
        assert list(loc) in [fault["loc"] for fault in document["errors"]]
    return document
