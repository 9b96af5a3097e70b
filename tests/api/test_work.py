"""`/work`, and batches that were stopped: how they are answered, and again under their key."""

import json
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from app.api import models
from app.sessions.batches import RunningBatch

pytest_plugins = ("tests.support.clients",)

At = Callable[[str], str]

TEXT = {"content-type": "text/plain"}
LINES = "\n".join(["alloc_page(GFP_KERNEL)"] * 300)


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is told to stop when 220 of its calls are made."""
    sound = RunningBatch._make_next

    def make(batch: RunningBatch) -> None:
        sound(batch)
        batch.stopping = len(batch.rows) >= 220

    monkeypatch.setattr(RunningBatch, "_make_next", make)


def test_nothing_is_under_way(client: TestClient, at: At) -> None:
    for answer in (client.get(at("/work")), client.delete(at("/work"))):
        assert answer.status_code == 200
        assert answer.json() == {"work": None}
        models.WorkUnderway.model_validate(answer.json())


@pytest.mark.usefixtures("stopped")
def test_a_stopped_batch_is_answered_and_again(client: TestClient, at: At) -> None:
    headers = TEXT | {"idempotency-key": "a"}
    answer = client.post(at("/calls"), content=LINES, headers=headers)
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"220"'
    body = models.Outcomes.model_validate(answer.json())
    assert (len(body.outcomes), body.stopped_after) == (220, 220)
    again = client.post(at("/calls"), content=LINES, headers=headers)
    assert (again.status_code, again.content) == (201, answer.content)
    assert again.headers["etag"] == '"220"'
    assert client.get(at("")).json()["seq"] == 220
    whole = client.post(at("/calls"), content="alloc_page(GFP_KERNEL)", headers=TEXT)
    assert "stopped_after" not in whole.json()


@pytest.mark.usefixtures("stopped")
def test_in_lines_the_last_one_says_so(client: TestClient, at: At) -> None:
    body = '{"call": "alloc_page", "gfp": "GFP_KERNEL"}\n' * 300
    answer = client.post(at("/calls"), content=body, headers={"content-type": "application/x-ndjson"})
    *made, last = map(json.loads, answer.text.splitlines())
    assert [row["seq"] for row in made] == list(range(1, 221))
    assert last == {"stopped_after": 220}
