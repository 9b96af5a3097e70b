"""The server's clock, and times as rows and sessions have them: UTC, RFC 3339, milliseconds.

As text such times stand in their order, so that the database compares them as they are.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from time import gmtime, strftime, time_ns


def utc() -> datetime:
    """What the clock shows."""
    return datetime.now(UTC)


def now() -> str:
    """The time as text."""
    return _text(time_ns() // 1_000_000)


def before_now(age: timedelta) -> str:
    """The time so long ago, as text."""
    return written(utc() - age)


def after_now(delay: timedelta) -> str:
    """The time so much later, as text."""
    return written(utc() + delay)


def written(time: datetime) -> str:
    """A time of UTC as text."""
    return time.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


@lru_cache(maxsize=4)
def _text(milliseconds: int) -> str:
    """As `now`, which is the same for many calls of a batch."""
    seconds, rest = divmod(milliseconds, 1_000)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(seconds))}.{rest:03}Z"
