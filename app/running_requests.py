"""Bounds how many requests of one person run at a time.

Each of them holds what it reads and what it answers. Event streams have limits of their own and do not count
here, and requests that only wait for a blocked task (`?wait=`) are counted apart.
"""

from __future__ import annotations

from typing import Final

from app.settings import Settings

# In open mode everybody is one person: every client on this computer, and all of a class that is tried out.
MOST_RUNNING: Final = 512
MOST_WAITING: Final = 2048


class RunningRequests:
    """The requests that run, of each person."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.requests_per_principal if settings.lab else MOST_RUNNING
        self.most_waiting = settings.waits_per_principal if settings.lab else MOST_WAITING
        self.run: dict[str, int] = {}
        self.wait: dict[str, int] = {}

    def begin(self, who: str, *, waits: bool) -> bool:
        """Count a request. False: there are too many, and it was not counted."""
        counts, most = (self.wait, self.most_waiting) if waits else (self.run, self.most)
        count = counts.get(who, 0)
        if count >= most:
            return False
        counts[who] = count + 1
        return True

    def end(self, who: str, *, waits: bool) -> None:
        """Count a request no more."""
        counts = self.wait if waits else self.run
        left = counts[who] - 1
        if left:
            counts[who] = left
        else:
            del counts[who]
