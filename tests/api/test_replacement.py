"""Reference strings of journals, and policies compared over HTTP."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api import replacement_docs
from tests.support.served import BASE, problem

pytest_plugins = ("tests.support.clients",)

HERE = 0x7FFFF7FE9
LINES = """\
a: execve()
a: p = mmap(NULL, 64K, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS)
a: store(p) * 3
a: load(p+4100)
a: copy_from_user(p, 9000)
a: f = open("/data/a", 0)
a: read(f, p, 5000)
k: load(0x1000)
a: b = fork()
b: store(p)
b: load(0x10)
"""


@pytest.fixture(scope="module")
def session(client: TestClient) -> str:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    text = {"content-type": "text/plain"}
    sent = client.post(f"{BASE}/sessions/{made}/calls", content=LINES, headers=text)
    assert sent.status_code == 201, sent.text
    return str(made)


def compared(client: TestClient, **body: Any) -> Any:
    answer = client.post(f"{BASE}/replacement", json=body)
    assert answer.status_code == 200, answer.text
    replacement_docs.Comparison.model_validate(answer.json())
    return answer.json()


def test_a_journal_has_a_reference_string(client: TestClient, session: str) -> None:
    here = f"{BASE}/sessions/{session}/reference_string"
    found = client.get(f"{here}?task=a").json()
    replacement_docs.ReferenceStringPart.model_validate(found)
    assert found["references"] == [
        [HERE, "W"], [HERE + 1, "W"], [HERE + 2, "W"], [HERE + 1, "R"],
        [HERE, "R"], [HERE + 1, "R"], [HERE + 2, "R"], [HERE, "W"], [HERE + 1, "W"],
    ]  # fmt: skip
    first = client.get(f"{here}?task=a&limit=5").json()
    assert first["references"] + client.get(first["next"]).json()["references"] == found["references"]
    assert client.get(f"{here}?task=a&at=3").json()["count"] == 3
    # What killed it was no access, and what no process makes is none either.
    assert client.get(f"{here}?task=b").json()["references"] == [[HERE, "W"]]
    assert client.get(f"{here}?task=k").json()["count"] == 0
    problem(client.get(f"{here}?task=nobody"), 404)
    problem(client.get(here), 422, "query", "task")
    problem(client.get(f"{here}?task=a&at=99"), 422, "query", "at")


def test_what_was_undone_was_not_accessed(client: TestClient) -> None:
    made = client.post(f"{BASE}/sessions", json={"machine": {"profile": "x86_64-1g"}}).json()["id"]
    text = {"content-type": "text/plain"}
    client.post(f"{BASE}/sessions/{made}/calls", content="\n".join(LINES.splitlines()[:4]), headers=text)
    client.post(f"{BASE}/sessions/{made}/undo", json={})
    here = f"{BASE}/sessions/{made}/reference_string?task=a"
    assert client.get(here).json()["count"] == 3
    assert client.get(f"{here}&at=4").json()["count"] == 4


def test_a_string_is_compared(client: TestClient) -> None:
    string = [7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1]
    found = compared(client, string=string, frames=[3])
    faults = {row["policy"]: row["faults"] for row in found["results"]}
    assert list(faults) == ["fifo", "lru", "clock", "opt", "nru", "aging", "lru_2list"]
    assert (faults["fifo"], faults["lru"], faults["opt"], faults["clock"]) == (15, 12, 9, 14)
    assert found["results"][0] | {"victims": 0} == {
        "policy": "fifo", "frames": 3, "faults": 15, "replacements": 12, "writebacks": 0,
        "marks": "FFFFHFFFFFFHHFFHHFFF", "victims": 0,
    }  # fmt: skip
    assert (found["references"], found["pages"]) == (20, 6)
    curve = compared(client, string=string, frames={"from": 1, "to": 6}, policies=["lru", "fifo"], load_bit=0)
    assert [(row["policy"], row["frames"]) for row in curve["results"]] == [
        (policy, frames) for policy in ("lru", "fifo") for frames in range(1, 7)
    ]
    long = compared(client, string=[1, 2, [3, "W"]] * 400, frames=[2], policies=["fifo"])["results"][0]
    assert (long["marks"], long["victims"], long["faults"], long["writebacks"]) == (None, None, 1200, 399)


def test_a_journal_is_compared_with_what_its_machine_did(client: TestClient, session: str) -> None:
    found = compared(client, string={"session": session, "task": "a"}, frames=[2], policies=["lru"])
    lru, machine = found["results"]
    assert (lru["policy"], lru["frames"], lru["faults"]) == ("lru", 2, 7)
    assert (machine["policy"], machine["frames"], machine["faults"]) == ("machine", None, 3)
    problem(
        client.post(f"{BASE}/replacement", json={"string": {"session": "x", "task": "a"}, "frames": [1]}), 404
    )


def test_a_trace_is_compared_and_says_what_was_dropped(client: TestClient) -> None:
    found = compared(client, string={"trace": "==1==\nI  1000,4\n S 2000,4\n"}, frames=[1])
    assert (found["form"], found["dropped"], found["references"]) == (
        "lackey",
        {"valgrind's own words": 1},
        2,
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"frames": [1]}, ["string"]),
        ({"string": [], "frames": [1]}, ["string"]),
        ({"string": [1, -1], "frames": [1]}, ["string", 1]),
        ({"string": [1, 2.5], "frames": [1]}, ["string", 1]),
        ({"string": [[1, "X"]], "frames": [1]}, ["string", 0]),
        ({"string": {"session": "x"}, "frames": [1]}, ["string", "task"]),
        ({"string": {"trace": "nothing"}, "frames": [1]}, ["string", "trace"]),
        ({"string": {"trace": 7}, "frames": [1]}, ["string", "trace"]),
        ({"string": {"trace": "x", "y": 1}, "frames": [1]}, ["string", "y"]),
        ({"string": [1]}, ["frames"]),
        ({"string": [1], "frames": []}, ["frames"]),
        ({"string": [1], "frames": [0]}, ["frames"]),
        ({"string": [1], "frames": [True]}, ["frames"]),
        ({"string": [1], "frames": {"from": 3, "to": 2}}, ["frames"]),
        ({"string": [1], "frames": {"from": 1, "to": 5000}}, ["frames"]),
        ({"string": [1] * 50_000, "frames": {"from": 1, "to": 600}}, ["frames"]),
        ({"string": [1], "frames": [1], "policies": []}, ["policies"]),
        ({"string": [1], "frames": [1], "policies": ["lru", "lfu"]}, ["policies", 1]),
        ({"string": [1], "frames": [1], "load_bit": 2}, ["load_bit"]),
        ({"string": [1], "frames": [1], "tick": 4}, ["tick"]),
    ],
)
def test_a_field_that_cannot_be_is_named(client: TestClient, body: dict[str, Any], field: list[Any]) -> None:
    problem(client.post(f"{BASE}/replacement", json=body), 422, *field)
