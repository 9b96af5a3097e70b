"""What the members of a lab have done, as JSON and as a table."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.lab_requests import addressed
from app.api.paging import part
from app.api.parameters import AfterNumber, Bom, Limit
from app.api.requests import answer
from app.labs import csvfile

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")


@router.get("/activity", **docs.operation("get_activity", "Activity", lab_docs.ACTIVITY))
async def activity(request: Request, limit: Limit = 1_000, after: AfterNumber = 0) -> Response:
    """Each member's joining, calls, last call and furthest checkpoint, by their numbers."""
    labs, person, lab_id = addressed(request)
    found = [one for one in await labs.wall.activity(person, lab_id) if one.number > after]
    shown, onward = part(f"labs/{lab_id}/activity", found, limit, None, lambda one: one.number)
    return answer({"items": [lab_answers.activity(one) for one in shown], "next": onward})


@router.get(
    "/activity.csv",
    **docs.operation("get_activity_csv", "Activity as a table", lab_docs.ACTIVITY_CSV),
)
async def activity_csv(request: Request, bom: Bom = 1) -> Response:
    """The same, to be opened by a spreadsheet: no nickname is taken for a formula."""
    labs, person, lab_id = addressed(request)
    table = csvfile.activity(await labs.wall.activity(person, lab_id), bom=bool(bom))
    headers = {"Content-Disposition": f'attachment; filename="activity-{lab_id}.csv"'}
    return Response(table, headers=headers, media_type=csvfile.CSV_TYPE)
