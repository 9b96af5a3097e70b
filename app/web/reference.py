"""The pages that need no machine: GFP masks, and the reference of calls."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument, Fault
from app.machine import gfp_text, oldmasks
from app.machine.entry import CALLS
from app.machine.kinds import KINDS
from app.machine.vocabulary import CallSpec
from app.mm import gfp
from app.web.advice import advice
from app.web.callform import GROUPS
from app.web.contexts.base import Link
from app.web.contexts.gfp import GfpPage, MaskReading
from app.web.contexts.reference import CallGroup, CallsPage
from app.web.gfptables import groups
from app.web.language import _
from app.web.mask import facts
from app.web.recipes import Api, curl
from app.web.refusals import of_pages, replaced
from app.web.render import respond
from app.web.requester import api_of
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)


@router.get("/gfp")
async def gfp_page(request: Request, mask: str = "", kernel: str = "") -> Response:
    """Take a mask apart. Ticked flags are joined into `mask`, so that the address can be passed on."""
    ticked = request.query_params.getlist("flag")
    if ticked:
        return RedirectResponse(f"/gfp?{urlencode({'mask': '|'.join(joined(ticked))})}", 303)
    typed = mask.strip() or "GFP_KERNEL"
    given, error, suggestions = oldmasks.Given(0, ""), None, []
    try:
        given = oldmasks.read(typed)
    except BadArgument as refused:
        fault = refused.faults[0]
        error, suggestions = of_pages(fault.msg), instead(typed, fault)
    version, kernel_error = None, None
    try:
        version = oldmasks.version_of(kernel) if kernel.strip() else None
    except BadArgument as refused:
        kernel_error = refused.faults[0].msg
    found = [] if error or kernel_error else oldmasks.readings(given, version)
    meant = max(found, key=lambda one: one.likely, default=None)
    value = given.value if meant is None or meant.kernel == "6.1" else meant.now
    return respond(
        GfpPage(
            shell=shell_of(request),
            title=_("GFP masks"),
            typed=typed,
            error=error,
            suggestions=suggestions,
            kernel=kernel[:100],
            kernel_error=kernel_error,
            readings=[] if len(found) == 1 else mask_readings(found),
            value=value,
            line=gfp.pGg(value) or "0",
            lecture="|".join(lecture_words(value)) or "0",
            facts=list(facts(value)),
            groups=groups(value),
            advice=advice(),
        ),
        422 if error or kernel_error else 200,
    )


def instead(typed: str, fault: Fault) -> list[Link]:
    """The mask with another word in the place of the one that is not known."""
    return [
        Link(word, f"/gfp?{urlencode({'mask': replaced(typed, fault.word, word)})}")
        for word in fault.suggestions
    ]


def mask_readings(found: list[oldmasks.Reading]) -> list[MaskReading]:
    """What a mask means to kernels, the likeliest first."""
    return [
        MaskReading(
            one.kernel,
            one.mask,
            one.names,
            Link(gfp.pGg(one.now) or "0", f"/gfp?{urlencode({'mask': gfp.pGg(one.now) or '0'})}"),
            one.unknown,
            one.likely,
        )
        for one in sorted(found, key=lambda one: not one.likely)
    ]


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
