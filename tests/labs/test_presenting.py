"""Following the presenter: who may show what, and what those who listen to a lab hear of it, and when."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.errors import BadArgument
from app.labs import Labs
from app.labs.news import Listener
from app.sessions import Busy, Conflict, Forbidden, NotFound, Reader, Sessions, TooMany, feed
from tests.support.factories import raw, settings_for
from tests.support.served import build, listening
from tests.support.walls import Hall, filled, hall, opened

pytestmark = pytest.mark.anyio

Door = tuple[Sessions, Labs, Hall]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(settings_for(tmp_path, lab=True, streams_per_member=3)) as (sessions, labs):
        yield sessions, labs, await filled(sessions, labs, 2)


def heard(part: bytes | None) -> dict[str, Any]:
    """The events of a part, by their names."""
    assert part is not None
    found = {}
    for event in part.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.splitlines() if not line.startswith(":"))
        if "event" in lines:
            found[lines["event"]] = json.loads(lines["data"])
    return found


async def soon(listener: Listener, seconds: float = 0.5) -> dict[str, Any]:
    """What is heard within half a second."""
    async with asyncio.timeout(seconds):
        return heard(await listener.next())


async def test_what_is_shown_is_a_view_of_a_shared_machine(door: Door) -> None:
    _, labs, here = door
    view = f"/sessions/{here.shared}?pfn=0x400&panel=lists"
    await labs.presenting.show(here.teacher, here.lab, view)
    assert await labs.presenting.shown(here.people[0], here.lab) == view
    for wrong in (
        f"/sessions/{here.prepared}",
        f"/sessions/{here.machines[0]}",
        "https://elsewhere.example/",
        f"//sessions/{here.shared}",
        f"/sessions/{here.shared}?a=\n",
        f"/sessions/{here.shared}/delete",
        f"/sessions/{here.shared}?{'x' * 500}",
        "",
    ):
        with pytest.raises(BadArgument) as found:
            await labs.presenting.show(here.teacher, here.lab, wrong)
        assert found.value.faults[0].loc == ("view",)
    assert await labs.presenting.shown(here.teacher, here.lab) == view
    await labs.presenting.show(here.teacher, here.lab, None)
    assert await labs.presenting.shown(here.people[0], here.lab) is None


async def test_only_the_instructor_shows(door: Door) -> None:
    _, labs, here = door
    view = f"/sessions/{here.shared}"
    with pytest.raises(Forbidden):
        await labs.presenting.show(here.people[0], here.lab, view)
    invitation = await labs.authentication.invite(here.teacher)
    other, _token = await labs.authentication.set_up(invitation, "Mr Frame", "another long password")
    for attempt in (
        labs.presenting.show(other, here.lab, view),
        labs.presenting.shown(other, here.lab),
        labs.news.follow(other, here.lab),
    ):
        with pytest.raises(NotFound):
            await attempt
    await labs.rooms.close(here.teacher, here.lab)
    with pytest.raises(Conflict):
        await labs.presenting.show(here.teacher, here.lab, view)


async def test_who_begins_to_listen_hears_how_the_lab_is(door: Door) -> None:
    _, labs, here = door
    await labs.presenting.show(here.teacher, here.lab, f"/sessions/{here.shared}")
    listener = await labs.news.follow(here.people[0], here.lab)
    first = await soon(listener)
    assert list(first) == ["view", "frozen", "closed", "locked", "checkpoint", "machines", "poll"]
    assert first["view"] == {"view": f"/sessions/{here.shared}"}
    assert first["frozen"] == {"frozen": False}
    assert [mark["title"] for mark in first["checkpoint"]["checkpoints"]] == [
        "a block",
        "an object",
        "an area",
    ]
    # What is only prepared is nobody's to follow.
    assert [machine["session"] for machine in first["machines"]["machines"]] == [here.shared]
    listener.close()
    assert await listener.next() is None


async def test_each_change_is_heard_within_half_a_second(door: Door) -> None:
    _, labs, here = door
    listener = await labs.news.follow(here.people[0], here.lab)
    await soon(listener)
    view = f"/sessions/{here.shared}?at=0"
    await labs.presenting.show(here.teacher, here.lab, view)
    assert await soon(listener) == {"view": {"view": view}}
    await labs.rooms.freeze(here.teacher, here.lab, frozen=True)
    assert await soon(listener) == {"frozen": {"frozen": True}}
    await labs.rooms.freeze(here.teacher, here.lab, frozen=False)
    assert await soon(listener) == {"frozen": {"frozen": False}}
    copy = here.machines[0]
    await labs.sharing.lock(here.teacher, here.lab, copy, locked=True)
    assert await soon(listener) == {"locked": {"sessions": [copy]}}
    await labs.sharing.lock(here.teacher, here.lab, copy, locked=False)
    assert await soon(listener) == {"locked": {"sessions": []}}
    machines = (await labs.rooms.get(here.teacher, here.lab)).machines
    await labs.sharing.unmark(here.teacher, here.lab, machines[0].checkpoints[0].id)
    assert len((await soon(listener))["checkpoint"]["checkpoints"]) == 2
    await labs.sharing.change(here.teacher, here.lab, machines[1].id, "operate")
    assert (await soon(listener))["machines"]["machines"][0]["kind"] == "operate"
    await labs.rooms.close(here.teacher, here.lab)
    assert set(await soon(listener)) == {"view", "closed"}
    listener.close()


async def test_another_process_is_heard(door: Door, tmp_path: Path) -> None:
    _, labs, here = door
    listener = await labs.news.follow(here.teacher, here.lab)
    await soon(listener)
    async with opened(settings_for(tmp_path, lab=True)) as (_sessions, others):
        await others.rooms.freeze(here.teacher, here.lab, frozen=True)
        assert await soon(listener, 1) == {"frozen": {"frozen": True}}
    listener.close()


async def test_who_is_slow_hears_how_it_is_and_not_how_it_came(door: Door) -> None:
    _, labs, here = door
    slow = await labs.news.follow(here.people[0], here.lab)
    quick = await labs.news.follow(here.people[1], here.lab)
    await soon(slow)
    await soon(quick)
    for seq in range(3):
        await labs.presenting.show(here.teacher, here.lab, f"/sessions/{here.shared}?at={seq}")
        assert (await soon(quick))["view"]["view"].endswith(f"at={seq}")
    assert (await soon(slow)) == {"view": {"view": f"/sessions/{here.shared}?at=2"}}
    slow.close()
    quick.close()
    assert labs.news.channels == {}


async def test_what_was_read_before_a_change_is_not_heard_after_it(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions, labs, here = door
    first = await labs.news.follow(here.people[0], here.lab)
    await soon(first)
    query, gate, was_read = sessions.query, asyncio.Event(), asyncio.Event()

    async def late(*asked: Any) -> Any:
        answer = await query(*asked)
        was_read.set()
        await gate.wait()
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(sessions, "query", late)
        coming = asyncio.create_task(labs.news.follow(here.people[1], here.lab))
        await was_read.wait()
    view = f"/sessions/{here.shared}?at=0"
    await labs.presenting.show(here.teacher, here.lab, view)
    assert await soon(first) == {"view": {"view": view}}
    gate.set()
    second = await coming
    assert (await soon(second))["view"] == {"view": view}
    await labs.rooms.freeze(here.teacher, here.lab, frozen=True)
    assert await soon(first) == {"frozen": {"frozen": True}}
    first.close()
    second.close()


async def test_streams_of_labs_count_and_end_with_those_of_sessions(door: Door) -> None:
    sessions, labs, here = door
    reader = await sessions.follow(here.people[0].principal, here.shared)
    first = await labs.news.follow(here.people[0], here.lab)
    second = await labs.news.follow(here.people[0], here.lab)
    with pytest.raises(TooMany):
        await labs.news.follow(here.people[0], here.lab)
    with pytest.raises(TooMany):
        await sessions.follow(here.people[0].principal, here.shared)
    second.close()
    second.close()
    third = await labs.news.follow(here.people[0], here.lab)
    # A member who is deleted hears nothing any more.
    await labs.rooms.delete_member(here.teacher, here.lab, 1)
    assert await first.next() is await third.next() is await reader.next() is None
    last = await labs.news.follow(here.people[1], here.lab)
    await soon(last)
    waiting = asyncio.create_task(last.next())
    await asyncio.sleep(0)
    sessions.release()
    assert await waiting is None
    with pytest.raises(Busy):
        await labs.news.follow(here.people[1], here.lab)


async def test_members_leave_streams_to_who_teaches(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lab=True, streams=10, streams_per_member=5)
    async with opened(settings) as (sessions, labs):
        here = await filled(sessions, labs, 3)
        kim, lee, _ = (person.principal for person in here.people)
        readers = [await sessions.follow(kim, here.shared) for _ in range(5)]
        with pytest.raises(TooMany, match="5 event streams"):
            await sessions.follow(kim, here.shared)
        readers += [await sessions.follow(lee, here.shared) for _ in range(4)]
        with pytest.raises(Busy, match="9 event streams of members"):
            await sessions.follow(lee, here.shared)
        with pytest.raises(Busy):
            await labs.news.follow(here.people[2], here.lab)
        listener = await labs.news.follow(here.teacher, here.lab)
        with pytest.raises(Busy, match="10 event streams"):
            await sessions.follow(here.teacher.principal, here.shared)
        readers.pop().close()
        readers.append(await sessions.follow(lee, here.shared))
        listener.close()
        for reader in readers:
            reader.close()
        assert sessions._feed._of_members == 0


async def test_who_may_not_read_any_more_hears_no_more(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, labs, here = door
    kim = here.people[0]
    monkeypatch.setattr(feed, "REVIEW_SECONDS", 3600.0)
    offered = next(m for m in (await labs.rooms.get(here.teacher, here.lab)).machines if m.kind == "watch")

    async def over(reader: Reader) -> None:
        async with asyncio.timeout(5):
            while await reader.next() is not None:
                pass

    mine = await sessions.follow(kim.principal, here.machines[0])
    theirs = await sessions.follow(here.teacher.principal, here.shared)
    looking = await sessions.follow(kim.principal, here.shared)
    await labs.sharing.change(here.teacher, here.lab, offered.id, "operate")
    await asyncio.sleep(1)
    assert sessions._feed._readers == {kim.id: 2, here.teacher.id: 1}
    await labs.sharing.change(here.teacher, here.lab, offered.id, "prepared")
    await over(looking)
    await labs.sharing.change(here.teacher, here.lab, offered.id, "watch")
    looking = await sessions.follow(kim.principal, here.shared)
    await labs.sharing.remove(here.teacher, here.lab, offered.id)
    await over(looking)
    assert sessions._feed._readers == {kim.id: 1, here.teacher.id: 1}
    # What another process takes away is seen from time to time.
    await labs.sharing.add(here.teacher, here.lab, here.shared, "watch")
    looking = await sessions.follow(kim.principal, here.shared)
    monkeypatch.setattr(feed, "REVIEW_SECONDS", 0.0)
    sessions.review()
    with raw(sessions._settings) as db:
        db.execute("DELETE FROM access")
    await over(looking)
    # Who signs out in one place is sent away, and may come back where they are still in.
    await labs.authentication.leave(here.tokens[0])
    await over(mine)
    looking = await sessions.follow(kim.principal, here.machines[0])
    await labs.rooms.delete(here.teacher, here.lab)
    await over(looking)
    assert sessions._feed._readers == {here.teacher.id: 1}
    theirs.close()


async def test_a_lab_that_is_deleted_is_over(door: Door) -> None:
    _, labs, here = door
    listener = await labs.news.follow(here.teacher, here.lab)
    await soon(listener)
    await labs.rooms.delete(here.teacher, here.lab)
    async with asyncio.timeout(1):
        assert await listener.next() is None


# -- over HTTP ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def class_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hall]]:
    folder = tmp_path_factory.mktemp("presenting")
    made = hall(folder, 2)
    with listening(build(folder, lab=True)) as address:
        yield f"{address}/api/v1/labs/{made.lab}", made


def as_(token: str | None) -> httpx2.Client:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx2.Client(headers=headers)


def test_the_api_of_presenting(class_: tuple[str, Hall]) -> None:
    lab, made = class_
    view = f"/sessions/{made.shared}?pfn=0x401"
    with as_(made.token) as teacher, as_(made.tokens[0]) as member, as_(None) as nobody:
        assert member.get(f"{lab}/presenting").json() == {"view": None}
        assert teacher.put(f"{lab}/presenting", json={"view": view}).json() == {"view": view}
        assert member.get(f"{lab}/presenting").json() == {"view": view}
        assert member.put(f"{lab}/presenting", json={"view": view}).status_code == 403
        assert member.delete(f"{lab}/presenting").status_code == 403
        for path in ("presenting", "events/stream", "wall"):
            assert nobody.get(f"{lab}/{path}").status_code == 401
            assert teacher.get(f"{lab.replace(made.lab, 'none')}/{path}").status_code == 404
        for body, loc in (
            ({}, ["view"]),
            ({"view": None}, ["view"]),
            ({"view": "/"}, ["view"]),
            ({"view": view, "x": 1}, ["x"]),
        ):
            refused = teacher.put(f"{lab}/presenting", json=body)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["loc"] == loc
        assert teacher.delete(f"{lab}/presenting").status_code == 204
        assert member.get(f"{lab}/presenting").json() == {"view": None}


def test_the_stream_of_a_lab(class_: tuple[str, Hall]) -> None:
    lab, made = class_
    view = f"/sessions/{made.shared}?panel=slab"
    with as_(made.token) as teacher, as_(made.tokens[1]) as member:
        with member.stream("GET", f"{lab}/events/stream") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            lines = stream.iter_lines()
            assert next(lines).startswith("retry:")
            while next(lines) != "event: machines":
                pass
            begun = time.monotonic()
            assert teacher.put(f"{lab}/presenting", json={"view": view}).status_code == 200
            while next(lines) != "event: view":
                pass
            assert json.loads(next(lines).removeprefix("data: ")) == {"view": view}
            assert time.monotonic() - begun < 0.5 + 2.5  # a busy machine may be late
        assert teacher.delete(f"{lab}/presenting").status_code == 204
