"""`GET /labs/{id}/events/stream`: what changes in a lab, as server-sent events."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import class_docs, docs
from app.api.lab_requests import addressed
from app.api.stream import streamed

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")


@router.get("/events/stream", **docs.operation("stream_lab", "A lab, live", class_docs.NEWS))
async def stream(request: Request) -> Response:
    """How the lab is, and then what changes in it, within half a second. For everybody in it."""
    labs, person, lab_id = addressed(request)
    return await streamed(request, await labs.news.follow(person, lab_id))
