"""The calls that a machine page makes: from the form of a call, and from a line of the console."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.machine import calltext
from app.machine.calltext import Line
from app.machine.entry import CALLS
from app.machine.linetext import WHO
from app.sessions import Applied, BatchItem, Conflict, NotFound
from app.web import address, callform, fields
from app.web.address import Address
from app.web.machine import Again, page
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import sessions_for
from app.web.vm import selection

router = APIRouter(include_in_schema=False)


@router.post("/sessions/{session_id}/call/{name}")
async def make_call(request: Request, session_id: str, name: str) -> Response:
    """Make a form's call.

    Done: back to the page, with its outcome. Refused: the same page, with what was typed.
    """
    if name not in CALLS:
        raise NotFound("call", name)
    form = await request.form()
    typed = callform.typed_of(form)
    here = address.parse(session_id, str(form.get("view", ""))).to(call=name, moment=None)
    try:
        body = fields.body_of(CALLS[name], typed)
        applied = await call(request, session_id, name, body, typed.get("as", "").strip() or None)
    except REFUSED as error:
        again = Again(refusal=refusal_of(error), typed=typed)
        return respond(await page(request, here, again), status_of(error))
    return RedirectResponse(selection.after(here, applied.outcome).href + "#outcome", 303)


@router.get("/sessions/{session_id}/call/{name}")
async def call_form_page(session_id: str, name: str) -> Response:
    """Lead a reload of a refused form to the form, empty."""
    return RedirectResponse(Address(session_id, call=name).href, 303)


@router.post("/sessions/{session_id}/line")
async def run_line(
    request: Request,
    session_id: str,
    line: Annotated[str, Form()] = "",
    view: Annotated[str, Form()] = "",
    task: Annotated[str, Form()] = "",
) -> Response:
    """Make the calls of the console's line; the last one's outcome is shown.

    task: the process that is shown beside the console, which calls where the line names nobody.
    """
    here = address.parse(session_id, view).to(moment=None)
    try:
        read = calltext.parse_text(line if WHO.match(line) or not task else f"{task}: {line}")
        if not read:
            return RedirectResponse(here.href, 303)
        applied = await lines(request, session_id, read)
    except REFUSED as error:
        again = Again(refusal=refusal_of(error), line=line)
        return respond(await page(request, here, again), status_of(error))
    return RedirectResponse(selection.after(here, applied.outcome).href + "#outcome", 303)


async def lines(request: Request, session_id: str, read: Sequence[Line]) -> Applied:
    """Make the calls of a line; the last one's answer."""
    if len(read) == 1:
        return await call(request, session_id, str(read[0].name), read[0].body, read[0].as_name)
    items = [BatchItem(str(one.name), one.body, one.as_name) for one in read]
    return await batch(request, session_id, items)


async def batch(request: Request, session_id: str, items: Sequence[BatchItem]) -> Applied:
    """Make the calls; the answer of the last one that was made, since they may be stopped."""
    sessions, who = sessions_for(request)
    made = await sessions.batch(who, session_id, items, stoppable=True)
    if not made:
        raise Conflict("stopped before the first call: nothing happened")
    return made[-1]


async def call(
    request: Request, session_id: str, name: str, body: Mapping[str, Any], as_name: str | None
) -> Applied:
    """Make one call; as a batch of one where its result gets a name, since names belong to batches."""
    if as_name is not None:
        return await batch(request, session_id, [BatchItem(name, body, as_name)])
    sessions, who = sessions_for(request)
    return await sessions.apply(who, session_id, name, body)
