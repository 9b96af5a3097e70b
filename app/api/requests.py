"""What the routes need of a request, and how they answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fastapi.routing import APIRoute
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import JSON
from app.errors import BadArgument, Faults
from app.machine.entry import CALLS
from app.sessions import LISTS, Principal, Sessions, principal_of

BASE: Final = "/api/v1"

# Elements of a long list that are encoded at a time: some milliseconds' work.
ENCODED_AT_ONCE: Final = 2_000

# What a request may ask beside its work; a route that takes one says so in its description.
PRECONDITION_HEADERS: Final = frozenset({b"if-match", b"idempotency-key"})


class Word(Convertor[str]):
    """A path segment that may only look in certain ways; where it does not, no route is there."""

    def __init__(self, regex: str) -> None:
        self.regex = regex  # type: ignore[misc]  # one class, many patterns

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("call", Word("|".join(map(re.escape, CALLS))))
register_url_convertor("id", Word("[A-Za-z0-9_-]{1,64}"))
register_url_convertor("list", Word("|".join(LISTS)))
register_url_convertor("exercise", Word("(?!check$|check/)[^/]+"))
register_url_convertor("number", Word("[0-9]{1,15}"))


def sessions_of(request: Request) -> Sessions:
    """The sessions of this server."""
    sessions = request.app.state.sessions
    assert isinstance(sessions, Sessions)
    return sessions


def addressed(request: Request) -> tuple[Sessions, Principal, str]:
    """The sessions, the principal, and the session's id."""
    return sessions_of(request), principal_of(request.scope), request.path_params["id"]


def only_known_parameters(request: Request) -> None:
    """Refuses query parameters that the route does not have, or that are given twice.

    One that were silently passed over (`?at=41` where only the head can be read) would make the answer a lie.
    """
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    check_parameters(request, known)


def only_known_headers(request: Request) -> None:
    """Refuses preconditions that the route does not take: a client that sends one relies on it."""
    for name, _ in request.scope["headers"]:
        if name in PRECONDITION_HEADERS and name.decode() not in preconditions_taken(request.scope["route"]):
            raise BadArgument.at(("header", name.decode()), "not taken here; nothing was done")


def preconditions_taken(route: APIRoute) -> set[str]:
    """The preconditions that a route takes, by the names of their headers."""
    parameters = (route.openapi_extra or {}).get("parameters", ())
    return {parameter["name"].lower() for parameter in parameters if parameter["in"] == "header"}


def has_preconditions(request: Request) -> bool:
    """Whether the request carries any preconditions. Few do, and every call is asked."""
    for name, _ in request.scope["headers"]:  # noqa: SIM110 - on the hot route a generator costs twice as much
        if name in PRECONDITION_HEADERS:
            return True
    return False


def check_parameters(request: Request, known: set[str]) -> None:
    """Raises BadArgument for query parameters that are not known, or are given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    accepted = f"this path takes {', '.join(sorted(known))}" if known else "this path takes none"
    faults = Faults()
    for name in given:
        if name not in known:
            faults.add(("query", name), f"not known; {accepted}")
    for name in known:
        if given.count(name) > 1:
            faults.add(("query", name), "given twice")
    faults.check()


def answer(document: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer, encoded once."""
    return Response(to_json(document), status, {k.replace("_", "-"): v for k, v in headers.items()}, JSON)


async def long_answer(document: Mapping[str, Any]) -> Response:
    """As `answer`, for a document that may be long: it is encoded beside the loop, part by part."""
    return Response(await run_in_threadpool(encoded, document), media_type=JSON)


def encoded(document: Mapping[str, Any]) -> bytes:
    """The same bytes as in one piece. Other threads have their turn between two parts."""
    members = (to_json(name) + b":" + encoded_list(value) for name, value in document.items())
    return b"{" + b",".join(members) + b"}"


def encoded_list(value: Any) -> bytes:
    """A value; a long list in parts, and one within an object too."""
    if isinstance(value, dict) and any(
        isinstance(part, list) and len(part) > ENCODED_AT_ONCE for part in value.values()
    ):
        return encoded(value)
    if not isinstance(value, list) or len(value) <= ENCODED_AT_ONCE:
        return to_json(value)
    parts = (
        to_json(value[first : first + ENCODED_AT_ONCE])[1:-1]
        for first in range(0, len(value), ENCODED_AT_ONCE)
    )
    return b"[" + b",".join(parts) + b"]"


def etag(seq: int) -> str:
    """The entity tag of a session at a seq."""
    return f'"{seq}"'
