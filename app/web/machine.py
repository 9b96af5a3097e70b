"""The machine page: which rows and what of the machine it reads, and the context that is made of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.labs import MachineRows, Person
from app.machine.calls import Named
from app.machine.gfp_text import VALUE
from app.sessions import Conflict, PageQuery, SessionInfo
from app.web import (
    address,
    callform,
    demoasking,
    demopanel,
    exercisepanel,
    fields,
    gradedpanel,
    layouts,
    mastery,
    place_in_lab,
    reclaim_words,
    reports,
    rowpages,
    timeline,
    views,
    wording,
    wronglinks,
)
from app.web.address import Address
from app.web.address_inspector import address_inspector
from app.web.contexts.base import Fact, Link, ShownRefusal
from app.web.contexts.exercise import ExercisePanel
from app.web.contexts.inspector import AddressView, Inspector
from app.web.contexts.journal import JournalRow
from app.web.contexts.machine import MachinePage, NameChip, Switch
from app.web.contexts.panels import PanelView
from app.web.contexts.views import CentreView
from app.web.demoasking import Asking, DemoAgain
from app.web.exercisepanel import Asked, ExerciseAgain
from app.web.frame_inspector import inspector, missing
from app.web.frame_states import PATTERNS
from app.web.framemap import map_view
from app.web.gradedpanel import Graded
from app.web.journal import journal_row, outcome_view, pfn_of
from app.web.language import N_, _, ngettext
from app.web.nicknames import called
from app.web.panels import Panel, Seen, opened, tabs
from app.web.preferences import preferences_of
from app.web.presenting import presenting_view
from app.web.reading import Reading, cost, look
from app.web.reading import View as Wanted
from app.web.recipes import Api
from app.web.refusals import refusal_of
from app.web.render import respond
from app.web.requester import api_of, labs_of, requester, sessions_for
from app.web.rowpages import Rows
from app.web.shell import shell_of
from app.web.shownrows import Outcome, block_count, outcome_of, outcomes_of
from app.web.views import Sight, View, processes
from app.web.vm import selection
from app.web.zones import Kswapds, zone_views

router = APIRouter(include_in_schema=False)

# So many calls, and one knows how the page works.
FEW: Final = 3
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
    "reclaim": (
        N_("reclaim"),
        N_("what was not used for long is taken back where memory is short; at last somebody is killed"),
    ),
    "debug": (N_("debug"), N_("a debug kernel: DEBUG_VM, DEBUG_ATOMIC_SLEEP, slub_debug=F")),
}


@dataclass(frozen=True, slots=True)
class Again:
    """What a page shows once more after a form on it was refused."""

    refusal: ShownRefusal | None = None
    """why a call was refused"""
    typed: Mapping[str, str] = field(default_factory=dict)
    """what stood in the form of the call"""
    line: str = ""
    """what stood in the console"""
    demo: DemoAgain = field(default_factory=DemoAgain)
    """what the panel of a demo shows once more"""
    history_refusal: ShownRefusal | None = None
    """why an undo, a rewind or a fork was refused, or a moment cannot be shown"""
    exercise: ExerciseAgain = field(default_factory=ExerciseAgain)
    """what the panel of an exercise shows once more"""


@dataclass(frozen=True, slots=True)
class Found:
    """What a page was found to show, of one moment."""

    here: Address
    """the address of the page, with the moment and the row that are shown"""
    info: SessionInfo
    """the session"""
    centre: View
    """what the centre shows"""
    panel: Panel
    """the open panel"""
    rows: MachineRows
    """the session's rows, and its place in a lab"""
    journal: Rows
    """the rows of the journal that are listed"""
    shown: Outcome | None
    """the row that is shown with its outcome"""
    run: Sequence[Outcome]
    """the rows of the demo's step, or of the exercise's task"""
    asked: Asked | Graded | None
    """the exercise's task, practised or of a sheet"""
    asking: Asking
    """what is to be predicted of the demo's step"""
    reading: Reading
    """what was read of the machine"""
    person: Person
    """the person at the browser"""
    api: Api
    """where a terminal finds the session"""
    freed: Mapping[str, Any] | None
    """the row that freed before what the shown one frees again"""
    notices: Sequence[str]
    """what of the address shows nothing, in words"""

    @property
    def people(self) -> Mapping[str, str]:
        """The nicknames of those whom rows and tasks call by number."""
        return place_in_lab.people(self.rows.place)

    @property
    def watched(self) -> bool:
        """Whether the person at the browser can never make a call."""
        return self.rows.place is not None and self.rows.place.role == "watcher"


