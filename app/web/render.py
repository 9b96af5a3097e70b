"""Contexts into pages."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from app import paths
from app.web import wording
from app.web.contexts import Page

PAGE: Final = re.compile(r"(?<=the page )(/(?:gfp|calls))\b")


def linked(words: str) -> Markup:
    """Text in which `the page /gfp` leads there."""
    return Markup(PAGE.sub(r'<a href="\1">\1</a>', str(escape(words))))  # noqa: S704 - escaped just before


def environment() -> Environment:
    """Everything is escaped; a name that a template misspells is an error, not a gap in the page."""
    env = Environment(
        loader=FileSystemLoader(paths.TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters |= {
        "count": wording.count,
        "pfn": wording.pfn,
        "hex": wording.hexadecimal,
        "bytes": wording.size,
        "frames": wording.frames,
        "date": wording.date,
        "linked": linked,
    }
    return env


ENVIRONMENT = environment()


def respond(page: Page, status: int = 200) -> HTMLResponse:
    """The page as a response. It shows a moment of a machine that changes: nobody may keep it."""
    names: dict[str, Any] = {field.name: getattr(page, field.name) for field in fields(page)}
    html = ENVIRONMENT.get_template(page.TEMPLATE).render(names)
    return HTMLResponse(html, status, {"Cache-Control": "no-store"})
