"""Polls as pages: for members on a phone, for the room on the projector, for the instructor on the desk."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.clock import utc
from app.errors import BadArgument
from app.exercises.library import Library
from app.labs import Lab, Poll, PollView, Tally, class_tasks, csvfile
from app.labs.poll import DONE, DRAFT, REVEAL, RUNNING, STATES
from app.web import pollchart, pollviews, qr, wording
from app.web.address import number
from app.web.contexts.base import Link, ShownRefusal
from app.web.contexts.poll import (
    DeskPage,
    NamedVote,
    ParticipationPage,
    ParticipationRow,
    PollEntry,
    PollsPage,
    ProjectorPage,
    ShiftCell,
    StepButton,
    VotePage,
)
from app.web.labs import own_lab
from app.web.language import N_, _
from app.web.refusals import REFUSED, refusal_of, status_of
from app.web.render import respond
from app.web.requester import labs_of, public_address, requester
from app.web.shell import shell_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form()]

# What the buttons of the desk say, and what usually follows on what.
STEPS: Final = {
    "vote1": N_("Vote"),
    "closed1": N_("Close the vote"),
    "discuss": N_("Discuss"),
    "vote2": N_("Vote again"),
    "closed2": N_("Close the second vote"),
    "reveal": N_("Reveal: make the call"),
    "done": N_("End"),
}
ADVICE: Final = {
    "explain": N_("Explain first: too few know it for a discussion to help."),
    "discuss": N_("Let them discuss: this is where it helps most."),
    "go on": N_("Go on: most know it already."),
}
ADVISED: Final = ("vote1", "closed1", "discuss")
NOT_COUNTED: Final = N_("Your vote was not counted")
NOT_ASKED: Final = N_("The class is not asked yet")
NOT_DONE: Final = N_("It stays as it was")
PAST: Final = 8  # earlier questions that a member is shown


def home(lab_id: str) -> str:
    """Where the polls of a lab are."""
    return f"/labs/{lab_id}/polls"


def place_of(lab_id: str, poll_id: str) -> str:
    """Where a poll's pages are."""
    return f"/labs/{lab_id}/polls/{poll_id}"


@router.get("/labs/{lab_id}/polls")
async def polls(request: Request, lab_id: str) -> Response:
    """Lead a member to what is asked now, or wait for it; list all questions for the instructor."""
    labs, person = labs_of(request), requester(request)
    lab = await labs.rooms.get(person, lab_id)
    if lab.owner == person.id:
        return respond(await polls_page(request, lab))
    running = await labs.polls.running(person, lab_id)
    if running is not None:
        return RedirectResponse(place_of(lab_id, running.id), 303)
    found = await labs.polls.listed(person, lab_id)
    past = [Link(pollviews.question_text(poll), place_of(lab_id, poll.id)) for poll in found[:PAST]]
    return respond(waiting_page(request, lab, past))


@router.get("/labs/{lab_id}/polls.svg")
async def code(request: Request, lab_id: str) -> Response:
    """Draw where questions are found as a QR code."""
    lab = await own_lab(request, lab_id)
    return Response(qr.svg(f"{public_address(request)}{home(lab.id)}"), media_type="image/svg+xml")


@router.get("/labs/{lab_id}/polls/{poll_id}")
async def poll(request: Request, lab_id: str, poll_id: str) -> Response:
    """Show a question on a phone; lead the instructor to the desk."""
    labs, person = labs_of(request), requester(request)
    lab = await labs.rooms.get(person, lab_id)
    view = await labs.polls.get(person, lab_id, poll_id)
    if lab.owner == person.id:
        return RedirectResponse(f"{place_of(lab_id, poll_id)}/desk", 303)
    return respond(vote_page(request, lab, view))


# -- on a phone --------------------------------------------------------------------------------------------


@router.post("/labs/{lab_id}/polls/{poll_id}/vote")
async def vote(
    request: Request,
    lab_id: str,
    poll_id: str,
    choice: Text = "",
    confidence: Text = "",
    in_round: Annotated[str, Form(alias="round")] = "",
) -> Response:
    """Take a vote."""
    labs, person = labs_of(request), requester(request)
    try:
        await labs.polls.vote(person, lab_id, poll_id, choice, confidence, number(in_round))
    except REFUSED as error:
        lab = await labs.rooms.get(person, lab_id)
        view = await labs.polls.get(person, lab_id, poll_id)
        page = vote_page(request, lab, view, refusal_of(error, NOT_COUNTED), choice[:200])
        return respond(page, status_of(error))
    return RedirectResponse(place_of(lab_id, poll_id), 303)