@router.get("/sessions/{session_id}")
async def machine_page(request: Request, session_id: str) -> Response:
    """Show the machine as it is now, or at the moment that the address names."""
    here = address.parse(session_id, request.query_params)
    return respond(await page(request, here))


async def page(request: Request, here: Address, again: Again | None = None) -> MachinePage:
    """Read the rows, then the machine, and make the page of both.

    A call that is made between the two is seen on the machine and not yet in the journal. The page's script,
    which follows the session from its last row on, then learns of it.
    """
    again = again or Again()
    asked = here
    centre = views.chosen(here)
    panel = opened(here, centre.panels)
    asked_task = await read_exercise(request, here)
    rows = await read_rows(request, here, asked_task)
    here = here.to(moment=rows.rows.moment, va=selection.spelled(here.va, rows.rows.names))
    journal, shown = await decoded(request, here, rows)
    view = Wanted(here, centre, panel, touched(shown, here), last_touched(shown), shown)
    try:
        reading = await read_machine(request, view)
    except Conflict as error:
        if here.moment is None:
            raise
        again = replace(again, history_refusal=refusal_of(error, N_("That moment cannot be shown")))
        here = here.to(moment=None)
        reading = await read_machine(request, replace(view, here=here))
        rows = await read_rows(request, here, asked_task)
        journal, shown = await decoded(request, here, rows)
    reading = await with_series(request, view.panel, here, reading, rows.rows.info)
    run = await outcomes_of(rows.rows.run)
    presents = rows.stage is not None and rows.stage.presents
    found = Found(
        here=here if shown is None else here.to(outcome=shown["seq"]),
        info=sessions_for(request)[0].with_divergence(rows.rows.info),
        centre=centre,
        panel=panel,
        rows=rows,
        journal=journal,
        shown=shown,
        run=run,
        asked=None if isinstance(asked_task, str) else asked_task,
        asking=await demoasking.read(request, here, run, again.demo, presents=presents),
        reading=reading,
        person=requester(request),
        api=api_of(request, here.id),
        freed=await freed_before(request, here, shown),
        notices=[
            *wronglinks.notices(request.query_params, asked, rows.rows.info.seq, reading.zones),
            *([asked_task] if isinstance(asked_task, str) else ()),
        ],
    )
    return build(request, found, again)


async def read_exercise(request: Request, here: Address) -> Asked | Graded | str | None:
    """Read the exercise beside the machine, if there is one; in words why not, where it cannot be shown."""
    return await gradedpanel.read(request, here) or await exercisepanel.read(request, here)


async def read_rows(request: Request, here: Address, asked: Asked | Graded | str | None) -> MachineRows:
    """Read everything on the page that is no part of the machine, in one transaction."""
    if asked is None:
        run_after, run_rows = demopanel.run_of(request.app.state.demos, here)
    elif isinstance(asked, Graded):
        run_after, run_rows = gradedpanel.run_of(asked)
    else:
        run_after, run_rows = exercisepanel.run_of(asked, here)
    query = PageQuery(
        moment=here.moment,
        shown=here.outcome,
        before=here.before,
        listed=here.find is None,
        run_after=run_after,
        run_rows=run_rows,
    )
    checkpoint = request.query_params.get("brought")
    return await labs_of(request).machine_rows(requester(request), here.id, query, checkpoint)


async def read_machine(request: Request, view: Wanted) -> Reading:
    """Read the machine as it is, or as it was at the moment of the address."""
    sessions, who = sessions_for(request)
    here = view.here
    if here.moment is not None:
        return await sessions.past(who, here.id, here.moment, look, view)
    return await sessions.view(who, here.id, partial(cost, view=view), look, view)


