"""The machine page, and the forms on it.

Each form is the API's call: it goes through the same door, and leads back here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.labs import Place
from app.machine import calltext
from app.machine.calls import Named
from app.machine.entry import CALLS
from app.machine.gfp_text import VALUE
from app.sessions import (
    Applied,
    BatchItem,
    Conflict,
    NotFound,
    Principal,
    SessionInfo,
    Sessions,
    principal_of,
)
from app.web import address, belonging, callform, fields, rowpages, timeline, wording
from app.web.address import PANELS, Address
from app.web.asking import api_of, asker
from app.web.contexts import Brought, Fact, JournalRow, Link, MachinePage, NameChip, Refusal, Switch
from app.web.demo_contexts import DemoPanel
from app.web.demopanel import demo_panel
from app.web.framemap import map_view
from app.web.inspector import inspector, missing
from app.web.journal import journal_row, outcome_view, pfn_of
from app.web.language import N_, _, ngettext
from app.web.lists import lists_panel
from app.web.logpanel import log_panel
from app.web.nicknames import with_names
from app.web.panels import table_panel, tabs
from app.web.procfiles import proc_panel
from app.web.queues import queues
from app.web.reading import Reading, cost, look
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.rowpages import Rows
from app.web.shell import shell_of
from app.web.shownrows import Outcome, block_count, outcome_of
from app.web.slabgrid import slab_grid
from app.web.stage import StageView, stage_at
from app.web.things import thing
from app.web.vmspace import vmalloc_strip
from app.web.zones import zone_views

router = APIRouter(include_in_schema=False)

NAMES_SHOWN: Final = 40
SWITCHES: Final = {
    "lecture": (
        N_("lecture view"),
        N_("no per-CPU lists, no grouping: each call moves the free lists at once"),
    ),
    "pcp": (
        "pcp",
        N_("per-CPU page lists: single frames pass through them, and the free lists do not move"),
    ),
    "mobility": (
        N_("mobility"),
        N_("grouping by mobility: a free list for each migratetype, and steals"),
    ),
    "debug": (N_("debug"), N_("a debug kernel: DEBUG_VM, DEBUG_ATOMIC_SLEEP, slub_debug=F")),
}


@router.get("/sessions/{session_id}")
async def machine_page(request: Request, session_id: str) -> Response:
    """The machine as it is now."""
    here = address.parse(session_id, request.query_params)
    return respond(await page(request, here))


@router.post("/sessions/{session_id}/call/{name}")
async def make_call(request: Request, session_id: str, name: str) -> Response:
    """A form's call.

    Done: back to the page, with its outcome. Refused: the same page, with what was typed.
    """
    if name not in CALLS:
        raise NotFound("call", name)
    form = await request.form()
    typed = callform.typed_of(form)
    here = address.parse(session_id, str(form.get("view", ""))).to(call=name, moment=None)
    try:
        body = fields.body_of(CALLS[name], typed)
        applied = await call(request, session_id, name, body, typed.get("as", "").strip() or None)
    except REFUSED as error:
        return respond(await page(request, here, refusal_of(error), typed), status_of(error))
    return RedirectResponse(here.to(outcome=applied.seq, before=None).href + "#outcome", 303)


@router.get("/sessions/{session_id}/call/{name}")
async def call_form_page(session_id: str, name: str) -> Response:
    """Where a reload of a refused form leads when it is asked for again: to the form, empty."""
    return RedirectResponse(Address(session_id, call=name).href, 303)


@router.post("/sessions/{session_id}/line")
async def run_line(
    request: Request, session_id: str, line: Annotated[str, Form()] = "", view: Annotated[str, Form()] = ""
) -> Response:
    """The console's line."""
    here = address.parse(session_id, view).to(moment=None)
    try:
        read = calltext.parse_line(line)
        if read.name is None:
            return RedirectResponse(here.href, 303)
        applied = await call(request, session_id, read.name, read.body, read.as_name)
    except REFUSED as error:
        return respond(await page(request, here, refusal_of(error), line=line), status_of(error))
    return RedirectResponse(here.to(outcome=applied.seq, before=None).href + "#outcome", 303)


async def call(
    request: Request, session_id: str, name: str, body: Mapping[str, Any], as_name: str | None
) -> Applied:
    """One call; as a batch of one where its result gets a name, since names belong to batches."""
    sessions, who = door(request)
    if as_name is None:
        return await sessions.apply(who, session_id, name, body)
    (applied,) = await sessions.batch(who, session_id, [BatchItem(name, body, as_name)])
    return applied


def door(request: Request) -> tuple[Sessions, Principal]:
    """Through which everything goes, and who asks."""
    return request.app.state.sessions, principal_of(request.scope)


