"""The cookies of lab mode: their names, and how they are found in a request.

Of several cookies of one name the first counts, in the guard and in pages alike: otherwise a request could be
one person's for the guard and another's for a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.settings import Settings

# A browser sends a cookie with this prefix only over TLS, and accepts it only from this host.
COOKIE: Final = "kmemlab"
SECURE_COOKIE: Final = "__Host-kmemlab"

# Marks a browser in which an instructor has signed in before; it stays after signing out, and opens nothing.
MARK_COOKIE: Final = "kmemlab-known"
SECURE_MARK_COOKIE: Final = "__Host-kmemlab-known"


def over_tls(settings: Settings) -> bool:
    """Whether people reach this server over TLS, so that secret cookies are sent only over TLS."""
    return settings.public_url is not None and settings.public_url.startswith("https://")


def cookie_name(settings: Settings) -> str:
    """What the cookie with a token is called."""
    return SECURE_COOKIE if over_tls(settings) else COOKIE


def mark_name(settings: Settings) -> str:
    """What the cookie of a browser that has signed in before is called."""
    return SECURE_MARK_COOKIE if over_tls(settings) else MARK_COOKIE


def cookie_in(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The first cookie of a name, in all `Cookie` headers of a request; None where none has it."""
    wanted = name.encode()
    for header, pairs in headers:
        if header == b"cookie":
            for pair in pairs.split(b";"):
                given, _, value = pair.strip().partition(b"=")
                if given == wanted:
                    return value.decode("latin-1")
    return None
