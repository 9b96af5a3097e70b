"""Quotas in bytes: for one session, and for all sessions of a member.

Calls, requests and rows are counted elsewhere; but a row may take a hundred bytes or sixty thousand, so bytes
are what fills a disk. A session that is full is refused before its call is made, and the answer says which
limit it is.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from app.sessions.errors import LimitReached
from app.sessions.live import Live
from app.sessions.queries import in_words
from app.settings import Settings
from app.store import Connection, sessions

MEMBER_PREFIX: Final = "m_"
# Seconds for which a member's sum is believed, with what was added here; other processes add to it, too.
CACHE_SECONDS: Final = 10.0
MEMBERS_CACHED: Final = 10_000


class Usage:
    """Bytes of members, as far as they were asked for. Used by the writer's thread."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._of_session = settings.session_bytes
        self._of_member = settings.member_bytes
        self._clock = clock
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def add(self, owner: str, more: int) -> None:
        """Count what is about to be written."""
        found = self._known.get(owner)
        if found is not None:
            self._known[owner] = found[0] + more, found[1]

    def require_room(self, db: Connection, live: Live) -> None:
        """Raise LimitReached where a session, or all of its owner's, take as much as they may."""
        if live.size >= self._of_session:
            raise LimitReached(
                (),
                f"the journal of this session takes {in_words(live.size)}, and {in_words(self._of_session)} "
                "is the limit; it can be read, exported and forked, and a fork begins with an empty journal",
            )
        owner = live.owner
        if owner.startswith(MEMBER_PREFIX) and self._bytes_of(db, owner) >= self._of_member:
            raise LimitReached(
                (),
                f"all sessions of one member take at most {in_words(self._of_member)}; delete one that is "
                "not needed any more",
            )

    def _bytes_of(self, db: Connection, owner: str) -> int:
        now = self._clock()
        found = self._known.get(owner)
        # Who is full may just have deleted something, and is not refused for what was so.
        if found is None or now - found[1] > CACHE_SECONDS or found[0] >= self._of_member:
            found = self._known[owner] = sessions.bytes_of(db, owner), now
            self._known.move_to_end(owner)
            if len(self._known) > MEMBERS_CACHED:
                self._known.popitem(last=False)
        return found[0]
