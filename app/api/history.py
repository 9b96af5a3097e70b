"""Going back in a session's history, and branching off from it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs
from app.api.bodies import JSON, json_object, object_in, optional_object, refuse_others
from app.api.idempotency import with_preconditions
from app.api.requests import BASE, addressed, answer, etag
from app.machine.calls import JSON_INT_MAX
from app.sessions import Applied, SessionInfo

router = APIRouter(tags=["history"], prefix="/sessions/{id:id}")


@router.post(
    "/rewind",
    **docs.operation("rewind", "Restore an earlier state", docs.REWIND, docs.IF_MATCH, docs.KEY),
)
async def rewind(request: Request) -> Response:
    """A new row that gives the machine the state it had at `to`. Nothing is removed from the journal."""
    document = await json_object(request)
    faults = refuse_others(document, "to")
    to: Any = document.get("to")
    if not is_seq(to):
        faults.add("to", "required: the seq of a row, or the one the session starts at")
    faults.check()
    sessions, principal, sid = addressed(request)
    return await with_preconditions(
        request,
        lambda preconditions: sessions.rewind(principal, sid, to, preconditions=preconditions),
        rewound,
    )


@router.post(
    "/undo",
    **docs.operation("undo", "Take back the last call", docs.UNDO, docs.IF_MATCH, docs.KEY),
)
async def undo(request: Request) -> Response:
    """A new row that gives the machine the state before the call that made the present one.

    Undone again, it goes back by one more call.
    """
    refuse_others(await optional_object(request)).check()
    sessions, principal, sid = addressed(request)
    return await with_preconditions(
        request, lambda preconditions: sessions.undo(principal, sid, preconditions=preconditions), rewound
    )


def rewound(applied: Applied) -> Response:
    """The row of a rewind as an answer."""
    return Response(applied.body, 201, {"ETag": etag(applied.seq)}, JSON)


@router.post(
    "/fork",
    **docs.operation(
        "fork", "A session that goes on from a state of this one", docs.FORK, docs.IF_MATCH, docs.KEY
    ),
)
async def fork(request: Request) -> Response:
    """A session of yours that starts at state `at`; its first row follows that seq."""
    sent = await request.body()
    return await copy(request, await object_in(request, sent), sent)


async def copy(request: Request, document: dict[str, Any], sent: bytes) -> Response:
    """As `fork`, of a body that has been read: with `child` it would be the system call."""
    faults = refuse_others(document, "at", "name")
    at, name = document.get("at"), document.get("name")
    if at is not None and not is_seq(at):
        faults.add("at", "the seq of a row, or the one the session starts at")
    if not isinstance(name, str | None):
        faults.add("name", "a string")
    faults.check()
    sessions, principal, sid = addressed(request)
    return await with_preconditions(
        request,
        lambda preconditions: sessions.fork(principal, sid, at, name, preconditions=preconditions),
        forked,
        sent,
    )


def forked(info: SessionInfo) -> Response:
    """A new session as an answer."""
    return answer(info.as_json(), 201, Location=f"{BASE}/sessions/{info.id}", ETag=etag(info.seq))


def is_seq(value: Any) -> bool:
    """Whether a value could be a seq."""
    return type(value) is int and 0 <= value <= JSON_INT_MAX
