"""`/labs/{id}/waiting`: the waiting list of a lab."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import optional_object
from app.api.fields import Kind, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.parameters import AfterNumber, Limit, MemberNumber
from app.api.requests import BASE, answer
from app.labs.admission import MOST_NUMBERS
from app.machine.calls import JSON_INT_MAX
from app.sessions import NotFound

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}/waiting")

NUMBERS: Final = Kind(
    f"a list of 1 to {MOST_NUMBERS} numbers of those who wait",
    lambda value: (
        isinstance(value, list)
        and 1 <= len(value) <= MOST_NUMBERS
        and all(type(number) is int and 0 <= number <= JSON_INT_MAX for number in value)
    ),
)


@router.get("", **docs.operation("list_waiting", "Who waits to be admitted", lab_docs.WAITING))
async def listing(request: Request, limit: Limit = 100, after: AfterNumber = 0) -> Response:
    """In the order in which they came."""
    labs, person, lab_id = addressed(request)
    rows = await labs.admission.listed(person, lab_id, after, limit + 1)
    more, rows = len(rows) > limit, rows[:limit]
    onward = f"{BASE}/labs/{lab_id}/waiting?limit={limit}&after={rows[-1].number}" if more else None
    return answer({"items": [lab_answers.member(row) for row in rows], "next": onward})


@router.post("/admit", **docs.operation("admit", "Admit some who wait, or all", lab_docs.ADMIT, docs.KEY))
async def admit(request: Request) -> Response:
    """All by default, as far as the lab has room. Numbers of nobody who waits are passed over."""
    labs, person, lab_id = addressed(request)
    given = taken(await optional_object(request), {}, {"numbers": NUMBERS})
    return await with_preconditions(
        request,
        lambda preconditions: labs.admission.admit(
            person, lab_id, given.get("numbers"), preconditions=preconditions
        ),
        lambda admitted: answer({"admitted": admitted}),
    )


@router.delete("", **docs.operation("turn_all_away", "Turn away all who wait", docs.GONE))
async def turn_all_away(request: Request) -> Response:
    """Their nicknames and tokens are gone; who knows the code can join again."""
    labs, person, lab_id = addressed(request)
    await labs.admission.turn_away(person, lab_id)
    return Response(status_code=204)


@router.delete("/{number:number}", **docs.operation("turn_away", "Turn one away who waits", docs.GONE))
async def turn_away(request: Request, number: MemberNumber) -> Response:
    """404 where nobody of this number waits (any more)."""
    labs, person, lab_id = addressed(request)
    if not await labs.admission.turn_away(person, lab_id, [number]):
        raise NotFound("member who waits", str(number))
    return Response(status_code=204)
