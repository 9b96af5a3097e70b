"""Rewind, undo and fork over HTTP: what is answered, what is refused, and what is done once."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import models
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]


def post(client: TestClient, path: str, body: Any = None, **headers: str) -> Any:
    return client.post(path, json=body, headers={name.replace("_", "-"): v for name, v in headers.items()})


@pytest.fixture
def five(client: TestClient, at: At) -> At:
    """A session with five rows."""
    for order in range(5):
        assert post(client, at("/alloc_pages"), {"gfp": "GFP_KERNEL", "order": order}).status_code == 201
    return at


def test_rewind_and_undo(client: TestClient, five: At) -> None:
    answer = post(client, five("/rewind"), {"to": 3})
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"6"'
    row = answer.json()
    models.Outcome.model_validate(row)
    assert (row["seq"], row["call"], row["args"], row["verdict"]) == (6, "rewind", {"to": 3}, "ok")
    assert client.get(five("/events/6")).json() == row
    assert client.get(five("/events?after=5")).json()["items"] == [row]
    for body in (None, {}):
        answer = post(client, five("/undo"), body)
        assert (answer.status_code, answer.json()["call"]) == (201, "undo")
    assert answer.json()["args"] == {"to": 1}
    assert client.get(five("/dump")).json() == client.get(five("/dump?at=1")).json()
    assert client.get(five("/zones")).json() == client.get(five("/zones?at=1")).json()
    assert client.get(five("/proc/buddyinfo")).text == client.get(five("/proc/buddyinfo?at=1")).text
    explained = client.get(five("/events/6/explain"))
    models.Explanation.model_validate(explained.json())
    assert post(client, five("/undo")).status_code == 201
    problem(post(client, five("/undo")), 409)


@pytest.mark.parametrize("to", [6, -1, 10**15, 2**53, 2**64, True, "3", 3.0, None])
def test_where_nothing_is_to_go_back_to(client: TestClient, five: At, to: object) -> None:
    problem(post(client, five("/rewind"), {"to": to}), 422, "to")
    problem(post(client, five("/rewind"), {}), 422, "to")
    assert client.get(five("")).json()["seq"] == 5


@pytest.mark.parametrize("route", ["/rewind", "/undo", "/fork"])
def test_unknown_fields(client: TestClient, five: At, route: str) -> None:
    problem(post(client, five(route), {"to": 1, "seq": 2}), 422, "seq")
    problem(client.post(five(route), json=[]), 422)
    problem(client.post(five(route), content=b"to=1"), 415)
    assert client.get(five("")).json()["seq"] == 5


def test_fork(client: TestClient, five: At, sid: str) -> None:
    answer = post(client, five("/fork"), {"at": 2, "name": "branch"})
    assert answer.status_code == 201
    fork = answer.json()
    models.Session.model_validate(fork)
    assert (fork["name"], fork["seq"], fork["origin"]) == ("branch", 2, {"id": sid, "seq": 2})
    assert answer.headers["location"] == f"{BASE}/sessions/{fork['id']}"
    assert answer.headers["etag"] == '"2"'
    there = answer.headers["location"]
    assert client.get(there).json() == fork
    assert client.get(f"{there}/dump").json() == client.get(five("/dump?at=2")).json()
    assert client.get(f"{there}/events").json()["items"] == []
    problem(client.get(f"{there}/events/2"), 404)
    problem(client.get(f"{there}/dump?at=1"), 422, "query", "at")
    problem(post(client, f"{there}/fork", {"at": 1}), 422, "at")
    problem(post(client, f"{there}/rewind", {"to": 1}), 422, "to")
    assert post(client, f"{there}/alloc_page", {"gfp": "GFP_KERNEL"}).json()["seq"] == 3
    assert [row["seq"] for row in client.get(f"{there}/events").json()["items"]] == [3]
    assert client.get(f"{there}/events/3/explain").status_code == 200


@pytest.mark.parametrize("body", [None, {}, {"at": None}, {"name": None}])
def test_a_fork_of_the_head(client: TestClient, five: At, body: object) -> None:
    fork = post(client, five("/fork"), body).json()
    assert (fork["seq"], fork["name"]) == (5, "t at 5")


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"at": 6}, "at"),
        ({"at": -1}, "at"),
        ({"at": "2"}, "at"),
        ({"at": 2**63}, "at"),
        ({"at": False}, "at"),
        ({"name": 5}, "name"),
        ({"name": "\n"}, "name"),
        ({"name": "x" * 101}, "name"),
    ],
)
def test_no_fork(client: TestClient, five: At, body: object, place: str) -> None:
    problem(post(client, five("/fork"), body), 422, place)


def test_conditions_and_repetition(client: TestClient, five: At) -> None:
    problem(post(client, five("/undo"), None, If_Match='"4"'), 412)
    problem(post(client, five("/rewind"), {"to": 1}, If_Match='"4"'), 412)
    first = post(client, five("/undo"), None, If_Match='"5"', Idempotency_Key="u")
    assert first.json()["seq"] == 6
    again = post(client, five("/undo"), None, If_Match='"5"', Idempotency_Key="u")
    assert (again.status_code, again.content, again.headers["etag"]) == (201, first.content, '"6"')
    assert client.get(five("")).json()["seq"] == 6
    forks = [post(client, five("/fork"), {"at": 1}, Idempotency_Key="f") for _ in range(2)]
    assert forks[0].json() == forks[1].json()
    assert forks[0].headers["location"] == forks[1].headers["location"]
    rewound = [post(client, five("/rewind"), {"to": 2}, Idempotency_Key="r") for _ in range(2)]
    assert rewound[0].content == rewound[1].content
    problem(post(client, five("/rewind"), {"to": 3}, Idempotency_Key="r"), 422)
    assert client.get(five("")).json()["seq"] == 7


def test_pages_of_the_dashboard_show_what_was_gone_back_over(client: TestClient, five: At, sid: str) -> None:
    post(client, five("/rewind"), {"to": 2})
    post(client, five("/undo"))
    fork = post(client, five("/fork"), {"at": 6}).json()["id"]
    post(client, f"{BASE}/sessions/{fork}/alloc_page", {"gfp": "GFP_KERNEL"})
    post(client, f"{BASE}/sessions/{fork}/undo")
    for path in (
        f"/sessions/{sid}",
        f"/sessions/{sid}?at=6",
        f"/sessions/{sid}?at=3",
        f"/sessions/{sid}/explain/6",
        f"/sessions/{sid}/explain/7",
        f"/sessions/{fork}",
        f"/sessions/{fork}?at=6",
        f"/sessions/{fork}/explain/7",
        f"/sessions/{fork}/explain/8",
    ):
        assert client.get(path).status_code == 200, path
