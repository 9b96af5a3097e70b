"""*Ask the class*: a call of the console becomes a question, and waits as a draft."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.labs.asking import ASKED
from app.machine.linetext import WHO
from app.sessions import SessionInfo
from app.web.address import number
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.poll import AskPage
from app.web.into_lab import offered, own_session
from app.web.language import _
from app.web.polls import place_of
from app.web.pollviews import QUESTIONS
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]


@router.get("/sessions/{session_id}/ask")
async def form(request: Request, session_id: str, line: str = "", task: str = "", at: str = "") -> Response:
    """Ask what is to be predicted of a call. task: who calls where the line names nobody."""
    info = await own_session(request, session_id)
    spoken = line if not task or not line or WHO.match(line) else f"{task}: {line}"
    typed = {"line": spoken, "at": at}
    return respond(await ask_page(request, info, typed))


@router.post("/sessions/{session_id}/ask")
async def ask(
    request: Request,
    session_id: str,
    line: Text = "",
    lab: Text = "",
    predict: Text = "",
    question: Text = "",
    named: Text = "",
    at: Text = "",
) -> Response:
    """Make the draft, and lead to the desk."""
    info = await own_session(request, session_id)
    labs, person = labs_of(request), requester(request)
    typed = {
        "line": line,
        "lab": lab,
        "predict": predict,
        "question": question,
        "named": named,
        "at": at,
    }
    try:
        row = number(at) if at.strip() else None
        if at.strip() and row is None:
            raise BadArgument.at("at", _("a row of the machine"))
        made = await labs.polls.create(
            person, lab, info.id, line, predict, question, at=row, named=named == "on"
        )
    except REFUSED as error:
        page = await ask_page(request, info, typed, refusal_of(error, _("The class is not asked yet")))
        return respond(page, status_of(error))
    return RedirectResponse(f"{place_of(lab, made.poll.id)}/desk", 303)


async def ask_page(
    request: Request, info: SessionInfo, typed: dict[str, str], refusal: ShownRefusal | None = None
) -> AskPage:
    """Make the form."""
    person = requester(request)
    open_labs = await offered(request, person)
    has_it = await labs_of(request).rooms.using(person, info.id)
    first = next((lab.id for lab in has_it if lab.closed is None), open_labs[0].id if open_labs else "")
    return AskPage(
        shell=shell_of(request),
        title=_("Ask the class"),
        machine=Link(info.name, f"/sessions/{info.id}"),
        action=f"/sessions/{info.id}/ask",
        at=typed.get("at", "")[:20],
        labs=[(lab.id, lab.title) for lab in open_labs],
        lab=typed.get("lab") or first,
        line=typed.get("line", "")[:4000],
        asked=[(name, _(QUESTIONS[name])) for name in ASKED],
        predict=typed.get("predict") or ASKED[0],
        question=typed.get("question", "")[:400],
        named=typed.get("named") == "on",
        refusal=refusal,
    )
