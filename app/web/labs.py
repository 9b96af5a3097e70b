"""The list of an instructor's labs, and the page of a lab: for its members, and for its instructor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.labs import Lab, LabMachine, MemberCopy, Person
from app.labs.board import CheckpointCount
from app.labs.person import require_instructor
from app.labs.rooms import DEFAULT_EXPECTED
from app.machine import show
from app.sessions import Busy, Conflict, NotFound, StorageFull
from app.web import address, markdown, pollviews, qr, wording
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.lab import (
    BoardPage,
    CheckpointView,
    CopyRow,
    Invitation,
    LabEntry,
    LabPage,
    LabsPage,
    PreparedView,
    SharedView,
    TaughtPage,
    WaitingRow,
)
from app.web.contexts.place import Sleeper
from app.web.fields import again
from app.web.home import last
from app.web.journal import call_text
from app.web.language import N_, _, ngettext
from app.web.place_in_lab import sleeper
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, public_address, requester, sessions_for
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

WAITING_SHOWN: Final = 50  # of those who wait
OFFERED: Final = 200  # of the instructor's sessions, to be put into a lab
HOW: Final = {"done": N_("done"), "said": N_("you say so"), "caught up": N_("caught up")}


@router.get("/labs")
async def listed(request: Request) -> Response:
    """Show an instructor's labs; lead a member to their one lab."""
    person = requester(request)
    if person.lab is not None:
        return RedirectResponse(f"/labs/{person.lab}", 303)
    return respond(await labs_page(request))


@router.post("/labs")
async def create(
    request: Request,
    title: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
    expected: Annotated[str, Form()] = "",
    draft: Annotated[str, Form()] = "",
) -> Response:
    """Make a lab. Unless something else is typed it expects as many members as most classes have."""
    try:
        members = number_of_members(expected) if expected.strip() else None
        rooms = labs_of(request).rooms
        lab = await rooms.create(requester(request), title, text, members, draft=draft == "on")
    except REFUSED as error:
        refusal = refusal_of(error, _("No lab was made"))
        typed = {"title": title, "text": text, "expected": expected}
        return respond(await labs_page(request, typed, refusal), status_of(error))
    return RedirectResponse(f"/labs/{lab.id}", 303)


def number_of_members(text: str) -> int:
    """Read how many members are expected. Raises BadArgument."""
    found = address.number(text.strip())
    if found is None:
        raise BadArgument.at("expected", _("a number of members"))
    return found


async def labs_page(
    request: Request, typed: Mapping[str, str] | None = None, refusal: ShownRefusal | None = None
) -> LabsPage:
    """Make the list."""
    person = requester(request)
    require_instructor(person)
    return LabsPage(
        shell=shell_of(request, "/labs"),
        title=_("Labs"),
        labs=[
            LabEntry(lab.title, f"/labs/{lab.id}", state_of(lab), lab.code, lab.created)
            for lab in await labs_of(request).rooms.listed(person)
        ],
        expected=min(DEFAULT_EXPECTED, request.app.state.settings.members_per_lab),
        typed=again(typed or {}),
        refusal=refusal,
    )


