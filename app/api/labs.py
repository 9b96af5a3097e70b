"""`/labs`: rooms for a class, made and changed by their instructor, seen by their members."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import NDJSON, json_object, optional_object
from app.api.fields import FLAG, STRING, Kind, between, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed, labs_of
from app.api.paging import part
from app.api.parameters import Cursor, Limit
from app.api.requests import BASE, answer
from app.labs import Lab, Person, person_of
from app.labs.rooms import CODE_DAYS
from app.machine.calls import JSON_INT_MAX

router = APIRouter(tags=["labs"])
one = APIRouter(tags=["labs"], prefix="/labs/{id:id}")

CLOSE_ONLY: Final = Kind("true: a lab that is closed stays so", lambda value: value is True)
OPEN_ONLY: Final = Kind("false: a lab that is open is no draft again", lambda value: value is False)
MEMBER_COUNT: Final = Kind(
    "a number of members", lambda value: type(value) is int and 0 <= value <= JSON_INT_MAX
)
DAYS: Final = between(0.04, 365, "days")


@router.get("/labs", **docs.operation("list_labs", "Your labs", lab_docs.LABS))
async def listing(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """Those that you teach, the newest first; or the one that you are in."""
    labs = await labs_of(request).rooms.listed(person_of(request.scope))
    shown, onward = part("labs", labs, limit, after, lambda lab: lab.id)
    return answer({"items": [lab_answers.summary(lab) for lab in shown], "next": onward})


@router.post("/labs", **docs.operation("create_lab", "A new lab", lab_docs.CREATE, docs.KEY))
async def create(request: Request) -> Response:
    """With a code that lets students in for a week; as a draft, from when it is opened."""
    labs, person = labs_of(request), person_of(request.scope)
    given = taken(
        await json_object(request),
        {"title": STRING},
        {"text": STRING, "expected": MEMBER_COUNT, "draft": FLAG},
    )
    return await with_preconditions(
        request,
        lambda preconditions: labs.rooms.create(
            person,
            given["title"],
            given.get("text", ""),
            given.get("expected"),
            draft=given.get("draft", False),
            preconditions=preconditions,
        ),
        partial(created, person),
    )


def created(person: Person, lab: Lab) -> Response:
    """A new lab as an answer."""
    return answer(lab_answers.whole(lab, person), 201, Location=f"{BASE}/labs/{lab.id}")


@one.get("", **docs.operation("get_lab", "One lab", lab_docs.LAB))
async def get(request: Request) -> Response:
    """With its machines and their checkpoints."""
    labs, person, lab_id = addressed(request)
    return answer(lab_answers.whole(await labs.rooms.get(person, lab_id), person))


@one.patch("", **docs.operation("change_lab", "Change, freeze or close a lab", lab_docs.CHANGE))
async def change(request: Request) -> Response:
    """All of it, or nothing. A lab that is closed can be described, and not opened again.

    Where more members are expected than before, those who have waited longest come in.
    """
    labs, person, lab_id = addressed(request)
    given = taken(
        await json_object(request),
        {},
        {
            "title": STRING,
            "text": STRING,
            "expected": MEMBER_COUNT,
            "draft": OPEN_ONLY,
            "frozen": FLAG,
            "closed": CLOSE_ONLY,
        },
    )
    lab = await labs.rooms.change(
        person,
        lab_id,
        title=given.get("title"),
        text=given.get("text"),
        frozen=given.get("frozen"),
        expected=given.get("expected"),
        opened="draft" in given,
        close="closed" in given,
    )
    return answer(lab_answers.whole(lab, person))


@one.delete("", **docs.operation("delete_lab", "Delete a lab", docs.GONE))
async def delete(request: Request) -> Response:
    """With its members and everything that is theirs, for good. You keep the sessions that you shared."""
    labs, person, lab_id = addressed(request)
    await labs.rooms.delete(person, lab_id)
    return Response(status_code=204)


@one.post("/code", **docs.operation("renew_code", "Another code to join", lab_docs.CODE, docs.KEY))
async def renew_code(request: Request) -> Response:
    """The older one lets nobody in any more."""
    labs, person, lab_id = addressed(request)
    given = taken(await optional_object(request), {}, {"days": DAYS})
    return await with_preconditions(
        request,
        lambda preconditions: labs.rooms.renew_code(
            person, lab_id, given.get("days", CODE_DAYS), preconditions=preconditions
        ),
        lambda lab: answer(lab_answers.whole(lab, person), 201),
    )


@one.delete("/code", **docs.operation("drop_code", "Stop new joins", docs.GONE))
async def drop_code(request: Request) -> Response:
    """Who is in stays."""
    labs, person, lab_id = addressed(request)
    await labs.rooms.drop_code(person, lab_id)
    return Response(status_code=204)


@one.get("/export", **docs.operation("export_lab", "All of a lab", lab_docs.EXPORT_LAB))
async def export(request: Request) -> Response:
    """For its instructor."""
    labs, person, lab_id = addressed(request)
    lines = await labs.exporting.lab(person, lab_id)
    headers = {"Content-Disposition": f'attachment; filename="{lab_id}.ndjson"'}
    return StreamingResponse(lines, headers=headers, media_type=NDJSON)
