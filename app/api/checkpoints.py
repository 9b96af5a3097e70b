"""Checkpoints of prepared machines, and how copies and their members come to them."""

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
from app.api.parameters import CheckpointId, MachineId
from app.api.requests import answer
from app.labs import Checkpoint

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")


@router.post(
    "/machines/{machine:id}/checkpoints",
    **docs.operation("mark_checkpoint", "Mark a checkpoint", lab_docs.MARK, docs.KEY),
)
async def mark(request: Request, machine: MachineId) -> Response:
    """A seq of a prepared machine, behind the one where copies start."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"seq": SEQ, "title": STRING})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.mark(
            person, lab_id, machine, given["seq"], given["title"], preconditions=preconditions
        ),
        lambda marked: answer(lab_answers.checkpoint(marked), 201),
    )


@router.delete(
    "/checkpoints/{checkpoint:id}",
    **docs.operation("remove_checkpoint", "Delete a checkpoint", docs.GONE),
)
async def unmark(request: Request, checkpoint: CheckpointId) -> Response:
    """And that anybody has reached it."""
    labs, person, lab_id = addressed(request)
    await labs.sharing.unmark(person, lab_id, checkpoint)
    return Response(status_code=204)


@router.post(
    "/checkpoints/{checkpoint:id}/done",
    **docs.operation("reach_checkpoint", "I am there", lab_docs.MARK_DONE, docs.KEY),
)
async def done(request: Request, checkpoint: CheckpointId) -> Response:
    """A member says that they have come to it on their own: their copies are searched for the calls."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.done(person, lab_id, checkpoint, preconditions=preconditions),
        lambda how: answer({"checkpoint": checkpoint, "how": how}),
    )


@router.post("/catch_up", **docs.operation("catch_up", "Catch up", lab_docs.CATCH_UP, docs.KEY))
async def catch_up(request: Request) -> Response:
    """Brings a copy of yours to a checkpoint: back to its start, and on by the instructor's calls."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"session": ID}, {"checkpoint": ID})
    session = given["session"]
    return await with_preconditions(
        request,
        lambda preconditions: labs.sharing.catch_up(
            person, lab_id, session, given.get("checkpoint"), preconditions=preconditions
        ),
        partial(caught_up, session),
    )


def caught_up(session: str, reached: Checkpoint) -> Response:
    """Where a copy is now, as an answer."""
    return answer({"session": session, "checkpoint": lab_answers.checkpoint(reached)}, 201)
