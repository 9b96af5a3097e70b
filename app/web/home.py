"""The home page: the list of sessions, and forms that make, rename and delete them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app import slicedjson
from app.collector import gc_paused
from app.demos import Library
from app.errors import BadArgument
from app.exercises.library import Library as Exercises
from app.ftrace.lines import is_log
from app.machine import boot, proctext
from app.sessions import NotFound, Principal, Right, SessionInfo, Sessions, StorageFull
from app.sessions.kernel_logs import KernelLog
from app.web import place_in_lab, uploads, wording
from app.web.address import number
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.home import DeletePage, HomePage, ProfileRow, SessionEntry
from app.web.demopanel import demo_row
from app.web.exercisepanel import exercise_row
from app.web.fields import again
from app.web.journal import call_text
from app.web.language import N_, _
from app.web.preferences import local_path, remember
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester, sessions_for
from app.web.shell import shell_of
from app.web.shownrows import Outcome, outcome_of
from app.web.thumbnail import Thumbnails

router = APIRouter(include_in_schema=False)

SHOWN: Final = 50
NOT_CREATED: Final = N_("No machine was created")
NUMBER: Final = re.compile(r"[0-9]{1,9}")
NUMBERS: Final = ("cpus", "nodes")
TEXTS: Final = ("memory", "movablecore")
SWITCHES: Final = ("pcp", "mobility", "reclaim", "debug")

# What the page recommends to who comes for the first time, and the form begins with.
RECOMMENDED: Final = {"profile": "tiny-16m", "lecture": "on"}

# What a row left behind never changes. The person's own browser keeps it, nobody in between. In lab mode a
# browser may be a classroom's, and keeps nothing.
FOR_GOOD: Final = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.get("/")
async def home(request: Request, after: str | None = None) -> Response:
    """Show the sessions of the person at the browser."""
    return respond(await page(request, after))


@router.post("/sessions")
async def create(request: Request) -> Response:
    """Make a session from a profile or, where a file comes with the form, from the file."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await open_file(request)
    async with request.form() as form:
        typed = texts_of(form)
    sessions, who = sessions_for(request)
    try:
        info = await made(sessions, who, typed.get("name", "").strip() or None, described(typed))
    except REFUSED as error:
        if "proc" in typed:
            shown = {"proc": typed["proc"], "proc_name": typed.get("name", "")}
            return await refused(request, of_text(error), shown, "proc")
        typed["overrides"] = "open" if any(typed.get(name) for name in (*NUMBERS, *TEXTS, *SWITCHES)) else ""
        return await refused(request, error, typed, "profile")
    return RedirectResponse(f"/sessions/{info.id}", 303)


async def made(sessions: Sessions, who: Principal, name: str | None, machine: dict[str, Any]) -> SessionInfo:
    """Make a session of a machine, or of a pasted text that is the log of a kernel."""
    text = machine.get("proc")
    if isinstance(text, str) and is_log(text):
        return (await sessions.from_log(who, name, {}, KernelLog(text))).info
    return await sessions.create(who, name, machine)


def of_text(error: Exception) -> Exception:
    """A refusal of pasted /proc texts, by line."""
    return proctext.in_whole(error) if isinstance(error, BadArgument) else error


async def open_file(request: Request) -> Response:
    """Make a session from an uploaded file: a dump, an exported session or a text of /proc.

    The form keeps a long file on disk. It counts as an import from when it begins to come.
    """
    sessions, who = sessions_for(request)
    with sessions.upload_slot(who):
        try:
            form = await request.form()
        except OSError as error:
            raise StorageFull(_("there is no room left for the file")) from error
        typed = texts_of(form)
        try:
            info = await opened(request, typed.get("name", "").strip() or None, form.get("file"))
        except REFUSED as error:
            return await refused(request, error, {"file_name": typed.get("name", "")}, "file")
        finally:
            await form.close()
    return RedirectResponse(f"/sessions/{info.id}", 303)


