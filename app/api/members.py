"""`/labs/{id}/members`: the members of a lab."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import NDJSON, optional_object
from app.api.fields import taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.parameters import AfterNumber, Limit, MemberNumber
from app.api.requests import BASE, answer

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}/members")


@router.get("", **docs.operation("list_members", "The roster", lab_docs.MEMBERS))
async def roster(request: Request, limit: Limit = 100, after: AfterNumber = 0) -> Response:
    """Everybody in the lab, by their numbers."""
    labs, person, lab_id = addressed(request)
    rows = await labs.rooms.roster(person, lab_id, after, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    onward = f"{BASE}/labs/{lab_id}/members?limit={limit}&after={rows[-1].number}" if more else None
    return answer({"items": [lab_answers.member(row) for row in rows], "next": onward})


@router.post(
    "/remove_idle",
    **docs.operation("remove_idle", "Delete members who have done nothing", lab_docs.REMOVE_IDLE, docs.KEY),
)
async def remove_idle(request: Request) -> Response:
    """All who have no session, have made no call on a shared machine and have reached no checkpoint."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.rooms.remove_idle(person, lab_id, preconditions=preconditions),
        lambda removed: answer({"removed": removed}),
    )


@router.get("/{number:number}", **docs.operation("get_member", "One member", lab_docs.MEMBER))
async def member(request: Request, number: MemberNumber) -> Response:
    """With their sessions; for the instructor, and for the member."""
    labs, person, lab_id = addressed(request)
    row = await labs.rooms.member(person, lab_id, number)
    theirs = await labs.rooms.machines_of_member(person, lab_id, number)
    return answer({**lab_answers.member(row), "sessions": [info.as_json() for info in theirs]})


@router.delete("/{number:number}", **docs.operation("delete_member", "Delete a member", docs.GONE))
async def delete(request: Request, number: MemberNumber) -> Response:
    """With their sessions, tokens and nickname. Rows of shared machines keep the number alone."""
    labs, person, lab_id = addressed(request)
    await labs.rooms.delete_member(person, lab_id, number)
    return Response(status_code=204)


@router.get(
    "/{number:number}/export",
    **docs.operation("export_member", "All of a member", lab_docs.EXPORT),
)
async def export(request: Request, number: MemberNumber) -> Response:
    """For the instructor, and for the member."""
    labs, person, lab_id = addressed(request)
    lines = await labs.exporting.member(person, lab_id, number)
    headers = {"Content-Disposition": f'attachment; filename="{lab_id}-m{number}.ndjson"'}
    return StreamingResponse(lines, headers=headers, media_type=NDJSON)
