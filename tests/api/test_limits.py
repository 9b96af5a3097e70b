"""Limits: what is refused beyond them, that their table is complete, that little memory only costs time."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.machine import calls, machine
from app.machine.entry import limits
from app.machine.machine import Machine
from app.sessions import LOCAL, Sessions
from app.settings import Settings
from tests.support.factories import TINY, alloc, free, seqs, serving, settings_for
from tests.support.served import BASE, build, client_of, problem

pytest_plugins = ("tests.support.clients",)

PAGE = (Path(__file__).parents[2] / "app" / "api" / "README.md").read_text()

# Settings that limit nothing.
OTHERS = {
    *("database_url", "host", "port", "uds", "public_url", "trusted_proxies", "lab", "demos", "exercises"),
    *("metrics_token", "log"),
    "busy_timeout",
}

KERNEL = {"gfp": "GFP_KERNEL"}


@pytest.mark.parametrize("name", sorted(Settings.model_fields.keys() - OTHERS))
def test_every_limit_is_in_the_table(name: str) -> None:
    default = Settings.model_fields[name].default
    shown = "no limit" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
    rows = [line.split(" | ") for line in PAGE.splitlines() if f"| `KMEMLAB_{name.upper()}` |" in line]
    assert [row[1] for row in rows] == [shown]


def test_the_fixed_limits_are_in_the_table() -> None:
    assert calls.MAX_FRAMES_PER_CALL == 1 << 20
    assert "| page frames of one call | 2^20 |" in PAGE
    assert f"blocks in a list | {calls.MAX_REPEAT} |" in PAGE
    assert f"| live blocks in a session | {limits.MAX_LIVE_BLOCKS} |" in PAGE
    assert f"| files of a machine | {limits.MAX_FILES} |" in PAGE
    assert f"| tasks in a session | {machine.MAX_TASKS} |" in PAGE


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A server with low limits."""
    folder = tmp_path_factory.mktemp("small")
    with client_of(build(folder, sessions_per_owner=2, names_per_person=2, batch_calls=5)) as client:
        yield client


def test_limits_say_what_to_do(small: TestClient) -> None:
    made = [small.post(f"{BASE}/sessions", json={"machine": TINY}) for _ in range(3)]
    assert [answer.status_code for answer in made[:2]] == [201, 201]
    assert "at most 2 sessions; delete one" in problem(made[2], 507)["detail"]
    sid = made[0].json()["id"]
    many = {"calls": [{"call": "drain_all_pages"}] * 6}
    assert "5 calls" in problem(small.post(f"{BASE}/sessions/{sid}/calls", json=many), 422, "calls")["detail"]
    named = {"calls": [{"call": "alloc_page", "as": name, **KERNEL} for name in "abc"]}
    answer = small.post(f"{BASE}/sessions/{sid}/calls", json=named)
    assert "at most 2 names" in problem(answer, 422, "calls", 2, "as")["detail"]
    assert small.get(f"{BASE}/sessions/{sid}").json()["seq"] == 0
    # Room again.
    assert small.delete(f"{BASE}/sessions/{sid}").status_code == 204
    assert small.post(f"{BASE}/sessions", json={"machine": TINY}).status_code == 201


@pytest.mark.parametrize(
    ("call", "body", "loc"),
    [
        ("alloc_pages", {"order": 0, "repeat": 100_001, **KERNEL}, "repeat"),
        ("alloc_pages", {"order": 10, "repeat": 1025, **KERNEL}, "repeat"),
        ("vmalloc", {"size": 4096 << 10, "repeat": 2000}, "repeat"),
        ("__free_pages", {"page": [[1, 100_001]], "order": 0}, "page"),
    ],
)
def test_work_in_one_call(client: TestClient, sid: str, call: str, body: dict[str, Any], loc: str) -> None:
    answer = client.post(f"{BASE}/sessions/{sid}/{call}", json=body)
    assert [fault["loc"][0] for fault in problem(answer, 422)["errors"]] == [loc]


def test_tasks_and_live_blocks(client: TestClient, sid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{BASE}/sessions/{sid}"
    assert client.post(f"{path}/alloc_page", json=KERNEL).status_code == 201
    monkeypatch.setattr(limits, "MAX_LIVE_BLOCKS", 1)
    assert "live blocks" in problem(client.post(f"{path}/alloc_page", json=KERNEL), 507)["detail"]
    monkeypatch.setattr(limits, "MAX_LIVE_BLOCKS", 100)
    monkeypatch.setattr(machine, "MAX_TASKS", 2)
    assert client.post(f"{path}/alloc_page", json={**KERNEL, "task": "a"}).status_code == 201
    answers = [client.post(f"{path}/alloc_page", json={**KERNEL, "task": f"b{n}"}) for n in range(3)]
    assert "tasks" in problem(answers[-1], 507)["detail"]
    # Whoever is there can go on, and give back.
    assert client.post(f"{path}/alloc_page", json={**KERNEL, "task": "a"}).status_code == 201


async def use(sessions: Sessions, sid: str, seed: int, rounds: int) -> list[int]:
    """Calls, batches and reads in turn; what each answered is what one client alone would see."""
    draw = random.Random(seed)
    made = 0
    live = 0
    for _ in range(rounds):
        match draw.randrange(4):
            case 0:
                assert (
                    await sessions.apply(LOCAL, sid, "alloc_pages", {"order": 0, **KERNEL})
                ).seq == made + 1
                made, live = made + 1, live + 1
            case 1:
                answers = await sessions.batch(LOCAL, sid, [alloc(1, "p"), alloc(0, "q"), free("$p", 1)])
                assert [answer.seq for answer in answers] == [made + 1, made + 2, made + 3]
                made, live = made + 3, live + 1
            case 2:
                assert await sessions.read(LOCAL, sid, lambda machine: machine.live_blocks) == live
            case _:
                assert len((await sessions.dump(LOCAL, sid))["pages"]) == live
    return [made, live]


async def test_machines_leave_and_come_back_under_load(tmp_path: Path) -> None:
    await leave_and_come_back(tmp_path, 6, 25)


@pytest.mark.soak
async def test_machines_leave_and_come_back_for_long(tmp_path: Path) -> None:
    await leave_and_come_back(tmp_path, 30, 300)


async def leave_and_come_back(path: Path, count: int, rounds: int) -> None:
    """Memory for one machine, and many sessions used at once."""
    async with serving(settings_for(path, machines_memory=1)) as sessions:
        sids = [(await sessions.create(LOCAL, None, TINY)).id for _ in range(count)]
        used = await asyncio.gather(*(use(sessions, sid, seed, rounds) for seed, sid in enumerate(sids)))
        assert len(sessions._writer.machines) <= 2
        dumps = []
        for sid, (made, live) in zip(sids, used, strict=True):
            assert await seqs(sessions, sid) == list(range(1, made + 1))
            dumps.append(await sessions.dump(LOCAL, sid))
            assert await sessions.read(LOCAL, sid, Machine.dump) == dumps[-1]
            assert len(dumps[-1]["pages"]) == live
    async with serving(settings_for(path)) as sessions:
        assert [await sessions.dump(LOCAL, sid) for sid in sids] == dumps
