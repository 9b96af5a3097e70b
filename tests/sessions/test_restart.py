"""The journal is the truth: machines come back from it, equal, in any process and from any kept state."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.machine import machine as mm_machine
from app.machine.outcome import Outcome
from app.sessions import LOCAL, BatchItem, Conflict, Sessions, snapshotter
from app.sessions import snapshots as rule
from app.settings import Settings
from tests.support.factories import TINY, alloc, free, raw, seqs, serving, settings_for
from tests.support.patience import PATIENCE

WORK = 10
# After so many rows a state is due, and worth it when the machine is closed.
ROWS = rule.LEAST_ROWS // WORK
WORTH = rule.ROWS_WORTH // WORK


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_for(tmp_path)


@pytest.fixture(autouse=True)
def states_by_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are kept after so many rows, whatever they have done (test_bounds: by that)."""
    monkeypatch.setattr(Outcome, "work", WORK)


def chance(seed: int, calls: int) -> list[BatchItem]:
    """Calls of all kinds, drawn with a seed."""
    draw = random.Random(seed)
    items: list[BatchItem] = []
    held: list[tuple[str, int]] = []
    for number in range(calls):
        kind = draw.randrange(10)
        if kind < 5 or not held:
            order = draw.choice((0, 0, 0, 1, 2, 3))
            gfp = draw.choice(("GFP_KERNEL", "GFP_ATOMIC", "GFP_USER", "__GFP_WAIT|__GFP_IO"))
            items.append(BatchItem("alloc_pages", {"gfp": gfp, "order": order}, f"p{number}"))
            held.append((f"p{number}", order))
        elif kind < 8:
            name, order = held.pop(draw.randrange(len(held)))
            items.append(free(f"${name}", order))
        else:
            name, _ = draw.choice(held)
            call = draw.choice(("get_page", "put_page", "trylock_page", "unlock_page", "page_count"))
            items.append(BatchItem(call, {"page": f"${name}"}))
    return items


async def filled(sessions: Sessions, calls: int, seed: int = 1) -> str:
    sid = (await sessions.create(LOCAL, "s", TINY)).id
    await sessions.batch(LOCAL, sid, chance(seed, calls))
    return sid


def kept(settings: Settings, sid: str) -> list[int]:
    """Seqs of a session of which the state is kept."""
    with raw(settings) as db:
        return [
            seq
            for (seq,) in db.execute("SELECT seq FROM snapshots WHERE session_id = ? ORDER BY seq", (sid,))
        ]


@pytest.mark.parametrize("calls", [50, 1500], ids=["replayed", "from a state"])
async def test_a_restart_rebuilds_an_equal_machine(settings: Settings, calls: int) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, calls)
        before = await sessions.dump(LOCAL, sid)
        live = await sessions.read(LOCAL, sid, mm_machine.Machine.dump)
        info = await sessions.get(LOCAL, sid)
        names = await sessions.names(LOCAL, sid)
    assert live == before
    assert bool(kept(settings, sid)) is (calls > WORTH)
    async with serving(settings) as sessions:
        assert await sessions.get(LOCAL, sid) == info
        assert await sessions.dump(LOCAL, sid) == before
        assert await sessions.read(LOCAL, sid, mm_machine.Machine.dump) == before
        assert await sessions.names(LOCAL, sid) == names
        assert await seqs(sessions, sid) == list(range(1, calls + 1))
        assert (await sessions.apply(LOCAL, sid, "drain_all_pages", {})).seq == calls + 1


REPLAY = """
import asyncio, json, sys
from app.sessions import LOCAL, Sessions
from app.settings import Settings
from app.store import Store

async def main():
    settings = Settings(database_url=sys.argv[1])
    sessions = Sessions(settings, Store.of(settings))
    await sessions.start()
    print(json.dumps(await sessions.dump(LOCAL, sys.argv[2])))
    await sessions.stop()

asyncio.run(main())
"""


