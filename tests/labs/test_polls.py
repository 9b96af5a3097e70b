"""Polls: a class votes, discusses, votes again, and the machine answers with a row."""

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.exercises.library import shipped
from app.labs import Labs, Person, Poll, PollView, Tally, VoteRow
from app.labs.class_tasks import asked_of_class, drawn_of, offered, shown
from app.labs.news import Listener
from app.labs.poll import CHOICE, LETTERS
from app.labs.polls import items_of
from app.labs.tally import tally
from app.sessions import Conflict, Forbidden, NotFound, Sessions
from app.store.polls import PollRow
from app.web.pollchart import chart
from app.web.pollviews import own_votes
from tests.labs.test_presenting import heard, soon
from tests.support.factories import raw, settings_for
from tests.support.patience import PATIENCE
from tests.support.walls import Hall, filled, opened

pytestmark = pytest.mark.anyio

Door = tuple[Sessions, Labs, Hall]
MEMBERS = 6
NULL_LINE = "alloc_pages(GFP_NOWAIT, 1)"
FULL = ["f = alloc_page(GFP_ATOMIC|__GFP_MEMALLOC) until NULL", "__free_pages(f[::2], 0)"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(settings_for(tmp_path, lab=True)) as (sessions, labs):
        yield sessions, labs, await filled(sessions, labs, MEMBERS)


async def asked(
    sessions: Sessions, labs: Labs, here: Hall, line: str = NULL_LINE, asked: str = "verdict", **more: Any
) -> PollView:
    """A question about a machine of which every second frame is in use."""
    made = await sessions.create(
        here.teacher.principal, "half free", {"profile": "tiny-16m", "lecture": True, "reclaim": False}
    )
    await sessions.batch(here.teacher.principal, made.id, items_of(FULL))
    return await labs.polls.create(here.teacher, here.lab, made.id, line, asked, **more)


async def test_from_a_draft_to_the_row_that_answers(door: Door) -> None:
    sessions, labs, here = door
    kim, lee, mo, *rest = here.people
    draft = await asked(sessions, labs, here)
    poll = draft.poll
    assert (poll.state, poll.choices, poll.right, poll.at) == ("draft", ("ok", "null", "bug", "oom"), "B", 2)
    for person in (kim, lee):
        with pytest.raises(NotFound):
            await labs.polls.get(person, here.lab, poll.id)
    with pytest.raises(Forbidden):
        await labs.polls.to(kim, here.lab, poll.id, "vote1")
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    for person, choice in ((kim, "A"), (lee, "A"), (mo, "B"), (kim, "B"), (kim, "A")):
        await labs.polls.vote(person, here.lab, poll.id, choice, "sure", 1)
    seen = await labs.polls.get(kim, here.lab, poll.id)
    assert seen.mine[1].choice == "A"
    assert (seen.tally, seen.voted, seen.members) == (None, {1: 3}, MEMBERS)
    assert "right" not in seen.poll.public()
    await labs.polls.to(here.teacher, here.lab, poll.id, "discuss")
    with pytest.raises(Conflict, match="closed"):
        await labs.polls.vote(kim, here.lab, poll.id, "B", "sure")
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote2")
    with pytest.raises(Conflict, match="closed"):
        await labs.polls.vote(kim, here.lab, poll.id, "B", "sure", 1)
    await labs.polls.vote(kim, here.lab, poll.id, "B", "rather", 2)
    await labs.polls.vote(lee, here.lab, poll.id, "C", "guess", 2)
    await labs.polls.vote(mo, here.lab, poll.id, "B", "sure", 2)
    await labs.polls.vote(rest[0], here.lab, poll.id, "B", "sure", 2)
    told = await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    assert told.poll.seq == 3
    row = (await sessions.event(here.teacher.principal, str(poll.session_id), 3)).outcome
    assert (row["call"], row["verdict"], row["by"]) == ("alloc_pages", "null", here.teacher.principal.by)
    assert told.tally is not None
    assert told.tally.as_json() == {
        "rounds": [
            {
                "round": 1,
                "voted": 3,
                "right": 1,
                "choices": [
                    {"choice": "A", "votes": 2, "sure": 2, "rather": 0, "guess": 0},
                    {"choice": "B", "votes": 1, "sure": 1, "rather": 0, "guess": 0},
                    {"choice": "C", "votes": 0, "sure": 0, "rather": 0, "guess": 0},
                    {"choice": "D", "votes": 0, "sure": 0, "rather": 0, "guess": 0},
                ],
            },
            {
                "round": 2,
                "voted": 4,
                "right": 3,
                "choices": [
                    {"choice": "A", "votes": 0, "sure": 0, "rather": 0, "guess": 0},
                    {"choice": "B", "votes": 3, "sure": 2, "rather": 1, "guess": 0},
                    {"choice": "C", "votes": 1, "sure": 0, "rather": 0, "guess": 1},
                    {"choice": "D", "votes": 0, "sure": 0, "rather": 0, "guess": 0},
                ],
            },
        ],
        "shift": {"both": 3, "right_right": 1, "right_wrong": 0, "wrong_right": 1, "wrong_wrong": 1},
        "moves": [
            {"from": "A", "to": "B", "members": 1},
            {"from": "A", "to": "C", "members": 1},
            {"from": "B", "to": "B", "members": 1},
        ],
        "gain": 0.5,
        "advice": "go on",
    }
    assert (await labs.polls.get(kim, here.lab, poll.id)).poll.public()["right"] == "B"
    for back in ("vote1", "vote2", "discuss"):
        with pytest.raises(Conflict, match="the answer is out"):
            await labs.polls.to(here.teacher, here.lab, poll.id, back)
    assert (await labs.polls.to(here.teacher, here.lab, poll.id, "done")).poll.state == "done"
    assert (await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")).poll.seq == 3


async def test_an_empty_vote_is_refused_and_so_is_whoever_is_no_member(door: Door) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    kim = here.people[0]
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    for choice, confidence, field in (
        ("", "sure", "choice"),
        ("  ", "sure", "choice"),
        ("E", "sure", "choice"),
        ("AB", "sure", "choice"),
        ("null", "sure", "choice"),
        ("A", "", "confidence"),
        ("A", "certain", "confidence"),
    ):
        with pytest.raises(BadArgument) as found:
            await labs.polls.vote(kim, here.lab, poll.id, choice, confidence)
        assert found.value.faults[0].loc == (field,)
    with pytest.raises(Conflict, match="only members"):
        await labs.polls.vote(here.teacher, here.lab, poll.id, "A", "sure")
    other = await stranger(labs, here)
    for attempt in (
        labs.polls.get(other, here.lab, poll.id),
        labs.polls.listed(other, here.lab),
        labs.polls.to(other, here.lab, poll.id, "discuss"),
        labs.polls.delete(other, here.lab, poll.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await labs.polls.get(here.teacher, here.lab, poll.id)).voted == {}
    # A vote is no call: also a frozen lab votes, and a closed one does not.
    await labs.rooms.freeze(here.teacher, here.lab, frozen=True)
    await labs.polls.vote(kim, here.lab, poll.id, "A", "sure")
    await labs.rooms.close(here.teacher, here.lab)
    with pytest.raises(Conflict, match="closed"):
        await labs.polls.vote(kim, here.lab, poll.id, "B", "sure")
    assert (await labs.polls.get(kim, here.lab, poll.id)).mine[1].choice == "A"
    assert await labs.polls.running(kim, here.lab) is None


async def stranger(labs: Labs, here: Hall) -> Person:
    invitation = await labs.authentication.invite(here.teacher)
    return (await labs.authentication.set_up(invitation, "Mr Frame", "another long password")).person


async def test_one_question_at_a_time_is_before_the_class(door: Door) -> None:
    sessions, labs, here = door
    first, second = (await asked(sessions, labs, here)).poll, (await asked(sessions, labs, here)).poll
    await labs.polls.to(here.teacher, here.lab, first.id, "vote1")
    with pytest.raises(Conflict, match="another question"):
        await labs.polls.to(here.teacher, here.lab, second.id, "vote1")
    running = await labs.polls.running(here.people[0], here.lab)
    assert running is not None
    assert running.id == first.id
    await labs.polls.to(here.teacher, here.lab, first.id, "done")
    await labs.polls.to(here.teacher, here.lab, second.id, "vote1")
    # Without an answer it can be taken up again, where nothing else is asked.
    await labs.polls.to(here.teacher, here.lab, second.id, "done")
    assert (await labs.polls.to(here.teacher, here.lab, first.id, "vote2")).poll.round == 2
    for state in ("draft", "", "vote3"):
        with pytest.raises(BadArgument):
            await labs.polls.to(here.teacher, here.lab, first.id, state)
    assert [poll.id for poll in await labs.polls.listed(here.people[0], here.lab)] == [second.id, first.id]


async def test_where_somebody_has_called_the_machine_a_fork_answers(door: Door) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    teacher, origin = here.teacher.principal, str(poll.session_id)
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    await sessions.apply(teacher, origin, "alloc_page", {"gfp": "GFP_KERNEL"})
    seen = await labs.polls.get(here.teacher, here.lab, poll.id)
    assert (seen.moved, seen.head) == (True, 3)
    with pytest.raises(Conflict, match="somebody has called it since"):
        await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    assert (await labs.polls.get(here.teacher, here.lab, poll.id)).poll.state == "vote1"
    forked = await labs.polls.fork(here.teacher, here.lab, poll.id)
    assert forked.poll.session_id != origin
    assert not forked.moved
    told = await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    row = (await sessions.event(teacher, str(told.poll.session_id), 3)).outcome
    assert (row["call"], row["verdict"]) == ("alloc_pages", "null")
    assert (await sessions.get(teacher, origin)).seq == 3
    with pytest.raises(Conflict, match="the answer is out"):
        await labs.polls.fork(here.teacher, here.lab, poll.id)


async def test_a_reveal_whose_answer_was_lost_makes_no_second_row(door: Door) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    session = str(poll.session_id)
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    # As if the server had died between the row and the poll; then twice at the same time.
    await sessions.batch(here.teacher.principal, session, items_of([NULL_LINE]))
    told = await asyncio.gather(*(labs.polls.to(here.teacher, here.lab, poll.id, "reveal") for _ in range(3)))
    assert {one.poll.seq for one in told} == {3}
    assert (await sessions.get(here.teacher.principal, session)).seq == 3


@pytest.mark.parametrize(
    ("line", "predict", "right"),
    [
        ("alloc_pages(GFP_KERNEL, 3)", "pfn", "0x400"),
        ("alloc_pages(GFP_KERNEL, 3)", "zone", "DMA"),
        ("alloc_pages(GFP_KERNEL, 3)", "orders", "0 0 0 1 1 1 1 1 1 1 2"),
        ("p = alloc_pages(GFP_KERNEL, 3)\nget_page(p)\n__free_pages(p, 3)", "frames", "0x401-0x407"),
        ("kmalloc(100, GFP_KERNEL)", "size", "128 bytes"),
        ("p = alloc_page(GFP_KERNEL)\nlock_page(p)\nbob: lock_page(p)\nunlock_page(p)", "woken", "bob"),
    ],
)
async def test_what_can_be_asked(door: Door, line: str, predict: str, right: str) -> None:
    sessions, labs, here = door
    made = await sessions.create(
        here.teacher.principal, None, {"profile": "tiny-16m", "lecture": True, "reclaim": False}
    )
    poll = (await labs.polls.create(here.teacher, here.lab, made.id, line, predict)).poll
    assert poll.text(poll.right) == right
    assert 2 <= len(poll.choices) == len(set(poll.choices)) <= 6
    assert (await sessions.get(here.teacher.principal, made.id)).seq == 0
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    told = await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    assert told.poll.seq == len(line.splitlines())


async def test_what_cannot_be_asked_is_said_and_nothing_is_made(door: Door) -> None:
    sessions, labs, here = door
    for line, predict, field in (
        ("alloc_page(GFP_KERNEL)", "weather", "predict"),
        ("alloc_page(GFP_KERNEL)", "woken", "predict"),
        ("", "verdict", "line"),
        ("x" * 5_000, "verdict", "line"),
        ("alloc_page(GFP_KERNEL)\n" * 101, "verdict", "line"),
    ):
        with pytest.raises(BadArgument) as found:
            await asked(sessions, labs, here, line, predict)
        assert found.value.faults[0].loc[0] == field
    with pytest.raises(BadArgument):
        await asked(sessions, labs, here, "not a call", "verdict")
    for session in (here.machines[0], "none"):
        with pytest.raises(BadArgument) as found:
            await labs.polls.create(here.teacher, here.lab, session, NULL_LINE, "verdict")
        assert found.value.faults[0].loc == ("session",)
    with pytest.raises(Forbidden):
        await labs.polls.create(here.people[0], here.lab, here.machines[0], NULL_LINE, "verdict")
    assert await labs.polls.listed(here.teacher, here.lab) == []


async def test_the_instructor_alone_hears_how_votes_fall(door: Door) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    member = await labs.news.follow(here.people[0], here.lab)
    teacher = await labs.news.follow(here.teacher, here.lab)
    assert (await soon(member))["poll"] == {"poll": None}
    await soon(teacher)
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1", 60)
    heard_first = (await soon(member))["poll"]["poll"]
    assert (heard_first["id"], heard_first["state"], heard_first["round"]) == (poll.id, "vote1", 1)
    assert heard_first["closes"] is not None
    assert "right" not in heard_first
    for person in here.people[:4]:
        await labs.polls.vote(person, here.lab, poll.id, "B", "sure")
    members, teachers = await until(member, "voted", 4), await until(teacher, "voted", 4)
    assert members[-1]["voted"] == {"poll": poll.id, "round": 1, "voted": 4, "members": MEMBERS}
    assert not any("tally" in part for part in members)
    last = [part["tally"] for part in teachers if "tally" in part][-1]
    assert (last["poll"], last["rounds"][0]["right"]) == (poll.id, 4)
    await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    told = (await until(member, "poll"))[-1]["poll"]["poll"]
    assert (told["state"], told["right"], told["seq"]) == ("reveal", "B", 3)
    await labs.polls.to(here.teacher, here.lab, poll.id, "done")
    assert (await until(member, "poll"))[-1]["poll"] == {"poll": None}
    member.close()
    teacher.close()


async def until(listener: Listener, kind: str, votes: int | None = None) -> list[dict[str, Any]]:
    """What is heard up to an event; of counts up to one."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE):
        while True:
            found.append(heard(await listener.next()))
            if kind in found[-1] and (votes is None or found[-1][kind]["voted"] == votes):
                return found


async def test_votes_are_counted_twice_a_second_at_most(door: Door) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    listener = await labs.news.follow(here.teacher, here.lab)
    counts: list[float] = []
    begun = asyncio.get_running_loop().time()

    async def listen() -> None:
        while (part := await listener.next()) is not None:
            if "tally" in heard(part):
                counts.append(asyncio.get_running_loop().time())

    listening = asyncio.create_task(listen())
    number = 0
    while asyncio.get_running_loop().time() < begun + 2.5:
        person = here.people[number % MEMBERS]
        await labs.polls.vote(person, here.lab, poll.id, "ABCD"[number // MEMBERS % 4], "sure")
        number += 1
        labs.news.look()
        await asyncio.sleep(0.01)
    listener.close()
    await listening
    assert len(counts) >= 2
    # When it is read, and when it is heard, are two moments.
    assert all(later - earlier > 0.5 - 0.2 for earlier, later in pairwise(counts[1:]))


async def test_what_is_anonymous_is_told_to_nobody_else(door: Door) -> None:
    sessions, labs, here = door
    kim = here.people[0]
    for named in (True, False):
        poll = (await asked(sessions, labs, here, named=named)).poll
        await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
        await labs.polls.vote(kim, here.lab, poll.id, "C", "guess")
        seen = await labs.polls.get(here.teacher, here.lab, poll.id)
        assert [(one.number, one.vote.choice) for one in seen.votes] == ([(1, "C")] if named else [])
        assert (await labs.polls.get(kim, here.lab, poll.id)).votes == ()
        await labs.polls.to(here.teacher, here.lab, poll.id, "done")
    own = await exported(labs, kim, here)
    assert [vote["choice"] for vote in own["votes"]] == ["bug", "bug"]
    theirs = await exported(labs, here.teacher, here)
    assert [vote.get("choice") for vote in theirs["votes"]] == ["bug", None]
    lines = [line async for line in await labs.exporting.lab(here.teacher, here.lab)]
    document = json.loads(b"".join(lines).splitlines()[0])
    assert [poll["tally"]["rounds"][0]["voted"] for poll in document["polls"]] == [1, 1]
    listed = await labs.polls.participation(here.teacher, here.lab)
    assert [(one.number, one.polls, one.votes) for one in listed[:2]] == [(1, 2, 2), (2, 0, 0)]
    with pytest.raises(Forbidden):
        await labs.polls.participation(kim, here.lab)


async def exported(labs: Labs, person: Person, here: Hall) -> dict[str, Any]:
    parts = [part async for part in await labs.exporting.member(person, here.lab, 1)]
    document: dict[str, Any] = json.loads(b"".join(parts).splitlines()[0])
    return document


async def test_votes_go_with_their_member_and_polls_with_their_lab(door: Door, tmp_path: Path) -> None:
    sessions, labs, here = door
    poll = (await asked(sessions, labs, here)).poll
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    for person in here.people[:3]:
        await labs.polls.vote(person, here.lab, poll.id, "A", "sure")
    await labs.rooms.delete_member(here.teacher, here.lab, 1)
    assert (await labs.polls.get(here.teacher, here.lab, poll.id)).voted == {1: 2}
    await sessions.delete(here.teacher.principal, str(poll.session_id))
    seen = await labs.polls.get(here.teacher, here.lab, poll.id)
    assert (seen.poll.session_id, seen.head, seen.moved) == (None, None, True)
    for attempt in (
        labs.polls.to(here.teacher, here.lab, poll.id, "reveal"),
        labs.polls.fork(here.teacher, here.lab, poll.id),
    ):
        with pytest.raises(Conflict, match="was deleted"):
            await attempt
    second = (await asked(sessions, labs, here)).poll
    await labs.polls.delete(here.teacher, here.lab, second.id)
    with pytest.raises(NotFound):
        await labs.polls.get(here.teacher, here.lab, second.id)
    acts = [noted.act.act for noted in await labs.acts(here.teacher, 100)]
    assert acts.count("ask the class") == 2
    assert {"open a vote", "delete a poll"} <= set(acts)
    await labs.rooms.delete(here.teacher, here.lab)
    with raw(sessions._settings) as db:
        assert db.execute("SELECT count(*) FROM polls").fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM votes").fetchone() == (0,)


def test_every_live_task_of_the_exercises_is_a_question_with_one_right_answer() -> None:
    asked_of = 0
    for exercise in shipped().values():
        for task in offered(exercise):
            assert task.kind != "goal"
            chosen = asked_of_class(exercise, task.number, 1, b"seed of a class")
            drawn = drawn_of(chosen)
            where = (exercise.name, task.number)
            assert drawn.form == CHOICE, where
            assert 2 <= len(drawn.choices) == len(set(drawn.choices)) <= 6, where
            assert drawn.right not in drawn.wrong, where
            field = chosen.field
            assert field.right is not None
            right = [
                text
                for text in drawn.choices
                if field.field.form != "step"
                and field.form.share(
                    field.right, field.form.read(text, field.shape), field.shape, field.field
                ).right
            ]
            shown_right = drawn.choices[LETTERS.index(drawn.right)]
            assert shown_right == shown(field, field.right), where
            assert right in ([], [shown_right]), where
            assert (right == []) == (field.field.form == "step"), where
            asked_of += 1
    assert asked_of >= 60


def test_every_field_is_a_question_or_is_typed() -> None:
    forms = set()
    for exercise in shipped().values():
        for task in offered(exercise):
            for place in range(2, len(task.fields) + 1):
                drawn = drawn_of(asked_of_class(exercise, task.number, place, b"seed of a class"))
                forms.add(drawn.form)
                assert (drawn.form == CHOICE) == (len(drawn.choices) >= 2)
                assert len(set(drawn.choices)) == len(drawn.choices) <= 6
    assert {CHOICE, "number"} <= forms


@pytest.mark.parametrize("kind", ["ask", "explain", "debug"])
async def test_tasks_of_each_kind_are_asked_and_revealed(door: Door, kind: str) -> None:
    sessions, labs, here = door
    name, task = next(
        (exercise.name, task)
        for exercise in shipped().values()
        for task in offered(exercise)
        if task.kind == kind
    )
    field = len(task.fields)
    view = await labs.polls.create_from(here.teacher, here.lab, name, task.number, field=field)
    poll = view.poll
    assert (poll.task, poll.field) == (task.number, field)
    await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
    await labs.polls.vote(here.people[0], here.lab, poll.id, poll.right, "sure")
    told = await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
    assert told.poll.revealed
    assert (told.poll.right, told.poll.drift) == (poll.right, "")
    assert told.poll.seq == poll.at + len(poll.lines)
    assert (await sessions.get(here.teacher.principal, str(poll.session_id))).seq == told.poll.seq
    assert (kind == "ask") == (poll.lines == ())
    assert told.tally is not None
    assert told.tally.rounds[0].right == 1
    with pytest.raises(BadArgument) as found:
        await labs.polls.create_from(here.teacher, here.lab, name, task.number, field=field + 1)
    assert found.value.faults[0].loc == ("field",)


async def test_what_the_machine_says_wins_over_what_was_held_for_right(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    sessions, labs, here = door
    name, number = next(
        (exercise.name, task.number)
        for exercise in shipped().values()
        for task in offered(exercise)
        if task.kind == "predict"
    )
    for ad_hoc in (True, False):
        for gone in (False, True):
            view = (
                await asked(sessions, labs, here)
                if ad_hoc
                else await labs.polls.create_from(here.teacher, here.lab, name, number)
            )
            poll, kept = view.poll, [*view.poll.choices]
            right = poll.text(poll.right)
            # As if an older engine had said so: another of the choices, or one where the right one is none.
            held = next(letter for letter in poll.letters if letter != poll.right)
            if gone:
                kept.remove(right)
                held = "A"
            with raw(sessions._settings) as db:
                old = json.loads(
                    db.execute("SELECT sealed FROM polls WHERE id = ?", (poll.id,)).fetchone()[0]
                )
                changed = json.dumps(old | {"right": held, "wrong": {}})
                db.execute(
                    "UPDATE polls SET sealed = ?, choices = ? WHERE id = ?",
                    (changed, json.dumps(kept), poll.id),
                )
                db.commit()
            await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
            await labs.polls.vote(here.people[0], here.lab, poll.id, held, "sure")
            told = (await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")).poll
            assert told.text(told.right) == right
            assert told.drift == kept["ABCDEF".index(held)]
            assert "drift: the machine says" in caplog.text
            assert told.public()["drift"] == told.drift
            mine = own_votes(await labs.polls.get(here.people[0], here.lab, poll.id))
            assert [vote.right for vote in mine] == [False]
            await labs.polls.to(here.teacher, here.lab, poll.id, "done")


async def test_a_task_of_an_exercise_is_asked_on_a_machine_of_its_own(door: Door) -> None:
    _, labs, here = door
    asked_of = 0
    for exercise in shipped().values():
        for task in list(offered(exercise))[:1]:
            view = await labs.polls.create_from(here.teacher, here.lab, exercise.name, task.number)
            poll = view.poll
            assert (poll.exercise, poll.task, view.moved) == (exercise.name, task.number, False)
            assert poll.question
            assert "`" not in poll.question
            await labs.polls.to(here.teacher, here.lab, poll.id, "vote1")
            choice = poll.right
            seen = await labs.polls.vote(here.people[0], here.lab, poll.id, choice, "sure")
            assert seen.mine[1].choice == poll.right
            told = await labs.polls.to(here.teacher, here.lab, poll.id, "reveal")
            assert told.poll.seq == poll.at + len(poll.lines)
            await labs.polls.to(here.teacher, here.lab, poll.id, "done")
            asked_of += 1
    assert asked_of >= 2
    for name, number, field in (("none", 1, "exercise"), (next(iter(shipped())), 99, "task")):
        with pytest.raises(BadArgument) as found:
            await labs.polls.create_from(here.teacher, here.lab, name, number)
        assert found.value.faults[0].loc == (field,)


# -- counting ----------------------------------------------------------------------------------------------


def counted(poll: Poll, *votes: str) -> Tally:
    """Votes as `round member choice`."""
    rows = [vote.split() for vote in votes]
    return tally(poll, [VoteRow("p", int(number), who, choice, "sure", "") for number, who, choice in rows])


def a_poll(**more: Any) -> Poll:
    row = PollRow(
        id="p",
        lab_id="l",
        session_id="s",
        at=0,
        source=json.dumps({"lines": ["x()"], "asked": "verdict"}),
        question="",
        form="choice",
        choices='["ok", "null", "oom"]',
        sealed=json.dumps({"right": "B", "wrong": {"A": ["free is enough", "No."]}}),
        state="vote1",
        since="",
        seq=None,
        named=False,
        advice="[35, 70]",
        closes=None,
        created="",
    )
    return Poll.of(row._replace(**more))


@pytest.mark.parametrize(
    ("right", "advice"), [(0, "explain"), (34, "explain"), (35, "discuss"), (70, "discuss"), (71, "go on")]
)
def test_what_is_advised_follows_the_share_of_right_answers(right: int, advice: str) -> None:
    votes = [f"1 m{number} {'B' if number < right else 'A'}" for number in range(100)]
    assert counted(a_poll(), *votes).advice == advice


def test_nothing_is_advised_and_nothing_gained_before_there_is_a_vote() -> None:
    empty = counted(a_poll())
    assert (empty.advice, empty.gain, empty.moves, empty.both) == (None, None, [], 0)
    assert chart(a_poll(), empty, marked=True) is None


def test_the_gain_is_of_those_who_voted_twice() -> None:
    votes = ("1 a A", "1 b B", "1 c A", "2 a B", "2 b A", "2 d B")
    found = counted(a_poll(state="closed2"), *votes)
    assert (found.right_right, found.right_wrong, found.wrong_right, found.wrong_wrong) == (0, 1, 1, 0)
    assert (found.both, found.gain) == (2, 0.0)
    assert counted(a_poll(), "1 a B", "2 a B").gain is None
    assert counted(a_poll(), "1 a B", "1 b A", "2 a A", "2 b A").gain == -1.0
    drawn = chart(a_poll(), found, marked=True)
    assert drawn is not None
    assert [flow.kind for flow in drawn.flows] == ["gained", "lost"]
    hidden = chart(a_poll(), found, marked=False)
    assert hidden is not None
    assert {flow.kind for flow in hidden.flows} == {"moved"}
    assert not any(bar.right for bar in hidden.bars)


def test_of_typed_answers_the_frequent_and_the_known_are_told_apart() -> None:
    poll = a_poll(form="number", choices="[]", sealed=json.dumps({"right": "7", "wrong": {"8": ["x", "y"]}}))
    votes = [f"1 m{number} {number}" for number in range(20)] + ["1 a 3", "1 b 3"]
    found = counted(poll, *votes)
    bars = {bar.choice: bar.votes for bar in found.rounds[0].bars}
    assert len(bars) == 9
    assert (bars["7"], bars["8"], bars["3"], bars[""]) == (1, 1, 3, 12)
    assert sum(bars.values()) == found.rounds[0].voted == 22
