"""The bar and everything else around a page, made from the request."""

from __future__ import annotations

from starlette.requests import Request

from app.web.assets import Assets
from app.web.contexts.base import Shell, Who
from app.web.language import speaking
from app.web.preferences import preferences_of
from app.web.requester import labs_of, requester_if_known
from app.web.texts import texts_address


def shell_of(request: Request, here: str | None = None) -> Shell:
    """Make the shell. here: the address to come back to, where it is not the request's own."""
    assets: Assets = request.app.state.assets
    own = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    language = speaking.get()
    return Shell(
        preferences=preferences_of(request),
        language=language.code,
        texts=texts_address(language),
        asset=assets.url,
        integrity=assets.integrity,
        modules=assets.modules,
        here=own if here is None else here,
        who=who_of(request),
    )


def who_of(request: Request) -> Who | None:
    """The person at the browser, as the bar shows them; None in open mode."""
    if not labs_of(request).enabled:
        return None
    person = requester_if_known(request)
    if person is None:
        return Who("visitor")
    kind = "waiting" if person.waiting else person.kind
    return Who(kind, person.name, None if person.lab is None else f"/labs/{person.lab}")
