"""Why a call had the answer it had: the kernel's decisions, one row each, as the page shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from app.sessions import NotFound, SessionInfo, Sessions, principal_of
from app.web import address, wording
from app.web.address import Address
from app.web.contexts import ExplainPage, Fact, Link, StepRow, Steps
from app.web.journal import Outcome, call_text, change, headlines, ret_href, ret_text
from app.web.render import respond
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Step = Mapping[str, Any]

STEPS_SHOWN: Final = 400
POINTS_SHOWN: Final = 400
CHANGES_SHOWN: Final = 16
DEEPEST: Final = 12
LONGEST_VALUE: Final = 240

# Rounds of a loop: up to so many steps each, from so many rounds on.
LONGEST_ROUND: Final = 24
FEWEST_ROUNDS: Final = 3

BAD: Final = frozenset(
    {"no", "null", "none", "no slot", "lost", "deadlock", "wrong cache", "bad", "nothing free"}
)


@router.get("/sessions/{session_id}/explain/{seq}")
async def explain_page(request: Request, session_id: str, seq: str) -> Response:
    """One row of the journal, explained. `?all=1`: however long that is."""
    number = address.number(seq)
    if number is None:
        raise NotFound("event", seq)
    sessions: Sessions = request.app.state.sessions
    who = principal_of(request.scope)
    event = await sessions.event(who, session_id, number)
    explained = await sessions.explain(who, session_id, number)
    info = await sessions.get(who, session_id)
    whole = request.query_params.get("all") == "1"
    # Thousands of rows take their time; others are answered meanwhile.
    return await run_in_threadpool(page, request, info, event.outcome, explained, whole=whole)


def page(
    request: Request, info: SessionInfo, outcome: Outcome, explained: Mapping[str, Any], *, whole: bool
) -> Response:
    """The page. whole: nothing is left out."""
    steps, points, seq = explained["steps"], explained["tracepoints"], explained["seq"]
    here = address.parse(info.id, request.query_params).to(outcome=seq)
    shown = steps if whole else steps[:STEPS_SHOWN]
    lines = points if whole else points[:POINTS_SHOWN]
    headline, reason = headlines(outcome)
    more = len(steps) > len(shown) or len(points) > len(lines)
    context = ExplainPage(
        shell=shell_of(request),
        title=f"#{seq} explained · {info.name}",
        id=info.id,
        name=info.name,
        seq=seq,
        text=call_text(outcome),
        returned=ret_text(outcome),
        ret_href=ret_href(outcome, here),
        answered=outcome["verdict"],
        headline=headline,
        reason=reason,
        back=Link(f"#{seq} at the machine", here.href + "#outcome"),
        earlier=beside(info, seq - 1, "Earlier", here),
        later=beside(info, seq + 1, "Later", here),
        groups=list(groups([step_row(step, number, here) for number, step in enumerate(shown, 1)])),
        shown=len(shown),
        total=len(steps),
        whole=Link("Show all", f"{here.explain(seq)}{'&' if here.demo else '?'}all=1") if more else None,
        tracepoints="\n".join(lines),
        tracepoints_shown=len(lines),
        tracepoints_total=len(points),
        api=f"/api/v1/sessions/{info.id}/events/{seq}/explain",
    )
    return respond(context)


def beside(info: SessionInfo, seq: int, text: str, here: Address) -> Link:
    """The explanation of the row before or behind, where there is such a row."""
    there = 1 <= seq <= info.seq
    return Link(text, here.explain(seq) if there else None, hint=f"#{seq}" if there else "")


def step_row(step: Step, number: int, here: Address) -> StepRow:
    """One decision."""
    before, losing, after = sides(step["what"], step["verdict"])
    runs: Sequence[Sequence[Any]] = step["changed"]
    return StepRow(
        number=number,
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
        numbers=[fact(name, value, here) for name, value in step["numbers"].items()],
        changes=[change(run, here) for run in runs[:CHANGES_SHOWN]],
        more_changes=max(0, len(runs) - CHANGES_SHOWN),
    )


def sides(what: str, verdict: str | None) -> tuple[str, str, str]:
    """A decision's text before, in and behind the part that decided against the request.

    Of `free 9 − 0 ≤ min 20 + reserve 0` that is the left side, where it was enough memory the missing block.
    """
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
        return f"{zone}, node {node}" if node else str(zone)
    return f"node {node}" if node is not None else ""


def fact(name: str, value: Any, here: Address) -> Fact:
    """One number that a decision was made with; frame numbers lead to their frames."""
    if isinstance(value, int) and not isinstance(value, bool):
        if name == "pfn" or name.endswith("_pfn"):
            return Fact(name, wording.pfn(value), href=here.at(value))
        return Fact(name, f"{value:,}")
    if value is None:
        return Fact(name, "—")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Fact(name, text if len(text) <= LONGEST_VALUE else text[:LONGEST_VALUE] + "…")


def groups(rows: Sequence[StepRow]) -> Iterator[Steps]:
    """The steps, with what a loop repeats put together: its first round is shown, the others are folded."""
    shapes = [(row.fn, row.depth, row.verdict, row.zone) for row in rows]
    plain: list[StepRow] = []
    place = 0
    while place < len(rows):
        length, rounds = repetition(shapes, place)
        if rounds < FEWEST_ROUNDS:
            plain.append(rows[place])
            place += 1
            continue
        yield Steps([*plain, *rows[place : place + length]])
        yield Steps(rows[place + length : place + length * rounds], length, rounds - 1)
        plain = []
        place += length * rounds
    if plain:
        yield Steps(plain)


def repetition(shapes: Sequence[object], place: int) -> tuple[int, int]:
    """How many steps from there on form a round, and how many such rounds follow each other.

    The length that covers most; of two that cover as much, the shorter.
    """
    best = (1, 1)
    for length in range(1, LONGEST_ROUND + 1):
        end = place + length
        while end < len(shapes) and shapes[end] == shapes[end - length]:
            end += 1
        rounds = (end - place) // length
        if rounds >= FEWEST_ROUNDS and length * rounds > best[0] * best[1]:
            best = (length, rounds)
    return best
