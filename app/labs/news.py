"""Event streams of labs: what changes in a lab, for those who are in it.

Nothing is queued: a channel holds the present value of each thing that can change, encoded once for all. A
listener is sent the values that are newer than those it has had, so a slow one misses values in between,
never the present one. All labs with listeners are read together, a few times a second, so that it does not
matter which process has changed one. Votes are counted twice a second at most; how they fall is told to the
instructor alone, and how many there are to members less often, since there are so many of them.

On the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import to_json

from app.labs.person import Person
from app.labs.poll import LAST_ROUND, RUNNING, Poll
from app.labs.room import ROLES, seen
from app.labs.tally import tally
from app.sessions import Busy, Principal, Sessions, StorageFull
from app.sessions.feed import KEEP_ALIVE_SECONDS, NOTHING_NEW, RETRY, TICK_SECONDS
from app.store import Connection, labs, polls
from app.store.labs import LabState

log = logging.getLogger(__name__)

EVENT_KINDS: Final = ("view", "frozen", "closed", "locked", "checkpoint", "machines", "poll")
# How many have voted; and how, which only the instructor is told.
VOTED: Final = "voted"
TALLY: Final = "tally"
COUNT_SECONDS: Final = 0.5  # between two counts of a lab's votes
TELL_SECONDS: Final = 2.0  # until members are told again how many there are
# Of what is kept, what members are told instead of the newest count, and what only the instructor is told.
TOLD: Final = "told"
OF_MEMBERS: Final = frozenset({TOLD})
OF_INSTRUCTORS: Final = frozenset({VOTED, TALLY})


class LabNow(NamedTuple):
    """What a lab's stream tells: its state, the question that is before the class, and the votes."""

    state: LabState
    poll: Poll | None
    # JSON; None where they were not counted now.
    voted: dict[str, Any] | None
    tally: dict[str, Any] | None


class LabChannel:
    """One lab that is listened to. version: goes up with each change."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()
        self.version = 0
        # When votes were counted last, and when members were told.
        self.counted = float("-inf")
        self.told = float("-inf")
        self._now: dict[str, tuple[int, bytes]] = {}

    def saw(self, events: Mapping[str, bytes]) -> None:
        """Take the present state of the lab, and wake the listeners where it has changed."""
        changed = [
            kind for kind, event in events.items() if kind not in self._now or self._now[kind][1] != event
        ]
        if changed:
            self.version += 1
            self._now |= {kind: (self.version, events[kind]) for kind in changed}
            for_members = not OF_INSTRUCTORS.issuperset(changed)
            for listener in self.listeners:
                if listener.teaches or for_members:
                    listener.wake()

    def after(self, version: int, *, teaches: bool) -> bytes:
        """Everything that is newer, and for those who listen."""
        others = OF_MEMBERS if teaches else OF_INSTRUCTORS
        return b"".join(
            event for kind, (since, event) in self._now.items() if since > version and kind not in others
        )

    def is_due(self, time: float) -> bool:
        """Whether votes are to be counted again."""
        if time < self.counted + COUNT_SECONDS:
            return False
        self.counted = time
        return True

    def counts(self, found: dict[str, bytes], time: float) -> dict[str, bytes]:
        """Events with the count for members, where it is time for it."""
        if VOTED not in found or time < self.told + TELL_SECONDS:
            return found
        self.told = time
        return {**found, TOLD: found[VOTED]}


class Listener:
    """A reader of a lab's stream."""

    def __init__(self, news: News, principal: Principal, lab_id: str, *, teaches: bool) -> None:
        self.principal = principal
        self.lab_id = lab_id
        self.teaches = teaches
        self._news = news
        self._heard = 0
        self._first = RETRY + b"\n"
        self._waiting: Future[None] | None = None
        self._open = True

    async def next(self) -> bytes | None:
        """Wait for the next bytes to send; None when the stream is over."""
        while self._open:
            channel = self._news.channels[self.lab_id]
            fresh = self._first + channel.after(self._heard, teaches=self.teaches)
            self._heard = channel.version
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
        # Where others listen it is known how the lab is: three hundred who come at once do not read it each.
        known = lab_id in self.channels and self.channels[lab_id].version > 0

        def query(db: Connection) -> tuple[bool, LabNow | None]:
            teaches = seen(db, person, lab_id).owner == person.id
            return teaches, None if known else read(db, [lab_id], {lab_id}, {lab_id})[lab_id]

        teaches, now = await self._sessions.query(query)
        listener = Listener(self, person.principal, lab_id, teaches=teaches)
        self._sessions.register(listener)
        channel = self.channels.setdefault(lab_id, LabChannel())
        channel.listeners.add(listener)
        if channel.version == 0 and now is not None:
            channel.saw(events(now))
        elif (channel.version == 0) is (now is None):
            # The others have left meanwhile, or what was read may be older than what has been told since.
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
            time = asyncio.get_running_loop().time()
            due = {lab_id for lab_id, channel in self.channels.items() if channel.is_due(time)}
            taught = {lab_id for lab_id in due if any(one.teaches for one in self.channels[lab_id].listeners)}
            try:
                now = await self._sessions.query(read, followed, due, taught)
            except (Busy, StorageFull):
                continue
            except Exception:
                log.exception("labs cannot be looked at")
                continue
            for lab_id in followed:
                self._saw(lab_id, now.get(lab_id))

    def _saw(self, lab_id: str, now: LabNow | None) -> None:
        channel = self.channels.get(lab_id)
        if channel is None:
            return
        if now is not None:
            channel.saw(channel.counts(events(now), asyncio.get_running_loop().time()))
            return
        for listener in list(channel.listeners):
            listener.close()