def vote_page(
    request: Request, lab: Lab, view: PollView, refusal: ShownRefusal | None = None, typed: str = ""
) -> VotePage:
    """Make the page of a question for a member."""
    poll, mine = view.poll, view.mine
    current = mine.get(poll.round or 0)
    last = mine.get(2) or mine.get(1)
    told = poll.revealed
    return VotePage(
        shell=shell_of(request),
        title=pollviews.question_text(poll),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        api=f"/api/v1/labs/{lab.id}",
        polls=home(lab.id),
        question=pollviews.question_view(poll, current.choice if current else "", told=told),
        round=poll.round if lab.closed is None else None,
        data=json.dumps(poll.public()),
        mine=json.dumps(
            {round_: {"choice": one.choice, "confidence": one.confidence} for round_, one in mine.items()}
        ),
        words=json.dumps(pollviews.script_words()),
        said=pollviews.vote_words(poll, current) if current else "",
        counted=pollviews.counted(view).words if poll.round else "",
        typed=typed or (current.choice if current and not poll.choices else ""),
        own=poll.text(last.choice) if last else "",
        own_letter=last.choice if last and poll.choices else "",
        votes=pollviews.own_votes(view) if told else (),
        right=pollviews.answer_words(poll, poll.right) if told else "",
        why=pollviews.whys(view) if told else (),
        refusal=refusal,
    )


def waiting_page(request: Request, lab: Lab, past: list[Link]) -> VotePage:
    """Make the page of a member where no question is before the class."""
    return VotePage(
        shell=shell_of(request),
        title=_("No question now"),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        api=f"/api/v1/labs/{lab.id}",
        polls=home(lab.id),
        question=None,
        round=None,
        data="null",
        mine="{}",
        words=json.dumps(pollviews.script_words()),
        said="",
        counted="",
        typed="",
        own="",
        own_letter="",
        votes=(),
        right="",
        why=(),
        past=past,
    )


# -- for the room ------------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/polls/{poll_id}/projector")
async def projector(request: Request, lab_id: str, poll_id: str) -> Response:
    """Show a question to the whole room: nothing of the votes but their number, until the answer is out."""
    labs = labs_of(request)
    lab = await own_lab(request, lab_id)
    view = await labs.polls.require_taught(requester(request), lab_id, poll_id)
    poll, tally = view.poll, view.tally
    assert tally is not None
    told = poll.revealed
    at = place_of(lab_id, poll_id)
    host = public_address(request).partition("://")[2]
    return respond(
        ProjectorPage(
            shell=shell_of(request),
            title=pollviews.question_text(poll),
            api=f"/api/v1/labs/{lab.id}",
            question=pollviews.question_view(poll, told=told),
            counted=None if poll.state in (DRAFT, "discuss") or told else pollviews.counted(view),
            age=max(0, -seconds_until(poll.since)),
            left=None if poll.closes is None else max(0, seconds_until(poll.closes)),
            picture=pollviews.picture(poll),
            reveal=await pollviews.reveal_view(request, poll),
            chart=pollchart.chart(poll, tally, marked=True) if told else None,
            rows=pollviews.tally_rows(view, told=True) if told else (),
            second=tally.rounds[1].voted > 0,
            join=f"{host}{home(lab.id)}",
            qr=f"{home(lab.id)}.svg",
            desk=f"{at}/desk",
        )
    )


def seconds_until(time: str) -> int:
    """How many seconds there are until a time; below 0 for one that is past."""
    return round((datetime.fromisoformat(time) - utc()).total_seconds())


# -- for the instructor ------------------------------------------------------------------------------------


@router.get("/labs/{lab_id}/polls/{poll_id}/desk")
async def desk(request: Request, lab_id: str, poll_id: str) -> Response:
    """Lead a poll, and see how the votes fall."""
    return respond(await desk_page(request, lab_id, poll_id))


