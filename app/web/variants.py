"""Exercises of sheets: opened from their sheet, and worked on beside a machine of one's own."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.labs.times import accepted
from app.labs.worked import Worked
from app.sessions import Conflict, TooMany
from app.web import address, exercisefields, gradedpanel
from app.web.address import Address
from app.web.exercisepanel import ExerciseAgain
from app.web.exercises import place_of
from app.web.gradedpanel import at_task
from app.web.language import N_
from app.web.machine import Again, page
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester

router = APIRouter(include_in_schema=False)

View = Annotated[str, Form()]
HERE: Final = "#exercise"
# A goal is looked at so often only.
NOT_CHECKED: Final[tuple[type[Exception], ...]] = (*REFUSED, TooMany)


@router.get("/variants/{variant_id}")
async def show(request: Request, variant_id: str) -> Response:
    """Lead to the machine of a variant, with the first task that is not over."""
    return opened(await labs_of(request).variants.get(requester(request), variant_id))


def opened(worked: Worked) -> Response:
    """Lead to the machine of a variant; to its sheet where the machine was deleted."""
    if worked.row.session_id is None:
        return RedirectResponse(f"/labs/{worked.lab.id}/sheets/{worked.sheet.id}", 303)
    here = at_task(worked, worked.current or 1, Address(worked.row.session_id))
    return RedirectResponse(here.href + HERE, 303)


@router.post("/variants/{variant_id}/answers")
async def answer(request: Request, variant_id: str) -> Response:
    """Submit the answers of the form, or the goal as the machine is: one attempt."""
    form = await request.form()
    here, worked = await place(request, variant_id, str(form.get("view", "")))
    number = task_of(here, worked)
    shapes = [one.shape for one in (await gradedpanel.asked(request, worked, number)).fields]
    given = exercisefields.sent(shapes, form)
    try:
        await labs_of(request).submissions.answer(
            requester(request), variant_id, number, given, accepted(request.scope)
        )
    except BadArgument as error:
        faults = {place_of(fault.loc): fault.msg for fault in error.faults}
        again = ExerciseAgain(given=given, faults=faults)
        return respond(await page(request, here, Again(exercise=again)), status_of(error))
    except REFUSED as error:
        return await refused(request, here, error, N_("Nothing was submitted"))
    return back(here)


@router.post("/variants/{variant_id}/check")
async def check(request: Request, variant_id: str, view: View = "") -> Response:
    """See which conditions of a goal hold now. It costs nothing, and nothing of it is kept."""
    here, worked = await place(request, variant_id, view)
    try:
        found = await labs_of(request).submissions.check(
            requester(request), variant_id, task_of(here, worked)
        )
    except NOT_CHECKED as error:
        return await refused(request, here, error, N_("Nothing was checked"))
    return respond(await page(request, here, Again(exercise=ExerciseAgain(reached=found))))


@router.post("/variants/{variant_id}/hints")
async def hint(request: Request, variant_id: str, view: View = "") -> Response:
    """Read the next hint; it has its price."""
    here, worked = await place(request, variant_id, view)
    number = task_of(here, worked)
    try:
        await labs_of(request).submissions.hint(
            requester(request), variant_id, number, worked.taken(number) + 1, accepted(request.scope)
        )
    except REFUSED as error:
        return await refused(request, here, error, N_("There is no hint now"))
    return back(here)


@router.post("/variants/{variant_id}/reveal")
async def reveal(
    request: Request, variant_id: str, view: View = "", give_up: Annotated[str, Form()] = ""
) -> Response:
    """Make the calls of a task, and tell what is right. give_up: although attempts are left."""
    here, worked = await place(request, variant_id, view)
    try:
        await labs_of(request).revealing.reveal(
            requester(request),
            variant_id,
            task_of(here, worked),
            accepted(request.scope),
            give_up=give_up == "on",
        )
    except REFUSED as error:
        return await refused(request, here, error, N_("The calls were not made"))
    return back(here.to(outcome=None, before=None))


@router.post("/variants/{variant_id}/reset")
async def reset(request: Request, variant_id: str) -> Response:
    """Have the member get another variant instead of this one."""
    worked = await labs_of(request).variants.reset(requester(request), variant_id)
    return RedirectResponse(f"/labs/{worked.lab.id}/sheets/{worked.sheet.id}/results", 303)


# -- what they share ---------------------------------------------------------------------------------------


async def place(request: Request, variant_id: str, view: str) -> tuple[Address, Worked]:
    """The page from which a form was sent, and the variant. Raises NotFound and Conflict."""
    worked = await labs_of(request).variants.get(requester(request), variant_id)
    if worked.row.session_id is None:
        raise Conflict("the machine of this variant was deleted")
    here = address.parse(worked.row.session_id, view).to(graded=variant_id, moment=None)
    return here, worked


def task_of(here: Address, worked: Worked) -> int:
    """The task that the page shows."""
    return min(here.task or worked.current or 1, len(worked.exercise.tasks))


def back(here: Address) -> Response:
    """Lead to the page again."""
    return RedirectResponse(here.href + HERE, 303)


async def refused(request: Request, here: Address, error: Exception, title: str) -> Response:
    """Show the page again, with why nothing was done."""
    shown = Again(exercise=ExerciseAgain(refusal=refusal_of(error, title)))
    return respond(await page(request, here, shown), status_of(error))