async def opened(request: Request, name: str | None, upload: UploadFile | str | None) -> SessionInfo:
    """Make the session of a file."""
    if not isinstance(upload, UploadFile):
        raise BadArgument.at("file", _("choose a dump, an exported session or a text of /proc"))
    sessions, who = sessions_for(request)
    limit = request.app.state.settings.dump_limit
    # The collector would look at every part of a long document, so it pauses until the document is gone.
    with gc_paused():
        machine = await run_in_threadpool(uploads.machine_of, upload.file, limit)
        if machine is not None:
            return await loaded(sessions, who, name, machine)
    return await sessions.import_(who, upload.file, name)


async def loaded(
    sessions: Sessions, who: Principal, name: str | None, machine: dict[str, Any]
) -> SessionInfo:
    """Make the session of a dump, whose parts are freed as they are read, or of a text."""
    try:
        info = await made(sessions, who, name, machine)
    except BadArgument as error:
        refusal = of_text(error) if "proc" in machine else error
        await run_in_threadpool(slicedjson.release, machine)
        raise refusal from None
    except Exception:
        await run_in_threadpool(slicedjson.release, machine)
        raise
    await run_in_threadpool(slicedjson.release, machine)
    return info


async def refused(request: Request, error: Exception, typed: dict[str, str], form: str) -> Response:
    """Show the page again, with why a form was refused."""
    shown = await page(request, None, refusal_of(error, NOT_CREATED), typed, form)
    return respond(shown, status_of(error))


def texts_of(form: FormData) -> dict[str, str]:
    """Read the text fields of a form."""
    return {name: value for name, value in form.items() if isinstance(value, str)}


@router.get("/sessions/{session_id}/thumbnail.svg")
async def thumbnail(request: Request, session_id: str, seq: str = "") -> Response:
    """Draw a small map of the machine as it was after a row, or else as it is."""
    sessions, who = sessions_for(request)
    at = number(seq)
    thumbnails: Thumbnails = request.app.state.thumbnails
    if at is None:
        found = await thumbnails.of(sessions, who, session_id, (await sessions.get(who, session_id)).seq)
    else:
        found = await thumbnails.of(sessions, who, session_id, at)
    kept = at is not None and not labs_of(request).enabled
    headers = {"Vary": "Accept-Language"} | (FOR_GOOD if kept else {})
    return Response(found.svg, headers=headers, media_type="image/svg+xml")


@router.post("/sessions/{session_id}/rename")
async def rename(request: Request, session_id: str, name: Annotated[str, Form()] = "") -> Response:
    """Give a session another name."""
    sessions, who = sessions_for(request)
    try:
        await sessions.rename(who, session_id, name.strip())
    except REFUSED as error:
        refusal = refusal_of(error, N_("The name stays as it was"))
        return respond(await page(request, None, refusal, {"rename": name}, "", session_id), status_of(error))
    return RedirectResponse(f"/#session-{session_id}", 303)


@router.get("/sessions/{session_id}/delete")
async def confirm_delete(request: Request, session_id: str) -> Response:
    """Ask before a session is deleted."""
    sessions, who = sessions_for(request)
    info = await sessions.get(who, session_id, Right.OWN)
    return respond(
        DeletePage(
            shell=shell_of(request),
            title=_("Delete %(name)s", name=info.name),
            id=info.id,
            name=info.name,
            calls=info.seq - info.start,
            labs=await place_in_lab.used_in(request, info.id),
        )
    )


@router.post("/sessions/{session_id}/delete")
async def delete(request: Request, session_id: str) -> Response:
    """Delete a session for good."""
    sessions, who = sessions_for(request)
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
    """Remember a choice of the bar, and go back to the page where it was made."""
    response = RedirectResponse(local_path(back), 303)
    for name, value in (("theme", theme), ("names", names), ("projector", projector)):
        remember(response, name, value, secure=request.url.scheme == "https")
    return response