async def desk_page(
    request: Request, lab_id: str, poll_id: str, refusal: ShownRefusal | None = None
) -> DeskPage:
    """Make the page."""
    lab = await own_lab(request, lab_id)
    view = await labs_of(request).polls.require_taught(requester(request), lab_id, poll_id)
    poll, tally = view.poll, view.tally
    assert tally is not None
    return DeskPage(
        shell=shell_of(request),
        title=pollviews.question_text(poll),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        api=f"/api/v1/labs/{lab.id}",
        at=place_of(lab_id, poll_id),
        question=pollviews.question_view(poll, told=True),
        counted=pollviews.counted(view),
        steps=steps(poll) if lab.closed is None else (),
        moved=moved(view),
        forks=view.moved and view.head is not None and lab.closed is None,
        machine=None
        if poll.session_id is None
        else Link(
            _("#%(seq)s", seq=wording.count(poll.at)),
            f"/sessions/{poll.session_id}" + ("" if view.head == poll.at else f"?at={poll.at}"),
        ),
        share=share(tally),
        advice=_(ADVICE[tally.advice]) if tally.advice and poll.state in ADVISED else "",
        advised=(tally.advice or "").replace(" ", "-"),
        chart=pollchart.chart(poll, tally, marked=True),
        rows=pollviews.tally_rows(view, told=True),
        second=tally.rounds[1].voted > 0,
        shift=shift(tally),
        gain=gain(tally),
        named=named(view),
        reveal=await pollviews.reveal_view(request, poll),
        refusal=refusal,
    )


def steps(poll: Poll) -> list[StepButton]:
    """The states that the instructor can choose."""
    usual = STATES[min(STATES.index(poll.state) + 1, len(STATES) - 1)]
    return [
        StepButton(state, _(words), state == poll.state, state == usual)
        for state, words in STEPS.items()
        if not poll.revealed or state in (REVEAL, DONE)
    ]


def moved(view: PollView) -> str:
    """Say that the machine is not as it was."""
    poll = view.poll
    if not poll.lines:
        return ""
    if poll.session_id is None or view.head is None:
        return _("The machine was deleted: it cannot answer any more.")
    if not view.moved:
        return ""
    return _(
        "The machine is at #%(head)s now, and the question is about #%(at)s: somebody has called it since.",
        head=wording.count(view.head),
        at=wording.count(poll.at),
    )


def share(tally: Tally) -> str:
    """Say how many were right in the last round."""
    last = tally.rounds[1] if tally.rounds[1].voted else tally.rounds[0]
    if not last.voted:
        return ""
    return _(
        "%(right)s of %(all)s right: %(share)s",
        right=wording.count(last.right),
        all=wording.count(last.voted),
        share=wording.percent(last.right, last.voted),
    )


def shift(tally: Tally) -> list[ShiftCell]:
    """Who was right before, and then."""
    if not tally.both:
        return []
    count = wording.count
    return [
        ShiftCell(_("right before"), count(tally.right_right), count(tally.right_wrong)),
        ShiftCell(_("wrong before"), count(tally.wrong_right), count(tally.wrong_wrong)),
    ]


def gain(tally: Tally) -> str:
    """Say what was gained of what could be."""
    if not tally.both or tally.gain is None:
        return ""
    return _("Normalized gain: %(gain)s", gain=f"{tally.gain:+.2f}".replace("-", "−"))


def named(view: PollView) -> list[NamedVote]:
    """Who chose what."""
    found: dict[int, list[str]] = {}
    names: dict[int, str] = {}
    for one in view.votes:
        names[one.number] = one.nickname
        found.setdefault(one.number, ["", ""])[one.vote.round - 1] = pollviews.vote_words(view.poll, one.vote)
    return [NamedVote(who, names[who], *answers) for who, answers in found.items()]


@router.post("/labs/{lab_id}/polls/{poll_id}/state")
async def lead(request: Request, lab_id: str, poll_id: str, state: Text = "", seconds: Text = "") -> Response:
    """Bring a poll into another state."""
    labs, person = labs_of(request), requester(request)
    await labs.polls.require_taught(person, lab_id, poll_id)
    try:
        clock = seconds_of(seconds) if state in ("vote1", "vote2", "discuss") else None
        await labs.polls.to(person, lab_id, poll_id, state, clock)
    except REFUSED as error:
        page = await desk_page(request, lab_id, poll_id, refusal_of(error, NOT_DONE))
        return respond(page, status_of(error))
    return RedirectResponse(f"{place_of(lab_id, poll_id)}/desk", 303)


def seconds_of(typed: str) -> float | None:
    """Read how long a round is said to last. Raises BadArgument."""
    if not typed.strip():
        return None
    found = number(typed.strip())
    if found is None or not 5 <= found <= 3600:
        raise BadArgument.at("seconds", _("5 to 3,600 seconds, or nothing"))
    return float(found)


@router.post("/labs/{lab_id}/polls/{poll_id}/fork")
async def fork(request: Request, lab_id: str, poll_id: str) -> Response:
    """Have a fork answer."""
    labs, person = labs_of(request), requester(request)
    await labs.polls.require_taught(person, lab_id, poll_id)
    try:
        await labs.polls.fork(person, lab_id, poll_id)
    except REFUSED as error:
        page = await desk_page(request, lab_id, poll_id, refusal_of(error, NOT_DONE))
        return respond(page, status_of(error))
    return RedirectResponse(f"{place_of(lab_id, poll_id)}/desk", 303)


