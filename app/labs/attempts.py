"""Backoff for failed sign-ins: after some failures each further one makes the next wait longer.

Failures are counted by account name, never by address: a whole class sits behind one. Unknown names are
counted like known ones, so that a wait does not reveal which exist. The wait stays short, since another
person who knows the name can cause it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

from app.sessions import TooMany

FREE_FAILURES: Final = 5
LONGEST_WAIT: Final = 30.0
MOST_NAMES: Final = 10_000


@dataclass(slots=True)
class Failures:
    """The failures of one name, and until when further attempts are refused."""

    count: int = 0
    until: float = 0.0


class Attempts:
    """The failures of all names. The name that was tried longest ago is forgotten first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, Failures] = OrderedDict()

    def check(self, key: str) -> None:
        """Raise TooMany while the key has to wait."""
        found = self._failures.get(key)
        if found is not None and found.until > self._clock():
            wait = ceil(found.until - self._clock())
            raise TooMany(f"too many wrong attempts: try again in {wait} s", wait)

    def failed(self, key: str) -> None:
        """Count a failure."""
        found = self._failures.setdefault(key, Failures())
        self._failures.move_to_end(key)
        found.count += 1
        if found.count >= FREE_FAILURES:
            found.until = self._clock() + min(LONGEST_WAIT, 2.0 ** (found.count - FREE_FAILURES))
        if len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """Forget the failures of a name: an attempt has succeeded."""
        self._failures.pop(key, None)
