"""The wall: what it says of a class, what it reads for that, and that it holds up nobody."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.api.wall import document, encoded
from app.labs import Labs, Tile, WallState, board, wall
from app.machine import boot, parsing
from app.sessions import Forbidden, NotFound, Sessions
from app.store import journal
from tests.support.factories import settings_for
from tests.support.patience import PATIENCE
from tests.support.served import build, listening
from tests.support.walls import Hall, filled, hall, items, opened

pytestmark = pytest.mark.anyio

Door = tuple[Sessions, Labs, Hall]

MEMBERS = 14


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Door]:
    folder = tmp_path_factory.mktemp("wall")
    async with opened(settings_for(folder, lab=True)) as (sessions, labs):
        yield sessions, labs, await filled(sessions, labs, MEMBERS)


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "FRESH_SECONDS", 0.0)


def tile(state: WallState, number: int) -> Tile:
    return next(tile for tile in state.tiles if tile.number == number)


async def test_a_tile_says_who_has_done_what_last(door: Door) -> None:
    _, labs, here = door
    state = await labs.wall.state(here.teacher, here.lab)
    assert [tile.number for tile in state.tiles] == list(range(1, MEMBERS + 1))
    second = tile(state, 2)
    assert second.session_id == here.machines[1]
    assert second.last is not None
    assert (second.seq, second.last.call, second.last.verdict) == (1, "alloc_pages(GFP_KERNEL, 3)", "ok")
    assert (second.reached, second.locked, second.machines) == (1, False, 1)
    assert not second.trouble
    assert tile(state, 5).trouble
    assert tile(state, 6).trouble
    first = tile(state, 1)
    assert first.session_id
    assert first.last is None
    assert tile(state, 12).session_id is None
    assert state.whole.members == MEMBERS
    assert [(mark.title, mark.reached) for mark in state.whole.marks] == [
        ("a block", 9),
        ("an object", 5),
        ("an area", 2),
    ]


async def test_the_picture_is_the_machine_from_far_away() -> None:
    machine = boot.boot({"profile": "tiny-16m", "lecture": True})
    before = board.picture(machine)
    assert len(before.cells) == 64
    assert before.used == 0
    assert set(before.cells) == {"2", "0"}
    machine.apply(parsing.parse("alloc_page", {"gfp": "GFP_KERNEL"}, machine.model), 1)
    assert "w" in board.picture(machine).cells
    for seq in range(2, 40):
        machine.apply(parsing.parse("alloc_pages", {"gfp": "GFP_KERNEL", "order": 6}, machine.model), seq)
    full = board.picture(machine)
    assert full.cells.count("3") >= 38
    assert 70 < full.used <= 100


async def test_a_version_says_what_has_changed_since(door: Door) -> None:
    sessions, labs, here = door
    before = await labs.wall.state(here.teacher, here.lab)
    again = await labs.wall.state(here.teacher, here.lab)
    assert again is before or again.since(before.version) == ([], [])
    await sessions.batch(here.people[1].principal, here.machines[1], items("alloc_page(GFP_KERNEL)"))
    after = await labs.wall.state(here.teacher, here.lab)
    changed, gone = after.since(after.after(before.token))
    assert [tile.number for tile in changed] == [2]
    assert gone == []
    told = document(after, before.version)["tiles"][0]
    assert told["call"] == "alloc_page(GFP_KERNEL)"
    assert "nickname" not in told
    assert "session" not in told
    # Another wall's version, one that is not there yet, and none: everything.
    for token in (None, "0" * 12 + "-1", f"{after.epoch}-{after.version + 1}", "x"):
        assert after.after(token) is None
    assert len(after.since(None)[0]) == MEMBERS
    assert encoded(after, None) is encoded(after, None)


async def test_only_what_has_gone_on_is_read_again(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions, labs, here = door
    await labs.wall.state(here.teacher, here.lab)
    read: list[list[str]] = []
    looked: list[list[str]] = []
    heads, peek = journal.heads, sessions.peek

    def noted(db: Any, ids: Any) -> Any:
        read.append(list(ids))
        return heads(db, ids)

    async def seen(ids: Any, look: Any) -> Any:
        looked.append(list(ids))
        return await peek(ids, look)

    monkeypatch.setattr(journal, "heads", noted)
    monkeypatch.setattr(sessions, "peek", seen)
    await labs.wall.state(here.teacher, here.lab)
    await sessions.batch(here.people[2].principal, here.machines[2], items("alloc_page(GFP_KERNEL)"))
    state = await labs.wall.state(here.teacher, here.lab)
    assert [ids for ids in read if ids] == [[here.machines[2]]]
    assert looked == [[], [here.machines[2]]]
    last = tile(state, 3).last
    assert last is not None
    assert last.call == "alloc_page(GFP_KERNEL)"


async def test_many_who_look_at_once_are_one(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    _, labs, here = door
    monkeypatch.setattr(wall, "FRESH_SECONDS", 1.0)
    reads = 0
    read = wall.read

    def counted(*given: Any) -> Any:
        nonlocal reads
        reads += 1
        return read(*given)

    monkeypatch.setattr(wall, "read", counted)
    labs.wall.changed(here.lab)
    found = await asyncio.gather(*(labs.wall.state(here.teacher, here.lab) for _ in range(20)))
    assert reads == 1
    assert all(state is found[0] for state in found)
    labs.wall.changed(here.lab)


async def test_progress_locks_and_the_last_of_several_machines_are_seen(door: Door) -> None:
    sessions, labs, here = door
    await labs.sharing.lock(here.teacher, here.lab, here.machines[7], locked=True)
    machine = (await labs.rooms.get(here.teacher, here.lab)).machines[0]
    await labs.sharing.done(here.people[8], here.lab, machine.checkpoints[2].id)
    other = await labs.sharing.copy(here.people[8], here.lab, machine.id)
    state = await labs.wall.state(here.teacher, here.lab)
    assert tile(state, 8).locked
    ninth = tile(state, 9)
    assert (ninth.machines, ninth.session_id, ninth.reached) == (2, other.id, 1)
    await sessions.batch(here.people[8].principal, here.machines[8], items("alloc_page(GFP_KERNEL)"))
    moved = await labs.wall.state(here.teacher, here.lab)
    assert tile(moved, 9).session_id == here.machines[8]
    told = document(moved, state.version)["tiles"]
    assert [tile["session"] for tile in told if tile["number"] == 9] == [here.machines[8]]


async def test_who_calls_a_shared_machine_is_there_as_on_their_own(tmp_path: Path) -> None:
    async with opened(settings_for(tmp_path, lab=True)) as (sessions, labs):
        here = await filled(sessions, labs, 3)
        machine = (await labs.rooms.get(here.teacher, here.lab)).machines[1]
        await labs.sharing.change(here.teacher, here.lab, machine.id, "operate")
        late = await labs.authentication.join(
            str((await labs.rooms.get(here.teacher, here.lab)).code), "Late"
        )
        person = late[0][0]
        quiet = await labs.wall.state(here.teacher, here.lab)
        assert tile(quiet, 4).session_id is None
        assert quiet.whole.active == 2
        await sessions.batch(
            here.teacher.principal, here.shared, items("p = alloc_page(GFP_KERNEL)\nlock_page(p)")
        )
        await sessions.batch(here.people[1].principal, here.shared, items("alloc_pages(GFP_KERNEL, 2)"))
        await sessions.batch(person.principal, here.shared, items("lock_page(0x400)"))
        await sessions.batch(here.teacher.principal, here.shared, items("alloc_page(GFP_KERNEL)"))
        state = await labs.wall.state(here.teacher, here.lab)
        second, fourth = tile(state, 2), tile(state, 4)
        assert (second.session_id, second.seq, second.machines) == (here.shared, 3, 1)
        assert second.last is not None
        assert second.last.call == "m2: alloc_pages(GFP_KERNEL, 2)"
        assert (fourth.session_id, fourth.seq, fourth.machines) == (here.shared, 4, 0)
        assert fourth.last is not None
        assert fourth.last.verdict == "blocked"
        assert fourth.trouble
        assert fourth.picture == second.picture is not None
        assert tile(state, 3).session_id == here.machines[2]
        assert state.whole.active == 3
        # Once it is woken nothing says that it sleeps.
        await sessions.batch(here.teacher.principal, here.shared, items("unlock_page(0x400)"))
        woken = await labs.wall.state(here.teacher, here.lab)
        assert tile(woken, 4).last == fourth.last
        assert tile(woken, 4).woken
        assert not tile(woken, 4).trouble
        told = {tile["number"]: tile for tile in document(woken, state.version)["tiles"]}
        assert told[4]["woken"]
        assert "woken" not in told[2]
        # Who goes back to their own machine is seen there again.
        await sessions.batch(here.people[1].principal, here.machines[1], items("alloc_page(GFP_KERNEL)"))
        back = await labs.wall.state(here.teacher, here.lab)
        assert tile(back, 2).session_id == here.machines[1]


async def test_of_a_shared_machine_only_new_rows_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(settings_for(tmp_path, lab=True)) as (sessions, labs):
        here = await filled(sessions, labs, 2)
        machine = (await labs.rooms.get(here.teacher, here.lab)).machines[1]
        await labs.sharing.change(here.teacher, here.lab, machine.id, "operate")
        for person in here.people:
            await sessions.batch(person.principal, here.shared, items("alloc_page(GFP_KERNEL)"))
        await labs.wall.state(here.teacher, here.lab)
        asked: list[list[str]] = []
        read: list[list[int]] = []
        last_by, at = journal.last_by, journal.at

        def noted(db: Any, ids: Any) -> Any:
            asked.append(list(ids))
            return last_by(db, ids)

        def opened_rows(db: Any, sid: Any, seqs: Any) -> Any:
            read.append(list(seqs))
            return at(db, sid, seqs)

        monkeypatch.setattr(journal, "last_by", noted)
        monkeypatch.setattr(journal, "at", opened_rows)
        await labs.wall.state(here.teacher, here.lab)
        await sessions.batch(here.people[1].principal, here.shared, items("alloc_page(GFP_KERNEL)"))
        await labs.wall.state(here.teacher, here.lab)
        assert asked == [[], [here.shared]]
        assert read == [[3]]


async def test_who_is_deleted_is_gone(door: Door) -> None:
    _, labs, here = door
    before = await labs.wall.state(here.teacher, here.lab)
    await labs.rooms.delete_member(here.teacher, here.lab, MEMBERS)
    after = await labs.wall.state(here.teacher, here.lab)
    assert after.since(before.version) == ([], [MEMBERS])
    assert after.whole.members == MEMBERS - 1


async def test_a_wall_is_its_instructors(door: Door) -> None:
    _, labs, here = door
    with pytest.raises(Forbidden):
        await labs.wall.state(here.people[0], here.lab)
    with pytest.raises(NotFound):
        await labs.wall.state(here.teacher, "nowhere")


async def test_closed_machines_stay_closed_and_come_when_they_come(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, lab=True)
    async with opened(settings) as (sessions, labs):
        here = await filled(sessions, labs, 8)
    async with opened(settings) as (sessions, labs):
        for _ in range(20):
            state = await labs.wall.state(here.teacher, here.lab)
            if all(tile.picture for tile in state.tiles):
                break
        assert all(tile.picture for tile in state.tiles)
        assert len(sessions._writer.machines) == 0
        # One that is called is seen where it is, and the wall does not count as using it.
        await sessions.batch(here.people[0].principal, here.machines[0], items("alloc_pages(GFP_KERNEL, 9)"))
        await sessions.batch(here.people[1].principal, here.machines[1], items("alloc_pages(GFP_KERNEL, 9)"))
        state = await labs.wall.state(here.teacher, here.lab)
        assert tile(state, 1).picture != tile(state, 5).picture
        assert [live.id for live in sessions._writer.machines] == [here.machines[1], here.machines[0]]


async def test_a_machine_that_cannot_be_looked_at_spoils_nothing(door: Door) -> None:
    sessions, _, here = door

    def broken(machine: Any) -> None:
        raise RuntimeError("broken")

    await sessions.batch(here.people[1].principal, here.machines[1], items("alloc_page(GFP_KERNEL)"))
    assert await sessions.peek([here.machines[1], "nowhere"], broken) == {}
    assert len(sessions._writer.machines) > 0
    seen = await sessions.peek([here.machines[1]], board.picture)
    assert list(seen) == [here.machines[1]]


# -- over HTTP ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def class_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Hall]]:
    folder = tmp_path_factory.mktemp("walls")
    made = hall(folder, 24)
    with listening(build(folder, lab=True)) as address:
        yield address, made


def instructor(made: Hall) -> httpx2.Client:
    return httpx2.Client(headers={"Authorization": f"Bearer {made.token}"})


def test_the_api_of_the_wall(class_: tuple[str, Hall]) -> None:
    address, made = class_
    api = f"{address}/api/v1/labs/{made.lab}/wall"
    with instructor(made) as client:
        whole = client.get(api).json()
        assert whole["all"]
        assert len(whole["tiles"]) == whole["members"] == 24
        assert whole["states"][3] == "unmovable"
        deadline = time.monotonic() + PATIENCE
        while any("map" not in tile for tile in whole["tiles"] if "session" in tile):
            assert time.monotonic() < deadline
            time.sleep(0.2)
            whole = client.get(api).json()
        call = client.post(
            f"{address}/api/v1/sessions/{made.machines[2]}/calls",
            content="alloc_page(GFP_KERNEL)",
            headers={"Content-Type": "text/plain"},
        )
        assert call.status_code == 201
        time.sleep(1.1)
        news = client.get(api, params={"after": whole["version"]}).json()
        assert [(tile["number"], tile["call"]) for tile in news["tiles"]] == [(3, "alloc_page(GFP_KERNEL)")]
        assert not news["all"]
        assert client.get(api, params={"after": "41"}).status_code == 422
        member = httpx2.get(api, headers={"Authorization": f"Bearer {made.tokens[0]}"})
        assert member.status_code == 403


def test_the_page_without_script(class_: tuple[str, Hall]) -> None:
    address, made = class_
    page = f"{address}/labs/{made.lab}/wall"
    with instructor(made) as client:
        for sort in ("number", "nickname", "last", "seq", "progress", "trouble"):
            for query in (f"sort={sort}", f"sort=-{sort}", f"sort={sort}&as=table", f"sort=-{sort}&as=table"):
                assert client.get(f"{page}?{query}").status_code == 200
        trouble = client.get(f"{page}?sort=trouble").text
        tiles = trouble.split('data-trouble="')[1:]
        assert [tile[0] for tile in tiles[:-1]] == sorted((tile[0] for tile in tiles[:-1]), reverse=True)
        assert client.get(f"{page}?sort=nonsense&as=what").status_code == 200
        frozen = client.post(f"{page}/freeze", data={"frozen": "on", "here": "sort=seq&as=table"})
        assert frozen.status_code == 303
        assert frozen.headers["location"] == f"/labs/{made.lab}/wall?sort=seq&as=table"
        assert client.get(f"{address}/api/v1/labs/{made.lab}/wall").json()["frozen"]
        assert client.post(f"{page}/freeze", data={"frozen": "off"}).status_code == 303
        assert not client.get(f"{address}/api/v1/labs/{made.lab}/wall").json()["frozen"]
        assert client.get(f"{address}/labs/nowhere/wall").status_code == 404


def test_a_refresh_of_a_whole_class_is_small() -> None:
    """300 tiles of which all have changed: what a minute of it takes, as it goes over the wire."""
    texts = (
        "alloc_page(GFP_KERNEL)",
        "kmalloc({}, GFP_KERNEL)",
        "alloc_pages(GFP_KERNEL, {})",
        "vmalloc({}K)",
    )
    before = board.after(
        board.first(whole := board.ClassSummary("lab", False, False, None, 300, 300)), whole, []
    )

    def tiles(turn: int) -> list[Tile]:
        made = []
        for number in range(1, 301):
            call = texts[number * 7 % 4].format(number * 37 % 3000)
            cells = "2" * 16 + "3" * (number * 13 % 29) + "8" * (number * 5 % 11) + "w"
            made.append(
                Tile(
                    number,
                    f"nickname {number}",
                    "",
                    f"session{number:016}",
                    turn + number,
                    1,
                    board.LastCall(turn + number, f"2026-11-26T11:52:{turn:02}.{number:03}Z", call, "ok"),
                    board.Picture(cells.ljust(64, "0")[:64], number % 100 + turn / 10),
                )
            )
        return made

    state = board.after(before, whole, tiles(1))
    later = board.after(state, whole, tiles(2))
    body = encoded(later, state.version)
    assert len(json.loads(body)["tiles"]) == 300
    minute = (len(gzip.compress(body, 1)) + 700) * 20
    assert minute < 300_000
