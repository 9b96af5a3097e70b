"""Reading a session: its journal, and views of its machine.

Every answer shows one moment, and what it shows is durable when it is given.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.api import docs, models
from app.api.bodies import JSON, NDJSON, TEXT
from app.api.parameters import (
    After,
    AfterFrame,
    Areas,
    At,
    CacheName,
    Caches,
    Cells,
    FirstOfList,
    LeakForm,
    Limit,
    ListName,
    Node,
    Pfn,
    ProcFile,
    Rows,
    Seq,
    Shift,
    Slabs,
    Start,
    Zone,
)
from app.api.requests import BASE, addressed, answer, etag, long_answer
from app.errors import BadArgument
from app.machine import leaks, show, show_cost
from app.machine.calls import Named
from app.machine.machine import Machine
from app.mm import proc
from app.sessions import Event
from app.sessions.errors import NotFound

router = APIRouter(tags=["reading"], prefix="/sessions/{id:id}")

# A row can have megabytes. A list ends early rather than hold many such; as NDJSON they pass in small parts.
MOST_BYTES: Final = 8 << 20
STREAMED: Final = 1 << 18
ROWS_AT_ONCE: Final = 1_000


@router.get("/events", **docs.operation("list_events", "The journal", docs.EVENTS))
async def events(request: Request, after: After = 0, limit: Limit = 100) -> Response:
    """Outcomes in the order of their seq; as NDJSON all of them."""
    sessions, principal, sid = addressed(request)
    if NDJSON in request.headers.get("accept", ""):
        first, _ = await sessions.events_within(principal, sid, after, ROWS_AT_ONCE, STREAMED)
        return StreamingResponse(journal(request, first), media_type=NDJSON)
    rows, more = await sessions.events_within(principal, sid, after, limit, MOST_BYTES)
    onward = "null"
    if more:
        onward = f'"{BASE}/sessions/{sid}/events?after={rows[-1].seq}&limit={limit}"'
    items = b",".join(row.body for row in rows)
    return Response(b'{"items":[' + items + b'],"next":' + onward.encode() + b"}", media_type=JSON)


async def journal(request: Request, rows: list[Event]) -> AsyncIterator[bytes]:
    """The rows given and all behind them, a line each, as they stand when they are reached."""
    sessions, principal, sid = addressed(request)
    while rows:
        yield b"".join(row.body + b"\n" for row in rows)
        rows, _ = await sessions.events_within(principal, sid, rows[-1].seq, ROWS_AT_ONCE, STREAMED)


@router.get("/events/{seq:number}", **docs.operation("get_event", "One row", docs.ok(models.Outcome)))
async def event(request: Request, seq: Seq) -> Response:
    """The outcome with that seq."""
    sessions, principal, sid = addressed(request)
    row = await sessions.event(principal, sid, seq)
    return Response(row.body, 200, {"ETag": etag(row.seq)}, JSON)


@router.get(
    "/events/{seq:number}/{list:list}",  # noqa: FAST003 - which is an alias of `name`
    **docs.operation("get_event_list", "A list of one row, whole", docs.ok(models.EventList)),
)
async def event_list(
    request: Request, seq: Seq, name: ListName, start: FirstOfList = 0, limit: Limit = 1000
) -> Response:
    """A list that is too long to be in the outcome, which only counts it: `runs`, `pfns`, `changed`, …"""
    sessions, principal, sid = addressed(request)
    found = await sessions.event_list(principal, sid, seq, name)
    onward = start + limit
    here = f"{BASE}/sessions/{sid}/events/{seq}/{name}?start={onward}&limit={limit}"
    return answer(
        {
            "items": found[start:onward],
            "count": len(found),
            "next": here if onward < len(found) else None,
        }
    )


async def view(
    request: Request,
    at: int | None,
    show_: Callable[..., Any],
    *args: Any,
    cost: show_cost.Cost = show_cost.nothing,
    **more: Any,
) -> Any:
    """One view of the machine: at its head, or as it was after a row. cost: about how much work it is."""
    sessions, principal, sid = addressed(request)
    try:
        if at is None:
            return await sessions.view(principal, sid, cost, show_, *args, **more)
        return await sessions.past(principal, sid, at, show_, *args, **more)
    except BadArgument as error:
        raise error.under("query") from None


def or_none(machine: Machine, show_: Callable[..., Any], *what: Any) -> Any:
    """A view of one thing in the machine; None where it has no such thing."""
    try:
        return show_(machine, *what)
    except KeyError:
        return None


@router.get(
    "/events/{seq:number}/explain",
    **docs.operation("explain_event", "Why a call had its answer", docs.ok(models.Explanation)),
)
async def explain(request: Request, seq: Seq) -> Response:
    """The kernel's decision steps with the numbers it used, and the tracepoints that fired."""
    sessions, principal, sid = addressed(request)
    return await long_answer(await sessions.explain(principal, sid, seq))


@router.get("/proc/{file}", **docs.operation("get_proc_file", "A file of /proc", docs.PROC))
async def proc_file(request: Request, file: ProcFile, at: At = None) -> Response:
    """The text that this machine's kernel would show there."""
    if file not in proc.FILES:
        raise NotFound("file of /proc", file)
    text = await view(request, at, proc.FILES[file], cost=show_cost.PROC[file])
    return Response(text, media_type=TEXT)


