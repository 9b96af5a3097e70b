"""The page with the life of a frame, or of a page of a process: the rows in which something became of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.errors import BadArgument
from app.machine import life as lives
from app.sessions import Conflict
from app.sessions.lives import Look
from app.web import address, wording
from app.web.address import Address
from app.web.contexts.base import Link
from app.web.contexts.life import LifePage, LifeRow
from app.web.frame_states import LETTERS
from app.web.language import N_, _
from app.web.render import respond
from app.web.requester import sessions_for
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

ROWS: Final = 100
LONGEST: Final = 32
WORDS: Final[Mapping[str, str]] = {
    "allocated": N_("allocated"),
    "mapped": N_("mapped"),
    "shared": N_("shared"),
    "unshared": N_("unshared"),
    "unmapped": N_("unmapped"),
    "dirtied": N_("written"),
    "cleaned": N_("cleaned"),
    "moved": N_("moved to another list"),
    "swapped": N_("swapped out"),
    "brought back": N_("brought back"),
    "copied": N_("copied to another frame"),
    "writable": N_("made writable"),
    "protected": N_("write-protected"),
    "freed": N_("freed"),
}


def of_frame(here: Address, pfn: int) -> str:
    """The address of the life of a frame; it keeps what the machine's page shows, to lead back there."""
    return f"{here.path}/life?{here.to(pfn=pfn, obj=None).query}"


def of_page(here: Address, task: str, va: int) -> str:
    """The address of the life of a page of a process."""
    asked = urlencode([("task", task), ("addr", f"{va & -4096:#x}")])
    return f"{here.path}/life?{asked}&{here.query}"


@router.get("/sessions/{session_id}/life")
async def life_page(request: Request, session_id: str) -> Response:
    """List the rows, some at a time. The calls are made again for it, beside the machine."""
    query = request.query_params
    here = address.parse(session_id, query)
    task, addr = query.get("task", "")[:LONGEST], address.memory_address(query.get("addr", ""))
    after = address.number(query.get("after", "")) or 0
    sessions, who = sessions_for(request)
    look: Look
    if task and addr is not None:
        look, pfn = partial(lives.page, task=task, address=addr), None
        subject = _("Page %(address)s of %(task)s", address=f"{addr:#x}", task=task)
    else:
        pfn = here.pfn or 0
        look = partial(lives.frame, pfn=pfn)
        subject = _("Frame %(pfn)s", pfn=wording.pfn(pfn))
    refusal, rows, onward = None, [], None
    try:
        found = await sessions.life(who, session_id, look, pfn, after, ROWS, here.moment)
        rows = [row(event, here) for event in found.events]
        if found.reached is not None:
            onward = "?" + urlencode(
                [*(p for p in query.multi_items() if p[0] != "after"), ("after", found.reached)]
            )
    except BadArgument:
        refusal = _("This machine has no such frame or address.")
    except Conflict as error:
        refusal = _("The calls cannot be made again: %(why)s", why=str(error))
    page = LifePage(
        shell=shell_of(request, here.href),
        title=subject,
        back=Link(_("Back to the machine"), here.href),
        subject=subject,
        meaning=_("Every row in which it was allocated, mapped, shared, written, moved, copied or freed."),
        rows=rows,
        onward=onward,
        refusal=refusal,
    )
    return respond(page, 200 if refusal is None else 409)


def row(event: Mapping[str, Any], here: Address) -> LifeRow:
    """One row: what was called, what that did to it, and how it is then."""
    state, pfn = event["state"], event["pfn"]
    task = f"{event['task']}: " if event["task"] else ""
    there = here.to(moment=event["seq"], outcome=event["seq"])
    return LifeRow(
        seq=Link(f"#{wording.count(event['seq'])}", there.href),
        call=f"{task}{event['call']}",
        what=", ".join(_(WORDS.get(word, word)) for word in event["what"]),
        state=state or "",
        letter=LETTERS.get(state or "", ""),
        frame=None if pfn is None else Link(wording.pfn(pfn), there.at(pfn)),
        counts=""
        if event["refcount"] is None
        else _("%(refs)s references, mapped %(maps)s times", refs=event["refcount"], maps=event["mapcount"]),
        place=event["lru"] or "",
    )
