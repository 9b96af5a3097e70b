"""Exported files, changed at random: imported to the very same session, or refused; never half of one."""

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.support.exported import Lines, exported, file_of, filled, imported, lines_of
from tests.support.factories import raw
from tests.support.served import BASE, build, client_of

FEW = 60
MANY = 5_000

HUGE = (1 << 31, 1 << 53, 1 << 63, 1 << 64, 10**30, -1, -(1 << 63), 1.5, 1e308)
STRANGE = (
    None,
    True,
    False,
    0,
    1,
    "",
    "x" * 70_000,
    [],
    {},
    [[]],
    {"": {}},
    "$p",
    "0xffff",
    "\x00",
    "<b>",
    *HUGE,
)
DEEP: Any = None
for _ in range(150):
    DEEP = [DEEP]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with client_of(build(folder, sessions_per_owner=100_000)) as client:
        yield client


@pytest.fixture(scope="module")
def file(client: TestClient) -> bytes:
    return exported(client, filled(client))


def on_bytes(draw: random.Random, file: bytes) -> bytes:
    """A few bytes changed, dropped or doubled, or the end cut off."""
    text = bytearray(file)
    for _ in range(draw.randrange(1, 5)):
        place = draw.randrange(len(text))
        kind = draw.randrange(5)
        if kind == 0:
            text[place] = draw.randrange(256)
        elif kind == 1:
            del text[place : place + draw.choice((1, 1, 5, 200))]
        elif kind == 2:
            text[place:place] = text[place : place + draw.choice((1, 30, 3000))]
        elif kind == 3:
            text[place:place] = draw.choice(
                (b"\n", b"\x00", b"\xff", b"[" * 20_000, b"9" * 9_000, b"{}", b"\\u")
            )
        else:
            del text[max(1, place) :]
    return bytes(text)


def on_lines(draw: random.Random, file: bytes) -> bytes:
    """Lines dropped, doubled or put elsewhere, by somebody who makes the hash right again or does not."""
    lines = lines_of(file)
    for _ in range(draw.randrange(1, 4)):
        place, other = draw.randrange(len(lines)), draw.randrange(len(lines))
        kind = draw.randrange(4)
        if kind == 0 and len(lines) > 1:
            del lines[place]
        elif kind == 1:
            lines.insert(other, lines[place])
        elif kind == 2:
            lines[place], lines[other] = lines[other], lines[place]
        else:
            lines[place] = draw.choice(({}, {"seq": 1}, {"sha256": "0"}, {"name": "p", "named": None}))
    return file_of(lines, signed=draw.random() < 0.8)


def on_members(draw: random.Random, file: bytes) -> bytes:
    """Members changed, dropped, doubled or renamed anywhere, with the hash made right again."""
    lines = lines_of(file)
    for _ in range(draw.randrange(1, 4)):
        change_somewhere(draw, draw.choice(lines) if draw.random() < 0.7 else lines[0])
    return file_of(lines)


def change_somewhere(draw: random.Random, document: Any) -> None:
    """Go down into a document, and change something there."""
    while True:
        keys: list[Any] = list(document) if isinstance(document, dict) else list(range(len(document)))
        if not keys:
            return
        key = draw.choice(keys)
        below = document[key]
        if isinstance(below, dict | list) and below and draw.random() < 0.75:
            document = below
            continue
        kind = draw.randrange(5)
        if kind == 0:
            del document[key]
        elif kind == 1 and isinstance(document, dict):
            document[f"{key}x"] = below
        elif kind == 2 and type(below) is int:
            document[key] = below + draw.choice((1, -1, 1 << 20, 1 << 62))
        elif kind == 3:
            document[key] = deepcopy(DEEP)
        else:
            document[key] = deepcopy(draw.choice(STRANGE))
        return


def rows_of(client: TestClient) -> dict[str, Any]:
    app: Any = client.app
    with raw(app.state.settings) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("sessions", "journal", "names", "snapshots", "states")
        }


def equal_but_for_words(mine: Lines, other: Lines) -> bool:
    """Whether two files say the same of the machine: times and people are anybody's to say."""
    return len(mine) == len(other) and all(
        {**a["outcome"], "time": 0, "by": 0} == {**b["outcome"], "time": 0, "by": 0}
        for a, b in zip(mine, other, strict=True)
        if "outcome" in a
    )


def try_to_break(
    client: TestClient, file: bytes, change: Callable[[random.Random, bytes], bytes], cases: int
) -> None:
    """Import that many changed files."""

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 1 << 60))
    def send(seed: int) -> None:
        before = rows_of(client)
        sent = change(random.Random(seed), file)
        answer = imported(client, sent)
        if answer.status_code != 201:
            assert answer.status_code in (400, 422), answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["errors"][0]["loc"][0] == "line"
            assert rows_of(client) == before
            return
        # What is taken in is what was sent, and every answer in it was found again.
        one = f"{BASE}/sessions/{answer.json()['id']}"
        copy = lines_of(exported(client, answer.json()["id"]))
        assert equal_but_for_words(copy[1:-1], lines_of(sent)[1:-1])
        for path in ("", "/dump", "/events", "/tasks"):
            assert client.get(one + path).status_code == 200
        assert client.get(f"/sessions/{answer.json()['id']}").status_code == 200
        assert client.post(f"{one}/drain_all_pages", json={}).status_code == 201
        assert client.delete(one).status_code == 204

    send()


CHANGES = [on_bytes, on_lines, on_members]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("change", CHANGES)
def test_a_few_files(
    client: TestClient, file: bytes, change: Callable[[random.Random, bytes], bytes]
) -> None:
    try_to_break(client, file, change, FEW)


@pytest.mark.soak
@pytest.mark.parametrize("change", CHANGES)
def test_many_files(client: TestClient, file: bytes, change: Callable[[random.Random, bytes], bytes]) -> None:
    try_to_break(client, file, change, MANY)
