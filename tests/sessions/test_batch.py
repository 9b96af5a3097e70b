"""Batches: all or nothing, short ones within a group and long ones in slices."""

import asyncio
from pathlib import Path

import pytest

from app.errors import BadArgument
from app.sessions import LOCAL, BatchBlocked, BatchItem, LimitReached, Principal, Sessions
from app.sessions.work import SLICE_CALLS
from tests.support.factories import POISON, TINY, alloc, free, raw, seqs, serving, settings_for, spread_poison

LONG = SLICE_CALLS + 50


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", TINY)).id


def padded(items: list[BatchItem], *, long: bool) -> list[BatchItem]:
    """The same batch, with calls before it that make it a long one."""
    return [BatchItem("drain_all_pages", {})] * (LONG if long else 0) + items


both = pytest.mark.parametrize("long", [False, True], ids=["short", "long"])


@both
async def test_names_in_a_batch(sessions: Sessions, sid: str, long: bool) -> None:
    items = padded([alloc(2, "p"), free("$p", 2), alloc(0, "q")], long=long)
    answers = await sessions.batch(LOCAL, sid, items)
    assert [answer.seq for answer in answers] == list(range(1, len(items) + 1))
    assert await seqs(sessions, sid) == list(range(1, len(items) + 1))
    made, freed, _ = (answer.outcome for answer in answers[-3:])
    assert freed["args"]["pfn"] == made["page"]["pfn"]
    names = await sessions.names(LOCAL, sid)
    assert set(names) == {"p", "q"}
    assert names["p"].pfn == made["page"]["pfn"]
    # Names outlive their batch, and belong to a person.
    (freed_later,) = await sessions.batch(LOCAL, sid, [free("$q")])
    assert freed_later.outcome["args"]["pfn"] == names["q"].pfn
    assert (await sessions.apply(LOCAL, sid, "page_count", {"page": "$q"})).outcome["args"]["pfn"] == names[
        "q"
    ].pfn


async def test_names_are_personal(sessions: Sessions, tmp_path: Path, sid: str) -> None:
    bob = Principal("bob")
    with raw(settings_for(tmp_path)) as db:
        db.execute("INSERT INTO access VALUES (?, 'bob', 'member')", (sid,))
    await sessions.batch(LOCAL, sid, [alloc(0, "p")])
    with pytest.raises(BadArgument):
        await sessions.batch(bob, sid, [free("$p")])
    await sessions.batch(bob, sid, [alloc(0, "p")])
    ours, theirs = await sessions.names(LOCAL, sid), await sessions.names(bob, sid)
    assert ours["p"].pfn != theirs["p"].pfn


async def test_a_null_result_is_the_null_page(sessions: Sessions, sid: str) -> None:
    answers = await sessions.batch(LOCAL, sid, [alloc(11, "p"), free("$p"), alloc(0)])
    assert answers[0].outcome["verdict"] == "null"
    assert answers[1].outcome["args"]["page"] is None
    assert answers[2].outcome["verdict"] == "ok"


@both
async def test_a_mistake_refuses_the_whole_batch(sessions: Sessions, sid: str, long: bool) -> None:
    await sessions.batch(LOCAL, sid, [alloc(0, "kept")])
    before = await sessions.dump(LOCAL, sid)
    items = padded(
        [
            alloc(0, "p"),
            BatchItem("alloc_pages", {"gfp": "GFP_NOSUCH", "order": "x"}),
            BatchItem("malloc", {}),
            alloc(0, "not a name"),
            free("$later"),
            alloc(0, "later"),
        ],
        long=long,
    )
    first = len(items) - 6
    with pytest.raises(BadArgument) as caught:
        await sessions.batch(LOCAL, sid, items)
    assert [fault.loc for fault in caught.value.faults] == [
        ("calls", first + 1, "gfp"),
        ("calls", first + 1, "order"),
        ("calls", first + 2, "call"),
        ("calls", first + 3, "as"),
        ("calls", first + 4, "page"),
    ]
    assert await sessions.dump(LOCAL, sid) == before
    assert set(await sessions.names(LOCAL, sid)) == {"kept"}


@both
async def test_a_mistake_that_shows_late_undoes_what_was_done(
    sessions: Sessions, sid: str, long: bool
) -> None:
    await sessions.batch(LOCAL, sid, [alloc(0, "kept")])
    before = await sessions.dump(LOCAL, sid)
    # Whether p+4095 exists is known only when p is.
    items = padded([alloc(0, "p"), alloc(0, "kept"), free("$p+4095")], long=long)
    with pytest.raises(BadArgument) as caught:
        await sessions.batch(LOCAL, sid, items)
    assert [fault.loc for fault in caught.value.faults] == [("calls", len(items) - 1, "page")]
    assert await seqs(sessions, sid) == [1]
    assert await sessions.dump(LOCAL, sid) == before
    assert set(await sessions.names(LOCAL, sid)) == {"kept"}
    assert (await sessions.apply(LOCAL, sid, "drain_all_pages", {})).seq == 2
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 1


