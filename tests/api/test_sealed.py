"""A sealed sheet: while a task of it is open, each side door is shut, and says why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.cookies import cookie_name
from tests.support.served import BASE, problem
from tests.support.sheets import write_files
from tests.support.two_labs import TwoLabs, by_token, make, sent, serving

WHY = "a task of a sealed sheet is open"


class Sat:
    """A member in the middle of a sealed sheet, in a browser."""

    def __init__(self, client: TestClient, world: TwoLabs) -> None:
        self.client, self.world = client, world
        self.lab = f"/labs/{world.ids['lab']}"
        teacher = world.tokens["instructor"]
        items = [{"exercise": "split"}, {"exercise": "hold"}]
        given = {"title": "Test", "mode": "sealed", "items": items}
        self.sheet = sent(client, teacher, "POST", f"{self.lab}/sheets", given)
        self.name = cookie_name(client.app.state.settings)  # type: ignore[attr-defined]

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """As the member's browser does."""
        cookie = {"cookie": f"{self.name}={self.world.tokens['owner']}"}
        return self.client.request(method, path, json=body, headers=cookie, follow_redirects=False, **more)

    def open(self, place: int = 0) -> Any:
        """Open an exercise."""
        item = self.sheet["items"][place]["id"]
        path = f"{BASE}{self.lab}/sheets/{self.sheet['id']}/items/{item}/variants"
        answer = self.ask("POST", path)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("sealed"))


@pytest.fixture
def sat(world: TwoLabs, tmp_path: Path) -> Iterator[Sat]:
    with serving(world, tmp_path / "served", exercises=write_files(tmp_path / "own")) as client:
        yield Sat(client, world)


def test_each_side_door_is_shut_and_says_why(sat: Sat) -> None:
    copy, watch = sat.world.sessions["copy"], sat.world.sessions["watch"]
    assert sat.ask("GET", f"{BASE}/sessions/{copy}").status_code == 200
    opened = sat.open()
    mine = f"{BASE}/sessions/{opened['session']}"
    machine = {"machine": {"profile": "tiny-16m"}}
    doors: list[tuple[str, str, Any]] = [
        ("GET", f"{BASE}/sessions/{copy}", None),
        ("POST", f"{BASE}/sessions/{copy}/alloc_page", {"gfp": "GFP_KERNEL"}),
        ("GET", f"{BASE}/sessions/{watch}/zones", None),
        ("GET", f"/sessions/{watch}", None),
        ("POST", f"{BASE}/sessions", machine),
        ("POST", "/sessions", None),
        ("POST", f"{mine}/fork", {}),
        ("POST", f"{mine[len(BASE) :]}/fork", None),
        ("POST", f"{BASE}{sat.lab}/machines/{sat.world.ids['machine']}/copy", None),
        ("GET", f"{mine}/zones?at=0", None),
        ("GET", f"{mine}/zones?%61t=0", None),
        ("GET", f"{mine}/export", None),
        ("GET", f"{mine}/dump", None),
        ("POST", "/demos/split-and-merge", None),
        ("GET", f"{BASE}{sat.lab}/members/1/export", None),
    ]
    for method, path, body in doors:
        answer = sat.ask(method, path, body)
        assert answer.status_code == 409, (method, path, answer.text)
        assert WHY in answer.text, (method, path)
    typed = {"cookie": f"{sat.name}={sat.world.tokens['owner']}", "content-type": "application/x-ndjson"}
    problem(sat.client.post(f"{BASE}/sessions", content=b"{}", headers=typed), 409)
    token = by_token(sat.world.tokens["owner"])
    assert WHY in sat.client.get(mine, headers=token).text
    problem(sat.client.get(f"{BASE}/labs", headers=token), 409)
    assert sat.ask("GET", f"{mine}/zones").status_code == 200
    assert sat.ask("GET", f"{BASE}{sat.lab}/sheets").status_code == 200
    assert sat.ask("GET", f"{BASE}/me").status_code == 200


def test_no_call_is_made_before_a_prediction_is_answered(sat: Sat) -> None:
    opened = sat.open()
    body = {"gfp": "GFP_KERNEL"}
    answer = sat.ask("POST", f"{BASE}/sessions/{opened['session']}/alloc_page", body)
    problem(answer, 409)
    assert "before its task is answered" in answer.text
    batch = {"calls": [{"call": "alloc_page", **body}]}
    problem(sat.ask("POST", f"{BASE}/sessions/{opened['session']}/calls", batch), 409)


def test_the_doors_open_again_where_it_is_finished(sat: Sat) -> None:
    opened = sat.open()
    variant = f"{BASE}/variants/{opened['id']}"
    for task in (1, 2):
        shown = sat.ask("POST", f"{variant}/reveal", {"task": task, "give_up": True})
        assert (shown.json()["finished"] is None) is (task == 1), shown.text
    assert sat.ask("GET", f"{BASE}/sessions/{sat.world.sessions['copy']}").status_code == 200
    assert sat.client.get(f"{BASE}/labs", headers=by_token(sat.world.tokens["owner"])).status_code == 200


def test_others_go_on_as_before(sat: Sat) -> None:
    sat.open()
    for role in ("instructor", "member", "operator"):
        answer = sat.client.get(f"{BASE}/labs", headers=by_token(sat.world.tokens[role]))
        assert answer.status_code == 200, role


def test_released_answers_open_the_doors(sat: Sat) -> None:
    sat.open()
    path = f"{sat.lab}/sheets/{sat.sheet['id']}"
    sent(sat.client, sat.world.tokens["instructor"], "PATCH", path, {"released": True})
    assert sat.ask("GET", f"{BASE}/sessions/{sat.world.sessions['copy']}").status_code == 200
