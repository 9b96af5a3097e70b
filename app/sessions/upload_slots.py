"""Slots for files that are uploaded to be imported: bounded in all, for one lab and for one person.

A slow upload holds nothing but its slot. Once the file is complete, a scheduler of its own imports it, person
by person in turn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.sessions.access import Principal
from app.sessions.errors import Busy, TooMany

RETRY_SECONDS: Final = 5  # seconds: an import takes some


class UploadSlots:
    """The slots. most: in all; one lab may have half of them. each: for one person."""

    def __init__(self, most: int, each: int) -> None:
        self._most = most
        self._each = each
        self._persons: Counter[str] = Counter()
        self._labs: Counter[str] = Counter()

    @contextmanager
    def place(self, principal: Principal) -> Iterator[None]:
        """Hold a slot while a file is uploaded and imported. Raises TooMany, and Busy where all are taken."""
        lab = principal.lab
        if self._persons[principal.id] >= self._each:
            raise TooMany(f"you import {self._each} sessions already; wait until one is done", RETRY_SECONDS)
        if lab is not None and self._labs[lab] >= (self._most + 1) // 2:
            raise Busy(f"your lab imports {self._labs[lab]} sessions already", RETRY_SECONDS)
        if self._persons.total() >= self._most:
            raise Busy(f"{self._most} sessions are being imported already", RETRY_SECONDS)
        self._persons[principal.id] += 1
        if lab is not None:
            self._labs[lab] += 1
        try:
            yield
        finally:
            _give_back(self._persons, principal.id)
            if lab is not None:
                _give_back(self._labs, lab)


def _give_back(taken: Counter[str], whose: str) -> None:
    taken[whose] -= 1
    if not taken[whose]:
        del taken[whose]
