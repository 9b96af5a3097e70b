"""The members of a lab with their machines, attendance, and what an instructor may do with a member."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import Activity, MemberCopy, csvfile
from app.sessions import NotFound
from app.web import wording
from app.web.address import number as number_of
from app.web.address import parse as parse_address
from app.web.contexts.base import Link, ShownRefusal, TablePart
from app.web.contexts.lab import (
    ActivityPage,
    AuditEntry,
    AuditPage,
    ConfirmPage,
    MemberEntry,
    MemberMachine,
    MembersPage,
)
from app.web.labs import own_lab, state_of
from app.web.language import _, ngettext
from app.web.place_in_lab import MACHINE
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of
from app.web.tableparts import first_of, part_of

router = APIRouter(include_in_schema=False)

ACTS_SHOWN = 100
MEMBERS_SHOWN = 60
MACHINES_SHOWN = 4  # of each member in the roster


# -- the roster --------------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/members")
async def members(request: Request, lab_id: str) -> Response:
    """List members with their machines: those after the first `?from=60`.

    `?member=7` is one alone, with all machines; `?machine=ID`: the part with that machine.
    """
    return respond(await members_page(request, lab_id))


async def members_page(request: Request, lab_id: str, refusal: ShownRefusal | None = None) -> MembersPage:
    """Make the page."""
    labs, person, asked = labs_of(request), requester(request), request.query_params
    lab = await own_lab(request, lab_id)
    copies: dict[int, list[MemberCopy]] = {}
    owner = None
    for copy in await labs.sharing.copies(person, lab_id):
        copies.setdefault(copy.number, []).append(copy)
        owner = copy.number if copy.id == asked.get("machine") else owner
    rows = await labs.wall.activity(person, lab_id)
    numbers = [row.number for row in rows]
    begin = numbers.index(owner) if owner in numbers else number_of(asked.get("from", "")) or 0
    first = first_of(begin, len(rows), MEMBERS_SHOWN)
    roster = f"/labs/{lab_id}/members"
    part = part_of(lambda row: f"{roster}?from={row}", first, len(rows), MEMBERS_SHOWN)
    shown = rows[first : first + MEMBERS_SHOWN]
    alone = number_of(asked.get("member", ""))
    if alone in numbers:
        owner = alone
        shown = [row for row in rows if row.number == alone]
        part = TablePart("", Link(_("All members"), roster), Link("", None))
    return MembersPage(
        shell=shell_of(request),
        title=_("Members of %(title)s", title=lab.title),
        id=lab_id,
        lab=Link(lab.title, f"/labs/{lab_id}"),
        state=state_of(lab),
        members=[
            member_row(lab_id, row, copies.get(row.number, []), whole=row.number == owner) for row in shown
        ],
        part=part,
        refusal=refusal,
    )


def member_row(lab_id: str, row: Activity, copies: list[MemberCopy], *, whole: bool) -> MemberEntry:
    """Make the row of one member. whole: with all machines."""
    shown = copies if whole else copies[:MACHINES_SHOWN]
    left = len(copies) - len(shown)
    return MemberEntry(
        number=row.number,
        nickname=row.nickname,
        joined=row.joined,
        calls=row.calls,
        seq=row.seq,
        last_call=row.last_call,
        checkpoint=row.checkpoint,
        machines=[
            MemberMachine(copy.id, copy.name, f"/sessions/{copy.id}", copy.seq, copy.locked) for copy in shown
        ],
        more=Link(
            _("and %(more)s more", more=wording.count(left)), f"/labs/{lab_id}/members?member={row.number}"
        )
        if left
        else None,
        export=f"/api/v1/labs/{lab_id}/members/{row.number}/export",
    )


@router.post("/labs/{lab_id}/sessions/{session_id}/lock")
async def lock(
    request: Request,
    lab_id: str,
    session_id: str,
    locked: Annotated[str, Form()] = "on",
    view: Annotated[str, Form()] = "",
    to: str = "",
) -> Response:
    """Lock a member's machine so that the member cannot call it, or unlock it.

    to: `machine` to come back to its page, in that view, instead of the roster.
    """
    try:
        await labs_of(request).sharing.lock(requester(request), lab_id, session_id, locked=locked == "on")
    except REFUSED as error:
        refusal = refusal_of(error, _("The machine stays as it was"))
        return respond(await members_page(request, lab_id, refusal), status_of(error))
    return RedirectResponse(back_to(lab_id, session_id, to, view), 303)


@router.get("/labs/{lab_id}/sessions/{session_id}/reset")
async def confirm_reset(request: Request, lab_id: str, session_id: str, to: str = "") -> Response:
    """Ask before a machine is reset. to: `machine` to come back to its page instead of the list."""
    await own_lab(request, lab_id)
    copy, row = await copy_of(request, lab_id, session_id)
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Reset “%(machine)s” of %(nickname)s?", machine=copy.name, nickname=row.nickname),
            words=[
                _("The machine gets the state from which it started. Its rows stay: it can be rewound."),
                _("Names that the member has given stay too, though what they stood for is gone."),
            ],
            action=f"/labs/{lab_id}/sessions/{session_id}/reset"
            + (f"?to={MACHINE}" if to == MACHINE else ""),
            button=_("Reset it"),
            keep=Link(_("Leave it"), back_to(lab_id, session_id, to)),
        )
    )


@router.post("/labs/{lab_id}/sessions/{session_id}/reset")
async def reset(request: Request, lab_id: str, session_id: str, to: str = "") -> Response:
    """Reset a member's machine to its beginning."""
    try:
        await labs_of(request).sharing.reset(requester(request), lab_id, session_id)
    except REFUSED as error:
        refusal = refusal_of(error, _("The machine stays as it was"))
        return respond(await members_page(request, lab_id, refusal), status_of(error))
    return RedirectResponse(back_to(lab_id, session_id, to), 303)


