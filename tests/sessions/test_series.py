"""Numbers over time: after each row they are what the machine shows there, and no peak is lost."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.machine import show
from app.machine.machine import Machine
from app.machine.series import INDICES, OF_ZONE
from app.mm.mmzone import MAX_ORDER
from app.sessions import LOCAL, BatchItem, Conflict, NotFound, Principal, SeriesQuery, Sessions, series
from tests.sessions.test_history import doctor
from tests.support.factories import TINY, alloc, free, raw, serving, settings_for
from tests.support.patience import PATIENCE

# The calls fill it, and go on when nothing is left.
FILLED = TINY | {"reclaim": False}

ZONES = ("node0.DMA",)
ALL = [
    *(f"{zone}.{name}" for zone in ZONES for name in OF_ZONE),
    *(f"{zone}.{name}{order}" for zone in ZONES for name in INDICES for order in (0, 3, 9)),
    "slab",
    "vmalloc",
]

Row = dict[str, int]


@pytest.fixture
async def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sessions]:
    """With chunks so small that some rows make several."""
    monkeypatch.setattr(series, "CHUNK", 16)
    monkeypatch.setattr(series, "GRAIN", 4)
    async with serving(settings_for(tmp_path)) as sessions:
        yield sessions


def seen(machine: Machine) -> Row:
    """The numbers as the other views of a machine have them."""
    found: Row = {}
    for zone in show.zones(machine)["zones"]:
        name = f"node{zone['node']}.{zone['name']}"
        found |= {f"{name}.{key}": zone[key] for key in ("free", "min", "low", "high")}
        found[f"{name}.pcp"] = sum(cpu["count"] for cpu in zone["pcp"])
        found |= {f"{name}.order{order}": count for order, count in enumerate(zone["nr_free"])}
        for order in range(MAX_ORDER):
            blocks = sum(count << at for at, count in enumerate(zone["nr_free"]) if at >= order)
            total = sum(count << at for at, count in enumerate(zone["nr_free"]))
            found[f"{name}.unusable{order}"] = (total - blocks) * 1000 // total if total else 1000
            needed = 1000 + total * 1000 // (1 << order)
            found[f"{name}.extfrag{order}"] = (
                -1000 if blocks else 1000 - needed // sum(zone["nr_free"]) if total else 0
            )
    pages = {True: 0, False: 0}
    for slab in machine.slabs.values():
        pages[slab.cache.name.startswith("kmalloc-rcl")] += 1 << slab.order
    found["slab"] = pages[True] + max(0, pages[False] + machine.nodes[0].nr_large_kmalloc)
    found["vmalloc"] = sum(len(area.vm.pages) for area in machine.vmap.busy if area.vm)
    return found


async def rows_of(sessions: Sessions, sid: str) -> dict[int, Row]:
    """The same, row by row."""
    info = await sessions.get(LOCAL, sid)
    return {seq: await sessions.past(LOCAL, sid, seq, seen) for seq in range(info.start, info.seq + 1)}


async def drawn(
    sessions: Sessions, sid: str, names: list[str], points: int = 1000, **rows: int
) -> dict[str, Any]:
    """A series as it is answered."""
    return await sessions.series(LOCAL, sid, SeriesQuery(names, rows.get("first"), rows.get("last"), points))


async def last_of(sessions: Sessions, sid: str) -> dict[int, Row]:
    """Every number after each row, as series have them."""
    found = await drawn(sessions, sid, ALL)
    assert found["width"] == 1
    values = {one["name"]: one["last"] for one in found["series"]}
    assert all(one["min"] == one["max"] == one["last"] for one in found["series"])
    return {seq: {name: values[name][at] for name in ALL} for at, seq in enumerate(found["seqs"])}


def agree(mine: dict[int, Row], theirs: dict[int, Row]) -> bool:
    """Whether all numbers are there, and are the same."""
    return mine == {seq: {name: row[name] for name in ALL} for seq, row in theirs.items()}


def mixed(seed: int, count: int) -> list[BatchItem]:
    """Calls that move every number, and take everything at their end."""
    chance = random.Random(seed)
    found: list[BatchItem] = []
    for number in range(count):
        match chance.randrange(6):
            case 0 | 1:
                found.append(alloc(chance.choice((0, 0, 1, 4)), f"p{number}"))
            case 2:
                found.append(
                    BatchItem("kmalloc", {"size": chance.choice((100, 3000, 20_000)), "flags": "GFP_KERNEL"})
                )
            case 3:
                found.append(BatchItem("vmalloc", {"size": 20_000}, f"v{number}"))
            case 4:
                areas = [item.as_name for item in found if item.call == "vmalloc"]
                found.append(BatchItem("vfree", {"addr": f"${areas[-1]}"}) if areas else alloc())
            case _:
                found.append(
                    BatchItem("sysctl", {"name": "min_free_kbytes", "value": chance.choice(("500", "900"))})
                )
    return [*found, alloc(0, "all", repeat=4000, until="null"), free("$all", start=0, step=2)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_row_has_the_numbers_that_the_machine_has_there(sessions: Sessions, seed: int) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(seed, 18))
    known = await last_of(sessions, sid)
    assert agree(known, await rows_of(sessions, sid))
    # Back and forth, over the border of a chunk, and on from there.
    await sessions.rewind(LOCAL, sid, 17)
    await sessions.undo(LOCAL, sid)
    await sessions.undo(LOCAL, sid)
    await sessions.batch(LOCAL, sid, [alloc(2), alloc(0)])
    await sessions.rewind(LOCAL, sid, 3)
    await sessions.batch(LOCAL, sid, mixed(seed + 10, 12))
    later = await last_of(sessions, sid)
    assert agree(later, await rows_of(sessions, sid))
    assert {seq: later[seq] for seq in known} == known
    assert later[21] == later[17]


async def test_forks_and_imports_have_their_own_rows(sessions: Sessions) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(3, 20))
    await sessions.rewind(LOCAL, sid, 5)
    origin = await last_of(sessions, sid)
    fork = (await sessions.fork(LOCAL, sid, 19)).id
    await sessions.batch(LOCAL, fork, [alloc(3), alloc(1)])
    await sessions.undo(LOCAL, fork)
    own = await last_of(sessions, fork)
    assert list(own) == [19, 20, 21, 22]
    assert own[19] == origin[19]
    assert agree(own, await rows_of(sessions, fork))
    _, parts = await sessions.export(LOCAL, sid)
    copy = await sessions.import_(LOCAL, BytesIO(b"".join([part async for part in parts])))
    assert await last_of(sessions, copy.id) == origin


@pytest.mark.parametrize("points", [1, 2, 3, 7, 20])
async def test_no_peak_is_lost_between_points(sessions: Sessions, points: int) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(4, 60))
    rows = await last_of(sessions, sid)
    for first, last in ((0, 62), (5, 62), (17, 41), (30, 30)):
        found = await drawn(sessions, sid, ALL, points, first=first, last=last)
        assert len(found["seqs"]) <= points
        assert found["seqs"][0] == first
        width = found["width"]
        assert width & (width - 1) == 0
        assert all(seq % width == 0 for seq in found["seqs"][1:])
        ends = [*found["seqs"][1:], last + 1]
        for one in found["series"]:
            for at, (begin, end) in enumerate(zip(found["seqs"], ends, strict=True)):
                values = [rows[seq][one["name"]] for seq in range(begin, end)]
                assert (one["min"][at], one["max"][at], one["last"][at]) == (
                    min(values),
                    max(values),
                    values[-1],
                )


async def test_what_is_not_in_memory_any_more_is_made_again(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(5, 60))
    whole = await drawn(sessions, sid, ALL, 9)
    monkeypatch.setattr(series, "MOST_BYTES", 1)
    assert await drawn(sessions, sid, ALL, 9) == whole
    assert len(sessions._series._kept) == 1
    assert await drawn(sessions, sid, ALL, 9) == whole
    await sessions.delete(LOCAL, sid)
    assert (sessions._series._kept, sessions._series._size) == ({}, 0)


async def test_rows_are_replayed_once(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(6, 40))
    await drawn(sessions, sid, ["slab"])
    taken: list[int] = []
    sound = series.Sampling.go_to

    def go_to(self: series.Sampling, last: int) -> None:
        taken.append(self.first)
        sound(self, last)

    monkeypatch.setattr(series.Sampling, "go_to", go_to)
    await drawn(sessions, sid, ALL)
    assert taken == []
    made = await sessions.apply(LOCAL, sid, "alloc_pages", {"gfp": "GFP_KERNEL", "order": 0})
    await drawn(sessions, sid, ALL)
    assert taken == [made.seq]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (SeriesQuery(["node0.DMA.frei"], None, None, 5), "names"),
        (SeriesQuery(["node1.DMA.free"], None, None, 5), "names"),
        (SeriesQuery(["node0.DMA.unusable11"], None, None, 5), "names"),
        (SeriesQuery(["slab", "slab"], None, None, 5), "names"),
        (SeriesQuery([""], None, None, 5), "names"),
        (SeriesQuery(None, 3, None, 5), "from"),
        (SeriesQuery(None, 1, 3, 5), "to"),
        (SeriesQuery(None, 2, 1, 5), "to"),
    ],
)
async def test_what_cannot_be_drawn_is_named(sessions: Sessions, query: SeriesQuery, field: str) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, [alloc(), alloc()])
    with pytest.raises(BadArgument) as refused:
        await sessions.series(LOCAL, sid, query)
    assert [fault.loc for fault in refused.value.faults] == [(field,)]


async def test_nobody_else_sees_them(sessions: Sessions) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    with pytest.raises(NotFound):
        await sessions.series(Principal("other"), sid, SeriesQuery(None, None, None, 5))


async def test_a_journal_is_followed_as_far_as_it_can_be(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", FILLED)).id
        await sessions.batch(LOCAL, sid, [alloc(order) for order in range(6)])
        whole = await last_of(sessions, sid)
    doctor(settings, sid, 4)
    async with serving(settings) as sessions:
        with pytest.raises(Conflict, match="diverged at seq 4"):
            await drawn(sessions, sid, ALL)
        with pytest.raises(Conflict, match="diverged at seq 4"):
            await drawn(sessions, sid, ALL, last=4)
        found = await drawn(sessions, sid, ALL, last=3)
        for one in found["series"]:
            assert one["last"] == [whole[seq][one["name"]] for seq in range(4)]


async def test_who_asks_meanwhile_is_given_the_same_rows(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sid = (await sessions.create(LOCAL, "s", FILLED)).id
    await sessions.batch(LOCAL, sid, mixed(7, 40))
    with raw(settings_for(tmp_path)) as db:
        db.execute("INSERT INTO access VALUES (?, ?, ?)", (sid, "member", "watcher"))
    taken: list[int] = []
    reached, gate = threading.Event(), threading.Event()
    sound = series.Sampling.go_to

    def go_to(self: series.Sampling, last: int) -> None:
        taken.append(self.first)
        reached.set()
        gate.wait(PATIENCE)
        sound(self, last)

    waits = threading.Event()
    one_chunk = series.SeriesOfSessions._chunk

    def chunk(self: series.SeriesOfSessions, *args: Any) -> Any:
        found = one_chunk(self, *args)
        if isinstance(found, Future):
            waits.set()
        return found

    monkeypatch.setattr(series.Sampling, "go_to", go_to)
    monkeypatch.setattr(series.SeriesOfSessions, "_chunk", chunk)
    query = SeriesQuery(ALL, None, None, 1000)
    first = asyncio.ensure_future(sessions.series(LOCAL, sid, query))
    assert await asyncio.to_thread(reached.wait, PATIENCE)
    second = asyncio.ensure_future(sessions.series(Principal("member"), sid, query))
    assert await asyncio.to_thread(waits.wait, PATIENCE)
    gate.set()
    assert await first == await second
    assert taken == [0, 16, 32]
