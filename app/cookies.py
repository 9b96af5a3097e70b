"""The cookie with which a browser says who it is, as the guard looks for it and the entrance gives it."""

from __future__ import annotations

from typing import Final

from app.settings import Settings

# A browser sends a cookie with this name only over TLS, and takes it from nobody but this host.
COOKIE: Final = "kmemlab"
SECURE_COOKIE: Final = "__Host-kmemlab"


def over_tls(settings: Settings) -> bool:
    """Whether people reach this server over TLS, so that what is secret is never sent without."""
    return settings.public_url is not None and settings.public_url.startswith("https://")


def cookie_name(settings: Settings) -> str:
    """What the cookie with a token is called."""
    return SECURE_COOKIE if over_tls(settings) else COOKIE
