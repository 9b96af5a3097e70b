"""`/labs/{id}/demos`: a demo for a whole class."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import json_object
from app.api.fields import STRING, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.requests import answer
from app.demos import Library
from app.labs import LabMachine, Person
from app.sessions import NotFound

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}/demos")


@router.post("", **docs.operation("add_demo", "Give a demo to a lab", lab_docs.ADD_DEMO, docs.KEY))
async def add(request: Request) -> Response:
    """A prepared machine for each of its machines, with the demo's steps as checkpoints."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"demo": STRING}, {})
    library: Library = request.app.state.demos
    await labs.rooms.require_taught(person, lab_id)
    demo = library.demos().get(given["demo"])
    if demo is None:
        raise NotFound("demo", given["demo"])
    return await with_preconditions(
        request,
        lambda preconditions: labs.demo_machines.add(person, lab_id, demo, preconditions=preconditions),
        partial(added, person),
    )


def added(person: Person, machines: list[LabMachine]) -> Response:
    """The machines of a demo as an answer."""
    return answer({"items": [lab_answers.machine(machine, person) for machine in machines]}, 201)
