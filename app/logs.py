"""The log as JSON, a line for each entry, for programs that collect logs (`KMEMLAB_LOG=json`).

An entry of a request has its route as it is written here (`/api/v1/sessions/{id}`), never the address that
was asked: addresses name sessions, and some hold secrets. Of the person it has the number in their lab, no
name.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.clock import now

access: Final = logging.getLogger("app.access")

# What an entry of a request has beside its message.
FIELDS: Final = ("request", "method", "route", "status", "ms", "who")


# How a route says which parts of an address fit: `{id:id}`.
KINDS: Final = re.compile(r":\w+(?=\})")


class JsonFormatter(logging.Formatter):
    """One JSON object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, who logs, what; an exception with its traceback; what the record has besides."""
        entry: dict[str, Any] = {
            "time": now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def write_json() -> None:
    """Have all that is logged from now on be JSON on stderr: warnings, errors, and every answer."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    access.setLevel(logging.INFO)


class AccessLog:
    """Logs every request when its answer has ended. Around the guard, which refuses some."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noting)
        finally:
            access.info("answered" if status else "not answered", extra=entry_of(scope, status, begun))


def entry_of(scope: Scope, status: int, begun: float) -> dict[str, Any]:
    """What the log tells of a request. A status of 0: its client has hung up before."""
    state = scope.get("state", {})
    principal = state.get("principal")
    return {
        "request": state.get("request_id"),
        "method": scope["method"],
        "route": route_of(scope),
        "status": status,
        "ms": round((time.perf_counter() - begun) * 1e3, 1),
        "who": None if principal is None else principal.by,
    }


def route_of(scope: Scope) -> str | None:
    """The route that was taken, with names in place of what stood in the address; None where there was none.

    A route knows its path behind the prefix of its router.
    """
    path = getattr(scope.get("route"), "path", None)
    if path is None:
        return None
    names = {str(value): name for name, value in scope.get("path_params", {}).items()}
    asked = scope["path"].split("/")
    prefix = asked[: len(asked) - path.count("/")]
    known = [f"{{{names[part]}}}" if part in names else part for part in prefix]
    return "/".join(known) + KINDS.sub("", path)
