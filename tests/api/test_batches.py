"""`POST /sessions/{id}/calls`: many calls in JSON, NDJSON and text, all or none."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from tests.support.served import problem

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]

CALLS = [
    {"call": "alloc_pages", "as": "p", "gfp": "GFP_KERNEL", "order": 3},
    {"call": "get_page", "page": "$p", "task": "alice"},
    {"call": "put_page", "page": "$p"},
    {"call": "__free_pages", "page": "$p", "order": 3},
]
TEXT = """\
# a block, from allocation to freeing
p = alloc_pages(GFP_KERNEL, 3)

alice: get_page(p)     # takes a reference
put_page(p)\r
__free_pages(p, 3)
"""


def post(client: TestClient, url: str, body: Any) -> Any:
    """A batch in the form that the body has: a list, lines of JSON, or text."""
    if isinstance(body, list):
        return client.post(url, json={"calls": body})
    form = "application/x-ndjson" if body.lstrip().startswith("{") else "text/plain; charset=utf-8"
    return client.post(url, content=body.encode(), headers={"content-type": form})


def lines(calls: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, calls))


FORMS = {
    "json": CALLS,
    "ndjson": lines(CALLS),
    "ndjson with blanks": "\n" + lines(CALLS) + "\r\n\n",
    "text": TEXT,
}


@pytest.mark.parametrize("form", FORMS)
def test_three_forms_mean_the_same(client: TestClient, at: At, form: str) -> None:
    answer = post(client, at("/calls"), FORMS[form])
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"4"'
    if form.startswith("ndjson"):
        assert answer.headers["content-type"] == "application/x-ndjson"
        outcomes = [json.loads(line) for line in answer.text.splitlines()]
    else:
        assert answer.headers["content-type"] == "application/json"
        models.Outcomes.model_validate(answer.json())
        outcomes = answer.json()["outcomes"]
    assert [(o["seq"], o["call"], o["verdict"]) for o in outcomes] == [
        (1, "alloc_pages", "ok"),
        (2, "get_page", "ok"),
        (3, "put_page", "ok"),
        (4, "__free_pages", "ok"),
    ]
    pfn = outcomes[0]["page"]["pfn"]
    assert [o["args"].get("pfn") for o in outcomes] == [None, pfn, pfn, pfn]
    assert outcomes[1]["args"]["task"] == "alice"
    assert client.get(at("/events")).json()["items"] == outcomes


def test_names_live_on(client: TestClient, at: At) -> None:
    post(client, at("/calls"), "p = alloc_pages(GFP_KERNEL, 2)")
    third = post(client, at("/calls"), "get_page(p+3)\nfree_pages(p, 2)").json()["outcomes"]
    first = client.get(at("/events/1")).json()["page"]["pfn"]
    assert third[0]["args"]["pfn"] == first + 3
    assert client.post(at("/page_count"), json={"page": "$p"}).status_code == 201


def test_many_at_once_in_text(client: TestClient, at: At) -> None:
    text = (
        "fill = alloc_pages(GFP_KERNEL, 0) * 1000\n__free_pages(fill[::2], 0)\n__free_pages(fill[1:11:2], 0)"
    )
    outcomes = post(client, at("/calls"), text).json()["outcomes"]
    assert [outcome["ret"] for outcome in outcomes] == [1000, 500, 5]


def test_an_address_where_one_is_asked(client: TestClient, at: At) -> None:
    text = (
        "p = alloc_pages(GFP_KERNEL, 0)\nv = page_address(p)\nvirt_to_page(v)\n"
        "a = kmalloc(100, GFP_KERNEL)\nksize(a)\nkfree(a)"
    )
    outcomes = post(client, at("/calls"), text).json()["outcomes"]
    assert outcomes[2]["ret"] == outcomes[0]["ret"]
    assert outcomes[4]["ret"] == 128


def test_an_address_that_is_null_is_freed_without_a_word(client: TestClient, at: At) -> None:
    """And a page that is NULL is not."""
    answer = post(
        client,
        at("/calls"),
        "n = __get_free_pages(GFP_KERNEL, 11)\nfree_pages(n, 11)\nfree_page(0)\n__free_pages(n, 11)",
    )
    assert [one["verdict"] for one in answer.json()["outcomes"]] == ["null", "ok", "ok", "bug"]


def test_an_address_behind_all_memory_is_no_address(client: TestClient, at: At) -> None:
    answer = post(client, at("/calls"), "p = alloc_page(GFP_KERNEL)\nkfree(p+9999999)")
    assert "outside every zone" in problem(answer, 422)["detail"]


def test_a_null_result_stops_nothing(client: TestClient, at: At) -> None:
    outcomes = post(client, at("/calls"), "p = alloc_pages(GFP_KERNEL, 11)\nkfree(p)\n__free_page(p)").json()[
        "outcomes"
    ]
    assert outcomes[0]["verdict"] == "null"
    assert outcomes[2]["args"]["page"] is None


def test_counters(client: TestClient, at: At) -> None:
    answer = client.post(at("/calls"), json={"calls": CALLS, "counters": True})
    models.Outcomes.model_validate(answer.json())
    assert all(set(outcome["counters"]) == {"zf", "zv", "pc"} for outcome in answer.json()["outcomes"])
    assert "counters" not in client.get(at("/events/1")).json()


REFUSED: list[tuple[Any, int, list[str | int]]] = [
    # JSON: the place is in `calls`.
    ([*CALLS, {"call": "alloc_page", "gfp": "GFP_NOPE"}], 422, ["calls", 4, "gfp"]),
    ([{"call": "alloc_page"}], 422, ["calls", 0, "gfp"]),
    ([{"call": "malloc"}], 422, ["calls", 0, "call"]),
    ([{"call": 3}], 422, ["calls", 0, "call"]),
    ([{}], 422, ["calls", 0, "call"]),
    ([[]], 422, ["calls", 0]),
    ([None], 422, ["calls", 0]),
    ([{"call": "alloc_page", "gfp": 0, "as": 3}], 422, ["calls", 0, "as"]),
    ([{"call": "alloc_page", "gfp": 0, "as": "1p"}], 422, ["calls", 0, "as"]),
    ([{"call": "alloc_page", "gfp": 0, "as": "p" * 40}], 422, ["calls", 0, "as"]),
    ([{"call": "alloc_page", "gfp": 0, "counters": True}], 422, ["calls", 0, "counters"]),
    ([{"call": "get_page", "page": "$nobody"}], 422, ["calls", 0, "page"]),
    (
        [{"call": "get_page", "page": "$later"}, {"call": "alloc_page", "gfp": 0, "as": "later"}],
        422,
        ["calls", 0, "page"],
    ),
    ([], 422, ["calls"]),
    ([{"call": "drain_all_pages"}] * 10_001, 422, ["calls"]),
    # NDJSON: a broken line by its number, a call by its place.
    (lines(CALLS) + "\n{", 400, ["line", 5]),
    ('{"call":"drain_all_pages"}\n\n{"a":NaN}', 400, ["line", 3]),
    (lines([*CALLS, {"call": "alloc_page", "gfp": "GFP_NOPE"}]), 422, ["calls", 4, "gfp"]),
    ("{}\n[]", 422, ["calls", 1]),
    # Text: by line, whatever is wrong with it.
    (TEXT + "alloc_pages(GFP_KERNEL", 400, ["line", 7]),
    ("hello", 400, ["line", 1]),
    ("\n\nalloc_page(GFP_NOPE)", 422, ["line", 3]),
    ("malloc(3)", 422, ["line", 1]),
    ("get_page(nobody)", 422, ["line", 1]),
    ("fill = alloc_page(GFP_KERNEL) * 3\nget_page(fill)", 422, ["line", 2]),
    ("alloc_page(GFP_KERNEL, 3)", 422, ["line", 1]),
    ("drain_all_pages()\n" * 10_001, 422, ["calls"]),
    ("# nothing\n\n", 422, ["calls"]),
]


@pytest.mark.parametrize(("body", "status", "loc"), REFUSED, ids=lambda value: str(value)[:50])
def test_a_callers_error_refuses_all(
    client: TestClient, at: At, body: Any, status: int, loc: list[str | int]
) -> None:
    problem(post(client, at("/calls"), body), status, *loc)
    assert client.get(at("")).json()["seq"] == 0


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, "calls"),
        ({"calls": None}, "calls"),
        ({"calls": {}}, "calls"),
        ({"calls": [{"call": "drain_all_pages"}], "counters": 1}, "counters"),
        ({"calls": [{"call": "drain_all_pages"}], "colour": 1}, "colour"),
    ],
)
def test_the_frame_of_a_batch(client: TestClient, at: At, body: Any, loc: str) -> None:
    problem(client.post(at("/calls"), json=body), 422, loc)


def test_text_that_is_no_text(client: TestClient, at: At) -> None:
    for form in ("text/plain", "application/x-ndjson"):
        problem(client.post(at("/calls"), content=b"\xff\xfe", headers={"content-type": form}), 400)


@pytest.mark.parametrize(("form", "loc"), [("json", ["calls", 2]), ("text", ["line", 3])])
def test_a_sleeping_task_refuses_all(client: TestClient, at: At, form: str, loc: list[str | int]) -> None:
    text = "p = alloc_page(GFP_KERNEL)\na: lock_page(p)\nb: lock_page(p)"
    assert post(client, at("/calls"), text).status_code == 201
    drain = {"call": "drain_all_pages"}
    body = (
        [drain, drain, {**drain, "task": "b"}]
        if form == "json"
        else "drain_all_pages()\n\nb: drain_all_pages()"
    )
    document = problem(post(client, at("/calls"), body), 409)
    assert [fault["loc"] for fault in document["errors"]] == [loc]
    assert client.get(at("")).json()["seq"] == 3


def test_ten_thousand_calls(client: TestClient, at: At) -> None:
    text = "p = alloc_page(GFP_KERNEL)\nput_page(p)\n" * 5000
    answer = post(client, at("/calls"), text)
    assert answer.status_code == 201
    assert {outcome["verdict"] for outcome in answer.json()["outcomes"]} == {"ok"}
    assert client.get(at("")).json()["seq"] == 10_000
