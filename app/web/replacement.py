"""The page that compares page replacement policies on a list of pages, a trace, or a process's accesses.

What is asked stands in the address, so that it can be passed on; a trace, and what is too long for an
address, is sent and answered at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.errors import BadArgument
from app.machine.replacement import CONVENTIONS, POLICIES, ReferenceString, opinion, pasted, traces
from app.sessions.reference_strings import Found
from app.web import fields, wording
from app.web.contexts.base import Fact, Link, ShownRefusal
from app.web.contexts.replacement import Compared, PolicyChoice, ReplacementPage
from app.web.language import N_, _, ngettext
from app.web.policies import curve, made, table, verdict, words
from app.web.policies.asked import FIRST_STEPPED, Asked, Given, given_by, parse, text_of
from app.web.recipes import curl
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import api_of, sessions_for
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

TYPED: Final = ("string", "session", "task", "trace_text", "frames", "to", "load_bit", "opinion")
SESSIONS: Final = 100
TASKS: Final = 50
NOT_COMPARED: Final = N_("Nothing was compared")
EXAMPLES: Final = (
    (N_("the string of most textbooks"), "7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1", "lru"),
    (N_("Belady’s anomaly"), "1 2 3 4 1 2 5 1 2 3 4 5", "fifo"),
    (N_("a loop one page too long"), "1 2 3 4 1 2 3 4 1 2 3 4 1 2 3 4", "opt"),
    (N_("two hot pages and a scan"), "1 2 1 2 1 2 3 1 4 2 5 1 6 2 7 1 8 2 9 1 2", "lru_2list"),
)
# Of a string that is sent to the API in a recipe.
RECIPE_LENGTH: Final = 2000
TRACE_FORMS: Final = {
    "lackey": N_("valgrind’s lackey"),
    "hexaddr": N_("address R|W"),
    "din": N_("dinero’s din"),
}
DROPPED: Final = {
    traces.VALGRINDS: N_("valgrind’s own words"),
    traces.NO_REFERENCE: N_("lines that are no reference"),
}


@router.get("/replacement")
async def replacement(request: Request) -> Response:
    """Show what the address asks for; without anything, the form and some strings to begin with."""
    given = given_by(request.query_params.multi_items())
    return await answer(request, given, None, begun=bool(given))


@router.post("/replacement")
async def compare(request: Request) -> Response:
    """Compare what was sent: by its address, if it fits into one."""
    limit = request.app.state.settings.replacement_body_limit
    async with request.form(max_part_size=limit) as form:
        given, trace = given_by(form.multi_items()), await trace_of(form)
    try:
        address = parse(given, trace).address
    except BadArgument:
        address = None
    if address is not None:
        return RedirectResponse(address, 303)
    return await answer(request, given, trace, begun=True)


async def trace_of(form: FormData) -> str | None:
    """The text of the file that came; None where none was chosen."""
    file = form.get("trace")
    if not isinstance(file, UploadFile) or not file.size:
        return None
    return (await file.read()).decode(errors="replace")


async def answer(request: Request, given: Given, trace: str | None, *, begun: bool) -> Response:
    """The page. begun: whether anything is asked."""
    refused: Exception | None = None
    found: made.Made | None = None
    tasks: list[Link] = []
    asked: Asked | None = None
    if begun:
        try:
            asked = parse(given, trace)
            tasks = await tasks_of(request, asked)
            if asked.source != "session" or asked.task:
                found = await compared_by(request, asked)
                refused = found.refused
        except REFUSED as error:
            refused = error
    shown = None
    if asked is not None and found is not None:
        shown = await run_in_threadpool(compared_of, request, asked, found)
    refusal = None if refused is None else refusal_of(refused, NOT_COMPARED)
    status = 200 if refused is None else status_of(refused)
    return respond(await page(request, given, asked, tasks, refusal, shown), status)


async def tasks_of(request: Request, asked: Asked) -> list[Link]:
    """The processes of the chosen session that have a reference string."""
    if asked.source != "session":
        return []
    sessions, who = sessions_for(request)
    found = await sessions.accessing_tasks(who, asked.session)
    return [
        Link(
            name,
            replace(asked, task=name, row=0, opinion="").address,
            current=name == asked.task,
            hint=ngettext("%(num)s call", "%(num)s calls", calls),
        )
        for name, calls in list(found.items())[:TASKS]
    ]


async def compared_by(request: Request, asked: Asked) -> made.Made:
    """Make the runs. Raises BadArgument by field, and what reading a session does."""
    sessions, who = sessions_for(request)
    journal: Found | None = None
    if asked.source == "session":
        journal = await sessions.reference_string(who, asked.session, asked.task, None)
    found = await sessions.compute(who, made.make, asked, journal)
    if found is None:
        raise BadArgument.at("task", _("this process has touched no page yet"))
    return found


def compared_of(request: Request, asked: Asked, found: made.Made) -> Compared:
    """The runs as the page shows them."""
    asked = in_an_address(asked, found.string)
    machine = marks_of(found.journal)
    address = asked.address
    return Compared(
        facts=facts(found),
        machine=what_the_machine_did(found.journal),
        curve=curve.curve(
            found.results,
            cut_of(asked, found),
            lambda size: None if address is None else replace(asked, frames=size, row=0).address,
        ),
        steps=table.table(
            found.result,
            found.steps,
            len(found.string),
            machine,
            None if address is None else lambda row: f"{replace(asked, row=row, opinion='').address}#steps",
            []
            if address is None
            else [
                Link(
                    words.title(name),
                    f"{replace(asked, policy=name, row=0, opinion='').address}#steps",
                    current=name == asked.policy,
                )
                for name in POLICIES
            ],
        ),
        opinion=None if found.opinion is None else verdict.second_opinion(*found.opinion),
        asks=len(found.string) <= opinion.MOST_STEPS,
        carried=[pair for pair in asked.pairs if pair[0] not in ("opinion", "row")],
        api=recipe(request, asked, found),
    )


def in_an_address(asked: Asked, string: ReferenceString) -> Asked:
    """The same with a short trace as a list, which has an address and can be sent again."""
    if asked.source != "trace" or len(string) > opinion.MOST_STEPS:
        return asked
    return replace(asked, source="list", text=pasted.written(string))


# -- words about the string ------------------------------------------------------------------------


def facts(found: made.Made) -> list[Fact]:
    """How long the string is, and what of its source is not in it."""
    string = found.string
    said = [
        Fact(_("references"), wording.count(len(string))),
        Fact(_("pages"), wording.count(len(string.names))),
        Fact(_("writes"), wording.count(sum(string.writes))),
    ]
    if found.trace is not None:
        said.append(Fact(_("form"), _(TRACE_FORMS[found.trace.form])))
        said += [
            Fact(
                _("dropped"),
                _("%(count)s: %(why)s", count=wording.count(lines), why=dropped(why)),
            )
            for why, lines in found.trace.dropped.items()
        ]
    if found.journal is not None and found.journal.truncated:
        said.append(Fact(_("dropped"), _("everything after these references")))
    if found.journal is not None and found.journal.cut:
        rows = ", ".join(f"#{wording.count(seq)}" for seq in found.journal.cut[:8])
        said.append(Fact(_("not known"), _("where the process died in row %(rows)s", rows=rows)))
    return said


def dropped(why: str) -> str:
    """Why lines of a trace were left out."""
    return _(DROPPED[why]) if why in DROPPED else _("lines after the last reference that is taken")


def marks_of(journal: Found | None) -> str | None:
    """What the machine did at each reference: F, H, or nothing where that is not known."""
    return None if journal is None else "".join("HF "[fault] for fault in journal.faults)


def what_the_machine_did(journal: Found | None) -> str:
    """In one sentence."""
    if journal is None:
        return ""
    said = ngettext(
        "The machine itself had %(num)s page fault at these references.",
        "The machine itself had %(num)s page faults at these references.",
        journal.faults.count(1),
    )
    if journal.again:
        said += " " + ngettext(
            "%(num)s of them read a page again that had left memory.",
            "%(num)s of them read pages again that had left memory.",
            journal.again,
        )
    unknown = journal.faults.count(2)
    if unknown:
        said += " " + ngettext(
            "Of %(num)s reference, which the kernel made for the process, it is not known.",
            "Of %(num)s references, which the kernel made for the process, it is not known.",
            unknown,
        )
    return said + " " + _("Others share its frames, and pages may have left for other reasons.")


def cut_of(asked: Asked, found: made.Made) -> str:
    """Why the curve ends before every page has a frame."""
    end = found.results[-1].frames
    if end >= len(found.string.names) or asked.to is not None:
        return ""
    return _(
        "The curve ends at %(end)s frames; all %(pages)s pages would take longer. "
        "“Curve up to” asks for more.",
        end=wording.count(end),
        pages=wording.count(len(found.string.names)),
    )


def recipe(request: Request, asked: Asked, found: made.Made) -> str:
    """The request that asks the API for the curve."""
    string: object = {"session": asked.session, "task": asked.task}
    if asked.source == "trace":
        string = {"trace": "…"}
    elif asked.source == "list":
        string = pages_of(found.string) if len(found.string) <= RECIPE_LENGTH else ["…"]
    body: dict[str, object] = {"string": string, "frames": {"from": 1, "to": found.results[-1].frames}}
    if len(asked.policies) < len(POLICIES):
        body["policies"] = list(asked.policies)
    if not asked.load_bit:
        body["load_bit"] = 0
    api = api_of(request, "")
    return curl("replacement", body, replace(api, address=api.address.removesuffix("/sessions/")))


def pages_of(string: ReferenceString) -> list[object]:
    """The string as the API takes it."""
    named = zip(map(string.names.__getitem__, string.pages), string.writes, strict=True)
    return [[page, "W"] if write else page for page, write in named]


# -- the form --------------------------------------------------------------------------------------


async def page(
    request: Request,
    given: Given,
    asked: Asked | None,
    tasks: list[Link],
    refusal: ShownRefusal | None,
    compared: Compared | None,
) -> ReplacementPage:
    """The context."""
    sessions, who = sessions_for(request)
    listed = await sessions.list(who, SESSIONS)
    chosen, stepped = given.get("with", ()), text_of(given, "policy") or FIRST_STEPPED
    typed = {name: text_of(given, name) for name in TYPED}
    session = typed["session"]
    known = [(info.id, info.name) for info in listed.items]
    if session and session not in {each for each, _name in known}:
        known.append((session, session))
    return ReplacementPage(
        shell=shell_of(request, "/replacement" if request.method == "POST" else None),
        title=_("Page replacement compared"),
        source=text_of(given, "of") or "list",
        typed=fields.again(typed),
        policies=[
            PolicyChoice(name, words.title(name), not chosen or name in chosen, stepped == name)
            for name in POLICIES
        ],
        sessions=known,
        tasks=tasks,
        back=None
        if asked is None or asked.source != "session" or not tasks
        else Link(_("Back to the machine"), f"/sessions/{asked.session}?view=vm"),
        examples=[
            Link(
                _(title), f"/replacement?{urlencode([('of', 'list'), ('string', text), ('policy', policy)])}"
            )
            for title, text, policy in EXAMPLES
        ],
        refusal=refusal,
        compared=compared,
        limit=wording.size(request.app.state.settings.replacement_body_limit),
        conventions=words.conventions(CONVENTIONS),
    )
