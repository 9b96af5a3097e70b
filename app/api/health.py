"""`/healthz` and `/readyz`: health checks of the process."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, models
from app.api.requests import answer, sessions_of
from app.sessions.errors import Busy, StorageFull

# Seconds until it is worth asking again, where a person has to do something first.
RETRY_SECONDS: Final = 10

router = APIRouter(tags=["operations"])


@router.get("/healthz", **docs.operation("healthz", "The process answers", docs.ok(models.Health)))
async def healthz() -> Response:
    """Says nothing about the database."""
    return answer({"status": "ok"})


@router.get("/readyz", **docs.operation("readyz", "Calls can be journalled", docs.ok(models.Health)))
async def readyz(request: Request) -> Response:
    """503 while the database is held, full, read-only or gone; 200 again as soon as it can be written."""
    try:
        await sessions_of(request).ready()
    except StorageFull as error:
        raise Busy(str(error), RETRY_SECONDS) from error
    return answer({"status": "ok"})
