"""`GET /sessions/{id}/series`: numbers of a machine over its rows, for drawing them."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs
from app.api.parameters import FromSeq, Points, SeriesNames, ToSeq
from app.api.requests import addressed, long_answer
from app.errors import BadArgument
from app.sessions import SeriesQuery

router = APIRouter(tags=["reading"], prefix="/sessions/{id:id}")


@router.get("/series", **docs.operation("get_series", "Numbers over time", docs.SERIES))
async def series(
    request: Request,
    names: SeriesNames = None,
    first: FromSeq = None,
    last: ToSeq = None,
    points: Points = 500,
) -> Response:
    """Free memory, free blocks by order, fragmentation, per-CPU, slab and vmalloc pages after each row."""
    sessions, principal, sid = addressed(request)
    query = SeriesQuery(None if names is None else names.split(","), first, last, points)
    try:
        return await long_answer(await sessions.series(principal, sid, query))
    except BadArgument as error:
        raise error.under("query") from None
