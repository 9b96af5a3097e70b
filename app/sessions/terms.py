"""What a request asks beside its work: to be done only at a certain seq, and only once.

Both are decided by the writer, in the transaction and at the place in its order where the work is done. So of
many who name the same seq, or send the same key, exactly one has an effect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from app.sessions.errors import OtherRequest, Stale
from app.sessions.live import now, written
from app.store import Busy, Connection, StorageFull, Store, replies
from app.store.replies import Kept, Reply

KEPT_FOR: Final = timedelta(hours=24)
AT_ONCE: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Once:
    """A request that may be sent again and has its effect once.

    principal: whose key it is. fingerprint: of everything that makes the request what it is. answer: what is
    sent for the result of the work; called where the work is done, so it must look at nothing else.
    """

    principal: str
    key: str
    fingerprint: str
    answer: Callable[[Any], Reply]


@dataclass(frozen=True, slots=True)
class Terms:
    """at: the seq that the session must have before the work, None for any. once: None for every time."""

    at: int | None = None
    once: Once | None = None


class Replied(Exception):  # noqa: N818 - no mistake at all
    """The same request has been done before. reply: what it was answered."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("this request has been done")
        self.reply = reply


class Replies:
    """The replies of one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._new: dict[tuple[str, str], Kept] = {}

    def check(self, once: Once) -> None:
        """Raise Replied for a request that has been done, OtherRequest where its key was another's."""
        found = self._new.get((once.principal, once.key))
        if found is None:
            found = replies.get(self._db, once.principal, once.key, outdated())
        if found is None:
            return
        if found.fingerprint != once.fingerprint:
            raise OtherRequest(once.key)
        raise Replied(found.reply)

    def keep(self, once: Once, session_id: str | None, result: Any) -> None:
        """What is answered now is answered again. session_id: whose rows were written."""
        reply = once.answer(result)
        kept = Kept(once.principal, once.key, session_id, once.fingerprint, now(), reply)
        self._new[once.principal, once.key] = kept

    def flush(self) -> None:
        """Write what there is."""
        if self._new:
            replies.put(self._db, self._new.values())
            self._new = {}


def require_seq(terms: Terms | None, seq: int) -> None:
    """Raise Stale unless the terms allow work on a session at this seq."""
    if terms is not None and terms.at is not None and terms.at != seq:
        raise Stale(seq)


def outdated() -> str:
    """The time before which replies are forgotten."""
    return written(datetime.now(UTC) - KEPT_FOR)


def sweep(store: Store) -> None:
    """Delete replies that nobody may ask for any more, a few at a time: calls want to be written too."""
    try:
        while True:
            with store.writing() as db:
                if replies.forget(db, outdated(), AT_ONCE) < AT_ONCE:
                    return
    except (Busy, StorageFull) as error:
        log.info("old replies are kept for now: %s", error)
