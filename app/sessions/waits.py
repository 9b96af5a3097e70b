"""Requests (`?wait=`) that wait for a blocked task to be woken.

On the event loop: a thread for each costs too much.
"""

from __future__ import annotations

from asyncio import Future
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

REWINDS: Final = ("rewind", "undo")


@dataclass(slots=True, eq=False)
class Wait:
    """One waiting request."""

    # The task that sleeps.
    task: str
    # The seq of the last row that was looked at; at first that of the call.
    seen: int
    woken_at: Future[int | None]
    # The seq of the call.
    since: int = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.seen

    def saw(self, outcome: Mapping[str, Any]) -> None:
        """Look at a row."""
        if outcome["seq"] > self.seen and not self.woken_at.done():
            if self.task in outcome.get("woken", ()):
                self.woken_at.set_result(outcome["seq"])
            elif outcome["call"] == "kill_task" and outcome["args"]["task"] == self.task:
                self.woken_at.set_result(None)
            elif outcome["call"] in REWINDS and outcome["args"]["to"] < self.since:
                # The task has never fallen asleep. Behind that row it sleeps in every state there is: the
                # first to wake it would have ended this.
                self.woken_at.set_result(None)


class Waits:
    """The waiting requests, by session."""

    def __init__(self) -> None:
        self._waits: dict[str, list[Wait]] = {}

    def __bool__(self) -> bool:
        return bool(self._waits)

    def add(self, session_id: str, wait: Wait) -> None:
        """From now on, rows of the session are looked at for this request."""
        self._waits.setdefault(session_id, []).append(wait)

    def remove(self, session_id: str, woken_at: Future[int | None]) -> None:
        """The request waits no more."""
        left = [wait for wait in self._waits.get(session_id, ()) if wait.woken_at is not woken_at]
        if left:
            self._waits[session_id] = left
        else:
            self._waits.pop(session_id, None)

    def saw(self, session_id: str, outcome: Mapping[str, Any]) -> None:
        """A row has been committed: here, or by another process."""
        for wait in self._waits.get(session_id, ()):
            wait.saw(outcome)

    def behind(self) -> dict[str, int]:
        """Sessions with waiting requests, with the last row that all of those have seen."""
        return {
            session_id: min(wait.seen for wait in waits) for session_id, waits in self._waits.items() if waits
        }

    def caught_up(self, session_id: str, seq: int) -> None:
        """Every row up to this one has been looked at."""
        for wait in self._waits.get(session_id, ()):
            wait.seen = max(wait.seen, seq)

    def end(self, session_id: str) -> None:
        """End all waiting in a session: it was deleted, or the server stops."""
        for wait in self._waits.get(session_id, ()):
            if not wait.woken_at.done():
                wait.woken_at.set_result(None)

    def release(self) -> None:
        """The server stops."""
        for session_id in self._waits:
            self.end(session_id)
