"""The pages of the dashboard, and the static files that they use. Every page works without script."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from app import paths
from app.demos import Library
from app.web import (
    admission,
    asking,
    calling,
    credentials,
    demos,
    exercises,
    explain,
    history,
    home,
    into_lab,
    lab_actions,
    lab_demos,
    labs,
    life,
    machine,
    members,
    misconceptions,
    polls,
    presenting,
    reference,
    regrading,
    replacement,
    result_tasks,
    results,
    sheets,
    sign_in,
    texts,
    variants,
    wall,
)
from app.web.assets import Assets, ImmutableFiles
from app.web.contexts.base import ErrorPage, Link
from app.web.language import N_, _
from app.web.languages import Languages, Speaking
from app.web.render import respond
from app.web.shell import shell_of
from app.web.thumbnail import Thumbnails

__all__ = ["error_page", "mount"]

log = logging.getLogger(__name__)

MODULES = (
    admission,
    asking,
    calling,
    credentials,
    demos,
    exercises,
    explain,
    history,
    home,
    into_lab,
    lab_actions,
    lab_demos,
    labs,
    life,
    machine,
    members,
    misconceptions,
    polls,
    presenting,
    reference,
    regrading,
    replacement,
    result_tasks,
    results,
    sheets,
    sign_in,
    texts,
    variants,
    wall,
)

TITLES = {
    403: N_("Not yours"),
    404: N_("Page not found"),
    405: N_("Not in this way"),
    408: N_("Too slow"),
    413: N_("Too large"),
    429: N_("Too many at once"),
    503: N_("Busy"),
    507: N_("No room left"),
}
DETAILS = {404: N_("Check the address. A session that was deleted is gone for good.")}


def mount(app: FastAPI, own_demos: Path | None = None) -> None:
    """Add the pages and the static files to an application. own_demos: a teacher's folder of demos."""
    app.state.assets = Assets(paths.STATIC)
    app.state.languages = Languages()
    app.state.demos = Library(own_demos)
    app.state.thumbnails = Thumbnails()
    for fault in app.state.demos.faults():
        log.warning("a demo cannot be used: %s", fault)
    app.mount(app.state.assets.prefix, ImmutableFiles(directory=paths.STATIC), "static")
    for module in MODULES:
        app.include_router(module.router)
    app.add_middleware(Speaking, languages=app.state.languages)


def error_page(request: Request, status: int, detail: str, headers: Mapping[str, str]) -> Response:
    """Make a page that says what went wrong. detail: what, in words."""
    page = ErrorPage(
        shell=shell_of(request, "/"),
        title=_(TITLES[status]) if status in TITLES else _("Something went wrong"),
        detail=_(DETAILS[status]) if status in DETAILS else detail,
        links=[Link(_("To your sessions"), "/"), Link(_("Calls and API"), "/calls")],
    )
    response = respond(page, status)
    response.headers.update(headers)
    return response
