"""`/labs/{id}/polls`: questions to a class, which the machine answers."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from app.api import docs, poll_docs
from app.api.bodies import json_object, optional_object
from app.api.fields import FLAG, ID, SEQ, STRING, Kind, between, taken
from app.api.idempotency import with_preconditions
from app.api.lab_requests import addressed
from app.api.paging import part
from app.api.parameters import ID as ID_FORM
from app.api.parameters import Bom, Cursor, Limit
from app.api.requests import BASE, answer
from app.labs import Poll, PollView, Voted, csvfile

router = APIRouter(tags=["labs"], prefix="/labs/{id:id}")

PollId = Annotated[str, Path(pattern=ID_FORM, description="the poll's id")]
ROUND: Final = Kind("1 or 2", lambda value: type(value) is int and value in (1, 2))
TASK: Final = Kind("a number from 1 to 100", lambda value: type(value) is int and 1 <= value <= 100)
SECONDS: Final = between(5, 3600, "seconds")


@router.get("/polls", **docs.operation("list_polls", "Questions to the class", poll_docs.POLLS))
async def polls(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """The newest first; for members without drafts."""
    labs, person, lab_id = addressed(request)
    found = await labs.polls.listed(person, lab_id)
    shown, onward = part(f"labs/{lab_id}/polls", found, limit, after, lambda poll: poll.id)
    return answer({"items": [poll.public() for poll in shown], "next": onward})


@router.post("/polls", **docs.operation("create_poll", "Ask the class", poll_docs.CREATE, docs.KEY))
async def create(request: Request) -> Response:
    """What a call would do to one of your machines, or a task of an exercise on a new one. As a draft."""
    labs, person, lab_id = addressed(request)
    document = await json_object(request)
    if "exercise" in document:
        task = taken(
            document, {"exercise": STRING, "task": TASK}, {"field": TASK, "question": STRING, "named": FLAG}
        )
        return await with_preconditions(
            request,
            lambda preconditions: labs.polls.create_from(
                person,
                lab_id,
                task["exercise"],
                task["task"],
                task.get("question", ""),
                field=task.get("field", 1),
                named=task.get("named", False),
                preconditions=preconditions,
            ),
            partial(created, lab_id),
        )
    given = taken(
        document,
        {"session": ID, "line": STRING, "predict": STRING},
        {"question": STRING, "at": SEQ, "named": FLAG},
    )
    return await with_preconditions(
        request,
        lambda preconditions: labs.polls.create(
            person,
            lab_id,
            given["session"],
            given["line"],
            given["predict"],
            given.get("question", ""),
            at=given.get("at"),
            named=given.get("named", False),
            preconditions=preconditions,
        ),
        partial(created, lab_id),
    )


def created(lab_id: str, view: PollView) -> Response:
    """A new poll as an answer."""
    return answer(document_of(view), 201, Location=f"{BASE}/labs/{lab_id}/polls/{view.poll.id}")


@router.get("/polls/{poll:id}", **docs.operation("get_poll", "One question", poll_docs.POLL))
async def get(request: Request, poll: PollId) -> Response:
    """With your own votes; for the instructor with all of them counted."""
    labs, person, lab_id = addressed(request)
    return answer(document_of(await labs.polls.get(person, lab_id, poll)))


@router.delete("/polls/{poll:id}", **docs.operation("delete_poll", "Delete a question", docs.GONE))
async def delete(request: Request, poll: PollId) -> Response:
    """With its votes. A row that has answered it stays."""
    labs, person, lab_id = addressed(request)
    await labs.polls.delete(person, lab_id, poll)
    return Response(status_code=204)


@router.put("/polls/{poll:id}/state", **docs.operation("lead_poll", "Vote, discuss, reveal", poll_docs.STATE))
async def lead(request: Request, poll: PollId) -> Response:
    """On, back, or past some states, until the reveal, for which the call is made: a row of yours."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"state": STRING}, {"seconds": SECONDS})
    found = await labs.polls.to(person, lab_id, poll, given["state"], given.get("seconds"))
    return answer(document_of(found))


