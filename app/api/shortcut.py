"""Middleware that calls the hot route directly, past FastAPI's layers and the search for a route.

FastAPI's layers (telemetry, two exception handlers, an exit stack) and the search for a route cost as much
as a call. None of them does anything for a route without dependencies but turn its exceptions into answers.
"""

from __future__ import annotations

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.calls import call, hot_route
from app.api.problems import problem_of


class Shortcut:
    """Stands before an application, inside its guard."""

    def __init__(self, app: ASGIApp, application: FastAPI) -> None:
        self.app = app
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        found = None
        if scope["type"] == "http" and scope["method"] == "POST":
            found = hot_route.path_regex.match(scope["path"])
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["app"] = self.application
        scope["route"] = hot_route
        scope["path_params"] = found.groupdict()
        try:
            response = await call(Request(scope, receive, send))
        except Exception as error:
            problem = problem_of(error)
            await problem.response()(scope, receive, send)
            if problem.status == 500:
                raise  # the server writes the traceback to the log, as for every other route
        else:
            await response(scope, receive, send)
