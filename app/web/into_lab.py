"""Putting a machine into a lab from its own page: into one that there is, or into a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import Lab, Person
from app.labs.person import require_instructor
from app.sessions import Forbidden, SessionInfo
from app.web import address
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.lab import IntoLabPage
from app.web.fields import again
from app.web.lab_actions import row_of
from app.web.language import _
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester, sessions_for
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]

# In the form, instead of a lab.
NEW: Final = "new"


@router.get("/sessions/{session_id}/lab")
async def form(request: Request, session_id: str, at: str = "") -> Response:
    """Ask into which lab. at: the row where copies start, instead of the last."""
    info = await own_session(request, session_id)
    moment = address.number(at)
    row = "" if moment is None or moment >= info.seq else str(moment)
    return respond(await into_page(request, info, {"seq": row}))


@router.post("/sessions/{session_id}/lab")
async def put(
    request: Request,
    session_id: str,
    lab: Text = "",
    lab_title: Text = "",
    kind: Text = "",
    seq: Text = "",
    title: Text = "",
) -> Response:
    """Put it there, and lead to the lab. A new lab is made first, a draft."""
    info = await own_session(request, session_id)
    labs, person = labs_of(request), requester(request)
    typed = {"lab": lab, "lab_title": lab_title, "kind": kind, "seq": seq, "title": title}
    try:
        row = row_of(seq)
        if lab == NEW:
            typed["lab"] = (await labs.rooms.create(person, lab_title, draft=True)).id
        machine = await labs.sharing.add(person, typed["lab"], info.id, kind, row, title.strip() or None)
    except REFUSED as error:
        refusal = refusal_of(error, _("It is in no lab yet"))
        return respond(await into_page(request, info, typed, refusal), status_of(error))
    return RedirectResponse(f"/labs/{typed['lab']}#machine-{machine.id}", 303)


async def own_session(request: Request, session_id: str) -> SessionInfo:
    """A session of the instructor at the browser. Raises NotFound, and Forbidden for others."""
    person = requester(request)
    require_instructor(person)
    sessions, who = sessions_for(request)
    info = await sessions.get(who, session_id)
    if info.owner != person.id:
        raise Forbidden("only your own machines can be put into a lab")
    return info


async def into_page(
    request: Request, info: SessionInfo, typed: Mapping[str, str], refusal: ShownRefusal | None = None
) -> IntoLabPage:
    """Make the page."""
    found = await offered(request, requester(request))
    return IntoLabPage(
        shell=shell_of(request),
        title=_("Put “%(name)s” into a lab", name=info.name),
        machine=Link(info.name, f"/sessions/{info.id}"),
        action=f"/sessions/{info.id}/lab",
        labs=[*((lab.id, lab.title) for lab in found), (NEW, _("a new lab, a draft until you open it"))],
        last=info.seq,
        typed=again(typed),
        refusal=refusal,
    )


async def offered(request: Request, person: Person) -> list[Lab]:
    """The labs that take machines, the newest first."""
    return [lab for lab in await labs_of(request).rooms.listed(person) if lab.closed is None]
