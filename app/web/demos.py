"""Guided demos: each opens as a new session, and each of its steps is one batch of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.demos import Demo, Library
from app.demos.playing import items
from app.errors import BadArgument
from app.sessions import NotFound
from app.sessions.answers import Applied
from app.web import address, demoasking
from app.web.address import Address
from app.web.contexts.base import ShownRefusal
from app.web.demoasking import OFF, ON, DemoAgain, asks
from app.web.demopanel import BAD, at_step, demo_of, ran_rows, with_ran
from app.web.exercisework import given_of, with_given
from app.web.home import NOT_CREATED
from app.web.home import page as home_page
from app.web.language import _
from app.web.machine import Again, page
from app.web.preferences import remember
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import sessions_for

# Verdicts that a step shows even where a later call of it went well.
WRONG: Final = BAD[BAD.index("blocked") :]

router = APIRouter(include_in_schema=False)


@router.post("/demos/{name}")
async def start(
    request: Request, name: str, part: Annotated[str, Form()] = "1", ask: Annotated[str, Form()] = ""
) -> Response:
    """Make a session for a demo, or for one of its further machines, and show its first step."""
    library: Library = request.app.state.demos
    demo = library.demos().get(name)
    chosen = address.number(part)
    machine = demo.part(chosen) if demo is not None and chosen is not None else None
    if demo is None or chosen is None or machine is None:
        raise NotFound("demo", name)
    sessions, who = sessions_for(request)
    try:
        info = await sessions.create(who, session_name(demo, chosen), machine.machine)
    except REFUSED as error:
        return respond(await home_page(request, None, refusal_of(error, NOT_CREATED)), status_of(error))
    here = Address(
        info.id, demo=demo.name, part=chosen if chosen > 1 else None, ask=ask if ask in (ON, OFF) else None
    )
    return RedirectResponse(at_step(demo, machine.first, here, asks=asks(request, here)).href, 303)


@router.get("/demos/{name}")
async def listed(request: Request, name: str) -> Response:
    """Lead to the demo's place in the list. Opening a demo makes a session, so it takes a form."""
    library: Library = request.app.state.demos
    if name not in library.demos():
        raise NotFound("demo", name)
    return RedirectResponse(f"/#demo-{name}", 303)


@router.post("/sessions/{session_id}/demo")
async def run(request: Request, session_id: str) -> Response:
    """Make the calls of the step that the view names, `calls=next`: one. All of them, or none.

    predicted: whether the form asks what they will do, and `skip` was not pressed.
    """
    form = await request.form()
    here = address.parse(session_id, str(form.get("view", "")))
    found = demo_of(request.app.state.demos, here)
    if found is None:
        raise NotFound("demo", here.demo or "")
    demo, step = found
    done = len(ran_rows(demo, step, here))
    left = items(demo.steps[step])[done : done + 1 if form.get("calls") == "next" else None]
    sessions, who = sessions_for(request)
    predicted = here.given if done else None
    if left and not done and "predicted" in form and "skip" not in form:
        again = await demoasking.sent(request, here, demo, step, form)
        if again.faults:
            return respond(await page(request, here, Again(demo=again)), 422)
        predicted = with_given(here, again.given).given
    if not left:
        await sessions.get(who, session_id)
        return RedirectResponse(here.href, 303)
    try:
        made = await sessions.batch(who, session_id, left)
    except REFUSED as error:
        refusal = refusal_of(error) if not isinstance(error, BadArgument) else faults_of(error)
        shown = DemoAgain(refusal=refusal, given=given_of(here.to(given=predicted)))
        return respond(await page(request, here, Again(demo=shown)), status_of(error))
    here = with_ran(demo, step, [one.seq for one in made], at_step(demo, step, here)).to(given=predicted)
    return RedirectResponse(here.to(outcome=to_show(made).seq).href + "#demo", 303)


def to_show(made: Sequence[Applied]) -> Applied:
    """The call of a step whose outcome the page shows: the one that went wrong worst, else the last."""
    bad = [one for one in made if one.outcome["verdict"] in WRONG]
    return max(bad or made, key=lambda one: (BAD.index(one.outcome["verdict"]) if bad else 0, one.seq))


@router.post("/sessions/{session_id}/demo/ask")
async def ask(
    request: Request, session_id: str, view: Annotated[str, Form()] = "", ask: Annotated[str, Form()] = ""
) -> Response:
    """Ask before each step is run from now on, or not any more, and remember it."""
    here = address.parse(session_id, view)
    found = demo_of(request.app.state.demos, here)
    chosen = ON if ask == ON else OFF
    response = RedirectResponse(here.to(ask=chosen).href + ("#demo" if found else ""), 303)
    remember(response, "ask", chosen, secure=request.url.scheme == "https")
    return response


@router.get("/sessions/{session_id}/demo/ask")
@router.get("/sessions/{session_id}/demo")
async def run_page(session_id: str) -> Response:
    """Lead on a reload of a refused step."""
    return RedirectResponse(Address(session_id).href, 303)


def session_name(demo: Demo, part: int) -> str:
    """The name of a demo's session."""
    return _("%(title)s, part %(part)s", title=demo.title[:80], part=part) if part > 1 else demo.title[:100]


def faults_of(error: BadArgument) -> ShownRefusal:
    """The refusal, with calls counted from 1 instead of their places in a batch."""
    faults = (fault.at((place(fault.loc),)) for fault in error.faults)
    return refusal_of(BadArgument(*faults, more=error.more))


def place(loc: tuple[Any, ...]) -> str:
    """Write a place in a batch for people: `("calls", 1, "page")` is `call 2, page`."""
    match loc:
        case ("calls", int(index), *rest):
            return ", ".join([_("call %(number)s", number=index + 1), *map(str, rest)])
        case _:
            return ".".join(map(str, loc))
