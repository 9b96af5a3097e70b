"""`/healthz` and `/readyz`: for whoever watches the process."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, models
from app.api.requests import answer, sessions_of
from app.sessions import LOCAL

router = APIRouter(tags=["operations"])


@router.get("/healthz", **docs.operation("healthz", "The process answers", docs.ok(models.Health)))
async def healthz() -> Response:
    """Says nothing about the database."""
    return answer({"status": "ok"})


@router.get("/readyz", **docs.operation("readyz", "The database answers too", docs.ok(models.Health)))
async def readyz(request: Request) -> Response:
    """503 while nothing can be read."""
    await sessions_of(request).list(LOCAL, limit=1)
    return answer({"status": "ok"})