async def page(
    request: Request,
    here: Address,
    refusal: Refusal | None = None,
    typed: Mapping[str, str] | None = None,
    line: str = "",
    demo_refusal: Refusal | None = None,
    history_refusal: Refusal | None = None,
) -> MachinePage:
    """Everything on the page, of one moment: the machine is read first, and rows behind it are not shown."""
    sessions, who = door(request)
    panel = here.panel if here.panel in PANELS else PANELS[0]
    info = await sessions.get(who, here.id)
    place = await belonging.place_at(request, here.id)
    here = here.to(moment=timeline.moment(here, info))
    touched = await frame_touched(sessions, who, info, here)
    reading: Reading | None = None
    if here.moment is not None:
        try:
            reading = await sessions.past(who, here.id, here.moment, look, here, panel, touched)
        except Conflict as error:
            history_refusal = refusal_of(error, N_("That moment cannot be shown"))
            here = here.to(moment=None)
    if reading is None:
        reading = await sessions.view(
            who,
            here.id,
            partial(cost, here=here, panel=panel, touched=touched),
            look,
            here,
            panel,
            touched,
        )
    info = await sessions.get(who, here.id)
    people = belonging.people(place)
    rows = await rowpages.rows_of(sessions, who, info, here, people)
    shown = await outcome_to_show(sessions, who, info, here, rows.rows)
    names, named = await sessions.some_names(who, here.id, NAMES_SHOWN)
    if shown is not None:
        here = here.to(outcome=shown["seq"])
    demo = await demo_panel(
        request.app.state.demos, sessions, who, here, api_of(request, info.id), demo_refusal
    )
    return build(
        request,
        here,
        info,
        reading,
        rows,
        shown,
        names,
        named,
        panel,
        refusal,
        fields.again(typed or {}),
        line,
        demo,
        history_refusal,
        place,
        await stage_at(request, here.id),
        await belonging.brought_to(request, place, info),
        await begun(sessions, who, info),
    )


async def frame_touched(sessions: Sessions, who: Principal, info: SessionInfo, here: Address) -> int | None:
    """The frame that the call to be shown was about, where the address leaves open what to look at."""
    if here.zone is not None or here.pfn is not None:
        return None
    shown = await outcome_to_show(sessions, who, info, here, [])
    return pfn_of(shown) if shown else None


async def outcome_to_show(
    sessions: Sessions, who: Principal, info: SessionInfo, here: Address, rows: list[Outcome]
) -> Outcome | None:
    """The row that the address names, else the last one of the moment that is shown."""
    last = info.seq if here.moment is None else here.moment
    seq = last if here.outcome is None else here.outcome
    found = next((row for row in rows if row["seq"] == seq), None)
    if found is not None:
        return found
    try:
        return await outcome_of(await sessions.event(who, info.id, seq))
    except NotFound:
        return None


def build(
    request: Request,
    here: Address,
    info: SessionInfo,
    reading: Reading,
    rows: Rows,
    shown: Outcome | None,
    names: Mapping[str, Named | None],
    named: int,
    panel: str,
    refusal: Refusal | None,
    typed: Mapping[str, str],
    line: str,
    demo: DemoPanel | None,
    history_refusal: Refusal | None,
    place: Place | None,
    stage: StageView | None,
    brought: Brought | None,
    begun: Link | None,
) -> MachinePage:
    """The context."""
    machine = info.machine
    person = asker(request)
    people = belonging.people(place)
    sleepers = [] if place is None else belonging.sleepers(place, person, info.id, reading.tasks)
    bar = None if place is None else belonging.place_view(place, person, info, reading.tasks, brought)
    stopped = belonging.stopped(place)
    watched = place is not None and place.role == "watcher"
    past = timeline.past(here, info)
    task = belonging.task_of(place, person)
    tasks = reading.tasks
    reading = with_names(reading, people)
    api = f"/api/v1/sessions/{info.id}"
    full_api = api_of(request, info.id)
    changed = (shown["changed"] or ()) if shown else ()
    frame = inspector(reading.frame, here) if reading.frame else None
    found = thing(reading.thing, here) if reading.thing else None
    if frame is None and here.pfn is not None:
        frame = missing(here.pfn)
    if watched:  # what could be done to it is for those who may
        frame = None if frame is None else replace(frame, actions=())
        found = None if found is None else replace(found, actions=(), forms=())
    journal = [row_of(row, info, here, people) for row in rows.rows]
    return MachinePage(
        shell=shell_of(request, here.href),
        title=info.name,
        id=info.id,
        name=info.name,
        seq=info.seq,
        facts=headline(machine),
        overhead=overhead(machine),
        switches=[
            Switch(_(words), _("on") if machine[key] else _("off"), hint=_(hint), on=machine[key])
            for key, (words, hint) in SWITCHES.items()
        ],
        view=here.query,
        zones=zone_views(reading.zones, reading.zone, here),
        map=map_view(reading.zones, reading.zone, reading.window, reading.cells, changed, here),
        inspector=frame,
        thing=found,
        outcome=outcome_view(shown, here, full_api, tasks, people) if shown else None,
        refusal=refusal,
        form=callform.call_form(here, typed, refusal, full_api, numa=machine["nodes"] > 1, task=task),
        panels=tabs(panel, here),
        panel=panel,
        lists=lists_panel(reading.panel, here) if panel == "lists" else None,
        table=table_panel(panel, reading.panel, here),
        log=log_panel(reading.panel["lines"], here) if panel == "log" else None,
        proc=proc_panel(reading.panel, here, full_api) if panel == "proc" else None,
        grid=slab_grid(reading.panel["open"], here) if panel == "slab" and reading.panel["open"] else None,
        strip=vmalloc_strip(reading.panel["drawn"], reading.panel["total"], reading.zones, here)
        if panel == "vmalloc"
        else None,
        queues=queues(reading.tasks, reading.panel["locks"], here) if panel == "tasks" else None,
        journal=journal,
        find=rowpages.finding(info, here, rows),
        older=rowpages.older(info, here, rows),
        newer=rowpages.newest(info, here, journal),
        line=line[: fields.SHOWN_AGAIN],
        names=[chip(name, value, here) for name, value in names.items()],
        more_names=named - len(names),
        gfp_names=tuple(VALUE),
        caches=reading.caches,
        api=api,
        close=here.to(pfn=None, obj=None).href,
        timeline=timeline.timeline(here, info),
        past=past,
        origin=origin(info),
        begun=begun,
        diverged=timeline.diverged(here, info),
        history_refusal=history_refusal,
        demo=demo,
        place=bar,
        stopped=stopped,
        callable=past is None and stopped is None,
        watched=watched,
        rewinds=belonging.rewinds(place),
        task=task,
        sleepers=sleepers,
        stage=stage,
    )


