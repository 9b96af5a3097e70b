"""What the routes of labs need of a request, and the absolute addresses in their answers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from app.labs import Labs, Person, person_of
from app.labs.person import OPEN_MODE
from app.sessions import Forbidden


def labs_of(request: Request) -> Labs:
    """The labs of this server. Raises Forbidden in open mode, where there are none."""
    labs = request.app.state.labs
    assert isinstance(labs, Labs)
    if not labs.enabled:
        raise Forbidden(OPEN_MODE)
    return labs


def addressed(request: Request) -> tuple[Labs, Person, str]:
    """The labs, the person, and the lab's id. Raises as `labs_of` does."""
    return labs_of(request), person_of(request.scope), request.path_params["id"]


def absolute(request: Request, path: str) -> str:
    """The address under which others reach a path: the public one, or else the one that was asked."""
    public: str | None = request.app.state.settings.public_url
    base: Any = public or request.base_url
    return f"{str(base).rstrip('/')}{path}"
