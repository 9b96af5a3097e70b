"""The JSON API: routes under /api/v1, and what watchers of a server ask."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import Final

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute

from app.api import (
    activity,
    admission,
    audit,
    binary,
    calls,
    checkpoints,
    exercises,
    health,
    history,
    lab_demos,
    lab_machines,
    labs,
    me,
    members,
    metrics,
    news,
    openapi,
    polls,
    presenting,
    processes,
    reading,
    reference,
    replacement,
    results,
    series,
    sessions,
    sheets,
    signing_in,
    stream,
    supervision,
    traces,
    transfer,
    tree,
    underway,
    variants,
    wall,
)
from app.api.bodies import JSON
from app.api.requests import BASE, only_known_headers, only_known_parameters
from app.api.shortcut import Shortcut

__all__ = ["Shortcut", "mount", "speaks_at"]


MAKING: Final = Lock()
WATCHED: Final = frozenset(
    route.path
    for router in (health.router, metrics.router)
    for route in router.routes
    if isinstance(route, APIRoute)
)


def mount(app: FastAPI) -> None:
    """Adds the routes; the hot one stands first. Their exceptions become answers by `problems.problem_of`."""
    app.router.routes.insert(0, calls.hot_route)
    app.router.routes += routes()

    # Not asynchronous: those who ask first wait for the one time that it is made, and nobody else does.
    @app.get(f"{BASE}/openapi.json", include_in_schema=False)
    def openapi_json() -> Response:
        with MAKING:
            return Response(description(), media_type=JSON)


@cache
def routes() -> list[BaseRoute]:
    """All routes that are described, made once in a process: that takes longer than the rest of a start."""
    strict = [Depends(only_known_parameters), Depends(only_known_headers)]
    face = APIRouter(prefix=BASE, dependencies=strict)
    for module in (calls, underway, sessions, history, transfer, stream, binary):
        face.include_router(module.router)
    for module in (reading, series, traces, tree, processes):
        face.include_router(module.router)
    face.include_router(replacement.of_session)
    face.include_router(exercises.of_session)
    for module in (replacement, reference, exercises):
        face.include_router(module.router)
    face.include_router(sessions.one)
    for module in (signing_in, me, labs, members, admission):
        face.include_router(module.router)
    for module in (lab_machines, lab_demos, checkpoints, supervision, activity, audit):
        face.include_router(module.router)
    for module in (sheets, variants, results):
        face.include_router(module.router)
    for module in (wall, presenting, polls, news):
        face.include_router(module.router)
    face.include_router(labs.one)
    watchers = APIRouter(dependencies=strict)
    watchers.include_router(health.router)
    watchers.include_router(metrics.router)
    every = APIRouter()
    every.include_router(face)
    every.include_router(watchers)
    return every.routes


@cache
def description() -> bytes:
    """The OpenAPI document."""
    return openapi.describe(routes())


def speaks_at(path: str) -> bool:
    """Whether errors at this path are problem documents, for programs."""
    return path == "/api" or path.startswith("/api/") or path in WATCHED