async def with_series(
    request: Request, panel: Panel, here: Address, reading: Reading, info: SessionInfo
) -> Reading:
    """The same with the numbers over time that the open panel shows, and the moment it compares with."""
    if panel.over_time is None:
        return reading
    sessions, who = sessions_for(request)
    last = info.seq if info.diverged is None else info.diverged["seq"]
    query = panel.over_time(reading.zones, reading.zone, here, range(info.start, last + 1))
    try:
        found: dict[str, Any] = {"series": await sessions.series(who, here.id, query)}
        if here.against is not None and info.start <= here.against <= last:
            found["then"] = await sessions.past(who, here.id, here.against, panel.read, here, reading.zone)
            found["at"] = info.seq if here.moment is None else here.moment
    except Conflict as error:
        found = {"refusal": str(error)}
    return replace(reading, panel=reading.panel | found)


async def decoded(request: Request, here: Address, rows: MachineRows) -> tuple[Rows, Outcome | None]:
    """Decode the rows that are listed, or are found by what is searched for; and the one that is shown."""
    sessions, who = sessions_for(request)
    journal = await rowpages.rows_of(sessions, who, rows.rows, here, place_in_lab.people(rows.place))
    if rows.rows.shown is not None:
        return journal, await outcome_of(rows.rows.shown)
    return journal, next((row for row in journal.rows if row["seq"] == rows.rows.shown_seq), None)


async def freed_before(request: Request, here: Address, shown: Outcome | None) -> Mapping[str, Any] | None:
    """Find the row that freed before what the shown one frees again."""
    cause = shown.get("cause") if shown else None
    if shown is None or not cause:
        return None
    sessions, who = sessions_for(request)
    return await sessions.freed_before(who, here.id, shown["seq"], cause)


def touched(shown: Outcome | None, here: Address) -> int | None:
    """The frame that the shown call was about, where the address leaves open what to look at."""
    if here.zone is not None or here.pfn is not None or shown is None:
        return None
    return pfn_of(shown)


def last_touched(shown: Outcome | None) -> int | None:
    """The first frame that the shown call changed, else the one that it was about."""
    if shown is None:
        return None
    return next((run[0] for run in changed(shown)), pfn_of(shown))


