"""`/sessions/{id}/trace`: the tracepoints of many rows, as in the kernel's trace file or for trace-cmd."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs
from app.api.bodies import TEXT
from app.api.parameters import FromSeq, ToSeq, TraceForm
from app.api.requests import addressed
from app.errors import BadArgument
from app.machine.trace import dat
from app.sessions import Principal, Sessions
from app.sessions.errors import LimitReached
from app.sessions.tracing import HEADER

router = APIRouter(tags=["reading"], prefix="/sessions/{id:id}")

DAT: Final = "application/octet-stream"
# Lines that are made at once, and lines of a trace.dat, which is made as a whole.
AT_ONCE: Final = 2_000
MOST_LINES: Final = 100_000


@router.get("/trace", **docs.operation("get_trace", "Tracepoints of many rows", docs.TRACE))
async def trace(
    request: Request, first: FromSeq = None, last: ToSeq = None, form: TraceForm = "text"
) -> Response:
    """As text, part by part, or as a trace.dat: what tracepoints said while the rows were made."""
    sessions, principal, sid = addressed(request)
    info = await sessions.get(principal, sid)
    after = max(info.start, (first or 1) - 1)
    to = info.seq if last is None else last
    if to > info.seq:
        raise BadArgument.at("to", f"the last row is #{info.seq}").under("query")
    if first is not None and first > to:
        raise BadArgument.at("from", f"a row up to #{to}").under("query")
    lines, after = await sessions.trace(principal, sid, after, to, AT_ONCE)
    if form == "text":
        body = parts(sessions, principal, sid, lines, after, to)
        return StreamingResponse(body, media_type=TEXT, headers=attachment(sid, "trace"))
    found = [*lines]
    while after < to:
        lines, after = await sessions.trace(principal, sid, after, to, AT_ONCE)
        found += lines
        if len(found) > MOST_LINES:
            words = f"a trace.dat has at most {MOST_LINES:,} events; those up to #{after} are more"
            raise LimitReached(("query", "to"), words)
    made = await sessions.compute(principal, dat.encode, found)
    return Response(made, media_type=DAT, headers=attachment(sid, "dat"))


def attachment(sid: str, ending: str) -> dict[str, str]:
    """The name of the file."""
    return {"Content-Disposition": f'attachment; filename="{sid}.{ending}"'}


async def parts(
    sessions: Sessions, principal: Principal, sid: str, lines: Sequence[str], after: int, to: int
) -> AsyncIterator[bytes]:
    """The header, the lines that are there, and those of the rows behind `after`."""
    yield text(HEADER)
    yield text(lines)
    while after < to:
        lines, after = await sessions.trace(principal, sid, after, to, AT_ONCE)
        yield text(lines)


def text(lines: Sequence[str]) -> bytes:
    """Lines of the file."""
    return "".join(f"{line}\n" for line in lines).encode()