@router.get("/zones", **docs.operation("get_zones", "Zones", docs.ok(models.Zones)))
async def zones(request: Request, at: At = None) -> Response:
    """Bounds, watermarks, reserves and free frames of every populated zone."""
    return answer(await view(request, at, show.zones))


@router.get("/zonemap", **docs.operation("get_zonemap", "The frame map", docs.ok(models.ZoneMap)))
async def zonemap(
    request: Request,
    zone: Zone = None,
    node: Node = None,
    start: Start = None,
    shift: Shift = None,
    cells: Cells = 4096,
    at: At = None,
) -> Response:
    """The dominant state and the fill of each cell of 2^shift frames, one byte each."""
    cost = partial(show_cost.zonemap, zone=zone, node=node, start=start, shift=shift, cells=cells)
    drawn = await view(
        request, at, show.zonemap, zone=zone, node=node, start=start, shift=shift, cells=cells, cost=cost
    )
    encoded = {key: base64.b64encode(drawn[key]).decode() for key in ("cells", "fill", "orders")}
    return answer({**drawn, **encoded})


@router.get(
    "/pages/{pfn:number}", **docs.operation("get_page_frame", "One page frame", docs.ok(models.StructPage))
)
async def page(request: Request, pfn: Pfn, at: At = None) -> Response:
    """Its struct page and everything else that is known about it."""
    found = await view(request, at, or_none, show.page, pfn)
    if found is None:
        raise NotFound("page frame", f"{pfn:#x}")
    return answer(found)


@router.get("/caches", **docs.operation("list_caches", "Slab caches", docs.ok(models.Caches)))
async def caches(request: Request, start: Caches = 0, limit: Limit = 1000, at: At = None) -> Response:
    """Every kmem_cache with its sizes and counts, in the order in which they were made."""
    cost = partial(show_cost.listed_caches, limit=limit)
    found = await view(request, at, show.caches, start, limit, cost=cost)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get("/caches/{name}", **docs.operation("get_cache", "One slab cache", docs.ok(models.Cache)))
async def cache(
    request: Request, name: CacheName, start: Slabs = 0, limit: Limit = 1000, at: At = None
) -> Response:
    """Its slabs in address order, and their objects."""
    cost = partial(show_cost.slabs_of, name=name, limit=limit)
    found = await view(request, at, or_none, show.cache, name, start, limit, cost=cost)
    if found is None:
        raise NotFound("cache", name)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


def onward(request: Request, start: int | None, limit: int, at: int | None) -> str | None:
    """The address of the part of a list that begins there; None behind its end."""
    if start is None:
        return None
    return f"{request.url.path}?start={start}&limit={limit}{'' if at is None else f'&at={at}'}"


@router.get("/vmap_areas", **docs.operation("list_vmap_areas", "vmalloc areas", docs.ok(models.VmapAreas)))
async def vmap_areas(request: Request, start: Areas = 0, limit: Limit = 1000, at: At = None) -> Response:
    """Busy areas in the order of addresses, then those whose addresses wait for a purge."""
    found = await view(request, at, show.vmap_areas, start, limit)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get("/leaks", **docs.operation("list_leaks", "Who leaks", docs.LEAKS))
async def who_leaks(
    request: Request,
    start: Rows = 0,
    limit: Limit = 1000,
    form: LeakForm = "json",
    after: AfterFrame = None,
    at: At = None,
) -> Response:
    """What calls have taken and nobody has given back, by row and task; or pages as page_owner has them."""
    if form == "page_owner":
        text, last = await view(request, at, leaks.held_pages, after, cost=show_cost.held_pages)
        headers = {}
        if last is not None:
            moment = "" if at is None else f"&at={at}"
            address = f"{request.url.path}?format=page_owner&after={last}{moment}"
            headers["Link"] = f'<{address}>; rel="next"'
        return Response(text, 200, headers, TEXT)
    found = await view(request, at, leaks.leaks, start, limit, cost=show_cost.leaks)
    return answer(found | {"next": onward(request, found["next"], limit, at)})


@router.get("/names", **docs.operation("list_names", "Names of results", docs.ok(models.Names)))
async def names(request: Request, limit: Limit = 1000) -> Response:
    """What the names stand for now that a call may use: the caller's own, then those of others."""
    sessions, principal, sid = addressed(request)
    found, count = await sessions.known_names(principal, sid, limit)
    return answer({"names": [name_view(*one) for one in found.items()], "more": count - len(found)})


def name_view(name: str, named: Named | None) -> dict[str, Any]:
    """One name. A very long list is not read for this."""
    if named is None:
        return dict.fromkeys(("kind", "pfn", "addr", "blocks", "seq")) | {"name": name}
    return {
        "name": name,
        "kind": named.kind,
        "pfn": named.pfn,
        "addr": None if named.addr is None else f"{named.addr:#x}",
        "blocks": named.length if named.is_list else None,
        "seq": named.seq,
    }


@router.get("/log", **docs.operation("get_log", "The kernel log", docs.ok(models.Log)))
async def log(request: Request, at: At = None) -> Response:
    """What the kernel printed."""
    return answer(await view(request, at, show.log))


@router.get("/dump", **docs.operation("get_dump", "The whole state", docs.ok(models.Dump)))
async def dump(request: Request, at: At = None) -> Response:
    """Everything that decides later outcomes; `POST /sessions` takes it back."""
    sessions, principal, sid = addressed(request)
    try:
        return await long_answer(await sessions.dump(principal, sid, at))
    except BadArgument as error:
        raise error.under("query") from None
