"""The preconditions of a request: `If-Match`, done only at that seq; `Idempotency-Key`, done only once.

A route says in its description which of the two it takes, and others are refused there:

    @router.post("/undo", **docs.operation("undo", "…", docs.UNDO, docs.IF_MATCH, docs.KEY))
    async def undo(request: Request) -> Response:
        sessions, principal, sid = asked(request)
        do = lambda preconditions: sessions.undo(principal, sid, preconditions=preconditions)
        return await with_preconditions(request, do, answered)

Every POST takes a key. The method hands the preconditions to its work for the writer (`Sessions._do`), whose
result must be what the method returns: the writer asks `answered` for the answer to it and stores that in the
same transaction. So `answered` looks at nothing but the result. Work on a machine begins with
`app.sessions.work.admit`; work on rows alone takes the session's with `app.sessions.queries.held`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from app.errors import BadArgument
from app.sessions import AlreadyAnswered, IdempotencyKey, Preconditions, Reply, principal_of

KEY_FORM: Final = re.compile(r"[!-~]{1,255}")
TAG: Final = re.compile(r'"([0-9]{1,15})"')

T = TypeVar("T")


async def with_preconditions(
    request: Request,
    do: Callable[[Preconditions | None], Awaitable[T]],
    answered: Callable[[T], Response],
    body: bytes | None = None,
) -> Response:
    """Do the work of a request under its preconditions, and answer.

    answered: how a result is answered. body: the body where it has been read, or what stands for it where it
    is too long to be read at once, such as its hash.
    """
    key, at = only(request, "idempotency-key"), seq_of(request)
    if key is None:
        return answered(await do(None if at is None else Preconditions(at)))
    if not KEY_FORM.fullmatch(key):
        raise BadArgument.at(("header", "idempotency-key"), "1 to 255 visible ASCII characters")
    if body is None:
        body = await request.body()
    idempotency_key = IdempotencyKey(
        principal_of(request.scope).id, key, fingerprint(request, body), partial(reply_of, answered=answered)
    )
    try:
        return answered(await do(Preconditions(at, idempotency_key)))
    except AlreadyAnswered as found:
        return stored_response(found.reply)


def seq_of(request: Request) -> int | None:
    """`If-Match`: the seq that the session must have; None for any."""
    value = only(request, "if-match")
    if value is None or value.strip() == "*":
        return None
    tag = TAG.fullmatch(value.strip())
    if tag is None:
        raise BadArgument.at(
            ("header", "if-match"), 'a session\'s seq in quotation marks, as its ETag has it ("41"), or *'
        )
    return int(tag[1])


def only(request: Request, name: str) -> str | None:
    """A header that is there at most once."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise BadArgument.at(("header", name), "given more than once")
    return values[0] if values else None


def fingerprint(request: Request, body: bytes) -> str:
    """What tells one request from another."""
    scope = request.scope
    content_type = request.headers.get("content-type", "")
    head = "\0".join((scope["method"], scope["path"], scope["query_string"].decode("latin-1"), content_type))
    return hashlib.sha256(head.encode() + b"\0" + body).hexdigest()


def reply_of(result: T, answered: Callable[[T], Response]) -> Reply:
    """An answer, to be stored."""
    response = answered(result)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.raw_headers]
    return Reply(response.status_code, headers, bytes(response.body))


def stored_response(reply: Reply) -> Response:
    """A stored answer."""
    response = Response(reply.body, reply.status)
    response.raw_headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers
    ]
    return response
