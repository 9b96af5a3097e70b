"""Forms of a lab's page: members copy machines and catch up; the instructor changes the lab."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.web import address
from app.web.contexts.base import Link
from app.web.contexts.lab import ConfirmPage
from app.web.lab_demos import address_of_copy
from app.web.labs import own_lab, refused
from app.web.language import _, ngettext
from app.web.refusals import REFUSED
from app.web.render import respond
from app.web.requester import labs_of, requester, sessions_for
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]


def back(lab_id: str, part: str = "") -> Response:
    """Lead back to the lab's page."""
    return RedirectResponse(f"/labs/{lab_id}{part}", 303)


# -- members -----------------------------------------------------------------------------------------------


@router.post("/labs/{lab_id}/machines/{machine_id}/copy")
async def copy(request: Request, lab_id: str, machine_id: str) -> Response:
    """Make a member's own copy of a prepared machine."""
    labs, person = labs_of(request), requester(request)
    try:
        info = await labs.sharing.copy(person, lab_id, machine_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("No copy was made"), "copy")
    lab = await labs.rooms.get(person, lab_id)
    machine = next((one for one in lab.machines if one.id == machine_id), None)
    return RedirectResponse(address_of_copy(request, info.id, machine).href, 303)


@router.post("/labs/{lab_id}/sessions/{session_id}/catch-up")
async def catch_up(request: Request, lab_id: str, session_id: str, checkpoint: Text = "") -> Response:
    """Bring a copy to a checkpoint, by default the next; the address says which calls were left behind.

    The form names it, so that who presses twice comes to the same place.
    """
    labs, (sessions, who) = labs_of(request), sessions_for(request)
    place = await labs.place_of(requester(request), session_id)
    try:
        mark = await labs.sharing.catch_up(requester(request), lab_id, session_id, checkpoint or None)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("The machine stays where it is"), "copy")
    said: dict[str, int | str] = {"brought": mark.id}
    if place is not None and place.copy is not None and place.copy.called:
        said["own"] = place.copy.seq
    lab = await labs.rooms.get(requester(request), lab_id)
    machine = next((one for one in lab.machines if mark in one.checkpoints), None)
    here = address_of_copy(request, session_id, machine, mark.id)
    seq = (await sessions.get(who, session_id)).seq
    return RedirectResponse(f"{here.to(outcome=seq).href}&{urlencode(said)}", 303)


@router.post("/labs/{lab_id}/checkpoints/{checkpoint_id}/done")
async def done(request: Request, lab_id: str, checkpoint_id: str) -> Response:
    """Note that a member has reached a checkpoint alone."""
    try:
        await labs_of(request).sharing.done(requester(request), lab_id, checkpoint_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("Nothing was ticked off"), "copy")
    return back(lab_id, f"#checkpoint-{checkpoint_id}")


# -- what a lab has ----------------------------------------------------------------------------------------


@router.post("/labs/{lab_id}/machines")
async def add(
    request: Request, lab_id: str, session: Text = "", kind: Text = "", seq: Text = "", title: Text = ""
) -> Response:
    """Add one of the instructor's sessions: as it is now, unless a row is named."""
    typed = {"session": session, "kind": kind, "seq": seq, "title": title}
    try:
        await labs_of(request).sharing.add(
            requester(request), lab_id, session, kind, row_of(seq), title.strip() or None
        )
    except REFUSED as error:
        return await refused(request, lab_id, error, _("No machine was added"), "add", typed)
    return back(lab_id, "#machines")


@router.post("/labs/{lab_id}/machines/{machine_id}")
async def change(
    request: Request, lab_id: str, machine_id: str, kind: Text = "", title: Text = ""
) -> Response:
    """Change how a machine is shared, or its title."""
    try:
        await labs_of(request).sharing.change(
            requester(request), lab_id, machine_id, kind or None, title.strip() or None
        )
    except REFUSED as error:
        typed = {"title": title, "kind": kind}
        return await refused(
            request, lab_id, error, _("The machine stays as it was"), f"change-{machine_id}", typed
        )
    return back(lab_id, f"#machine-{machine_id}")


@router.post("/labs/{lab_id}/machines/{machine_id}/remove")
async def remove(request: Request, lab_id: str, machine_id: str) -> Response:
    """Take a machine out of the lab; copies of it stay."""
    await labs_of(request).sharing.remove(requester(request), lab_id, machine_id)
    return back(lab_id, "#machines")


@router.post("/labs/{lab_id}/machines/{machine_id}/checkpoints")
async def mark(request: Request, lab_id: str, machine_id: str, seq: Text = "", title: Text = "") -> Response:
    """Make a row of a prepared machine a checkpoint."""
    try:
        at = row_of(seq)
        if at is None:
            raise BadArgument.at("seq", _("the number of a row"))
        await labs_of(request).sharing.mark(requester(request), lab_id, machine_id, at, title)
    except REFUSED as error:
        typed = {"seq": seq, "title": title}
        return await refused(request, lab_id, error, _("No checkpoint was made"), f"mark-{machine_id}", typed)
    return back(lab_id, f"#machine-{machine_id}")


