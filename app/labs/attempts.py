"""How often somebody may be wrong: after some failures each further one makes the next wait longer.

By what is tried (an account's name), never by address: a whole class sits behind one. Unknown names are
counted like known ones, so that waiting tells nothing. The wait stays short: whoever knows a name can make
its owner wait, too.
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
    """How many there were, and until when nothing is tried again."""

    count: int = 0
    until: float = 0.0


class Attempts:
    """Everybody's failures. The name that was tried longest ago is forgotten first."""

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
        """It was wrong."""
        found = self._failures.setdefault(key, Failures())
        self._failures.move_to_end(key)
        found.count += 1
        if found.count >= FREE_FAILURES:
            found.until = self._clock() + min(LONGEST_WAIT, 2.0 ** (found.count - FREE_FAILURES))
        if len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """It was right."""
        self._failures.pop(key, None)
