"""Bounds in bytes and work: of a call's arguments, an outcome, a batch, a session and a member."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.errors import BadArgument
from app.sessions import (
    LOCAL,
    BatchItem,
    Principal,
    Sessions,
    TooMany,
    bounds,
    call_cost,
    snapshots,
    verifying,
)
from app.sessions import writer as writer_module
from app.sessions.encoding import LONGEST_LIST
from app.sessions.errors import LimitReached
from app.settings import Settings
from tests.support.factories import TINY, alloc, raw, serving, settings_for

BIG = {"profile": "x86_64-1g"}
MEMBER = Principal("m_somebody", "m1", None)


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


def fill(repeat: int, name: str = "fill") -> BatchItem:
    return BatchItem("alloc_page", {"gfp": "GFP_KERNEL", "repeat": repeat}, name)


def freed(page: Any, **more: Any) -> BatchItem:
    return BatchItem("__free_pages", {"page": page, "order": 0, **more})


async def scattered(sessions: Sessions, sid: str, blocks: int = 4_000) -> dict[str, Any]:
    """A list of single frames of which no two are neighbours; its outcome."""
    made = await sessions.batch(
        LOCAL, sid, [fill(2 * blocks, "all"), freed("$all", step=2), fill(blocks, "scattered")]
    )
    return made[-1].outcome


async def exported(sessions: Sessions, sid: str) -> bytes:
    _, parts = await sessions.export(LOCAL, sid)
    return b"".join([part async for part in parts])


# -- arguments -----------------------------------------------------------------------------------------------


async def test_arguments_of_one_call_are_short(sessions: Sessions, sid: str) -> None:
    pages = [[pfn, 1] for pfn in range(20_000, 40_000, 2)]
    assert len(json.dumps(pages)) > bounds.ARGUMENTS
    with pytest.raises(BadArgument, match="at most 65536 bytes"):
        await sessions.apply(LOCAL, sid, "__free_pages", {"page": pages, "order": 0})
    with pytest.raises(BadArgument, match="at most 65536 bytes") as found:
        await sessions.batch(LOCAL, sid, [alloc(), freed(pages)])
    assert found.value.faults[0].loc == ("calls", 1)
    assert (await sessions.get(LOCAL, sid)).seq == 0
    made = await sessions.apply(LOCAL, sid, "__free_pages", {"page": pages[:4_000], "order": 0})
    assert made.outcome["ret"] is None  # nobody has them: the kernel's matter


@pytest.mark.parametrize(
    "body",
    [
        {"gfp": "G" * 100_000, "order": 0},
        {"gfp": "GFP_KERNEL", "order": 0, **{f"x{n}": 1 for n in range(20_000)}},
        {"gfp": "GFP_KERNEL", "order": [[1] * 50_000]},
        {"gfp": {"a": {"b": ["c" * 80_000]}}, "order": 0},
    ],
    ids=["text", "members", "list", "nested"],
)
async def test_whatever_is_long_is_refused(sessions: Sessions, sid: str, body: dict[str, Any]) -> None:
    with pytest.raises(BadArgument, match="at most 65536 bytes"):
        await sessions.apply(LOCAL, sid, "alloc_pages", body)


@pytest.mark.parametrize(
    "value",
    [[[1, 2]] * 5_000, {"a": "b" * 9_000}, "x" * 9_000, [1 << 50] * 2_000, None, 7],
    ids=["lists", "object", "text", "numbers", "null", "number"],
)
def test_counting_stops_where_it_is_too_long(value: Any) -> None:
    whole = len(json.dumps(value, separators=(",", ":")))
    assert bounds.size_of(value, 1 << 30) <= whole + 4
    assert (bounds.size_of(value, 100) > 100) == (whole > 100)


def test_a_list_of_a_hundred_thousand_blocks_is_not_expanded_when_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.machine import boot, parsing  # noqa: PLC0415

    m = boot.boot(BIG)
    monkeypatch.setattr("app.machine.runs.each", lambda _: pytest.fail("one by one"))
    call = parsing.parse("__free_pages", {"page": [[16, 100_000]], "order": 0, "step": 2}, m.model)
    assert call.args["page"] == ((16, 50_000, 2),)


# -- lists in outcomes ---------------------------------------------------------------------------------------


async def test_a_long_list_is_counted_and_kept_beside_its_row(sessions: Sessions, sid: str) -> None:
    outcome = await scattered(sessions, sid)
    assert outcome["ret"] == 4_000
    assert outcome["runs"] is None
    assert outcome["runs_count"] == 4_000
    assert outcome["changed"] is None
    assert outcome["changed_count"] > 256
    runs = await sessions.event_list(LOCAL, sid, outcome["seq"], "runs")
    assert len(runs) == 4_000
    assert all(blocks == 1 for _, blocks in runs)
    changed = await sessions.event_list(LOCAL, sid, outcome["seq"], "changed")
    assert len(changed) == outcome["changed_count"]
    taken = {
        pfn for pfn, frames, state in changed if state == "unmovable" for pfn in range(pfn, pfn + frames)
    }
    assert taken == {pfn for pfn, _ in runs}


@pytest.mark.slow
async def test_no_row_is_long_whatever_it_touched(sessions: Sessions, sid: str) -> None:
    made = await sessions.batch(
        LOCAL,
        sid,
        [
            fill(100_000),
            freed("$fill", step=2),
            fill(40_000, "holes"),
            freed("$fill"),  # half of them are free already, and the kernel stops at the first
            BatchItem("vmalloc", {"size": 32 << 20}),
            BatchItem("kmalloc", {"size": 64, "flags": "GFP_KERNEL", "repeat": 50_000}, "objects"),
            BatchItem("kfree", {"addr": "$objects", "step": 3}),
        ],
    )
    assert max(len(one.body) for one in made) < 8 * LONGEST_LIST
    assert sum(len(one.body) for one in made) < 100_000
    area = made[4].outcome
    assert area["area"]["pfns"] is None
    assert len(await sessions.event_list(LOCAL, sid, area["seq"], "pfns")) == 8_192
    assert area["area"]["pfns_count"] == area["area"]["nr_pages"] == 8_192


async def test_a_long_log_is_counted_too(sessions: Sessions, sid: str) -> None:
    nowhere = [["0xffffc90004800000", 2_000, 4_096]]
    report = (await sessions.apply(LOCAL, sid, "vfree", {"addr": nowhere})).outcome
    assert report["log"] is None
    log = await sessions.event_list(LOCAL, sid, report["seq"], "log")
    assert len(log) == report["log_count"] > 100


async def test_freeing_a_list_is_journalled_as_a_reference(sessions: Sessions, sid: str) -> None:
    outcome = await scattered(sessions, sid)
    made = await sessions.apply(
        LOCAL, sid, "__free_pages", {"page": "$scattered", "order": 0, "start": 1, "step": 3}
    )
    args = made.outcome["args"]
    assert args["page"] == {"seq": outcome["seq"]}
    assert (args["start"], args["step"], args["count"]) == (1, 3, 1_333)
    assert made.outcome["ret"] == 1_333
    assert len(made.body) < 1_000
    again = await sessions.apply(
        LOCAL, sid, "__free_pages", {"page": {"seq": outcome["seq"]}, "order": 0, "start": 0, "step": 3}
    )
    assert again.outcome["ret"] == 1_334
    with pytest.raises(BadArgument, match="row 2 of this session has returned no list"):
        await sessions.apply(LOCAL, sid, "__free_pages", {"page": {"seq": 2}, "order": 0})
    with pytest.raises(BadArgument, match="one at a time"):
        await sessions.apply(LOCAL, sid, "get_page", {"page": {"seq": 1}})


@pytest.mark.slow
async def test_references_lead_to_the_same_state_everywhere(settings: Settings) -> None:
    """After a restart, in a fork, in a fork of the fork, in imports of all; and each can be verified."""
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", BIG)).id
        await scattered(sessions, sid)
        await sessions.batch(LOCAL, sid, [freed("$scattered", step=2), fill(500, "more")])
        await sessions.rewind(LOCAL, sid, 3)
        await sessions.apply(LOCAL, sid, "__free_pages", {"page": "$scattered", "order": 0, "count": 10})
        before = await sessions.dump(LOCAL, sid)
    with raw(settings) as db:
        db.execute("DELETE FROM snapshots WHERE NOT keep")
    async with serving(settings) as sessions:
        assert await sessions.dump(LOCAL, sid) == before
        fork = (await sessions.fork(LOCAL, sid)).id
        await sessions.delete(LOCAL, sid)
        await sessions.apply(LOCAL, fork, "__free_pages", {"page": "$all", "order": 0, "start": 1, "step": 2})
        second = (await sessions.fork(LOCAL, fork)).id
        await sessions.batch(LOCAL, second, [freed("$scattered", start=10), fill(300, "new"), freed("$new")])
        for one in (fork, second):
            file = await exported(sessions, one)
            assert len(file) < 600_000
            imported = (await sessions.import_(LOCAL, io.BytesIO(file))).id
            assert await sessions.dump(LOCAL, imported) == await sessions.dump(LOCAL, one)
            await sessions.apply(LOCAL, imported, "__free_pages", {"page": "$all", "order": 0, "count": 1})
            assert verifying.verify(sessions._store, one, lambda *_: None).faults == []
            assert verifying.verify(sessions._store, imported, lambda *_: None).faults == []


async def test_lists_go_with_the_last_session_that_has_them(sessions: Sessions, sid: str) -> None:
    await scattered(sessions, sid)
    fork = (await sessions.fork(LOCAL, sid)).id

    def lists() -> int:
        with raw(sessions._settings) as db:
            return int(db.execute("SELECT count(*) FROM lists").fetchone()[0])

    assert lists() == 2
    await sessions.delete(LOCAL, sid)
    assert lists() == 2
    await sessions.delete(LOCAL, fork)
    async with asyncio.timeout(20):
        while lists():  # noqa: ASYNC110 - a database is looked at
            await asyncio.sleep(0.02)


async def test_an_export_of_an_older_kmemlab_has_its_lists_inline(sessions: Sessions, sid: str) -> None:
    """Rows with a list of any length, and calls that free one written out, are made again as they are."""
    outcome = await scattered(sessions, sid)
    runs = await sessions.event_list(LOCAL, sid, outcome["seq"], "runs")
    await sessions.apply(LOCAL, sid, "__free_pages", {"page": "$scattered", "order": 0, "step": 2})
    lines = [json.loads(line) for line in (await exported(sessions, sid)).splitlines()]
    old = [lines[0]]
    for line in lines[1:5]:
        made = dict(line["outcome"])
        for key in [key for key in made if key.endswith("_count")]:
            del made[key]
        if made["seq"] == 3:
            made["runs"] = runs
        if made["call"] == "__free_pages":
            args = made["args"]
            of = {1: [[pfn, blocks, 1] for pfn, blocks in lines[1]["outcome"]["runs"]], 3: runs}
            pages = [pfn for pfn, blocks, *_ in of[args["page"]["seq"]] for pfn in range(pfn, pfn + blocks)]
            args = {key: value for key, value in args.items() if key not in ("start", "step", "count")}
            made["args"] = {**args, "page": [[pfn, 1, 1] for pfn in pages[::2]]}
        old.append({**line, "outcome": made})
    body = b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in old)
    from hashlib import sha256  # noqa: PLC0415

    end = {"rows": 4, "names": 0, "sha256": sha256(body).hexdigest()}
    file = body + json.dumps(end).encode() + b"\n"
    assert len(file) > 40_000
    imported = (await sessions.import_(LOCAL, io.BytesIO(file))).id
    assert await sessions.dump(LOCAL, imported) == await sessions.dump(LOCAL, sid)
    stored = (await sessions.event(LOCAL, imported, 3)).outcome
    assert stored["runs"] is None


# -- batches -------------------------------------------------------------------------------------------------


async def test_a_batch_may_ask_for_so_much(sessions: Sessions, sid: str) -> None:
    items = [freed([[16, 100_000]])] * 150
    with pytest.raises(BadArgument, match="the calls of one batch may ask for") as found:
        await sessions.batch(LOCAL, sid, items)
    assert found.value.faults[0].loc == ("calls", bounds.BATCH_WORK // 100_000)
    with pytest.raises(BadArgument, match="no such call"):
        await sessions.batch(LOCAL, sid, [*items[:10], BatchItem("nonsense", {})])
    assert (await sessions.get(LOCAL, sid)).seq == 0


async def test_a_batch_may_make_rows_of_so_many_bytes(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "BATCH_BYTES", 20_000)
    with pytest.raises(LimitReached, match=r"calls\.\d+: the outcomes of one batch"):
        await sessions.batch(LOCAL, sid, [alloc()] * 100)
    assert (await sessions.get(LOCAL, sid)).seq == 0
    assert (await sessions.batch(LOCAL, sid, [alloc()] * 10))[-1].seq == 10


async def test_faults_are_collected_only_so_far(sessions: Sessions, sid: str) -> None:
    with pytest.raises(BadArgument) as found:
        await sessions.batch(LOCAL, sid, [BatchItem("nonsense", {})] * 5_000)
    assert len(found.value.faults) <= 20


# -- sessions and members ------------------------------------------------------------------------------------


async def test_a_session_is_full_at_some_time(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, session_bytes=20_000)
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", TINY)).id
        await sessions.batch(LOCAL, sid, [alloc()] * 100)
        with pytest.raises(LimitReached, match="the journal of this session takes"):
            await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})
        assert (await sessions.undo(LOCAL, sid)).seq == 101
        fork = (await sessions.fork(LOCAL, sid)).id
        assert (await sessions.apply(LOCAL, fork, "alloc_page", {"gfp": "GFP_KERNEL"})).seq == 102
    async with serving(settings) as sessions:  # counted in the database
        with pytest.raises(LimitReached, match="KiB is the limit"):
            await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})


async def test_all_sessions_of_a_member_are_counted_together(tmp_path: Path) -> None:
    settings = settings_for(tmp_path, member_bytes=30_000)
    async with serving(settings) as sessions:
        first = (await sessions.create(MEMBER, "s", TINY)).id
        second = (await sessions.create(MEMBER, "s", TINY)).id
        await sessions.batch(MEMBER, first, [alloc()] * 100)
        with pytest.raises(LimitReached, match="all sessions of one member"):
            await sessions.apply(MEMBER, second, "alloc_page", {"gfp": "GFP_KERNEL"})
        with pytest.raises(LimitReached, match="all sessions of one member"):
            await sessions.create(MEMBER, "s", TINY)
        await sessions.delete(MEMBER, first)
        assert (await sessions.apply(MEMBER, second, "alloc_page", {"gfp": "GFP_KERNEL"})).seq == 1


async def test_bytes_are_those_of_the_rows(sessions: Sessions, sid: str) -> None:
    await scattered(sessions, sid)
    await sessions.apply(LOCAL, sid, "drain_all_pages", {})
    with raw(sessions._settings) as db:
        (rows,) = db.execute("SELECT sum(length(args) + length(outcome)) FROM journal").fetchone()
        (lists,) = db.execute("SELECT sum(length(body)) FROM lists").fetchone()
        (states,) = db.execute("SELECT coalesce(sum(length(body)), 0) FROM states").fetchone()
        (counted,) = db.execute("SELECT bytes FROM sessions").fetchone()
    assert rows + lists <= counted <= rows + lists + states


# -- heavy work ----------------------------------------------------------------------------------------------


def machine() -> Any:
    from app.machine import boot  # noqa: PLC0415

    return boot.boot({"profile": "x86_64-8g"})


def applied(m: Any, call: str, seq: int, **body: Any) -> Any:
    from app.machine import parsing  # noqa: PLC0415

    return m.apply(parsing.parse(call, body, m.model), seq)


def judged(m: Any, call: str, **body: Any) -> bool:
    from app.machine import parsing  # noqa: PLC0415

    return call_cost.heavy(parsing.parse(call, body, m.model), {}, m, set())


def test_what_a_machine_holds_makes_a_light_call_heavy() -> None:
    m = machine()
    assert not judged(m, "drain_all_pages")
    m.zones[-1].pcp[0].count = 600 << 9
    assert judged(m, "drain_all_pages")
    m = machine()
    applied(m, "insmod", 1, name="small", size=4096)
    applied(m, "insmod", 2, name="large", size=64 << 20)
    assert not judged(m, "rmmod", name="small")
    assert judged(m, "rmmod", name="large")
    assert not judged(m, "rmmod", name="none")


async def test_a_call_that_took_long_is_made_elsewhere_the_next_time(
    sessions: Sessions, sid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.sessions import live  # noqa: PLC0415

    threads: list[str] = []
    drain = writer_module.Writer._start_heavy

    def lift(self: Any, begun: Any, progress: Any) -> None:
        threads.append(progress.item.call)
        drain(self, begun, progress)

    monkeypatch.setattr(writer_module.Writer, "_start_heavy", lift)
    monkeypatch.setattr(live, "SLOW_SECONDS", -1.0)
    await sessions.apply(LOCAL, sid, "drain_all_pages", {})
    assert threads == []
    monkeypatch.setattr(live, "SLOW_SECONDS", 10.0)
    monkeypatch.setattr(live, "QUICK_SECONDS", 10.0)
    await sessions.apply(LOCAL, sid, "drain_all_pages", {})
    assert threads == ["drain_all_pages"]
    await sessions.apply(LOCAL, sid, "drain_all_pages", {})  # it was quick there
    assert threads == ["drain_all_pages"]


async def test_a_member_has_three_long_batches_at_a_time(tmp_path: Path) -> None:
    member = Principal("m_somebody", "m1", "lab")
    async with serving(settings_for(tmp_path)) as sessions:
        made = [(await sessions.create(LOCAL, "s", BIG)).id for _ in range(5)]
        with raw(sessions._settings) as db:
            db.execute("INSERT INTO access SELECT id, 'm_somebody', 'owner' FROM sessions")
        work = [asyncio.ensure_future(sessions.batch(member, sid, [fill(30_000)])) for sid in made]
        done = await asyncio.gather(*work, return_exceptions=True)
        assert sum(isinstance(one, TooMany) for one in done) == 2
        assert sum(isinstance(one, list) for one in done) == 3
        assert (await sessions.batch(member, made[-1], [fill(30_000)]))[0].seq == 1


async def test_a_batch_whose_client_has_gone_is_given_up(sessions: Sessions, sid: str) -> None:
    other = (await sessions.create(LOCAL, "other", TINY)).id
    work = asyncio.ensure_future(
        sessions.batch(LOCAL, sid, [BatchItem("alloc_page", {"gfp": "GFP_KERNEL", "repeat": 99_000})] * 2)
    )
    await asyncio.sleep(0.1)
    await sessions.apply(LOCAL, other, "drain_all_pages", {})
    work.cancel()
    began = time.monotonic()
    made = await sessions.apply(LOCAL, sid, "alloc_page", {"gfp": "GFP_KERNEL"})
    assert made.seq == 1
    assert time.monotonic() - began < 20


@pytest.mark.slow
async def test_states_are_kept_by_what_replaying_costs(settings: Settings) -> None:
    """A few rows that take seconds leave states behind, so opening the session does not take as long."""
    async with serving(settings) as sessions:
        sid = (await sessions.create(LOCAL, "s", BIG)).id
        for _ in range(3):
            await sessions.batch(LOCAL, sid, [fill(60_000), freed("$fill")])
        async with asyncio.timeout(20):
            while True:
                with raw(settings) as db:
                    seqs = [seq for (seq,) in db.execute("SELECT seq FROM snapshots ORDER BY seq")]
                if seqs:
                    break
                await asyncio.sleep(0.02)
    assert snapshots.due(1_000_000, 1_000)
    assert not snapshots.due(10_000, 1_000)
    assert not snapshots.due(100_000, 200_000)


# -- what an attacker has found ------------------------------------------------------------------------------


async def test_a_fork_with_thousands_of_lists_is_a_few_statements(sessions: Sessions, sid: str) -> None:
    items = [
        BatchItem("alloc_page", {"gfp": "GFP_KERNEL", "repeat": 1}, f"n{number}") for number in range(3_000)
    ]
    await sessions.batch(LOCAL, sid, items)
    statements = 0

    def count(*_: Any) -> None:
        nonlocal statements
        statements += 1

    from sqlalchemy import event  # noqa: PLC0415

    engine = sessions._store._engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        fork = (await sessions.fork(LOCAL, sid)).id
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert statements < 200
    made = await sessions.apply(LOCAL, fork, "__free_pages", {"page": "$n2999", "order": 0})
    assert made.outcome["ret"] == 1
    for one in (sid, fork):
        await sessions.delete(LOCAL, one)
    async with asyncio.timeout(20):
        while True:
            with raw(sessions._settings) as db:
                left = [
                    db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("lists", "sessions")
                ]
            if left == [0, 0]:
                break
            await asyncio.sleep(0.02)


async def test_a_list_given_by_its_row_counts_as_its_length(sessions: Sessions, sid: str) -> None:
    await sessions.batch(LOCAL, sid, [fill(100_000)])
    items = [freed({"seq": 1})] * (bounds.BATCH_WORK // 100_000 + 1)
    with pytest.raises(LimitReached, match="the calls of one batch may touch"):
        await sessions.batch(LOCAL, sid, items)
    assert (await sessions.get(LOCAL, sid)).seq == 1


async def test_what_a_fork_shares_counts_for_it_too(sessions: Sessions, sid: str) -> None:
    await scattered(sessions, sid)
    fork = (await sessions.fork(LOCAL, sid)).id
    with raw(sessions._settings) as db:
        (counted,) = db.execute("SELECT bytes FROM sessions WHERE id = ?", (fork,)).fetchone()
        (lists,) = db.execute("SELECT sum(length(body)) FROM lists").fetchone()
    assert counted >= lists


async def test_names_with_runs_of_an_older_export_become_lists(sessions: Sessions, sid: str) -> None:
    await sessions.batch(LOCAL, sid, [fill(500, "f")])
    lines = (await exported(sessions, sid)).splitlines(keepends=True)
    named = {"kind": "pages", "pfn": None, "addr": None, "order": 0, "runs": [[18_432, 500]], "stride": 0}
    old = [*lines[:2], json.dumps({"name": "f", "named": named}).encode() + b"\n"]
    from hashlib import sha256  # noqa: PLC0415

    end = {"rows": 1, "names": 1, "sha256": sha256(b"".join(old)).hexdigest()}
    imported = (await sessions.import_(LOCAL, io.BytesIO(b"".join([*old, json.dumps(end).encode()])))).id
    made = await sessions.apply(LOCAL, imported, "__free_pages", {"page": "$f", "order": 0, "step": 2})
    assert made.outcome["args"]["page"] == {"seq": 0}
    assert made.outcome["ret"] == 250
