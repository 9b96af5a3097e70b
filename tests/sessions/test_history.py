"""Going back and branching off: whatever was done, the state at a seq is the one that was live there."""

import asyncio
import contextlib
import json
import random
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.errors import BadArgument, TaskBlocked
from app.machine.machine import Machine
from app.machine.outcome import Outcome
from app.sessions import (
    LOCAL,
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Principal,
    Sessions,
    lineage,
    past_machines,
    snapshots,
    snapshotter,
)
from app.settings import Settings
from app.store import journal
from tests.support.factories import TINY, alloc, no_rows, raw, seqs, serving, settings_for
from tests.support.patience import PATIENCE

Dump = dict[str, Any]
Dumps = dict[int, Dump]

MEMBER = Principal("member", "m1")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    async with serving(settings) as sessions:
        yield sessions


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    """Five rows, each with a state of its own."""
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    await sessions.batch(LOCAL, sid, [alloc(order, f"p{order}") for order in range(5)])
    return sid


async def live(sessions: Sessions, sid: str) -> Dump:
    return await sessions.read(LOCAL, sid, Machine.dump)


async def reached(sessions: Sessions, sid: str, seq: int) -> None:
    """Return when a session has that many rows."""
    while (await sessions.get(LOCAL, sid)).seq < seq:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


