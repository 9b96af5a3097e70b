"""Batches that nobody would write, in each of their three forms: refused or done, never a mistake of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.testclient import TestClient

from app.machine.entry import CALLS
from tests.support.served import BASE, build, client_of, problem

FEW = 40
MANY = 4_000


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """One session for all cases, so that they meet each other's pages, names and tasks."""
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with client_of(build(folder)) as client:
        made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}})
        yield client, f"{BASE}/sessions/{made.json()['id']}/calls"


NAMES = some.sampled_from(["p", "q", "fill", "NULL", "null", "init", "x" * 33, "_", "é"])
NUMBERS = some.one_of(
    some.integers(-2, 20),
    some.sampled_from([1023, 4096, 1 << 31, 1 << 32, (1 << 53) - 1, 1 << 53, 1 << 64, 10**400]),
)
FLAGS = some.sampled_from(
    ["GFP_KERNEL", "GFP_ATOMIC", "__GFP_WAIT|__GFP_IO", "GFP_DMA", "__GFP_NOFAIL", "GFP_COLD", "0x0", "|", ""]
)
ADDRESSES = some.sampled_from(
    ["0xffffea0000010000", "0xffff888000400000", "0x0", "0x", "$p", "$q+3", "$fill"]
)
VALUES = some.recursive(
    some.one_of(
        NUMBERS, FLAGS, ADDRESSES, NAMES, some.none(), some.booleans(), some.floats(), some.text(max_size=8)
    ),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.text(max_size=8), inner, max_size=2)
    ),
    max_leaves=5,
)
ARGUMENTS = sorted({arg.name for spec in CALLS.values() for arg in spec.args})
FIELDS = some.sampled_from(
    [
        *ARGUMENTS,
        "pfn",
        "page",
        "addr",
        "task",
        "cpu",
        "context",
        "repeat",
        "until",
        "start",
        "step",
        "count",
        "x",
    ]
)
NAMED = some.sampled_from(
    [*CALLS, "alloc_pages", "__free_pages", "kmalloc", "kfree", "none", "rewind", "calls"]
)

CALL = some.builds(
    lambda name, as_name, rest: {"call": name, **as_name, **rest},
    NAMED,
    some.one_of(some.just({}), some.fixed_dictionaries({"as": some.one_of(NAMES, VALUES)})),
    some.dictionaries(FIELDS, VALUES, max_size=4),
)

ARGUMENT = some.one_of(
    NUMBERS.map(str),
    FLAGS,
    ADDRESSES,
    NAMES,
    some.sampled_from(
        ["64K", "1G", "p+3", "fill[::2]", "fill[10:20]", "fill[-1]", "order=3", "gfp=", "'", '"a"']
    ),
)
LINE = some.one_of(
    some.builds(
        lambda task, name, call, arguments, more: f"{task}{name}{call}({', '.join(arguments)}){more}",
        some.sampled_from(["", "alice: ", "alice@1/softirq: ", "@: ", "b@9: ", "/x: "]),
        some.sampled_from(["", "p = ", "q=", "fill = ", "1 = ", "= "]),
        NAMED,
        some.lists(ARGUMENT, max_size=4),
        some.sampled_from(
            ["", ";", " * 3", " * 100001", " until NULL", " until free < 10", " until", "  # x", ")"]
        ),
    ),
    some.text(max_size=40),
)


def dumped(document: Any) -> bytes:
    """JSON as Python writes it, NaN and all."""
    return json.dumps(document).encode()


TEXTS = some.lists(LINE, max_size=5).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))
LINES = some.lists(some.one_of(CALL, VALUES).map(dumped), max_size=4).map(b"\n".join)
JSONS = some.one_of(
    some.fixed_dictionaries({"calls": some.lists(CALL, max_size=4)}).map(dumped),
    some.one_of(CALL, VALUES).map(dumped),
)


@some.composite
def torn(draw: some.DrawFn, bodies: some.SearchStrategy[bytes]) -> bytes:
    """A body, perhaps cut off, or with bytes in it that do not belong there."""
    body = draw(bodies)
    at = draw(some.integers(0, len(body)))
    match draw(some.integers(0, 5)):
        case 0:
            return body[:at]
        case 1:
            return body[:at] + draw(some.binary(min_size=1, max_size=3)) + body[at:]
        case _:
            return body


BODIES = [
    pytest.param("text/plain", TEXTS, id="text"),
    pytest.param("application/x-ndjson", LINES, id="ndjson"),
    pytest.param("application/json", JSONS, id="json"),
]


def fuzz(base: tuple[TestClient, str], form: str, bodies: some.SearchStrategy[bytes], cases: int) -> None:
    client, path = base

    @settings(max_examples=cases, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(torn(bodies))
    def send(body: bytes) -> None:
        answer = client.post(path, content=body, headers={"content-type": form})
        if answer.status_code != 201:
            assert answer.status_code in (400, 409, 422, 507), answer.text
            problem(answer, answer.status_code)

    send()


@pytest.mark.parametrize(("form", "bodies"), BODIES)
def test_a_few(base: tuple[TestClient, str], form: str, bodies: some.SearchStrategy[bytes]) -> None:
    fuzz(base, form, bodies, FEW)


@pytest.mark.soak
@pytest.mark.parametrize(("form", "bodies"), BODIES)
def test_many(base: tuple[TestClient, str], form: str, bodies: some.SearchStrategy[bytes]) -> None:
    fuzz(base, form, bodies, MANY)
