"""Answers to requests with an idempotency key, for when the same request comes again."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_
from sqlalchemy.exc import IntegrityError

from app.store.errors import Overtaken
from app.store.tables import replies


class Reply(NamedTuple):
    """An answer, ready to be sent."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class StoredReply(NamedTuple):
    """A reply with what it was given to."""

    principal: str
    key: str
    # Whose rows were written with it, if any one's.
    session_id: str | None
    fingerprint: str
    created: str
    reply: Reply


_OWN: Final = (replies.c.principal == bindparam("who"), replies.c.key == bindparam("what"))
_ONE: Final = select(
    replies.c.session_id,
    replies.c.fingerprint,
    replies.c.created,
    replies.c.status,
    replies.c.headers,
    replies.c.body,
).where(*_OWN)
_DROP: Final = delete(replies).where(*_OWN)


def get(db: Connection, principal: str, key: str, since: str) -> StoredReply | None:
    """The reply to a principal under a key; None where there is none since `since`."""
    row = db.execute(_ONE, {"who": principal, "what": key}).first()
    if row is None or row.created < since:
        return None
    headers = tuple((name, value) for name, value in json.loads(row.headers))
    reply = Reply(row.status, headers, zlib.decompress(row.body))
    return StoredReply(principal, key, row.session_id, row.fingerprint, row.created, reply)


def put(db: Connection, kept: Iterable[StoredReply]) -> None:
    """Keep replies; each replaces an outdated one under its key. Raises Overtaken.

    Where the database locks single rows, two processes may both have found a key unused. The second cannot
    commit then, and will find the first's reply when it tries again.
    """
    rows = [
        {
            "principal": one.principal,
            "key": one.key,
            "session_id": one.session_id,
            "fingerprint": one.fingerprint,
            "created": one.created,
            "status": one.reply.status,
            "headers": json.dumps(list(one.reply.headers)),
            "body": zlib.compress(one.reply.body, 1),
        }
        for one in kept
    ]
    db.execute(_DROP, [{"who": row["principal"], "what": row["key"]} for row in rows])
    try:
        db.execute(insert(replies), rows)
    except IntegrityError as error:
        raise Overtaken from error


def forget(db: Connection, before: str, most: int) -> int:
    """Delete some of the replies from before a time; how many."""
    oldest = select(replies.c.principal, replies.c.key).where(replies.c.created < before).limit(most)
    return db.execute(delete(replies).where(tuple_(replies.c.principal, replies.c.key).in_(oldest))).rowcount
