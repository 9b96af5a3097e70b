"""Answers: what costs an attempt, what it earns, what is shown, and what a reveal makes of it."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.clock import after_now, before_now, now
from app.errors import BadArgument
from app.labs.times import Window
from app.labs.worked import Worked
from app.sessions import BatchItem, Conflict, Forbidden, NotFound, Stale, TooMany
from app.store import variants
from tests.support.sheets import GOAL, Sitting, a_sitting, right_of, wrong_of

ALLOC = {"gfp": "GFP_KERNEL"}
VARIES = "[vary]\nn = { between = [4, 40] }\n"


async def rows(here: Sitting, found: Worked) -> list[tuple[str, str | None]]:
    """The journal of a variant's session: calls, and by whom."""
    assert found.row.session_id is not None
    events = await here.room.sessions.events(here.kim.principal, found.row.session_id)
    return [(event.outcome["call"], event.outcome["by"]) for event in events]


async def test_each_try_is_worth_less_and_none_lowers_what_was_earned(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        wrong = await here.answer(found, 1, *wrong_of(found, 1))
        assert (wrong.row.share, wrong.row.score, wrong.row.max) == (0, 0, 3_000)
        assert wrong.row.misconception == "contiguous"
        right = await here.answer(found, 1, *right_of(found, 1))
        assert (right.row.number, right.row.share, right.row.score) == (2, 1_000, 1_800)
        assert right.worked.score(1) == 1_800
        with pytest.raises(Conflict, match="solved"):
            await here.answer(found, 1, *right_of(found, 1))


async def test_attempts_are_used_up(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        for left in (2, 1, 0):
            done = await here.answer(found, 1, *wrong_of(found, 1))
            assert done.worked.left(1) == left
            assert done.worked.shows_answer(1) is (left == 0)
        with pytest.raises(Conflict, match="used up"):
            await here.answer(found, 1, *right_of(found, 1))


async def test_a_text_that_is_no_answer_is_named_and_costs_nothing(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        with pytest.raises(BadArgument) as caught:
            await here.answer(found, 1, "the first one")
        assert caught.value.faults[0].loc == ("given", 0)
        with pytest.raises(BadArgument):
            await here.answer(found, 1)
        with pytest.raises(NotFound):
            await here.answer(found, 3, "1")
        assert not (await here.open()).submissions


async def test_of_two_answers_at_once_one_counts(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        given = wrong_of(found, 1)
        done = await asyncio.gather(
            *(here.answer(found, 1, *given) for _ in range(4)), return_exceptions=True
        )
        refused = [one for one in done if isinstance(one, Conflict)]
        assert len((await here.open()).submissions) == len(done) - len(refused)
        assert len((await here.open()).submissions) in (1, 2, 3)


async def test_a_hint_has_its_price_and_comes_in_its_turn(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        hints = here.room.labs.submissions
        with pytest.raises(Conflict, match="hint 1 comes first"):
            await hints.hint(here.kim, found.row.id, 1, 2, now())
        assert await hints.hint(here.kim, found.row.id, 1, 1, now()) == "The lower half is yours."
        assert await hints.hint(here.kim, found.row.id, 1, 1, now()) == "The lower half is yours."
        done = await here.answer(found, 1, *right_of(found, 1))
        assert (done.row.hints, done.row.score) == (1, 2_400)
        with pytest.raises(Conflict):
            await hints.hint(here.kim, found.row.id, 1, 2, now())
        with pytest.raises(NotFound):
            await hints.hint(here.kim, found.row.id, 1, 3, now())


async def test_practice_has_any_number_of_tries_and_another_variant_afterwards(tmp_path: Path) -> None:
    async with a_sitting(tmp_path, "practice") as here:
        found = await here.open()
        for _ in range(5):
            await here.answer(found, 1, *wrong_of(found, 1))
        done = await here.answer(found, 1, *right_of(found, 1))
        assert done.row.score == 3_000
        assert (await here.open()).row.number == 1
        await here.answer(found, 2, *right_of(found, 2))
        assert (await here.open()).row.number == 2


async def test_a_reveal_makes_the_calls_in_the_members_own_session(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        with pytest.raises(Conflict, match="answer task 1 first"):
            await here.reveal(found, 1)
        await here.answer(found, 1, *wrong_of(found, 1))
        with pytest.raises(Conflict, match="2 more attempts"):
            await here.reveal(found, 1)
        shown = await here.reveal(found, 1, give_up=True)
        assert await rows(here, found) == [("alloc_pages", "m1"), ("alloc_pages", "i1")]
        assert shown.progress.task(1).rows == (2, 2)
        assert await here.reveal(found, 1) == shown
        with pytest.raises(Conflict, match="was shown"):
            await here.answer(found, 1, *right_of(found, 1))
        row = await here.room.sessions.event(here.kim.principal, found.row.session_id or "", 2)
        assert [f"{row.outcome['page']['pfn']:#x}"] == right_of(found, 1)
        assert not shown.tries(1)[0].drift


async def test_what_a_member_does_in_between_does_not_change_what_is_right(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        await here.call(found, "alloc_pages", **ALLOC, order=4)
        await here.room.sessions.batch(
            here.kim.principal, found.row.session_id or "", [_named("a"), _named("p")]
        )
        done = await here.answer(found, 1, *right_of(found, 1))
        assert done.row.share == 1_000
        shown = await here.reveal(found, 1)
        made = [call for call, _ in await rows(here, found)]
        assert made[-2:] == ["rewind", "alloc_pages"]
        assert shown.tries(1) == [done.row]


async def _first(here: Sitting, found: Worked) -> dict[str, Any]:
    """What the first row of a variant's session came to."""
    events = await here.room.sessions.events(here.kim.principal, found.row.session_id or "")
    return next(iter(events)).outcome


def _named(name: str) -> BatchItem:
    return BatchItem("alloc_page", ALLOC, name)


async def test_where_an_engine_has_changed_the_row_wins(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        right = right_of(found, 1)
        sealed = json.loads(found.row.sealed)
        sealed["tasks"][0][0]["right"] = 7
        await here.room.sessions.execute(
            lambda db: variants.change(db, found.row.id, {"sealed": json.dumps(sealed)})
        )
        done = await here.answer(found, 1, *right)
        assert done.row.share == 0
        shown = await here.reveal(found, 1, give_up=True)
        assert (shown.tries(1)[0].share, shown.tries(1)[0].score) == (1_000, 3_000)
        assert shown.tries(1)[0].drift == right[0]


# -- goals -----------------------------------------------------------------------------------------------


async def test_a_goal_is_submitted_as_the_machine_is(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open(1)
        n = found.variant.values.by_name["n"]
        with pytest.raises(Conflict, match="alloc_page, alloc_pages"):
            await here.call(found, "kmalloc", size=100, flags="GFP_KERNEL")
        await here.call(found, "alloc_page", **ALLOC)
        some = await here.answer(found, 1)
        assert some.row.share == 250
        assert "You hold too few." in some.row.parts
        assert "live frames" not in some.row.parts
        await here.call(found, "alloc_page", **ALLOC, repeat=n)
        seen = await here.room.labs.submissions.check(here.kim, found.row.id, 1)
        assert (seen.share, seen.rows) == (1_000, 2)
        with pytest.raises(Stale):
            await here.answer(found, 1, seq=1)
        with pytest.raises(BadArgument):
            await here.answer(found, 1, "done")
        done = await here.answer(found, 1, seq=2)
        assert (done.row.share, done.row.seq) == (1_000, 2)
        next_one = await here.answer(found, 2, "ok")
        assert next_one.row.share == 1_000
        shown = await here.reveal(found, 2)
        assert shown.row.finished is not None
        await here.call(found, "kmalloc", size=100, flags="GFP_KERNEL")  # all is allowed now


async def test_a_dry_check_is_free_and_not_asked_too_often(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open(1)
        check = here.room.labs.submissions.check
        asked = [check(here.kim, found.row.id, 1) for _ in range(9)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        refused = [one for one in done if isinstance(one, TooMany)]
        assert refused
        assert all(one in refused or one.share == 250 for one in done)
        assert not (await here.open(1)).submissions
        with pytest.raises(Conflict):
            await here.room.labs.submissions.check(here.kim, (await here.open()).row.id, 1)


async def test_a_name_that_is_given_anew_is_not_what_a_goal_looks_at(tmp_path: Path) -> None:
    other = GOAL.replace("[[task]]", '[prelude]\ncalls = "p = alloc_page(GFP_KERNEL)"\n\n[[task]]', 1)
    other = other.replace('"alloc_page",', '"alloc_page", "get_page",').replace(
        "live frames >= {n}", "refs p = 2"
    )
    other = other.replace("f = alloc_page(GFP_KERNEL) * {n}", "get_page(p)").replace(VARIES, "")
    other = other.replace("Hold {n} frames", "Take a reference")
    due = after_now(timedelta(hours=1))
    async with a_sitting(tmp_path, files={"hold": other}, due=due) as here:
        found = await here.open()
        first = found.progress.names
        assert first is not None
        session = found.row.session_id or ""
        again = [_named("p"), BatchItem("get_page", {"page": "$p"}, None)]
        await here.room.sessions.batch(here.kim.principal, session, again)
        assert (await here.open()).names_at(1) == first
        assert (await here.room.labs.submissions.check(here.kim, found.row.id, 1)).share == 250
        assert (await here.answer(found, 1)).row.share == 250
        of = here.room.instructor, here.room.lab.id, here.sheet.row.id
        assert not (await here.room.labs.regrading.regrade(*of)).changes
        await here.call(found, "get_page", page=(await _first(here, found))["ret"])
        await here.room.labs.sheets.change(*of, {"due": now()})
        await asyncio.sleep(0.01)
        assert await here.room.labs.settling.settle() == 1
        assert [row.share for row in (await here.open()).submissions] == [250, 1_000]
        assert not (await here.room.labs.regrading.regrade(*of)).changes


async def test_what_was_undone_counts_no_more_and_a_goal_can_be_shown(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open(1)
        await here.call(found, "alloc_page", **ALLOC, repeat=40)
        await here.room.sessions.undo(here.kim.principal, found.row.session_id or "")
        assert (await here.room.labs.submissions.check(here.kim, found.row.id, 1)).share == 250
        shown = await here.reveal(found, 1, give_up=True)
        assert shown.progress.task(1).rows == (4, 4)  # behind the undo, and a rewind to the start
        assert (await here.answer(shown, 2, "ok")).row.share == 1_000


async def test_a_graded_goal_is_submitted_when_it_is_due(tmp_path: Path) -> None:
    async with a_sitting(tmp_path, due=after_now(timedelta(hours=1))) as here:
        found = await here.open(1)
        await here.call(found, "alloc_page", **ALLOC, repeat=40)
        assert await here.room.labs.settling.settle() == 0
        await here.room.labs.sheets.change(
            here.room.instructor, here.room.lab.id, here.sheet.row.id, {"due": now()}
        )
        await here.call(found, "alloc_page", **ALLOC)
        await asyncio.sleep(0.01)
        assert await here.room.labs.settling.settle() == 1
        assert await here.room.labs.settling.settle() == 0
        (row,) = (await here.open(1)).submissions
        assert (row.share, row.seq, row.late) == (1_000, 1, False)


# -- time ------------------------------------------------------------------------------------------------


async def test_the_cut_is_when_the_request_came(tmp_path: Path) -> None:
    due, late = after_now(timedelta(hours=1)), after_now(timedelta(hours=2))
    async with a_sitting(tmp_path, due=due, late_until=late, late_factor=50) as here:
        found = await here.open()
        in_time = await here.answer(found, 1, *wrong_of(found, 1), time=due)
        assert not in_time.row.late
        after = after_now(timedelta(hours=1, seconds=5))
        done = await here.answer(found, 1, *right_of(found, 1), time=after)
        assert (done.row.late, done.row.score) == (True, 900)
        with pytest.raises(Conflict, match="takes no answers"):
            await here.answer(found, 2, "1", time=after_now(timedelta(hours=3)))


async def test_an_extension_is_honoured_to_the_millisecond(tmp_path: Path) -> None:
    due = after_now(timedelta(hours=1))
    async with a_sitting(tmp_path, due=due) as here:
        found = await here.open()
        lab, sheets = here.room.lab.id, here.room.labs.sheets
        until = "2099-01-01T00:00:00+09:00"
        made = await sheets.extend(here.room.instructor, lab, here.sheet.row.id, 1, until, "ill")
        assert made.due == "2098-12-31T15:00:00.000Z"
        await here.answer(found, 1, *wrong_of(found, 1), time="2098-12-31T15:00:00.000Z")
        with pytest.raises(Conflict):
            await here.answer(found, 1, *wrong_of(found, 1), time="2098-12-31T15:00:00.001Z")
        await sheets.unextend(here.room.instructor, lab, here.sheet.row.id, 1)
        with pytest.raises(Conflict):
            await here.answer(found, 1, *wrong_of(found, 1), time=after_now(timedelta(hours=2)))


async def test_a_frozen_lab_takes_no_answers(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        await here.room.labs.rooms.freeze(here.room.instructor, here.room.lab.id, frozen=True)
        with pytest.raises(Conflict, match="frozen"):
            await here.answer(found, 1, *right_of(found, 1))
        await here.room.labs.rooms.freeze(here.room.instructor, here.room.lab.id, frozen=False)
        await here.room.labs.rooms.close(here.room.instructor, here.room.lab.id)
        with pytest.raises(Conflict, match="closed"):
            await here.answer(found, 1, *right_of(found, 1))


def test_a_window_has_its_edges() -> None:
    times = [before_now(timedelta(hours=-n)) for n in range(4)]
    window = Window(times[0], times[1], times[2])
    assert [window.state(time) for time in times] == ["open", "open", "late", "over"]
    assert window.state(before_now(timedelta(hours=1))) == "waiting"


async def test_an_instructor_gives_another_variant(tmp_path: Path) -> None:
    async with a_sitting(tmp_path) as here:
        found = await here.open()
        await here.answer(found, 1, *right_of(found, 1))
        await here.room.labs.variants.reset(here.room.instructor, found.row.id)
        with pytest.raises(Conflict, match="another variant"):
            await here.answer(found, 2, "1")
        another = await here.open()
        assert (another.row.number, another.submissions) == (2, [])
        with pytest.raises(Forbidden):
            await here.room.labs.variants.reset(here.kim, another.row.id)
