"""The table from exception to answer: every exception that a caller can meet is in it."""

from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException

from app.api.problems import HttpRefusal, Problem, problem_of
from app.errors import BadArgument, Fault, MachinePanicked, NoRoom, Refusal, TaskBlocked
from app.machine.calltext import Malformed
from app.receiving import TooLarge
from app.refusals import ANSWERS
from app.sessions.errors import (
    BatchBlocked,
    BatchPanicked,
    Busy,
    Conflict,
    Forbidden,
    LimitReached,
    NotFound,
    StorageFull,
)

BLOCKED = TaskBlocked("alice", 18944, 41)

CASES = {
    "a field": (BadArgument.at("gfp", "unknown flag"), 422, [(("gfp",), "unknown flag")]),
    "two fields": (
        BadArgument(Fault(("gfp",), "a"), Fault(("order",), "b")),
        422,
        [(("gfp",), "a"), (("order",), "b")],
    ),
    "text": (Malformed("no call"), 400, [((), "no call")]),
    "a sleeping task": (BLOCKED, 409, []),
    "a sleeping task in a batch": (BatchBlocked(BLOCKED, ("calls", 3)), 409, [(("calls", 3), str(BLOCKED))]),
    "a machine that has stopped": (MachinePanicked(41), 409, []),
    "a machine that has stopped, in a batch": (
        BatchPanicked(MachinePanicked(41), ("calls", 3), within=False),
        409,
        [(("calls", 3), str(MachinePanicked(41)))],
    ),
    "a machine that is full": (NoRoom("too many blocks"), 507, []),
    "unknown": (NotFound("session", "x"), 404, []),
    "forbidden": (Forbidden("no"), 403, []),
    "diverged": (Conflict("the session is read-only"), 409, []),
    "busy": (Busy("later"), 503, []),
    "full": (StorageFull("no room"), 507, []),
    "a limit of the server": (LimitReached((), "at most 1000 sessions"), 507, []),
    "a field over its limit": (LimitReached(("calls",), "at most 10"), 422, [(("calls",), "at most 10")]),
    "a long body": (TooLarge(10), 413, []),
    "a refusal": (HttpRefusal(415, "JSON, please"), 415, []),
    "no route": (HTTPException(404), 404, []),
    "no method": (HTTPException(405), 405, []),
    "a mistake of ours": (ZeroDivisionError("secret"), 500, []),
}


@pytest.mark.parametrize("case", CASES)
def test_status_and_fields(case: str) -> None:
    error, status, faults = CASES[case]
    problem = problem_of(error)
    assert problem.status == status
    assert [(fault.loc, fault.msg) for fault in problem.faults] == faults
    assert problem.detail


def kinds(base: type[Refusal]) -> Iterator[type[Refusal]]:
    yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


def test_every_refusal_has_a_status() -> None:
    named = set(kinds(Refusal)) - {Refusal, HttpRefusal}
    assert {BadArgument, TaskBlocked, NotFound, StorageFull, TooLarge} < named
    assert all(any(base in ANSWERS for base in kind.__mro__) for kind in named)


def test_a_blocked_task_is_told_what_would_free_it() -> None:
    detail = problem_of(BLOCKED).detail
    for word in ("alice", "0x4a00", "#41", "unlock_page", "kill_task"):
        assert word in detail


def test_our_mistake_says_nothing() -> None:
    assert "secret" not in str(problem_of(ZeroDivisionError("secret")).as_json())


def test_busy_says_when() -> None:
    assert problem_of(Busy("later", 7)).headers == {"Retry-After": "7"}
    assert problem_of(Busy("later", 0)).headers == {"Retry-After": "1"}


def test_the_document() -> None:
    document = Problem(422, "two things", (Fault(("calls", 3, "gfp"), "unknown"),)).as_json()
    assert document == {
        "type": "about:blank",
        "title": "Unprocessable Entity",
        "status": 422,
        "detail": "two things",
        "errors": [{"loc": ["calls", 3, "gfp"], "msg": "unknown"}],
    }


def test_any_text_can_be_sent() -> None:
    response = Problem(400, "half \ud800 of \x00 a pair", (Fault(("\udfff",), "\ud800"),)).response()
    assert response.body.isascii()