@router.put("/polls/{poll:id}/vote", **docs.operation("vote", "My vote", poll_docs.VOTE))
async def vote(request: Request, poll: PollId) -> Response:
    """Until the round is closed it can be changed: the last one counts. For members, of a frozen lab too."""
    labs, person, lab_id = addressed(request)
    given = taken(await json_object(request), {"choice": STRING, "confidence": STRING}, {"round": ROUND})
    found = await labs.polls.vote(
        person, lab_id, poll, given["choice"], given["confidence"], given.get("round")
    )
    return answer(document_of(found))


@router.post(
    "/polls/{poll:id}/fork",
    **docs.operation("fork_for_poll", "Have a fork answer", poll_docs.FORK, docs.KEY),
)
async def fork(request: Request, poll: PollId) -> Response:
    """Where the machine has been changed since: one that is as it was when it was asked."""
    labs, person, lab_id = addressed(request)
    taken(await optional_object(request), {})
    return await with_preconditions(
        request,
        lambda preconditions: labs.polls.fork(person, lab_id, poll, preconditions=preconditions),
        lambda made: answer(document_of(made), 201),
    )


@router.get(
    "/participation", **docs.operation("participation", "Who has voted how often", poll_docs.PARTICIPATION)
)
async def participation(request: Request, limit: Limit = 100, after: Cursor = None) -> Response:
    """By number, for the lab's instructor. What they chose is not in it."""
    labs, person, lab_id = addressed(request)
    found = await labs.polls.participation(person, lab_id)
    shown, onward = part(f"labs/{lab_id}/participation", found, limit, after, lambda one: str(one.number))
    items = [
        {"number": one.number, "nickname": one.nickname, "polls": one.polls, "votes": one.votes}
        for one in shown
    ]
    return answer({"items": items, "next": onward})


@router.get(
    "/participation.csv",
    **docs.operation("participation_csv", "Who has voted how often, as a table", poll_docs.PARTICIPATION_CSV),
)
async def participation_csv(request: Request, bom: Bom = 1) -> Response:
    """The same, to be opened by a spreadsheet: no nickname is taken for a formula."""
    labs, person, lab_id = addressed(request)
    made = csvfile.participation(await labs.polls.participation(person, lab_id), bom=bool(bom))
    headers = {"Content-Disposition": f'attachment; filename="participation-{lab_id}.csv"'}
    return Response(made, headers=headers, media_type=csvfile.CSV_TYPE)


def document_of(view: PollView) -> dict[str, Any]:
    """A poll as its reader may know it."""
    poll = view.poll
    found: dict[str, Any] = {
        **poll.public(),
        "voted": {str(number): votes for number, votes in sorted(view.voted.items())},
        "members": view.members,
    }
    if view.tally is None:
        return found | {
            "mine": {
                str(number): {"choice": vote.choice, "confidence": vote.confidence}
                for number, vote in sorted(view.mine.items())
            }
        }
    return (
        found
        | poll.answer()
        | {"source": source(poll, view), "tally": view.tally.as_json()}
        | ({"votes": [voted(one) for one in view.votes]} if poll.named else {})
    )


def source(poll: Poll, view: PollView) -> dict[str, Any]:
    """Where the question comes from. head: the row at which the machine is now."""
    return {
        "session": poll.session_id,
        "at": poll.at,
        "head": view.head,
        "exercise": poll.exercise,
        "task": poll.task,
        "field": poll.field,
    }


def voted(one: Voted) -> dict[str, Any]:
    """A vote of a poll in which names are told."""
    return {
        "number": one.number,
        "nickname": one.nickname,
        "round": one.vote.round,
        "choice": one.vote.choice,
        "confidence": one.vote.confidence,
        "time": one.vote.time,
    }
