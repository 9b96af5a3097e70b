"""How often one person may ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import rates
from app.rates import Rates
from tests.support.served import BASE, build, client_of, problem


class Clock:
    """A clock that is set."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def passed(buckets: Rates, who: str, most: int = 1000) -> int:
    """How many requests pass now."""
    return next(count for count in range(most) if buckets.take(who) > 0)


def test_a_burst_then_the_rate(clock: Clock) -> None:
    buckets = Rates(2, 10, clock)
    assert passed(buckets, "a") == 10
    assert buckets.take("a") == pytest.approx(0.5)
    clock.now += 0.4
    assert buckets.take("a") == pytest.approx(0.1)
    clock.now += 0.1
    assert passed(buckets, "a") == 1
    clock.now += 3
    assert passed(buckets, "a") == 6
    # No more than a burst is saved up.
    clock.now += 3600
    assert passed(buckets, "a") == 10


def test_everybody_has_a_bucket(clock: Clock) -> None:
    buckets = Rates(1, 3, clock)
    assert passed(buckets, "a") == 3
    assert passed(buckets, "b") == 3


def test_a_long_body_is_paid_for_afterwards(clock: Clock) -> None:
    buckets = Rates(1, 3, clock)
    assert buckets.take("a") == 0
    buckets.read("a", 12 * rates.BYTES_PER_REQUEST)
    assert buckets.take("a") == pytest.approx(11)
    clock.now += 11
    assert passed(buckets, "a") == 1


def test_no_more_are_remembered_than_there_is_room_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_BUCKETS", 3)
    buckets = Rates(1, 2, clock)
    for who in "abcdabcd":
        buckets.take(who)
    assert len(buckets._buckets) == 3


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[TestClient]:
    """One request in ten minutes, three at once."""
    with client_of(build(tmp_path, rate_per_second=1 / 600, rate_burst=3)) as client:
        yield client


def test_too_many_requests(strict: TestClient) -> None:
    for _ in range(3):
        assert strict.get(f"{BASE}/profiles").status_code == 200
    answer = strict.get(f"{BASE}/profiles")
    assert "try again in" in problem(answer, 429)["detail"]
    assert 590 <= int(answer.headers["retry-after"]) <= 600
    problem(strict.post(f"{BASE}/sessions", json={}), 429)
    problem(strict.get("/"), 429)
    # Whoever watches the process, and the files of a page, are not counted.
    script = strict.app.state.assets.url("js/api.js")  # type: ignore[attr-defined]
    for path in ("/healthz", "/readyz", script):
        for _ in range(5):
            assert strict.get(path).status_code == 200


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_counts_by_its_length(strict: TestClient, announced: bool) -> None:
    text = b"# nothing\n" * 3000 + b"vm_unmap_aliases()\n"
    headers = {"content-type": "text/plain"}
    sid = strict.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
    body = text if announced else iter([text[:15000], text[15000:]])
    answer = strict.post(f"{BASE}/sessions/{sid}/calls", content=body, headers=headers)
    assert answer.status_code == 201, answer.text
    waits = int(strict.get(f"{BASE}/profiles").headers["retry-after"])
    assert waits > (len(text) // rates.BYTES_PER_REQUEST) * 600


@pytest.mark.slow
def test_open_mode_counts_nothing(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        assert {client.get(f"{BASE}/profiles").status_code for _ in range(300)} == {200}
