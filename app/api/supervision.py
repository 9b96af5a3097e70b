"""Routes for instructors: lock, unlock and reset a session of a lab."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_docs
from app.api.bodies import optional_object
from app.api.fields import taken
from app.api.history import rewound
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.parameters import SessionId

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}/sessions/{session:id}")


@router.post("/lock", **docs.operation("lock_session", "Lock a machine", lab_docs.LOCK, docs.KEY))
async def lock(request: Request, session: SessionId) -> Response:
    """Its member can read it, but not call it for now."""
    return await locked(request, session, locked=True)


@router.post("/unlock", **docs.operation("unlock_session", "Unlock it", lab_docs.LOCK, docs.KEY))
async def unlock(request: Request, session: SessionId) -> Response:
    """Its member can call it again."""
    return await locked(request, session, locked=False)


async def locked(request: Request, session: str, *, locked: bool) -> Response:
    """Locks or unlocks."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.lock(
            person, lab_id, session, locked=locked, preconditions=preconditions
        ),
        lambda _: Response(status_code=204),
    )


@router.post("/reset", **docs.operation("reset_session", "Reset a machine", lab_docs.RESET, docs.KEY))
async def reset(request: Request, session: SessionId) -> Response:
    """A new row that gives it the state from which it started."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.reset(person, lab_id, session, preconditions=preconditions),
        rewound,
    )