def build(request: Request, found: Found, again: Again) -> MachinePage:
    """Make the context."""
    here, info, shown, place, person = found.here, found.info, found.shown, found.rows.place, found.person
    reading = found.reading.with_nicknames(found.people)
    stopped = place_in_lab.stopped(place)
    past = timeline.past(here, info)
    task = place_in_lab.task_of(place, person)
    tasks = found.reading.tasks
    frame, at_address = inspectors(found, reading)
    journal = [row_of(row, found) for row in found.journal.rows]
    rows = found.rows.rows
    names, others = rows.names, rows.others
    layout = layouts.layout_of(here, preferences_of(request))
    start = started(found.centre.form(found.reading.centre), task)
    return MachinePage(
        shell=shell_of(request, here.href),
        title=info.name,
        id=info.id,
        name=info.name,
        seq=info.seq,
        facts=headline(info.machine),
        overhead=overhead(info.machine),
        switches=switches(info.machine),
        view=here.query,
        zones=zone_views(
            reading.zones, reading.zone, here, reading.free, Kswapds(kswapds(found), reading.ran)
        ),
        map=map_view(reading, changed(shown), here, exercisepanel.guessed_frames(found.asked)),
        patterns=PATTERNS,
        inspector=frame,
        address_inspector=at_address,
        outcome=outcome_view(shown, here, found.api, tasks, found.people, info.seq, found.freed)
        if shown
        else None,
        refusal=again.refusal,
        form=callform.call_form(
            here,
            fields.again(again.typed),
            again.refusal,
            found.api,
            numa=info.machine["nodes"] > 1,
            task=task,
            start=start,
        ),
        layout=layout,
        layouts=layouts.layout_links(here, layout),
        views=views.links(found.centre, here),
        centre=centre_view(found, reading),
        tabs=tabs(found.panel, here, found.centre.panels),
        panel=panel_view(found, reading),
        journal=journal,
        find=rowpages.finding(info, here, found.journal),
        older=rowpages.older(info, here, found.journal),
        newer=rowpages.newest(info, here, journal),
        line=again.line[: fields.SHOWN_AGAIN]
        or reports.first_line(info.machine, fresh=info.seq == info.start),
        report=reports.report_view(info.machine, fresh=info.seq == info.start),
        speaker=start.get("speaker"),
        names=[
            *(chip(name, value, here) for name, value in names.items()),
            *(chip(name, value, here, found.people) for name, value in others.items()),
        ],
        more_names=rows.named - len(names) + rows.others_named - len(others),
        gfp_names=tuple(VALUE),
        caches=reading.caches,
        api=f"/api/v1/sessions/{info.id}",
        close=here.to(pfn=None, obj=None).href,
        timeline=timeline.timeline(here, info),
        past=past,
        origin=origin(info),
        newcomer=past is None and not led(here) and not found.watched and info.seq - info.start < FEW,
        notices=found.notices,
        begun=begun(info, readable=found.rows.rows.origin_readable),
        diverged=timeline.diverged(here, info),
        history_refusal=again.history_refusal,
        demo=None
        if led_by_exercise(here)
        else demopanel.demo_panel(
            request.app.state.demos, here, found.api, found.run, found.asking, again.demo.refusal
        ),
        exercise=exercise_of(request, found, again),
        place=None
        if place is None
        else place_in_lab.place_view(
            place, person, info, tasks, place_in_lab.caught_up(request, found.rows, info)
        ),
        copied_in=[Link(lab.title, f"/labs/{lab.id}") for lab in found.rows.copied_in],
        into_lab=place_in_lab.way_in(place, person, here),
        stopped=stopped,
        asks=person.kind == "instructor" and info.owner == person.id,
        callable=past is None and stopped is None,
        watched=found.watched,
        rewinds=place_in_lab.rewinds(place),
        undoes=place_in_lab.undoes(place, person, info.seq, found.journal.rows),
        task=task,
        sleepers=[] if place is None else place_in_lab.sleepers(place, person, info.id, tasks),
        presenting=presenting_view(found.rows.stage, person, here.to(layout=layouts.STAGE).href),
    )


def led(here: Address) -> bool:
    """Whether a demo or an exercise says what to do."""
    return here.demo is not None or led_by_exercise(here)


def led_by_exercise(here: Address) -> bool:
    """Whether an exercise says what to do."""
    return here.exercise is not None or here.graded is not None


def exercise_of(request: Request, found: Found, again: Again) -> ExercisePanel | None:
    """The panel of an exercise."""
    here, info, asked = found.here, found.info, found.asked
    if asked is None:
        return None
    if isinstance(asked, Graded):
        return gradedpanel.panel(asked, here, info, found.run, again.exercise)
    mark = mastery.words(request, asked.which.exercise)
    return exercisepanel.exercise_panel(asked, here, info, found.run, again.exercise, mark)


def started(form: Mapping[str, str], task: str | None) -> Mapping[str, str]:
    """What the form starts with; without the caller where that is none of the tasks of `task`, a member."""
    who = form.get("task")
    if task is None or who is None or who == task or who.startswith(f"{task}-"):
        return form
    return {name: value for name, value in form.items() if name not in ("task", "speaker")}


def changed(shown: Outcome | None) -> Sequence[Sequence[Any]]:
    """The runs of frames that the shown call changed."""
    runs: Sequence[Sequence[Any]] = (shown["changed"] or ()) if shown else ()
    return runs


def inspectors(found: Found, reading: Reading) -> tuple[Inspector | None, AddressView | None]:
    """The page frame and the address in the inspector; without calls for a person who can make none."""
    here = found.here
    frame = inspector(reading.frame, here) if reading.frame else None
    at_address = address_inspector(reading.address, here) if reading.address else None
    if frame is None and here.pfn is not None:
        frame = missing(here.pfn)
    if found.watched:
        frame = None if frame is None else replace(frame, actions=())
        at_address = None if at_address is None else replace(at_address, actions=(), forms=())
    return frame, at_address


