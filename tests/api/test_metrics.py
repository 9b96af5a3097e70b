"""`/metrics`: numbers as Prometheus reads them, for those who may have them, and about nobody."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from tests.support.served import BASE, build, client_of, problem

TOKEN = "a token of sixteen or more"


def numbers(client: TestClient, **headers: str) -> dict[str, float]:
    """Every sample, by its name and labels as they stand in the text."""
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        sample.name
        + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_they_count_what_was_done(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        before = numbers(client)
        sid = client.post(f"{BASE}/sessions", json={"machine": {"profile": "tiny-16m"}}).json()["id"]
        for _ in range(3):
            client.post(f"{BASE}/sessions/{sid}/alloc_pages", json={"gfp": "GFP_KERNEL", "order": 0})
        client.get(f"{BASE}/sessions/nowhere")
        after = numbers(client)
        assert after["kmemlab_rows_total"] - before["kmemlab_rows_total"] == 3
        assert after["kmemlab_machines"] == 1
        assert after["kmemlab_machines_bytes"] > 1_000
        assert after["kmemlab_answers_total status=201"] == 4
        assert after["kmemlab_answers_total status=404"] == 1
        assert after["kmemlab_group_seconds_count"] == after["kmemlab_group_seconds_bucket le=+Inf"] >= 4
        assert 0 < after["kmemlab_group_seconds_sum"] < 60
        assert after["process_resident_memory_bytes"] > 10e6
        assert sid not in client.get("/metrics").text


def test_buckets_only_grow(tmp_path: Path) -> None:
    with client_of(build(tmp_path)) as client:
        found = numbers(client)
        buckets = [value for name, value in found.items() if name.startswith("kmemlab_group_seconds_bucket")]
        assert buckets == sorted(buckets)
        assert len(buckets) == 12


def test_in_lab_mode_they_are_for_who_has_the_token(tmp_path: Path) -> None:
    with client_of(build(tmp_path, lab=True)) as client:
        assert problem(client.get("/metrics"), 404)["detail"] == "there is no page '/metrics'"
        problem(client.get("/metrics", headers={"authorization": "Bearer None"}), 404)
    with client_of(build(tmp_path, lab=True, metrics_token=TOKEN)) as client:
        for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Bearer {TOKEN}x"}):
            problem(client.get("/metrics", headers=wrong), 403)
        problem(client.get("/metrics", headers={"authorization": "Bearer \xff".encode("latin-1")}), 403)
        assert numbers(client, authorization=f"Bearer {TOKEN}")["kmemlab_rows_total"] == 0
        problem(client.get("/metrics?name=x", headers={"authorization": f"Bearer {TOKEN}"}), 422)


@pytest.mark.parametrize("short", ["", "x" * 15])
def test_a_short_token_is_none(tmp_path: Path, short: str) -> None:
    with pytest.raises(ValueError, match="metrics_token"):
        build(tmp_path, metrics_token=short)
