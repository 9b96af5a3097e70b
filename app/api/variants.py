"""`/variants/{variant}`: an exercise as a member has it: answers, checks, hints, and the reveal."""

from __future__ import annotations

from functools import partial
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, sheet_answers, sheet_docs
from app.api.bodies import json_object, optional_object
from app.api.fields import FLAG, SEQ, Kind, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import labs_of
from app.api.parameters import HintNumber, VariantId
from app.api.requests import answer
from app.exercises.forms.form import LENGTH
from app.labs import Labs, Person, person_of
from app.labs.submissions import Submitted
from app.labs.times import accepted
from app.labs.worked import Worked

router = APIRouter(tags=["sheets"], prefix="/variants/{variant:id}")

MOST_FIELDS: Final = 20
TASK: Final = Kind("a task's number", lambda value: type(value) is int and 1 <= value <= 1_000)


def is_text(value: object) -> bool:
    """Whether something could be the answer to a field."""
    return isinstance(value, str) and len(value) <= LENGTH and "\0" not in value


def is_given(value: object) -> bool:
    """Whether something could be the answers to a task."""
    return is_text(value) or (
        isinstance(value, list) and len(value) <= MOST_FIELDS and all(map(is_text, value))
    )


GIVEN: Final = Kind(f"a text for each field, of at most {LENGTH:,} characters", is_given)


def asked(request: Request) -> tuple[Labs, Person, str]:
    """The labs, the person, and the time at which the request came."""
    return labs_of(request), person_of(request.scope), accepted(request.scope)


@router.get("", **docs.operation("get_variant", "One variant", sheet_docs.VARIANT))
async def get(request: Request, variant: VariantId) -> Response:
    """For its member and the lab's instructor."""
    labs, person, time = asked(request)
    return answer(sheet_answers.variant(await labs.variants.get(person, variant), time))


@router.post(
    "/answers",
    **docs.operation("submit_answer", "Submit an answer", sheet_docs.ANSWER, docs.IF_MATCH, docs.KEY),
)
async def submit(request: Request, variant: VariantId) -> Response:
    """One attempt. A text that is no answer is refused at its field (422), and costs nothing.

    A goal is submitted as the machine is.
    """
    labs, person, time = asked(request)
    document = taken(await json_object(request), {"task": TASK}, {"given": GIVEN, "seq": SEQ})
    given = document.get("given", [])
    texts = [given] if isinstance(given, str) else given
    return await with_preconditions(
        request,
        lambda preconditions: labs.submissions.answer(
            person,
            variant,
            document["task"],
            texts,
            time,
            seq=document.get("seq"),
            preconditions=preconditions,
        ),
        partial(submitted, time),
    )


def submitted(time: str, done: Submitted) -> Response:
    """An attempt as an answer."""
    return answer(sheet_answers.submitted(done, time), 201)


@router.post("/check", **docs.operation("check_goal", "Which checks hold", sheet_docs.CHECK))
async def check(request: Request, variant: VariantId) -> Response:
    """Of a goal, as the machine is now. It costs nothing, and is asked about once a second at most (429)."""
    labs, person, _ = asked(request)
    given = taken(await json_object(request), {"task": TASK})
    return answer(sheet_answers.checked(await labs.submissions.check(person, variant, given["task"])))


@router.post("/hints/{hint:number}", **docs.operation("read_hint", "Read a hint", sheet_docs.HINT, docs.KEY))
async def hint(request: Request, variant: VariantId, hint: HintNumber) -> Response:
    """One after the other; each has its price, once."""
    labs, person, time = asked(request)
    task = taken(await json_object(request), {"task": TASK})["task"]
    return await with_preconditions(
        request,
        lambda preconditions: labs.submissions.hint(
            person, variant, task, hint, time, preconditions=preconditions
        ),
        lambda text: answer({"task": task, "number": hint, "text": text}),
    )


@router.post("/reveal", **docs.operation("reveal_task", "Show a task", sheet_docs.REVEAL, docs.KEY))
async def reveal(request: Request, variant: VariantId) -> Response:
    """Its calls are made in your session, as rows like all others. No answer to it counts any more."""
    labs, person, time = asked(request)
    given = taken(await json_object(request), {"task": TASK}, {"give_up": FLAG})
    return await with_preconditions(
        request,
        lambda preconditions: labs.revealing.reveal(
            person,
            variant,
            given["task"],
            time,
            give_up=given.get("give_up", False),
            preconditions=preconditions,
        ),
        partial(shown, time),
    )


@router.post("/reset", **docs.operation("reset_variant", "Another variant", sheet_docs.RESET, docs.KEY))
async def reset(request: Request, variant: VariantId) -> Response:
    """The instructor gives the member another one; what was answered here counts no more."""
    labs, person, time = asked(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.variants.reset(person, variant, preconditions=preconditions),
        partial(shown, time),
    )


def shown(time: str, worked: Worked) -> Response:
    """A variant as an answer."""
    return answer(sheet_answers.variant(worked, time))
