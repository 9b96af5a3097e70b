"""`/labs/{id}/machines`: what a lab has, and copies of it."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, lab_answers, lab_docs
from app.api.bodies import json_object, optional_object
from app.api.fields import ID, SEQ, STRING, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.paging import part
from app.api.parameters import Cursor, Limit, MachineId
from app.api.requests import BASE, answer
from app.api.transfer import created
from app.labs import LabMachine, Person

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}/machines")


@router.get("", **docs.operation("list_machines", "What a lab has", lab_docs.MACHINES))
async def machines(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """In the order in which it was added."""
    labs, person, lab_id = addressed(request)
    lab = await labs.rooms.get(person, lab_id)
    shown, onward = part(f"labs/{lab_id}/machines", lab.machines, limit, after, lambda machine: machine.id)
    return answer({"items": [lab_answers.machine(machine, person) for machine in shown], "next": onward})


@router.post("", **docs.operation("add_machine", "Put a session into a lab", lab_docs.ADD, docs.KEY))
async def add(request: Request) -> Response:
    """`prepared` to be copied as it was at `seq`; `operate` or `watch` to be shared as it goes on."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"session": ID, "kind": STRING}, {"seq": SEQ, "title": STRING})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.add(
            person,
            lab_id,
            given["session"],
            given["kind"],
            given.get("seq"),
            given.get("title"),
            preconditions=preconditions,
        ),
        partial(added, person, lab_id),
    )


def added(person: Person, lab_id: str, machine: LabMachine) -> Response:
    """A new machine of a lab as an answer."""
    location = f"{BASE}/labs/{lab_id}/machines/{machine.id}"
    return answer(lab_answers.machine(machine, person), 201, Location=location)


@router.patch(
    "/{machine:id}", **docs.operation("change_machine", "Share it otherwise", lab_docs.CHANGE_MACHINE)
)
async def change(request: Request, machine: MachineId) -> Response:
    """Or call it otherwise."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {}, {"kind": STRING, "title": STRING})
    changed = await labs.sharing.change(person, lab_id, machine, given.get("kind"), given.get("title"))
    return answer(lab_answers.machine(changed, person))


@router.delete("/{machine:id}", **docs.operation("remove_machine", "Take it out of a lab", docs.GONE))
async def remove(request: Request, machine: MachineId) -> Response:
    """The session stays yours, and copies of it stay their members'."""
    labs, person, lab_id = addressed(request)
    await labs.sharing.remove(person, lab_id, machine)
    return Response(status_code=204)


@router.post("/{machine:id}/copy", **docs.operation("copy_machine", "My copy", lab_docs.COPY, docs.KEY))
async def copy(request: Request, machine: MachineId) -> Response:
    """A session of yours that goes on from a prepared machine."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.copy(person, lab_id, machine, preconditions=preconditions),
        created,
    )
