"""Admitting members to a full lab: the page on which they wait, and the instructor's forms."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.labs import Person
from app.sessions import NotFound
from app.web.contexts.base import Link
from app.web.contexts.lab import ConfirmPage, WaitingPage
from app.web.labs import lab_page, number_of_members, own_lab, refused
from app.web.language import _, ngettext
from app.web.members import member_number
from app.web.refusals import REFUSED
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

NAMES_SHOWN: Final = 20

Text = Annotated[str, Form()]
Chosen = Annotated[list[str], Form()]


@router.get("/labs/{lab_id}")
async def lab(request: Request, lab_id: str) -> Response:
    """Show a lab; to a member who waits to be admitted, the page that says so."""
    if requester(request).waiting:
        return await waiting(request, requester(request))
    return respond(await lab_page(request, lab_id))


async def waiting(request: Request, person: Person) -> Response:
    """Show the page of a member who waits. It leads on once they are admitted, or turned away."""
    admission = labs_of(request).admission
    try:
        person = await admission.look(person)
        waits = await admission.waits(person)
    except NotFound:
        return RedirectResponse("/join", 303)
    if not person.waiting:
        return RedirectResponse(f"/labs/{person.lab}", 303)
    page = WaitingPage(
        shell=shell_of(request),
        title=waits.lab,
        nickname=person.name,
        instructor=waits.instructor,
        closed=waits.closed,
    )
    return respond(page)


@router.post("/labs/{lab_id}/expected")
async def expect(request: Request, lab_id: str, expected: Text = "") -> Response:
    """Change how many members come in without being admitted."""
    try:
        await labs_of(request).rooms.expect(requester(request), lab_id, number_of_members(expected))
    except REFUSED as error:
        typed = {"expected": expected}
        return await refused(request, lab_id, error, _("The lab stays as it was"), "expected", typed)
    return RedirectResponse(f"/labs/{lab_id}", 303)


@router.post("/labs/{lab_id}/waiting/admit")
async def admit(request: Request, lab_id: str, number: Chosen = [], all: Text = "") -> Response:  # noqa: A002, B006
    """Admit the chosen members, or all."""
    try:
        await labs_of(request).admission.admit(requester(request), lab_id, numbers(number, all))
    except REFUSED as error:
        return await refused(request, lab_id, error, _("Nobody was admitted"), "waiting")
    return RedirectResponse(f"/labs/{lab_id}", 303)


@router.post("/labs/{lab_id}/waiting/turn-away")
async def turn_away(request: Request, lab_id: str, number: Chosen = [], all: Text = "") -> Response:  # noqa: A002, B006
    """Turn away the chosen members, or all."""
    try:
        await labs_of(request).admission.turn_away(requester(request), lab_id, numbers(number, all))
    except REFUSED as error:
        return await refused(request, lab_id, error, _("Nobody was turned away"), "waiting")
    return RedirectResponse(f"/labs/{lab_id}", 303)


def numbers(chosen: list[str], all_of_them: str) -> list[int] | None:
    """Read the numbers of the chosen members; None for all. Raises BadArgument where none is chosen."""
    if all_of_them == "on":
        return None
    if not chosen:
        raise BadArgument.at("number", _("choose somebody who waits"))
    return [member_number(text) for text in chosen]


@router.get("/labs/{lab_id}/members/remove-idle")
async def confirm_remove_idle(request: Request, lab_id: str) -> Response:
    """Ask before members are removed who have done nothing."""
    lab = await own_lab(request, lab_id)
    idle = await labs_of(request).rooms.idle(requester(request), lab_id)
    names = [row.nickname for row in idle[:NAMES_SHOWN]]
    more = len(idle) - len(names)
    if more:
        names.append(ngettext("%(num)s more", "%(num)s more", more))
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Remove all who have done nothing in “%(title)s”?", title=lab.title),
            words=[
                ngettext(
                    "%(num)s member has no machine, has made no call and has reached no checkpoint.",
                    "%(num)s members have no machine, have made no call and have reached no checkpoint.",
                    len(idle),
                ),
                *([", ".join(names)] if names else []),
                _("Their nicknames and tokens are gone. Who knows the code can join again."),
            ],
            action=f"/labs/{lab_id}/members/remove-idle",
            button=_("Remove them"),
            keep=Link(_("Keep them"), f"/labs/{lab_id}/members"),
        )
    )


@router.post("/labs/{lab_id}/members/remove-idle")
async def remove_idle(request: Request, lab_id: str) -> Response:
    """Remove all members who have done nothing."""
    await labs_of(request).rooms.remove_idle(requester(request), lab_id)
    return RedirectResponse(f"/labs/{lab_id}/members", 303)
