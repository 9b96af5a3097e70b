"""Exercises over HTTP: the list, a file that is checked, and practice on a session."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import exercise_docs
from tests.support import two_labs
from tests.support.served import BASE, build, client_of, problem
from tests.support.two_labs import TwoLabs, by_token, serving

OWN = Path(__file__).parents[1] / "web" / "exercises"
NAME = "every-form"
VARIANT = 7


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(build(tmp_path_factory.mktemp("exercises"), exercises=OWN)) as client:
        yield client


class Practising:
    """A session that was made for an exercise."""

    def __init__(self, client: TestClient, name: str = NAME, **how: Any) -> None:
        made = client.post(f"{BASE}/exercises/{name}/practice", json={"variant": VARIANT}, **how)
        assert made.status_code == 201, made.text
        exercise_docs.Begun.model_validate(made.json())
        self.client, self.name, self.made = client, name, made.json()
        self.id = self.made["session"]["id"]
        assert made.headers["location"] == f"{BASE}/sessions/{self.id}"

    def post(self, what: str, task: int = 1, **more: Any) -> Any:
        body = {"exercise": self.name, "variant": self.made["variant"], "task": task, **more}
        return self.client.post(f"{BASE}/sessions/{self.id}/exercise/{what}", json=body)


def test_the_list_and_one_of_it(client: TestClient) -> None:
    listed = client.get(f"{BASE}/exercises").json()
    exercise_docs.Exercises.model_validate(listed)
    mine = next(one for one in listed["exercises"] if one["name"] == NAME)
    assert mine["tasks"][1]["forms"] == ["pfn", "orders"]
    one = client.get(f"{BASE}/exercises/{NAME}").json()
    exercise_docs.OneExercise.model_validate(one)
    assert one["sample"]["tasks"][1]["fields"][1]["before"]
    problem(client.get(f"{BASE}/exercises/none"), 404)


def test_practice_from_the_question_to_what_is_right(client: TestClient) -> None:
    here = Practising(client)
    assert (here.made["start"], here.made["session"]["seq"]) == (2, 2)
    assert here.made["page"].startswith(f"/sessions/{here.id}?exercise={NAME}&variant=7")
    wrong = here.post("answers", given=["0x400-0x407"])
    exercise_docs.AnswersMarked.model_validate(wrong.json())
    assert (wrong.json()["right"], wrong.json()["share"]) == (False, 0)
    assert wrong.json()["fields"][0]["because"] == "free-is-free"
    assert here.post("answers", given=["1025-1031"]).json()["right"] is True
    assert "look at" in here.post("hints", hint=1).json()["text"]
    shown = here.post("reveal").json()
    exercise_docs.TaskShown.model_validate(shown)
    assert shown["right"] == ["0x401-0x407"]
    assert (shown["rows"], shown["seq"]) == ([3], 3)
    lists = ";".join("11101111112")
    assert here.post("answers", 2, given=["0x408", lists], start=3).json()["right"] is True


def test_a_goal(client: TestClient) -> None:
    here = Practising(client)
    checked = here.post("check", 9).json()
    exercise_docs.GoalChecked.model_validate(checked)
    assert checked["reached"] is False
    assert [one["holds"] for one in checked["conditions"]] == [False, True]
    client.post(f"{BASE}/sessions/{here.id}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 3})
    reached = here.post("check", 9).json()
    assert (reached["reached"], reached["seq"]) == (True, 3)
    # What is right after it depends on what was done.
    assert here.post("answers", 10, given=["3055"], start=3).json()["right"] is True
    client.post(f"{BASE}/sessions/{here.id}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 3})
    assert here.post("answers", 10, given=["3055"], start=4).json()["right"] is False


@pytest.mark.parametrize(
    ("what", "more", "status", "at"),
    [
        ("answers", {"given": ["0x407-0x400"]}, 422, ["given", 0]),
        ("answers", {"given": []}, 422, ["given", 0]),
        ("answers", {"given": "0x400"}, 422, ["given"]),
        ("answers", {"given": ["1"], "task": 99}, 404, None),
        ("answers", {"given": ["1"], "variant": 0}, 422, ["variant"]),
        ("answers", {"given": ["1"], "exercise": "none"}, 404, None),
        ("answers", {"given": ["1", "1"], "exercise": "what-a-split-leaves"}, 409, None),
        ("answers", {"given": ["1"], "task": 9}, 422, ["task"]),
        ("answers", {}, 422, ["given"]),
        ("check", {}, 422, ["task"]),
        ("hints", {"hint": 2}, 422, ["hint"]),
        ("hints", {"hint": 0}, 422, ["hint"]),
        ("reveal", {"start": 99, "task": 10}, 422, ["seq"]),
    ],
)
def test_what_cannot_be(
    client: TestClient, what: str, more: dict[str, Any], status: int, at: list[Any] | None
) -> None:
    said = problem(Practising(client).post(what, **{"task": 1, **more}), status)
    if at is not None:
        assert said["errors"][0]["loc"] == at


@pytest.mark.parametrize("kind", ["application/toml", "text/plain", "application/json"])
def test_a_file_is_checked(client: TestClient, kind: str) -> None:
    text = exercise_docs.FILE
    body = {"json": {"toml": text}} if kind == "application/json" else {"content": text}
    answer = client.post(f"{BASE}/exercises/check", headers={"Content-Type": kind}, **body)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    exercise_docs.CheckedFile.model_validate(answer.json())
    assert answer.json()["fault"] is None
    assert len(answer.json()["report"]["variants"]) == 20


def test_a_file_is_at_fault_in_a_place(client: TestClient) -> None:
    text = re.sub("kind   = .*", 'kind = "guess"', exercise_docs.FILE)
    answer = client.post(f"{BASE}/exercises/check", json={"toml": text})
    assert "task 1: kind" in answer.json()["fault"]
    assert answer.json()["report"] is None


def test_in_a_lab_a_member_practises_alone(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    world: TwoLabs = two_labs.make(tmp_path / "made")
    with serving(world, tmp_path / "served", exercises=OWN) as client:
        member, other = (by_token(world.tokens[role]) for role in ("member", "owner"))
        here = Practising(client, headers=member)
        body = {"exercise": NAME, "variant": VARIANT, "task": 1, "given": ["1025-1031"]}
        path = f"{BASE}/sessions/{here.id}/exercise/answers"
        assert client.post(path, json=body, headers=member).json()["right"] is True
        problem(client.post(path, json=body, headers=other), 404)
        for what in ("check", "hints", "reveal"):
            sent = {**body, **({"hint": 1} if what == "hints" else {})}
            del sent["given"]
            problem(client.post(path.replace("answers", what), json=sent, headers=other), 404)
