"""`/labs/{id}/presenting`: where the instructor looks, for those who follow."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import class_docs, docs
from app.api.bodies import json_object
from app.api.fields import STRING, taken
from app.api.lab_requests import addressed
from app.api.requests import answer

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")


@router.get("/presenting", **docs.operation("presented", "What is presented", class_docs.PRESENTING))
async def presented(request: Request) -> Response:
    """For everybody in the lab."""
    labs, person, lab_id = addressed(request)
    return answer({"view": await labs.presenting.shown(person, lab_id)})


@router.put("/presenting", **docs.operation("present", "Present a view", class_docs.PRESENT))
async def present(request: Request) -> Response:
    """Show a view of a machine that the lab shares to those who follow. For the lab's instructor."""
    labs, person, lab_id = addressed(request)
    view = taken(await json_object(request), {"view": STRING})["view"]
    await labs.presenting.show(person, lab_id, view)
    return answer({"view": view})


@router.delete("/presenting", **docs.operation("stop_presenting", "Present no more", docs.GONE))
async def stop(request: Request) -> Response:
    """Who follows stays where they are."""
    labs, person, lab_id = addressed(request)
    await labs.presenting.show(person, lab_id, None)
    return Response(status_code=204)
