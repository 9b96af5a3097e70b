"""Demos in labs: an instructor gives one to a class, and members' copies of it open with its steps."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.demos import Demo, Library
from app.labs import LabMachine
from app.sessions import NotFound
from app.web.address import Address
from app.web.demoasking import asks
from app.web.demopanel import at_step
from app.web.labs import own_lab, refused
from app.web.language import _
from app.web.refusals import REFUSED
from app.web.requester import labs_of, requester

router = APIRouter(include_in_schema=False)


@router.post("/labs/{lab_id}/demos")
async def add(request: Request, lab_id: str, demo: Annotated[str, Form()] = "") -> Response:
    """Put a demo into the lab, with its steps as checkpoints."""
    await own_lab(request, lab_id)
    library: Library = request.app.state.demos
    found = library.demos().get(demo)
    if found is None:
        raise NotFound("demo", demo)
    try:
        machines = await labs_of(request).demo_machines.add(requester(request), lab_id, found)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("No demo was added"), "demo", {"demo": demo})
    return RedirectResponse(f"/labs/{lab_id}#machine-{machines[0].id}", 303)


def address_of_copy(
    request: Request, session_id: str, machine: LabMachine | None, reached: str | None = None
) -> Address:
    """Where a copy opens: that of a demo beside the step that comes next.

    reached: the id of the checkpoint to which it was brought.
    """
    here = Address(session_id)
    library: Library = request.app.state.demos
    demo = None if machine is None or machine.demo is None else library.demos().get(machine.demo)
    part = None if demo is None or machine is None else demo.part(machine.part or 1)
    if demo is None or machine is None or part is None:
        return here
    step = step_after(demo, machine, reached)
    here = here.to(demo=demo.name, part=machine.part if machine.part != 1 else None)
    return at_step(demo, min(step, part.end - 1), here, asks=asks(request, here))


def step_after(demo: Demo, machine: LabMachine, reached: str | None) -> int:
    """The step behind that of a checkpoint; the first of the machine's part where there is no checkpoint.

    The file may have changed since: a checkpoint is found by its title.
    """
    part = demo.part(machine.part or 1)
    assert part is not None
    title = next((mark.title for mark in machine.checkpoints if mark.id == reached), None)
    steps = range(part.first, part.end)
    return next((step + 1 for step in steps if demo.steps[step].title == title), part.first)
