"""Undo, rewind and fork: forms of the machine page."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.web import address
from app.web.address import Address
from app.web.language import N_, _
from app.web.machine import Again, page
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import sessions_for

router = APIRouter(include_in_schema=False)

View = Annotated[str, Form()]

# Parts of a view that are about a session's own rows: a branch has others.
OF_ROWS: Final = ("moment", "outcome", "before", "demo", "part", "step", "ran")


@router.post("/sessions/{session_id}/undo")
async def undo(request: Request, session_id: str, view: View = "") -> Response:
    """Take back the last call, as a new row."""
    sessions, who = sessions_for(request)
    here = address.parse(session_id, view).to(moment=None, before=None)
    try:
        applied = await sessions.undo(who, session_id)
    except REFUSED as error:
        return respond(
            await page(request, here, Again(history_refusal=refusal_of(error, N_("Nothing was taken back")))),
            status_of(error),
        )
    return RedirectResponse(here.to(outcome=applied.seq).href, 303)


@router.post("/sessions/{session_id}/rewind")
async def rewind(
    request: Request, session_id: str, to: Annotated[str, Form()] = "", view: View = ""
) -> Response:
    """Give the machine an earlier state again, as a new row."""
    sessions, who = sessions_for(request)
    here = address.parse(session_id, view)
    try:
        applied = await sessions.rewind(who, session_id, row_of("to", to))
    except REFUSED as error:
        return respond(
            await page(request, here, Again(history_refusal=refusal_of(error, N_("Nothing was restored")))),
            status_of(error),
        )
    return RedirectResponse(here.to(moment=None, before=None, outcome=applied.seq).href, 303)


@router.post("/sessions/{session_id}/fork")
async def fork(
    request: Request, session_id: str, at: Annotated[str, Form()] = "", view: View = ""
) -> Response:
    """Make a session that goes on from a row, and show the same view of it."""
    sessions, who = sessions_for(request)
    here = address.parse(session_id, view)
    try:
        info = await sessions.fork(who, session_id, row_of("at", at) if at else None)
    except REFUSED as error:
        return respond(
            await page(
                request, here, Again(history_refusal=refusal_of(error, N_("Nothing was branched off")))
            ),
            status_of(error),
        )
    there: Address = here.to(id=info.id, **dict.fromkeys(OF_ROWS))
    return RedirectResponse(there.href, 303)


def row_of(field: str, text: str) -> int:
    """Read the row that a form names. Raises BadArgument."""
    found = address.number(text)
    if found is None:
        raise BadArgument.at(field, _("the number of a row"))
    return found
