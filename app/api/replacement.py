"""Reference strings, and page replacement policies compared by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, replacement_docs
from app.api.bodies import freed, json_object, refuse_others
from app.api.parameters import At, FirstOfList, LongLimit, TaskNamed
from app.api.requests import BASE, addressed, long_answer, sessions_of
from app.errors import BadArgument, Faults
from app.machine.calls import JSON_INT_MAX
from app.machine.replacement import (
    CONVENTIONS,
    MOST_REFERENCES,
    POLICIES,
    ReferenceString,
    Result,
    comparison,
    traces,
)
from app.machine.replacement.comparison import MOST_FRAMES, MOST_RESULTS
from app.sessions import principal_of
from app.sessions.reference_strings import Found
from app.sessions.scheduler import go_on

router = APIRouter(tags=["replacement"])
of_session = APIRouter(tags=["replacement"], prefix="/sessions/{id:id}")

# Up to so many references each one is told of.
TOLD: Final = 1_000
WORDS: Final = {"R": False, "W": True}


@of_session.get(
    "/reference_string",
    **docs.operation("get_reference_string", "A reference string", replacement_docs.REFERENCE_STRING),
)
async def reference_string(
    request: Request, task: TaskNamed, start: FirstOfList = 0, limit: LongLimit = 10_000, at: At = None
) -> Response:
    """The accesses of a process as page numbers, each with R or W, in the order in which they were made."""
    sessions, principal, sid = addressed(request)
    try:
        found = await sessions.reference_string(principal, sid, task, at)
    except BadArgument as error:
        raise error.under("query") from None
    shown = zip(found.pages[start : start + limit], found.writes[start : start + limit], strict=True)
    past = "" if at is None else f"&at={at}"
    here = f"{BASE}/sessions/{sid}/reference_string?task={task}&start={start + limit}&limit={limit}{past}"
    return await long_answer(
        {
            "task": task,
            "references": [[page, "RW"[write]] for page, write in shown],
            "count": len(found),
            "truncated": found.truncated,
            "cut": found.cut,
            "next": here if start + limit < len(found) else None,
        }
    )


@router.post(
    "/replacement",
    **docs.operation("compare_replacement", "Page replacement compared", replacement_docs.REPLACEMENT),
)
async def replacement(request: Request) -> Response:
    """Each policy with each number of frames on one reference string; nothing is recorded."""
    document = await json_object(request)
    async with freed(document, len(await request.body())):
        return await long_answer(await compared(request, document))


async def compared(request: Request, document: dict[str, Any]) -> dict[str, Any]:
    """The answer. Raises BadArgument at the members that cannot be, and what reading a session does."""
    sessions, principal = sessions_of(request), principal_of(request.scope)
    faults = refuse_others(document, "string", "frames", "policies", "load_bit")
    frames = frames_of(document, faults)
    policies = policies_of(document, faults)
    load_bit = document.get("load_bit", 1)
    if type(load_bit) is not int or load_bit not in (0, 1):
        faults.add("load_bit", "0 or 1")
    source = document.get("string")
    if not isinstance(source, (list, dict)):
        faults.add("string", 'a list of pages, or {"session", "task"}, or {"trace"}')
    faults.check()
    journal: Found | None = None
    if isinstance(source, dict) and "trace" not in source:
        session_id, task = session_of(source)
        journal = await sessions.reference_string(principal, session_id, task, None)
    return await sessions.compute(principal, compare, source, journal, frames, policies, load_bit)


def frames_of(document: dict[str, Any], faults: Faults) -> Iterable[int]:
    """The numbers of frames, in the order in which they are given."""
    given = document.get("frames")
    accepted = f'numbers of frames from 1 to {MOST_FRAMES}, as [3, 4] or {{"from": 1, "to": 8}}'
    if isinstance(given, list) and given and len(given) <= MOST_RESULTS:
        if all(is_number(value, 1, MOST_FRAMES) for value in given):
            return list(dict.fromkeys(given))
    elif isinstance(given, dict) and given.keys() == {"from", "to"}:
        low, high = given["from"], given["to"]
        if is_number(low, 1, MOST_FRAMES) and is_number(high, 1, MOST_FRAMES) and low <= high:
            return range(low, high + 1)
    faults.add("frames", accepted)
    return []


def policies_of(document: dict[str, Any], faults: Faults) -> list[str]:
    """The names of policies; all without any."""
    given = document.get("policies", list(POLICIES))
    if not isinstance(given, list) or not given:
        faults.add("policies", f"some of {', '.join(POLICIES)}")
        return []
    for at, name in enumerate(given[:MOST_RESULTS]):
        if not isinstance(name, str) or name not in POLICIES:
            faults.add(("policies", at), f"one of {', '.join(POLICIES)}", str(name), POLICIES)
    return list(dict.fromkeys(map(str, given)))


def session_of(source: dict[str, Any]) -> tuple[str, str]:
    """The session and the task whose accesses are taken."""
    faults = refuse_others(source, "session", "task")
    for name in ("session", "task"):
        if not isinstance(source.get(name), str) or not source[name]:
            faults.add(name, "a string")
    try:
        faults.check()
    except BadArgument as error:
        raise error.under("string") from None
    return source["session"], source["task"]


def is_number(value: Any, least: int, most: int) -> bool:
    """Whether a value of JSON is an integer within bounds."""
    return type(value) is int and least <= value <= most


def compare(
    source: Any, journal: Found | None, frames: Iterable[int], policies: list[str], load_bit: int
) -> dict[str, Any]:
    """Make all runs, and say what came of them. Raises BadArgument at `string` and `frames`."""
    found: dict[str, Any] = {}
    if journal is not None:
        string = ReferenceString(journal)
        found["cut"] = journal.cut
    elif isinstance(source, dict):
        string, said = of_trace(source)
        found |= said
    else:
        string = ReferenceString(listed(source))
    results = [told(result) for result in comparison.compare(string, policies, list(frames), load_bit, go_on)]
    if journal is not None:
        results.append(what_the_machine_did(journal))
    return {
        "results": results,
        "references": len(string),
        "pages": len(string.names),
        **found,
        "load_bit": load_bit,
        "conventions": CONVENTIONS,
    }


def listed(source: list[Any]) -> Iterable[tuple[int, bool]]:
    """A list of pages, of which each may say R or W. Raises BadArgument at the first that does not fit."""
    if not 0 < len(source) <= MOST_REFERENCES:
        raise BadArgument.at("string", f"from 1 to {MOST_REFERENCES} references")
    for at, value in enumerate(source):
        page, word = value if isinstance(value, list) and len(value) == 2 else (value, "R")
        if not is_number(page, 0, JSON_INT_MAX) or not isinstance(word, str) or word not in WORDS:
            raise BadArgument.at(("string", at), 'a page number, or [page, "R"] or [page, "W"]')
        yield page, WORDS[word]


def of_trace(source: dict[str, Any]) -> tuple[ReferenceString, dict[str, Any]]:
    """The references of a trace, and what was left out of it."""
    faults = refuse_others(source, "trace")
    try:
        faults.check()
    except BadArgument as error:
        raise error.under("string") from None
    text = source["trace"]
    trace = traces.read(text, go_on) if isinstance(text, str) else None
    if trace is None or not trace.references:
        raise BadArgument.at(("string", "trace"), f"lines of {traces.FORMS}")
    return ReferenceString(trace.references), {"form": trace.form, "dropped": trace.dropped}


def told(result: Result) -> dict[str, Any]:
    """One row of the answer."""
    return result._asdict()


def what_the_machine_did(journal: Found) -> dict[str, Any]:
    """A row for the session's machine, as far as its journal tells."""
    short = len(journal) <= TOLD and 2 not in journal.faults
    return {
        "policy": "machine",
        "frames": None,
        "faults": journal.faults.count(1),
        "replacements": None,
        "writebacks": None,
        "marks": "".join("HF"[fault] for fault in journal.faults) if short else None,
        "victims": None,
    }
