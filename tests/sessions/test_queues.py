"""Sessions under others' slow work: nobody waits for it, and nothing is made twice."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from app.sessions import LOCAL, Principal, Sessions, opening, writer
from app.sessions.housekeeping import MOST_WAITING, Housekeeping
from app.sessions.live import Live
from app.sessions.past_machines import PastMachines
from app.sessions.scheduler import Dropped, go_on
from app.settings import Settings
from app.store import Connection, states
from tests.support.classroom import a_class
from tests.support.factories import TINY, alloc, serving, settings_for
from tests.support.patience import PATIENCE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


async def filled(sessions: Sessions, rows: int) -> str:
    sid = (await sessions.create(LOCAL, None, TINY)).id
    await sessions.batch(LOCAL, sid, [alloc()] * rows)
    return sid


def spin(_: Any) -> None:
    while True:
        go_on()


async def test_forks_of_one_moment_make_its_state_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[int]()
    enough = threading.Event()
    state = PastMachines.state

    def counted(self: PastMachines, db: Connection, session_id: str, at: int) -> Any:
        made.append(at)
        assert enough.wait(PATIENCE)
        return state(self, db, session_id, at)

    monkeypatch.setattr(PastMachines, "state", counted)
    async with serving(settings) as sessions:
        sid = await filled(sessions, 10)
        people = [Principal(f"person {number}") for number in range(6)]
        forks = [asyncio.create_task(sessions.fork(who, sid, 7, of=LOCAL)) for who in people]
        while not made:  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        enough.set()
        for who, fork in zip(people, await asyncio.gather(*forks), strict=True):
            assert (await sessions.apply(who, fork.id, "alloc_page", {"gfp": "GFP_KERNEL"})).seq == 8
        assert made == [7]
        await sessions.fork(LOCAL, sid, 7)
        assert made == [7]


async def test_forks_of_every_row_leave_few_states(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 10)
        for seq in range(1, 10):
            fork = await sessions.fork(LOCAL, sid, seq)
            assert await sessions.dump(LOCAL, fork.id) == await sessions.dump(LOCAL, sid, seq)
            await sessions.delete(LOCAL, fork.id)
        assert await sessions.query(states.seqs_of, sid) == [1]


async def test_a_fork_goes_on_when_the_one_it_waited_for_is_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, made = PastMachines.state, list[int]()

    def first_is_endless(self: PastMachines, db: Connection, session_id: str, at: int) -> Any:
        made.append(at)
        if len(made) == 1:
            spin(None)
        return state(self, db, session_id, at)

    monkeypatch.setattr(PastMachines, "state", first_is_endless)
    async with serving(settings) as sessions:
        sid = await filled(sessions, 10)
        first = asyncio.create_task(sessions.fork(LOCAL, sid, 7))
        while not made:  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
        second = asyncio.create_task(sessions.fork(Principal("other"), sid, 7, of=LOCAL))
        await asyncio.sleep(0.1)
        first.cancel()
        assert (await asyncio.wait_for(second, PATIENCE)).start == 7


async def test_copies_and_machines_wait_for_nobodys_past(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 10)
        await sessions.keep(LOCAL, sid, 10)
        others = [Principal(f"person {number}") for number in range(4)]
        forks = [await sessions.fork(who, sid, of=LOCAL) for who in others]
        slow = [
            asyncio.create_task(sessions.past(who, fork.id, None, spin))
            for who, fork in zip(others, forks, strict=True)
            for _ in range(3)
        ]
        async with asyncio.timeout(PATIENCE):
            await sessions.create(LOCAL, None, TINY)
            await sessions.fork(LOCAL, sid)
            await sessions.past(LOCAL, sid, 3, lambda machine: machine.live_blocks)
            await sessions.explain(LOCAL, sid, 5)
            await sessions.dump(LOCAL, sid)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)


async def test_slow_work_ends_when_the_server_stops(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 3)
        slow = [asyncio.create_task(sessions.past(LOCAL, sid, 1, spin)) for _ in range(3)]
        await asyncio.sleep(0.05)
        sessions.release()
        for task in slow:
            with pytest.raises(Dropped, match="stopping"):
                await asyncio.wait_for(task, PATIENCE)


async def test_the_state_of_a_prepared_machine_is_kept(tmp_path: Path) -> None:
    async with a_class(tmp_path) as room:
        who = room.instructor
        made = await room.sessions.create(who.principal, "later", TINY)
        await room.sessions.batch(who.principal, made.id, [alloc()] * 20)
        machine = await room.labs.sharing.add(who, room.lab.id, made.id, "prepared", 12)
        await room.labs.sharing.mark(who, room.lab.id, machine.id, 17, "half way")
        assert await room.sessions.query(states.seqs_of, made.id) == [12, 17]
        kim = await room.join("Kim")
        copy = await room.labs.sharing.copy(kim, room.lab.id, machine.id)
        assert (copy.start, copy.seq) == (12, 12)
        assert await room.sessions.dump(kim.principal, copy.id) == await room.sessions.dump(
            who.principal, made.id, 12
        )


async def test_nobody_waits_for_the_long_journals_of_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = Principal("one"), Principal("other")
    async with serving(settings) as sessions:
        long = [(await sessions.create(one, None, TINY)).id for _ in range(5)]
        short = (await sessions.create(other, None, TINY)).id
    enough = threading.Event()

    def reopen(db: Connection, session_id: str, at: int | None = None) -> Live:
        while session_id in long and not enough.is_set():
            go_on()
        return opening.reopen(db, session_id, at)

    monkeypatch.setattr(writer, "reopen", reopen)
    async with serving(settings) as sessions:
        body = {"gfp": "GFP_KERNEL"}
        waiting = [asyncio.create_task(sessions.apply(one, sid, "alloc_page", body)) for sid in long]
        await asyncio.sleep(0.05)
        assert (await asyncio.wait_for(sessions.apply(other, short, "alloc_page", body), PATIENCE)).seq == 1
        assert not any(task.done() for task in waiting)
        enough.set()
        assert [made.seq for made in await asyncio.gather(*waiting)] == [1] * 5


def test_states_that_wait_to_be_kept_are_few() -> None:
    housekeeping, gate, kept = Housekeeping(), threading.Event(), list[tuple[str, int]]()
    housekeeping.submit(gate.wait, PATIENCE)

    def keep(sid: str, seq: int) -> None:
        kept.append((sid, seq))

    first = [housekeeping.keeping.submit(keep, "same", seq) for seq in range(3)]
    assert [one.cancelled() for one in first] == [True, True, False]
    for number in range(MOST_WAITING):
        last = housekeeping.keeping.submit(keep, f"session {number}", 1)
    assert first[2].cancelled()
    gate.set()
    last.result(PATIENCE)
    assert kept == [(f"session {number}", 1) for number in range(MOST_WAITING)]
    housekeeping.scheduler.stop()
    assert isinstance(housekeeping.keeping.submit(keep, "late", 1).exception(PATIENCE), Dropped)
