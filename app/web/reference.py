"""The pages that need no machine: GFP masks, and the reference of calls."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.machine import gfp_text
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import CallSpec
from app.mm import gfp
from app.web.advice import advice
from app.web.callform import GROUPS
from app.web.contexts.gfp import GfpPage
from app.web.contexts.reference import CallGroup, CallsPage
from app.web.gfptables import groups
from app.web.language import _
from app.web.mask import facts
from app.web.recipes import Api, curl
from app.web.refusals import of_pages
from app.web.render import respond
from app.web.requester import api_of
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)


@router.get("/gfp")
async def gfp_page(request: Request, mask: str = "") -> Response:
    """Take a mask apart. Ticked flags are joined into `mask`, so that the address can be passed on."""
    ticked = request.query_params.getlist("flag")
    if ticked:
        return RedirectResponse(f"/gfp?{urlencode({'mask': '|'.join(joined(ticked))})}", 303)
    typed = mask.strip() or "GFP_KERNEL"
    try:
        value, error = gfp_text.parse(typed), None
    except BadArgument as refused:
        value, error = 0, of_pages(refused.faults[0].msg)
    return respond(
        GfpPage(
            shell=shell_of(request),
            title=_("GFP masks"),
            typed=typed,
            error=error,
            value=value,
            line=gfp.pGg(value) or "0",
            lecture="|".join(lecture_words(value)) or "0",
            facts=list(facts(value)),
            groups=groups(value),
            advice=advice(),
        ),
        422 if error else 200,
    )


@router.get("/calls")
async def calls_page(request: Request) -> Response:
    """List every call, to be read and copied."""
    api = api_of(request, "$ID")
    found: dict[str, list[tuple[CallSpec, str]]] = {}
    for spec in CALLS.values():
        found.setdefault(_(GROUPS[spec.group]), []).append((spec, example(spec, api)))
    groups_ = [CallGroup(name, calls) for name, calls in found.items()]
    return respond(CallsPage(shell=shell_of(request), title=_("Calls and API"), groups=groups_))


def example(spec: CallSpec, api: Api) -> str:
    """A request with the values of the declaration."""
    body = {
        "pfn" if KINDS[arg.kind].forms else arg.name: arg.example
        for arg in spec.args
        if arg.example is not None
    }
    return curl(spec.name, body, api)


def joined(flags: list[str]) -> list[str]:
    """Known names without those that another one already holds."""
    values = {name: gfp_text.VALUE[name] for name in flags if name in gfp_text.VALUE}
    return [
        name
        for name, value in values.items()
        if not any(value & other == value and value != other for other in values.values())
    ]


def lecture_words(value: int) -> Iterator[str]:
    """The mask in the lecture's spelling, where it has one."""
    spelled = {name.name: name.lecture for name in gfp.NAMES if name.lecture}
    for word in filter(None, gfp.pGg(value).split("|")):
        yield spelled.get(word, word)
