"""`/audit`: the audit log of an instructor."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.lab_requests import labs_of
from app.api.parameters import Before, Limit
from app.api.requests import BASE, answer
from app.labs import person_of

router = APIRouter(tags=["labs"])


@router.get("/audit", **docs.operation("list_acts", "What was done with more rights", lab_docs.ACTS))
async def audit(request: Request, limit: Limit = 100, before: Before = None) -> Response:
    """What you have done as an instructor, and what was done in your labs, the latest first."""
    acts = await labs_of(request).acts(person_of(request.scope), limit + 1, before)
    more, acts = len(acts) > limit, acts[:limit]
    onward = f"{BASE}/audit?limit={limit}&before={acts[-1].id}" if more else None
    return answer({"items": [lab_answers.act(noted) for noted in acts], "next": onward})
