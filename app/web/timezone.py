"""The time zone of a request's reader: what their browser says in a cookie, else UTC.

Times are kept in UTC. While a request is answered they are said in the reader's zone, together with its name:
`zone` holds it, as `app.web.language.speaking` holds the language.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from starlette.requests import cookie_parser

COOKIE: Final = "zone"
# Names of the time zone database: `Asia/Seoul`, `America/Argentina/Buenos_Aires`, `Etc/GMT+3`.
NAME: Final = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
# What a form's field of date and time sends.
TYPED: Final = "%Y-%m-%dT%H:%M"

# Outside of requests it is UTC.
zone: ContextVar[tzinfo] = ContextVar("zone", default=UTC)


def zone_of(cookies: str) -> tzinfo:
    """The zone that a header of cookies names; UTC without one, or where it is not known here."""
    return known(unquote(cookie_parser(cookies).get(COOKIE, "")) if COOKIE in cookies else "")


@lru_cache(maxsize=700)  # there are some 600
def known(name: str) -> tzinfo:
    """The zone of a name; UTC where there is none."""
    if not NAME.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such zone, or a folder of zones
        return UTC


def zone_name() -> str:
    """What the reader's zone is called: `Asia/Seoul`, `America/New York`, `UTC`."""
    now = zone.get()
    return now.key.replace("_", " ") if isinstance(now, ZoneInfo) else "UTC"


def local(moment: datetime) -> datetime:
    """A moment as the reader's clock shows it; one without a zone is UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(zone.get())


def typed(text: str) -> datetime:
    """The moment that a reader means by date and time: `2026-12-01T23:59`. Raises ValueError."""
    return (
        datetime.strptime(text.strip().replace(" ", "T", 1)[:16], TYPED)
        .replace(tzinfo=zone.get())
        .astimezone(UTC)
    )


def as_typed(moment: datetime) -> str:
    """The same the other way round, for the field of a form."""
    return local(moment).strftime(TYPED)
