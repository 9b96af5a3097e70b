"""What changes in labs, for those who are in them.

Nothing is queued: a channel holds, for each thing that can change, how it is now, encoded once for all. Who
listens is given what is newer than what they have had, so that a slow one misses what was between, and never
how it is. All labs that anybody listens to are looked at together, a few times a second: so it is no matter
which process has changed one.

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
        """How the lab is. Who listens is told what has changed."""
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
    """One who listens to a lab. Raises nothing."""

    def __init__(self, news: News, principal: Principal, lab_id: str) -> None:
        self.principal = principal
        self.lab_id = lab_id
        self._news = news
        self._heard = 0
        self._first = RETRY + b"\n"
        self._waiting: Future[None] | None = None
        self._open = True

    async def next(self) -> bytes | None:
        """What to send next, when there is something; None when it is over."""
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
        """There is something to look at."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def close(self) -> None:
        """It is over, whoever ended it."""
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
        """Who listened is gone."""
        self._sessions.unregister(listener)
        channel = self.channels[listener.lab_id]
        channel.listeners.discard(listener)
        if not channel.listeners:
            del self.channels[listener.lab_id]

    def look(self) -> None:
        """Something has just been changed here: look now."""
        self._soon.set()

    def stop(self) -> None:
        """Look no more."""
        if self._ticker is not None:
            self._ticker.cancel()

    async def _tick(self) -> None:
        """While anybody listens, look for what has changed, and for labs that are gone."""
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
    """How a lab is, as events by kind. What is only prepared is not told: nobody sees it go on."""
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
