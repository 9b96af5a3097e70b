"""The explanation of a row: why a call was answered as it was, one decision of the kernel a row."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app.sessions import NotFound, SessionInfo, Sessions, principal_of
from app.sessions.row_text import BACKWARDS
from app.web import address, blocks, mistakes, stepping, timeline, wording
from app.web.address import Address
from app.web.contexts.base import Fact, Link
from app.web.contexts.explain import ExplainPage, StepRow, Steps
from app.web.contexts.place import PresentingView
from app.web.folding import FOLDED, Part, listing
from app.web.frame_states import PATTERNS
from app.web.journal import Outcome, call_text, change, headlines, pfn_of, ret_href, ret_text
from app.web.language import _
from app.web.presenting import presenting_at
from app.web.render import respond
from app.web.shell import shell_of
from app.web.shownrows import outcome_of
from app.web.stepping import MomentReading, StepAddress

router = APIRouter(include_in_schema=False)

Step = Mapping[str, Any]

STEPS_SHOWN: Final = 100
POINTS_SHOWN: Final = 200
CHANGES_SHOWN: Final = 8
# Drawings in the list, beside the one of the step that is shown: a refill splits dozens of blocks.
DRAWN: Final = 6
DEEPEST: Final = 12
LONGEST_VALUE: Final = 240

BAD: Final = frozenset(
    {"no", "null", "none", "no slot", "lost", "deadlock", "wrong cache", "bad", "nothing free"}
)


@dataclass(frozen=True, slots=True)
class Explained:
    """What an explanation is made of."""

    info: SessionInfo
    """the session"""
    outcome: Outcome
    """the row"""
    explained: Mapping[str, Any]
    """the steps and the tracepoints"""
    there: StepAddress
    """the address of the page"""
    view: MomentReading
    """the machine at the step that the address names"""
    presenting: PresentingView | None
    """presenting, and following, in a lab"""
    only: bool
    """True where no step but that one is listed"""


@router.get("/sessions/{session_id}/explain/{seq}")
async def explain_page(request: Request, session_id: str, seq: str) -> Response:
    """Explain one row of the journal. `?decision=5`: at that step.

    `?only=1`: with no step but that one in the list, for a page that has the others.
    """
    number = address.number(seq)
    if number is None:
        raise NotFound("event", seq)
    sessions: Sessions = request.app.state.sessions
    who = principal_of(request.scope)
    event = await sessions.event(who, session_id, number)
    explained = await sessions.explain(who, session_id, number)
    info = await sessions.get(who, session_id)
    outcome, steps = await outcome_of(event), explained["steps"]
    here = step_address(request, session_id, number, len(steps))
    step = here.decision or 0
    # The last step's machine is the one that the call left: there nothing has to be drawn on the one before.
    done = step == len(steps)
    touched = stepping.touched_by_call(steps, outcome, pfn_of(outcome))
    at = number if done else number - 1
    view = await sessions.past(
        who, session_id, at, stepping.look, here, [] if done else steps[:step], touched
    )
    only = request.query_params.get("only") == "1"
    presenting = await presenting_at(request, session_id)
    found = Explained(info, outcome, explained, here, view, presenting, only)
    # Thousands of rows take their time; others are answered meanwhile.
    return await run_in_threadpool(page, request, found)


def step_address(request: Request, session_id: str, seq: int, steps: int) -> StepAddress:
    """Read what the page is asked for. A step that does not exist becomes the nearest one."""
    asked = address.number(request.query_params.get("decision", ""))
    view = address.parse(session_id, request.query_params).to(outcome=seq)
    return StepAddress(
        **{name: getattr(view, name) for name in Address.__slots__},
        decision=None if asked is None else min(asked, steps),
    )


def page(request: Request, found: Explained) -> Response:
    """Make the page."""
    info, outcome, explained, there = found.info, found.outcome, found.explained, found.there
    steps, points, seq = explained["steps"], explained["tracepoints"], explained["seq"]
    here, step = there.machine, there.decision or 0
    length = 1 if found.only else STEPS_SHOWN
    first = max(0, step - 1) // length * length if steps else 0
    shell = shell_of(request)
    current = None if there.decision is None else step - 1
    lecture = shell.preferences.names == "lecture"
    parts = (
        alone(step)
        if found.only and steps
        else listing(steps, first, current, length, percpu=lecture, inside="access" in outcome)
    )
    last = first + length if found.only else end_of(parts)
    last = min(last, len(steps))
    lines = [] if found.only else points[:POINTS_SHOWN]
    conclusion = "" if "cause" in explained else explained["conclusion"]
    # What came of a fault is in the conclusion, with its numbers: once is enough.
    headline, reason = ("", "") if "access" in outcome and conclusion else headlines(outcome)
    deciding = None if found.only else explained["deciding"]
    more = sum(part.stop - part.start for part in parts) < len(steps) or len(points) > len(lines)
    api = f"/api/v1/sessions/{info.id}/events/{seq}/explain"
    context = ExplainPage(
        shell=shell,
        title=_("#%(seq)s explained · %(name)s", seq=seq, name=info.name),
        id=info.id,
        name=info.name,
        heading=heading(outcome),
        text=call_text(outcome),
        returned=ret_text(outcome),
        ret_href=ret_href(outcome, here),
        answered=outcome["verdict"],
        headline=headline,
        reason=reason,
        tone=mistakes.tone(outcome),
        cause=mistakes.cause_view(outcome, here, info.seq, (explained.get("cause") or {}).get("freed")),
        conclusion=conclusion,
        deciding=next(step_rows([deciding], steps, there, info)) if deciding else None,
        back=Link(_("#%(seq)s at the machine", seq=seq), here.href + "#outcome"),
        earlier=beside(info, seq - 1, _("Earlier"), here),
        later=beside(info, seq + 1, _("Later"), here),
        moment=stepping.moment(there, found.view, steps, step, outcome),
        patterns=PATTERNS,
        groups=list(step_groups(steps, parts, there, info)),
        listed=listed(first, last, len(steps)),
        total=len(steps),
        before=Link(_("the steps before"), there.step_to(first, f"#step-{first}") if first else None),
        behind=Link(
            _("the steps behind"), there.step_to(last + 1, f"#step-{last + 1}") if last < len(steps) else None
        ),
        whole=Link(_("All as JSON"), api) if more else None,
        tracepoints="\n".join(lines),
        tracepoints_listed=listed(0, len(lines), len(points)),
        tracepoints_total=len(points),
        api=api,
        presenting=found.presenting,
    )
    return respond(context)


def alone(step: int) -> list[Part]:
    """No step but one."""
    return [Part(max(step, 1) - 1, max(step, 1))]


def listed(first: int, last: int, total: int) -> str:
    """Say which of the steps are on the page."""
    if last - first == total:
        return wording.count(total)
    numbers = {"last": wording.count(last), "total": wording.count(total)}
    if first:
        return _("%(first)s to %(last)s of %(total)s", first=wording.count(first + 1), **numbers)
    return _("the first %(last)s of %(total)s", **numbers)


def heading(outcome: Outcome) -> str:
    """Say what the page answers. A rewind was not asked of the kernel, so it has no why."""
    if outcome["call"] in BACKWARDS:
        return _("What #%(seq)s did", seq=outcome["seq"])
    return _("Why #%(seq)s was answered like this", seq=outcome["seq"])


def beside(info: SessionInfo, seq: int, text: str, here: Address) -> Link:
    """Link to the explanation of the row before or after; a branch has rows of its own."""
    there = info.start < seq <= info.seq
    return Link(text, here.explain(seq) if there else None, hint=f"#{seq}" if there else "")


def step_rows(
    numbers: Iterable[int], steps: Sequence[Step], there: StepAddress, info: SessionInfo
) -> Iterator[StepRow]:
    """Make the rows of these steps, counted from 1, with drawings of the first splits and merges."""
    drawn = 0
    for number in numbers:
        step = steps[number - 1]
        current = number == there.decision
        drawing = blocks.blocks(step) if current or drawn < DRAWN else None
        drawn += drawing is not None
        before, losing, after = sides(step)
        runs: Sequence[Sequence[Any]] = step["changed"]
        here = there.machine
        yield StepRow(
            number=number,
            href=there.step_to(number, f"#step-{number}"),
            current=current,
            depth=min(step["depth"], DEEPEST),
            fn=step["fn"],
            lecture_fn=step["lecture_fn"],
            file=step["file"],
            before=before,
            losing=losing,
            after=after,
            zone=zone_text(step),
            verdict=step["verdict"] or "",
            tone=tone(step["verdict"]),
            numbers=[fact(step, name, here, info) for name in step["numbers"]],
            changes=[change(run, here) for run in runs[:CHANGES_SHOWN]],
            more_changes=max(0, len(runs) - CHANGES_SHOWN),
            blocks=drawing,
            pageblock=blocks.pageblock(step),
        )


def sides(step: Step) -> tuple[str, str, str]:
    """A decision's text before, in and behind the part that decided against the request.

    Of `free 9 − 0 ≤ min 20 + reserve 0` that is the left side, where it was enough memory the missing block;
    of a pageblock that is not claimed, what is free and alike in it.
    """
    what, verdict = step["what"], step["verdict"]
    if step["fn"] == "steal_suitable_fallback" and verdict == "kept":
        left, sign, right = what.partition(" < ")
        return "", left, f"{sign}{right}"
    if verdict != "no":
        return what, "", ""
    head, but, missing = what.partition(", but ")
    if but:
        return f"{head}, ", f"but {missing}", ""
    left, sign, right = what.partition(" ≤ ")
    return "", left, f"{sign}{right}"


def tone(verdict: str | None) -> str:
    """Whether a decision was for the request (`ok`) or against it (`no`); most are neither."""
    if verdict in BAD:
        return "no"
    return "ok" if verdict == "ok" else ""


def zone_text(step: Step) -> str:
    """Where a step is about one zone, or one node."""
    zone, node = step["zone"], step["node"]
    if zone is not None:
        return _("%(zone)s, node %(node)s", zone=zone, node=node) if node else str(zone)
    return _("node %(node)s", node=node) if node is not None else ""


def fact(step: Step, name: str, here: Address, info: SessionInfo) -> Fact:
    """One number that a decision was made with; frame numbers lead to their frames, rows to machines."""
    value = step["numbers"][name]
    if isinstance(value, int) and not isinstance(value, bool):
        if step["fn"] in BACKWARDS and info.start <= value <= info.seq:
            return Fact(name, f"#{wording.count(value)}", href=timeline.to_moment(here, info, value).href)
        if name in ("pfn", "pageblock") or name.endswith("_pfn"):
            return Fact(name, wording.pfn(value), href=here.at(value))
        return Fact(name, wording.count(value))
    if value is None:
        return Fact(name, "—")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Fact(name, text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…")


def step_groups(
    steps: Sequence[Step], parts: Sequence[Part], there: StepAddress, info: SessionInfo
) -> Iterator[Steps]:
    """The parts with their rows."""
    numbers = [number + 1 for part in parts for number in range(part.start, part.stop)]
    every = step_rows(numbers, steps, there, info)
    for part in parts:
        rows = list(islice(every, part.stop - part.start))
        loop = part.fold
        if loop is None:
            yield Steps(rows, of=part.of, unfolded=bool(part.of) and any(row.current for row in rows))
            continue
        rest = loop.end - part.stop
        more = (
            Link(wording.count(rest), there.step_to(part.stop + 1, f"#step-{part.stop + 1}"))
            if rest
            else None
        )
        yield Steps(rows, loop.length, loop.rounds - 1, any(row.current for row in rows), more=more)


def end_of(parts: Sequence[Part]) -> int:
    """The first step behind those that are listed or folded."""
    if not parts:
        return 0
    last = parts[-1]
    return last.stop if last.fold is None or last.stop - last.start > FOLDED else last.fold.end
