"""Which answers are gzipped, and that they are the same answers."""

import gzip
from typing import Any

import pytest
from starlette.testclient import TestClient

from app import compression
from tests.support.served import BASE, protected

pytest_plugins = ("tests.support.clients",)


def raw(client: TestClient, path: str, accepted: str, **headers: str) -> tuple[Any, bytes]:
    """An answer and its bytes as they were sent."""
    if path == SCRIPT:
        path = client.app.state.assets.url(path)  # type: ignore[attr-defined]
    with client.stream("GET", path, headers={"accept-encoding": accepted, **headers}) as answer:
        return answer, b"".join(answer.iter_raw())


SCRIPT = "js/map.js"
LONG = [f"{BASE}/calls", f"{BASE}/openapi.json", "/gfp", SCRIPT]


@pytest.mark.parametrize("path", LONG)
def test_long_texts_are_packed(client: TestClient, path: str) -> None:
    plain, body = raw(client, path, "identity")
    answer, packed = raw(client, path, "br, gzip;q=0.8")
    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"].split(", ")[-1] == "accept-encoding"
    assert int(answer.headers["content-length"]) == len(packed) < len(body) / 2
    assert gzip.decompress(packed) == body
    assert answer.headers["content-type"] == plain.headers["content-type"]
    protected(answer)


def test_what_is_packed_elsewhere_is_the_same(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = raw(client, f"{BASE}/calls", "gzip")[1]
    monkeypatch.setattr(compression, "COMPRESSED_AT_ONCE", 10)
    assert raw(client, f"{BASE}/calls", "gzip")[1] == at_once


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "gzip; q=0.0", "xgzip"])
def test_not_for_who_does_not_take_it(client: TestClient, accepted: str) -> None:
    answer, body = raw(client, f"{BASE}/calls", accepted)
    assert "content-encoding" not in answer.headers
    assert body.startswith(b"{")


@pytest.mark.parametrize("path", ["/healthz", f"{BASE}/nothing", "/favicon.ico"])
def test_not_what_is_short_or_no_text(client: TestClient, path: str) -> None:
    assert "content-encoding" not in raw(client, path, "gzip")[0].headers


def test_a_part_of_a_file_is_that_part(client: TestClient) -> None:
    answer, body = raw(client, SCRIPT, "gzip", range="bytes=0-2047")
    assert (answer.status_code, len(body)) == (206, 2048)
    assert "content-encoding" not in answer.headers


def test_calls_are_not(client: TestClient, sid: str) -> None:
    calls = {"calls": [{"call": "alloc_page", "gfp": "GFP_KERNEL"}] * 50}
    answer = client.post(f"{BASE}/sessions/{sid}/calls", json=calls, headers={"accept-encoding": "gzip"})
    assert answer.status_code == 201
    assert "content-encoding" not in answer.headers


def test_a_stream_is_not_held_back(client: TestClient, sid: str) -> None:
    client.post(
        f"{BASE}/sessions/{sid}/calls",
        content="vm_unmap_aliases()\n" * 100,
        headers={"content-type": "text/plain"},
    )
    answer, body = raw(client, f"{BASE}/sessions/{sid}/events", "gzip", accept="application/x-ndjson")
    assert "content-encoding" not in answer.headers
    assert body.count(b"\n") >= 100
