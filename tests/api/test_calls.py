"""`POST /sessions/{id}/{call}`: every kernel function, what it answers and what it refuses."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from app.machine.entry import CALLS
from tests.support.patience import PATIENCE
from tests.support.served import problem

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]

HUGE = [1 << 31, 1 << 32, 1 << 53, 1 << 63, 1 << 64, 10**400]
NUMBERS_NOT = [-1, 1.0, 1.5, "1", "abc", "", True, None, [], {}, [1], *HUGE[2:]]

# What no argument of that kind may be.
WRONG: dict[str, list[Any]] = {
    "uint": [*NUMBERS_NOT, 1 << 32],
    "size": NUMBERS_NOT,
    "array": [*NUMBERS_NOT, 100_001],
    "number": [-1, 1.5, True, "ten", "$p", None, []],
    "function": ["", "a b", 1, []],
    "gfp": [
        "GFP_NOPE",
        "",
        "|",
        "GFP_KERNEL|",
        "GFP_KERNEL,GFP_ATOMIC",
        "-1",
        "1_0",
        -1,
        1.0,
        True,
        None,
        [],
        {},
        1 << 32,
    ],
    "node": [-2, 1, 1.0, "0", True, None, [], 1 << 63],
    "task": ["", "a b", "x" * 33, "ä", "a\u0000", "\n", 3, None, [], True],
    "object_name": ["", "a b", "x" * 32, "a/b", "a\u0000", "a\n", 3, None, [], True],
    "slab_flags": ["SLAB_NOPE", "", "-1", -1, 1.5, True, None, [], 1 << 32],
    "sysctl": ["", "laptop_mode", "vm.", "vm.vm.min_free_kbytes", 3, None, []],
    "sysctl_value": ["", "x", "1 2 3 4 5 6", "1.5", 1.5, True, None, [], 1 << 31, "9" * 50],
    "cache": ["", "a b", "x" * 40, 3, None, []],
    "addr": ["", "0x", "ffff", "0xg", "0x" + "f" * 17, "$", "$nobody", "$1", 3, 1.5, True, {}, "0x1\u0000"],
    "pfn": [*NUMBERS_NOT, 4096, 1 << 40],
    "user_addr": ["", "0x", "0xg", "$", "$nobody", "$nobody+4K", -1, 1.5, True, {}, [], 1 << 64],
    "fd": ["", "3", "$nobody", 1.5, True, None, [], 1 << 31],
    "length": [-1, 1.5, "4K", True, None, [], 1 << 53],
    "offset": [-1, 1.5, "4K", True, [], 1 << 53],
    "loff": [1.5, "4K", True, None, [], 1 << 53, -(1 << 53)],
    "accesses": [0, -1, 1.5, "8", True, None, [], (1 << 20) + 1],
    "rounds": [0, -1, 1.5, "8", True, None, [], 1001],
    "access_step": [-1, 1.5, "8", True, None, [], 1 << 53],
    "byte": [-1, 256, 1.5, "7", True, None, []],
    "status": [1.5, "0", True, None, [], 1 << 31],
    "path": ["", "tmp", "/", "/tmp/", "/a/../b", "/ä", "/" + "x" * 255, 3, True, None, []],
    "swap_pages": [-1, 1.5, "8", True, [], 1 << 53],
    "bool": [2, "yes", None, []],
    "program": ["", "/tmp/x", "/bin/..", "hello", 3, True, None, []],
    **{
        kind: ["", "|", "NOPE", "0x", -(1 << 31) - 1, 1 << 32, 1.5, True, None, []]
        for kind in ("prot", "map_flags", "mremap_flags", "ms_flags", "madvice", "fadvice", "open_flags")
    },
    "page": [
        "",
        "0x1",
        "0xffffea0000000001",
        "0x" + "f" * 16,
        "0x" + "f" * 17,
        "$nobody",
        "$p+x",
        3,
        True,
        {},
    ],
}

FORMS = {"page": ("pfn", "page"), "page_or_addr": ("pfn", "page", "addr")}


def right(name: str) -> dict[str, Any]:
    """Arguments that the call accepts."""
    values = {
        "uint": 0, "size": 64, "gfp": "GFP_KERNEL", "node": 0, "task": "bob", "object_name": "thing",
        "slab_flags": 0, "sysctl": "min_free_kbytes", "sysctl_value": 128, "cache": "kmalloc-64",
        "addr": None, "array": 1, "number": 16, "function": "init_once", "user_addr": "0x7ffff7ff1000",
        "rounds": 1, "fd": 3, "length": 4096, "offset": 0, "loff": 0, "accesses": 1, "access_step": 0,
        "byte": 7, "status": 0, "path": "/tmp/x", "swap_pages": 64, "bool": True,
        "program": "/bin/hello", "prot": "PROT_READ",
        "map_flags": "MAP_PRIVATE|MAP_ANONYMOUS", "mremap_flags": 0, "ms_flags": "MS_SYNC",
        "madvice": "MADV_DONTNEED", "fadvice": "POSIX_FADV_DONTNEED", "open_flags": "O_RDWR",
    }  # fmt: skip
    return {("page" if a.kind in FORMS else a.name): values.get(a.kind) for a in CALLS[name].args}


def wrong() -> list[tuple[str, str, Any]]:
    """(call, field, value) for every argument of every call."""
    cases = []
    for spec in CALLS.values():
        for arg in spec.args:
            forms = FORMS.get(arg.kind)
            fields = {arg.name: arg.kind} if forms is None else dict(zip(forms, forms, strict=True))
            cases += [(spec.name, field, value) for field, kind in fields.items() for value in WRONG[kind]]
    return cases


@pytest.mark.parametrize("name", CALLS)
def test_every_call_answers_an_outcome(client: TestClient, at: At, name: str) -> None:
    answer = client.post(at(f"/{name}"), json=right(name))
    assert answer.status_code == 201, answer.text
    outcome = answer.json()
    models.Outcome.model_validate(outcome)
    assert (outcome["seq"], outcome["call"]) == (1, name)
    assert answer.headers["etag"] == '"1"'
    assert outcome["args"].items() >= {"cpu": 0, "context": "process"}.items()
    assert client.get(at("/events/1")).content == answer.content
    assert client.get(at("")).json()["seq"] == 1


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", CALLS)
def test_a_field_at_fault(client: TestClient, at: At, name: str) -> None:
    for call, field, value in wrong():
        if call != name:
            continue
        arguments = right(name)
        if field in ("pfn", "addr", "page") and "page" in arguments:
            del arguments["page"]
        content = {**arguments, field: value}
        answer = client.post(at(f"/{name}"), json=content)
        assert problem(answer, 422)["errors"][0]["loc"][0] == field, (field, value)
    assert client.get(at("/events")).json()["items"] == []


@pytest.mark.parametrize("name", CALLS)
def test_a_field_is_missing_or_unknown(client: TestClient, at: At, name: str) -> None:
    arguments = right(name)
    problem(client.post(at(f"/{name}"), json={**arguments, "colour": "red"}), 422, "colour")
    for arg in CALLS[name].args:
        field = "page" if arg.kind in FORMS else arg.name
        answer = client.post(at(f"/{name}"), json={k: v for k, v in arguments.items() if k != field})
        if name == "fork":
            assert "origin" in answer.json(), "without a child, fork copies the session"
        elif arg.required:
            loc = answer.json()["errors"][0]["loc"]
            assert loc == (["pfn"] if arg.kind in FORMS else [field])
            problem(answer, 422)
        else:
            assert answer.status_code == 201


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("task", WRONG["task"]),
        ("cpu", [-1, 1, 1.0, "0", None, True, 1 << 63]),
        ("context", ["", "irq", "Process", 3, None, []]),
        ("counters", [1, "true", None, []]),
        ("repeat", [0, -1, 100_001, 1.0, "3", True, [], 1 << 63]),
        (
            "until",
            ["", "NULL", 3, {}, {"free_below": -1}, {"free_below": "3"}, {"free_below": 1, "x": 2}, []],
        ),
        ("start", [0]),
    ],
)
def test_what_stands_beside_the_arguments(client: TestClient, at: At, field: str, values: list[Any]) -> None:
    for value in values:
        problem(client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL", field: value}), 422, field)


def test_exactly_one_page(client: TestClient, at: At) -> None:
    problem(client.post(at("/get_page"), json={}), 422, "pfn")
    problem(client.post(at("/get_page"), json={"pfn": 256, "page": "0x0"}), 422, "page")
    problem(client.post(at("/free_pages"), json={"pfn": 256, "addr": "0x0"}), 422, "addr")


def test_only_freeing_takes_a_list(client: TestClient, at: At) -> None:
    runs = client.post(at("/alloc_pages"), json={"gfp": "GFP_KERNEL", "order": 0, "repeat": 3}).json()["runs"]
    for name, spec in CALLS.items():
        if spec.wants is None or spec.frees:
            continue
        field = "addr" if spec.wants == "addr" else "page"
        given = [["0xffff888000400000", 3, 4096]] if field == "addr" else runs
        arguments = {key: value for key, value in right(name).items() if key != "page"}
        problem(client.post(at(f"/{name}"), json={**arguments, field: given}), 422, field)


def test_work_is_bounded(client: TestClient, at: At) -> None:
    document = problem(
        client.post(at("/alloc_pages"), json={"gfp": "GFP_KERNEL", "order": 10, "repeat": 2000}), 422
    )
    assert document["errors"][0]["loc"] == ["repeat"]


def test_order_eleven_is_the_kernels_matter(client: TestClient, at: At) -> None:
    outcome = client.post(at("/alloc_pages"), json={"gfp": "GFP_KERNEL", "order": 11}).json()
    assert (outcome["ret"], outcome["verdict"]) == (None, "null")
    assert outcome["log"]


def test_a_page_from_allocation_to_freeing(client: TestClient, at: At) -> None:
    got = client.post(at("/alloc_pages"), json={"gfp": "GFP_KERNEL", "order": 3, "task": "alice"}).json()
    page = got["page"]
    assert got["verdict"] == "ok"
    assert got["ret"] == page["page"]
    assert (page["order"], page["refcount"], page["zone"], page["node"]) == (3, 1, "DMA", 0)
    assert got["args"]["task"] == "alice"
    counted = client.post(at("/page_count"), json={"page": page["page"]}).json()
    assert counted["ret"] == 1
    freed = client.post(at("/free_pages"), json={"addr": page["address"], "order": 3}).json()
    assert (freed["ret"], freed["verdict"]) == (None, "ok")
    again = client.post(at("/__free_pages"), json={"pfn": page["pfn"], "order": 3})
    assert again.status_code == 201
    assert again.json()["verdict"] != "ok"


def test_both_vocabularies(client: TestClient, at: At) -> None:
    for mask in (
        "GFP_KERNEL",
        "__GFP_WAIT|__GFP_IO|__GFP_FS",
        "__GFP_RECLAIM | __GFP_IO | __GFP_FS",
        0xCC0,
        "0xcc0",
    ):
        outcome = client.post(at("/alloc_page"), json={"gfp": mask}).json()
        assert (outcome["verdict"], outcome["args"]["gfp"]) == ("ok", mask)


def test_many_at_once(client: TestClient, at: At) -> None:
    filled = client.post(at("/alloc_pages"), json={"gfp": "GFP_NOWAIT", "order": 0, "until": "null"}).json()
    assert filled["ret"] == sum(blocks for _, blocks, *_ in filled["runs"])
    assert filled["ret"] > 2000
    freed = client.post(at("/__free_pages"), json={"page": filled["runs"], "order": 0, "step": 2}).json()
    assert freed["ret"] == (filled["ret"] + 1) // 2


def test_counters(client: TestClient, at: At) -> None:
    plain = client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL"}).json()
    assert "counters" not in plain
    counted = client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL", "counters": True}).json()
    models.Outcome.model_validate(counted)
    zones = client.get(at("/zones")).json()["zones"]
    assert counted["counters"]["zf"] == [zone["free"] for zone in zones]
    assert set(counted["counters"]) == {"zf", "zv", "pc"}
    assert "counters" not in client.get(at("/events/2")).json()


def test_a_blocked_task(client: TestClient, at: At) -> None:
    pfn = client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL"}).json()["page"]["pfn"]
    assert client.post(at("/lock_page"), json={"pfn": pfn, "task": "alice"}).json()["verdict"] == "ok"
    assert client.post(at("/lock_page"), json={"pfn": pfn, "task": "bob"}).json()["verdict"] == "blocked"
    detail = problem(client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL", "task": "bob"}), 409)["detail"]
    assert f"{pfn:#x}" in detail
    assert "#3" in detail
    woke = client.post(at("/unlock_page"), json={"pfn": pfn, "task": "alice"}).json()
    assert woke["woken"] == ["bob"]
    assert client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL", "task": "bob"}).status_code == 201


def test_waiting_to_be_woken(client: TestClient, at: At) -> None:
    pfn = client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL"}).json()["page"]["pfn"]
    client.post(at("/lock_page"), json={"pfn": pfn, "task": "alice"})
    answers: list[dict[str, Any]] = []

    def wait() -> None:
        answers.append(client.post(at("/lock_page?wait=30"), json={"pfn": pfn, "task": "bob"}).json())

    waiting = threading.Thread(target=wait)
    waiting.start()
    while client.get(at("")).json()["seq"] < 3:
        time.sleep(0.01)
    woke = client.post(at("/unlock_page"), json={"pfn": pfn, "task": "alice"}).json()
    waiting.join(PATIENCE)
    assert [(a["seq"], a["verdict"], a["woken_at"]) for a in answers] == [(3, "blocked", woke["seq"])]
    assert "woken_at" not in client.get(at("/events/3")).json()


def test_waiting_in_vain(client: TestClient, at: At) -> None:
    pfn = client.post(at("/alloc_page"), json={"gfp": "GFP_KERNEL"}).json()["page"]["pfn"]
    client.post(at("/lock_page"), json={"pfn": pfn, "task": "alice"})
    answer = client.post(at("/lock_page?wait=0.05"), json={"pfn": pfn, "task": "bob"}).json()
    assert (answer["verdict"], answer["woken_at"]) == ("blocked", None)


def test_waiting_where_nothing_blocks(client: TestClient, at: At) -> None:
    answer = client.post(at("/alloc_page?wait=30"), json={"gfp": "GFP_KERNEL"})
    assert answer.status_code == 201
    assert "woken_at" not in answer.json()


@pytest.mark.parametrize("wait", ["", "-1", "30.1", "nan", "inf", "1e9", "x", "1,5", "%00", "0x1"])
def test_a_wait_that_cannot_be(client: TestClient, at: At, wait: str) -> None:
    problem(client.post(at(f"/alloc_page?wait={wait}"), json={"gfp": "GFP_KERNEL"}), 422, "query", "wait")
    problem(client.post(at("/alloc_page?wait=1&wait=1"), json={"gfp": "GFP_KERNEL"}), 422, "query", "wait")


@pytest.mark.parametrize("query", ["&", "&&"])
def test_a_query_without_parameters(client: TestClient, at: At, query: str) -> None:
    assert client.post(at(f"/alloc_page?{query}"), json={"gfp": "GFP_KERNEL"}).status_code == 201


def test_an_unknown_call(client: TestClient, at: At) -> None:
    for name in ("malloc", "ALLOC_PAGES", "alloc_pages%20", "__free_pagesx", "%00", "events"):
        answer = client.post(at(f"/{name}"), json={})
        assert answer.status_code in (404, 405)
        problem(answer, answer.status_code)