@both
async def test_a_blocked_task_refuses_the_whole_batch(sessions: Sessions, sid: str, long: bool) -> None:
    items = [
        alloc(0, "p"),
        BatchItem("lock_page", {"page": "$p"}),
        BatchItem("lock_page", {"page": "$p", "task": "t"}),
    ]
    items = padded([*items, alloc(0, task="t")], long=long)
    with pytest.raises(BatchBlocked) as caught:
        await sessions.batch(LOCAL, sid, items)
    assert caught.value.loc == ("calls", len(items) - 1)
    assert caught.value.task == "t"
    assert await seqs(sessions, sid) == []
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 0


@both
async def test_a_poisonous_batch_fails_alone(
    sessions: Sessions, sid: str, long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spread_poison(monkeypatch)
    other = (await sessions.create(LOCAL, "other", TINY)).id
    results = await asyncio.gather(
        sessions.batch(LOCAL, sid, padded([alloc(), POISON], long=long)),
        *(sessions.apply(LOCAL, s, "alloc_page", {"gfp": "GFP_KERNEL"}) for s in (other, sid) * 5),
        return_exceptions=True,
    )
    assert [type(result).__name__ for result in results] == ["RuntimeError"] + ["Applied"] * 10
    assert await seqs(sessions, sid) == await seqs(sessions, other) == [1, 2, 3, 4, 5]
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 5


async def test_a_long_batch_lets_others_have_their_turn(sessions: Sessions, sid: str) -> None:
    other = (await sessions.create(LOCAL, "other", TINY)).id
    done: list[str] = []

    async def long() -> None:
        await sessions.batch(
            LOCAL, sid, [alloc(0, f"p{i}") for i in range(1000)] + [free(f"$p{i}") for i in range(1000)]
        )
        done.append("long")

    async def short(session: str, name: str) -> int:
        applied = await sessions.apply(LOCAL, session, "alloc_page", {"gfp": "GFP_KERNEL"})
        done.append(name)
        return applied.seq

    batch = asyncio.create_task(long())
    await asyncio.sleep(0)
    same = asyncio.create_task(short(sid, "same"))
    assert await short(other, "other") == 1
    assert done == ["other"]
    # The session itself is closed to others until the batch is done.
    assert await same == 2001
    await batch
    assert await seqs(sessions, sid) == list(range(1, 2002))


async def test_a_read_waits_for_a_long_batch_and_sees_all_of_it(sessions: Sessions, sid: str) -> None:
    batch = asyncio.create_task(sessions.batch(LOCAL, sid, [alloc()] * 1000))
    await asyncio.sleep(0)
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 1000
    assert len(await batch) == 1000


async def test_limits(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, batch_calls=5, names_per_person=3)) as sessions:
        sid = (await sessions.create(LOCAL, None, TINY)).id
        with pytest.raises(LimitReached) as caught:
            await sessions.batch(LOCAL, sid, [alloc()] * 6)
        assert caught.value.loc == ("calls",)
        with pytest.raises(LimitReached) as caught:
            await sessions.batch(LOCAL, sid, [alloc(0, name) for name in "abcd"])
        assert caught.value.loc == ("calls", 3, "as")
        await sessions.batch(LOCAL, sid, [alloc(0, name) for name in "abca"])
        assert await seqs(sessions, sid) == [1, 2, 3, 4]


async def test_two_long_batches_on_one_session(sessions: Sessions, sid: str) -> None:
    first, second = await asyncio.gather(
        *(sessions.batch(LOCAL, sid, [alloc(0, "p"), free("$p")] * LONG) for _ in range(2))
    )
    both_seqs = sorted([answer.seq for answer in first] + [answer.seq for answer in second])
    assert both_seqs == list(range(1, 4 * LONG + 1))
    for answers in (first, second):
        assert answers[-1].seq - answers[0].seq == 2 * LONG - 1


async def test_calls_that_are_read_once_are_not_mistaken_for_others(sessions: Sessions, sid: str) -> None:
    order = [1, True, 1.0, "1", None, 1, [1]]
    items = [BatchItem("alloc_pages", {"gfp": "GFP_KERNEL", "order": value}) for value in order]
    with pytest.raises(BadArgument) as refused:
        await sessions.batch(LOCAL, sid, items)
    assert [fault.loc for fault in refused.value.faults] == [
        ("calls", place, "order") for place in (1, 2, 3, 4, 6)
    ]
    runs = BatchItem("__free_pages", {"page": [[1024, 2]], "order": 0})
    alike = [alloc(0, "p"), free("$p"), alloc(1, "p"), free("$p", 1), BatchItem("page_count", {"pfn": 1})]
    answers = await sessions.batch(LOCAL, sid, [*alike, *alike, runs, runs])
    pfns = [answer.outcome["args"].get("pfn") for answer in answers]
    assert [pfns[1], pfns[3], pfns[6], pfns[8]] == [
        answers[place].outcome["page"]["pfn"] for place in (0, 2, 5, 7)
    ]
