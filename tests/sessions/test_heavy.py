"""Calls that touch very much: made beside the others' calls, and otherwise like any call."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from app.machine import calls, parsing, show
from app.machine.machine import Machine
from app.sessions import LOCAL, BatchItem, Preconditions, Sessions, Stale, call_cost
from app.sessions.errors import LimitReached, NotFound
from app.sessions.longviews import SHORT_LOOK
from app.settings import Settings
from tests.support.factories import TINY, alloc, seqs, serving, settings_for

BIG = {"profile": "x86_64-8g"}
FILL = {"gfp": "GFP_KERNEL", "repeat": 2_500}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    async with serving(settings) as sessions:
        yield sessions


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", BIG)).id


def call(sessions: Sessions, sid: str, name: str = "alloc_page", **args: Any) -> Any:
    if name == "alloc_page":
        args.setdefault("gfp", "GFP_KERNEL")
    return sessions.apply(LOCAL, sid, name, args)


async def gone_on(sessions: Sessions, work: Any) -> int:
    """How many calls on another session, one after the other, are answered while some work is under way.

    One may always be: it shares the group in which the work is begun.
    """
    other = (await sessions.create(LOCAL, "other", TINY)).id
    task = asyncio.ensure_future(work)
    made = 0
    while not task.done():
        await call(sessions, other, "drain_all_pages")
        made += not task.done()
    await task
    return made


HEAVY: list[Callable[[Sessions, str], Any]] = [
    lambda sessions, sid: sessions.batch(LOCAL, sid, [alloc()] * 10_000),
    lambda sessions, sid: call(sessions, sid, "vmalloc", size=4096, repeat=20_000),
    lambda sessions, sid: call(sessions, sid, "vmalloc", size=1 << 27),
    lambda sessions, sid: sessions.batch(LOCAL, sid, [BatchItem("alloc_page", {**FILL, "repeat": 50_000})]),
]


@pytest.mark.slow
@pytest.mark.parametrize("work", HEAVY, ids=["batch", "loop", "area", "loop in a batch"])
async def test_others_go_on(sessions: Sessions, sid: str, work: Callable[[Sessions, str], Any]) -> None:
    assert await gone_on(sessions, work(sessions, sid)) >= 3


@pytest.mark.slow
async def test_what_is_freed_may_be_as_much(sessions: Sessions, sid: str) -> None:
    await sessions.batch(LOCAL, sid, [BatchItem("alloc_page", {**FILL, "repeat": 50_000}, "fill")])
    area = (await call(sessions, sid, "vmalloc", size=1 << 29)).outcome["ret"]
    assert await gone_on(sessions, call(sessions, sid, "__free_pages", page="$fill", order=0)) >= 3
    assert await gone_on(sessions, call(sessions, sid, "vfree", addr=area)) >= 3
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) < 1000


async def test_only_what_is_long_is_heavy(sessions: Sessions, sid: str) -> None:
    def judged(machine: Machine, name: str, body: dict[str, Any]) -> bool:
        return call_cost.heavy(parsing.parse(name, body, machine.model), {}, machine, set())

    for name, body, heavy in (
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 10}, False),
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 0, "repeat": call_cost.MANY}, False),
        ("alloc_pages", {"gfp": "GFP_KERNEL", "order": 0, "repeat": call_cost.MANY + 1}, True),
        ("alloc_page", {"gfp": "GFP_KERNEL", "until": "null"}, True),
        ("vmalloc", {"size": call_cost.MANY * 4096}, False),
        ("vmalloc", {"size": call_cost.MANY * 4096 + 4096}, True),
        ("insmod", {"name": "m", "size": 1 << 28}, True),
        ("__free_pages", {"page": [[4096, call_cost.MANY]], "order": 0}, False),
        ("__free_pages", {"page": [[4096, call_cost.MANY], [20_000, 1]], "order": 0}, True),
        ("vfree", {"addr": "0xffffc90000000000"}, False),
        ("kfree", {"addr": None}, False),
    ):
        assert await sessions.read(LOCAL, sid, judged, name, body) is heavy, (name, body)


async def test_a_heavy_call_is_a_call(sessions: Sessions, sid: str, settings: Settings) -> None:
    """In its place among the others, with a row from which the same machine is made again."""
    results = await asyncio.gather(
        call(sessions, sid),
        call(sessions, sid, "alloc_page", **FILL),
        call(sessions, sid),
        sessions.batch(LOCAL, sid, [alloc(0, "p"), BatchItem("alloc_page", FILL, "fill"), alloc(0, "q")]),
        sessions.read(LOCAL, sid, lambda machine: machine.live_blocks),
        call(sessions, sid),
    )
    made = [results[0], results[1], results[2], *results[3], results[5]]
    assert [applied.seq for applied in made] == list(range(1, 8))
    assert made[1].outcome["ret"] == made[4].outcome["ret"] == 2_500
    assert results[4] == 2_501 + 1 + 2_502
    assert set(await sessions.names(LOCAL, sid)) == {"p", "fill", "q"}
    assert [event.body for event in await sessions.events(LOCAL, sid)] == [applied.body for applied in made]
    before = await sessions.dump(LOCAL, sid)
    assert await sessions.read(LOCAL, sid, Machine.dump) == before
    async with serving(settings) as others:
        assert await others.dump(LOCAL, sid) == before


async def test_on_terms_and_with_counters(sessions: Sessions, sid: str) -> None:
    results = await asyncio.gather(
        *(
            sessions.apply(LOCAL, sid, "alloc_page", FILL, preconditions=Preconditions(0), counters=True)
            for _ in range(5)
        ),
        return_exceptions=True,
    )
    won = [result for result in results if not isinstance(result, Stale)]
    assert len(won) == 1
    assert not isinstance(won[0], BaseException)
    assert sum(won[0].outcome["counters"]["zf"]) > 0
    assert await seqs(sessions, sid) == [1]


async def test_a_refusal_leaves_the_session_as_it_was(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.machine.entry.limits.MAX_LIVE_BLOCKS", 2_000)
    results = await asyncio.gather(
        call(sessions, sid, "alloc_page", **FILL),
        sessions.batch(LOCAL, sid, [alloc(), BatchItem("alloc_page", FILL)]),
        call(sessions, sid),
        return_exceptions=True,
    )
    assert [type(result) for result in results[:2]] == [LimitReached, LimitReached]
    assert results[2].seq == 1  # type: ignore[union-attr]
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 1


async def test_a_mistake_of_ours_fails_alone(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = Machine.apply

    def apply(machine: Machine, made: calls.Call, seq: int) -> Any:
        outcome = sound(machine, made, seq)
        if made.repeat == 2_500:
            raise RuntimeError("poison")
        return outcome

    monkeypatch.setattr(Machine, "apply", apply)
    results = await asyncio.gather(
        call(sessions, sid),
        call(sessions, sid, "alloc_page", **FILL),
        call(sessions, sid),
        return_exceptions=True,
    )
    assert isinstance(results[1], RuntimeError)
    assert await seqs(sessions, sid) == [1, 2]
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 2


async def test_the_end_does_not_wait_for_it(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", BIG)).id
        heavy = asyncio.ensure_future(call(sessions, sid, "vmalloc", size=4096, repeat=100_000))
        while not sessions._writer._heavy_running:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    result = (await asyncio.gather(heavy, return_exceptions=True))[0]
    async with serving(settings) as again:
        # Either it was done in time, and is there, or its caller was told that nothing was.
        assert (await again.get(LOCAL, sid)).seq == (0 if isinstance(result, Exception) else 1)


async def test_a_long_look_is_made_beside_and_its_map_is_given(sessions: Sessions, sid: str) -> None:
    await sessions.batch(LOCAL, sid, [alloc() for _ in range(50)])
    here = await sessions.read(LOCAL, sid, show.zonemap)
    seen = await sessions.read(LOCAL, sid, unpainted)
    there = await sessions.view(LOCAL, sid, lambda _machine: SHORT_LOOK + 1, lambda m: (m, show.zonemap(m)))
    assert there[0] is not seen
    assert there[1] == here
    painted = await sessions.read(LOCAL, sid, lambda machine: machine.frame_states)
    assert painted is not None
    assert there[0].frame_states is None
    short = await sessions.view(LOCAL, sid, lambda _machine: SHORT_LOOK, lambda machine: machine)
    assert short is seen
    with pytest.raises(NotFound):
        await sessions.view(LOCAL, "nothing", lambda _machine: SHORT_LOOK + 1, show.zonemap)


def unpainted(machine: Machine) -> Machine:
    """The machine, without what was painted of it."""
    machine.frame_states = None
    return machine
