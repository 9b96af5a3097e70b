"""Templates: contexts are rendered into pages."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from app import paths
from app.web import refusals, timezone, wording
from app.web.contexts.base import Page
from app.web.language import _, phrase, phrase_of

PAGE: Final = re.compile(r"(?<=the page )(/(?:gfp|calls))\b")


STRESS: Final = re.compile(r"\*([^*]+)\*")


def linked(words: str) -> Markup:
    """Turn `the page /gfp` in a text into a link."""
    return Markup(PAGE.sub(r'<a href="\1">\1</a>', str(escape(words))))  # noqa: S704 - escaped just before


def breakable(text: str) -> Markup:
    """Let a line of C end behind a `|`."""
    return Markup(str(escape(text)).replace("|", "|<wbr>"))  # noqa: S704 - escaped just before


def prose(words: str) -> Markup:
    """Turn a text into paragraphs: `backquotes` are code and *stars* stress."""
    paragraphs = filter(None, map(str.strip, str(escape(words)).split("\n\n")))
    return Markup("".join(f"<p>{marked(paragraph)}</p>" for paragraph in paragraphs))  # noqa: S704 - escaped just before


def marked(text: str) -> str:
    """Turn the marks of an escaped text into tags; a star inside of code stays a star."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # the last backquote has no other: it is one
        parts[-2:] = ["`".join(parts[-2:])]
    return "".join(
        f"<code>{part}</code>" if index % 2 else STRESS.sub(r"<em>\1</em>", part)
        for index, part in enumerate(parts)
    )


@pass_context
def count(_context: object, number: int) -> str:
    """A number as the request's language groups it. Of its context: else Jinja would do it once, for all."""
    return wording.count(number)


def environment() -> Environment:
    """Set up Jinja: everything is escaped, and a misspelt name is an error, not a gap in the page."""
    env = Environment(
        loader=FileSystemLoader(paths.TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.policies["ext.i18n.trimmed"] = True
    # What stands in {% trans %} may hold markup; what `_()` says is text, and is escaped.
    env.install_gettext_callables(phrase, phrase_of, newstyle=True)  # type: ignore[attr-defined]
    env.globals["_"] = _
    env.globals["zone_name"] = timezone.zone_name
    env.filters |= {
        "count": count,
        "pfn": wording.pfn,
        "hex": wording.hexadecimal,
        "bytes": wording.size,
        "frames": wording.frames,
        "date": wording.date,
        "moment": wording.moment,
        "breakable": breakable,
        "linked": linked,
        "instead": refusals.replaced,
        "prose": prose,
    }
    return env


ENVIRONMENT = environment()


def drawing(template: str, **given: Any) -> bytes:
    """Render a picture that is a file of its own."""
    return ENVIRONMENT.get_template(template).render(given).encode()


def respond(page: Page, status: int = 200) -> HTMLResponse:
    """Render a page as a response. It shows a moment of a machine that changes: no cache may keep it."""
    names: dict[str, Any] = {field.name: getattr(page, field.name) for field in fields(page)}
    html = ENVIRONMENT.get_template(page.TEMPLATE).render(names)
    headers = {"Cache-Control": "no-store", "Vary": "Accept-Language"}
    return HTMLResponse(html, status, headers)