def read(
    db: Connection, lab_ids: Sequence[str], counted: Collection[str], taught: Collection[str]
) -> dict[str, LabNow]:
    """What there is to tell of the given labs; those that do not exist are missing.

    counted: of which the votes are counted; taught: and how they fall.
    """
    states = labs.followed(db, lab_ids)
    now = {row.lab_id: Poll.of(row) for row in polls.in_states(db, lab_ids, RUNNING)}
    now = {lab_id: poll for lab_id, poll in now.items() if states[lab_id].lab.closed is None}
    asked = [poll.id for lab_id, poll in now.items() if lab_id in counted]
    counts = {(one.poll_id, one.round): one.votes for one in polls.counts(db, asked)} if asked else {}
    members = polls.member_counts(db, list(counted)) if asked else {}
    told = [poll.id for lab_id, poll in now.items() if lab_id in taught]
    votes = polls.votes_on(db, told) if told else []
    found = {}
    for lab_id, state in states.items():
        poll = now.get(lab_id)
        voted = tallied = None
        if poll is not None and lab_id in counted:
            last = LAST_ROUND[poll.state]
            voted = {
                "poll": poll.id,
                "round": last,
                "voted": counts.get((poll.id, last), 0),
                "members": members.get(lab_id, 0),
            }
        if poll is not None and lab_id in taught:
            counted_here = tally(poll, [vote for vote in votes if vote.poll_id == poll.id])
            tallied = {"poll": poll.id, **counted_here.as_json()}
        found[lab_id] = LabNow(state, poll, voted, tallied)
    return found


def events(now: LabNow) -> dict[str, bytes]:
    """The state of a lab as events by kind. Prepared machines are left out: members do not see them."""
    state = now.state
    lab = state.lab
    documents: dict[str, Any] = {
        "view": {"view": lab.view},
        "frozen": {"frozen": lab.frozen},
        "closed": {"closed": lab.closed},
        "locked": {"sessions": state.locked},
        "checkpoint": {
            "checkpoints": [
                {"id": mark.id, "machine": mark.machine_id, "seq": mark.seq, "title": mark.title}
                for mark in state.checkpoints
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
                for machine in state.machines
                if machine.kind in ROLES
            ]
        },
        "poll": {"poll": None if now.poll is None else now.poll.public()},
    }
    counts = {VOTED: now.voted, TALLY: now.tally}
    documents |= {kind: count for kind, count in counts.items() if count is not None}
    return {
        kind: b"event: %b\ndata: %b\n\n" % (kind.encode(), to_json(document))
        for kind, document in documents.items()
    }