async def test_another_process_replays_to_an_equal_dump(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 400)
        before = await sessions.dump(LOCAL, sid)
    with raw(settings) as db:
        db.execute("DELETE FROM snapshots")
    for seed in ("1", "2"):
        found = subprocess.run(  # noqa: ASYNC221 - nothing else runs
            [sys.executable, "-c", REPLAY, settings.database_url, sid],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=PATIENCE,
        )
        document = json.loads(found.stdout)
        assert document == before
        # Not only equal: the same bytes, so nothing hangs on the order of a set.
        assert list(document) == list(before)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - a database is looked at
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("small", "place"), [(0, ROWS), (100_000, ROWS + 10)], ids=["rebuilt", "dumped in place"]
)
async def test_states_are_kept_as_a_machine_is_used(
    settings: Settings, small: int, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshotter, "SMALL_BLOCKS", small)
    async with serving(settings) as sessions:
        sid = await filled(sessions, ROWS + 10)
        other = await filled(sessions, 10)
        await until(lambda: kept(settings, sid) == [place])
        before = await sessions.dump(LOCAL, sid)
        assert kept(settings, other) == []
        # Another session with the same calls has the same state: it is stored once.
        third = await filled(sessions, ROWS + 10)
        await until(lambda: kept(settings, third) == [place])
    with raw(settings) as db:
        assert db.execute("SELECT count(*), count(DISTINCT sha256) FROM snapshots").fetchone() == (2, 1)
        assert db.execute("SELECT count(*) FROM states").fetchone() == (1,)
        # The rows before a state are not needed to open the session.
        db.execute(
            "UPDATE journal SET call = 'no longer a call' WHERE session_id = ? AND seq <= ?",
            (sid, ROWS),
        )
    async with serving(settings) as sessions:
        assert await sessions.dump(LOCAL, sid) == before


async def test_machines_leave_and_come_back(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, machines_memory=1)) as sessions:
        sids = [await filled(sessions, WORTH + 10, seed) for seed in range(3)]
        dumps = [await sessions.dump(LOCAL, sid) for sid in sids]
        for _ in range(2):
            for sid, dump in zip(sids, dumps, strict=True):
                assert await sessions.read(LOCAL, sid, mm_machine.Machine.dump) == dump
                assert len(sessions._writer.machines) == 1
        assert [kept(settings_for(tmp_path), sid) for sid in sids[:2]] == [[WORTH + 10]] * 2


async def test_a_torn_state_costs_only_time(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 300)
        before = await sessions.dump(LOCAL, sid)
    assert kept(settings, sid) == [300]
    with raw(settings) as db:
        db.execute("UPDATE states SET body = ?", (b"\0",))
    async with serving(settings) as sessions:
        assert await sessions.dump(LOCAL, sid) == before
    assert "replaying from an earlier state" in caplog.text


async def test_dump_born_sessions_come_back(settings: Settings) -> None:
    async with serving(settings) as sessions:
        first = await filled(sessions, 100)
        born = (await sessions.create(LOCAL, None, {"dump": await sessions.dump(LOCAL, first)})).id
        await sessions.batch(LOCAL, born, [alloc(1)] * 20)
        before = await sessions.dump(LOCAL, born)
    async with serving(settings) as sessions:
        await sessions.delete(LOCAL, first)
        assert await sessions.dump(LOCAL, born) == before


class NewerEngine:
    """Answers one call otherwise than it used to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seq: int, **changes: Any) -> None:
        sound = mm_machine.Machine.apply

        def apply(machine: mm_machine.Machine, call: Any, at: int) -> Outcome:
            outcome = sound(machine, call, at)
            if at == seq:
                for name, value in changes.items():
                    setattr(outcome, name, value)
            return outcome

        monkeypatch.setattr(mm_machine.Machine, "apply", apply)


@pytest.mark.parametrize("changes", [{"ret": "0x1"}, {"verdict": "warn"}], ids=["ret", "verdict"])
async def test_a_differing_engine_leaves_the_session_readable(
    settings: Settings, changes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 19)
        at_19 = await sessions.dump(LOCAL, sid)
        other = await filled(sessions, 10)
        await sessions.batch(LOCAL, sid, [alloc(), alloc()])
    NewerEngine(monkeypatch, 20, **changes)
    async with serving(settings) as sessions:
        for _ in range(2):
            with pytest.raises(Conflict, match="diverged at seq 20"):
                await sessions.apply(LOCAL, sid, "drain_all_pages", {})
            with pytest.raises(Conflict, match="diverged at seq 20"):
                await sessions.batch(LOCAL, sid, [alloc()])
        # Readable as it was when it last agreed; its journal stays whole, and other sessions do not mind.
        assert await sessions.dump(LOCAL, sid) == at_19
        assert await sessions.read(LOCAL, sid, mm_machine.Machine.dump) == at_19
        assert (await sessions.get(LOCAL, sid)).seq == 21
        assert await seqs(sessions, sid) == list(range(1, 22))
        assert (await sessions.apply(LOCAL, other, "drain_all_pages", {})).seq == 11
    assert kept(settings, sid) == []


async def test_a_row_that_cannot_be_replayed_is_a_divergence(settings: Settings) -> None:
    async with serving(settings) as sessions:
        sid = await filled(sessions, 10)
    with raw(settings) as db:
        db.execute("UPDATE journal SET call = 'no_such_call' WHERE session_id = ? AND seq = 7", (sid,))
    async with serving(settings) as sessions:
        with pytest.raises(Conflict, match="diverged at seq 7: no_such_call fails now"):
            await sessions.apply(LOCAL, sid, "drain_all_pages", {})
