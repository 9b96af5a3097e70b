"""Nothing of an answer leaves the server before it is submitted: planted marks, and every byte searched."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.served import BASE
from tests.support.sheets import write_files
from tests.support.two_labs import TwoLabs, by_token, make, sent, serving

# Stands wherever a file says what is right, or why something is wrong. No machine has such a number.
RIGHT = "7654321987"
MARKS = (RIGHT, "7,654,321,987", hex(int(RIGHT)), "SENTINEL")

PLANTED = f"""
title   = "Planted"
teaser  = "What can be found?"
topics  = ["buddy"]
minutes = 3
points  = 4

[machine]
profile = "tiny-16m"
lecture = true

[vary]
n = {{ between = [3, 5] }}

[[task]]
kind   = "ask"
ask    = "How many?"
answer = "{RIGHT} + {{n}} - {{n}}"
form   = "number"
fixed  = "planted"
wrong  = [ {{ is = "right + 1", because = "sentinel one", say = "SENTINEL said" }} ]
hints  = [ {{ text = "SENTINEL hint", costs = 10 }} ]
after  = "SENTINEL after"

[[task]]
kind   = "predict"
ask    = "`p = alloc_pages(GFP_KERNEL, 2)`: which frame?"
calls  = "p = alloc_pages(GFP_KERNEL, 2)"
answer = "1 pfn"
form   = "pfn"
fixed  = "planted"
wrong  = [ {{ is = "right + 1", because = "sentinel two", say = "SENTINEL wrong" }} ]
hints  = [ {{ text = "SENTINEL second hint", costs = 10 }} ]
after  = "SENTINEL after too"

[[task]]
kind  = "goal"
ask   = "Hold frames."
check = [
  {{ points = 3, is = "live frames >= {{n}}", else = "Too few." }},
  {{ points = 1, is = "no alloc_page task SENTINELLOG", else = "It said so." }},
]
hints = [ {{ text = "SENTINEL third hint", costs = 10 }} ]
solution = '''
SENTINELNAME = alloc_pages(GFP_KERNEL, 3)
'''
after = "SENTINEL at the end"
"""


class Reader:
    """Asks, and keeps every byte that was answered."""

    def __init__(self, client: TestClient, token: str) -> None:
        self.client, self.token, self.bytes = client, token, bytearray()

    def __call__(self, method: str, path: str, body: Any = None, expect: int = 0) -> Any:
        answer = self.client.request(method, f"{BASE}{path}", json=body, headers=by_token(self.token))
        if expect:
            assert answer.status_code == expect, (method, path, answer.text)
        self.bytes += str(answer.headers.raw).encode() + answer.content
        return answer.json() if answer.headers.get("content-type") == "application/json" else None

    def found(self) -> list[str]:
        """Marks among what was answered since the last time."""
        text = bytes(self.bytes).decode("utf-8", "replace")
        self.bytes.clear()
        return [mark for mark in MARKS if mark.lower() in text.lower()]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("sentinels"))


@pytest.fixture
def client(world: TwoLabs, tmp_path: Path) -> Iterator[TestClient]:
    own = write_files(tmp_path / "own", {"planted": PLANTED})
    with serving(world, tmp_path / "served", exercises=own) as served:
        yield served


def look_everywhere(ask: Reader, lab: str, sheet: str, variant: str, session: str) -> None:
    """Read all that a member can read, and try what is refused."""
    for path in (
        "/exercises",
        "/exercises/planted",
        "/labs",
        lab,
        f"{lab}/sheets",
        f"{lab}/sheets/{sheet}",
        f"{lab}/sheets/{sheet}/results",
        f"{lab}/sheets/{sheet}/results.csv",
        f"{lab}/sheets/{sheet}/results.csv?shape=long",
        f"{lab}/sheets/{sheet}/results.zip",
        f"{lab}/sheets/{sheet}/members/1/results.json",
        f"{lab}/misconceptions",
        f"{lab}/members/1/export",
        f"{lab}/export",
        f"/variants/{variant}",
        f"/sessions/{session}",
        f"/sessions/{session}/events",
        f"/sessions/{session}/names",
        f"/sessions/{session}/dump",
        f"/sessions/{session}/export",
        f"/sessions/{session}/log",
        "/sessions",
        "/me",
        "/openapi.json",
    ):
        ask("GET", path)
    bad = (
        {"task": 1, "given": "x"},
        {"task": 1, "given": []},
        {"task": 9, "given": "1"},
        {"task": 1, "x": 1},
    )
    for body in bad:
        ask("POST", f"/variants/{variant}/answers", body)
    ask("POST", f"/variants/{variant}/reveal", {"task": 1})
    ask("POST", f"/variants/{variant}/hints/2", {"task": 1})
    ask("POST", f"/variants/{variant}/check", {"task": 1})
    ask("POST", f"{lab}/sheets/{sheet}/regrade", {})
    ask("POST", "/exercises/check", {"toml": "x"})


@pytest.mark.parametrize("mode", ["practice", "graded"])
def test_no_byte_of_an_answer_leaves_before_it_is_submitted(
    client: TestClient, world: TwoLabs, mode: str
) -> None:
    lab = f"/labs/{world.ids['lab']}"
    given = {"title": "Planted", "mode": mode, "items": [{"exercise": "planted"}]}
    made = sent(client, world.tokens["instructor"], "POST", f"{lab}/sheets", given)
    sheet, item = made["id"], made["items"][0]["id"]
    ask = Reader(client, world.tokens["owner"])
    opened = ask("POST", f"{lab}/sheets/{sheet}/items/{item}/variants", None, 201)
    variant, session = opened["id"], opened["session"]
    look_everywhere(ask, lab, sheet, variant, session)
    assert ask.found() == []
    ask("POST", f"/variants/{variant}/answers", {"task": 1, "given": "5"}, 201)
    if mode == "graded":  # in practice a task is shown to who has tried it
        look_everywhere(ask, lab, sheet, variant, session)
    assert ask.found() == []  # it was wrong, and another try is left
    answered = ask("POST", f"/variants/{variant}/answers", {"task": 1, "given": RIGHT}, 201)
    assert answered["variant"]["tasks"][0]["right"] == [f"{int(RIGHT):,}"]
    assert "SENTINEL" in ask.found()  # what comes after it
    text = str(ask("GET", f"/variants/{variant}"))
    assert "second hint" not in text
    assert "SENTINEL wrong" not in text
    shown = ask("POST", f"/variants/{variant}/reveal", {"task": 2, "give_up": True}, 200)
    assert "SENTINELNAME" not in str(shown)
    assert "SENTINELLOG" not in str(shown)
    ask.found()
    ask("POST", f"/variants/{variant}/check", {"task": 3}, 200)
    ask("POST", f"/variants/{variant}/answers", {"task": 3}, 201)
    text = str(ask("GET", f"/variants/{variant}"))
    assert "SENTINELNAME" not in text
    assert "SENTINELLOG" not in text
