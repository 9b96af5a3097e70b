"""Exercises to practise: each opens as a new session, and each form is one question to the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.exercises.sealing import TaskVariant
from app.practice import Practice
from app.sessions import Applied, Conflict, NotFound
from app.web import address, exercisefields, exercisepanel, mastery
from app.web.address import Address
from app.web.exercisepanel import ON_MAP, Asked, ExerciseAgain, acts, at_task
from app.web.exercisework import Done, done_of, with_done, with_given
from app.web.framemap import row_of
from app.web.home import NOT_CREATED
from app.web.home import page as home_page
from app.web.language import N_
from app.web.machine import Again, page
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import sessions_for

router = APIRouter(include_in_schema=False)

View = Annotated[str, Form()]


@router.post("/exercises/{name}")
async def begin(request: Request, name: str, variant: Annotated[str, Form()] = "") -> Response:
    """Make a session for an exercise, with the prelude's calls as its first rows, and show the first task."""
    practice = practice_of(request)
    practice.exercise(name)
    _sessions, who = sessions_for(request)
    try:
        begun = await practice.begin(who, name, address.number(variant))
    except REFUSED as error:
        return respond(await home_page(request, None, refusal_of(error, NOT_CREATED)), status_of(error))
    here = Address(begun.info.id, exercise=name, variant=begun.which.number)
    if any(pointed_at(task) for task in begun.practised.variant.tasks):
        here = around_frames(here, begun.rows)
    here = at_task(begun.practised, 1, here)
    response = RedirectResponse(here.href + "#exercise", 303)
    mastery.remember(request, response, name, begun.which.number, solved=None)
    return response


@router.get("/exercises/{name}")
async def listed(request: Request, name: str) -> Response:
    """Lead to the exercise's place in the list. Practising makes a session, so it takes a form."""
    practice_of(request).exercise(name)
    return RedirectResponse(f"/#exercise-{name}", 303)


@router.post("/sessions/{session_id}/exercise/answers")
async def answer(request: Request, session_id: str) -> Response:
    """Compare the answers of the form with what the machine will do."""
    form = await request.form()
    here = address.parse(session_id, str(form.get("view", "")))
    asked = await asked_at(request, here)
    given = exercisefields.sent([one.shape for one in asked.task.fields], form)
    _sessions, who = sessions_for(request)
    try:
        found = await practice_of(request).answer(
            who, session_id, asked.which, asked.number, given, asked.start
        )
    except BadArgument as error:
        faults = {place_of(fault.loc): fault.msg for fault in error.faults}
        again = ExerciseAgain(given=given, faults=faults)
        return respond(await page(request, here, Again(exercise=again)), status_of(error))
    except REFUSED as error:
        return await refused(request, here, error, N_("The answer was not looked at"))
    right = found.judged.right
    there = with_given(here, given)
    return on(request, there, asked, lambda done: done.tried(right=right))


@router.post("/sessions/{session_id}/exercise/check")
async def check(request: Request, session_id: str, view: View = "") -> Response:
    """See which conditions of a goal hold now."""
    here = address.parse(session_id, view).to(moment=None)
    asked = await asked_at(request, here)
    _sessions, who = sessions_for(request)
    try:
        found = await practice_of(request).check(who, session_id, asked.which, asked.number, asked.start)
    except REFUSED as error:
        return await refused(request, here, error, N_("Nothing was checked"))
    reached = found.evaluation.reached

    def checked(done: Done) -> Done:
        tried = done.tried(right=reached)
        return tried.told(found.seq) if reached else tried

    return on(request, with_given(here, [str(found.seq)]), asked, checked)


@router.post("/sessions/{session_id}/exercise/hints")
async def hint(request: Request, session_id: str, view: View = "") -> Response:
    """Show one hint more."""
    here = address.parse(session_id, view)
    asked = await asked_at(request, here)
    done = done_of(here, asked.number)
    if done.hints >= len(asked.task.task.hints):
        return RedirectResponse(here.href + "#exercise", 303)
    return on(request, here, asked, Done.hinted)


