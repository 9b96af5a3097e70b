"""The home page: the sessions, and how to make, rename and delete them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.demos import Library
from app.mm import boot
from app.mm.errors import BadArgument
from app.sessions import Event, NotFound, Principal, SessionInfo, Sessions
from app.web import wording
from app.web.contexts import DeletePage, HomePage, ProfileRow, Refusal, SessionRow
from app.web.demopanel import demo_row
from app.web.journal import call_text
from app.web.machine import door
from app.web.preferences import local_path, remember
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

SHOWN: Final = 50
NOT_CREATED: Final = "No machine was created"
NUMBERS: Final = ("cpus", "nodes")
TEXTS: Final = ("memory", "movablecore")
SWITCHES: Final = ("pcp", "mobility", "debug")


@router.get("/")
async def home(request: Request, after: str | None = None) -> Response:
    """The sessions of who asks."""
    return respond(await page(request, after))


@router.post("/sessions")
async def create(request: Request) -> Response:
    """A machine from a profile or, where a file comes with it, from a dump."""
    async with request.form() as form:
        upload = form.get("dump")
        file = await upload.read() if isinstance(upload, UploadFile) else None
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    kind = "profile" if file is None else "dump"
    sessions, who = door(request)
    try:
        machine = described(typed) if file is None else await run_in_threadpool(dumped, file)
        info = await sessions.create(who, typed.get("name", "").strip() or None, machine)
    except REFUSED as error:
        if kind == "dump":
            typed = {"dump_name": typed.get("name", "")}
        typed["overrides"] = "open" if any(typed.get(name) for name in (*NUMBERS, *TEXTS, *SWITCHES)) else ""
        return respond(
            await page(request, None, refusal_of(error, NOT_CREATED), typed, kind), status_of(error)
        )
    return RedirectResponse(f"/sessions/{info.id}", 303)


@router.post("/sessions/{session_id}/rename")
async def rename(request: Request, session_id: str, name: Annotated[str, Form()] = "") -> Response:
    """Another name."""
    sessions, who = door(request)
    try:
        await sessions.rename(who, session_id, name.strip())
    except REFUSED as error:
        refusal = refusal_of(error, "The name stays as it was")
        return respond(await page(request, None, refusal, {"rename": name}, "", session_id), status_of(error))
    return RedirectResponse(f"/#session-{session_id}", 303)


@router.get("/sessions/{session_id}/delete")
async def confirm_delete(request: Request, session_id: str) -> Response:
    """What would be lost."""
    sessions, who = door(request)
    info = await sessions.get(who, session_id)
    return respond(
        DeletePage(
            shell=shell_of(request), title=f"Delete {info.name}", id=info.id, name=info.name, seq=info.seq
        )
    )


@router.post("/sessions/{session_id}/delete")
async def delete(request: Request, session_id: str) -> Response:
    """For good."""
    sessions, who = door(request)
    await sessions.delete(who, session_id)
    return RedirectResponse("/", 303)


@router.post("/preferences")
async def prefer(
    request: Request,
    back: Annotated[str, Form()] = "/",
    theme: Annotated[str, Form()] = "",
    names: Annotated[str, Form()] = "",
    projector: Annotated[str, Form()] = "",
) -> Response:
    """Remember a choice of the bar, and go back to where it was made."""
    response = RedirectResponse(local_path(back), 303)
    for name, value in (("theme", theme), ("names", names), ("projector", projector)):
        remember(response, name, value, secure=request.url.scheme == "https")
    return response


def dumped(file: bytes) -> dict[str, Any]:
    """The machine of an uploaded file. Raises BadArgument where it is no JSON object."""
    try:
        document = json.loads(file)
    except (ValueError, RecursionError) as error:
        raise BadArgument.at("dump", f"this file is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadArgument.at("dump", "a dump is one JSON object")
    return {"dump": document}


def described(typed: Mapping[str, str]) -> dict[str, Any]:
    """The machine of the form.

    What is no number is passed on as it is: who builds the machine says what would be.
    """
    machine: dict[str, Any] = {"profile": typed.get("profile", "")}
    for name in TEXTS:
        if text := typed.get(name, "").strip():
            machine[name] = text
    for name in NUMBERS:
        if text := typed.get(name, "").strip():
            machine[name] = int(text) if text.isdecimal() and len(text) < 10 else text
    for name in SWITCHES:
        if typed.get(name) in ("on", "off"):
            machine[name] = typed[name] == "on"
    if typed.get("lecture"):
        machine["lecture"] = True
    return machine


async def page(
    request: Request,
    after: str | None,
    refusal: Refusal | None = None,
    typed: dict[str, str] | None = None,
    form: str = "",
    renaming: str | None = None,
) -> HomePage:
    """The context."""
    sessions, who = door(request)
    listed = await sessions.list(who, SHOWN, after)
    library: Library = request.app.state.demos
    return HomePage(
        shell=shell_of(request, "/"),
        title="Sessions",
        sessions=[row(info, await last(sessions, who, info)) for info in listed.items],
        more=f"/?after={listed.next}" if listed.next else None,
        profiles=profiles(),
        typed=typed or {},
        dump_limit=wording.size(request.app.state.settings.dump_limit),
        demos=[demo_row(demo) for demo in library.demos().values()],
        demo_faults=library.faults(),
        refusal=refusal,
        form=form,
        renaming=renaming,
    )


async def last(sessions: Sessions, who: Principal, info: SessionInfo) -> Event | None:
    """The last call, where there was one."""
    try:
        return await sessions.event(who, info.id, info.seq)
    except NotFound:
        return None


def row(info: SessionInfo, event: Event | None) -> SessionRow:
    """A line of the list."""
    outcome = event.outcome if event else None
    return SessionRow(
        id=info.id,
        name=info.name,
        href=f"/sessions/{info.id}",
        profile=info.machine["profile"] or "dump",
        memory=wording.size(info.machine["memory"]),
        seq=info.seq,
        last=call_text(outcome) if outcome else None,
        verdict=outcome["verdict"] if outcome else None,
        created=info.created,
    )


@cache
def profiles() -> tuple[ProfileRow, ...]:
    """Every profile with its figures; they never change while the program runs."""
    return tuple(profile_row(profile) for profile in boot.profiles())


def profile_row(profile: Mapping[str, Any]) -> ProfileRow:
    """profile: an entry of `app.mm.boot.profiles`."""
    cost = profile["frames"] * profile["struct_page_bytes"]
    return ProfileRow(
        name=profile["name"],
        title=profile["title"],
        memory=wording.size(profile["memory"]),
        frames=profile["frames"],
        zones=[(zone["name"], wording.frames(zone["present"])) for zone in profile["zones"]],
        overhead=f"{wording.size(cost)} ({100 * cost / profile['memory']:.2f} %)",
        note=profile["note"] or "",
    )
