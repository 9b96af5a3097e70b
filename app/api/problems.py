"""Errors as answers of the API: `application/problem+json` (RFC 9457).

Whatever leaves a route as an exception passes through `problem_of`. A refusal has the status of
`app.refusals`; `PROBLEMS` has the classes whose documents say more than their text: fields at fault, headers.
A mistake of ours says nothing about our insides.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from app.errors import FAULTS_SHOWN, BadArgument, Fault, Faults, Refusal, shortened
from app.machine.calltext import Malformed
from app.receiving import TooLarge
from app.refusals import status_of
from app.sessions.errors import BatchBlocked, BatchPanicked, Busy, KeyReused, LimitReached, Stale, TooMany
from app.upload_timeout import TooSlow

PROBLEM_TYPE: Final = "application/problem+json"

# Bytes of a problem document, and characters of its detail. However much a client sends, the answer is short.
DOCUMENT_SIZE: Final = 16 << 10
DETAIL_SHOWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for one request."""

    status: int
    detail: str
    # The fields at fault.
    faults: tuple[Fault, ...] = ()
    # Sent beside the document.
    headers: Mapping[str, str] = field(default_factory=dict)
    # Fields at fault beside those.
    more: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", shortened(self.detail, DETAIL_SHOWN))

    def as_json(self, most: int = FAULTS_SHOWN) -> dict[str, Any]:
        """The problem document, with at most so many faults.

        `about:blank` says that the status is all there is to the type.
        """
        doc: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            doc["errors"] = [fault_as_json(fault) for fault in self.faults[:most]]
        if more := self.more + len(self.faults[most:]):
            doc["more"] = more
        return doc

    def body(self) -> bytes:
        """The problem document as bytes: with as many of the faults as a document may hold."""
        for most in range(FAULTS_SHOWN, 1, -1):
            body = json.dumps(self.as_json(most)).encode()
            if len(body) <= DOCUMENT_SIZE:
                return body
        return json.dumps(self.as_json(1)).encode()

    def response(self) -> Response:
        """The answer."""
        return Response(self.body(), self.status, headers=dict(self.headers), media_type=PROBLEM_TYPE)


def fault_as_json(fault: Fault) -> dict[str, Any]:
    """One field at fault; with what was probably meant, where that can be told."""
    doc: dict[str, Any] = {"loc": list(fault.loc), "msg": fault.msg}
    if suggestions := fault.suggestions:
        doc |= {"word": fault.word, "suggestions": list(suggestions)}
    return doc


class HttpRefusal(Refusal):
    """A request that the JSON face itself cannot accept, with the status of its answer."""

    def __init__(self, status: int, detail: str, *faults: Fault, **headers: str) -> None:
        super().__init__(detail)
        self.problem = Problem(status, detail, faults, {k.replace("_", "-"): v for k, v in headers.items()})


def fields(error: BadArgument) -> Problem:
    """Fields at fault."""
    return Problem(status_of(error), str(error), error.faults, more=error.more)


def unreadable(error: Malformed) -> Problem:
    """Text that is no call."""
    return Problem(400, str(error), error.faults)


def parameters(error: RequestValidationError) -> Problem:
    """Query and path parameters at fault, as FastAPI found them."""
    faults = Faults()
    for found in error.errors():
        faults.add(tuple(found["loc"]), found["msg"].removeprefix("Value error, "))
    return fields(BadArgument(*faults.first, more=faults.more))


def by_router(error: HTTPException) -> Problem:
    """What the router refuses: no such path, no such method."""
    details = {
        404: "nothing is here; GET /api/v1/openapi.json lists every path and GET /api/v1/calls every call",
        405: "this path takes another method: see Allow",
    }
    return Problem(
        error.status_code, details.get(error.status_code, error.detail), headers=error.headers or {}
    )


def blocked_in_batch(error: BatchBlocked | BatchPanicked) -> Problem:
    """A call of a batch by a task that sleeps, or on a machine that has stopped."""
    return Problem(status_of(error), str(error), (Fault(error.loc, str(error)),))


def limit(error: LimitReached) -> Problem:
    """A field that asks for too much; or, where it is no one field's doing, no room."""
    if not error.loc:
        return Problem(507, str(error))
    return Problem(status_of(error), str(error), (Fault(error.loc, str(error)),))


def busy(error: Busy | TooMany) -> Problem:
    """Not now."""
    headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    return Problem(status_of(error), str(error), headers=headers)


def too_slow(error: TooSlow) -> Problem:
    """An upload that does not come; what may still come of it is not read."""
    return Problem(status_of(error), str(error), headers={"Connection": "close"})


def stale(error: Stale) -> Problem:
    """If-Match names another seq than the session's."""
    fault = Fault(("header", "if-match"), f'the session is at "{error.seq}"')
    return Problem(status_of(error), str(error), (fault,), {"ETag": f'"{error.seq}"'})


def key_reused(error: KeyReused) -> Problem:
    """A key that stands for something else."""
    return Problem(status_of(error), str(error), (Fault(("header", "idempotency-key"), str(error)),))


def ours(_: Exception) -> Problem:
    """The last resort. The log has the traceback; the caller is told only that nothing was recorded."""
    return Problem(500, "kmemlab made a mistake; nothing was recorded, and the log says what happened")


def in_words(error: Refusal) -> Problem:
    """A refusal whose text says all there is to say."""
    return Problem(status_of(error), str(error))


PROBLEMS: Final[dict[type[Exception], Callable[[Any], Problem]]] = {
    Refusal: in_words,
    HttpRefusal: lambda error: error.problem,
    Malformed: unreadable,
    BadArgument: fields,
    BatchBlocked: blocked_in_batch,
    BatchPanicked: blocked_in_batch,
    Busy: busy,
    TooMany: busy,
    Stale: stale,
    KeyReused: key_reused,
    LimitReached: limit,
    TooSlow: too_slow,
    ClientDisconnect: lambda error: Problem(400, str(error)),
    RequestValidationError: parameters,
    HTTPException: by_router,
    Exception: ours,
}

# Why the body of a form was not read to its end.
IN_A_FORM: Final = (TooSlow, TooLarge, Busy, TooMany, ClientDisconnect)


def problem_of(error: Exception) -> Problem:
    """The problem that an exception stands for: that of the nearest class in the table.

    FastAPI turns whatever happens while it reads a form into a 400: what is behind that says more.
    """
    if isinstance(error, HTTPException) and isinstance(error.__cause__, IN_A_FORM):
        error = error.__cause__
    return next(PROBLEMS[kind] for kind in type(error).__mro__ if kind in PROBLEMS)(error)
