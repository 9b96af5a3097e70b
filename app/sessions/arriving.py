"""How many files may come in at a time, to be imported; and how many of one person's.

One is told again after the other, the others come in or wait. No person alone can keep everybody else out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.sessions.access import Principal
from app.sessions.errors import Busy, TooMany

LATER: Final = 5  # seconds: an import takes some


class Arrivals:
    """The places for such files. most: of all. each: of one person."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._taken: Counter[str] = Counter()

    @contextmanager
    def place(self, principal: Principal) -> Iterator[None]:
        """One of them, while a file comes and is imported. Raises TooMany, and Busy where others have all."""
        if self._taken[principal.id] >= self._each:
            raise TooMany(f"you import {self._each} sessions already; wait until one is done", LATER)
        if self._taken.total() >= self._most:
            raise Busy(f"{self._most} sessions are being imported already", LATER)
        self._taken[principal.id] += 1
        try:
            yield
        finally:
            self._taken[principal.id] -= 1
            if not self._taken[principal.id]:
                del self._taken[principal.id]
