"""`GET /labs/{id}/wall`: the state of a class, or what has changed of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from app.api import class_docs, docs
from app.api.bodies import JSON
from app.api.lab_requests import addressed
from app.labs import Tile, WallState
from app.mm.page import STATES

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")

Version = Annotated[
    str | None,
    Query(pattern="^[0-9a-f]{12}-[0-9]{1,15}$", description="only what has changed since this `version`"),
]

# Answers that are kept encoded: of all who look at a wall, most have the same part of it.
ANSWERS_CACHED: Final = 32


@router.get("/wall", **docs.operation("wall", "A whole class at a glance", class_docs.WALL))
async def wall(request: Request, after: Version = None) -> Response:
    """A tile for each member with the machine that they have called last. For the lab's instructor."""
    labs, person, lab_id = addressed(request)
    state = await labs.wall.state(person, lab_id)
    return Response(encoded(state, state.after(after)), media_type=JSON)


@lru_cache(maxsize=ANSWERS_CACHED)
def encoded(state: WallState, after: int | None) -> bytes:
    """What has changed since a version, encoded once for all who ask."""
    return to_json(document(state, after))


def document(state: WallState, after: int | None) -> dict[str, Any]:
    """The same as values. What hardly ever changes is said only with the whole."""
    tiles, gone = state.since(after)
    lab = state.whole
    found: dict[str, Any] = {
        "version": state.token,
        "all": after is None,
        "members": lab.members,
        "waiting": lab.waiting,
        "newest": list(lab.newest),
        "active": lab.active,
        "frozen": lab.frozen,
        "closed": lab.closed,
        "view": lab.view,
        "checkpoints": [mark._asdict() for mark in lab.marks],
        "tiles": [tile_of(tile, known=state.machine_since[tile.number] <= (after or 0)) for tile in tiles],
        "gone": gone,
    }
    return {**found, "states": list(STATES)} if after is None else found


def tile_of(tile: Tile, *, known: bool) -> dict[str, Any]:
    """A member's tile. What is not there, or false, is left out. known: so is who it is, and where."""
    last, picture = tile.last, tile.picture
    cause = last and last.cause
    found = {
        "number": tile.number,
        "nickname": None if known else tile.nickname,
        "session": None if known else tile.session_id,
        "seq": tile.seq or None,
        "call": last and last.call,
        "verdict": last and last.verdict,
        "cause": cause and cause.text,
        "mistake": cause and cause.mistake,
        "facts": cause and dict(cause.facts),
        "time": last and last.time,
        "map": picture and picture.cells,
        "used": picture and picture.used,
        "reached": tile.reached or None,
        "done": tile.done or None,
        "said": tile.said or None,
        "locked": tile.locked or None,
        "woken": tile.woken or None,
    }
    return {name: value for name, value in found.items() if value is not None}
