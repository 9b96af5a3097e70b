"""A session from the log of a real kernel: `POST /sessions` with `text/x-ftrace`, or with a `trace`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import decoded, media_type
from app.api.docs import FTRACE
from app.api.fields import Kind, taken
from app.api.idempotency import with_preconditions
from app.api.requests import BASE, answer, etag, sessions_of
from app.errors import BadArgument
from app.sessions import principal_of
from app.sessions.kernel_logs import KernelLog, Replayed

# Characters of a mark.
MARK: Final = 100

_MARK: Final = Kind(
    f"a mark of trace_marker, or the bytes of a kmalloc: at most {MARK} characters",
    lambda value: value is None or (isinstance(value, str) and 0 < len(value) <= MARK),
)
_LOG: Final = Kind(
    "the text of a log, as ftrace or trace-cmd prints it", lambda value: isinstance(value, str)
)


async def create_from_body(
    request: Request, profile: str | None, first: str | None, last: str | None
) -> Response:
    """A session from a log that is the whole body; a profile and marks stand in the address."""
    media_type(request, FTRACE)
    machine = {} if profile is None else {"profile": profile}
    return await create(request, None, machine, KernelLog(decoded(await request.body()), first, last))


async def create_from_document(
    request: Request, name: str | None, machine: Mapping[str, Any], trace: Any
) -> Response:
    """A session from a log within a document, beside the machine that it begins with."""
    if not isinstance(trace, dict):
        raise BadArgument.at("trace", 'an object, as {"log": "…", "from": "begin", "to": "end"}')
    try:
        given = taken(trace, {"log": _LOG}, {"from": _MARK, "to": _MARK})
        log = KernelLog(given["log"], given.get("from"), given.get("to"))
    except BadArgument as error:
        raise error.under("trace") from None
    return await create(request, name, machine, log)


async def create(request: Request, name: str | None, machine: Mapping[str, Any], log: KernelLog) -> Response:
    """Make it; the answer also says how far the machine agrees with the kernel."""
    sessions, principal = sessions_of(request), principal_of(request.scope)
    return await with_preconditions(
        request,
        lambda preconditions: sessions.from_log(principal, name, machine, log, preconditions=preconditions),
        created,
    )


def created(made: Replayed) -> Response:
    """A new session as an answer, with the table of its log."""
    info = made.info
    document = {**info.as_json(), "trace": made.compared.as_json()}
    return answer(document, 201, Location=f"{BASE}/sessions/{info.id}", ETag=etag(info.seq))


def refuse_parameters(given: Mapping[str, str | None]) -> None:
    """Raise BadArgument for parameters that mean something with a log alone."""
    for name, value in given.items():
        if value is not None:
            raise BadArgument.at(("query", name), f"only with a body of {FTRACE}")