def kswapds(found: Found) -> list[Mapping[str, Any]]:
    """The kswapd of each node, with what it did last: a machine that was opened anew has only its rows."""
    at = found.here.moment
    rows = [row for row in found.journal.rows if at is None or row["seq"] <= at]
    return [
        {**each, "last": each["last"] or reclaim_words.last_run(rows, each["task"])}
        for each in found.reading.kswapds
    ]


def centre_view(found: Found, reading: Reading) -> CentreView:
    """What the centre shows."""
    return found.centre.view(
        Sight(
            doc=reading.centre,
            zones=reading.zones,
            zone=reading.zone,
            window=reading.window,
            changed=changed(found.shown),
            shown=found.shown,
            here=found.here,
            people=found.people,
        )
    )


def panel_view(found: Found, reading: Reading) -> PanelView:
    """What the open panel shows."""
    return found.panel.view(
        Seen(
            reading.panel,
            reading.zones,
            reading.tasks,
            found.here,
            found.api,
            found.shown,
            exercisepanel.guessed_lists(found.asked),
        )
    )


def row_of(outcome: Outcome, found: Found) -> JournalRow:
    """A row of the journal, which leads to the machine as that call left it.

    A row older than its session came in with a file: its numbers are those of people elsewhere.
    """
    row = journal_row(outcome, found.here)
    here_made = outcome["time"] >= found.info.created
    by = found.people.get(row.by, row.by) if row.by is not None and here_made else row.by
    href = timeline.to_moment(found.here, found.info, row.seq).href
    return replace(row, href=href, by=by, by_number=row.by)


def origin(info: SessionInfo) -> Link | None:
    """Link to what the session was branched off."""
    if info.origin is None:
        return None
    seq = info.origin["seq"]
    return Link(
        _("from #%(seq)s", seq=wording.count(seq)),
        f"/sessions/{info.origin['id']}?at={seq}",
        hint=_("The session that this one was branched off"),
    )


def begun(info: SessionInfo, *, readable: bool) -> Link | None:
    """The row of another session after which this journal goes on; a link where that session may be read."""
    if info.origin is None or info.start == 0:
        return None
    words = _("#%(seq)s", seq=wording.count(info.origin["seq"]))
    return Link(words, f"/sessions/{info.origin['id']}?at={info.origin['seq']}" if readable else None)


def switches(machine: Mapping[str, Any]) -> list[Switch]:
    """What the machine was made with or without."""
    return [
        Switch(_(words), _("on") if machine[key] else _("off"), hint=_(hint), on=machine[key])
        for key, (words, hint) in SWITCHES.items()
    ]


def headline(machine: Mapping[str, Any]) -> list[Fact]:
    """Profile, kernel, memory, CPUs and nodes of the machine."""
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


NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def chip(name: str, named: Named | None, here: Address, people: Mapping[str, str] = NOBODY) -> NameChip:
    """Show what a name stands for. people: nicknames, where it is another person's (`m1.p`)."""
    by = name.partition(".")[0]
    whose = _("named by %(who)s", who=called(people, by)) if by != name else ""
    if named is None:
        return NameChip(name, _("many blocks"), None, whose)
    if named.is_list:
        return NameChip(name, block_count(named.length), None, whose)
    if named.pfn is not None:
        return NameChip(name, wording.pfn(named.pfn), here.at(named.pfn), whose)
    if named.kind == "pid":
        there = here.to(view=processes.VIEW.name, pid=named.addr, beside=None)
        return NameChip(name, str(named.addr), there.href, whose)
    if named.kind == "fd" and named.addr is not None:
        return NameChip(name, str(named.addr), None, whose)
    if named.kind == "user" and named.addr is not None:
        va = wording.hexadecimal(named.addr)
        return NameChip(name, va, here.to(view=processes.VIEW.name, va=va).href, whose)
    if named.addr is not None:
        addr = wording.hexadecimal(named.addr)
        return NameChip(name, addr, here.inspect(addr).to(addr=addr).href, whose)
    return NameChip(name, "NULL", None, whose)
