"""`POST /sessions/{id}/{call}`: the kernel's functions, one at a time and many at once.

`call` is the hot route. It stands first among all routes, has no dependencies, and nothing is validated or
encoded twice: the arguments are judged where the machine is, and the bytes answered are the journal's.
"""

from __future__ import annotations

import re
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.api import docs, history
from app.api.batches import READERS, Batch, read_batch
from app.api.bodies import JSON, NDJSON, media_type, object_in, off_loop, whole
from app.api.idempotency import with_preconditions
from app.api.requests import BASE, addressed, check_parameters, etag, has_preconditions
from app.errors import BadArgument
from app.sessions import Applied, BatchAnswer, Preconditions
from app.sessions.errors import BatchBlocked, BatchPanicked

SECONDS: Final = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")

router = APIRouter(tags=["calls"], prefix="/sessions/{id:id}")


async def call(request: Request) -> Response:
    """One kernel function: arguments in, outcome out."""
    sessions, principal, sid = addressed(request)
    sent = await whole(request.receive)
    body = await object_in(request, sent)
    name = request.path_params["call"]
    if name == "fork" and "child" not in body:
        check_parameters(request, set())
        return await history.copy(request, body, sent)
    counters = take_counters(body)
    wait = wait_of(request) if request.scope["query_string"] else 0.0
    if has_preconditions(request):
        return await with_preconditions(
            request,
            lambda preconditions: sessions.apply(
                principal, sid, name, body, wait=wait, counters=counters, preconditions=preconditions
            ),
            outcome,
            sent,
        )
    return outcome(await sessions.apply(principal, sid, name, body, wait=wait, counters=counters))


def outcome(applied: Applied) -> Response:
    """A call as an answer."""
    return Response(applied.body, 201, {"ETag": etag(applied.seq)}, JSON)


hot_route = Route(f"{BASE}/sessions/{{id:id}}/{{call:call}}", call, methods=["POST"])


def take_counters(body: dict[str, Any]) -> bool:
    """The `counters` beside the arguments, taken out of them."""
    counters = body.pop("counters", False)
    if not isinstance(counters, bool):
        raise BadArgument.at("counters", "true or false")
    return counters


def wait_of(request: Request) -> float:
    """`?wait=SECONDS`: how long a blocked call may wait to be woken."""
    check_parameters(request, {"wait"})
    limit = request.app.state.settings.wait_limit
    given = request.query_params.get("wait", "0")  # there are queries without parameters: "?&"
    if not SECONDS.fullmatch(given) or float(given) > limit:
        raise BadArgument.at(("query", "wait"), f"seconds, from 0 to {limit:g}")
    return float(given)


@router.post(
    "/calls", **docs.operation("calls", "Many calls, all or none", docs.BATCH, docs.IF_MATCH, docs.KEY)
)
async def calls(request: Request) -> Response:
    """Up to 10,000 calls in one transaction. NDJSON is answered with NDJSON, JSON and text with JSON."""
    form = media_type(request, *READERS)
    most = request.app.state.settings.batch_calls
    batch = await off_loop(lambda body: read_batch(form, body, most), await request.body())
    answered = lines if form == NDJSON else outcomes
    return await with_preconditions(
        request, lambda preconditions: apply(request, batch, preconditions), answered
    )


def outcomes(made: BatchAnswer) -> Response:
    """A batch as an answer."""
    end = b"]" if made.stopped_after is None else b'],"stopped_after":%d' % made.stopped_after
    body = b'{"outcomes":[' + b",".join([applied.body for applied in made]) + end + b"}"
    return Response(body, 201, {"ETag": etag(made.seq)}, JSON)


def lines(made: BatchAnswer) -> Response:
    """A batch as an answer, a line for each call; one more where it was stopped."""
    body = b"".join([applied.body + b"\n" for applied in made])
    if made.stopped_after is not None:
        body += b'{"stopped_after":%d}\n' % made.stopped_after
    return Response(body, 201, {"ETag": etag(made.seq)}, NDJSON)


async def apply(request: Request, batch: Batch, preconditions: Preconditions | None) -> BatchAnswer:
    """Applies a batch; faults are reported where the sender's form has them."""
    sessions, principal, sid = addressed(request)
    try:
        return await sessions.batch(
            principal,
            sid,
            batch.items,
            counters=batch.counters,
            stoppable=True,
            preconditions=preconditions,
        )
    except BadArgument as error:
        raise batch.located(error) from None
    except (BatchBlocked, BatchPanicked) as error:
        error.loc = batch.located(BadArgument.at(error.loc, "")).faults[0].loc
        raise
