"""What stands around every page, from the request."""

from __future__ import annotations

from starlette.requests import Request

from app.web.assets import Assets
from app.web.contexts import Shell
from app.web.preferences import preferences_of


def shell_of(request: Request, here: str | None = None) -> Shell:
    """here: the address to come back to, where it is not the request's own."""
    assets: Assets = request.app.state.assets
    own = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Shell(preferences_of(request), assets.url, assets.modules, own if here is None else here)
