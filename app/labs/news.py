"""Event streams of labs: what changes in a lab, for those who are in it.

Nothing is queued: a channel holds the present value of each thing that can change, encoded once for all. A
listener is sent the values that are newer than those it has had, so a slow one misses values in between,
never the present one. All labs with listeners are read together, a few times a second, so that it does not
matter which process has changed one.

On the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from app.labs.person import Person
from app.labs.room import ROLES, seen
from app.sessions import Busy, Principal, Sessions, StorageFull
from app.sessions.feed import KEEP_ALIVE_SECONDS, NOTHING_NEW, RETRY, TICK_SECONDS
from app.store import Connection, labs
from app.store.labs import LabState

log = logging.getLogger(__name__)

EVENT_KINDS: Final = ("view", "frozen", "closed", "locked", "checkpoint", "machines")


class LabChannel:
    """One lab that is listened to. version: goes up with each change."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.version = 0
        self._now: dict[str, tuple[int, bytes]] = {}

    def saw(self, events: Mapping[str, bytes]) -> None:
        """Take the present state of the lab, and wake the listeners where it has changed."""
        changed = [
            kind for kind in EVENT_KINDS if kind not in self._now or self._now[kind][1] != events[kind]
        ]
        if changed:
            self.version += 1
            self._now |= {kind: (self.version, events[kind]) for kind in changed}
            for listener in self.listeners:
                listener.wake()

    def after(self, version: int) -> bytes:
        """Everything that is newer."""
        return b"".join(event for since, event in self._now.values() if since > version)


class Listener:
    """A reader of a lab's stream."""

    def __init__(self, news: News, principal: Principal, lab_id: str) -> None:
        self.principal = principal
        self.lab_id = lab_id
        self._news = news
        self._heard = 0
        self._first = RETRY + b"\n"
        self._waiting: Future[None] | None = None
        self._open = True

    async def next(self) -> bytes | None:
        """Wait for the next bytes to send; None when the stream is over."""
        while self._open:
            channel = self._news.channels[self.lab_id]
            fresh, self._heard = self._first + channel.after(self._heard), channel.version
            self._first = b""
            if fresh:
                return fresh
            if not await self._is_news():
                return NOTHING_NEW
        return None

    async def _is_news(self) -> bool:
        self._waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                await self._waiting
        except TimeoutError:
            return False
        finally:
            self._waiting = None
        return True

    def wake(self) -> None:
        """Wake the listener: there may be something to send."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """End the stream. May be called again."""
        if self._open:
            self._open = False
            self.wake()
            self._news.leave(self)


class News:
    """The labs that are listened to in this process."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.channels: dict[str, LabChannel] = {}
        self._ticker: asyncio.Task[None] | None = None
        self._soon = asyncio.Event()

    async def follow(self, person: Person, lab_id: str) -> Listener:
        """Listen to a lab: first how it is, then what changes. The listener has to be closed.

        Raises NotFound, TooMany and Busy.
        """

        def query(db: Connection) -> dict[str, LabState]:
            seen(db, person, lab_id)
            return labs.followed(db, [lab_id])

        now = await self._sessions.query(query)
        listener = Listener(self, person.principal, lab_id)
        self._sessions.register(listener)
        channel = self.channels.setdefault(lab_id, LabChannel())
        channel.listeners.add(listener)
        if channel.version == 0:
            channel.saw(events(now[lab_id]))
        else:
            # What was read here may be older than what has been told since.
            self.look()
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())
        return listener

    def leave(self, listener: Listener) -> None:
        """Remove a listener."""
        self._sessions.unregister(listener)
        channel = self.channels[listener.lab_id]
        channel.listeners.discard(listener)
        if not channel.listeners:
            del self.channels[listener.lab_id]

    def look(self) -> None:
        """Read the labs now: something was just changed by this process."""
        self._soon.set()

    def stop(self) -> None:
        """Look no more."""
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self) -> None:
        """While there are listeners, look for changes, and for labs that were deleted."""
        while self.channels:
            try:
                async with asyncio.timeout(TICK_SECONDS):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            followed = list(self.channels)
            try:
                now = await self._sessions.query(labs.followed, followed)
            except (Busy, StorageFull):
                continue
            except Exception:
                log.exception("labs cannot be looked at")
                continue
            for lab_id in followed:
                self._saw(lab_id, now.get(lab_id))

    def _saw(self, lab_id: str, now: LabState | None) -> None:
        channel = self.channels.get(lab_id)
        if channel is None:
            return
        if now is not None:
            channel.saw(events(now))
            return
        for listener in list(channel.listeners):
            listener.close()


def events(now: LabState) -> dict[str, bytes]:
    """The state of a lab as events by kind. Prepared machines are left out: members do not see them."""
    lab = now.lab
    documents: dict[str, Any] = {
        "view": {"view": lab.view},
        "frozen": {"frozen": lab.frozen},
        "closed": {"closed": lab.closed},
        "locked": {"sessions": now.locked},
        "checkpoint": {
            "checkpoints": [
                {"id": mark.id, "machine": mark.machine_id, "seq": mark.seq, "title": mark.title}
                for mark in now.checkpoints
            ]
        },
        "machines": {
            "machines": [
                {
                    "id": machine.id,
                    "kind": machine.kind,
                    "title": machine.title,
                    "session": machine.session_id,
                }
                for machine in now.machines
                if machine.kind in ROLES
            ]
        },
    }
    return {
        kind: b"event: %b\ndata: %b\n\n" % (kind.encode(), to_json(documents[kind])) for kind in EVENT_KINDS
    }