@router.post("/labs/{lab_id}/polls/{poll_id}/delete")
async def delete(request: Request, lab_id: str, poll_id: str) -> Response:
    """Delete a poll with its votes."""
    await labs_of(request).polls.delete(requester(request), lab_id, poll_id)
    return RedirectResponse(home(lab_id), 303)


def tasks(library: Library) -> list[tuple[str, str]]:
    """The tasks of exercises that a class can be asked, each with its words."""
    found = []
    for exercise in library.exercises().values():
        for task in class_tasks.offered(exercise):
            words = _("%(exercise)s: task %(number)s", exercise=exercise.title, number=task.number)
            for place, field in enumerate(task.fields, 1):
                label = class_tasks.plain(field.label)
                found.append(
                    (f"{exercise.name}:{task.number}:{place}", f"{words} – {label}" if label else words)
                )
    return found


async def polls_page(request: Request, lab: Lab, refusal: ShownRefusal | None = None) -> PollsPage:
    """List all questions of a lab for its instructor."""
    labs, person = labs_of(request), requester(request)
    found = await labs.polls.summaries(person, lab.id)
    return PollsPage(
        shell=shell_of(request),
        title=_("Questions to the class"),
        lab=Link(lab.title, f"/labs/{lab.id}"),
        polls=[entry(lab.id, view) for view in found],
        machines=[Link(machine.title, f"/sessions/{machine.session_id}/ask") for machine in lab.machines]
        if lab.closed is None
        else (),
        tasks=tasks(request.app.state.exercises) if lab.closed is None else (),
        action=home(lab.id),
        participation=f"/labs/{lab.id}/participation",
        refusal=refusal,
    )


def entry(lab_id: str, view: PollView) -> PollEntry:
    """A question in the list."""
    poll, tally = view.poll, view.tally
    assert tally is not None
    shares = [wording.percent(one.right, one.voted) if one.voted else "" for one in tally.rounds]
    return PollEntry(
        text=f"{pollviews.question_text(poll)} {' · '.join(poll.lines)}",
        href=f"{place_of(lab_id, poll.id)}/desk",
        state=_(pollviews.HEADINGS[poll.state]),
        running=poll.state in RUNNING,
        created=poll.created,
        first=shares[0],
        second=shares[1],
    )


@router.post("/labs/{lab_id}/polls")
async def ask_task(request: Request, lab_id: str, task: Text = "", named: Text = "") -> Response:
    """Make a draft of a task of an exercise, and lead to the desk. task: as the list has it, `name:2:1`."""
    labs, person = labs_of(request), requester(request)
    await labs.rooms.require_taught(person, lab_id)
    name, *places = task.split(":")
    numbers = [number(place) or 0 for place in (*places, "1", "1")]
    try:
        made = await labs.polls.create_from(
            person, lab_id, name, numbers[0], field=max(1, numbers[1]), named=named == "on"
        )
    except REFUSED as error:
        page = await polls_page(request, await own_lab(request, lab_id), refusal_of(error, NOT_ASKED))
        return respond(page, status_of(error))
    return RedirectResponse(f"{place_of(lab_id, made.poll.id)}/desk", 303)


@router.get("/labs/{lab_id}/participation")
async def participation(request: Request, lab_id: str) -> Response:
    """List who has voted how often."""
    lab = await own_lab(request, lab_id)
    rows = await labs_of(request).polls.participation(requester(request), lab_id)
    return respond(
        ParticipationPage(
            shell=shell_of(request),
            title=_("Who has taken part"),
            lab=Link(lab.title, f"/labs/{lab.id}"),
            polls=Link(_("Questions to the class"), home(lab_id)),
            rows=[
                ParticipationRow(one.number, one.nickname, wording.count(one.polls), wording.count(one.votes))
                for one in rows
            ],
            save=f"/labs/{lab_id}/participation.csv",
        )
    )


@router.get("/labs/{lab_id}/participation.csv")
async def participation_file(request: Request, lab_id: str, bom: str = "1") -> Response:
    """The same for a spreadsheet. bom: 0 leaves out the byte-order mark."""
    rows = await labs_of(request).polls.participation(requester(request), lab_id)
    headers = {"Content-Disposition": f'attachment; filename="participation-{lab_id}.csv"'}
    made = csvfile.participation(rows, bom=bom != "0")
    return Response(made, headers=headers, media_type=csvfile.CSV_TYPE)
