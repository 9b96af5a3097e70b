"""Bodies that no route may accept, at a route of each kind: whatever is sent, it is a 4xx that says why."""

import time
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from app.api.bodies import loads
from app.api.problems import HttpRefusal
from tests.support.patience import SOON
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

ROUTES = [("POST", ""), ("PATCH", "/{id}"), ("POST", "/{id}/kmalloc"), ("POST", "/{id}/calls")]

BROKEN = {
    "nothing but a brace": b"{",
    "a comma too many": b'{"size":1,}',
    "two documents": b"{} {}",
    "NaN": b'{"size":NaN}',
    "Infinity": b'{"size":Infinity}',
    "-Infinity": b'{"size":-Infinity}',
    "single quotes": b"{'size':1}",
    "a comment": b'{"size":1} // x',
    "a name twice": b'{"size":1,"size":2}',
    "a name twice, deep": b'{"a":[{"b":1,"b":1}]}',
    "half a pair": b'{"name":"\\ud800"}',
    "half a pair as a name": b'{"\\udfff":1}',
    "raw control characters": b'{"name":"\x01"}',
    "not UTF-8": b'{"name":"\xff"}',
    "UTF-16": '{"size":1}'.encode("utf-16"),
    "a mark of byte order": b"\xef\xbb\xbf{}",
    "null bytes": b"\x00\x00",
    "lists, 100,000 deep": b"[" * 100_000,
    "closed lists, 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "objects, 100,000 deep": b'{"a":' * 100_000,
    "thousands of digits": b'{"size":' + b"9" * 5000 + b"}",
    "a form": b"size=1&flags=2",
}

NO_OBJECTS = {"null": b"null", "a list": b"[]", "a number": b"3", "a string": b'"x"', "true": b"true"}

TYPES = [
    "",
    "text/html",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    "application/json, text/html",
    "application/problem+json",
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    "json",
    "*/*",
    "application",
    ";",
]


@pytest.fixture(params=ROUTES, ids=lambda route: f"{route[0]} /sessions{route[1]}")
def send(request: pytest.FixtureRequest, client: TestClient, sid: str) -> Callable[..., object]:
    method, path = request.param

    def send(content: bytes, content_type: str = "application/json") -> object:
        url = f"{BASE}/sessions{path.format(id=sid)}"
        return client.request(method, url, content=content, headers={"content-type": content_type})

    return send


def test_broken_json(send: Callable[..., object]) -> None:
    for content in BROKEN.values():
        begun = time.monotonic()
        problem(send(content), 400)  # type: ignore[arg-type]
        assert time.monotonic() - begun < SOON


def test_json_that_is_no_object(send: Callable[..., object]) -> None:
    for content in NO_OBJECTS.values():
        assert problem(send(content), 422)["errors"][0]["loc"] == []  # type: ignore[arg-type]


def test_another_type(send: Callable[..., object]) -> None:
    for content_type in TYPES:
        problem(send(b"{}", content_type), 415)  # type: ignore[arg-type]


@pytest.mark.parametrize("what", BROKEN)
def test_nothing_was_recorded(client: TestClient, at: Callable[[str], str], what: str) -> None:
    client.post(at("/kmalloc"), content=BROKEN[what], headers={"content-type": "application/json"})
    client.post(at("/calls"), content=BROKEN[what], headers={"content-type": "application/json"})
    assert client.get(at("/events")).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
    ],
)
def test_ways_to_say_json(client: TestClient, at: Callable[[str], str], content_type: str) -> None:
    content = b'{"gfp":"GFP_KERNEL"}'
    answer = client.post(at("/alloc_page"), content=content, headers={"content-type": content_type})
    assert answer.status_code == 201


def test_no_body_is_no_arguments(client: TestClient, at: Callable[[str], str]) -> None:
    assert client.post(at("/drain_all_pages")).status_code == 201
    assert client.post(at("/drain_all_pages"), headers={"content-type": "text/plain"}).status_code == 201
    problem(client.post(at("/alloc_page")), 422, "gfp")
    json = {"content-type": "application/json"}
    problem(client.post(at("/calls"), headers=json), 400)
    problem(client.post(f"{BASE}/sessions", headers=json), 400)
    problem(client.patch(at(""), headers=json), 400)


def test_what_json_can_say_is_read() -> None:
    assert loads(b' {"a": [1, -2.5e3, null, true, "\\ud83e\\udde9 \\u0000 \xc3\xa9"]} ') == {
        "a": [1, -2500.0, None, True, "🧩 \x00 é"]
    }


def test_the_place_of_a_fault_is_said() -> None:
    with pytest.raises(HttpRefusal) as caught:
        loads(b'{"a":\n\n1,}', "line", 7)
    assert "line 3" in caught.value.problem.detail
    assert caught.value.problem.faults[0].loc == ("line", 7)
