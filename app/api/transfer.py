"""A session as a file: out by `GET /sessions/{id}/export`, in by `POST /sessions` with that file.

Neither is ever in memory as a whole. An import is replayed on a thread of its own, and answered when all of
it is stored.
"""

from __future__ import annotations

import hashlib

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs
from app.api.bodies import NDJSON, TEXT, media_type
from app.api.idempotency import with_preconditions
from app.api.requests import BASE, addressed, answer, etag, sessions_of
from app.sessions import SessionInfo, StorageFull, principal_of

router = APIRouter(tags=["sessions"], prefix="/sessions/{id:id}")


@router.get("/export", **docs.operation("export_session", "A session as a file", docs.EXPORT))
async def export(request: Request) -> Response:
    """The session, every row and your names, a line each; `POST /sessions` makes an equal session of it."""
    sessions, principal, sid = addressed(request)
    info, parts = await sessions.export(principal, sid)
    headers = {"Content-Disposition": f'attachment; filename="{sid}.ndjson"', "ETag": etag(info.seq)}
    return StreamingResponse(parts, headers=headers, media_type=NDJSON)


def is_file(request: Request) -> bool:
    """Whether a body is an exported session rather than the description of a machine."""
    return kind_of(request) == NDJSON


def is_text(request: Request) -> bool:
    """Whether a body is the text of a /proc file."""
    return kind_of(request) == TEXT


def kind_of(request: Request) -> str:
    """The media type, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def import_session(request: Request) -> Response:
    """An equal session, from an exported file."""
    media_type(request, NDJSON)
    sessions, principal = sessions_of(request), principal_of(request.scope)
    digest = hashlib.sha256()
    with sessions.upload_slot(principal) as file:
        async for part in request.stream():
            digest.update(part)
            try:
                file.write(part)
            except OSError as error:
                raise StorageFull("there is no room left for the file") from error
        return await with_preconditions(
            request,
            lambda preconditions: sessions.import_(principal, file, preconditions=preconditions),
            created,
            digest.digest(),
        )


def created(info: SessionInfo) -> Response:
    """A new session as an answer."""
    return answer(info.as_json(), 201, Location=f"{BASE}/sessions/{info.id}", ETag=etag(info.seq))
