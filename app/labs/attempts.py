"""Backoff for failed sign-ins: after some failures each further one makes the next wait longer.

Failures are counted by account name, never by address: a whole class sits behind one. Unknown names are
counted like known ones, so that a wait does not reveal which exist. The wait stays short, since another
person who knows the name can cause it. They are counted in the database, for all servers together.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from app.clock import before_now, utc, written
from app.sessions import TooMany
from app.store import Connection, failures
from app.store.failures import FailuresRow

FREE_FAILURES: Final = 5
LONGEST_WAIT: Final = 30.0
FORGOTTEN_AFTER: Final = timedelta(hours=1)


def key_of(kind: str, tried: str) -> str:
    """What failures are kept under. kind: what was tried, a `name` or the `mark` of a browser."""
    return hashlib.sha256(f"{kind}:{tried}".encode()).hexdigest()


def check(before: FailuresRow | None) -> None:
    """Raise TooMany while one has to wait."""
    if before is None:
        return
    wait = ceil((datetime.fromisoformat(before.until) - utc()).total_seconds())
    if wait > 0:
        raise TooMany(f"too many wrong attempts: try again in {wait} s", wait)


def failed(db: Connection, key: str) -> None:
    """Count a failure."""
    before = failures.get(db, key)
    times = 1 if before is None else before.times + 1
    until = utc() + timedelta(seconds=wait_after(times))
    failures.put(db, FailuresRow(key, times, written(until)))


def wait_after(times: int) -> float:
    """Seconds to wait after so many failures."""
    if times < FREE_FAILURES:
        return 0.0
    return min(LONGEST_WAIT, 2.0 ** min(times - FREE_FAILURES, 10))


def succeeded(db: Connection, key: str) -> None:
    """Forget the failures: an attempt has succeeded."""
    failures.remove(db, key)


def forget_old(db: Connection) -> None:
    """Forget those of whoever has tried no more for a while."""
    failures.sweep(db, before_now(FORGOTTEN_AFTER))
