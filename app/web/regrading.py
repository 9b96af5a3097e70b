"""A sheet is marked again by the files of today: compared first, and taken if that is wanted."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from app.labs import Lab, SheetRow
from app.labs.regrading import Change, Regrade
from app.labs.times import accepted
from app.web import resultviews, wording
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.results import ChangeRow, RegradePage
from app.web.labs import own_lab
from app.web.language import N_, _, ngettext
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

SHOWN: Final = 200  # changes that are listed
ADDRESS: Final = "/labs/{lab_id}/sheets/{sheet_id}/regrade"


async def sheet_of(request: Request, lab_id: str, sheet_id: str) -> tuple[Lab, SheetRow]:
    """A sheet of a lab that the person at the browser teaches."""
    lab = await own_lab(request, lab_id)
    found = await labs_of(request).sheets.get(requester(request), lab_id, sheet_id, accepted(request.scope))
    return lab, found.row


@router.get(ADDRESS)
async def form(request: Request, lab_id: str, sheet_id: str) -> Response:
    """Say what marking again does."""
    return respond(page(request, *await sheet_of(request, lab_id, sheet_id)))


@router.post(ADDRESS)
async def regrade(
    request: Request, lab_id: str, sheet_id: str, apply: Annotated[str, Form()] = ""
) -> Response:
    """Show what would change; with `apply`, have it so. A second time nothing changes."""
    lab, sheet = await sheet_of(request, lab_id, sheet_id)
    try:
        done = await labs_of(request).regrading.regrade(
            requester(request), lab_id, sheet_id, apply=apply == "on"
        )
    except REFUSED as error:
        refusal = refusal_of(error, N_("Nothing was marked again"))
        return respond(page(request, lab, sheet, refusal=refusal), status_of(error))
    return respond(page(request, lab, sheet, done))


def page(
    request: Request,
    lab: Lab,
    sheet: SheetRow,
    done: Regrade | None = None,
    refusal: ShownRefusal | None = None,
) -> RegradePage:
    """Make the page. done: what was compared."""
    changes = [] if done is None else done.changes
    return RegradePage(
        shell=shell_of(request),
        title=_("Mark %(sheet)s again", sheet=sheet.title),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        results=Link(sheet.title, resultviews.home(lab.id, sheet.id)),
        action=f"{resultviews.at_sheet(lab.id, sheet.id)}/regrade",
        compared="" if done is None else compared(done),
        applied=done is not None and done.applied,
        may=done is not None and not done.applied and bool(done.changes or done.edited),
        edited=() if done is None else done.edited,
        rows=[change_row(one) for one in changes[:SHOWN]],
        more=len(changes[SHOWN:]),
        unmarked=() if done is None else done.unmarked,
        refusal=refusal,
    )


def compared(done: Regrade) -> str:
    """How many answers are worth something else, and of how many members."""
    if not done.changes:
        return ngettext(
            "No score changes: %(num)s answer was marked.",
            "No score changes: %(num)s answers were marked.",
            done.submissions,
        )
    members = len({one.number for one in done.changes})
    given = {
        "changed": wording.count(len(done.changes)),
        "all": wording.count(done.submissions),
        "members": ngettext("%(num)s member", "%(num)s members", members),
    }
    if done.applied:
        return _("%(changed)s of %(all)s answers have another score now, of %(members)s.", **given)
    return _("%(changed)s of %(all)s answers would have another score, of %(members)s.", **given)


def change_row(one: Change) -> ChangeRow:
    """An answer that is worth something else."""
    return ChangeRow(
        who=f"m{one.number} {one.nickname}",
        task=_("%(exercise)s: task %(number)s", exercise=one.exercise, number=one.task),
        attempt=one.attempt,
        before=wording.points_of(one.before.score, one.before.max),
        after=wording.points_of(one.after.score, one.after.max),
    )