def row_of(outcome: Outcome, info: SessionInfo, here: Address, people: Mapping[str, str]) -> JournalRow:
    """A row of the journal, which leads to the machine as that call left it. people: by their numbers.

    A row older than its session came in with a file: its numbers are those of people elsewhere.
    """
    found = journal_row(outcome, here)
    here_made = outcome["time"] >= info.created
    by = people.get(found.by, found.by) if found.by is not None and here_made else found.by
    return replace(found, href=timeline.to_moment(here, info, found.seq).href, by=by, by_number=found.by)


def origin(info: SessionInfo) -> Link | None:
    """What the session was branched off."""
    if info.origin is None:
        return None
    seq = info.origin["seq"]
    return Link(
        _("from #%(seq)s", seq=wording.count(seq)),
        f"/sessions/{info.origin['id']}?at={seq}",
        hint=_("The session that this one was branched off"),
    )


async def begun(sessions: Sessions, who: Principal, info: SessionInfo) -> Link | None:
    """The row of another session from which this one goes on; it leads there for who may read it."""
    if info.origin is None or info.start == 0:
        return None
    words = _("#%(seq)s", seq=wording.count(info.origin["seq"]))
    try:
        await sessions.get(who, info.origin["id"])
    except NotFound:
        return Link(words, None)
    return Link(words, f"/sessions/{info.origin['id']}?at={info.origin['seq']}")


def headline(machine: Mapping[str, Any]) -> list[Fact]:
    """The machine in five words."""
    found = [
        Fact(_("profile"), machine["profile"] or _("from a dump"), hint=str(machine.get("tiny") or "")),
        Fact(_("kernel"), f"Linux {machine['kernel']}"),
        Fact(_("memory"), wording.size(machine["memory"])),
        Fact(_("CPUs"), ngettext("%(num)s CPU", "%(num)s CPUs", machine["cpus"])),
    ]
    if machine["nodes"] > 1:
        found.append(Fact(_("nodes"), ngettext("%(num)s node", "%(num)s nodes", machine["nodes"])))
    return found


def overhead(machine: Mapping[str, Any]) -> list[Fact]:
    """What the struct pages cost, as the lecture computes it, for each size that it had."""
    return [
        Fact(
            f"{wording.in_bytes(entry['bytes'])} × {wording.count(machine['frames'])}",
            wording.cost(entry["total"], entry["share"]),
        )
        for entry in machine["struct_page_overhead"]
    ]


def chip(name: str, named: Named | None, here: Address) -> NameChip:
    """What a name stands for."""
    if named is None:
        return NameChip(name, _("many blocks"), None)
    if named.is_list:
        return NameChip(name, block_count(named.length), None)
    if named.pfn is not None:
        return NameChip(name, wording.pfn(named.pfn), here.at(named.pfn))
    if named.addr is not None:
        addr = wording.hexadecimal(named.addr)
        return NameChip(name, addr, here.thing(addr).to(addr=addr).href)
    return NameChip(name, "NULL", None)