async def one(sessions: Sessions, sid: str, **more: Any) -> int:
    return (await sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": 0, **more})).seq


# -- rewind and undo -----------------------------------------------------------------------------------------


async def test_a_rewind_is_a_row(sessions: Sessions, sid: str) -> None:
    before = await sessions.dump(LOCAL, sid, 2)
    made = await sessions.rewind(LOCAL, sid, 2)
    assert await live(sessions, sid) == before
    row = await sessions.event(LOCAL, sid, 6)
    assert row.body == made.body
    assert row.outcome.pop("time")
    assert {key: value for key, value in row.outcome.items() if key != "time"} == {
        "seq": 6,
        "call": "rewind",
        "args": {"to": 2},
        "ret": None,
        "verdict": "ok",
        "by": None,
        "log": [],
        "changed": None,
    }
    assert (await sessions.get(LOCAL, sid)).seq == 6
    assert await one(sessions, sid) == 7
    # What was left behind is still there, and can be gone back to.
    assert await sessions.dump(LOCAL, sid, 5) != await sessions.dump(LOCAL, sid, 7)
    await sessions.rewind(LOCAL, sid, 5)
    assert await live(sessions, sid) == await sessions.dump(LOCAL, sid, 5)


async def test_undo_walks_back_and_takes_no_account_of_what_was_left_behind(
    sessions: Sessions, sid: str
) -> None:
    async def undone() -> int:
        made = await sessions.undo(LOCAL, sid)
        to: int = made.outcome["args"]["to"]
        assert await live(sessions, sid) == await sessions.dump(LOCAL, sid, to)
        return to

    assert [await undone(), await undone()] == [4, 3]
    assert await one(sessions, sid) == 8  # made on the state of 3
    assert [await undone(), await undone()] == [3, 2]
    await sessions.rewind(LOCAL, sid, 9)  # itself an undo, with the state of 3
    assert [await undone(), await undone(), await undone()] == [2, 1, 0]
    with pytest.raises(Conflict, match="at its start"):
        await sessions.undo(LOCAL, sid)
    assert await seqs(sessions, sid) == list(range(1, 15))
    assert await one(sessions, sid) == 15
    assert await undone() == 0


@pytest.mark.parametrize("to", [-1, 6, 10**12])
async def test_there_is_no_way_to_what_never_was(sessions: Sessions, sid: str, to: int) -> None:
    with pytest.raises(BadArgument) as caught:
        await sessions.rewind(LOCAL, sid, to)
    assert [fault.loc for fault in caught.value.faults] == [("to",)]
    assert "0 to 5" in caught.value.faults[0].msg


async def test_only_the_owner_goes_back(sessions: Sessions, settings: Settings, sid: str) -> None:
    with raw(settings) as db:
        db.execute("INSERT INTO access (session_id, principal, role) VALUES (?, 'member', 'member')", (sid,))
    await sessions.apply(MEMBER, sid, "drain_all_pages", {})
    for refused in (sessions.rewind(MEMBER, sid, 0), sessions.undo(MEMBER, sid)):
        with pytest.raises(Forbidden):
            await refused
    with pytest.raises(NotFound):
        await sessions.undo(Principal("stranger"), sid)
    fork = await sessions.fork(MEMBER, sid, 2)
    assert fork.owner == "member"


async def test_names_are_not_gone_back_over(sessions: Sessions, sid: str) -> None:
    before = await sessions.names(LOCAL, sid)
    await sessions.rewind(LOCAL, sid, 0)
    assert await sessions.names(LOCAL, sid) == before
    made = await sessions.apply(LOCAL, sid, "page_count", {"page": "$p3"})
    assert made.outcome["args"]["pfn"]


async def test_calls_keep_their_order_around_a_rewind(sessions: Sessions) -> None:
    """They are taken in one group, and those behind the rewind have to wait for its machine."""
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    work: list[Any] = []
    for number in range(60):
        work.append(sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": number % 4}))
        if number % 7 == 3:
            work.append(sessions.undo(LOCAL, sid))
        if number % 11 == 5:
            work.append(sessions.rewind(LOCAL, sid, number))
    answers = await asyncio.gather(*work)
    assert [answer.seq for answer in answers] == list(range(1, len(work) + 1))
    assert await live(sessions, sid) == await sessions.dump(LOCAL, sid)


async def test_a_rewind_that_cannot_be_written(sessions: Sessions, settings: Settings, sid: str) -> None:
    before = await live(sessions, sid)
    with (
        raw(settings) as db,
        no_rows(db, "journal", "new.call = 'rewind'"),
        pytest.raises(Exception, match="no more rows"),
    ):
        await sessions.rewind(LOCAL, sid, 2)
    assert await live(sessions, sid) == before
    assert (await sessions.rewind(LOCAL, sid, 2)).seq == 6


async def test_others_are_not_held_up(sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one session's machine is being made, calls of another are answered."""
    other = (await sessions.create(LOCAL, "o", TINY)).id
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    go_on = threading.Event()

    def slow(*args: Any) -> Any:
        loop.call_soon_threadsafe(told.set)
        assert go_on.wait(PATIENCE)
        return sound(*args)

    sound = lineage.rows
    monkeypatch.setattr(lineage, "rows", slow)
    rewound = asyncio.create_task(sessions.rewind(LOCAL, sid, 3))
    await told.wait()
    behind = asyncio.create_task(one(sessions, sid))
    assert await one(sessions, other) == 1
    assert not rewound.done()
    go_on.set()
    assert (await rewound).seq == 6
    assert await behind == 7


async def test_who_waits_for_a_task_that_never_slept(sessions: Sessions) -> None:
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    await sessions.batch(LOCAL, sid, [alloc(0, "p")])
    await sessions.apply(LOCAL, sid, "lock_page", {"page": "$p"})

    async def wait() -> Any:
        return (
            await sessions.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "w"}, wait=2 * PATIENCE)
        ).outcome

    waiting = asyncio.create_task(wait())
    await reached(sessions, sid, 3)
    assert await one(sessions, sid) == 4
    await sessions.rewind(LOCAL, sid, 3)
    await asyncio.sleep(0)
    assert not waiting.done()  # there it sleeps
    await sessions.rewind(LOCAL, sid, 2)
    assert (await asyncio.wait_for(waiting, PATIENCE))["woken_at"] is None
    await sessions.rewind(LOCAL, sid, 3)
    with pytest.raises(TaskBlocked):
        await one(sessions, sid, task="w")


async def test_two_processes_go_back_in_one_session(settings: Settings) -> None:
    async with serving(settings) as here, serving(settings) as there:
        sid = (await here.create(LOCAL, "s", TINY)).id
        lived: Dumps = {0: await live(here, sid)}
        draw = random.Random(5)
        for _ in range(60):
            sessions = draw.choice((here, there))
            head = max(lived)
            if draw.random() < 0.3:
                await sessions.rewind(LOCAL, sid, draw.randint(0, head))
            elif draw.random() < 0.3 and head > 5:
                with contextlib.suppress(Conflict):
                    await sessions.undo(LOCAL, sid)
            else:
                await one(sessions, sid, order=draw.randrange(4))
            lived[(await sessions.get(LOCAL, sid)).seq] = await live(draw.choice((here, there)), sid)
        assert sorted(lived) == list(range(max(lived) + 1))
        for sessions in (here, there):
            for at, dump in lived.items():
                assert await sessions.dump(LOCAL, sid, at) == dump


async def test_two_processes_race(settings: Settings) -> None:
    """Rewinds that find that somebody else was faster are made anew."""
    async with serving(settings) as here, serving(settings) as there:
        sid = (await here.create(LOCAL, "s", TINY)).id
        await one(here, sid)
        work: list[Any] = []
        for number in range(20):
            work += [one(here, sid), there.undo(LOCAL, sid), there.rewind(LOCAL, sid, number % 2)]
            work += [one(there, sid), here.rewind(LOCAL, sid, 1)]
        done = await asyncio.gather(*work, return_exceptions=True)
        refused = [error for error in done if isinstance(error, BaseException)]
        assert all(isinstance(error, (Conflict, Busy)) for error in refused), refused
        made = sorted(
            one if isinstance(one, int) else one.seq for one in done if not isinstance(one, BaseException)
        )
        assert made == list(range(2, len(made) + 2))
        assert await live(here, sid) == await live(there, sid) == await here.dump(LOCAL, sid)


async def test_who_waits_hears_of_a_rewind_in_another_process(settings: Settings) -> None:
    async with serving(settings) as here, serving(settings) as there:
        sid = (await here.create(LOCAL, "s", TINY)).id
        await here.batch(LOCAL, sid, [alloc(0, "p")])
        await here.apply(LOCAL, sid, "lock_page", {"page": "$p"})
        waiting = asyncio.create_task(
            here.apply(LOCAL, sid, "lock_page", {"page": "$p", "task": "w"}, wait=2 * PATIENCE)
        )
        await reached(there, sid, 3)
        await there.rewind(LOCAL, sid, 1)
        assert (await asyncio.wait_for(waiting, PATIENCE)).outcome["woken_at"] is None


# -- forks ---------------------------------------------------------------------------------------------------


async def test_a_fork(sessions: Sessions, settings: Settings, sid: str) -> None:
    then = await sessions.dump(LOCAL, sid, 3)
    fork = await sessions.fork(LOCAL, sid, 3, "branch")
    assert (fork.name, fork.seq, fork.origin, fork.owner) == ("branch", 3, {"id": sid, "seq": 3}, "local")
    assert await live(sessions, fork.id) == then
    assert await sessions.names(LOCAL, fork.id) == await sessions.names(LOCAL, sid)
    assert await one(sessions, fork.id) == 4
    assert await seqs(sessions, fork.id) == [4]
    assert await sessions.dump(LOCAL, fork.id, 3) == then
    for at in (2, 5):
        with pytest.raises(BadArgument, match="3 to 4"):
            await sessions.dump(LOCAL, fork.id, at)
        with pytest.raises(BadArgument, match="3 to 4"):
            await sessions.fork(LOCAL, fork.id, at)
        with pytest.raises(BadArgument, match="3 to 4"):
            await sessions.rewind(LOCAL, fork.id, at)
    assert (await sessions.undo(LOCAL, fork.id)).outcome["args"] == {"to": 3}
    with pytest.raises(Conflict, match="at its start"):
        await sessions.undo(LOCAL, fork.id)
    # Of the head, of a fork, and without the origins.
    last = await sessions.fork(LOCAL, fork.id)
    assert (last.name, last.seq, last.origin) == ("branch at 5", 5, {"id": fork.id, "seq": 5})
    await sessions.delete(LOCAL, sid)
    await sessions.delete(LOCAL, fork.id)
    assert await sessions.dump(LOCAL, last.id) == then
    async with serving(settings) as others:
        assert await live(others, last.id) == then
        assert (await others.explain(LOCAL, last.id, await one(others, last.id)))["steps"]


async def test_the_state_of_forks_is_stored_once(sessions: Sessions, settings: Settings, sid: str) -> None:
    forks = [await sessions.fork(LOCAL, sid, at) for at in (3, 3, 3)]
    await sessions.rewind(LOCAL, sid, 3)
    forks += [await sessions.fork(LOCAL, sid, 6), await sessions.fork(LOCAL, forks[0].id)]
    with raw(settings) as db:
        assert db.execute("SELECT count(*) FROM states").fetchone() == (1,)
        for fork in forks:
            found = db.execute("SELECT seq, keep FROM snapshots WHERE session_id = ?", (fork.id,)).fetchall()
            assert found == [(fork.seq, 1)]
    for gone in (sid, *(fork.id for fork in forks)):
        await sessions.delete(LOCAL, gone)
    with raw(settings) as db:
        assert db.execute("SELECT count(*) FROM states").fetchone() == (0,)


async def test_a_fork_of_the_start_is_booted_alike(sessions: Sessions, settings: Settings, sid: str) -> None:
    fork = await sessions.fork(LOCAL, sid, 0)
    assert await sessions.dump(LOCAL, fork.id) == await sessions.dump(LOCAL, sid, 0)
    with raw(settings) as db:
        assert db.execute("SELECT count(*) FROM snapshots").fetchone() == (0,)


async def test_a_forks_name(sessions: Sessions) -> None:
    sid = (await sessions.create(LOCAL, "x" * 100, TINY)).id
    name = (await sessions.fork(LOCAL, sid)).name
    assert (len(name), name[-6:]) == (100, "x at 0")
    with pytest.raises(BadArgument) as caught:
        await sessions.fork(LOCAL, sid, name=" ")
    assert [fault.loc for fault in caught.value.faults] == [("name",)]


# -- explanations --------------------------------------------------------------------------------------------


async def test_explanations_behind_a_rewind(sessions: Sessions, sid: str) -> None:
    explained = await sessions.explain(LOCAL, sid, 3)
    await sessions.rewind(LOCAL, sid, 2)
    again = (await sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": 2})).seq
    steps = (await sessions.explain(LOCAL, sid, again))["steps"]
    assert steps == explained["steps"]
    [step] = (await sessions.explain(LOCAL, sid, 6))["steps"]
    assert (step["fn"], step["numbers"]) == ("rewind", {"to": 2, "effective": 2})
    assert set(step) == set(steps[0])
    # The machine of an explanation goes on as if nobody had looked.
    assert await sessions.dump(LOCAL, sid, again) == await live(sessions, sid)


# -- engines -------------------------------------------------------------------------------------------------


def doctor(settings: Settings, sid: str, seq: int) -> None:
    """Let a row say that its call had another result: as if another engine had written it."""
    with raw(settings) as db:
        ((body,),) = db.execute("SELECT outcome FROM journal WHERE session_id = ? AND seq = ?", (sid, seq))
        other = {**json.loads(body), "ret": "0xdead"}
        db.execute(
            "UPDATE journal SET outcome = ? WHERE session_id = ? AND seq = ?",
            (json.dumps(other, separators=(",", ":")).encode(), sid, seq),
        )


async def test_a_journal_that_another_engine_wrote(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", TINY)).id
        sound = (await sessions.create(LOCAL, "sound", TINY)).id
        lived = {0: await live(sessions, sid)}
        for number in range(1, 9):
            await one(sessions, sid, order=number % 4)
            lived[number] = await live(sessions, sid)
        await sessions.rewind(LOCAL, sid, 4)
    doctor(settings, sid, 6)
    async with serving(settings) as sessions:
        # The rows that differ are not among those that made the head's state.
        assert await live(sessions, sid) == lived[4]
        assert "diverged" not in (await sessions.get(LOCAL, sid)).as_json()
        with pytest.raises(Conflict, match="diverged at seq 6"):
            await sessions.dump(LOCAL, sid, 7)
        with pytest.raises(Conflict, match="diverged at seq 6"):
            await sessions.rewind(LOCAL, sid, 8)
        with pytest.raises(Conflict, match="diverged at seq 6"):
            await sessions.fork(LOCAL, sid, 8)
        with pytest.raises(Conflict, match="diverged at seq 6"):
            await sessions.explain(LOCAL, sid, 8)
        assert await one(sessions, sid) == 10
    doctor(settings, sid, 3)
    async with serving(settings) as sessions:
        assert "diverged" not in (await sessions.get(LOCAL, sid)).as_json()  # nobody has looked
        refused = (one(sessions, sid), sessions.undo(LOCAL, sid), sessions.rewind(LOCAL, sid, 1))
        for work in refused:
            with pytest.raises(Conflict, match="diverged at seq 3: alloc_pages returned 0xdead"):
                await work
        info = (await sessions.get(LOCAL, sid)).as_json()
        assert info["diverged"]["seq"] == 2
        assert "diverged at seq 3" in info["diverged"]["detail"]
        [listed] = [one for one in (await sessions.list(LOCAL)).items if one.id == sid]
        assert listed.as_json() == info
        assert await live(sessions, sid) == lived[2]
        for at in range(3):
            assert await sessions.dump(LOCAL, sid, at) == lived[at]
        fork = await sessions.fork(LOCAL, sid, 2)
        assert await live(sessions, fork.id) == lived[2]
        assert await one(sessions, fork.id) == 3
        assert await one(sessions, sound) == 1
        assert "diverged" not in (await sessions.get(LOCAL, sound)).as_json()
        await sessions.delete(LOCAL, sid)


async def test_states_of_an_older_engine_are_kept_for_good(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with close_states():
        async with serving(settings) as sessions:
            sid = (await sessions.create(LOCAL, "s", TINY)).id
            for number in range(12):
                await one(sessions, sid, order=number % 4)
            before = await live(sessions, sid)
        with raw(settings) as db:
            assert set(db.execute("SELECT keep FROM snapshots")) == {(0,)}
        monkeypatch.setattr(snapshotter, "ENGINE", snapshotter.ENGINE + 1)
        async with serving(settings) as sessions:
            assert await live(sessions, sid) == before
            deadline = time.monotonic() + PATIENCE  # it is done in the background
            while kept(settings) != {(1,)}:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.01)


def kept(settings: Settings) -> set[Any]:
    """Whether the session cannot do without its states, of the first rows."""
    with raw(settings) as db:
        return set(db.execute("SELECT keep FROM snapshots WHERE seq <= 12"))


# -- rebuilding ----------------------------------------------------------------------------------------------


@contextmanager
def close_states(distance: int = 5) -> Iterator[None]:
    """States are kept after a few calls already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshots, "LEAST_ROWS", distance)
        patch.setattr(snapshots, "ROWS_WORTH", 2)
        patch.setattr(Outcome, "work", 1)
        patch.setattr(past_machines, "STRIDE", 2)
        patch.setattr(lineage, "ROWS_AT_ONCE", 3)
        patch.setattr(lineage, "READ_TOGETHER", 2)
        yield


def forget_states(settings: Settings) -> None:
    """Leave only what cannot be computed again."""
    with raw(settings) as db:
        db.execute("DELETE FROM snapshots WHERE NOT keep")


async def check(settings: Settings, lived: dict[str, Dumps], draw: random.Random) -> None:
    """Every state of every session: in a new process, and by way of machines that are kept and moved."""
    async with serving(settings) as sessions:
        for sid, dumps in lived.items():
            info = await sessions.get(LOCAL, sid)
            assert info.seq == max(dumps)
            assert await live(sessions, sid) == dumps[info.seq]
            for at in draw.sample(sorted(dumps), len(dumps)):
                assert await sessions.dump(LOCAL, sid, at) == dumps[at], (sid, at)


async def replayed(settings: Settings, sid: str, at: int | None = None) -> int:
    """How many rows are read to rebuild a state that is not at hand."""
    read = 0

    def counted(*args: Any) -> Iterator[Any]:
        nonlocal read
        for row in sound(*args):
            read += 1
            yield row

    sound = journal.tail
    async with serving(settings) as sessions:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lineage.journal, "tail", counted)
            await sessions.dump(LOCAL, sid, at)
    return read


ZIGZAGS = {
    "two steps forward, one back": ([2, -1] * 100, 100),
    "hundreds of undos": ([400, -250], 150),
    "back and forth": ([1, -1] * 150, 0),
    "a long way back and a little forward": ([300, -200, 10, -5, 7], 112),
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("moves", "ends"), ZIGZAGS.values(), ids=ZIGZAGS)
async def test_rebuilding_costs_a_state_and_its_tail(settings: Settings, moves: list[int], ends: int) -> None:
    with close_states(60):
        async with serving(settings) as sessions:
            sid = (await sessions.create(LOCAL, "s", TINY)).id
            work: list[Any] = []
            for move in moves:
                calls = [alloc(0) for _ in range(move)]
                work += [sessions.batch(LOCAL, sid, calls)] if calls else []
                work += [sessions.undo(LOCAL, sid) for _ in range(-move)]
            await asyncio.gather(*work)
            before = await live(sessions, sid)
            head = (await sessions.get(LOCAL, sid)).seq
            await sessions.dump(LOCAL, sid)  # in the background, behind what is to be kept
        assert head == sum(abs(move) for move in moves)
        assert len(before["pages"]) == ends
        # Rows that are left out may be read, too, where they are few.
        assert await replayed(settings, sid) <= 3 * 60
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(lineage, "READ_TOGETHER", 0)
            assert await replayed(settings, sid) <= 60 + past_machines.STRIDE
        async with serving(settings) as sessions:
            assert await sessions.dump(LOCAL, sid) == before


class Story:
    """Something done at random to some sessions, with the dump after each row."""

    def __init__(self) -> None:
        self.lived: dict[str, Dumps] = {}
        self.effective: dict[str, dict[int, int]] = {}
        self.pfns = [256]

    async def begin(self, sessions: Sessions) -> None:
        await self.follow(sessions, (await sessions.create(LOCAL, "s", TINY)).id, 0)

    async def follow(self, sessions: Sessions, sid: str, start: int) -> None:
        self.lived[sid] = {start: await live(sessions, sid)}
        self.effective[sid] = {start: start}

    async def step(self, sessions: Sessions, kind: int, more: int) -> None:
        sids = list(self.lived)
        sid = sids[more % len(sids)]
        dumps, effective = self.lived[sid], self.effective[sid]
        start, head = min(dumps), max(dumps)
        to = start + more // 7 % (head - start + 1)
        if kind == 0:
            await sessions.rewind(LOCAL, sid, to)
            effective[head + 1] = effective[to]
        elif kind == 1:
            last = effective[head]
            if last == start:
                with pytest.raises(Conflict):
                    await sessions.undo(LOCAL, sid)
                return
            made = await sessions.undo(LOCAL, sid)
            effective[head + 1] = effective[last - 1]
            assert made.outcome["args"] == {"to": effective[head + 1]}
        elif kind == 2:
            if len(sids) < 4:
                fork = await sessions.fork(LOCAL, sid, to)
                await self.follow(sessions, fork.id, to)
                assert self.lived[fork.id][to] == dumps[to]
            return
        else:
            try:
                await self.call(sessions, sid, more)
            except TaskBlocked:
                return
            effective[head + 1] = head + 1
        now = await live(sessions, sid)
        dumps[head + 1] = now
        assert now == dumps[effective[head + 1]]

    async def call(self, sessions: Sessions, sid: str, more: int) -> None:
        order, task = more // 11 % 4, ("init", "a", "b")[more // 3 % 3]
        pfn = self.pfns[more // 5 % len(self.pfns)]
        if more % 3:
            made = await sessions.apply(
                LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": order, "task": task}
            )
            if made.outcome["ret"] is not None:
                self.pfns.append(made.outcome["page"]["pfn"])
        elif more % 2:
            await sessions.apply(LOCAL, sid, "__free_pages", {"pfn": pfn, "order": order, "task": task})
        else:
            name = ("lock_page", "unlock_page", "get_page")[more // 13 % 3]
            await sessions.apply(LOCAL, sid, name, {"pfn": pfn, "task": task})


STEPS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9_999)), min_size=1, max_size=60)


async def tell(steps: list[tuple[int, int]], seed: int) -> None:
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, close_states():
        settings = settings_for(Path(folder))
        story = Story()
        cut = len(steps) // 2
        async with serving(settings) as sessions:
            await story.begin(sessions)
            for kind, more in steps[:cut]:
                await story.step(sessions, kind, more)
        async with serving(settings) as sessions:
            for kind, more in steps[cut:]:
                await story.step(sessions, kind, more)
        await check(settings, story.lived, draw)
        forget_states(settings)
        await check(settings, story.lived, draw)
        await check(settings, story.lived, draw)  # with the states that the last one has left


@pytest.mark.slow
@hypothesis_settings(max_examples=8, deadline=None)
@given(STEPS, st.integers(0, 99))
def test_every_state_is_the_one_that_was_live(steps: list[tuple[int, int]], seed: int) -> None:
    asyncio.run(tell(steps, seed))


@pytest.mark.soak
@hypothesis_settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 99))
def test_every_state_is_the_one_that_was_live_at_length(steps: list[tuple[int, int]], seed: int) -> None:
    asyncio.run(tell(steps, seed))
