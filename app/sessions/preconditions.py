"""Preconditions of a request: the seq that the session must have, and an idempotency key.

The writer checks both in the transaction that does the work. So of many requests with the same seq, or the
same key, exactly one has an effect.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from app.clock import before_now, now
from app.sessions.errors import KeyReused, Stale
from app.store import Busy, Connection, StorageFull, Store, replies
from app.store.replies import Reply, StoredReply

KEPT_FOR: Final = timedelta(hours=24)
DELETED_AT_ONCE: Final = 500

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The key of a request that may be sent again and has its effect once."""

    # The principal that sent it: keys of others are other keys.
    principal: str
    key: str
    # A hash of the request: the same key with another fingerprint is refused.
    fingerprint: str
    # Makes the answer from the result of the work; called on the writer's thread, so it looks at nothing
    # else.
    answer: Callable[[Any], Reply]


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditions on which a request's work is done."""

    # The seq that the session must have before the work; None for any.
    seq: int | None = None
    # None for work that is done each time the request comes.
    idempotency_key: IdempotencyKey | None = None


class AlreadyAnswered(Exception):  # noqa: N818 - no mistake at all
    """The request was done before. reply: its answer, to be sent again."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("this request has been done")
        self.reply = reply


class Replies:
    """The replies of one transaction."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._new: dict[tuple[str, str], StoredReply] = {}

    def check(self, idempotency_key: IdempotencyKey) -> None:
        """Raise AlreadyAnswered for a request that has been done, KeyReused where its key was another's."""
        found = self._new.get((idempotency_key.principal, idempotency_key.key))
        if found is None:
            found = replies.get(self._db, idempotency_key.principal, idempotency_key.key, outdated())
        if found is None:
            return
        if found.fingerprint != idempotency_key.fingerprint:
            raise KeyReused(idempotency_key.key)
        raise AlreadyAnswered(found.reply)

    def keep(self, idempotency_key: IdempotencyKey, session_id: str | None, result: Any) -> None:
        """Store the answer under the key. session_id: the session to which rows were written."""
        reply = idempotency_key.answer(result)
        kept = StoredReply(
            idempotency_key.principal,
            idempotency_key.key,
            session_id,
            idempotency_key.fingerprint,
            now(),
            reply,
        )
        self._new[idempotency_key.principal, idempotency_key.key] = kept

    def flush(self) -> None:
        """Write what there is."""
        if self._new:
            replies.put(self._db, self._new.values())
            self._new = {}


def require_seq(preconditions: Preconditions | None, seq: int) -> None:
    """Raise Stale unless the preconditions allow work on a session at this seq."""
    if preconditions is not None and preconditions.seq is not None and preconditions.seq != seq:
        raise Stale(seq)


def outdated() -> str:
    """The time before which replies are forgotten."""
    return before_now(KEPT_FOR)


def sweep(store: Store) -> None:
    """Delete expired replies, a few at a time, so that calls are written in between."""
    try:
        while True:
            with store.writing() as db:
                if replies.forget(db, outdated(), DELETED_AT_ONCE) < DELETED_AT_ONCE:
                    return
    except (Busy, StorageFull) as error:
        log.info("old replies are kept for now: %s", error)