@router.post("/sessions/{session_id}/exercise/reveal")
async def reveal(request: Request, session_id: str, view: View = "") -> Response:
    """Make the calls that the task asks about, and tell what is right."""
    here = address.parse(session_id, view).to(moment=None)
    asked = await asked_at(request, here)
    _sessions, who = sessions_for(request)
    try:
        found = await practice_of(request).reveal(who, session_id, asked.which, asked.number, asked.start)
    except REFUSED as error:
        return await refused(request, here, error, N_("The calls were not made"))
    end = found.seq if acts(asked.task.task) else None
    return on(request, here.to(outcome=None, before=None), asked, lambda done: done.told(end))


@router.post("/sessions/{session_id}/exercise/begin")
async def take_back(request: Request, session_id: str, view: View = "") -> Response:
    """Take the machine back to where the task begins."""
    here = address.parse(session_id, view).to(moment=None)
    asked = await asked_at(request, here)
    assert asked.start is not None
    _sessions, who = sessions_for(request)
    try:
        row = await practice_of(request).go_back(who, session_id, asked.start)
    except REFUSED as error:
        return await refused(request, here, error, N_("The machine stays as it is"))
    return on(request, here.to(outcome=None, before=None), asked, lambda done: done.begun(row))


@router.get("/sessions/{session_id}/exercise/{what}")
async def again(session_id: str, what: str) -> Response:
    """Lead on a reload of a refused form."""
    del what
    return RedirectResponse(Address(session_id).href, 303)


def pointed_at(task: TaskVariant) -> bool:
    """Whether frames on the map are pointed at in a task."""
    return any(one.shape["form"] in ON_MAP for one in task.fields)


def around_frames(here: Address, rows: Sequence[Applied]) -> Address:
    """The map frame by frame, around what the last of some rows changed."""
    for row in reversed(rows):
        changed = row.outcome["changed"]
        if changed:
            return here.to(shift=0, start=row_of(changed[0][0], 0))
    return here


# -- what they share ---------------------------------------------------------------------------------------


def practice_of(request: Request) -> Practice:
    """The use cases of practice."""
    practice: Practice = request.app.state.practice
    return practice


async def asked_at(request: Request, here: Address) -> Asked:
    """The task that the address names. Raises NotFound, and Conflict where it cannot be asked there."""
    sessions, who = sessions_for(request)
    await sessions.get(who, here.id)
    asked = await exercisepanel.read(request, here)
    if isinstance(asked, str):
        raise Conflict(asked)
    if asked is None:
        raise NotFound("exercise", here.exercise or "")
    if asked.start is None:
        raise Conflict("a task before it has to be done first")
    return asked


def on(request: Request, here: Address, asked: Asked, change: Callable[[Done], Done]) -> Response:
    """Lead to the page after something was done of the task, and note how far the reader has come."""
    there = with_done(here, asked.number, change(done_of(here, asked.number)))
    response = RedirectResponse(there.href + "#exercise", 303)
    solved = by_oneself(asked, there)
    if solved is not None:
        mastery.remember(request, response, asked.which.exercise, asked.which.number, solved=solved)
    return response


def by_oneself(asked: Asked, here: Address) -> bool | None:
    """Whether all tasks were solved without a hint or a wrong answer; None while that is open."""
    tasks = asked.practised.variant.tasks
    found = [(one.task, done_of(here, number)) for number, one in enumerate(tasks, 1)]
    for task, done in found:
        wrong = done.tries > 1 and task.kind != "goal"
        if done.state == "shown" or done.hints or wrong or (done.state == "tried" and task.kind != "goal"):
            return False
    return True if all(done.state == "solved" for _task, done in found) else None


async def refused(request: Request, here: Address, error: Exception, title: str) -> Response:
    """Show the page again, with why nothing was done."""
    shown = Again(exercise=ExerciseAgain(refusal=refusal_of(error, title)))
    return respond(await page(request, here, shown), status_of(error))


def place_of(loc: tuple[Any, ...]) -> int:
    """Which field is at fault, from 0."""
    return int(loc[1]) if loc[:1] == ("given",) and len(loc) > 1 else 0
