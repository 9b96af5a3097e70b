"""Presenting: a switch on the pages of machines that a lab shares, and a form where there is no script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.web.asking import asker, labs_of
from app.web.preferences import local_path

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class StageView:
    """A page of a machine in its lab.

    api: the lab's, for scripts. action: the form that presents. presents, follows: which of both who looks
    may do. view: the address that is presented. frozen, closed: the lab, as the page was made.
    """

    api: str
    action: str
    presents: bool
    follows: bool
    view: str | None
    frozen: bool
    closed: bool


async def stage_at(request: Request, session_id: str) -> StageView | None:
    """What a page says of the stage; None in open mode, and for a session that is in no lab."""
    labs, person = labs_of(request), asker(request)
    if not labs.enabled:
        return None
    stage = await labs.presenting.stage(person, session_id)
    if stage is None:
        return None
    return StageView(
        api=f"/api/v1/labs/{stage.lab_id}",
        action=f"/labs/{stage.lab_id}/presenting",
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
    """Show the view from which the form was sent, or nothing any more."""
    await labs_of(request).presenting.show(asker(request), lab_id, here if present == "on" else None)
    return RedirectResponse(local_path(here), 303)