def back_to(lab_id: str, session_id: str, to: str, view: str = "") -> str:
    """Where a form leads back to: a view of the machine's page, or the machine's place in the list."""
    if to == MACHINE:
        return parse_address(session_id, view).href
    return f"/labs/{lab_id}/members?machine={session_id}#machine-{session_id}"


@router.get("/labs/{lab_id}/members/{number}/delete")
async def confirm_delete(request: Request, lab_id: str, number: str) -> Response:
    """Ask before a member is removed."""
    await own_lab(request, lab_id)
    labs, person = labs_of(request), requester(request)
    row = await labs.rooms.member(person, lab_id, member_number(number))
    machines = len(await labs.rooms.machines_of_member(person, lab_id, row.number))
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Delete %(nickname)s?", nickname=row.nickname),
            words=[
                ngettext(
                    "Nickname, tokens and %(num)s machine are gone for good.",
                    "Nickname, tokens and %(num)s machines are gone for good.",
                    machines,
                ),
                _("Rows on shared machines stay, with the number m%(number)s alone.", number=row.number),
            ],
            action=f"/labs/{lab_id}/members/{row.number}/delete",
            button=_("Delete %(nickname)s", nickname=row.nickname),
            keep=Link(_("Keep"), f"/labs/{lab_id}/members"),
            save=Link(_("Export their data first"), f"/api/v1/labs/{lab_id}/members/{row.number}/export"),
        )
    )


@router.post("/labs/{lab_id}/members/{number}/delete")
async def delete(request: Request, lab_id: str, number: str) -> Response:
    """Remove a member for good."""
    await labs_of(request).rooms.delete_member(requester(request), lab_id, member_number(number))
    return RedirectResponse(f"/labs/{lab_id}/members", 303)


async def copy_of(request: Request, lab_id: str, session_id: str) -> tuple[MemberCopy, Activity]:
    """A member's machine, and the member. Raises NotFound."""
    labs, person = labs_of(request), requester(request)
    for copy in await labs.sharing.copies(person, lab_id):
        if copy.id == session_id:
            rows = await labs.wall.activity(person, lab_id)
            return copy, next(row for row in rows if row.number == copy.number)
    raise NotFound("session", session_id)


def member_number(text: str) -> int:
    """A member's number from an address. Raises NotFound."""
    found = None if text.startswith(("0x", "0X")) else number_of(text)
    if found is None:
        raise NotFound("member", text)
    return found


# -- what was done -----------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/activity")
async def activity(request: Request, lab_id: str) -> Response:
    """Show attendance: which members have done what."""
    lab = await own_lab(request, lab_id)
    rows = await labs_of(request).wall.activity(requester(request), lab_id)
    return respond(
        ActivityPage(
            shell=shell_of(request),
            title=_("Activity in %(title)s", title=lab.title),
            id=lab_id,
            lab=Link(lab.title, f"/labs/{lab_id}"),
            rows=rows,
            calls=sum(row.calls for row in rows),
            active=sum(1 for row in rows if row.calls),
        )
    )


@router.get("/labs/{lab_id}/activity.csv")
async def activity_file(request: Request, lab_id: str) -> Response:
    """The same for a spreadsheet."""
    rows = await labs_of(request).wall.activity(requester(request), lab_id)
    headers = {"Content-Disposition": f'attachment; filename="activity-{lab_id}.csv"'}
    return Response(csvfile.activity(rows), headers=headers, media_type=csvfile.CSV_TYPE)


@router.get("/audit")
async def audit(request: Request, before: str = "") -> Response:
    """List what was done with the instructor's rights and in their labs, the latest first."""
    labs, person = labs_of(request), requester(request)
    found = await labs.acts(person, ACTS_SHOWN + 1, number_of(before))
    titles = {lab.id: lab.title for lab in await labs.rooms.listed(person)}
    shown = found[:ACTS_SHOWN]
    return respond(
        AuditPage(
            shell=shell_of(request),
            title=_("Audit log"),
            acts=[
                AuditEntry(
                    time=noted.act.time,
                    who=_("you") if noted.act.actor == person.id else noted.act.actor,
                    act=noted.act.act,
                    lab=None if noted.act.lab_id is None else lab_link(noted.act.lab_id, titles),
                    target="" if noted.act.target == noted.act.lab_id else noted.act.target,
                    detail=noted.act.detail,
                )
                for noted in shown
            ],
            older=f"/audit?before={shown[-1].id}" if len(found) > ACTS_SHOWN else None,
        )
    )


def lab_link(lab_id: str, titles: dict[str, str]) -> Link:
    """Link to a lab; only the id of one that was deleted."""
    return Link(titles.get(lab_id, lab_id), f"/labs/{lab_id}" if lab_id in titles else None)