async def refused(
    request: Request,
    lab_id: str,
    error: Exception,
    title: str,
    at: str,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """Show the lab's page again, with why a form was refused. at: which form."""
    refusal = refusal_of(error, title)
    faults = [replace(fault, label=_("Row")) if fault.field == "seq" else fault for fault in refusal.faults]
    page = await lab_page(request, lab_id, replace(refusal, faults=faults), at, typed)
    return respond(page, status_of(error))


async def lab_page(
    request: Request,
    lab_id: str,
    refusal: ShownRefusal | None = None,
    at: str = "",
    typed: Mapping[str, str] | None = None,
) -> LabPage | TaughtPage:
    """Make the page of a lab."""
    labs, person = labs_of(request), requester(request)
    found = await labs.rooms.get(person, lab_id)
    if found.owner == person.id:
        return await taught_page(request, found, refusal, at, typed or {})
    return await member_page(request, found, refusal)


# -- as members have it ------------------------------------------------------------------------------------


async def member_page(request: Request, lab: Lab, refusal: ShownRefusal | None) -> LabPage:
    """Make the page of a lab for a member."""
    labs, person = labs_of(request), requester(request)
    reached = await labs.sharing.reached(person, lab.id)
    far = await labs.wall.progress(person, lab.id)
    copies = [(one, await copy_row(request, one)) for one in await labs.sharing.copies(person, lab.id)]
    return LabPage(
        shell=shell_of(request, f"/labs/{lab.id}"),
        title=lab.title,
        id=lab.id,
        text=await markdown.html(lab.text),
        state=state_of(lab),
        task=person.principal.by or "",
        prepared=[
            PreparedView(
                id=machine.id,
                title=machine.title,
                seq=machine.seq,
                checkpoints=[
                    replace(
                        checkpoint_view(machine, place, far.checkpoints, far.members),
                        how=reached.get(mark.id),
                        own=_(HOW.get(reached.get(mark.id, ""), "")) or None,
                    )
                    for place, mark in enumerate(machine.checkpoints)
                ],
                copies=[row for copy, row in copies if copy.machine_id == machine.id],
            )
            for machine in lab.machines
            if machine.kind == "prepared"
        ],
        shared=await shared_views(request, lab),
        others=[row for copy, row in copies if copy.machine_id is None],
        presenter=presenter(lab),
        asked=await asked(request, lab),
        refusal=refusal,
    )


async def copy_row(request: Request, copy: MemberCopy) -> CopyRow:
    """A machine of a member's own, with its last call."""
    sessions, who = sessions_for(request)
    outcome = await last(sessions, who, await sessions.get(who, copy.id))
    return CopyRow(
        id=copy.id,
        name=copy.name,
        href=f"/sessions/{copy.id}",
        seq=copy.seq,
        picture=f"/sessions/{copy.id}/thumbnail.svg?seq={copy.seq}",
        picture_words=_("at #%(seq)s", seq=wording.count(copy.seq)),
        last=call_text(outcome) if outcome else None,
        verdict=outcome["verdict"] if outcome else None,
        when=outcome["time"] if outcome else None,
        next=copy.next.title if copy.next else None,
        checkpoint=copy.next.id if copy.next else None,
        starts_over=copy.called,
        locked=copy.locked,
    )


async def shared_views(request: Request, lab: Lab) -> list[SharedView]:
    """The machines that everybody in the lab uses or watches."""
    sessions, who = sessions_for(request)
    names = await labs_of(request).rooms.names(lab.id)
    found = []
    for machine in lab.machines:
        if machine.kind == "prepared":
            continue
        info = await sessions.get(who, machine.session_id)
        found.append(
            SharedView(
                id=machine.id,
                title=machine.title,
                kind=machine.kind,
                href=f"/sessions/{info.id}",
                seq=info.seq,
                picture=f"/sessions/{info.id}/thumbnail.svg?seq={info.seq}",
                sleepers=await sleepers(request, lab, machine, names),
            )
        )
    return found


async def sleepers(
    request: Request, lab: Lab, machine: LabMachine, names: Mapping[str, str]
) -> Sequence[Sleeper]:
    """Tasks that sleep in a shared machine and that the person at the browser may end."""
    if machine.kind != "operate" or lab.closed is not None:
        return ()
    sessions, who = sessions_for(request)
    person = requester(request)
    if lab.frozen and person.lab is not None:
        return ()
    try:
        tasks = await sessions.read(who, machine.session_id, show.sleepers)
    except (NotFound, Conflict, Busy, StorageFull):
        return ()
    return [
        sleeper(task, names, f"/sessions/{machine.session_id}", mine=task["name"] == who.by)
        for task in tasks
        if (person.lab is None or task["name"] == who.by)
    ]


def presenter(lab: Lab) -> Link | None:
    """Link to what the instructor presents."""
    if lab.view is None:
        return None
    at = lab.view.removeprefix("/sessions/").partition("?")[0].partition("/")[0]
    title = next((machine.title for machine in lab.machines if machine.session_id == at), lab.title)
    return Link(title, lab.view)


async def asked(request: Request, lab: Lab) -> Link | None:
    """Link to the question that is before the class."""
    running = await labs_of(request).polls.running(requester(request), lab.id)
    if running is None:
        return None
    return Link(pollviews.question_text(running), f"/labs/{lab.id}/polls/{running.id}")


def state_of(lab: Lab) -> str:
    """`draft`, `open`, `frozen` or `closed`."""
    if lab.closed is not None:
        return "closed"
    if lab.draft:
        return "draft"
    return "frozen" if lab.frozen else "open"


# -- as the instructor has it ------------------------------------------------------------------------------


async def taught_page(
    request: Request, lab: Lab, refusal: ShownRefusal | None, at: str, typed: Mapping[str, str]
) -> TaughtPage:
    """Make the page of a lab for its instructor."""
    labs, person = labs_of(request), requester(request)
    sessions, who = sessions_for(request)
    state = await labs.wall.progress(person, lab.id)
    waiting = await labs.admission.newest(person, lab.id, WAITING_SHOWN)
    offered = await sessions.list(who, OFFERED)
    return TaughtPage(
        shell=shell_of(request, f"/labs/{lab.id}"),
        title=lab.title,
        id=lab.id,
        text=await markdown.html(lab.text),
        source=lab.text,
        state=state_of(lab),
        invitation=invitation_of(request, lab),
        prepared=[
            PreparedView(
                id=machine.id,
                title=machine.title,
                seq=machine.seq,
                checkpoints=[
                    checkpoint_view(machine, place, state.checkpoints, state.members)
                    for place in range(len(machine.checkpoints))
                ],
                copies=(),
                href=f"/sessions/{machine.session_id}",
                picture=f"/sessions/{machine.session_id}/thumbnail.svg?seq={machine.seq}",
            )
            for machine in lab.machines
            if machine.kind == "prepared"
        ],
        shared=await shared_views(request, lab),
        sessions=[(info.id, info.name) for info in offered.items],
        demos=[(demo.name, demo.title) for demo in request.app.state.demos.demos().values()],
        members=state.members,
        expected=lab.expected,
        waiting=waiting.all,
        newest=[WaitingRow(row.number, row.nickname, row.joined) for row in waiting.newest],
        typed=again(typed),
        refusal=refusal,
        at=at,
    )


def checkpoint_view(
    machine: LabMachine, place: int, counts: Mapping[str, CheckpointCount], members: int
) -> CheckpointView:
    """A checkpoint, and how many of the class have reached it."""
    mark = machine.checkpoints[place]
    count = counts.get(mark.id, CheckpointCount(mark.id, mark.title, 0))
    there = count.reached
    words = ngettext("%(num)s of %(all)s", "%(num)s of %(all)s", there, all=wording.count(members))
    return CheckpointView(
        mark.id,
        mark.title,
        mark.seq,
        count=words,
        ways=wording.ways(count.reached, count.done, count.said),
        share=1000 * there // members if members else 0,
    )


def invitation_of(request: Request, lab: Lab) -> Invitation | None:
    """How people join; None where nobody can."""
    if lab.code is None:
        return None
    return Invitation(
        code=lab.code,
        link=join_link(request, lab.code),
        until=wording.moment(lab.code_expires or ""),
        picture=f"/labs/{lab.id}/join.svg?code={lab.code}",
    )


def join_link(request: Request, code: str) -> str:
    """The link that opens the form with the code."""
    return f"{public_address(request)}/join/{code}"


async def own_lab(request: Request, lab_id: str) -> Lab:
    """A lab that the person at the browser teaches. Raises NotFound, and Forbidden for its members."""
    person: Person = requester(request)
    found = await labs_of(request).rooms.get(person, lab_id)
    if found.owner != person.id:
        require_instructor(person)
    return found


@router.get("/labs/{lab_id}/board")
async def board(request: Request, lab_id: str) -> Response:
    """Show how to join, large enough for the last row."""
    lab = await own_lab(request, lab_id)
    host = public_address(request).partition("://")[2]
    return respond(
        BoardPage(
            shell=shell_of(request),
            title=lab.title,
            id=lab.id,
            invitation=invitation_of(request, lab),
            host=host,
        )
    )


@router.get("/labs/{lab_id}/join.svg")
async def join_picture(request: Request, lab_id: str) -> Response:
    """Draw the link as a QR code."""
    lab = await own_lab(request, lab_id)
    if lab.code is None:
        raise NotFound("code", lab_id)
    return Response(qr.svg(join_link(request, lab.code)), media_type="image/svg+xml")