@router.post("/labs/{lab_id}/checkpoints/{checkpoint_id}/remove")
async def unmark(request: Request, lab_id: str, checkpoint_id: str) -> Response:
    """Remove a checkpoint."""
    await labs_of(request).sharing.unmark(requester(request), lab_id, checkpoint_id)
    return back(lab_id, "#machines")


def row_of(text: str) -> int | None:
    """Read the row that a field names; None where it is empty. Raises BadArgument."""
    if not text.strip():
        return None
    found = address.number(text.strip().removeprefix("#"))
    if found is None:
        raise BadArgument.at("seq", _("the number of a row"))
    return found


# -- the lab itself ----------------------------------------------------------------------------------------


@router.post("/labs/{lab_id}/describe")
async def describe(request: Request, lab_id: str, title: Text = "", text: Text = "") -> Response:
    """Change title and text."""
    try:
        await labs_of(request).rooms.describe(requester(request), lab_id, title, text)
    except REFUSED as error:
        typed = {"title": title, "text": text}
        return await refused(request, lab_id, error, _("The lab stays as it was"), "describe", typed)
    return back(lab_id)


@router.post("/labs/{lab_id}/code")
async def renew_code(request: Request, lab_id: str) -> Response:
    """Make a new code; the old one no longer works."""
    try:
        await labs_of(request).rooms.renew_code(requester(request), lab_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("There is no new code"), "code")
    return back(lab_id)


@router.post("/labs/{lab_id}/code/close")
async def drop_code(request: Request, lab_id: str) -> Response:
    """Remove the code, so that nobody can join."""
    try:
        await labs_of(request).rooms.drop_code(requester(request), lab_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("The code stays as it was"), "code")
    return back(lab_id)


@router.post("/labs/{lab_id}/open")
async def open_lab(request: Request, lab_id: str) -> Response:
    """Let members join a lab that was a draft."""
    try:
        await labs_of(request).rooms.open(requester(request), lab_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("The lab stays as it was"), "open")
    return back(lab_id)


@router.post("/labs/{lab_id}/freeze")
async def freeze(request: Request, lab_id: str, frozen: Text = "on") -> Response:
    """Stop all calls of members, or let them go on."""
    try:
        await labs_of(request).rooms.freeze(requester(request), lab_id, frozen=frozen == "on")
    except REFUSED as error:
        return await refused(request, lab_id, error, _("The lab stays as it was"), "freeze")
    return back(lab_id)


@router.get("/labs/{lab_id}/close")
async def confirm_close(request: Request, lab_id: str) -> Response:
    """Ask before a lab is closed."""
    lab = await own_lab(request, lab_id)
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Close “%(title)s” for good?", title=lab.title),
            words=[
                _(
                    "Everything can be read from then on, and nothing called: no copy, no shared machine. "
                    "Nobody joins."
                ),
                _("A closed lab is not opened again. To stop calls for a while, freeze it instead."),
            ],
            action=f"/labs/{lab_id}/close",
            button=_("Close the lab"),
            keep=Link(_("Keep it open"), f"/labs/{lab_id}"),
        )
    )


@router.post("/labs/{lab_id}/close")
async def close(request: Request, lab_id: str) -> Response:
    """Close a lab for good."""
    try:
        await labs_of(request).rooms.close(requester(request), lab_id)
    except REFUSED as error:
        return await refused(request, lab_id, error, _("The lab stays as it was"), "close")
    return back(lab_id)


@router.get("/labs/{lab_id}/delete")
async def confirm_delete(request: Request, lab_id: str) -> Response:
    """Ask before a lab is deleted."""
    lab = await own_lab(request, lab_id)
    labs, person = labs_of(request), requester(request)
    members = len(await labs.rooms.roster(person, lab_id))
    copies = len(await labs.sharing.copies(person, lab_id))
    return respond(
        ConfirmPage(
            shell=shell_of(request),
            title=_("Delete “%(title)s”?", title=lab.title),
            words=[
                _(
                    "%(members)s and %(machines)s are gone for good: "
                    "nicknames, journals, checkpoints, every link to them.",
                    members=ngettext("%(num)s member", "%(num)s members", members),
                    machines=ngettext("%(num)s machine of theirs", "%(num)s machines of theirs", copies),
                ),
                _(
                    "The machines that you have prepared and shared stay yours; "
                    "their rows keep numbers, no nicknames."
                ),
            ],
            action=f"/labs/{lab_id}/delete",
            button=_("Delete the lab"),
            keep=Link(_("Keep it"), f"/labs/{lab_id}"),
            save=Link(_("Save what everybody did first, as CSV"), f"/labs/{lab_id}/activity.csv"),
        )
    )


@router.post("/labs/{lab_id}/delete")
async def delete(request: Request, lab_id: str) -> Response:
    """Delete a lab for good."""
    await labs_of(request).rooms.delete(requester(request), lab_id)
    return RedirectResponse("/labs", 303)