def described(typed: Mapping[str, str]) -> dict[str, Any]:
    """The machine of the form.

    What is no number is passed on as it is: who builds the machine says what would be.
    """
    if "proc" in typed:
        return {"proc": typed["proc"]}
    machine: dict[str, Any] = {"profile": typed.get("profile", "")}
    for name in TEXTS:
        if text := typed.get(name, "").strip():
            machine[name] = text
    for name in NUMBERS:
        if text := typed.get(name, "").strip():
            machine[name] = int(text) if NUMBER.fullmatch(text) else text
    for name in SWITCHES:
        if typed.get(name) in ("on", "off"):
            machine[name] = typed[name] == "on"
    if typed.get("lecture"):
        machine["lecture"] = True
    return machine


async def page(
    request: Request,
    after: str | None,
    refusal: ShownRefusal | None = None,
    typed: dict[str, str] | None = None,
    form: str = "",
    renaming: str | None = None,
) -> HomePage:
    """The context."""
    sessions, who = sessions_for(request)
    listed = await sessions.list(who, SHOWN, after)
    library: Library = request.app.state.demos
    exercises: Exercises = request.app.state.exercises
    thumbnails: Thumbnails = request.app.state.thumbnails
    return HomePage(
        shell=shell_of(request, "/"),
        title=_("Sessions"),
        sessions=[row(info, await last(sessions, who, info), thumbnails) for info in listed.items],
        more=f"/?after={listed.next}" if listed.next else None,
        profiles=[profile_row(profile) for profile in profiles()],
        typed=again(RECOMMENDED if typed is None else typed),
        dump_limit=wording.size(request.app.state.settings.dump_limit),
        import_limit=wording.size(request.app.state.settings.import_limit),
        demos=[demo_row(demo) for demo in library.demos().values()],
        demo_faults=library.faults(),
        exercises=[exercise_row(one, request) for one in exercises.exercises().values()],
        exercise_faults=exercises.faults(),
        refusal=refusal,
        form=form,
        renaming=renaming,
        labs=await labs_with(request),
    )


async def labs_with(request: Request) -> list[Link]:
    """The labs that the person at the browser teaches or is in, the newest first; none in open mode."""
    labs = labs_of(request)
    if not labs.enabled:
        return []
    return [Link(lab.title, f"/labs/{lab.id}") for lab in await labs.rooms.listed(requester(request))]


async def last(sessions: Sessions, who: Principal, info: SessionInfo) -> Outcome | None:
    """The last call, where there was one."""
    try:
        return await outcome_of(await sessions.event(who, info.id, info.seq))
    except NotFound:
        return None


def row(info: SessionInfo, outcome: Outcome | None, thumbnails: Thumbnails) -> SessionEntry:
    """A line of the list. Its picture is fetched when it is looked at: drawing fifty takes time."""
    return SessionEntry(
        id=info.id,
        name=info.name,
        href=f"/sessions/{info.id}",
        profile=info.machine["profile"] or "dump",
        memory=wording.size(info.machine["memory"]),
        seq=info.seq,
        calls=info.seq - info.start,
        last=call_text(outcome) if outcome else None,
        verdict=outcome["verdict"] if outcome else None,
        created=info.created,
        map=f"/sessions/{info.id}/thumbnail.svg?seq={info.seq}",
        map_words=thumbnails.words(info.id, info.seq) or _("at #%(seq)s", seq=wording.count(info.seq)),
        api=f"/api/v1/sessions/{info.id}",
    )


@cache
def profiles() -> tuple[Mapping[str, Any], ...]:
    """Every profile with its figures; they never change while the program runs."""
    return tuple(boot.profiles())


def profile_row(profile: Mapping[str, Any]) -> ProfileRow:
    """Show an entry of `app.machine.boot.profiles`."""
    cost = profile["frames"] * profile["struct_page_bytes"]
    return ProfileRow(
        name=profile["name"],
        title=profile["title"],
        memory=wording.size(profile["memory"]),
        frames=profile["frames"],
        zones=[(zone["name"], wording.frames(zone["present"])) for zone in profile["zones"]],
        overhead=wording.cost(cost, cost / profile["memory"]),
        note=profile["note"] or "",
    )
