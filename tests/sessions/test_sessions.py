"""Sessions: made, listed, named, shared with nobody, removed; and single calls on them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.sessions import LOCAL, Forbidden, LimitReached, NotFound, Principal, Sessions
from app.sessions.identifiers import checked_name, decode_cursor, encode_cursor
from app.settings import Settings
from tests.support.factories import POISON, TINY, alloc, raw, seqs, serving, settings_for, spread_poison

STRANGER = Principal("stranger")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture
async def sessions(settings: Settings) -> AsyncIterator[Sessions]:
    async with serving(settings) as sessions:
        yield sessions


@pytest.fixture
async def sid(sessions: Sessions) -> str:
    return (await sessions.create(LOCAL, "s", TINY)).id


def places(error: BadArgument) -> list[tuple[str | int, ...]]:
    return [fault.loc for fault in error.faults]


async def test_create_and_get(sessions: Sessions) -> None:
    made = await sessions.create(LOCAL, "  my machine ", TINY)
    assert made == await sessions.get(LOCAL, made.id)
    shown = made.as_json()
    assert {"id", "name", "seq", "machine", "origin", "owner", "created", "engine"} == set(shown)
    assert (shown["name"], shown["seq"], shown["origin"], shown["owner"]) == ("my machine", 0, None, "local")
    assert shown["machine"]["profile"] == "tiny-16m"
    assert len(made.id) >= 16
    assert (await sessions.create(LOCAL, None, TINY)).name == "tiny-16m"


async def test_create_from_a_dump(sessions: Sessions) -> None:
    first = await sessions.create(LOCAL, "first", TINY)
    await sessions.batch(LOCAL, first.id, [alloc(2), alloc(0), alloc(3)])
    dump = await sessions.dump(LOCAL, first.id)
    second = await sessions.create(LOCAL, None, {"dump": dump})
    assert second.seq == 0
    assert await sessions.dump(LOCAL, second.id) == dump
    made = [await sessions.apply(LOCAL, sid, alloc().call, alloc().body) for sid in (first.id, second.id)]
    assert made[0].outcome["ret"] == made[1].outcome["ret"]


@pytest.mark.parametrize(
    ("name", "machine", "place"),
    [
        ("", TINY, ("name",)),
        ("   ", TINY, ("name",)),
        ("x" * 101, TINY, ("name",)),
        ("a\nb", TINY, ("name",)),
        ("a\x00", TINY, ("name",)),
        ("\ud800", TINY, ("name",)),
        ("s", {"profile": "pdp-11"}, ("machine", "profile")),
        ("s", {"dump": {}, "cpus": 1}, ("machine", "cpus")),
    ],
)
async def test_create_refuses(
    sessions: Sessions, name: str, machine: dict[str, Any], place: tuple[str, ...]
) -> None:
    with pytest.raises(BadArgument) as caught:
        await sessions.create(LOCAL, name, machine)
    assert place in places(caught.value)
    assert (await sessions.list(LOCAL)).items == []


async def test_list_goes_on_where_it_ended(sessions: Sessions) -> None:
    made = [(await sessions.create(LOCAL, str(number), TINY)).id for number in range(5)]
    first = await sessions.list(LOCAL, limit=2)
    newer = await sessions.create(LOCAL, "newer", TINY)
    second = await sessions.list(LOCAL, limit=2, after=first.next)
    third = await sessions.list(LOCAL, limit=2, after=second.next)
    listed = [info.id for page in (first, second, third) for info in page.items]
    assert sorted(listed) == sorted(made)
    assert third.next is None
    times = [info.created for page in (first, second, third) for info in page.items]
    assert times == sorted(times, reverse=True)
    assert newer.id in [info.id for info in (await sessions.list(LOCAL)).items]


@pytest.mark.parametrize("cursor", ["x", "", "äöü", "AAAA", encode_cursor("", "")])
def test_cursor_of_somebody_else(cursor: str) -> None:
    with pytest.raises(BadArgument) as caught:
        decode_cursor(cursor)
    assert places(caught.value) == [("after",)]


async def test_rename(sessions: Sessions, sid: str) -> None:
    assert (await sessions.rename(LOCAL, sid, "other")).name == "other"
    assert (await sessions.get(LOCAL, sid)).name == "other"
    with pytest.raises(BadArgument):
        await sessions.rename(LOCAL, sid, "")


async def test_delete_removes_everything(sessions: Sessions, sid: str, settings: Settings) -> None:
    dump = await sessions.dump(LOCAL, sid)
    other = await sessions.create(LOCAL, "other", {"dump": dump})
    await sessions.batch(LOCAL, other.id, [alloc(name="p")])
    await sessions.delete(LOCAL, other.id)
    with pytest.raises(NotFound):
        await sessions.get(LOCAL, other.id)
    with pytest.raises(NotFound):
        await sessions.apply(LOCAL, other.id, "drain_all_pages", {})
    with raw(settings) as db:
        for table in ("journal", "snapshots", "states", "names"):
            assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
    assert (await sessions.apply(LOCAL, sid, "drain_all_pages", {})).seq == 1


async def test_calls_racing_a_delete_are_answered_or_not_found(sessions: Sessions, sid: str) -> None:
    calls = [sessions.apply(LOCAL, sid, "drain_all_pages", {}) for _ in range(20)]
    results = await asyncio.gather(
        *calls[:10], sessions.delete(LOCAL, sid), *calls[10:], return_exceptions=True
    )
    assert {type(result).__name__ for result in results} <= {"Applied", "NoneType", "NotFound"}
    with pytest.raises(NotFound):
        await sessions.get(LOCAL, sid)


async def test_strangers_learn_nothing(sessions: Sessions, sid: str) -> None:
    attempts = [
        sessions.get(STRANGER, sid),
        sessions.rename(STRANGER, sid, "mine"),
        sessions.delete(STRANGER, sid),
        sessions.apply(STRANGER, sid, "drain_all_pages", {}),
        sessions.batch(STRANGER, sid, [alloc()]),
        sessions.batch(STRANGER, sid, [alloc()] * 300),
        sessions.names(STRANGER, sid),
        sessions.read(STRANGER, sid, lambda machine: machine.live_blocks),
        sessions.dump(STRANGER, sid),
        sessions.events(STRANGER, sid),
        sessions.event(STRANGER, sid, 1),
    ]
    for attempt in attempts:
        with pytest.raises(NotFound) as caught:
            await attempt
        assert (caught.value.kind, caught.value.id) == ("session", sid)
    assert (await sessions.list(STRANGER)).items == []
    assert (await sessions.get(LOCAL, sid)).seq == 0


async def test_roles(sessions: Sessions, sid: str, settings: Settings) -> None:
    watcher, member = Principal("ann"), Principal("bob", by="m7")
    with raw(settings) as db:
        db.execute("INSERT INTO access VALUES (?, 'ann', 'watcher'), (?, 'bob', 'member')", (sid, sid))
    for principal in (watcher, member):
        assert await sessions.read(principal, sid, lambda machine: machine.live_blocks) == 0
        assert [info.id for info in (await sessions.list(principal)).items] == [sid]
        with pytest.raises(Forbidden):
            await sessions.delete(principal, sid)
    with pytest.raises(Forbidden):
        await sessions.apply(watcher, sid, "drain_all_pages", {})
    assert (await sessions.apply(member, sid, "drain_all_pages", {})).outcome["by"] == "m7"


async def test_sessions_per_owner(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, sessions_per_owner=2)) as sessions:
        for _ in range(2):
            await sessions.create(LOCAL, None, TINY)
        with pytest.raises(LimitReached):
            await sessions.create(LOCAL, None, TINY)
        await sessions.create(STRANGER, None, TINY)


async def test_a_call_is_a_row(sessions: Sessions, sid: str) -> None:
    applied = await sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": 1})
    assert applied.seq == 1
    outcome = applied.outcome
    assert list(outcome)[:7] == ["seq", "call", "args", "ret", "verdict", "time", "by"]
    assert (outcome["seq"], outcome["call"], outcome["verdict"], outcome["by"]) == (
        1,
        "alloc_pages",
        "ok",
        None,
    )
    assert outcome["args"] == {
        "gfp": "GFP_KERNEL", "order": 1, "task": "init", "cpu": 0, "context": "process"
    }  # fmt: skip
    assert outcome["time"].endswith("Z")
    assert len(outcome["time"]) == len("2026-11-22T14:00:00.123Z")
    event = await sessions.event(LOCAL, sid, 1)
    assert event.body == applied.body
    assert event.outcome == outcome
    assert await sessions.events(LOCAL, sid) == [event]
    assert await sessions.events(LOCAL, sid, after=1) == []
    assert (await sessions.get(LOCAL, sid)).seq == 1
    with pytest.raises(NotFound) as caught:
        await sessions.event(LOCAL, sid, 2)
    assert caught.value.kind == "event"


async def test_counters_are_answered_but_not_kept(sessions: Sessions, sid: str) -> None:
    applied = await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"}, counters=True)
    assert set(applied.outcome["counters"]) == {"zf", "zv", "pc"}
    assert b'"counters":{"zf":[' in applied.body
    assert b"counters" not in (await sessions.event(LOCAL, sid, 1)).body
    (applied,) = await sessions.batch(LOCAL, sid, [alloc()], counters=True)
    assert set(applied.outcome["counters"]) == {"zf", "zv", "pc"}
    assert b"counters" not in (await sessions.event(LOCAL, sid, 2)).body


async def test_the_callers_mistakes_leave_no_row(sessions: Sessions, sid: str) -> None:
    for call, body, place in [
        ("alloc_pages", {"gfp": "GFP_KERNEL"}, ("order",)),
        ("alloc_pages", {"gfp": "GFP_NOSUCH", "order": 0}, ("gfp",)),
        ("__free_pages", {"page": "$nothing", "order": 0}, ("page",)),
    ]:
        with pytest.raises(BadArgument) as caught:
            await sessions.apply(LOCAL, sid, call, body)
        assert place in places(caught.value)
    with pytest.raises(NotFound) as missing:
        await sessions.apply(LOCAL, sid, "malloc", {})
    assert missing.value.kind == "call"
    assert (await sessions.get(LOCAL, sid)).seq == 0


async def test_a_poisonous_call_fails_alone(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spread_poison(monkeypatch)
    other = (await sessions.create(LOCAL, "other", TINY)).id
    calls = [sessions.apply(LOCAL, s, "alloc_page", {"gfp": "GFP_KERNEL"}) for s in (sid, other) * 10]
    results = await asyncio.gather(
        *calls[:10], sessions.apply(LOCAL, sid, POISON.call, POISON.body), *calls[10:], return_exceptions=True
    )
    assert [type(result).__name__ for result in results] == ["Applied"] * 10 + ["RuntimeError"] + [
        "Applied"
    ] * 10
    assert await seqs(sessions, sid) == await seqs(sessions, other) == list(range(1, 11))
    assert await sessions.read(LOCAL, sid, lambda machine: "init" in machine.tasks)
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 10
    assert "poison" in caplog.text


async def test_reads_see_what_was_answered(sessions: Sessions, sid: str) -> None:
    async def call_and_look() -> None:
        applied = await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})
        assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) >= applied.seq
        assert (await sessions.get(LOCAL, sid)).seq >= applied.seq
        assert (await sessions.event(LOCAL, sid, applied.seq)).body == applied.body

    await asyncio.gather(*(call_and_look() for _ in range(30)))


async def test_a_look_that_fails_says_so(sessions: Sessions, sid: str) -> None:
    def look(machine: object, key: str) -> None:
        raise KeyError(key)

    with pytest.raises(KeyError, match="kmalloc-7"):
        await sessions.read(LOCAL, sid, look, "kmalloc-7")
    assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == 0


async def test_after_the_end_nothing_is_taken(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, None, TINY)).id
    with pytest.raises(Exception, match="stopping"):
        await sessions.apply(LOCAL, sid, "drain_all_pages", {})


async def test_a_giving_up_caller_changes_nothing(sessions: Sessions, sid: str) -> None:
    call = asyncio.create_task(sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"}))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})).seq == 2
    assert await seqs(sessions, sid) == [1, 2]


@pytest.mark.parametrize("name", ["\u202egnp", "a\u2066b", "\u200b", "a\ufeffb", "a\u2028b", "\x1b[2J"])
def test_no_name_turns_or_hides_what_stands_around_it(name: str) -> None:
    with pytest.raises(BadArgument) as found:
        checked_name(name)
    assert found.value.faults[0].loc == ("name",)


def test_a_name_may_have_pictures() -> None:
    assert checked_name(" 👩\u200d🔬 Übung ") == "👩\u200d🔬 Übung"
