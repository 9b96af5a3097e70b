"""Reads request bodies, and checks their media type. JSON is read by `app.slicedjson`.

RFC 8259 leaves open what a reader makes of `NaN`, of a name that stands twice in an object, and of half a
surrogate pair. Each reader would choose its own meaning, and a journal keeps what was meant: so all of them
are refused here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from app import slicedjson
from app.api.problems import HttpRefusal
from app.errors import BadArgument, Fault, Faults
from app.slicedjson import NotJson

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
TEXT: Final = "text/plain"

# Reading this much takes about a millisecond; the loop serves others while a thread reads more.
READ_ON_LOOP: Final = 1 << 16

T = TypeVar("T")


def media_type(request: Request, *accepted: str) -> str:
    """The body's type, which must be one of those accepted. Raises HttpRefusal (415)."""
    given = request.headers.get("content-type", "")
    if given in accepted:
        return given
    kind, *parameters = (part.strip().lower() for part in given.split(";"))
    charsets = {
        value.strip('"') for name, _, value in (p.partition("=") for p in parameters) if name == "charset"
    }
    if kind in accepted and charsets <= {"utf-8", "us-ascii"}:
        return kind
    raise HttpRefusal(
        415, f"Content-Type: one of {', '.join(accepted)}, in UTF-8", Accept=", ".join(accepted)
    )


async def json_object(request: Request) -> dict[str, Any]:
    """A body that is one JSON object."""
    media_type(request, JSON)
    return as_object(await off_loop(loads, await request.body()))


async def optional_object(request: Request) -> dict[str, Any]:
    """A body that is one JSON object; none at all is an empty one."""
    return await object_in(request, await request.body())


async def object_in(request: Request, body: bytes) -> dict[str, Any]:
    """As `optional_object`, of a body that has been read."""
    if not body:
        return {}
    media_type(request, JSON)
    return as_object(loads(body) if len(body) <= READ_ON_LOOP else await asyncio.to_thread(loads, body))


async def whole(receive: Receive) -> bytes:
    """A body, read without the generator that Starlette has for it. Raises ClientDisconnect."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def off_loop(read: Callable[[bytes], T], body: bytes) -> T:
    """Reads a body: at once where it is short, else in a thread."""
    return read(body) if len(body) <= READ_ON_LOOP else await asyncio.to_thread(read, body)


def decoded(body: bytes) -> str:
    """A body of text. Raises HttpRefusal (400) with the place of what is no UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise HttpRefusal(400, f"the body is not UTF-8 at byte {error.start}") from None


@asynccontextmanager
async def freed(document: dict[str, Any], size: int) -> AsyncIterator[None]:
    """Frees a document that was read from a long body when its work is done. size: of the body.

    Not where the work was cancelled: a thread may still be at it.
    """
    try:
        yield
    except Exception:
        await free(document, size)
        raise
    await free(document, size)


async def free(document: dict[str, Any], size: int) -> None:
    """Free a document that is not used any more."""
    if size > slicedjson.READ_WHOLE:
        await asyncio.to_thread(slicedjson.release, document)


def as_object(document: Any) -> dict[str, Any]:
    """The document, if it is an object."""
    if not isinstance(document, dict):
        raise BadArgument.at((), "a JSON object")
    return document


def loads(body: bytes, *where: str | int) -> Any:
    """JSON without loopholes. where: which part of the body this is. Raises HttpRefusal (400)."""
    try:
        return slicedjson.loads(body)
    except NotJson as error:
        raise broken(str(error), where) from None


def broken(why: str, where: tuple[str | int, ...]) -> HttpRefusal:
    """400, with the place where there is more than one."""
    faults = (Fault(where, why),) if where else ()
    return HttpRefusal(400, f"the body cannot be read as JSON: {why}", *faults)


def refuse_others(document: dict[str, Any], *known: str) -> Faults:
    """A fault for every member that is not known."""
    accepted = f"known are {', '.join(known)}" if known else "this path takes no members"
    faults = Faults()
    for name in document:
        if name not in known:
            faults.add(name, f"not known here; {accepted}")
    return faults
