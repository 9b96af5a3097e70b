"""`/labs/{id}/sheets`: exercises that a lab works on, made and changed by its instructor."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, sheet_answers, sheet_docs
from app.api.bodies import json_object, optional_object
from app.api.fields import FLAG, STRING, Kind, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.paging import part
from app.api.parameters import Cursor, ItemId, Limit, MemberNumber, SheetId
from app.api.requests import BASE, answer
from app.errors import BadArgument
from app.labs import Person
from app.labs.sheets import MOST_POINTS, Sheet
from app.labs.times import accepted
from app.labs.worked import Worked

router = APIRouter(tags=["sheets"], prefix="/labs/{id:id}/sheets")

STRING_OR_NULL: Final = Kind("a string, or null", lambda value: value is None or STRING.fits(value))
LIST: Final = Kind("a list of exercises", lambda value: isinstance(value, list))
OBJECT: Final = Kind("an exercise and its points", lambda value: isinstance(value, dict))
POINTS: Final = Kind(
    f"whole points, at most {MOST_POINTS:,}", lambda value: type(value) is int and 0 <= value <= MOST_POINTS
)
PER_CENT: Final = Kind("per cent, 0 to 100", lambda value: type(value) is int and 0 <= value <= 100)
FIELDS: Final = {
    "text": STRING,
    "mode": STRING,
    "opens": STRING_OR_NULL,
    "due": STRING_OR_NULL,
    "late_until": STRING_OR_NULL,
    "late_factor": PER_CENT,
    "count": STRING_OR_NULL,
    "released": FLAG,
}


@router.get("", **docs.operation("list_sheets", "The sheets of a lab", sheet_docs.SHEETS))
async def listing(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """The oldest first; for members those that have opened."""
    labs, person, lab_id = addressed(request)
    found = await labs.sheets.listed(person, lab_id, accepted(request.scope))
    shown, onward = part(f"labs/{lab_id}/sheets", found, limit, after, lambda sheet: sheet.row.id)
    return answer({"items": [sheet_answers.sheet(one, person) for one in shown], "next": onward})


@router.post("", **docs.operation("create_sheet", "A new sheet", sheet_docs.CREATE, docs.KEY))
async def create(request: Request) -> Response:
    """Its exercises are frozen as their files are when it opens: at once, or at `opens`."""
    labs, person, lab_id = addressed(request)
    given = with_items(taken(await json_object(request), {"title": STRING, "items": LIST}, FIELDS))
    return await with_preconditions(
        request,
        lambda preconditions: labs.sheets.create(person, lab_id, given, preconditions=preconditions),
        partial(created, person, lab_id),
    )


def created(person: Person, lab_id: str, sheet: Sheet) -> Response:
    """A new sheet as an answer."""
    location = f"{BASE}/labs/{lab_id}/sheets/{sheet.row.id}"
    return answer(sheet_answers.sheet(sheet, person), 201, Location=location)


@router.get("/{sheet:id}", **docs.operation("get_sheet", "One sheet", sheet_docs.SHEET))
async def get(request: Request, sheet: SheetId) -> Response:
    """With its exercises and times; a member's own time where they have another one."""
    labs, person, lab_id = addressed(request)
    found = await labs.sheets.get(person, lab_id, sheet, accepted(request.scope))
    return answer(sheet_answers.sheet(found, person))


@router.patch("/{sheet:id}", **docs.operation("change_sheet", "Change a sheet", sheet_docs.CHANGE))
async def change(request: Request, sheet: SheetId) -> Response:
    """All of it, or nothing. Exercises and mode stay once somebody works on it."""
    labs, person, lab_id = addressed(request)
    document = await json_object(request)
    given = with_items(taken(document, {}, {"title": STRING, "items": LIST, **FIELDS}))
    found = await labs.sheets.change(person, lab_id, sheet, given)
    return answer(sheet_answers.sheet(found, person))


@router.delete("/{sheet:id}", **docs.operation("delete_sheet", "Delete a sheet", docs.GONE))
async def delete(request: Request, sheet: SheetId) -> Response:
    """With all that was answered, for good. The machines of its exercises stay their members'."""
    labs, person, lab_id = addressed(request)
    await labs.sheets.remove(person, lab_id, sheet)
    return Response(status_code=204)


@router.put(
    "/{sheet:id}/extensions/{number:number}",
    **docs.operation("extend_sheet", "Another time for a member", sheet_docs.EXTEND),
)
async def extend(request: Request, sheet: SheetId, number: MemberNumber) -> Response:
    """Instead of the time that the sheet is due, or of the one they had."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"due": STRING, "reason": STRING})
    made = await labs.sheets.extend(person, lab_id, sheet, number, given["due"], given["reason"])
    return answer(sheet_answers.extension(number, made))


@router.delete(
    "/{sheet:id}/extensions/{number:number}",
    **docs.operation("end_extension", "The same time as everybody", docs.GONE),
)
async def unextend(request: Request, sheet: SheetId, number: MemberNumber) -> Response:
    """For a member who had another one."""
    labs, person, lab_id = addressed(request)
    await labs.sheets.unextend(person, lab_id, sheet, number)
    return Response(status_code=204)


@router.post(
    "/{sheet:id}/items/{item:id}/variants",
    **docs.operation("open_variant", "Begin an exercise", sheet_docs.OPEN, docs.KEY),
)
async def open_variant(request: Request, sheet: SheetId, item: ItemId) -> Response:
    """Your variant of it, with a machine of your own: the same again until it is finished."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    time = accepted(request.scope)
    return await with_preconditions(
        request,
        lambda preconditions: labs.variants.open(
            person, lab_id, sheet, item, time, preconditions=preconditions
        ),
        partial(opened, time),
    )


def opened(time: str, worked: Worked) -> Response:
    """A variant as an answer."""
    location = f"{BASE}/variants/{worked.row.id}"
    return answer(sheet_answers.variant(worked, time), 201, Location=location)


def with_items(given: dict[str, Any]) -> dict[str, Any]:
    """The same, with its exercises checked. Raises BadArgument at `items`."""
    for place, one in enumerate(given.get("items", ())):
        if not OBJECT.fits(one):
            raise BadArgument.at(("items", place), OBJECT.words)
        try:
            taken(one, {"exercise": STRING}, {"points": POINTS})
        except BadArgument as error:
            raise error.under("items", place) from None
    return given
