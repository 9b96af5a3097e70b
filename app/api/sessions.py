"""`/sessions`: creating, listing, renaming and deleting."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, kernel_logs, models
from app.api.bodies import READ_ON_LOOP, TEXT, decoded, freed, json_object, media_type, refuse_others
from app.api.docs import FTRACE
from app.api.idempotency import seq_of, with_preconditions
from app.api.parameters import Cursor, FromMark, Limit, Profile, ToMark
from app.api.requests import BASE, addressed, answer, etag, sessions_of
from app.api.transfer import created, import_session, is_file, is_text, kind_of
from app.collector import gc_paused
from app.errors import BadArgument
from app.machine import proctext
from app.sessions import Preconditions, SessionInfo, principal_of

router = APIRouter(tags=["sessions"])
one = APIRouter(tags=["sessions"], prefix="/sessions/{id:id}")


@router.post("/sessions", **docs.operation("create_session", "A new machine", docs.CREATE, docs.KEY))
async def create(
    request: Request,
    profile: Profile = None,
    from_: FromMark = None,
    to: ToMark = None,
) -> Response:
    """Boots a machine, or makes one of a dump, /proc texts, a kernel's log or an exported session."""
    if kind_of(request) == FTRACE:
        return await kernel_logs.create_from_body(request, profile, from_, to)
    kernel_logs.refuse_parameters({"profile": profile, "from": from_, "to": to})
    if is_file(request):
        return await import_session(request)
    if is_text(request):
        return await create_from_text(request)
    size = len(await request.body())
    # The collector would look at every part of a long document, so it pauses until the document is gone.
    with gc_paused() if size > READ_ON_LOOP else nullcontext():
        document = await json_object(request)
        async with freed(document, size):
            return await create_from(request, document)


async def create_from_text(request: Request) -> Response:
    """A session with a machine from the text of /proc/buddyinfo, as somebody's terminal shows it."""
    media_type(request, TEXT)
    text = decoded(await request.body())
    sessions, principal = sessions_of(request), principal_of(request.scope)
    machine = {"proc": text}
    try:
        return await with_preconditions(
            request,
            lambda preconditions: sessions.create(principal, None, machine, preconditions=preconditions),
            created,
        )
    except BadArgument as error:
        raise proctext.in_whole(error) from None


async def create_from(request: Request, document: dict[str, Any]) -> Response:
    """A session as a document describes it."""
    faults = refuse_others(document, "name", "machine", "trace")
    name, machine = document.get("name"), document.get("machine", {})
    if not isinstance(name, str | None):
        faults.add("name", "a string")
    if not isinstance(machine, dict):
        faults.add("machine", 'an object, as {"profile": "x86_64-1g"}')
    faults.check()
    if "trace" in document:
        return await kernel_logs.create_from_document(request, name, machine, document["trace"])
    sessions, principal = sessions_of(request), principal_of(request.scope)
    return await with_preconditions(
        request,
        lambda preconditions: sessions.create(principal, name, machine, preconditions=preconditions),
        created,
    )


@router.get("/sessions", **docs.operation("list_sessions", "Your sessions", docs.ok(models.SessionList)))
async def listing(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """Newest first."""
    try:
        page = await sessions_of(request).list(principal_of(request.scope), limit=limit, after=after)
    except BadArgument as error:
        raise error.under("query") from None
    onward = None if page.next is None else f"{BASE}/sessions?limit={limit}&after={page.next}"
    return answer({"items": [info.as_json() for info in page.items], "next": onward})


@one.get("", **docs.operation("get_session", "One session", docs.ok(models.Session)))
async def get(request: Request) -> Response:
    """The session and its machine's shape."""
    sessions, principal, sid = addressed(request)
    return shown(await sessions.get(principal, sid))


@one.patch("", **docs.operation("rename_session", "Rename a session", docs.RENAME, docs.IF_MATCH))
async def rename(request: Request) -> Response:
    """The name is all that can be changed from outside; the machine changes by calls."""
    document = await json_object(request)
    faults = refuse_others(document, "name")
    if not isinstance(document.get("name"), str):
        faults.add("name", "required: a string")
    faults.check()
    sessions, principal, sid = addressed(request)
    return shown(
        await sessions.rename(principal, sid, document["name"], preconditions=Preconditions(seq_of(request)))
    )


@one.delete("", **docs.operation("delete_session", "Delete a session", docs.GONE, docs.IF_MATCH))
async def delete(request: Request) -> Response:
    """The session and its journal are gone for good."""
    sessions, principal, sid = addressed(request)
    await sessions.delete(principal, sid, preconditions=Preconditions(seq_of(request)))
    return Response(status_code=204)


def shown(info: SessionInfo) -> Response:
    """A session as an answer."""
    return answer(info.as_json(), ETag=etag(info.seq))
