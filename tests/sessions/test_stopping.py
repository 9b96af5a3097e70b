"""Long work is seen and stopped: what was made counts, as if only so much had been asked for."""

import asyncio
import threading
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine.machine import Machine
from app.sessions import (
    LOCAL,
    BatchItem,
    Conflict,
    Forbidden,
    NotFound,
    Principal,
    Sessions,
    batches,
)
from app.sessions.batches import RunningBatch, RunningCall
from tests.support.factories import TINY, alloc, raw, settings_for
from tests.support.patience import PATIENCE

MEMBER = Principal("member", "m1")
FILL = {"gfp": "GFP_KERNEL", "repeat": 3_000}


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", TINY)).id


def stop_after(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    """Tell each batch to stop once so many of its calls are made."""
    sound = RunningBatch._make_next

    def make(batch: RunningBatch) -> None:
        sound(batch)
        batch.stopping = batch.stopping or len(batch.rows) >= calls

    monkeypatch.setattr(RunningBatch, "_make_next", make)


def stop_loops(
    monkeypatch: pytest.MonkeyPatch, kind: type[RunningBatch] | type[RunningCall], asked: int
) -> None:
    """Tell work to stop when it is asked for the so many-th time, which it is after each 64 rounds."""
    times = count(1)
    monkeypatch.setattr(
        kind, "stopping", property(lambda _: next(times) >= asked, lambda _self, _value: None), raising=False
    )


async def test_a_stopped_batch_keeps_the_calls_that_were_made(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_after(monkeypatch, 250)
    items = [alloc(0, f"p{number}") for number in range(400)]
    made = await sessions.batch(LOCAL, sid, items, stoppable=True)
    assert (len(made), made.stopped_after, made.seq) == (250, 250, 250)
    assert (await sessions.get(LOCAL, sid)).seq == 250
    assert set(await sessions.names(LOCAL, sid)) == {f"p{number}" for number in range(250)}
    # The session goes on from there, and its journal makes the same machine.
    monkeypatch.undo()
    after = await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})
    assert after.seq == 251
    live = await sessions.read(LOCAL, sid, Machine.dump)
    _, parts = await sessions.export(LOCAL, sid)
    copy = await sessions.import_(LOCAL, BytesIO(b"".join([part async for part in parts])))
    assert await sessions.read(LOCAL, copy.id, Machine.dump) == live


async def test_a_batch_may_be_stopped_before_its_first_call(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_loops(monkeypatch, RunningBatch, 1)
    made = await sessions.batch(LOCAL, sid, [alloc()] * 300, stoppable=True)
    assert (list(made), made.stopped_after, made.seq) == ([], 0, 0)
    with pytest.raises(BadArgument):  # a mistake refuses all of it, stopped or not
        await sessions.batch(LOCAL, sid, [*[alloc()] * 300, alloc(gfp="GFP_KERNAL")], stoppable=True)


@pytest.mark.parametrize("until", [{}, {"until": "null"}, {"until": {"free_below": 100}}])
async def test_a_stopped_loop_is_one_that_asked_for_so_many_rounds(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch, until: dict[str, Any]
) -> None:
    stop_loops(monkeypatch, RunningCall, 4)
    made = (await sessions.apply(LOCAL, sid, "alloc_page", FILL | until)).outcome
    assert (made["ret"], made["args"]["repeat"], made["verdict"]) == (256, 256, "ok")
    monkeypatch.undo()
    other = (await sessions.create(LOCAL, "other", TINY)).id
    asked = (await sessions.apply(LOCAL, other, "alloc_page", FILL | until | {"repeat": 256})).outcome
    assert {**made, "time": ""} == {**asked, "time": ""}
    assert await sessions.read(LOCAL, sid, Machine.dump) == await sessions.read(LOCAL, other, Machine.dump)
    # Later loops are not touched by it.
    whole = await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL", "repeat": 300})
    assert whole.outcome["ret"] == 300


async def test_a_loop_in_a_batch_ends_and_the_batch_with_it(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = batches.can_be_stopped

    def told(progress: RunningBatch | RunningCall) -> Any:
        progress.stopping = True
        return begun(progress)

    monkeypatch.setattr(batches, "can_be_stopped", told)
    items = [alloc(0, "p"), BatchItem("alloc_page", FILL, "fill"), alloc(0, "q")]
    made = await sessions.batch(LOCAL, sid, items, stoppable=True)
    assert made.stopped_after == 2
    assert made[1].outcome["args"]["repeat"] == made[1].outcome["ret"] == 64
    assert set(await sessions.names(LOCAL, sid)) == {"p", "fill"}


class Gate:
    """Holds the thread that makes a batch once so many calls are made, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        sound = RunningBatch._make_next

        def make(batch: RunningBatch) -> None:
            sound(batch)
            if len(batch.rows) == calls:
                self.reached.set()
                self.open.wait(PATIENCE)

        monkeypatch.setattr(RunningBatch, "_make_next", make)


async def test_work_is_seen_and_stopped_meanwhile(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await sessions.underway(LOCAL, sid) is None
    assert await sessions.stop_work(LOCAL, sid) is None
    gate = Gate(monkeypatch, 250)
    work = asyncio.ensure_future(sessions.batch(LOCAL, sid, [alloc()] * 400, stoppable=True))
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    seen = await sessions.underway(LOCAL, sid)
    assert seen is not None
    assert (seen.principal, seen.call, seen.done, seen.of, seen.stopping) == ("local", None, 250, 400, False)
    with pytest.raises(NotFound):
        await sessions.stop_work(MEMBER, sid)
    stopped = await sessions.stop_work(LOCAL, sid)
    assert stopped is not None
    assert stopped.stopping
    gate.open.set()
    made = await work
    assert (len(made), made.stopped_after) == (250, 250)
    assert await sessions.underway(LOCAL, sid) is None


async def test_who_only_looks_on_does_not_stop_it_and_what_is_whole_is_made(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with raw(settings_for(tmp_path)) as db:
        db.execute("INSERT INTO access VALUES (?, ?, ?)", (sid, MEMBER.id, "watcher"))
    gate = Gate(monkeypatch, 250)
    work = asyncio.ensure_future(sessions.batch(LOCAL, sid, [alloc()] * 400))
    assert await asyncio.to_thread(gate.reached.wait, PATIENCE)
    assert await sessions.underway(MEMBER, sid) is not None
    with pytest.raises(Forbidden):
        await sessions.stop_work(MEMBER, sid)
    with pytest.raises(Conflict):
        await sessions.stop_work(LOCAL, sid)
    gate.open.set()
    made = await work
    assert (len(made), made.stopped_after) == (400, None)
