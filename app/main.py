"""The only composer: settings → store → sessions → the two faces, inside the guard."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Scope

from app import __version__, api, web
from app.api.problems import PROBLEMS, problem_of
from app.guard import Guard
from app.labs import Labs, person_of
from app.logs import AccessLog
from app.practice import Practice
from app.sessions import Conflict, Sessions
from app.settings import Settings
from app.store import Store

log = logging.getLogger(__name__)

METHODS: Final = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Application(FastAPI):
    """FastAPI with the guard around everything: its last-resort 500 carries the guard's headers too."""

    def build_middleware_stack(self) -> ASGIApp:
        app = api.Shortcut(super().build_middleware_stack(), self)
        guard = Guard(
            app,
            self.state.settings,
            self.state.labs.authentication.identify,
            self.closed,
            self.state.answered,
        )
        if guard.rates is not None:
            self.state.sessions.rates.share("request", guard.rates)
        return AccessLog(guard) if self.state.settings.log == "json" else guard

    async def closed(self, scope: Scope, *, script: bool) -> Response | None:
        """The answer to a member whose open task closes an address; None where it does not."""
        reason = await self.state.labs.sealing.refusal(person_of(scope), scope, script=script)
        return None if reason is None else await refuse(Request({**scope, "app": self}), Conflict(reason))


def create_app(settings: Settings) -> FastAPI:
    """The application of one server process. Its database must have been migrated."""
    sessions = Sessions(settings, Store.of(settings))
    labs = Labs(settings, sessions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await sessions.start()
        await labs.start()
        yield
        await labs.stop()
        await sessions.stop()

    app = Application(
        title="kmemlab",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,  # app.api serves its own: one operation for each kernel function
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
        },  # it is not collected, and costs 8 us a request
    )
    app.state.settings = settings
    app.state.answered = Counter()  # answers, by their status
    app.state.sessions = sessions
    app.state.labs = labs
    app.state.exercises = labs.exercises
    for fault in labs.exercises.faults():
        log.warning("an exercise cannot be used: %s", fault)
    app.state.practice = Practice(sessions, labs.exercises)
    api.mount(app)
    web.mount(app, settings.demos)
    for kind in PROBLEMS:
        app.add_exception_handler(kind, refuse)
    return app


async def refuse(request: Request, error: Exception) -> Response:
    """An exception as an answer: a problem document for programs, a page for people."""
    problem = problem_of(error)
    if problem.status == 405:
        problem = replace(problem, headers={"Allow": ", ".join(sorted(methods_at(request)))})
    if api.speaks_at(request.scope["path"]):
        return problem.response()
    return web.error_page(request, problem.status, problem.detail, problem.headers)


def methods_at(request: Request) -> set[str]:
    """Every method that some route has for this path; the router tells those of the first such route."""
    scopes = {method: {**request.scope, "method": method} for method in METHODS}
    routes = request.app.router.routes
    return {
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in routes)
    }
