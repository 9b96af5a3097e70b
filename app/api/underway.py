"""`/sessions/{id}/work`: a long batch or repeated call that is being made, seen and stopped."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs
from app.api.requests import addressed, answer
from app.sessions import Underway

router = APIRouter(tags=["calls"], prefix="/sessions/{id:id}")


@router.get("/work", **docs.operation("get_work", "Long work that is being done", docs.WORK))
async def work(request: Request) -> Response:
    """How far a long batch or repeated call is that keeps the session from others; null for none."""
    sessions, principal, sid = addressed(request)
    return seen(await sessions.underway(principal, sid))


@router.delete("/work", **docs.operation("stop_work", "Stop long work", docs.WORK))
async def stop(request: Request) -> Response:
    """A batch ends after the call that is being made, a repeated call after some more rounds.

    What was made stands in the journal, and is what the request that asked for it is answered.
    """
    sessions, principal, sid = addressed(request)
    return seen(await sessions.stop_work(principal, sid))


def seen(underway: Underway | None) -> Response:
    """Work as an answer."""
    return answer({"work": None if underway is None else underway.as_json()})
