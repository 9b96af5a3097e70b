"""Every route of the JSON face: described, and strict about what it is asked."""

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.api.calls import hot_route
from tests.support import roles as rules
from tests.support.roles import API, LABS, ONE
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

# What tests/support/roles.py declares of the JSON face: open mode serves it too, to its one person.
TABLE = {**API, **LABS}

# What must be asked beside the path.
REQUIRED = {"walk": "addr=0x1000", "reference_string": "task=init", "life": "pfn=256"}

OF_A_SESSION = [(method, path) for (method, path), asked in API.items() if asked.rule in rules.OF_A_SESSION]


def filled(path: str, sid: str) -> str:
    known = {"seq": 1, "pfn": 256, "name": "kmalloc-64", "list": "changed", "number": 1, "path": "data/a"}
    known |= {"task": "init", "file": "maps" if "{task}" in path else "buddyinfo"}
    known |= {"hint": 1} | dict.fromkeys(("sheet", "item", "variant", "poll"), "x")
    return path.format(id=sid, **known, **dict.fromkeys(("machine", "checkpoint", "session"), "x"))


def test_every_route_is_described(client: TestClient) -> None:
    paths: dict[str, Any] = client.get(f"{BASE}/openapi.json").json()["paths"]
    described = {(m.upper(), path) for path, item in paths.items() for m in item if m != "parameters"}
    assert described == set(TABLE) - {("GET", f"{BASE}/openapi.json")}


def test_the_hot_route_stands_first(application: FastAPI) -> None:
    assert application.router.routes[0] is hot_route
    assert hot_route.methods == {"POST"}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("method", "path"), OF_A_SESSION)
def test_an_unknown_session(client: TestClient, method: str, path: str) -> None:
    body = {"POST": EXAMPLE.get(path.rpartition("/")[2], {}), "PATCH": {"name": "x"}}.get(method)
    for unknown in ("nobody0knows0this0", "a%00b", "x" * 100, "%ff", "'; --"):
        here = f"{filled(path, unknown)}?{REQUIRED.get(path.rpartition('/')[2], '')}"
        problem(client.request(method, here, json=body), 404)


EXAMPLE: dict[str, Any] = {"calls": {"calls": [{"call": "drain_all_pages"}]}, "rewind": {"to": 0}}


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("method", "path"), TABLE)
def test_an_unknown_parameter(client: TestClient, sid: str, method: str, path: str) -> None:
    if path.endswith("openapi.json"):
        return
    for query in ("seq=0", "AT=0", "=", "wait="):
        answer = client.request(
            method, f"{filled(path, sid)}?{query}", json={} if method in ("POST", "PATCH") else None
        )
        problem(answer, 422, "query", query.partition("=")[0])


# What shows a machine can show it as it was; these show many moments, or no machine.
TIMELESS = {f"{ONE}/export", f"{ONE}/names", f"{ONE}/series", f"{ONE}/trace", f"{ONE}/work"}
WITH_A_PAST = [
    path
    for method, path in TABLE
    if method == "GET" and path.startswith(f"{ONE}/") and "/events" not in path and path not in TIMELESS
]


@pytest.mark.parametrize("path", WITH_A_PAST)
def test_the_past(client: TestClient, sid: str, path: str) -> None:
    here = f"{filled(path, sid)}?{REQUIRED.get(path.rpartition('/')[2], '')}"
    before = client.get(here).content
    client.post(f"{BASE}/sessions/{sid}/alloc_pages", json={"gfp": "GFP_KERNEL|__GFP_ATOMIC", "order": 12})
    client.post(f"{BASE}/sessions/{sid}/kmalloc", json={"size": 5000, "flags": "GFP_KERNEL"})
    head = client.get(f"{BASE}/sessions/{sid}").json()["seq"]
    assert client.get(f"{here}&at={head - 2}").content == before
    assert client.get(f"{here}&at={head}").content == client.get(here).content
    for wrong in ("-1", "abc", str(head + 1), str(2**63), ""):
        problem(client.get(f"{here}&at={wrong}"), 422, "query", "at")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("path", sorted({path for _, path in TABLE}))
def test_another_method(client: TestClient, sid: str, path: str) -> None:
    allowed = {method for method, declared in TABLE if declared == path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
        answer = client.request(method, filled(path, sid))
        problem(answer, 405)
        assert set(answer.headers["allow"].split(", ")) - {"HEAD"} == allowed


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/sessions", "/api/v1/sessions/", "/api/v1//sessions"],
)
def test_nothing_is_there(client: TestClient, path: str) -> None:
    detail = problem(client.get(path), 404)["detail"]
    assert "/api/v1/openapi.json" in detail


def test_a_page_is_no_problem_document(client: TestClient) -> None:
    answer = client.get("/no/such/page")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(("method", "path"), [route for route in LABS if route[1] != f"{BASE}/me"])
def test_in_open_mode_labs_say_what_to_do(client: TestClient, method: str, path: str) -> None:
    answer = client.request(method, filled(path, "x"), json={} if method in ("POST", "PATCH") else None)
    assert "kmemlab serve --lab" in problem(answer, 403)["detail"]


def test_in_open_mode_everybody_is_local(client: TestClient) -> None:
    me = client.get(f"{BASE}/me").json()
    assert (me["kind"], me["id"], me["lab"], me["number"]) == ("local", "local", None, None)
