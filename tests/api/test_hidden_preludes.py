"""A prelude that is not shown: whatever a member asks, nothing of its rows is answered."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.served import BASE
from tests.support.sheets import write_files
from tests.support.two_labs import TwoLabs, by_token, make, sent, serving

# The size of what the prelude has taken and given back: it stands in rows alone.
MARK = re.compile(r"(?<![\w.])(77731|77,731|0x12fa3)(?!\d)")
HIDDEN = """
title   = "Hidden"
teaser  = "What has gone before?"
topics  = ["slab"]
minutes = 3
points  = 4

[machine]
profile = "tiny-16m"
lecture = true

[prelude]
shown = false
calls = '''
kept = alloc_page(GFP_KERNEL)
gone = kmalloc(77731, GFP_KERNEL)
kfree(gone)
'''

[[task]]
kind   = "ask"
ask    = "How many calls were made?"
answer = "3"
form   = "number"
fixed  = "of the prelude"
"""
BASE_SEQ = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> TwoLabs:
    return make(tmp_path_factory.mktemp("hidden"))


@pytest.fixture
def client(world: TwoLabs, tmp_path: Path) -> Iterator[TestClient]:
    own = write_files(tmp_path / "own", {"hidden": HIDDEN})
    with serving(world, tmp_path / "served", exercises=own) as served:
        yield served


def paths_of(client: TestClient) -> list[str]:
    """All that can be read of a session, once for each of the rows behind which its prelude has gone."""
    known = {
        "task": "alice",
        "file": "buddyinfo",
        "name": "kmalloc-64",
        "pfn": "256",
        "path": "x",
        "list": "ret",
    }
    found = []
    for path, methods in client.get(f"{BASE}/openapi.json").json()["paths"].items():
        if "get" not in methods or "/sessions/{id}/" not in path or path.endswith(("/stream", "/work")):
            continue
        asked = {field["name"] for field in methods["get"].get("parameters", ())}
        rest = path.partition("/sessions/{id}")[2]
        for seq in range(BASE_SEQ + 2):
            filled = rest.format(**known, seq=seq)
            found.append(filled)
            found += [f"{filled}?{name}={seq}" for name in ("at", "after", "from") if name in asked]
    return list(dict.fromkeys(found))


def test_no_row_of_a_hidden_prelude_is_read(client: TestClient, world: TwoLabs) -> None:
    lab, token = f"/labs/{world.ids['lab']}", world.tokens["owner"]
    given = {"title": "Hidden", "mode": "graded", "items": [{"exercise": "hidden"}]}
    sheet = sent(client, world.tokens["instructor"], "POST", f"{lab}/sheets", given)
    item = sheet["items"][0]["id"]
    opened = sent(client, token, "POST", f"{lab}/sheets/{sheet['id']}/items/{item}/variants")
    mine = f"/sessions/{opened['session']}"

    def ask(method: str, path: str, body: Any = None) -> str:
        answer = client.request(method, path, json=body, headers=by_token(token))
        assert answer.status_code < 500, (path, answer.text)
        found = MARK.search(answer.text)
        assert found is None, (method, path, answer.text[max(0, found.start() - 200) : found.end() + 50])
        return answer.text

    assert "kept" in ask("GET", f"{BASE}{mine}/names")
    assert sent(client, token, "GET", f"{mine}/events")["items"] == []
    sent(client, token, "POST", f"{mine}/alloc_page", {"gfp": "GFP_KERNEL"})
    asked = paths_of(client)
    assert len(asked) > 100
    for path in asked:
        ask("GET", f"{BASE}{mine}{path}")
    for path in (
        f"{lab}/members/1/export",
        f"/variants/{opened['id']}",
        "/sessions",
        f"{lab}/sheets/{sheet['id']}",
    ):
        ask("GET", f"{BASE}{path}")
    for page in (mine, *(f"{mine}?at={seq}" for seq in range(BASE_SEQ + 2)), f"/variants/{opened['id']}"):
        ask("GET", page)
    for path, body in (
        ("/rewind", {"to": BASE_SEQ - 1}),
        ("/undo", {}),
        ("/undo", {}),
        ("/fork", {"at": BASE_SEQ - 1}),
        ("/fork", {}),
    ):
        ask("POST", f"{BASE}{mine}{path}", body)
    rest = client.get(f"{BASE}/sessions", headers=by_token(token)).json()["items"]
    for info in rest:
        ask("GET", f"{BASE}/sessions/{info['id']}/export")
        ask("GET", f"{BASE}/sessions/{info['id']}/events")
    assert client.get(f"{BASE}{mine}/events/{BASE_SEQ}", headers=by_token(token)).status_code == 404
