"""Presenting: the instructor shows a view of a shared machine, and members follow."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import Person, Presentation
from app.web.contexts.place import PresentingView
from app.web.preferences import local_path
from app.web.requester import labs_of, requester

router = APIRouter(include_in_schema=False)


async def presenting_at(request: Request, session_id: str) -> PresentingView | None:
    """Ask what a page says of presenting; None in open mode, and for a session that is in no lab."""
    labs, person = labs_of(request), requester(request)
    if not labs.enabled:
        return None
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return presenting_view(await labs.presenting.stage(person, session_id), person, here)


def presenting_view(stage: Presentation | None, person: Person, here: str) -> PresentingView | None:
    """Show what the lab says of presenting. here: the address that is presented from this page."""
    if stage is None:
        return None
    return PresentingView(
        api=f"/api/v1/labs/{stage.lab_id}",
        action=f"/labs/{stage.lab_id}/presenting",
        polls=f"/labs/{stage.lab_id}/polls",
        here=here,
        presents=stage.presents,
        follows=person.lab is not None,
        view=stage.view,
        frozen=stage.frozen,
        closed=stage.closed,
    )


@router.post("/labs/{lab_id}/presenting")
async def present(
    request: Request, lab_id: str, present: Annotated[str, Form()] = "", here: Annotated[str, Form()] = ""
) -> Response:
    """Present the view from which the form was sent, or stop presenting."""
    await labs_of(request).presenting.show(requester(request), lab_id, here if present == "on" else None)
    return RedirectResponse(local_path(here), 303)
